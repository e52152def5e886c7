"""Tokens that are not to be taken are refused everywhere, and those who send them are not the public."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

import httpx2
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from support import keycloak
from unit.catalogue_archive.world import OPEN, Login, World

ADMIN = "facility:role=admin"
OTHER_KEY = generate_private_key(65537, 2048)


def by_public_key(login: Login) -> str:
    """As somebody makes one who has the published key alone, and hopes that it is taken for a secret."""

    def encoded(value: object) -> bytes:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=")

    claims = keycloak.claims(login.forged(ADMIN))
    message = encoded({"alg": "HS256", "typ": "JWT", "kid": login.kid}) + b"." + encoded(claims)
    secret = login.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    signature = base64.urlsafe_b64encode(hmac.digest(secret, message, hashlib.sha256)).rstrip(b"=")
    return (message + b"." + signature).decode()


def unsigned(login: Login) -> str:
    claims = keycloak.claims(login.forged(ADMIN))
    return jwt.encode(claims, "", "none", headers={"kid": login.kid})


def at(login: Login, **seconds: int) -> str:
    """One whose times are so many seconds from now."""
    now = int(time.time())
    changes: dict[str, Any] = {name: now + offset for name, offset in seconds.items()}
    return login.forged(ADMIN, **changes)


Token = Callable[[Login], str]
REFUSED: dict[str, tuple[Token, str]] = {
    "expired": (lambda login: at(login, iat=-700, exp=-60), "it has expired: get a new one"),
    "for another audience": (
        lambda login: login.forged(ADMIN, aud="other"),
        "it was issued for another service",
    ),
    "of another issuer": (
        lambda login: login.forged(ADMIN, iss=f"{login.issuer}2"),
        "another issuer issued it",
    ),
    "of another realm's key": (
        lambda login: login.forged(ADMIN, kid="other", key=OTHER_KEY),
        "its key is none of the issuer's",
    ),
    "of another key by the same name": (
        lambda login: login.forged(ADMIN, key=OTHER_KEY),
        "its signature is wrong",
    ),
    "of a key that was rotated away": (
        lambda login: login.forged(ADMIN, kid="0", key=OTHER_KEY),
        "its key is none of the issuer's",
    ),
    "not signed": (unsigned, "it is not signed by a key pair"),
    "signed by the public key": (by_public_key, "it is not signed by a key pair"),
    "not valid yet": (lambda login: at(login, nbf=60), "it is not valid yet: compare the clocks"),
    "issued in the future": (lambda login: at(login, iat=60), "it is not valid yet: compare the clocks"),
    "no token": (lambda login: "nonsense", "it is no signed JSON Web Token"),
}
TAKEN: dict[str, Token] = {
    "expired within the clocks' difference": lambda login: at(login, iat=-700, exp=-10),
    "not valid yet within the clocks' difference": lambda login: at(login, nbf=20, iat=20),
    "as they are": lambda login: login.forged(ADMIN),
}
"""Of an administrator, who is shown everything."""
Place = tuple[str, str, str, dict[str, Any]]
PLACES: list[Place] = [
    *(
        ("catalogue", "GET", path, {})
        for path in (
            "/api/Datasets",
            "/api/Datasets/count",
            f"/api/Datasets/{OPEN.pid.replace('/', '%2F')}/files",
            "/",
            "/search",
            "/search?format=csv",
            f"/datasets/{OPEN.pid}",
            f"/documents/{OPEN.name}",
            f"/documents/{OPEN.name}?format=linkset",
            "/policy",
            "/policy/log",
        )
    ),
    ("catalogue", "POST", "/teams", {"content": "", "headers": {"Content-Type": "text/csv"}}),
    ("catalogue", "PUT", f"/teams/{OPEN.name}", {"json": {"members": []}}),
    ("catalogue", "GET", f"/teams/{OPEN.name}", {}),
    *(
        ("archive", method, path, {})
        for method, path in (
            ("GET", f"/files/{OPEN.file(0)}"),
            ("HEAD", f"/files/{OPEN.file(0)}"),
            ("GET", "/files/"),
            ("GET", f"/files/{OPEN.name}/"),
            ("GET", f"/datasets/{OPEN.pid.replace('/', '%2F')}"),
            ("GET", f"/datasets/{OPEN.pid.replace('/', '%2F')}/bundle.zip"),
            ("GET", f"/hdf5/meta/?file={OPEN.file(0)}"),
            ("GET", f"/previews?file={OPEN.file(0)}"),
        )
    ),
    ("archive", "POST", "/links", {"json": {"resource": f"/files/{OPEN.file(0)}"}}),
    ("uploads", "POST", "/uploads", {"headers": {"Tus-Resumable": "1.0.0", "Upload-Length": "1"}}),
    ("uploads", "HEAD", "/uploads/none", {"headers": {"Tus-Resumable": "1.0.0"}}),
    ("uploads", "DELETE", "/uploads/none", {"headers": {"Tus-Resumable": "1.0.0"}}),
]


def ask(world: World, place: Place, token: str) -> httpx2.Response:
    service, method, path, options = place
    headers = {**options.get("headers", {}), "Authorization": f"Bearer {token}"}
    client: httpx2.Client = getattr(world, service)
    return client.request(method, path, **{**options, "headers": headers})


@pytest.mark.parametrize("kind", REFUSED)
def test_a_wrong_token_is_refused_everywhere_and_told_why(world: World, kind: str) -> None:
    make, why = REFUSED[kind]
    for place in PLACES:
        answer = ask(world, place, make(world.login))
        challenge = answer.headers.get("WWW-Authenticate", "")
        told = f'Bearer error="invalid_token", error_description="{why}"'
        assert (answer.status_code, challenge.startswith(told)) == (401, True), (place, challenge)
        assert answer.headers["Cache-Control"] == "no-store"
        assert f"the access token is not taken: {why}" in answer.text or place[1] == "HEAD", place
        assert OPEN.title not in answer.text


@pytest.mark.parametrize("kind", TAKEN)
def test_a_token_is_taken_within_the_difference_of_clocks(world: World, kind: str) -> None:
    for place in PLACES:
        assert ask(world, place, TAKEN[kind](world.login)).status_code not in (401, 403), place
