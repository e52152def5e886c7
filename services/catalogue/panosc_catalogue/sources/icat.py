"""ICAT 5 and 6, through python-icat.

Everything is read by ascending id, so that what comes or goes meanwhile shifts no page. What changed is found
by `modTime` where tables are small; ICAT has no index on it, so what a facility has by the hundred million,
parameters and files, is found by newer ids, and values changed in place by the listing of everything.
"""

import functools
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from xml.sax import SAXException

import anyio.to_thread
import icat
import icat.exception
import icat.query

from panosc_catalogue.settings import Facility, IcatSource
from panosc_catalogue.sources.base import (
    Adapter,
    BadAnswer,
    Cursor,
    Fetched,
    Kind,
    NotAllowed,
    Page,
    Refused,
    SourceError,
    Unreachable,
    page_of,
    parsed,
)
from panosc_catalogue.sources.credentials import Credentials
from panosc_catalogue.sources.http import FIRST_WAIT_SECONDS, TIMEOUT_SECONDS, Client
from panosc_catalogue.sources.icat_records import Mapping
from panosc_catalogue.sources.soap import Transport
from panosc_catalogue.store import AnyRecord

T = TypeVar("T")

PATH = "ICATService/ICAT"
PAGE = 100
"""Entities of a page; fewer where ICAT finds them too large with all that belongs to them."""
CHILDREN = 1000
"""Parameters or files read at once of a dataset that has too many to come with it."""
OVERLAP = timedelta(hours=2)
"""How far behind the newest change one goes back: for transactions that took long, and for the hour that
comes twice, as JPQL's timestamps have no zone."""
ID_OVERLAP = 200
"""The same for ids: the server draws them in blocks, of 50, before it writes."""
OLDEST = "5.0"


@dataclass(frozen=True)
class _Listing:
    """One kind of entities."""

    entity: str
    kind: Kind
    prefix: str
    """Of the records' original ids."""
    includes: tuple[str, ...]
    changes_with: tuple[tuple[str, str], ...] = ()
    """Relations whose entities' changes are its changes; with the name of the entity."""
    grows_by: tuple[tuple[str, str], ...] = ()
    """Relations that may be as large that only new ids can be looked for."""


_LISTINGS = (
    _Listing("Instrument", Kind.INSTRUMENT, "", ()),
    _Listing(
        "Investigation",
        Kind.DOCUMENT,
        "investigation/",
        ("type", "keywords", "investigationUsers.user", "parameters.type", "fundingReferences.funding"),
        changes_with=(
            ("keywords", "Keyword"),
            ("investigationUsers", "InvestigationUser"),
            ("investigationUsers.user", "User"),
            ("parameters", "InvestigationParameter"),
            ("fundingReferences", "InvestigationFunding"),
            ("fundingReferences.funding", "FundingReference"),
        ),
    ),
    _Listing(
        "DataPublication",
        Kind.DOCUMENT,
        "publication/",
        ("users.user", "users.affiliations", "fundingReferences.funding"),
        changes_with=(
            ("users", "DataPublicationUser"),
            ("fundingReferences", "DataPublicationFunding"),
            ("fundingReferences.funding", "FundingReference"),
        ),
    ),
    # Last, so that what decides their embargo is there.
    _Listing(
        "Dataset",
        Kind.DATASET,
        "",
        (
            "investigation.type",
            "investigation.investigationInstruments.instrument",
            "investigation.dataCollectionInvestigations.dataCollection.dataPublications",
            "sample",
            "datasetInstruments.instrument",
            "datasetTechniques.technique",
            "dataCollectionDatasets.dataCollection.dataPublications",
            "parameters.type",
            "datafiles",
        ),
        changes_with=(
            ("sample", "Sample"),
            ("dataCollectionDatasets.dataCollection.dataPublications", "DataPublication"),
            ("investigation.dataCollectionInvestigations.dataCollection.dataPublications", "DataPublication"),
        ),
        grows_by=(
            ("parameters", "DatasetParameter"),
            ("datafiles", "Datafile"),
            ("datasetInstruments", "DatasetInstrument"),
            ("datasetTechniques", "DatasetTechnique"),
            ("dataCollectionDatasets", "DataCollectionDataset"),
        ),
    ),
)
_LARGE = ("parameters.type", "datafiles")


@dataclass(frozen=True)
class _Step:
    """A listing, and which of its entities: all, or those that one condition finds."""

    listing: _Listing
    conditions: dict[str, str]


class _TooMany(Exception):
    """With what belongs to them these are more entities than the server gives at once."""


