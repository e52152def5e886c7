"""Which access tokens are taken, on a real Keycloak whose realm signs with a key that the test has too."""

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import httpx2
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from panosc_common import tokens
from panosc_common.provider import ANSWER_SECONDS
from panosc_common.tokens import ProviderAway, PublishedKeys, Refused, Verifier
from support import keycloak, postgres

REALM = "community"
AUDIENCE = "catalogue"
CLIENT = keycloak.credentials("script")
KEY = generate_private_key(65537, 2048)


def realm(name: str, key: RSAPrivateKey) -> dict[str, Any]:
    components = {"org.keycloak.keys.KeyProvider": [keycloak.signing(key, 200)]}
    return keycloak.realm(name, AUDIENCE, {"script": {}}) | {"components": components}


@pytest.fixture(scope="module")
def login() -> Iterator[keycloak.Server]:
    with postgres.server() as database, keycloak.server(database) as running:
        for name in (REALM, "other"):
            running.admin(
                "POST", "", realm(name, KEY if name == REALM else generate_private_key(65537, 2048))
            )
        yield running


class Asking:
    """A verifier and the clock by which it knows how old its keys are."""

    def __init__(self, issuer: str) -> None:
        self.seconds = 0.0
        self.issuer = issuer
        self.loop = asyncio.new_event_loop()
        self.client = httpx2.AsyncClient(trust_env=False)
        keys = PublishedKeys(issuer, self.client, now=lambda: self.seconds)
        self.verifier = Verifier(issuer, AUDIENCE, keys)

    def claims(self, token: str) -> dict[str, Any]:
        return dict(self.loop.run_until_complete(self.verifier.claims(token)))

    def refusal(self, token: str) -> str:
        with pytest.raises(Refused) as refused:
            self.claims(token)
        assert refused.value.status == 401
        assert refused.value.headers["WWW-Authenticate"].startswith('Bearer error="invalid_token"')
        return refused.value.detail.removeprefix("the access token is not taken: ")

    def fetch(self) -> None:
        """Let the verifier finish what it began."""
        pending = asyncio.all_tasks(self.loop)
        self.loop.run_until_complete(asyncio.gather(*pending))

    def close(self) -> None:
        self.loop.run_until_complete(self.client.aclose())
        self.loop.close()


@pytest.fixture
def asking(login: keycloak.Server) -> Iterator[Asking]:
    asking = Asking(login.issuer(REALM))
    yield asking
    asking.close()


def key_id(login: keycloak.Server) -> str:
    """The name that Keycloak gave our key."""
    return str(jwt.get_unverified_header(login.token(REALM, **CLIENT))["kid"])


def forged(
    login: keycloak.Server,
    key: Any = KEY,
    algorithm: str = "RS256",
    header: dict[str, Any] | None = None,
    **changes: Any,
) -> str:
    """A token as the realm would issue it, but for the changes; a claim that is None is left out."""
    now = int(time.time())
    claims = {
        "iss": login.issuer(REALM),
        "aud": AUDIENCE,
        "sub": "ada",
        "iat": now,
        "exp": now + 60,
    } | changes
    present = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(present, key, algorithm, {"kid": key_id(login), **(header or {})})


def test_a_token_of_the_realm_is_taken(login: keycloak.Server, asking: Asking) -> None:
    claims = asking.claims(login.token(REALM, **CLIENT))
    assert claims["iss"] == login.issuer(REALM)
    assert claims["azp"] == "script"
    assert asking.claims(forged(login))["sub"] == "ada"


def test_wrong_tokens_are_refused(login: keycloak.Server, asking: Asking) -> None:
    now = int(time.time())
    skew = tokens.CLOCK_SKEW_SECONDS
    other = generate_private_key(65537, 2048)
    refused = {
        "it has expired: get a new one": forged(login, exp=now - skew - 5),
        "it was issued for another service": forged(login, aud="account"),
        "another issuer issued it": forged(login, iss=login.issuer("other")),
        "its signature is wrong": forged(login, other),
        "it is not valid yet: compare the clocks": forged(login, nbf=now + skew + 30),
        "it says nothing of exp": forged(login, exp=None),
        "it says nothing of sub": forged(login, sub=None),
        "its key is none of the issuer's": login.token("other", **CLIENT),
        "it is not signed by a key pair": forged(login, "0" * 32, "HS256"),
        "it is no signed JSON Web Token": "opaque",
        f"it has more than {tokens.MAX_TOKEN} characters": "x" * (tokens.MAX_TOKEN + 1),
    }
    assert asking.refusal(forged(login, None, "none")) == "it is not signed by a key pair"
    for reason, token in refused.items():
        assert asking.refusal(token) == reason


