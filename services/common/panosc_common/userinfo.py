"""What a login says of people at its UserInfo endpoint alone (OpenID Connect Core 1.0, section 5.3).

Providers may keep groups and addresses out of access tokens. What they say there of who has a token is kept
while the token is valid, and asked again every few minutes.
"""

import asyncio
import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

import httpx2
import structlog

from panosc_common.problem import Problem
from panosc_common.provider import FAILURES, Provider
from panosc_common.tokens import Refused

log = structlog.stdlib.get_logger(__name__)

ANSWER_SECONDS = 2.0
"""Time in which the login says who somebody is: archives, whose catalogue asks, wait for little longer."""
AGAIN_SECONDS = 300.0
"""Age at which an answer is asked for again; so long a group counts that was taken from somebody."""
REST_SECONDS = 10.0
"""Time for which nobody asks a login that did not answer."""
MAX_KEPT = 10_000
"""Tokens of which answers are kept."""
_TOGETHER = (
    ("entitlements", "eduperson_entitlement"),
    ("orcid",),
    ("email", "email_verified"),
    ("name", "preferred_username"),
)
"""Claims that are taken from there, where the token has none of the same line: an address that one of them
names is not verified by the other."""
_TAKEN = frozenset(name for names in _TOGETHER for name in names)


class UserInfoAway(Problem):
    """The login does not say of whoever asks what their token leaves out."""

    def __init__(self, issuer: str) -> None:
        super().__init__(
            503,
            f"the login at {issuer} does not say who you are; try again in a moment, or without a token for "
            "what is public",
            headers={"Retry-After": "10"},
        )


@dataclass(frozen=True)
class _Answer:
    claims: Mapping[str, Any]
    again: float
    """When it is asked for again."""


class _None(Enum):
    """Why there is no answer."""

    REFUSED = "the login takes the token no more"
    AWAY = "the login says nothing"


class UserInfo:
    """What one login says at its UserInfo endpoint."""

    def __init__(
        self, issuer: str, client: httpx2.AsyncClient, *, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._provider = Provider(issuer, client)
        self._now = now
        self._address: str | None = None
        self._rests_until = 0.0
        self._answers: dict[bytes, _Answer] = {}
        """The one that was had first, first."""
        self._asking: dict[bytes, asyncio.Task[_Answer | _None]] = {}

    async def completed(self, token: str, claims: Mapping[str, Any]) -> Mapping[str, Any]:
        """The claims of a token that was verified, with what the login says beyond them.

        Raises Refused if the login takes the token no more, UserInfoAway if it says nothing and has not
        before.
        """
        key = hashlib.sha256(token.encode()).digest()
        known = self._answers.get(key)
        is_fresh = known is not None and self._now() < known.again
        answer = known if is_fresh else await asyncio.shield(self._asked(key, token, str(claims["sub"])))
        # Each request has an error of its own, as what answers it may add to it.
        if answer is _None.REFUSED:
            raise Refused("the login takes it no more: log in again")
        if not isinstance(answer, _Answer):
            raise UserInfoAway(self._provider.issuer)
        return _together(claims, answer.claims)

    def _asked(self, key: bytes, token: str, subject: str) -> "asyncio.Task[_Answer | _None]":
        """The login's answer, for which requests with the same token ask once."""
        if key not in self._asking:
            task = self._asking[key] = asyncio.create_task(self._ask(key, token, subject))
            task.add_done_callback(lambda _: self._asking.pop(key))
        return self._asking[key]

    async def _ask(self, key: bytes, token: str, subject: str) -> _Answer | _None:
        known = self._answers.pop(key, None)
        answer = await self._said(token, subject) if self._now() >= self._rests_until else _None.AWAY
        if answer is _None.AWAY and known is not None:
            answer = _Answer(known.claims, self._now() + REST_SECONDS)
        if isinstance(answer, _Answer):
            self._answers[key] = answer
            while len(self._answers) > MAX_KEPT:
                del self._answers[next(iter(self._answers))]
        return answer

    async def _said(self, token: str, subject: str) -> _Answer | _None:
        """What the login says now of who has the token."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                self._address = self._address or await self._provider.address("userinfo_endpoint")
                said = await self._provider.get(self._address, {"Authorization": f"Bearer {token}"})
            if said.get("sub") != subject:
                raise ValueError("it speaks of somebody else: userinfo and token have another sub")
        except FAILURES as error:
            refusal = error.response if isinstance(error, httpx2.HTTPStatusError) else None
            if refusal is not None and refusal.status_code == httpx2.codes.UNAUTHORIZED:
                return _None.REFUSED
            if refusal is None or "insufficient_scope" not in refusal.headers.get("WWW-Authenticate", ""):
                log.warning("userinfo not had", issuer=self._provider.issuer, why=str(error) or repr(error))
                if isinstance(error, (httpx2.TransportError, TimeoutError)):
                    self._rests_until = self._now() + REST_SECONDS
                return _None.AWAY
            said = {}  # The token lacks the scope `openid`, as programs' own may.
        return _Answer({name: said[name] for name in said.keys() & _TAKEN}, self._now() + AGAIN_SECONDS)


def _together(claims: Mapping[str, Any], said: Mapping[str, Any]) -> Mapping[str, Any]:
    """The token's claims, and of the others those of which it has none of their line."""
    lacking = [names for names in _TOGETHER if not any(name in claims for name in names)]
    return {**{name: said[name] for names in lacking for name in names if name in said}, **claims}
