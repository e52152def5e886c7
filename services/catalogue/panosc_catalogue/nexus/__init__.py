"""Metadata out of NeXus files, whatever state they are in."""
