"""What whoever asks may see: asked from the catalogues, which alone know the embargo and who a token is of.

An answer is kept for at most a second, so that a changed policy takes effect at once and a viewer that reads
a file in hundreds of ranges does not ask hundreds of times. Nothing is shown while a catalogue that could
allow or forbid it is silent.
"""

import asyncio
import contextlib
import copy
import hashlib
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

import httpx2
import structlog
from panosc_common.access import Reason
from panosc_common.audit import Sight
from panosc_common.problem import Problem
from panosc_common.service_accounts import CHALLENGE, HEADER
from panosc_common.signed import SCHEME
from pydantic import BaseModel, ValidationError

CACHE_SECONDS = 1.0
CACHE_ENTRIES = 100_000
PATHS_PER_REQUEST = 1000
TIMEOUT = httpx2.Timeout(3.0, connect=1.0)
ATTEMPTS = 2
RETRY_PAUSE_SECONDS = 0.1
RETRIED_STATUS = frozenset({502, 503, 504})

log = structlog.stdlib.get_logger(__name__)


_Model = TypeVar("_Model", bound=BaseModel)


class CatalogueUnavailable(Exception):
    """A catalogue did not answer, or not in the agreed form: who may see what is unknown.

    `told` is what it says of that itself, such as that the login is away.
    """

    def __init__(self, why: str, told: str = "") -> None:
        super().__init__(why)
        self.told = told


class _Closed(BaseModel):
    dataset: str
    reason: Reason


class _Visible(BaseModel):
    visible: list[str]
    subject: str | None = None
    closed: dict[str, _Closed] = {}

    def sight(self, path: str) -> Sight:
        closed = self.closed.get(path)
        if closed is None:
            return Sight(self.subject)
        return Sight(self.subject, frozenset({closed.reason}), frozenset({closed.dataset}))


class _Refusal(BaseModel):
    detail: str


class _Hindrance(BaseModel):
    why: str | None


class Child(BaseModel):
    """A visible file, or a directory with something visible in it."""

    name: str
    type: str


class Children(BaseModel):
    """A page of a directory in order of the names' code points; `next` is the last name if more follow."""

    entries: list[Child]
    next: str | None = None
    subject: str | None = None
    reasons: list[Reason] = []

    @property
    def sight(self) -> Sight:
        """Why whoever asks sees all of it."""
        return Sight(self.subject, frozenset(self.reasons))


class DatasetFile(BaseModel):
    """A file of a dataset, by archive and path there; `size` (bytes) as the catalogue knows it."""

    archive: str
    path: str
    size: int | None = None


class Dataset(BaseModel):
    """A dataset and its files."""

    pid: str
    title: str | None = None
    files: list[DatasetFile]
    subject: str | None = None
    reasons: list[Reason] = []

    @property
    def sight(self) -> Sight:
        """Why whoever asks sees it."""
        return Sight(self.subject, frozenset(self.reasons), frozenset({self.pid}))


@dataclass(frozen=True, slots=True)
class _Answer:
    sight: Sight | None
    """None: hidden."""
    until: float


