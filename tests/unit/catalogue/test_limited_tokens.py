"""What a token is good for that is limited by its scopes, over HTTP with tokens from a real Keycloak.

Whoever has it is an administrator of the facility, and may do everything.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import psycopg
import pytest
from panosc_catalogue import store
from panosc_catalogue.web.app import create_app
from panosc_common.access import Scope
from support import keycloak, postgres
from unit.catalogue.service import serving, settings
from unit.catalogue.test_login import AUDIENCE, NAMESPACE, proposal
from unit.catalogue.visibility import RELEASE

REALM = "limited"
CLAIMS = {"entitlements": [f"urn:{NAMESPACE}:group:facility:role=admin"]}
LIMITED = "panosc:limited"
SCOPES: dict[str, set[str]] = {
    "not limited": set(),
    "nothing": {LIMITED},
    "what nobody knows": {"panosc:everything"},
    "read": {LIMITED, Scope.READ},
    "read alone": {Scope.READ},
    "teams": {LIMITED, Scope.TEAMS},
    "policy": {LIMITED, Scope.POLICY},
    "all": {LIMITED, *Scope},
}
DECISION = {"action": "setLicense", "document": "doc", "license": "CC0-1.0"}
DECISION |= {"requestedBy": "Ada Marsh", "grantedBy": "User Office", "reason": "as agreed"}
SHEET = "proposal,role,name,orcid,identifier,email\ndoc,co-investigator,,,,kai@example.org\n"
ACTIONS: dict[tuple[str, str], tuple[Scope, dict[str, Any]]] = {
    ("GET", "/teams/doc"): (Scope.TEAMS, {}),
    ("PUT", "/teams/doc"): (Scope.TEAMS, {"json": {"members": []}}),
    ("POST", "/teams"): (Scope.TEAMS, {"content": SHEET, "headers": {"Content-Type": "text/csv"}}),
    ("GET", "/policy"): (Scope.POLICY, {}),
    ("GET", "/policy/log"): (Scope.POLICY, {}),
    ("GET", "/policy/documents/doc"): (Scope.POLICY, {}),
    ("GET", "/policy/datasets/d/1"): (Scope.POLICY, {}),
    ("POST", "/policy/decisions"): (Scope.POLICY, {"json": DECISION}),
}
IN_TOKENS = {"include.in.token.scope": "true"}
UNSEEN = ("/api/Datasets/d%2F{}", "/datasets/d%2F{}", "/internal/datasets/d%2F{}/files")


@dataclass
class Catalogue:
    client: httpx2.Client
    tokens: dict[str, str]

    def ask(self, limits: str | None, method: str, path: str, **given: Any) -> httpx2.Response:
        """The answer to a token that is limited so, or to the public."""
        headers = {"Authorization": f"Bearer {self.tokens[limits]}"} if limits else {}
        return self.client.request(method, path, headers=headers | given.pop("headers", {}), **given)


@pytest.fixture(scope="module")
def tokens(server: postgres.Server) -> Iterator[tuple[str, dict[str, str]]]:
    """The login's issuer, and a token for each of SCOPES."""
    with keycloak.server(server) as login:
        login.admin("POST", "", keycloak.realm(REALM, AUDIENCE, dict.fromkeys(SCOPES, CLAIMS)))
        for name in set().union(*SCOPES.values()):
            scope = {"name": name, "protocol": "openid-connect"}
            login.admin("POST", f"/{REALM}/client-scopes", scope | {"attributes": IN_TOKENS})
        ids = {one["name"]: one["id"] for one in login.admin("GET", f"/{REALM}/client-scopes")}
        clients = {one["clientId"]: one["id"] for one in login.admin("GET", f"/{REALM}/clients")}
        for who, names in SCOPES.items():
            for name in names:
                login.admin("PUT", f"/{REALM}/clients/{clients[who]}/default-client-scopes/{ids[name]}")
        yield login.issuer(REALM), {who: login.token(REALM, **keycloak.credentials(who)) for who in SCOPES}


@pytest.fixture
def catalogue(tokens: tuple[str, dict[str, str]], database_url: str, tmp_path: Path) -> Iterator[Catalogue]:
    aai = {"issuer": tokens[0], "audience": AUDIENCE, "entitlementNamespace": NAMESPACE}
    (tmp_path / "catalogue.json").write_text(json.dumps({"aai": aai}))
    with psycopg.connect(database_url, autocommit=True) as connection, connection.transaction():
        store.write(connection, [proposal("doc", "d/1")], store.Origin("beamlines", "a"))
    app = create_app(settings(database_url, tmp_path), clock=lambda: RELEASE - timedelta(days=1))
    with serving(app) as client:
        yield Catalogue(client, tokens[1])


@pytest.mark.parametrize("limits", SCOPES)
def test_a_token_does_what_its_scopes_say_and_no_more(catalogue: Catalogue, limits: str) -> None:
    scopes = SCOPES[limits]

    def may(scope: Scope) -> bool:
        return not scopes or scope in scopes

    for (method, path), (scope, given) in ACTIONS.items():
        answer = catalogue.ask(limits, method, path, **given)
        assert answer.status_code == (200 if may(scope) else 403), (method, path, answer.text)
        if not may(scope):
            challenge = answer.headers["WWW-Authenticate"]
            assert challenge.startswith(f'Bearer error="insufficient_scope", scope="{scope}"')
            assert answer.json()["detail"] == f"the access token is limited: for this it needs {scope}"
    for path in UNSEEN:
        expected = 200 if may(Scope.READ) else 404
        assert catalogue.ask(limits, "GET", path.format(1)).status_code == expected, path
    assert (catalogue.ask(limits, "GET", "/api/Datasets").json() != []) == may(Scope.READ)
    answer = catalogue.ask(limits, "POST", "/internal/archives/a/visible", json={"paths": ["doc/run.nxs"]})
    assert (answer.json()["visible"] != []) == may(Scope.READ)


@pytest.mark.parametrize("limits", ["nothing", "teams", "policy"])
@pytest.mark.parametrize("path", UNSEEN)
def test_what_a_token_does_not_show_is_answered_as_what_is_not_there(
    catalogue: Catalogue, limits: str, path: str
) -> None:
    unseen, missing, public = (
        catalogue.ask(who, "GET", path.format(one)) for who, one in ((limits, 1), (limits, 9), (None, 1))
    )
    assert unseen.text == missing.text.replace("d/9", "d/1").replace("d%2F9", "d%2F1")
    assert unseen.status_code == missing.status_code == public.status_code == 404


@pytest.mark.parametrize("limits", SCOPES)
def test_a_page_shows_who_is_on_a_proposal_to_tokens_for_that(catalogue: Catalogue, limits: str) -> None:
    page = catalogue.ask(limits, "GET", "/documents/doc", headers={"Accept": "text/html"})
    scopes = SCOPES[limits]
    assert ('id="team"' in page.text) == (not scopes or Scope.TEAMS in scopes)


def test_what_is_refused_changes_nothing(catalogue: Catalogue) -> None:
    for (method, path), (_, given) in ACTIONS.items():
        assert catalogue.ask("read", method, path, **given).status_code == 403
    assert catalogue.ask("all", "GET", "/policy/log").json()["entries"] == []
    assert catalogue.ask("all", "GET", "/teams/doc").json()["members"] == []