class Icat(Adapter):
    """One ICAT server."""

    def __init__(
        self,
        name: str,
        source: IcatSource,
        facility: Facility,
        *,
        timeout_seconds: float = TIMEOUT_SECONDS,
        first_wait_seconds: float = FIRST_WAIT_SECONDS,
    ) -> None:
        self._source = source
        self._credentials = Credentials(source.credentials)
        self._http = Client(
            source.url,
            requests_per_second=source.requests_per_second,
            ca_file=self._credentials.ca_file,
            timeout_seconds=timeout_seconds,
            first_wait_seconds=first_wait_seconds,
        )
        self._mapping = Mapping(name, facility)

    async def changes(self, since: Cursor | None) -> AsyncGenerator[Page, None]:
        """All pages; a cursor holds the marks of what was read before, and in a listing where it stands."""
        async with self._http.opened():
            session = await _in_thread(lambda: _Session(self._http, self._source, self._credentials))
            if since and "step" in since:
                cursor = since
            else:
                before = since["marks"] if since else None
                marks = await _in_thread(lambda: session.marks(before))
                cursor = {"since": before, "marks": marks, "step": 0, "after": 0}
            async for page in self._steps(session, cursor):
                yield page
            await _in_thread(session.close)

    async def _steps(self, session: "_Session", cursor: Cursor) -> AsyncIterator[Page]:
        steps = list(_steps(cursor["since"]))
        for number in range(cursor["step"], len(steps)):
            is_last = number == len(steps) - 1
            after, size = (cursor["after"] if number == cursor["step"] else 0), PAGE
            while True:
                read = functools.partial(self._page, session, steps[number], after, size)
                try:
                    items, newest = await _in_thread(read)
                except _TooMany:
                    size //= 2
                    continue
                after = newest or after
                is_over = len(items) < size
                size = min(PAGE, size * 2)
                if is_over and is_last:
                    yield page_of(items, {"marks": cursor["marks"]}, complete=cursor["since"] is None)
                    return
                here = {"step": number + 1, "after": 0} if is_over else {"step": number, "after": after}
                yield page_of(items, {**cursor, **here})
                if is_over:
                    break

    def _page(
        self, session: "_Session", step: _Step, after: int, size: int
    ) -> tuple[list[Fetched | Refused], int | None]:
        """The records of the entities behind an id, and the id of the last."""
        listing = step.listing
        conditions = {**step.conditions, "id": f"> {after}"}
        alone = size == 1 and listing.entity == "Dataset"
        includes = [name for name in listing.includes if not (alone and name in _LARGE)]
        distinct = bool(step.conditions)
        entities = session.search(listing.entity, conditions, includes, size, distinct=distinct)
        items = [self._record(session, listing, entity, alone=alone) for entity in entities]
        return items, entities[-1].id if entities else None

    def _record(
        self, session: "_Session", listing: _Listing, entity: Any, *, alone: bool
    ) -> Fetched | Refused:
        origin = f"{listing.prefix}{entity.id}"
        if listing.entity == "Dataset":
            if alone:
                parameters = session.children("DatasetParameter", entity.id, ["type"])
                datafiles = session.children("Datafile", entity.id, [])
            else:
                parameters, datafiles = entity.parameters, entity.datafiles
            return parsed(listing.kind, origin, lambda: self._mapping.dataset(entity, parameters, datafiles))
        mappings: dict[str, Callable[[Any], AnyRecord]] = {
            "Instrument": self._mapping.instrument,
            "Investigation": self._mapping.investigation,
            "DataPublication": self._mapping.publication,
        }
        make = mappings[listing.entity]
        return parsed(listing.kind, origin, lambda: make(entity))


def _steps(since: dict[str, Any] | None) -> Iterator[_Step]:
    """What to read, in order."""
    for listing in _LISTINGS:
        if since is None:
            yield _Step(listing, {})
            continue
        moment = datetime.fromisoformat(since["time"]) - (timedelta() if since["settled"] else OVERLAP)
        for relation in ("", *(f"{name}." for name, _ in listing.changes_with)):
            yield _Step(listing, {f"{relation}modTime": f">= {{ts {moment:%Y-%m-%d %H:%M:%S}}}"})
        for relation, entity in listing.grows_by:
            newest = since["ids"][entity] - (0 if since["settled"] else ID_OVERLAP)
            yield _Step(listing, {f"{relation}.id": f"> {max(0, newest)}"})


class _Client(icat.Client):  # type: ignore[misc]  # python-icat has no types
    """python-icat's client with our transport."""

    def __init__(self, transport: Transport, url: str) -> None:
        self._http = transport
        # suds would keep descriptions as pickles in a directory that others may write to.
        super().__init__(url, cache=None)
        # It would log out wherever it is garbage-collected; `close` does so instead.
        self.autoLogout = False

    def set_options(self, **options: Any) -> None:
        super().set_options(**{**options, "transport": self._http})


