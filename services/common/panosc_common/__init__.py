"""What all PaNOSC services share."""
