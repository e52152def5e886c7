"""Logging in by device code (RFC 8628), renewing what that gives, and logging out (RFC 7009)."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import suppress
from typing import Protocol

import httpx2
from oauthlib.oauth2 import DeviceClient, OAuth2Error
from oauthlib.oauth2.rfc6749.errors import CustomOAuth2Error
from pydantic import BaseModel, Field, ValidationError

from panosc_cli import web
from panosc_cli.catalogue import Catalogue
from panosc_cli.failures import Failure, Misused, NotAllowed
from panosc_cli.sessions import COMMAND_LINE, Session

RENEWED_BEFORE_SECONDS = 30.0
"""An access token with less time left is renewed before it is used."""
SLOWER_SECONDS = 5.0
"""By how much the login wants to be asked less often when it says so (RFC 8628, section 3.5)."""
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class Endpoints(BaseModel):
    """Where a login is asked what (OpenID Connect Discovery 1.0, RFC 8414)."""

    issuer: str
    token_endpoint: str
    device_authorization_endpoint: str | None = None
    revocation_endpoint: str | None = None
    userinfo_endpoint: str | None = None


class Code(BaseModel):
    """What somebody has to enter where to log in."""

    device_code: str
    user_code: str
    verification_uri: str
    verification_uri_complete: str | None = None
    expires_in: float
    interval: float = SLOWER_SECONDS


class Person(BaseModel, extra="allow"):
    """Who is logged in, as the login says."""

    sub: str
    name: str = ""
    entitlements: list[str] = []
    services: list[str] | None = Field(default=None, alias="panosc_services")
    """Hosts that the login vouches for: the facility's, which take the tokens that it gave."""


async def endpoints(client: httpx2.AsyncClient, issuer: str) -> Endpoints:
    """What the login at an address says of itself. Raises Failure."""
    _check(issuer)
    address = f"{issuer.rstrip('/')}/.well-known/openid-configuration"
    told = await web.document(client, address, Endpoints, follow_redirects=False)
    if told.issuer != issuer:
        raise Failure(f"the login at {issuer} calls itself {told.issuer}: tell the facility")
    for _, address in told:
        if address:
            _check(address)
    return told


async def log_in(
    client: httpx2.AsyncClient,
    catalogue: Catalogue,
    show: Callable[[Code], None],
    *,
    program: str = COMMAND_LINE,
    scopes: Sequence[str] = (),
) -> tuple[Session, Person]:
    """The session of whoever enters the code that is shown, and who that is; of a program with these scopes.

    Raises Failure, also if not all of them are granted.
    Any catalogue may name this login and the scope of another facility; so tokens are kept only if the login
    itself says that the catalogue is one of the hosts for which it gave them.
    """
    if not catalogue.logins:
        raise Failure(f"{catalogue.address} has no login: what it shows is public")
    for address in (catalogue.address, *catalogue.archives):
        _check(address)
    # With two scopes, the login would vouch for the hosts of one, and the token open those of both.
    if len(" ".join(catalogue.scopes).split()) > 1:
        raise Failure(f"{catalogue.address} asks for several scopes: tell the facility")
    issuer = catalogue.logins[0]
    where = await endpoints(client, issuer)
    if where.device_authorization_endpoint is None:
        raise Failure(f"the login at {issuer} has no device codes: ask the facility to allow them")
    form = {"client_id": program, "scope": " ".join(["openid", *catalogue.scopes, *scopes])}
    try:
        answer = await web.answered(
            client, where.device_authorization_endpoint, method="POST", form=form, follow_redirects=False
        )
    except NotAllowed as error:
        raise NotAllowed(f"{error}: ask the facility whether its login has a client {program}") from error
    code = web.understood(Code, answer)
    show(code)
    tokens = await _entered(client, where, program, code)
    session = _session(catalogue, issuer, program, tokens)
    try:
        if lacking := set(scopes) - set(session.scopes):
            names = ", ".join(sorted(lacking))
            raise Failure(f"the login at {issuer} does not grant {names}: ask the facility to allow that")
        who = await person(client, session)
        return _vouched(session, hosts(session, who)), who
    except (Failure, httpx2.RequestError, asyncio.CancelledError):
        with suppress(Failure, httpx2.RequestError):  # why it is not kept is the news
            await log_out(client, session)
        raise


