"""A small catalogue with pages, whose clock the tests set."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import psycopg
import pytest
from panosc_catalogue import store
from panosc_catalogue.records import DatasetRecord, DocumentRecord
from panosc_catalogue.web.app import create_app
from unit.catalogue.service import serving, settings

PUBLIC = "https://catalogue.example.org"
ARCHIVE = "https://archive.example.org"
END = datetime(2020, 5, 4, 12, 0, tzinfo=UTC)
RELEASE = datetime(2023, 5, 4, 12, 0, tzinfo=UTC)
SAXS = {
    "pid": "http://purl.org/pan-science/PaNET/PaNET01188",
    "name": "small angle x-ray scattering",
    "panetId": "http://purl.org/pan-science/PaNET/PaNET01188",
}
PROPOSAL: dict[str, Any] = {
    "pid": "10.5072/proposal",
    "doi": "10.5072/proposal",
    "type": "proposal",
    "title": "Drying of silica",
    "summary": "How silica nanoparticles come together while a drop of water dries.",
    "startDate": "2020-05-01T08:00:00Z",
    "endDate": END.isoformat(),
    "license": "CC-BY-4.0",
    "keywords": ["silica"],
    "members": [
        {
            "role": "local contact",
            "person": {"fullName": "Chiara Lindqvist", "firstName": "Chiara", "lastName": "Lindqvist"},
        },
        {
            "role": "principal investigator",
            "person": {
                "fullName": "Ada Marsh",
                "firstName": "Ada",
                "lastName": "Marsh",
                "orcid": "0000-0002-1825-0097",
            },
            "affiliation": {"name": "University of Northgate"},
        },
    ],
    "datasets": [
        {
            "pid": "10.5072/run 1",
            "title": "Silica at 293 K",
            "creationDate": "2020-05-03T10:00:00Z",
            "endDate": "2020-05-03T11:00:00Z",
            "instrument": {"pid": "aurora/A-SAXS", "name": "A-SAXS", "facility": "Aurora"},
            "techniques": [SAXS],
            "samples": [{"pid": "s/1", "name": "silica", "description": "1 vol% in water"}],
            "parameters": [
                {"name": "sample_temperature", "value": 293.0, "unit": "K"},
                {"name": "sample_state", "value": "liquid"},
            ],
            "files": [
                {"name": "run 1.nxs", "path": "P1/run 1.nxs", "size": 2048},
                {"name": "log.csv", "path": "P1/log.csv", "size": 100},
            ],
        }
    ],
}
RUN = "/datasets/10.5072/run%201"
FILE = f"{ARCHIVE}/files/P1/run%201.nxs"


@dataclass
class Catalogue:
    """A served catalogue; `now` is what its clock shows."""

    client: httpx2.Client
    connection: psycopg.Connection[Any]
    now: datetime = RELEASE

    def add(self, *records: DocumentRecord | DatasetRecord) -> None:
        """Ingest records of files in the archive."""
        with self.connection.transaction():
            store.write(self.connection, records, store.Origin("beamlines", "archive"))

    def page(self, path: str, **parameters: str) -> httpx2.Response:
        """What a browser gets."""
        return self.client.get(path, params=parameters or None, headers={"Accept": "text/html,*/*;q=0.8"})

    def harvest(self) -> None:
        """Let the catalogue notice what is public now."""
        self.client.get("/oai?verb=ListIdentifiers&metadataPrefix=oai_dc").raise_for_status()

    def json(self, path: str, form: str) -> Any:
        """A form of a landing page that is JSON."""
        return self.client.get(path, params={"format": form}).json()


@pytest.fixture
def site(database_url: str, tmp_path: Path) -> Iterator[Catalogue]:
    """The catalogue with one proposal of one dataset, which is open."""
    configuration = {
        "facility": {
            "name": "aurora",
            "displayName": "Aurora Light and Neutron Source",
            "abbreviation": "Aurora",
            "ror": "https://ror.org/02550n020",
        },
        "publicUrl": PUBLIC,
        "sources": [
            {"name": "beamlines", "nexus": {"archive": "archive", "root": "/data", "archiveUrl": ARCHIVE}}
        ],
    }
    (tmp_path / "catalogue.json").write_text(json.dumps(configuration))
    with psycopg.connect(database_url, autocommit=True) as connection:
        held = Catalogue(None, connection)  # type: ignore[arg-type]
        with serving(create_app(settings(database_url, tmp_path), clock=lambda: held.now)) as held.client:
            held.add(DocumentRecord.model_validate(PROPOSAL))
            yield held
