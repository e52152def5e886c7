"""A package, so that its operator ends before that of another folder begins."""