def test_clocks_may_differ_by_a_little(login: keycloak.Server, asking: Asking) -> None:
    now = int(time.time())
    inside = tokens.CLOCK_SKEW_SECONDS - 5
    assert asking.claims(forged(login, exp=now - inside))
    assert asking.claims(forged(login, iat=now + inside, nbf=now + inside))


def test_a_rotated_key_is_taken_and_the_former_one_no_more(login: keycloak.Server) -> None:
    asking = Asking(login.issuer(REALM))
    before = login.token(REALM, **CLIENT)
    assert asking.claims(before)
    former = next(
        component
        for component in login.admin("GET", f"/{REALM}/components?type=org.keycloak.keys.KeyProvider")
        if component["name"] == "key 200"
    )
    new = generate_private_key(65537, 2048)
    added = keycloak.signing(new, 300) | {"providerType": "org.keycloak.keys.KeyProvider"}
    login.admin("POST", f"/{REALM}/components", added)
    after = login.token(REALM, **CLIENT)
    try:
        # Keys are not fetched more often than so, whatever keys tokens name.
        assert asking.refusal(after) == "its key is none of the issuer's"
        asking.seconds += tokens.AGAIN_SECONDS + 1
        assert asking.claims(after)
        assert asking.claims(before)

        login.admin("DELETE", f"/{REALM}/components/{former['id']}")
        asking.seconds += tokens.KEYS_SECONDS + 1
        # Nobody waits for the keys that the login has by now; but soon they are the ones that count.
        assert asking.claims(before)
        asking.fetch()
        assert asking.refusal(before) == "its key is none of the issuer's"
        assert asking.claims(after)
    finally:
        login.admin(
            "POST",
            f"/{REALM}/components",
            keycloak.signing(KEY, 400) | {"providerType": added["providerType"]},
        )
        asking.close()


def test_a_login_that_says_nothing_holds_up_nobody_whose_key_is_known(
    login: keycloak.Server, asking: Asking
) -> None:
    token = login.token(REALM, **CLIENT)
    assert asking.claims(token)
    new = Asking(login.issuer(REALM))
    with login.frozen():
        asking.seconds += 10 * tokens.KEYS_SECONDS
        started = asyncio.wait_for(asking.verifier.claims(token), ANSWER_SECONDS / 5)
        assert asking.loop.run_until_complete(started)
        with pytest.raises(ProviderAway):
            new.claims(token)
        asking.fetch()
    new.close()


def test_only_access_tokens_are_taken(login: keycloak.Server, asking: Asking) -> None:
    reason = "it is no access token, or bound to who holds another key"
    others: list[dict[str, Any]] = [{"typ": "ID"}, {"at_hash": "x"}, {"events": {}}, {"cnf": {}}, {"sub": ""}]
    for claims in others:
        assert asking.refusal(forged(login, **claims)) == reason, claims
    assert asking.claims(forged(login, typ="Bearer"))
    assert asking.refusal(forged(login, header={"typ": "logout+jwt"})) == reason
    assert asking.claims(forged(login, header={"typ": "at+jwt"}))


def test_keys_of_another_login_are_not_taken(login: keycloak.Server) -> None:
    # The discovery document calls itself otherwise.
    asking = Asking(f"{login.issuer(REALM)}/")
    with pytest.raises(ProviderAway):
        asking.claims(login.token(REALM, **CLIENT))
    asking.close()


def test_tokens_are_valid_while_the_login_is_away(login: keycloak.Server, asking: Asking) -> None:
    token = login.token(REALM, **CLIENT)
    assert asking.claims(token)
    new = Asking(login.issuer(REALM))
    login.stop()
    try:
        asking.seconds += 10 * tokens.KEYS_SECONDS
        assert asking.claims(token)
        with pytest.raises(ProviderAway) as away:
            new.claims(token)
        assert away.value.status == 503
        assert "does not answer" in away.value.detail
    finally:
        login.start()
    new.seconds += tokens.AGAIN_SECONDS + 1
    assert new.claims(token)
    new.close()
