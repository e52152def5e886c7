"""OAI-PMH 2.0: the catalogue's public records for those who harvest them."""
