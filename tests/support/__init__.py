"""What the tests of several levels share."""
