"""Public records described: one read model, and its forms in DataCite's metadata schema."""
