"""Which services may ask what archives ask: over HTTP, with tokens as Kubernetes gives them to pods."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import jwt
import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from panosc_catalogue import store
from panosc_catalogue.records import DocumentRecord
from panosc_catalogue.web.app import create_app
from panosc_common import tokens
from panosc_common.access import Reason, Role
from panosc_common.service_accounts import HEADER
from panosc_common.signed import Keys, Link
from support.service_accounts import ARCHIVE, AUDIENCE, Issuer
from unit.catalogue.service import serving, settings

OTHER = "system:serviceaccount:esrf:other-api"


@dataclass
class Asked:
    client: httpx2.Client
    issuer: Issuer
    callers: Path

    def asks(self, token: str | None, path: str = "/internal/archives/a/children") -> httpx2.Response:
        return self.client.get(path, headers={} if token is None else {HEADER: token})

    def refusal(self, token: str | None) -> str:
        answer = self.asks(token)
        assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "ServiceAccount")
        assert answer.headers["Content-Type"] == "application/problem+json"
        return str(answer.json()["detail"]).removeprefix(f"the token in {HEADER} is not taken: ")


@pytest.fixture
def asked(database_url: str, tmp_path: Path) -> Iterator[Asked]:
    issuer, callers = Issuer(), tmp_path / "callers.json"
    issuer.write_callers(callers, {ARCHIVE: "a"})
    aai = {"issuer": "https://login.example.org", "audience": "x", "entitlementNamespace": "geant:panosc.eu"}
    (tmp_path / "catalogue.json").write_text(json.dumps({"aai": aai}))
    given = settings(database_url, tmp_path, callers_file=callers, link_keys=tmp_path / "links")
    with serving(create_app(given)) as client:
        yield Asked(client, issuer, callers)


def test_an_archive_that_is_named_may_ask(asked: Asked) -> None:
    token = asked.issuer.token()
    assert asked.asks(token).json()["entries"] == []
    assert asked.asks(token, "/internal/datasets/x/files").status_code == 404
    assert asked.asks(token, "/internal/embargo").status_code == 404
    visible = asked.client.post(
        "/internal/archives/a/visible", json={"paths": ["x"]}, headers={HEADER: token}
    )
    assert visible.json()["visible"] == []


def test_nobody_else_learns_anything(asked: Asked) -> None:
    for path in ("archives/a/children", "datasets/x/files", "embargo"):
        assert asked.asks(None, f"/internal/{path}").status_code == 401
        assert asked.asks(asked.issuer.token(OTHER), f"/internal/{path}").status_code == 403
    # Before the body is looked at.
    assert asked.client.post("/internal/archives/a/visible", content=b"nonsense").status_code == 401
    detail = asked.asks(asked.issuer.token(OTHER)).json()["detail"]
    assert detail == "this service account may not ask this"
    assert asked.refusal(None) == f"only archives may ask this, with their token in {HEADER}"


def test_an_archive_asks_about_itself_alone(asked: Asked) -> None:
    asked.issuer.write_callers(asked.callers, {ARCHIVE: "a", OTHER: "other"})
    token = asked.issuer.token(OTHER)
    assert asked.asks(token, "/internal/archives/other/children").is_success
    for path in ("archives/a/children", "embargo?archive=a&path=x"):
        assert asked.asks(token, f"/internal/{path}").status_code == 403


def test_an_archive_learns_of_no_dataset_that_has_no_file_in_it(
    asked: Asked, database_url: str, tmp_path: Path
) -> None:
    """Whoever took one over signs links in anybody's name, by its own key."""
    dataset = {"title": "Run", "files": [{"name": "run.nxs", "path": "P1/run.nxs", "size": 1}]}
    records = [
        DocumentRecord.model_validate(
            {
                "pid": f"of {archive}",
                "title": "Proposal",
                "endDate": "2099-01-01T00:00:00Z",
                "datasets": [{"pid": f"d/{archive}", **dataset}],
            }
        )
        for archive in ("a", "other")
    ]
    with psycopg.connect(database_url, autocommit=True) as connection, connection.transaction():
        for record, archive in zip(records, ("a", "other"), strict=True):
            store.write(connection, [record], store.Origin(archive, archive))
    (tmp_path / "links/a").mkdir(parents=True)
    (tmp_path / "links/a/current").write_text("k" * 43)
    admin, until = Reason(role=Role.ADMIN), int(time.time()) + 60
    link = Link(archive="a", subject="ada", resource="/files/x", reasons=(admin,), expires=until)
    headers = {
        HEADER: asked.issuer.token(),
        "Authorization": f"Link {Keys(tmp_path / 'links/a').sign(link)}",
    }

    def told(path: str) -> httpx2.Response:
        return asked.client.get(f"/internal/{path}", headers=headers)

    assert told("datasets/d%2Fa/files").json()["title"] == "Run"
    assert told("embargo?pid=d/a").json()["why"] is not None
    hidden, missing = (told(f"datasets/d%2F{one}/files") for one in ("other", "none"))
    assert (hidden.status_code, hidden.text) == (missing.status_code, missing.text) == (404, missing.text)
    assert told("embargo?pid=d/other").json() == told("embargo?pid=none").json() == {"why": None}


