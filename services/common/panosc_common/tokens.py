"""Access tokens, verified here by their issuer's published keys (RFC 7517, RFC 9068).

Nobody is asked whether a single token is valid: the issuer may be away meanwhile. Keys of an OpenID Connect
provider are fetched when they are first needed, again when they are old, and at once when a token
names one that is not known, which is how providers rotate them (OpenID Connect Discovery 1.0).
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import httpx2
import jwt
import structlog
from jwt import PyJWK, PyJWKSet

from panosc_common.problem import Problem
from panosc_common.provider import ANSWER_SECONDS, FAILURES, Provider

log = structlog.stdlib.get_logger(__name__)

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Signatures that are taken: by a key pair, so that who can verify a token cannot make one."""
CLOCK_SKEW_SECONDS = 30
"""By how much the provider's clock and ours may differ."""
MAX_TOKEN = 16 * 1024
"""Characters of a token at most."""
KEYS_SECONDS = 600.0
"""Age at which keys are fetched again."""
AGAIN_SECONDS = 10.0
"""Time between two fetches of keys at least, whatever keys tokens name."""
_TYPES = ("at+jwt", "application/at+jwt", "jwt")


class Refused(Problem):
    """A token that is not taken; what is wrong with it helps nobody who forges one."""

    def __init__(self, why: str) -> None:
        self.why = why
        headers = {"WWW-Authenticate": f'Bearer error="invalid_token", error_description="{why}"'}
        super().__init__(401, f"the access token is not taken: {why}", headers=headers)


class NotFor(Problem):
    """A token that is good, and limited to other things (RFC 6750, section 3.1)."""

    def __init__(self, scope: str) -> None:
        headers = {"WWW-Authenticate": f'Bearer error="insufficient_scope", scope="{scope}"'}
        super().__init__(403, f"the access token is limited: for this it needs {scope}", headers=headers)


class ProviderAway(Problem):
    """The provider's keys cannot be had, and none are known."""

    def __init__(self, issuer: str) -> None:
        super().__init__(
            503,
            f"the login at {issuer} does not answer, so tokens cannot be verified; try again in a moment, or "
            "without a token for what is public",
            headers={"Retry-After": "10"},
        )


class Keys(Protocol):
    """The keys of an issuer."""

    async def named(self, name: str) -> PyJWK | None:
        """The key of this name, if it has one. Raises ProviderAway while none of its keys are known."""


class KeySet:
    """Keys that are known beforehand."""

    def __init__(self, published: Mapping[str, Any]) -> None:
        """`published`: a JSON Web Key Set. Raises ValueError if no key in it can be used."""
        try:
            keys = PyJWKSet.from_dict(dict(published)).keys
        except jwt.PyJWTError as error:
            raise ValueError(f"no key can be used: {error}") from error
        self._keys = {str(key.key_id): key for key in keys if key.public_key_use in (None, "sig")}
        if not self._keys:
            raise ValueError("no key is for signatures")

    async def named(self, name: str) -> PyJWK | None:
        """The key of this name."""
        return self._keys.get(name)


class Verifier:
    """Verifies the access tokens that were issued for one audience."""

    def __init__(self, issuer: str, audience: str, keys: Keys) -> None:
        self._issuer = issuer
        self._audience = audience
        self._keys = keys

    async def claims(self, token: str) -> Mapping[str, Any]:
        """The claims of a token.

        Raises Refused, or ProviderAway while no keys can be had.
        """
        if len(token) > MAX_TOKEN:
            raise Refused(f"it has more than {MAX_TOKEN} characters")
        try:
            header = jwt.get_unverified_header(token)
        except jwt.InvalidTokenError as error:
            raise Refused("it is no signed JSON Web Token") from error
        if header.get("alg") not in ALGORITHMS:
            raise Refused("it is not signed by a key pair")
        key = await self._keys.named(str(header.get("kid")))
        if key is None:
            raise Refused("its key is none of the issuer's")
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=ALGORITHMS,
                audience=self._audience,
                issuer=self._issuer,
                leeway=CLOCK_SKEW_SECONDS,
                options={"require": ["exp", "iat", "iss", "aud", "sub"]},
            )
        except jwt.InvalidTokenError as error:
            raise Refused(_reason(error)) from error
        if not _is_for_access(header, claims):
            raise Refused("it is no access token, or bound to who holds another key")
        return claims


class PublishedKeys:
    """The keys that an OpenID Connect provider publishes."""

    def __init__(
        self,
        issuer: str,
        client: httpx2.AsyncClient,
        *,
        address: str | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """`address`: where they are, if that need not be asked from the issuer."""
        self._provider = Provider(issuer, client)
        self._address = address
        self._now = now
        self._keys: KeySet | None = None
        self._fetched = self._tried = -KEYS_SECONDS
        self._fetching: asyncio.Task[None] | None = None

    async def named(self, name: str) -> PyJWK | None:
        """The key of this name; raises ProviderAway while none are known."""
        key = await self._keys.named(name) if self._keys else None
        if key is None:
            await asyncio.shield(self._fetched_again())
        elif self._now() - self._fetched > KEYS_SECONDS:
            # A key that is known is good until another answer comes: nobody waits for that.
            self._fetched_again()
        if self._keys is None:
            raise ProviderAway(self._provider.issuer)
        return key or await self._keys.named(name)

    def _fetched_again(self) -> asyncio.Task[None]:
        """The fetch that is under way, else the last one, or another one if that was long enough ago."""
        rested = self._now() - self._tried > AGAIN_SECONDS
        if self._fetching is None or (self._fetching.done() and rested):
            self._fetching = asyncio.create_task(self._fetch())
        return self._fetching

    async def _fetch(self) -> None:
        """Fetch the keys; those that are known stay while the provider does not answer."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                keys = await self._published()
        except FAILURES as error:
            log.warning(
                "keys of the login not fetched", issuer=self._provider.issuer, why=str(error) or repr(error)
            )
        else:
            self._keys = keys
            self._fetched = self._now()
        self._tried = self._now()

    async def _published(self) -> KeySet:
        address = self._address or await self._provider.address("jwks_uri")
        return KeySet(await self._provider.get(address))


def _is_for_access(header: Mapping[str, Any], claims: Mapping[str, Any]) -> bool:
    """Whether it is a bearer's access token: ID and logout tokens may have the same audience."""
    return (
        str(header.get("typ") or "jwt").lower() in _TYPES
        and claims.get("typ") in (None, "Bearer")
        and not {"at_hash", "nonce", "events", "cnf"} & claims.keys()
        and bool(claims["sub"])
    )


def _reason(error: jwt.InvalidTokenError) -> str:
    match error:
        case jwt.ExpiredSignatureError():
            return "it has expired: get a new one"
        case jwt.InvalidAudienceError():
            return "it was issued for another service"
        case jwt.InvalidIssuerError():
            return "another issuer issued it"
        case jwt.ImmatureSignatureError():
            return "it is not valid yet: compare the clocks"
        case jwt.MissingRequiredClaimError():
            return f"it says nothing of {error.claim}"
        case jwt.InvalidSignatureError():
            return "its signature is wrong"
        case _:
            return "it cannot be understood"
