"""A catalogue with a proposal under embargo, and people with tokens of a real Keycloak."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import psycopg
import pytest
from panosc_catalogue import store
from panosc_catalogue.records import DocumentRecord
from panosc_catalogue.web.app import create_app
from support import keycloak, postgres
from unit.catalogue.service import serving, settings
from unit.catalogue.visibility import RELEASE

REALM, AUDIENCE, NAMESPACE = "teams", "catalogue", "geant:panosc.eu"
PI, OTHER_PI, SOURCE_PI = "0000-0001-5109-3700", "0000-0002-1694-233X", "0000-0001-2345-6789"
GROUPS = {
    "office": ["facility:role=user-office"],
    "admin": ["facility:role=admin"],
    "staff": ["facility:staff"],
    "instrument": ["facility:instruments:I"],
    "elsewhere": ["elsewhere:role=user-office", "elsewhere:role=admin", "federation:role=admin"],
    "member": ["facility:proposals:doc"],
}
CLAIMS: dict[str, dict[str, Any]] = {
    "nobody": {},
    "pi": {"orcid": PI},
    "other pi": {"orcid": OTHER_PI},
    "source pi": {"orcid": SOURCE_PI},
    "ben": {"email": "ben@example.org", "email_verified": True},
    **{
        who: {"entitlements": [f"urn:{NAMESPACE}:group:{group}" for group in groups]}
        for who, groups in GROUPS.items()
    },
}
LEADER = {"role": "principal investigator", "orcid": PI}


@dataclass
class Catalogue:
    client: httpx2.Client
    connection: psycopg.Connection[Any]
    tokens: dict[str, str]
    now: datetime = RELEASE - timedelta(days=30)

    def ask(self, who: str | None, method: str, path: str, **given: Any) -> httpx2.Response:
        """The answer to somebody, or to the public."""
        headers = {"Authorization": f"Bearer {self.tokens[who]}"} if who else {}
        return self.client.request(
            method, path, headers=headers | given.pop("headers", {}), follow_redirects=False, **given
        )

    def push(self, *members: dict[str, Any], proposal: str = "doc", who: str = "office") -> Any:
        answer = self.ask(who, "PUT", f"/teams/{proposal}", json={"members": members})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def invite(self, who: str = "pi", proposal: str = "doc", **whom: Any) -> httpx2.Response:
        return self.ask(who, "POST", f"/teams/{proposal}/members", json=whom)

    def people(self, proposal: str = "doc", who: str = "office") -> list[dict[str, Any]]:
        answer = self.ask(who, "GET", f"/teams/{proposal}")
        assert answer.status_code == 200, answer.text
        return list(answer.json()["members"])

    def sees(self, who: str | None) -> bool:
        return any(one["pid"] == "d/1" for one in self.ask(who, "GET", "/api/Datasets").json())

    def subject(self, who: str) -> str:
        return str(keycloak.claims(self.tokens[who])["sub"])

    def add(self, *records: dict[str, Any], source: str = "beamlines") -> None:
        with self.connection.transaction():
            given = [DocumentRecord.model_validate(one) for one in records]
            store.write(self.connection, given, store.Origin(source))


DOCUMENT: dict[str, Any] = {
    "pid": "doc",
    "title": "Proposal",
    "type": "proposal",
    "endDate": "2024-02-29T15:00:00Z",
    "members": [{"role": "Principal_Investigator", "person": {"fullName": "Ada", "orcid": SOURCE_PI}}],
    "datasets": [{"pid": "d/1", "title": "Run", "instrument": {"pid": "i", "name": "I", "facility": "F"}}],
}


@pytest.fixture(scope="session")
def login(server: postgres.Server) -> Iterator[keycloak.Server]:
    with keycloak.server(server) as running:
        running.admin("POST", "", keycloak.realm(REALM, AUDIENCE, CLAIMS))
        yield running


@pytest.fixture
def catalogue(login: keycloak.Server, database_url: str, tmp_path: Path) -> Iterator[Catalogue]:
    aai = {
        "issuer": login.issuer(REALM),
        "audience": AUDIENCE,
        "entitlementNamespace": NAMESPACE,
        "sessions": True,
    }
    facility = {"contactEmail": "users@facility.example"}
    (tmp_path / "catalogue.json").write_text(json.dumps({"aai": aai, "facility": facility}))
    tokens = {who: login.token(REALM, **keycloak.credentials(who)) for who in CLAIMS}
    with psycopg.connect(database_url, autocommit=True) as connection:
        held = Catalogue(None, connection, tokens)  # type: ignore[arg-type]
        held.add(DOCUMENT)
        app = create_app(settings(database_url, tmp_path), clock=lambda: held.now)
        with serving(app) as held.client:
            yield held
