"""What a login says of people at its UserInfo endpoint alone (OpenID Connect Core 1.0, section 5.3).

Providers may keep groups and addresses out of access tokens. What they say there of who has a token is kept
while the token is valid, and asked again every few minutes.
"""

import asyncio
import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx2
import structlog

from panosc_common.problem import Problem
from panosc_common.provider import ANSWER_SECONDS, FAILURES, Provider
from panosc_common.tokens import Refused

log = structlog.stdlib.get_logger(__name__)

AGAIN_SECONDS = 300.0
"""Age at which an answer is asked for again; so long a group counts that was taken from somebody."""
REST_SECONDS = 10.0
"""Time between two tries for a token whose last one failed, while there is an older answer."""
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
    until: float
    """When the token ends."""


class UserInfo:
    """What one login says at its UserInfo endpoint."""

    def __init__(
        self, issuer: str, client: httpx2.AsyncClient, *, now: Callable[[], float] = time.time
    ) -> None:
        self._provider = Provider(issuer, client)
        self._now = now
        self._address: str | None = None
        self._answers: dict[bytes, _Answer] = {}
        self._asking: dict[bytes, asyncio.Task[_Answer]] = {}

    async def completed(self, token: str, claims: Mapping[str, Any]) -> Mapping[str, Any]:
        """The claims of a token that was verified, with what the login says beyond them.

        Raises Refused if the login takes the token no more, UserInfoAway if it says nothing and has not
        before.
        """
        key = hashlib.sha256(token.encode()).digest()
        answer = self._answers.get(key)
        if answer is None or answer.again <= self._now():
            answer = await self._asked(key, token, claims)
        return _together(claims, answer.claims)

    async def _asked(self, key: bytes, token: str, claims: Mapping[str, Any]) -> _Answer:
        """The login's answer, for which requests with the same token ask once."""
        asking = self._asking.get(key)
        if asking is None:
            asking = self._asking[key] = asyncio.create_task(self._ask(key, token, claims))
            asking.add_done_callback(lambda _: self._asking.pop(key))
        return await asyncio.shield(asking)

    async def _ask(self, key: bytes, token: str, claims: Mapping[str, Any]) -> _Answer:
        known, until = self._answers.get(key), float(claims["exp"])
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                said = await self._said(token, claims["sub"])
            if said.get("sub") != claims["sub"]:
                raise ValueError("it speaks of somebody else: userinfo and token have another sub")
        except Refused:
            self._answers.pop(key, None)
            raise
        except FAILURES as error:
            log.warning("userinfo not had", issuer=self._provider.issuer, why=str(error) or repr(error))
            self._address = None
            if known is None:
                raise UserInfoAway(self._provider.issuer) from error
            answer = _Answer(known.claims, self._now() + REST_SECONDS, until)
        else:
            answer = _Answer(said, self._now() + AGAIN_SECONDS, until)
        self._keep(key, answer)
        return answer

    async def _said(self, token: str, subject: str) -> dict[str, Any]:
        if self._address is None:
            self._address = await self._provider.address("userinfo_endpoint")
        try:
            return await self._provider.get(self._address, {"Authorization": f"Bearer {token}"})
        except httpx2.HTTPStatusError as error:
            match error.response.status_code:
                case httpx2.codes.UNAUTHORIZED:
                    raise Refused("the login takes it no more: log in again") from error
                case httpx2.codes.FORBIDDEN:  # It lacks the scope `openid`, as programs' own tokens may.
                    return {"sub": subject}
            raise

    def _keep(self, key: bytes, answer: _Answer) -> None:
        if len(self._answers) >= MAX_KEPT:
            now = self._now()
            self._answers = {one: kept for one, kept in self._answers.items() if kept.until > now}
        if len(self._answers) >= MAX_KEPT:
            self._answers.clear()
        self._answers[key] = answer


def _together(claims: Mapping[str, Any], said: Mapping[str, Any]) -> Mapping[str, Any]:
    """The token's claims, and of the others those of which it has none of their line."""
    lacking = [names for names in _TOGETHER if not any(name in claims for name in names)]
    return {**{name: said[name] for names in lacking for name in names if name in said}, **claims}
