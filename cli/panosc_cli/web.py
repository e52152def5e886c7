"""HTTP as a laptop on a train needs it: with time limits, and another attempt where that may help."""

import json
import random
import ssl
from collections.abc import Awaitable, Callable
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from ipaddress import ip_address
from time import time
from typing import TypeVar

import httpx2
import tenacity
from pydantic import BaseModel, ValidationError

from panosc_cli.failures import Failure, Misused, NotAllowed

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)

TIMEOUT = httpx2.Timeout(30.0, connect=10.0)
"""Without a byte for so long, a request is given up."""
ATTEMPTS = 6
FIRST_WAIT_SECONDS, MAX_WAIT_SECONDS = 0.5, 60.0
MAX_DETAIL_BYTES = 64 * 1024
_BUSY = frozenset({408, 423, 425, 429, 500, 502, 503, 504})
"""Statuses that another attempt may do without."""


class Again(Failure):
    """An attempt failed in a way that another may not; `after`: seconds that the server wants to be left."""

    def __init__(self, message: str, after: float | None = None) -> None:
        super().__init__(message)
        self.after = after


def client(auth: httpx2.Auth | None = None) -> httpx2.AsyncClient:
    """A client that follows redirects; to another host it takes no token."""
    context = ssl.create_default_context()
    # The default since Python 3.13; but authorities that facilities made often lack what it asks for.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    headers = {"User-Agent": "panosc"}
    return httpx2.AsyncClient(
        auth=auth, verify=context, timeout=TIMEOUT, follow_redirects=True, headers=headers
    )


def origin(address: str | httpx2.URL) -> str:
    """Scheme, host and port of an address. Raises Misused for what is no web address."""
    try:
        url = httpx2.URL(address)
    except httpx2.InvalidURL as error:
        raise Misused(f"{address} is no web address: {error}") from error
    if url.scheme not in ("http", "https") or not url.host:
        raise Misused(f"{address} is no web address: it must begin with https:// and a host")
    return f"{url.scheme}://{url.netloc.decode()}"


def keeps_secrets(address: str | httpx2.URL) -> bool:
    """Whether nobody on the way reads what is sent there."""
    url = httpx2.URL(address)
    return url.scheme == "https" or _is_here(url.host)


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


async def patiently(attempt: Callable[[], Awaitable[T]]) -> T:
    """What an attempt gives; it is made again, less and less often, while it raises Again."""

    async def once() -> T:
        try:
            return await attempt()
        except httpx2.TransportError as error:
            raise Again(f"{_host(error)} does not answer: {error or type(error).__name__}") from error
        except httpx2.RequestError as error:
            raise Failure(f"{_host(error)} cannot be understood: {error or type(error).__name__}") from error
        except httpx2.InvalidURL as error:
            raise Failure(f"a server names an address that is none: {error}") from error

    retrying = tenacity.AsyncRetrying(
        retry=tenacity.retry_if_exception(_is_worth_another),
        wait=_wait,
        stop=tenacity.stop_after_attempt(ATTEMPTS),
        reraise=True,
    )
    return await retrying(once)


async def document(web: httpx2.AsyncClient, url: str, model: type[M], *, follow_redirects: bool = True) -> M:
    """The JSON at an address. Raises Failure."""
    return understood(model, await answered(web, url, follow_redirects=follow_redirects))


def understood(model: type[M], response: httpx2.Response) -> M:
    """The answer as a model. Raises Failure."""
    try:
        return model.model_validate_json(response.content)
    except ValidationError as error:
        what = error.errors()[0]
        place = ".".join(map(str, what["loc"]))
        raise Failure(
            f"{response.url} is answered otherwise than expected ({place}: {what['msg']}): "
            "is it the address of a PaNOSC service?"
        ) from error


async def answered(
    web: httpx2.AsyncClient,
    url: str,
    *,
    method: str = "GET",
    params: dict[str, str] | None = None,
    headers: dict[str, str] | None = None,
    form: dict[str, str] | None = None,
    follow_redirects: bool = True,
) -> httpx2.Response:
    """A successful answer, read to its end, to a request that may be repeated. Raises Failure."""

    async def attempt() -> httpx2.Response:
        response = await web.request(
            method, url, params=params, headers=headers, data=form, follow_redirects=follow_redirects
        )
        await check(response)
        return response

    return await patiently(attempt)


async def check(response: httpx2.Response) -> None:
    """Raises Failure for an answer that is none."""
    if response.is_success:
        return
    status = response.status_code
    message = f"{response.url}: {await _detail(response)} ({status})"
    if status in _BUSY:
        raise Again(message, _retry_after(response.headers.get("Retry-After")))
    raise (
        NotAllowed(message)
        if status in (401, 403)
        else NotThere(message)
        if status == 404
        else Failure(message)
    )


class NotThere(Failure):
    """There is no such thing, or whoever asks may not see it."""


async def _detail(response: httpx2.Response) -> str:
    """What the server says of its refusal, as a problem document, LoopBack or OAuth has it."""
    body = b""
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > MAX_DETAIL_BYTES:
            break
    try:
        told = json.loads(body)
    except ValueError:
        told = None
    if isinstance(told, dict):
        error = told.get("error")
        said = error.get("message") if isinstance(error, dict) else told.get("error_description") or error
        if detail := told.get("detail") or said:
            return printable(str(detail))
    return HTTPStatus(response.status_code).phrase if response.status_code in _STATUSES else "no success"


_STATUSES = frozenset(status.value for status in HTTPStatus)


def printable(text: str) -> str:
    """The text without what would command a terminal."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def _retry_after(given: str | None) -> float | None:
    if given is None:
        return None
    if given.isdecimal():
        return float(given)
    try:
        return parsedate_to_datetime(given).timestamp() - time()
    except ValueError:
        return None


def _is_worth_another(error: BaseException) -> bool:
    return isinstance(error, Again) and (error.after or 0) <= MAX_WAIT_SECONDS


def _wait(state: tenacity.RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, Again) and error.after is not None:
        return max(error.after, 0.0)
    most = min(FIRST_WAIT_SECONDS * 2**state.attempt_number, MAX_WAIT_SECONDS)
    return random.uniform(most / 2, most)  # noqa: S311 -- spreads load, keeps no secret


def _host(error: httpx2.RequestError) -> str:
    try:
        return origin(error.request.url)
    except RuntimeError:  # it failed before there was a request
        return "the server"
