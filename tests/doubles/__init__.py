"""Strict stand-ins for other people's services, over HTTP on the loopback."""
