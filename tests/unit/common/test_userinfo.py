"""What a real Keycloak says of people at its UserInfo endpoint alone."""

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from panosc_common.access import Login
from panosc_common.authentication import Authenticator
from panosc_common.entitlements import parse
from panosc_common.tokens import Refused
from panosc_common.userinfo import AGAIN_SECONDS, MAX_KEPT, REST_SECONDS, UserInfo, UserInfoAway
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from support import keycloak, postgres
from unit.catalogue.service import serving

REALM = "community"
AUDIENCE = "catalogue"
STAFF = "urn:geant:panosc.eu:group:esrf:staff"
OTHER = "urn:geant:panosc.eu:group:ill:staff"
SAID: dict[str, dict[str, Any]] = {
    # What tokens say, and what only userinfo says.
    "nothing": {},
    "groups": {"entitlements": [OTHER]},
    "address": {"email": "ada@example.org", "email_verified": False},
}
ONLY_THERE = {
    "entitlements": [STAFF],
    "orcid": "0000-0002-1825-0097",
    "email": "ada@example.org",
    "email_verified": True,
    "name": "Ada Marsh",
    "scope": "panosc:read",
}


@pytest.fixture(scope="module")
def login() -> Iterator[keycloak.Server]:
    with postgres.server() as database, keycloak.server(database) as running:
        realm = keycloak.realm(REALM, AUDIENCE, SAID)
        for client in realm["clients"]:
            client["protocolMappers"] += [
                keycloak.claim(name, value, "userinfo.token.claim") | {"name": f"{name} there"}
                for name, value in ONLY_THERE.items()
                if name not in SAID[client["clientId"]]
            ]
        running.admin("POST", "", realm)
        yield running


class Asking:
    """A service that asks the login, and the clock by which it knows how old answers are."""

    def __init__(self, issuer: str) -> None:
        self.seconds = 0.0
        self.loop = asyncio.new_event_loop()
        self.requests = 0
        self.client = httpx2.AsyncClient(trust_env=False, event_hooks={"request": [self._count]})
        self.issuer = issuer
        self.userinfo = UserInfo(self.issuer, self.client, now=lambda: time.monotonic() + self.seconds)

    async def _count(self, request: httpx2.Request) -> None:
        self.requests += request.url.path.endswith("/userinfo")

    def completed(self, token: str, **claims: Any) -> dict[str, Any]:
        asked = self.userinfo.completed(token, claims)
        return dict(self.loop.run_until_complete(asked))

    def principal(self, token: str, *, userinfo: bool = True) -> Any:
        """Who has the token, as services know them."""
        known = {"issuer": self.issuer, "audience": AUDIENCE, "entitlementNamespace": "geant:panosc.eu"}
        authenticator = Authenticator(Login(**known, userinfo=userinfo), self.client)
        return self.loop.run_until_complete(authenticator.principal(token))

    def close(self) -> None:
        self.loop.run_until_complete(self.client.aclose())
        self.loop.close()


@pytest.fixture
def asking(login: keycloak.Server) -> Iterator[Asking]:
    asking = Asking(login.issuer(REALM))
    yield asking
    asking.close()


def token_of(login: keycloak.Server, who: str) -> tuple[str, dict[str, Any]]:
    """A token that opens userinfo, and what it says."""
    token = login.token(REALM, **keycloak.credentials(who), scope="openid")
    return token, keycloak.claims(token)


def test_what_tokens_leave_out_is_had_there(login: keycloak.Server, asking: Asking) -> None:
    token, _ = token_of(login, "nothing")
    known = asking.principal(token)
    assert known.entitlements == {parse(STAFF)}
    assert {"orcid:0000-0002-1825-0097", "email:ada@example.org"} < known.identities
    assert known.name == "Ada Marsh"
    # Scopes are the token's.
    assert known.limits is None

    untold = asking.principal(token, userinfo=False)
    assert not untold.entitlements
    assert untold.identities == {f"identifier:{untold.subject}"}


def test_what_tokens_say_counts_alone(login: keycloak.Server, asking: Asking) -> None:
    assert asking.principal(token_of(login, "groups")[0]).entitlements == {parse(OTHER)}


def test_an_address_is_verified_by_who_says_it(login: keycloak.Server, asking: Asking) -> None:
    assert "email:ada@example.org" not in asking.principal(token_of(login, "address")[0]).identities


def test_a_token_without_openid_says_all_that_is_known(login: keycloak.Server, asking: Asking) -> None:
    token = login.token(REALM, **keycloak.credentials("groups"))
    assert asking.principal(token).entitlements == {parse(OTHER)}


def test_answers_are_kept_for_a_while(login: keycloak.Server, asking: Asking) -> None:
    token, claims = token_of(login, "nothing")
    for _ in range(3):
        assert asking.completed(token, **claims)["entitlements"] == [STAFF]
    assert asking.requests == 1
    asking.seconds += AGAIN_SECONDS + 1
    assert asking.completed(token, **claims)
    assert asking.requests == 2


