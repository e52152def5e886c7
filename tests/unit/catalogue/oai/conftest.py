"""A catalogue to harvest."""

import json
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from panosc_catalogue.web.app import create_app
from unit.catalogue.oai.harvester import Catalogue
from unit.catalogue.service import serving, settings

CONFIG = {
    "facility": {
        "name": "demo",
        "displayName": "Demo Light Source",
        "ror": "https://ror.org/02550n020",
        "contactEmail": "data@example.org",
    },
    "publicUrl": "https://catalogue.example.org",
}


@pytest.fixture
def catalogue(database_url: str, tmp_path: Path) -> Iterator[Catalogue]:
    given = settings(database_url, tmp_path)
    given.config_file.write_text(json.dumps(CONFIG))
    with psycopg.connect(database_url, autocommit=True) as connection:
        held = Catalogue(None, connection, given.policy_file)  # type: ignore[arg-type]
        with serving(create_app(given, clock=lambda: held.now)) as held.client:
            yield held
