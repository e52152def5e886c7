"""The database schema as Alembic migrations in plain SQL."""