def test_many_requests_with_one_token_ask_once(login: keycloak.Server, asking: Asking) -> None:
    token, claims = token_of(login, "nothing")

    async def many() -> int:
        asked = (asking.userinfo.completed(token, claims) for _ in range(20))
        return len(await asyncio.gather(*asked))

    assert asking.loop.run_until_complete(many()) == 20
    assert asking.requests == 1


def test_while_the_login_is_away_the_last_answer_counts(login: keycloak.Server, asking: Asking) -> None:
    token, claims = token_of(login, "nothing")
    assert asking.completed(token, **claims)
    new, said = token_of(login, "address")
    with login.frozen():
        asking.seconds += AGAIN_SECONDS + 1
        started = time.monotonic()
        assert asking.completed(token, **claims)["entitlements"] == [STAFF]
        # Archives, whose catalogue asks, give up after three.
        assert time.monotonic() - started < 2.9
        # Nobody waits for it again for a while.
        tried = asking.requests
        assert asking.completed(token, **claims)
        with pytest.raises(UserInfoAway) as away:
            asking.completed(new, **said)
        assert asking.requests == tried
        assert away.value.status == 503
        assert away.value.headers["Retry-After"] == "10"
    asking.seconds += REST_SECONDS + 1
    assert asking.completed(token, **claims)
    assert asking.completed(new, **said)
    assert asking.requests == tried + 2


def test_a_token_that_was_taken_back_is_refused(login: keycloak.Server, asking: Asking) -> None:
    token, claims = token_of(login, "nothing")
    assert asking.completed(token, **claims)
    time.sleep(1.1)  # what was issued in the same second goes on
    login.admin("POST", f"/{REALM}/logout-all")
    assert asking.completed(token, **claims)
    asking.seconds += AGAIN_SECONDS + 1

    async def together() -> list[Any]:
        asked = (asking.userinfo.completed(token, claims) for _ in range(2))
        return list(await asyncio.gather(*asked, return_exceptions=True))

    one, other = asking.loop.run_until_complete(together())
    assert isinstance(one, Refused)
    assert one.detail.endswith("the login takes it no more: log in again")
    assert one is not other, "what answers one request adds to its error"
    # What was known of it counts no more, also while the login is away.
    with login.frozen(), pytest.raises(UserInfoAway):
        asking.completed(token, **claims)


FORBIDDEN = {"WWW-Authenticate": 'Bearer error="insufficient_scope", scope="openid"'}


@pytest.mark.parametrize(
    ("status", "headers", "answer", "is_known"),
    [
        (200, {}, {"sub": "ada", "entitlements": [OTHER]}, True),
        (403, FORBIDDEN, {}, True),
        (403, {}, {}, False),  # not by the login, but something before it
        (429, {}, {}, False),
        (500, {}, {}, False),
        (302, {"Location": "https://elsewhere.example.org"}, {}, False),
        (200, {}, {"sub": "somebody else", "entitlements": [OTHER]}, False),
        (200, {}, {"entitlements": [OTHER]}, False),
        (200, {}, [], False),
    ],
)
def test_other_answers_say_nothing_and_the_last_one_counts(
    status: int, headers: dict[str, str], answer: Any, is_known: bool
) -> None:
    """A login that answers otherwise than Keycloak does."""
    answers = [(200, {}, {"sub": "ada", "entitlements": [STAFF]}), (status, headers, answer)]

    async def discovery(request: Request) -> Response:
        issuer = str(request.base_url).rstrip("/")
        return JSONResponse({"issuer": issuer, "userinfo_endpoint": f"{issuer}/userinfo"})

    async def userinfo(request: Request) -> Response:
        code, given, body = answers.pop(0) if len(answers) > 1 else answers[0]
        return JSONResponse(body, code, given)

    routes = [Route("/.well-known/openid-configuration", discovery), Route("/userinfo", userinfo)]
    with serving(Starlette(routes=routes)) as client:
        asking = Asking(str(client.base_url).rstrip("/"))
        try:
            assert asking.completed("x", sub="ada")["entitlements"] == [STAFF]
            asking.seconds += AGAIN_SECONDS + 1
            changed = answer.get("entitlements") if is_known else [STAFF]
            assert asking.completed("x", sub="ada").get("entitlements") == changed
            if not is_known:
                with pytest.raises(UserInfoAway):
                    asking.completed("y", sub="ada")
        finally:
            asking.close()


def test_no_more_answers_are_kept_than_there_is_place_for(
    login: keycloak.Server, asking: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert MAX_KEPT > 1
    monkeypatch.setattr("panosc_common.userinfo.MAX_KEPT", 2)
    tokens = [token_of(login, "nothing") for _ in range(3)]
    for token, claims in tokens:
        asking.completed(token, **claims)
    assert asking.requests == 3
    token, claims = tokens[-1]
    asking.completed(token, **claims)
    assert asking.requests == 3
    token, claims = tokens[0]
    asking.completed(token, **claims)
    assert asking.requests == 4
