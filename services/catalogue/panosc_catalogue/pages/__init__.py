"""Pages for people, rendered by the server: search, landing pages, tombstones; and what machines find there."""