def test_a_token_of_a_person_in_the_other_header_lets_nobody_pass(asked: Asked) -> None:
    headers = {"Authorization": f"Bearer {asked.issuer.token()}"}
    assert asked.client.get("/internal/archives/a/children", headers=headers).status_code == 401


def test_wrong_tokens_are_refused(asked: Asked) -> None:
    issuer, now = asked.issuer, int(time.time())
    skew = tokens.CLOCK_SKEW_SECONDS
    signed = jwt.decode(issuer.token(), options={"verify_signature": False})
    refused = {
        "it has expired: get a new one": issuer.token(exp=now - skew - 5),
        "it was issued for another service": issuer.token(aud=["http://other.esrf.svc:8080"]),
        "another issuer issued it": issuer.token(iss="https://kubernetes.elsewhere"),
        "its signature is wrong": issuer.token(key=generate_private_key(65537, 2048)),
        "it is not valid yet: compare the clocks": issuer.token(nbf=now + skew + 30),
        "its key is none of the issuer's": jwt.encode(signed, issuer.keys["key 0"], "RS256", {"kid": "x"}),
        "it is not signed by a key pair": issuer.token(key="0" * 32, algorithm="HS256"),
        "it is no signed JSON Web Token": "opaque",
    }
    for reason, token in refused.items():
        assert asked.refusal(token) == reason
    assert asked.refusal(jwt.encode(signed, "", "none")) == "it is not signed by a key pair"
    # The token for the API server, which every pod of others has, is for it alone.
    assert asked.refusal(issuer.token(aud=["https://kubernetes.default.svc"]))
    assert asked.asks(issuer.token(aud=[AUDIENCE, "other"])).is_success


def test_keys_and_accounts_are_followed_without_a_restart(asked: Asked) -> None:
    before = asked.issuer.token()
    asked.issuer.rotate()
    after = asked.issuer.token()
    assert asked.refusal(after) == "its key is none of the issuer's"
    asked.issuer.write_callers(asked.callers, {ARCHIVE: "a", OTHER: "other"})
    for token in (before, after):
        assert asked.asks(token).is_success
    assert asked.asks(asked.issuer.token(OTHER), "/internal/archives/other/children").is_success
    del asked.issuer.keys["key 0"]
    asked.issuer.write_callers(asked.callers, {OTHER: "other"})
    assert asked.refusal(before) == "its key is none of the issuer's"
    assert asked.asks(after).status_code == 403


def test_a_file_that_became_wrong_opens_nothing(asked: Asked) -> None:
    for content in (b"", b"{}", b'{"keys": {}}'):
        asked.callers.write_bytes(content)
        assert asked.asks(asked.issuer.token()).is_success
        assert asked.asks(None).status_code == 401
    asked.callers.unlink()
    assert asked.asks(None).status_code == 401


def test_without_archives_there_are_no_keys_and_nobody_may_ask(asked: Asked) -> None:
    told = {"issuer": "", "audience": AUDIENCE, "accounts": {}, "keys": {}}
    asked.callers.write_text(json.dumps(told))
    assert asked.refusal(asked.issuer.token()) == "there are no archives that may ask this"
    asked.issuer.write_callers(asked.callers, {ARCHIVE: "a"})
    assert asked.asks(asked.issuer.token()).is_success


def test_people_and_probes_need_no_service_account(asked: Asked) -> None:
    for path in ("/api/Datasets", "/healthz", "/readyz", "/metrics"):
        assert asked.client.get(path).is_success


def test_without_its_file_it_does_not_start(database_url: str, tmp_path: Path) -> None:
    callers = tmp_path / "callers.json"
    chosen = settings(database_url, tmp_path, callers_file=callers)
    with pytest.raises(ValueError, match=str(callers)):
        create_app(chosen)
    callers.write_text('{"issuer": "x", "audience": "y", "accounts": {"z": "a"}, "keys": {"keys": []}}')
    with pytest.raises(ValueError, match="no key can be used"):
        create_app(chosen)


def test_outside_kubernetes_whoever_reaches_it_may_ask(database_url: str, tmp_path: Path) -> None:
    with serving(create_app(settings(database_url, tmp_path))) as client:
        assert client.get("/internal/archives/a/children").is_success
