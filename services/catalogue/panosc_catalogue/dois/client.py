"""DataCite's REST API (https://support.datacite.org/docs/api): DOIs of one repository account."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

import httpx2
import orjson
from panosc_common.trust import trusted
from prometheus_client import Counter

from panosc_catalogue.dois.registrar import (
    Forbidden,
    NotAllowed,
    Refused,
    Registered,
    RegistrarError,
    State,
    Unavailable,
)

MEDIA_TYPE = "application/vnd.api+json"
MAX_SAID = 500
"""Characters of the registrar's own words that a message has."""

REQUESTS = Counter(
    "catalogue_registrar_requests_total", "Requests to the DOI registrar", ("method", "status")
)

Event = Literal["publish", "hide"]


class Client:
    """One repository account at DataCite. Each method is one request and no more: the worker repeats.

    A request whose answer is lost may have been carried out, which is why names are never made up here.
    """

    def __init__(
        self,
        endpoint: str,
        credentials: Path,
        *,
        timeout_seconds: float,
        requests_per_second: float,
    ) -> None:
        self._credentials = credentials
        self._interval = 1 / requests_per_second
        self._next = 0.0
        self._client = httpx2.AsyncClient(
            base_url=endpoint.rstrip("/") + "/",
            timeout=timeout_seconds,
            verify=trusted(),
            headers={"Accept": MEDIA_TYPE, "User-Agent": "panosc-catalogue"},
            follow_redirects=False,  # credentials go to the configured address only
        )

    @asynccontextmanager
    async def opened(self) -> AsyncIterator["Client"]:
        """The client at work; its connections are closed in the end."""
        async with self._client:
            yield self

    async def find(self, doi: str) -> Registered | None:
        """The DOI as DataCite has it."""
        response = await self._send("GET", _path(doi))
        if response.status_code == 404:
            return None
        attributes = _attributes(response)
        try:
            return Registered(State(attributes["state"]), attributes.get("url"))
        except (KeyError, ValueError) as error:
            raise Unavailable("the registrar's answer has no state that DataCite documents") from error

    async def reserve(self, doi: str, attributes: Mapping[str, Any]) -> None:
        """Make it a draft."""
        _attributes(await self._send("POST", "dois", {**attributes, "doi": doi}))

    async def publish(self, doi: str, attributes: Mapping[str, Any]) -> None:
        """Give it these attributes, and make it findable."""
        await self._put(doi, State.FINDABLE, {**attributes, "event": "publish"})

    async def hide(self, doi: str, url: str) -> None:
        """Make it only registered, with its page there."""
        await self._put(doi, State.REGISTERED, {"event": "hide", "url": url})

    async def _put(self, doi: str, expected: State, attributes: Mapping[str, Any]) -> None:
        state = _attributes(await self._send("PUT", _path(doi), {**attributes, "doi": doi})).get("state")
        if state != expected:
            raise Unavailable(f"the registrar says that {doi} is {state}, not {expected}")

    async def _send(
        self, method: str, path: str, attributes: Mapping[str, Any] | None = None
    ) -> httpx2.Response:
        await self._turn()
        content = orjson.dumps({"data": {"type": "dois", "attributes": attributes}}) if attributes else None
        headers = {"Content-Type": MEDIA_TYPE} if attributes else {}
        status = "none"
        try:
            response = await self._client.request(
                method, path, content=content, headers=headers, auth=self._auth()
            )
            status = str(response.status_code)
        except httpx2.TimeoutException as error:
            raise Unavailable("the registrar did not answer in time") from error
        except httpx2.HTTPError as error:
            # The text of a transport's error names hosts and system errors, never a header or a body.
            raise Unavailable(f"the registrar cannot be reached: {error or type(error).__name__}") from error
        finally:
            REQUESTS.labels(method, status).inc()
        return response

    def _auth(self) -> httpx2.BasicAuth:
        """Read each time: changed credentials hold from the next request on."""
        try:
            username, password = (
                (self._credentials / name).read_text(encoding="utf-8").strip()
                for name in ("username", "password")
            )
        except (OSError, UnicodeDecodeError) as error:
            raise NotAllowed(
                f"no credentials for the registrar: {self._credentials} has to have username and password"
            ) from error
        return httpx2.BasicAuth(username, password)

    async def _turn(self) -> None:
        """Wait until the next request may be made."""
        now = time.monotonic()
        turn = max(now, self._next)
        self._next = turn + self._interval
        await asyncio.sleep(turn - now)


def _path(doi: str) -> str:
    return f"dois/{quote(doi, safe='')}"


def _attributes(response: httpx2.Response) -> dict[str, Any]:
    """The attributes in an answer that is good, or the error that it is."""
    if not response.is_success:
        raise _error(response)
    try:
        attributes = response.json()["data"]["attributes"]
        if isinstance(attributes, dict):
            return attributes
    except (ValueError, KeyError, TypeError):
        pass
    raise Unavailable("the registrar's answer is not JSON:API")


def _error(response: httpx2.Response) -> RegistrarError:
    status, said = response.status_code, _said(response)
    if status in (401, 403):
        kind = NotAllowed if status == 401 else Forbidden
        return kind(
            f"the registrar answers {status} {said}: check username and password in the Secret of "
            "spec.identifiers.doi.registrar.dataCite.credentialsSecret, and that the prefix is the account's"
        )
    if status == 429 or status == 408 or status >= 500:
        return Unavailable(f"the registrar answers {status} {said}", _retry_after(response))
    if 300 <= status < 400:
        return NotAllowed(f"the registrar answers {status}: set the endpoint to the address of its REST API")
    return Refused(f"the registrar answers {status} {said}")


def _retry_after(response: httpx2.Response) -> float | None:
    """Seconds; a date is not understood, the worker's own back-off then holds."""
    said = response.headers.get("Retry-After", "")
    return float(said) if said.isascii() and said.isdecimal() else None


def _said(response: httpx2.Response) -> str:
    """The registrar's own words: titles of the errors of JSON:API, with the attribute each is about."""
    try:
        errors = response.json()["errors"]
        said = "; ".join(
            f"{error['source']}: {error['title']}" if error.get("source") else str(error["title"])
            for error in errors
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        said = response.reason_phrase
    return said[:MAX_SAID]
