"""A catalogue with one dataset under embargo, a clock to move, and every way in which it can be seen."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import psycopg
from panosc_catalogue import store
from panosc_catalogue.records import DocumentRecord
from panosc_catalogue.web.app import create_app
from unit.catalogue.service import get, serving, settings

END = datetime(2024, 2, 29, 15, 0, tzinfo=UTC)
RELEASE = datetime(2027, 2, 28, 15, 0, tzinfo=UTC)  # 36 months later, in a year without 29 February


@dataclass
class Catalogue:
    client: httpx2.Client
    connection: psycopg.Connection[Any]
    policy_file: Path
    now: datetime

    def visible(self) -> set[str]:
        """Every way in which the dataset can be seen, by name, of those that show it."""
        ask = self.client
        datasets = {"include": [{"relation": "datasets", "scope": {}}]}
        joined = json.dumps({"include": [{"relation": "datasets", "scope": {"where": {"pid": "d/1"}}}]})
        paths = {"paths": ["P1/run.nxs", "P1/other.nxs"]}
        harvest = "/oai?verb=GetRecord&metadataPrefix=datacite&identifier=oai:127.0.0.1:"
        seen = {
            "list": get(ask, "/api/Datasets") != [],
            "item": ask.get("/api/Datasets/d%2F1").status_code == 200,
            "count": get(ask, "/api/Datasets/count") == {"count": 1},
            "files": ask.get("/api/Datasets/d%2F1/files").status_code == 200,
            "file count": ask.get("/api/Datasets/d%2F1/files/count").status_code == 200,
            "document": get(ask, "/api/Documents", filter=json.dumps(datasets))[0]["datasets"] != [],
            "document join": get(ask, "/api/Documents", filter=joined) != [],
            "document count": get(ask, "/api/Documents/count", filter=joined) == {"count": 1},
            "instrument": get(ask, "/api/Instruments", filter=json.dumps(datasets))[0]["datasets"] != [],
            "archive files": ask.post("/internal/archives/a/visible", json=paths).json()["visible"]
            == ["P1/run.nxs"],
            "archive tree": get(ask, "/internal/archives/a/children")["entries"] != [],
            "harvest": "<metadata>" in ask.get(f"{harvest}datasets/d/1").text,
            "harvest of the document": "datasets/d/1" in ask.get(f"{harvest}documents/doc").text,
            "search page": "/datasets/d/1" in ask.get("/search", params={"query": "Run"}).text,
            "page": ask.get("/datasets/d/1", headers=_BROWSER).status_code == 200,
            "page of the document": "/datasets/d/1" in ask.get("/documents/doc", headers=_BROWSER).text,
            "JSON-LD": ask.get("/datasets/d/1?format=jsonld").status_code == 200,
            "JSON-LD of the document": "/datasets/d/1" in ask.get("/documents/doc?format=jsonld").text,
            "file list": ask.get("/datasets/d/1?format=urls").status_code == 200,
            "archive dataset": ask.get("/internal/datasets/d%2F1/files").status_code == 200,
        }
        return {name for name, is_seen in seen.items() if is_seen}


_BROWSER = {"Accept": "text/html"}
TOKEN = "a-token-of-32-characters-or-more-"
EVERYWHERE = 20
"""Ways in which a dataset can be seen."""


@contextmanager
def catalogue_of(database_url: str, tmp_path: Path) -> Iterator[Catalogue]:
    """The catalogue, served; its administrator's token is `TOKEN`."""
    record = DocumentRecord.model_validate(
        {
            "pid": "doc",
            "title": "Proposal",
            "endDate": END,
            "datasets": [
                {
                    "pid": "d/1",
                    "title": "Run",
                    "creationDate": END,
                    "instrument": {"pid": "i", "name": "I", "facility": "F"},
                    "samples": [{"pid": "s", "name": "secret sample"}],
                    "files": [{"name": "run.nxs", "path": "P1/run.nxs", "size": 1}],
                }
            ],
        }
    )
    with psycopg.connect(database_url, autocommit=True) as connection:
        with connection.transaction():
            store.write(connection, [record], store.Origin("beamlines", "a"))
        token_file = tmp_path / "token"
        token_file.write_text(TOKEN + "\n")
        given = settings(database_url, tmp_path, administrator_token_file=token_file)
        held = Catalogue(None, connection, given.policy_file, RELEASE)  # type: ignore[arg-type]
        with serving(create_app(given, clock=lambda: held.now)) as held.client:
            yield held
