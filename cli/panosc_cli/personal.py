"""Tokens that people make for scripts of theirs: offline tokens of the login's client for them.

A script has one by an environment variable. It is exchanged for access tokens, which are kept nowhere, and
goes to nobody but the login that is named in it (OpenID Connect Core 1.0, section 11; RFC 6749, section 6).
"""

import base64
import os
import time
from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path

import httpx2
from pydantic import BaseModel

from panosc_cli import login, web
from panosc_cli.catalogue import Catalogue
from panosc_cli.failures import Misused
from panosc_cli.sessions import Session

CLIENT = "panosc-scripts"
"""The name of people's scripts at every login."""
TOKEN, TOKEN_FILE = "PANOSC_TOKEN", "PANOSC_TOKEN_FILE"
OFFLINE = "offline_access"
"""Scope of tokens that outlive a session."""
LIMITING = "panosc:"
"""Beginning of the scopes that limit a token to what they name."""


class Scope(StrEnum):
    """What a token may be good for."""

    READ = "read"
    TEAMS = "teams"
    POLICY = "policy"
    PUT = "put"


class _Claims(BaseModel):
    iss: str


class _InMemory:
    """A session that no file has."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def of(self, catalogue: str) -> Session:
        return self._session

    def keep(self, session: Session) -> None:
        self._session = session


async def create(
    client: httpx2.AsyncClient,
    catalogue: Catalogue,
    scopes: Sequence[Scope],
    show: Callable[[login.Code], None],
) -> Session:
    """The session whose refresh token is the new token. Raises Failure."""
    wanted = [OFFLINE, *(f"{LIMITING}{scope}" for scope in scopes)]
    session, _ = await login.log_in(client, catalogue, show, program=CLIENT, scopes=wanted)
    return session


def given() -> Session | None:
    """The session of the token that the environment names, before anybody was asked; None if it names none.

    Raises Misused, and OSError for a file that cannot be read.
    """
    token, file = os.environ.get(TOKEN), os.environ.get(TOKEN_FILE)
    if token and file:
        raise Misused(f"{TOKEN} and {TOKEN_FILE} both name a token: leave one")
    if file:
        token = Path(file).read_text(encoding="ascii", errors="replace")
    elif not token:
        return None
    return Session(
        catalogue="",
        facility="",
        issuer=_issuer(token.strip()),
        client_id=CLIENT,
        archives=[],
        access_token="",
        refresh_token=token.strip(),
        logged_in=time.time(),
        expires=0,
    )


async def bearer() -> login.Bearer | None:
    """Sends tokens for that one to the hosts for which its login vouches; None if there is none.

    Raises Failure.
    """
    session = given()
    if session is None:
        return None
    async with web.client() as client:
        session = await login.renewed(client, session)
        services = login.hosts(session, await login.person(client, session))
    session = session.model_copy(update={"archives": services})
    return login.Bearer(_InMemory(session), session)


def _issuer(token: str) -> str:
    """The login that gave a token, by its own word."""
    try:
        payload = base64.urlsafe_b64decode(token.split(".")[1] + "==")
        return _Claims.model_validate_json(payload).iss
    except (IndexError, ValueError) as error:
        raise Misused(
            f"{TOKEN} or {TOKEN_FILE} has something else than `panosc token create` gave"
        ) from error
