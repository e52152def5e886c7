"""Other catalogues that feed this one: one adapter a kind, and what keeps them in step with it."""
