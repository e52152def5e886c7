"""Bring the database's schema to the revision that this program expects."""

from pathlib import Path

import sqlalchemy
from alembic import command
from alembic.config import Config

from panosc_catalogue.columns import panet_key
from panosc_catalogue.records import Technique
from panosc_catalogue.revision import REVISION

LOCK = 0x50614E4F5343  # "PaNOSC": the advisory lock that only one migration holds at a time


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
    return config


def migrate(database_url: str) -> str:
    """Migrate in one transaction; waits while another process migrates. Returns the revision reached.

    What is derived from data that come with the program is derived anew.

    Raises sqlalchemy.exc.OperationalError if the database cannot be reached.
    """
    url = sqlalchemy.make_url(database_url).set(drivername="postgresql+psycopg")
    engine = sqlalchemy.create_engine(url, connect_args={"connect_timeout": 10})
    try:
        with engine.begin() as connection:
            connection.execute(sqlalchemy.text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})
            config = _config()
            config.attributes["connection"] = connection
            command.upgrade(config, REVISION)
            _name_techniques(connection)
    finally:
        engine.dispose()
    return REVISION


def _name_techniques(connection: sqlalchemy.Connection) -> None:
    """Find the PaNET terms of all techniques: this program may know some that the one before did not."""
    rows = connection.execute(
        sqlalchemy.text("SELECT id, pid, name, panet_id, panet_key FROM technique")
    ).all()
    for row in rows:
        key = panet_key(Technique(pid=row.pid, name=row.name, panet_id=row.panet_id))
        if key != row.panet_key:
            update = sqlalchemy.text("UPDATE technique SET panet_key = :key WHERE id = :id")
            connection.execute(update, {"key": key, "id": row.id})
