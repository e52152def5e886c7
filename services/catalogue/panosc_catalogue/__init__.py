"""Catalogue engine: ingest, search API, embargo."""