def hosts(session: Session, who: Person) -> list[str]:
    """The hosts for which the login vouches. Raises Failure if it does not say."""
    if who.services is None:
        raise Failure(
            f"the login at {session.issuer} does not say which hosts may have your tokens, so none has: "
            "ask the facility to add the claim panosc_services to it"
        )
    return who.services


def _vouched(session: Session, services: list[str]) -> Session:
    """The session with those of its archives for which the login vouches. Raises Failure."""
    if session.catalogue not in services:
        raise Failure(
            f"the login at {session.issuer} does not know {session.catalogue}, which has no tokens of yours: "
            "give the address that you have from your facility, or tell the facility"
        )
    return session.model_copy(update={"archives": [one for one in session.archives if one in services]})


async def _entered(client: httpx2.AsyncClient, where: Endpoints, program: str, code: Code) -> "Tokens":
    """The tokens, as soon as somebody has entered the code."""
    interval, until = code.interval, time.monotonic() + code.expires_in
    form = DeviceClient(program).prepare_request_body(code.device_code, include_client_id=True)
    while time.monotonic() + interval < until:
        await asyncio.sleep(interval)
        asked = asyncio.ensure_future(_tokens(client, where, form))
        try:
            return await asyncio.shield(asked)
        except asyncio.CancelledError:
            # What the login gives meanwhile, nobody would have.
            with suppress(OAuth2Error, Failure, httpx2.RequestError):
                if given := (await asked).refresh_token:
                    await _take_back(client, where, program, given)
            raise
        except OAuth2Error as error:
            match error.error:
                case "authorization_pending":
                    pass
                case "slow_down":
                    interval += SLOWER_SECONDS
                case "expired_token":
                    break
                case "access_denied":
                    raise NotAllowed("the login was refused in the browser") from error
                case _:
                    raise NotAllowed(
                        f"the login at {where.issuer} gives no tokens: {_said(error)}"
                    ) from error
        except (httpx2.RequestError, web.Again):
            interval *= 2
    raise NotAllowed(f"nobody entered the code {code.user_code} in time: log in again")


class Tokens(BaseModel):
    """What the token endpoint gives."""

    access_token: str
    refresh_token: str | None = None
    expires_in: float = 300
    refresh_expires_in: float | None = None
    """Keycloak's word for how long the login lasts if it is not used."""
    scope: str = ""


class _Refusal(BaseModel):
    """What the token endpoint says instead (RFC 6749, section 5.2)."""

    error: str
    error_description: str | None = None


async def _tokens(client: httpx2.AsyncClient, where: Endpoints, form: str) -> Tokens:
    """Raises OAuth2Error for what the login refuses, Failure for what is no answer of a login."""
    answer = await client.post(where.token_endpoint, content=form, headers=_FORM, follow_redirects=False)
    if answer.status_code in (400, 401):
        with suppress(ValidationError):
            told = _Refusal.model_validate_json(answer.content)
            raise CustomOAuth2Error(told.error, description=told.error_description)
    try:
        await web.check(answer)
    except NotAllowed as error:  # by something between: the login says nothing of this person
        raise Failure(str(error)) from error
    return web.understood(Tokens, answer)


def _session(catalogue: Catalogue, issuer: str, program: str, tokens: Tokens) -> Session:
    if tokens.refresh_token is None:
        raise Failure(f"the login at {issuer} gives no refresh token: ask the facility to allow them")
    now = time.time()
    return Session(
        catalogue=catalogue.address,
        facility=catalogue.name,
        issuer=issuer,
        client_id=program,
        archives=[web.origin(address) for address in catalogue.archives],
        access_token=tokens.access_token,
        refresh_token=tokens.refresh_token,
        logged_in=now,
        expires=now + tokens.expires_in,
        ends=now + tokens.refresh_expires_in if tokens.refresh_expires_in else None,
        scopes=tokens.scope.split(),
    )