class Visibility:
    """The catalogues' internal interface, for one archive; it asks for the public."""

    _authorization = ""

    def __init__(self, archive: str, catalogue_urls: Sequence[str], tokens: Path) -> None:
        """`tokens`: directory with those by which the archive shows the catalogues who it is."""
        self._name = archive
        self._archive = quote(archive, safe="")
        self._urls = [url.rstrip("/") for url in catalogue_urls]
        self._tokens = tokens
        self._client = httpx2.AsyncClient(timeout=TIMEOUT, follow_redirects=False, trust_env=False)
        self._cache: dict[tuple[bytes, str], _Answer] = {}

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    def asked_with(self, authorization: str) -> "Visibility":
        """The same for whoever a request is from, by its header `Authorization`."""
        other = copy.copy(self)
        other._authorization = authorization
        return other

    async def visible(self, paths: Collection[str]) -> dict[str, Sight]:
        """Those of `paths` (real paths of files) that whoever asks may see, and why.

        Raises CatalogueUnavailable if a catalogue is silent that would have to be asked.
        """
        now = time.monotonic()
        who = self._who()
        cached = {
            path: answer for path in paths if (answer := self._cache.get((who, path))) and answer.until > now
        }
        found = {path: answer.sight for path, answer in cached.items() if answer.sight}
        unknown = [path for path in dict.fromkeys(paths) if path not in cached]
        for start in range(0, len(unknown), PATHS_PER_REQUEST):
            found |= await self._ask(unknown[start : start + PATHS_PER_REQUEST], now)
        return found

    async def children(self, directory: str, after: str, limit: int) -> Children:
        """A page of what is visible in `directory`, of all catalogues together; empty if nothing is.

        Raises CatalogueUnavailable if any catalogue is silent.
        """
        parameters = {"directory": directory, "after": after, "limit": str(limit)}
        pages = await asyncio.gather(
            *(
                self._json("GET", f"{url}/internal/archives/{self._archive}/children", Children, parameters)
                for url in self._urls
            )
        )
        answers = [page for page in pages if page is not None]
        entries = {entry.name: entry for page in answers for entry in page.entries}
        # Behind the end of a page that goes on, the other catalogues' names would come out of order.
        horizon = min((page.next for page in answers if page.next is not None), default=None)
        names = sorted(name for name in entries if horizon is None or name <= horizon)
        more = horizon is not None or len(names) > limit
        names = names[:limit]
        return Children(
            entries=[entries[name] for name in names],
            next=names[-1] if more and names else None,
            subject=next((page.subject for page in answers if page.subject), None),
            reasons=[reason for page in answers for reason in page.reasons],
        )

    async def dataset(self, pid: str) -> Dataset | None:
        """The dataset `pid`, or None if no catalogue shows one.

        Raises CatalogueUnavailable if none shows it and one is silent.
        """
        silent: CatalogueUnavailable | None = None
        for url in self._urls:
            try:
                target = f"{url}/internal/datasets/{quote(pid, safe='')}/files"
                dataset = await self._json("GET", target, Dataset)
            except CatalogueUnavailable as error:
                silent = error
                continue
            if dataset is not None:
                return dataset
        if silent:
            raise silent
        return None

    async def hindrance(self, **what: str) -> str | None:
        """Why a signed link shows nothing of the file at `path` or the dataset `pid`, if by an embargo."""
        for url in self._urls:
            with contextlib.suppress(CatalogueUnavailable):
                parameters = {"archive": self._name, **what}
                answer = await self._json("GET", f"{url}/internal/embargo", _Hindrance, parameters)
                if answer and answer.why:
                    return answer.why
        return None

    def _who(self) -> bytes:
        """Who asks, as short as whoever else, and nothing that could be used again."""
        return hashlib.sha256(self._authorization.encode()).digest()

    async def _ask(self, paths: list[str], now: float) -> dict[str, Sight]:
        found: dict[str, Sight] = {}
        silent: CatalogueUnavailable | None = None
        for url in self._urls:
            target = f"{url}/internal/archives/{self._archive}/visible"
            try:
                answer = await self._json("POST", target, _Visible, body={"paths": paths})
            except CatalogueUnavailable as error:
                silent = error
                continue
            if answer is None:
                continue
            for path in set(answer.visible) & set(paths):
                sight = answer.sight(path)
                # What is public in one catalogue is public.
                if path not in found or not sight.reasons:
                    found[path] = sight
        if silent and len(found) < len(paths):
            raise silent
        if len(self._cache) > CACHE_ENTRIES:
            self._cache.clear()
        for path in paths:
            self._cache[self._who(), path] = _Answer(found.get(path), now + CACHE_SECONDS)
        return found

    async def _json(
        self,
        method: str,
        url: str,
        model: type[_Model],
        parameters: dict[str, str] | None = None,
        body: dict[str, list[str]] | None = None,
    ) -> _Model | None:
        """The answer as a model, None for 404. All requests only read, so that one repetition is harmless."""
        reason = told = ""
        headers = self._headers(url)
        for attempt in range(ATTEMPTS):
            if attempt:
                await asyncio.sleep(RETRY_PAUSE_SECONDS)
            try:
                response = await self._client.request(
                    method, url, params=parameters, json=body, headers=headers
                )
            except httpx2.HTTPError as error:
                reason, told = f"{type(error).__name__} {error}".strip(), ""
                continue
            if response.status_code in RETRIED_STATUS:
                reason, told = f"HTTP status {response.status_code}", _told(response)
                continue
            if response.headers.get("WWW-Authenticate") == CHALLENGE:
                # Nothing that whoever asks the archive could remedy.
                log.error("catalogue does not take the archive's own token", url=url, reason=_told(response))
                raise CatalogueUnavailable(f"{url}: {_told(response)}")
            if self._authorization and response.status_code == HTTPStatus.UNAUTHORIZED:
                raise _refused(url, response, by_link=self._authorization.startswith(f"{SCHEME} "))
            return None if response.status_code == 404 else _parsed(url, response, model)
        log.warning("catalogue does not answer", url=url, reason=reason)
        raise CatalogueUnavailable(f"{url}: {reason}", told)

    def _headers(self, url: str) -> dict[str, str]:
        """Who asks, and that it is the archive that passes it on."""
        headers = {"Authorization": self._authorization} if self._authorization else {}
        with contextlib.suppress(FileNotFoundError):
            headers[HEADER] = (self._tokens / httpx2.URL(url).host).read_text().strip()
        return headers


def _refused(url: str, response: httpx2.Response, *, by_link: bool) -> Exception:
    """What the catalogue says of a token that it does not take; of links the archive knows better."""
    detail = _told(response)
    if by_link:
        log.warning("catalogue does not take a signed link; keys reach it later", url=url, reason=detail)
        told = "the catalogue does not know the key of this signed link yet; try again in a minute"
        return CatalogueUnavailable(f"{url}: {detail}", told)
    if not detail:
        return CatalogueUnavailable(f"{url}: unexpected answer: a refusal without a reason")
    challenge = response.headers.get("WWW-Authenticate", "Bearer")
    return Problem(401, detail, headers={"WWW-Authenticate": challenge})


def _told(response: httpx2.Response) -> str:
    """The detail of a problem document; empty if it is none."""
    try:
        return _Refusal.model_validate_json(response.content).detail
    except ValidationError:
        return ""


def _parsed(url: str, response: httpx2.Response, model: type[_Model]) -> _Model:
    try:
        response.raise_for_status()
        return model.model_validate_json(response.content)
    except (httpx2.HTTPStatusError, ValidationError) as error:
        log.error("catalogue answers in an unknown form", url=url, reason=str(error))
        raise CatalogueUnavailable(f"{url}: unexpected answer") from error
