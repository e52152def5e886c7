"""HTTP to a source: time-outs, retries with back-off, a bound on the rate, and errors that help.

Only requests that may be repeated are made: reading, and logging in.
"""

import asyncio
import json
import random
import ssl
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, TypeVar

import httpx2
import tenacity
from panosc_common.trust import trusted

from panosc_catalogue.sources.base import BadAnswer, NotAllowed, SourceError, Unreachable

T = TypeVar("T")

TIMEOUT_SECONDS = 30.0
"""Time without a byte after which a request is given up."""
WHOLE_SECONDS = 600.0
"""Time after which it is given up though bytes still come: a server may send one now and then for ever."""
ATTEMPTS = 5
FIRST_WAIT_SECONDS = 1.0
MAX_WAIT_SECONDS = 120.0
"""Wait at most between two attempts; a source that asks for more is left until its next run."""
MAX_BODY_BYTES = 64 * 1024 * 1024
"""Bytes of an answer at most: the worker's memory is bounded."""
AGENT = "panosc-catalogue"

_BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses that another attempt may do without."""


@dataclass(frozen=True)
class Answer:
    """A successful answer, read to its end."""

    status: int
    content: bytes
    headers: Mapping[str, str]
    """By name, whatever its case."""


class _Again(Exception):
    """An attempt failed in a way that another may not."""

    def __init__(self, error: SourceError, retry_after: float | None = None) -> None:
        super().__init__(str(error))
        self.error = error
        self.retry_after = retry_after


class NotThere(SourceError):
    """The source has no such thing (404 or 410)."""


class Forbidden(NotAllowed):
    """It knows who asks, and does not show this to them (403)."""


class Client:
    """Requests to one source, at most `requests_per_second` of them."""

    def __init__(
        self,
        base_url: str,
        *,
        requests_per_second: float,
        auth: httpx2.Auth | None = None,
        headers: Mapping[str, str] | None = None,
        ca_file: Path | None = None,
        timeout_seconds: float = TIMEOUT_SECONDS,
        whole_seconds: float = WHOLE_SECONDS,
        first_wait_seconds: float = FIRST_WAIT_SECONDS,
    ) -> None:
        self._first_wait = first_wait_seconds
        self._whole_seconds = whole_seconds
        self._interval = 1 / requests_per_second
        self._next = 0.0
        self._client = httpx2.AsyncClient(
            # With a slash at the end, paths are relative to it.
            base_url=base_url.rstrip("/") + "/",
            auth=auth,
            headers={"User-Agent": AGENT, **(headers or {})},
            verify=ssl.create_default_context(cafile=ca_file) if ca_file else trusted(),
            timeout=timeout_seconds,
        )

    @asynccontextmanager
    async def opened(self) -> AsyncIterator["Client"]:
        """The client at work; its connections are closed in the end."""
        async with self._client:
            yield self

    async def json(
        self, path: str, params: Mapping[str, str] | None = None, *, method: str = "GET", **fields: Any
    ) -> Any:
        """The JSON that a request is answered with; as `request`."""
        return await self.request(method, path, _json, params=params, **fields)

    async def request(
        self,
        method: str,
        path: str,
        parse: Callable[[Answer], T],
        *,
        authenticate: bool = True,
        accept: Collection[int] = (),
        **fields: Any,
    ) -> T:
        """What `parse` makes of a successful answer; `fields` are those of httpx's `build_request`.

        `path` is below the base URL, or an absolute URL; `accept` are statuses of errors that are answers all
        the same, such as SOAP's faults. A ValueError of `parse` means an answer that is not
        whole; like a status that says "busy" it is asked for again, after the time that the source names.
        Raises NotThere, NotAllowed, Unreachable or BadAnswer.
        """
        auth = httpx2.USE_CLIENT_DEFAULT if authenticate else None

        async def attempt() -> T:
            request = self._client.build_request(method, path, **fields)
            return await self._attempt(request, auth, parse, accept)

        retrying = tenacity.AsyncRetrying(
            stop=tenacity.stop_after_attempt(ATTEMPTS),
            wait=self._wait,
            retry=tenacity.retry_if_exception(_is_worth_another),
            reraise=True,
        )
        try:
            return await retrying(attempt)
        except _Again as failed:
            failed.error.retry_after = failed.retry_after
            raise failed.error from failed.__cause__

    def _wait(self, state: tenacity.RetryCallState) -> float:
        failed = state.outcome.exception() if state.outcome else None
        if isinstance(failed, _Again) and failed.retry_after is not None:
            return failed.retry_after
        backoff = self._first_wait * 2.0 ** (state.attempt_number - 1)
        return float(min(MAX_WAIT_SECONDS, backoff * random.uniform(0.75, 1.25)))  # noqa: S311 - only spreads

    async def _attempt(
        self, request: httpx2.Request, auth: Any, parse: Callable[[Answer], T], accept: Collection[int]
    ) -> T:
        await self._turn()
        place = f"{request.method} {_shown(request.url)}"
        try:
            # A body may hold a password, which no other host is to get; httpx keeps the token from it itself.
            follows = request.method == "GET"
            async with asyncio.timeout(self._whole_seconds):
                response = await self._client.send(request, auth=auth, stream=True, follow_redirects=follows)
                try:
                    if response.status_code not in accept:
                        _check(response, place)
                    answer = Answer(response.status_code, await _body(response, place), response.headers)
                finally:
                    await response.aclose()
        except TimeoutError as error:
            said = (
                f"the answer did not end within {self._whole_seconds:g} s; look whether a proxy on the way "
                "holds it up, otherwise whoever runs the source has to make it answer faster"
            )
            raise _Again(Unreachable(f"{place}: {said}")) from error
        except httpx2.TimeoutException as error:
            raise _Again(Unreachable(f"{place}: no answer in time")) from error
        except httpx2.TooManyRedirects as error:
            raise BadAnswer(f"{place}: redirects in a circle; set url to the address it ends at") from error
        except httpx2.HTTPError as error:
            # The text of a transport's error names hosts and system errors, never a header or a body.
            raise _Again(Unreachable(f"{place}: {str(error) or type(error).__name__}")) from error
        try:
            return parse(answer)
        except ValueError as error:
            said = "the answer is not whole, or not what the interface promises"
            raise _Again(BadAnswer(f"{place}: {said} ({error})")) from error

    async def _turn(self) -> None:
        """Wait until the next request may be made."""
        now = time.monotonic()
        turn = max(now, self._next)
        self._next = turn + self._interval
        await asyncio.sleep(turn - now)


class Token(httpx2.Auth):
    """Authenticates by a token that a login gives, anew when the source no longer takes it."""

    def __init__(self, login: Callable[[], Awaitable[str]], *, token: str | None = None) -> None:
        self._login = login
        self._token = token
        self._logging_in = asyncio.Lock()

    async def async_auth_flow(
        self, request: httpx2.Request
    ) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        """The request with a token; once more with a new one if that is refused."""
        for _ in range(2):
            # Of several requests that are under way only one logs in, and none drops what another just got.
            async with self._logging_in:
                if self._token is None:
                    self._token = await self._login()
                token = self._token
            request.headers["Authorization"] = f"Bearer {token}"
            response = yield request
            if response.status_code != 401:
                return
            if self._token == token:
                self._token = None


def json_list(answer: Answer) -> list[Any]:
    """The JSON list that an answer is, of whatever. Raises ValueError if it is something else."""
    items = json.loads(answer.content)
    if not isinstance(items, list):
        raise ValueError("is no list")
    return items


def _json(answer: Answer) -> Any:
    return json.loads(answer.content)


def _is_worth_another(error: BaseException) -> bool:
    return isinstance(error, _Again) and (error.retry_after or 0) <= MAX_WAIT_SECONDS


def _check(response: httpx2.Response, place: str) -> None:
    status = response.status_code
    if response.is_success:
        return
    said = f"{place}: answered {status} {response.reason_phrase}".rstrip()
    if status in (401, 403):
        refusal = NotAllowed if status == 401 else Forbidden
        raise refusal(f"{said}; check the credentials of the source, and what its account may read")
    if status in (404, 410):
        raise NotThere(f"{said}; check the url of the source")
    if status in _BUSY:
        raise _Again(Unreachable(said), _retry_after(response))
    raise BadAnswer(f"{said}; check the url of the source, and whether its version is a supported one")


async def _body(response: httpx2.Response, place: str) -> bytes:
    """The whole body, unless it is too large."""
    parts, size = [], 0
    async for part in response.aiter_bytes():
        size += len(part)
        if size > MAX_BODY_BYTES:
            most = f"{MAX_BODY_BYTES // 2**20} MiB"
            raise BadAnswer(
                f"{place}: the answer has more than {most}, the most that is read at a time; whoever runs "
                "the source has to give smaller pages"
            )
        parts.append(part)
    return b"".join(parts)


def _retry_after(response: httpx2.Response) -> float | None:
    """Seconds that the source asks for (RFC 9110, 10.2.3: a number, or a date)."""
    said = response.headers.get("Retry-After", "").strip()
    if said.isdecimal():
        return float(said)
    try:
        until = parsedate_to_datetime(said)
    except ValueError:
        return None
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max(0.0, (until - datetime.now(UTC)).total_seconds())


def _shown(url: httpx2.URL) -> str:
    """The URL without what may be secret: user, password, query and fragment."""
    port = f":{url.port}" if url.port else ""
    return f"{url.scheme}://{url.host}{port}{url.path}"