async def renewed(client: httpx2.AsyncClient, session: Session) -> Session:
    """The session with a new access token. Raises NotAllowed if the login has ended."""

    async def attempt() -> Tokens:
        return await _tokens(client, where, form)

    where = await endpoints(client, session.issuer)
    program = session.client_id
    form = DeviceClient(program).prepare_refresh_body(refresh_token=session.refresh_token, client_id=program)
    try:
        tokens = await web.patiently(attempt)
    except OAuth2Error as error:
        raise NotAllowed(_ended(session, _said(error))) from error
    now = time.time()
    return session.model_copy(
        update={
            "access_token": tokens.access_token,
            "refresh_token": tokens.refresh_token or session.refresh_token,
            "expires": now + tokens.expires_in,
            "ends": now + tokens.refresh_expires_in if tokens.refresh_expires_in else None,
            "scopes": tokens.scope.split(),
        }
    )


def _ended(session: Session, why: str) -> str:
    if session.client_id != COMMAND_LINE:
        return f"the token has ended, or was taken back ({why}): `panosc token create` makes another one"
    return (
        f"your login at {session.facility} has ended ({why}): `panosc login {session.catalogue}`, or as the "
        f"public `panosc logout {session.catalogue}`"
    )


async def log_out(client: httpx2.AsyncClient, session: Session) -> None:
    """Have the login take its refresh token back. Raises Failure."""
    where = await endpoints(client, session.issuer)
    await _take_back(client, where, session.client_id, session.refresh_token)


async def _take_back(client: httpx2.AsyncClient, where: Endpoints, program: str, token: str) -> None:
    if where.revocation_endpoint is None:
        raise Failure(f"the login at {where.issuer} takes no tokens back: it ends by itself")
    form = {"client_id": program, "token": token, "token_type_hint": "refresh_token"}
    await web.answered(client, where.revocation_endpoint, method="POST", form=form, follow_redirects=False)


async def person(client: httpx2.AsyncClient, session: Session) -> Person:
    """Who is logged in. Raises Failure."""
    where = await endpoints(client, session.issuer)
    if where.userinfo_endpoint is None:
        raise Failure(f"the login at {session.issuer} does not say who is logged in")
    headers = {"Authorization": f"Bearer {session.access_token}"}
    answer = await web.answered(client, where.userinfo_endpoint, headers=headers, follow_redirects=False)
    return web.understood(Person, answer)


class Keeper(Protocol):
    """Where a session is between two requests."""

    def of(self, catalogue: str) -> Session | None:
        """The session as it is; None: somebody has ended it."""

    def keep(self, session: Session) -> None:
        """Have this one from now on."""


class Bearer(httpx2.Auth):
    """Sends the access token of a session to its catalogue and archives, to nobody else, and renews it."""

    def __init__(self, sessions: Keeper, session: Session) -> None:
        self._sessions = sessions
        self._session = session
        self.hosts = frozenset(filter(None, (session.catalogue, *session.archives)))
        self._renewing = asyncio.Lock()

    async def async_auth_flow(
        self, request: httpx2.Request
    ) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        """Add the token; one that is refused is renewed, and tried once more."""
        if web.origin(request.url) not in self.hosts:
            yield request
            return
        session = await self.current()
        request.headers["Authorization"] = f"Bearer {session.access_token}"
        response = yield request
        if response.status_code == 401:
            session = await self._renewed(session)
            request.headers["Authorization"] = f"Bearer {session.access_token}"
            yield request

    async def current(self) -> Session:
        """The session, with an access token that lasts for a request. Raises Failure."""
        session = self._session
        if session.expires - time.time() < RENEWED_BEFORE_SECONDS:
            return await self._renewed(session)
        return session

    async def _renewed(self, old: Session) -> Session:
        async with self._renewing:
            # Another request, or another program, may have done it meanwhile.
            known = self._kept(old)
            if known.access_token == old.access_token or known.expires < time.time():
                async with web.client() as client:
                    known = await renewed(client, known)
                self._kept(old)
                self._sessions.keep(known)
            self._session = known
        return self._session

    def _kept(self, old: Session) -> Session:
        """The session as it is kept; who logged out meanwhile stays so. Raises NotAllowed."""
        known = self._sessions.of(old.catalogue)
        if known is None:
            raise NotAllowed(f"you have logged out of {old.facility}: `panosc login {old.catalogue}`")
        return known


def _check(address: str) -> None:
    try:
        keeps = web.keeps_secrets(web.origin(address))
    except Misused as error:  # by a server
        raise Failure(f"{error}: tell the facility") from error
    if not keeps:
        raise Failure(f"{address} is no https:// address: anybody in between could read your login")


def _said(error: OAuth2Error) -> str:
    return web.printable(error.description or str(error.error))
