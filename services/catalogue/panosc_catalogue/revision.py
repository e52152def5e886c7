"""The revision of the database's schema that this program expects."""

# Said here too, since Alembic, which knows it from its scripts, takes as long to load as all that serves.
REVISION = "initial"
