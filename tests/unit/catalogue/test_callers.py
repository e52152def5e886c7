"""Which services may ask what archives ask: over HTTP, with tokens as Kubernetes gives them to pods."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from panosc_catalogue.web.app import create_app
from panosc_common import tokens
from panosc_common.service_accounts import HEADER
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
    with serving(create_app(settings(database_url, tmp_path, callers_file=callers))) as client:
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


def test_people_and_probes_need_no_service_account(asked: Asked) -> None:
    for path in ("/api/Datasets", "/healthz", "/readyz", "/metrics"):
        assert asked.client.get(path).is_success


def test_without_its_file_it_does_not_start(database_url: str, tmp_path: Path) -> None:
    callers = tmp_path / "callers.json"
    chosen = settings(database_url, tmp_path, callers_file=callers)
    with pytest.raises(ValueError, match=str(callers)):
        create_app(chosen)
    callers.write_text('{"issuer": "x", "audience": "y", "accounts": {}, "keys": {"keys": []}}')
    with pytest.raises(ValueError, match="no key can be used"):
        create_app(chosen)


def test_outside_kubernetes_whoever_reaches_it_may_ask(database_url: str, tmp_path: Path) -> None:
    with serving(create_app(settings(database_url, tmp_path))) as client:
        assert client.get("/internal/archives/a/children").is_success
