"""Data management plans: what policy and proposal already say, so that nobody writes it again."""
