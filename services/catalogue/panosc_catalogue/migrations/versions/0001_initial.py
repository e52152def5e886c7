"""The whole schema as first released: one file a subject, in the order in which they need each other."""

from pathlib import Path

from alembic import op

revision = "initial"
down_revision = None

SUBJECTS = ("records", "ingest", "sources", "policy", "visibility", "teams", "oai", "identifiers", "search")


def upgrade() -> None:
    """Create everything."""
    schema = Path(__file__).parents[1] / "schema"
    for subject in SUBJECTS:
        op.get_bind().exec_driver_sql((schema / f"{subject}.sql").read_text(encoding="utf-8"))
