"""DOIs of public records: names, registrar, and the worker that keeps the registrar's records true."""
