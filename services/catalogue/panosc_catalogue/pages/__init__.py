"""Pages for people, rendered by the server; and what machines find at the same addresses."""
