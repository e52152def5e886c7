"""Others' interfaces, one small module each, with timeouts."""