def _described(http: Client, url: str) -> _Client:
    """The client that the service's description makes. Raises BadAnswer if there is none, or another's."""
    try:
        return _Client(Transport(http, PATH), url)
    except (SourceError, icat.exception.ICATError):
        raise
    except Exception as error:  # suds has no class of its own for a description that makes no sense
        raise BadAnswer(f"what answers is not ICAT's SOAP interface ({error}); check url") from error


class _Session:
    """A login at the server, renewed when it expires; blocking, for threads."""

    def __init__(self, http: Client, source: IcatSource, credentials: Credentials) -> None:
        self._authenticator = source.authenticator
        self._credentials = (
            {}
            if source.authenticator == "anon"
            else {key: credentials.require(key) for key in ("username", "password")}
        )
        self._client = _described(http, f"{source.url.rstrip('/')}/{PATH}?wsdl")
        if self._client.apiversion < OLDEST:
            raise BadAnswer(f"the server is ICAT {self._client.apiversion}; supported are 5 and 6")
        self._login()

    def _login(self) -> None:
        try:
            self._client.login(self._authenticator, self._credentials)
        except icat.exception.ICATSessionError as error:
            raise NotAllowed(
                f"ICAT's authenticator {self._authenticator} refuses the login: {error}; "
                "check authenticator, and username and password in the source's Secret"
            ) from error

    def _query(self, text: str) -> list[Any]:
        try:
            self._client.autoRefresh()
            return self._client.search(text)  # type: ignore[no-any-return]
        except icat.exception.ICATSessionError:
            self._client.sessionId = None
            self._login()
            return self._client.search(text)  # type: ignore[no-any-return]

    def search(
        self,
        entity: str,
        conditions: dict[str, str],
        includes: list[str],
        limit: int,
        *,
        distinct: bool = False,
    ) -> list[Any]:
        """Entities by ascending id. Raises _TooMany where fewer of them might do."""
        query = icat.query.Query(
            self._client,
            entity,
            aggregate="DISTINCT" if distinct else None,
            conditions=conditions,
            includes=includes,
            order=["id"],
            limit=(0, limit),
        )
        try:
            return self._query(str(query))
        except icat.exception.ICATValidationError:
            if limit == 1:
                raise
            raise _TooMany from None

    def children(self, entity: str, dataset: int, includes: list[str]) -> list[Any]:
        """All parameters or files of a dataset, some at a time."""
        found: list[Any] = []
        size = CHILDREN
        while True:
            after = found[-1].id if found else 0
            conditions = {"dataset.id": f"= {dataset}", "id": f"> {after}"}
            try:
                more = self.search(entity, conditions, includes, size)
            except _TooMany:
                size //= 2
                continue
            found += more
            if len(more) < size:
                return found

    def marks(self, before: dict[str, Any] | None) -> dict[str, Any]:
        """How far the server's changes go now, by its own clock and in its local time.

        A mark that has not moved for longer than the overlap is settled: nothing can come behind it.
        """
        timed = {listing.entity for listing in _LISTINGS}
        timed |= {entity for listing in _LISTINGS for _, entity in listing.changes_with}
        moments = [moment for entity in sorted(timed) if (moment := self._newest(entity, "modTime"))]
        ids = {
            entity: self._newest(entity, "id") or 0 for listing in _LISTINGS for _, entity in listing.grows_by
        }
        now = datetime.now(UTC)
        newest = max(moments, default=now).replace(microsecond=0, tzinfo=None).isoformat()
        marks = {"time": newest, "ids": ids, "seen": now.isoformat(), "settled": False}
        if before and (before["time"], before["ids"]) == (newest, ids):
            age = now - datetime.fromisoformat(before["seen"])
            marks |= {"seen": before["seen"], "settled": before["settled"] or age > OVERLAP}
        return marks

    def _newest(self, entity: str, attribute: str) -> Any:
        query = icat.query.Query(self._client, entity, attributes=attribute, aggregate="MAX")
        found = self._query(str(query))
        return found[0] if found else None

    def close(self) -> None:
        """Log out; a server that no longer answers ends the session by itself."""
        try:
            self._client.logout()
        except (SourceError, icat.exception.ICATError):
            self._client.sessionId = None


async def _in_thread(read: Callable[[], T]) -> T:
    """What blocking python-icat gives, its errors as those of a source."""
    try:
        return await anyio.to_thread.run_sync(read, abandon_on_cancel=True)
    except icat.exception.ICATInternalError as error:
        raise Unreachable(f"ICAT reports an internal error: {error}") from error
    except (icat.exception.ICATPrivilegesError, icat.exception.ICATSessionError) as error:
        raise NotAllowed(
            f"ICAT refuses to read: {error}; check what the source's account may read"
        ) from error
    except icat.exception.ICATError as error:
        raise BadAnswer(f"ICAT refuses a query: {error}") from error
    except SAXException as error:
        raise BadAnswer(f"ICAT's answer is not well-formed: {error}") from error
