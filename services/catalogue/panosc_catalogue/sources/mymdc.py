"""EuXFEL's metadata catalogue myMdC: proposals are documents, runs are datasets.

It tells no changes. Runs come while there is beamtime, so in between only those of recent proposals are read
again; all others with the listing of everything.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from urllib.parse import quote

import structlog

from panosc_catalogue.records import (
    DatasetRecord,
    DocumentHeader,
    DocumentRecord,
    File,
    Instrument,
    Member,
    Parameter,
    Person,
    Sample,
    Technique,
    instrument_pid,
)
from panosc_catalogue.settings import Facility, MyMdcSource
from panosc_catalogue.sources.base import (
    UNNAMED,
    Adapter,
    Cursor,
    Deleted,
    Fetched,
    Kind,
    NotAllowed,
    Page,
    Refused,
    local_pid,
    named,
    page_of,
    parsed,
)
from panosc_catalogue.sources.credentials import Credentials
from panosc_catalogue.sources.http import (
    FIRST_WAIT_SECONDS,
    TIMEOUT_SECONDS,
    Answer,
    Client,
    Forbidden,
    NotThere,
    Token,
    json_list,
)

log = structlog.stdlib.get_logger(__name__)

T = TypeVar("T")
Item = Mapping[str, Any]

PAGE = 100
FILES_PAGE = 500
"""The most that it gives at once: a run may have thousands of files."""
AT_ONCE = 8
"""Requests that wait for their answers at the same time, where each is for one record."""
RECENT = timedelta(days=60)
"""Time after the end of a beamtime for which runs may still come or change."""
_PATHS = {Kind.DOCUMENT: "proposals", Kind.DATASET: "runs", Kind.INSTRUMENT: "instruments"}
_PEOPLE = {
    "principal investigator": "principal_investigator_id",
    "main proposer": "main_proposer_id",
}
"""Fields of a proposal that name users, by the role that these have."""

FORBIDDEN = "(forbidden)"
"""Stands, with the proposal's number, for the source's names of what the account may not read of it."""
_DATA = "data of runs"


@dataclass(frozen=True)
class _List:
    """A page of a list."""

    items: list[Any]
    is_last: bool


@dataclass
class _Known:
    """What proposals and runs refer to by numbers, here as text; read once a run."""

    instruments: dict[str, Item] = field(default_factory=dict)
    units: dict[str, Item] = field(default_factory=dict)
    users: dict[str, Item | None] = field(default_factory=dict)


class MyMdc(Adapter):
    """One myMdC."""

    def __init__(
        self,
        name: str,
        source: MyMdcSource,
        facility: Facility,
        *,
        timeout_seconds: float = TIMEOUT_SECONDS,
        first_wait_seconds: float = FIRST_WAIT_SECONDS,
    ) -> None:
        self._name = name
        self._facility = facility
        self._credentials = Credentials(source.credentials)
        self._http = Client(
            source.url,
            requests_per_second=source.requests_per_second,
            auth=Token(self._login),
            headers={
                "Accept": "application/json; version=1",
                "X-User-Email": self._credentials.require("user_email"),
            },
            ca_file=self._credentials.ca_file,
            timeout_seconds=timeout_seconds,
            first_wait_seconds=first_wait_seconds,
        )
        self._known = _Known()
        self._forbidden: set[str] = set()
        """What the account may not read of the proposal that is being read."""

    async def _login(self) -> str:
        form = {
            "grant_type": "client_credentials",
            "client_id": self._credentials.require("client_id"),
            "client_secret": self._credentials.require("client_secret"),
        }
        try:
            answer = await self._http.json("oauth/token", method="POST", data=form, authenticate=False)
        except NotAllowed as error:
            raise NotAllowed(
                "myMdC refuses the login; check client_id and client_secret in the source's Secret"
            ) from error
        return str(answer["access_token"])

    async def changes(self, since: Cursor | None) -> AsyncGenerator[Page, None]:
        """All pages; a cursor holds the page of proposals and how many of them are done."""
        cursor: Cursor = {"everything": since is None, "page": 1, "done": 0}
        if since and "page" in since:
            cursor = since
        async with self._http.opened():
            self._known.units = _by_name(await self._all("units/"))
            instruments = await self._all("instruments/")
            self._known.instruments = _by_name(instruments)
            yield page_of([self._instrument(of) for of in instruments], cursor)
            number, done, is_last = cursor["page"], cursor["done"], False
            while not is_last:
                proposals = await self._list("proposals/", {}, number)
                for count, proposal in enumerate(proposals.items[done:], done + 1):
                    async for page in self._proposal(proposal, {**cursor, "page": number, "done": count - 1}):
                        yield page
                number, done, is_last = number + 1, 0, proposals.is_last
                yield Page({**cursor, "page": number, "done": 0})
            yield Page({}, complete=cursor["everything"])

    async def _proposal(self, proposal: Any, cursor: Cursor) -> AsyncIterator[Page]:
        """The proposal, and its runs if they are wanted, each with what the account may not read of them."""
        if not _is_available(proposal):
            return
        origin = named(Kind.DOCUMENT, proposal, "id")
        if isinstance(origin, Refused):
            yield page_of([origin], cursor)
            return
        self._forbidden.clear()
        for name in _PEOPLE.values():
            await self._user(proposal.get(name))
        document = parsed(Kind.DOCUMENT, origin, lambda: self._document(proposal))
        yield page_of([document], cursor)
        if isinstance(document, Refused):
            return
        yield self._left_out(Kind.DOCUMENT, proposal, cursor)
        if not (cursor["everything"] or _is_recent(self._header(proposal))):
            return
        samples = await self._readable("samples", self._all("samples/", proposal_id=origin))
        by_name = None if samples is None else _by_name(samples)
        number, is_last = 1, False
        while not is_last:
            runs = await self._readable("runs", self._runs(proposal, origin, number))
            if runs is None:
                break
            there = [run for run in runs.items if _is_available(run)]
            yield page_of([await self._run(proposal, run, by_name) for run in there], cursor)
            number, is_last = number + 1, runs.is_last
        yield self._left_out(Kind.DATASET, proposal, cursor)

    async def _runs(self, proposal: Item, origin: str, number: int) -> _List | None:
        """A page of runs; None if the proposal has gone meanwhile."""
        try:
            return await self._list("runs/runs_by_proposal", {"proposal_number": proposal["number"]}, number)
        except NotThere:
            if await self._is_gone(Kind.DOCUMENT, origin):
                return None
            raise

    async def gone(self, kind: Kind, origin_ids: Sequence[str]) -> Collection[str]:
        """Those that a request for each does not find: pages by number may miss some.

        myMdC documents no list of things by their ids.
        """
        hidden: list[str] = []

        async def is_gone(key: str) -> bool:
            if key == UNNAMED:
                return True
            if key.startswith(FORBIDDEN):
                found = await self._all("proposals/", number=key.removeprefix(FORBIDDEN).strip())
                return not any(map(_is_available, found))
            try:
                return await self._is_gone(kind, key)
            except Forbidden:
                hidden.append(key)
                return False

        gone: list[str] = []
        for first in range(0, len(origin_ids), AT_ONCE):
            keys = origin_ids[first : first + AT_ONCE]
            answers = await asyncio.gather(*map(is_gone, keys))
            gone += [key for key, answer in zip(keys, answers, strict=True) if answer]
        if hidden:
            log.warning("records may not be read", source=self._name, kind=kind, number=len(hidden))
        return gone

    async def _is_gone(self, kind: Kind, key: str) -> bool:
        """Raises Forbidden where the account may not see it, which does not say that it is gone."""
        try:
            thing = await self._http.json(f"api/{_PATHS[kind]}/{quote(key, safe='')}")
        except NotThere:
            return True
        return not _is_available(thing)

    async def _readable(self, what: str, reading: Awaitable[T], *, may_lack: bool = False) -> T | None:
        """What is read; None where the account may not read it, or where it may lack and does (404)."""
        try:
            return await reading
        except NotThere:
            if not may_lack:
                raise
        except Forbidden:
            self._forbidden.add(what)
        return None

    def _left_out(self, kind: Kind, proposal: Item, cursor: Cursor) -> Page:
        """Reports what the account may not read of this kind; else takes back what was reported before."""
        origin, parts = f"{FORBIDDEN} {proposal['number']}", ", ".join(sorted(self._forbidden))
        self._forbidden.clear()
        if not parts:
            return Page(cursor, deleted=[Deleted(kind, origin)])
        said = f"left out, as the account may not read them: {parts}"
        return Page(cursor, refused=[Refused(kind, origin, said)])

    async def _list(self, path: str, query: dict[str, Any], number: int) -> _List:
        params = {"page": number, "page_size": PAGE, **query}
        return await self._http.request(
            "GET", f"api/{path}", _list, params={key: str(value) for key, value in params.items()}
        )

    async def _all(self, path: str, **query: Any) -> list[Any]:
        page = await self._list(path, query, 1)
        items, number = page.items, 1
        while not page.is_last:
            number += 1
            page = await self._list(path, query, number)
            items += page.items
        return items

    async def _user(self, key: Any) -> None:
        if not _identifies(key):
            return
        if str(key) not in self._known.users:
            try:
                user = await self._http.json(f"api/users/{quote(str(key), safe='')}")
            except NotThere:
                user = {}
            except Forbidden:
                user = None
            self._known.users[str(key)] = user
        if self._known.users[str(key)] is None:
            self._forbidden.add("people")

    def _instrument(self, instrument: Any) -> Fetched | Refused:
        origin = named(Kind.INSTRUMENT, instrument, "id")
        if isinstance(origin, Refused):
            return origin
        return parsed(
            Kind.INSTRUMENT,
            origin,
            lambda: Instrument(
                pid=instrument_pid(self._facility.name, _identifier(instrument, "identifier")),
                name=instrument["name"],
                facility=self._facility.label,
            ),
        )

    def _header(self, proposal: Item) -> DocumentHeader:
        return DocumentHeader(
            pid=local_pid(self._facility, _identifier(proposal, "number")),
            type="proposal",
            title=proposal["title"],
            doi=proposal.get("doi"),
            start_date=proposal.get("beamtime_start_at") or proposal.get("begin_at"),
            end_date=proposal.get("beamtime_end_at") or proposal.get("end_at"),
            release_date=proposal.get("release_at"),
        )

    def _document(self, proposal: Item) -> DocumentRecord:
        people = {
            role: _identifier(proposal, name)
            for role, name in _PEOPLE.items()
            if proposal.get(name) is not None
        }
        users = {role: (key, self._known.users[key]) for role, key in people.items()}
        given: dict[str, Any] = {}
        # Without the right to see one, those known stay: to take them all away would be believed.
        if all(user is not None for _, user in users.values()):
            given["members"] = [
                Member(role=role, person=self._person(key, user))
                for role, (key, user) in users.items()
                if user
            ]
        return DocumentRecord(
            **self._header(proposal).model_dump(exclude_unset=True), summary=proposal.get("abstract"), **given
        )

    def _person(self, key: str, user: Item) -> Person:
        return Person(
            id=local_pid(self._facility, self._name, "user", key),
            full_name=user["name"],
            orcid=user.get("orcid"),
            first_name=user.get("first_name"),
            last_name=user.get("last_name"),
        )

    async def _run(self, proposal: Item, run: Any, samples: Mapping[str, Item] | None) -> Fetched | Refused:
        origin = named(Kind.DATASET, run, "id")
        if isinstance(origin, Refused):
            return origin
        query = {"proposal_number": str(proposal["number"]), "run_number": str(run.get("run_number"))}
        asked = self._http.json("api/runs/all_raw_data_groups_ids", query)
        # A run may have gone since its page was read.
        groups = await self._readable(_DATA, asked, may_lack=True)
        if not isinstance(groups, list | None) or not all(map(_identifies, groups or ())):
            return Refused(
                Kind.DATASET, origin, f"all_raw_data_groups_ids: {groups!r:.100} is no list of ids"
            )
        parameters = await self._of_groups("parameters/", groups)
        # Older servers do not know files.
        files = await self._of_groups("dataset_files/", groups, may_lack=True, page_size=FILES_PAGE)
        return parsed(Kind.DATASET, origin, lambda: self._dataset(proposal, run, samples, parameters, files))

    async def _of_groups(
        self, path: str, groups: list[Any] | None, *, may_lack: bool = False, **query: Any
    ) -> list[Any] | None:
        """What a list has of data groups; None where not all of it can be read."""
        found: list[Any] = []
        for group in groups or ():
            asked = self._all(path, data_group_id=group, **query)
            items = await self._readable(_DATA, asked, may_lack=may_lack)
            if items is None:
                return None
            found += items
        return None if groups is None else found

    def _dataset(
        self,
        proposal: Item,
        run: Item,
        samples: Mapping[str, Item] | None,
        parameters: list[Any] | None,
        files: list[Any] | None,
    ) -> DatasetRecord:
        number = run["run_number"]
        if not isinstance(number, int):
            raise ValueError(f"run_number: {number!r:.100} is no number")
        place = _identifier(proposal, "instrument_id")
        if place not in self._known.instruments:
            raise ValueError(f"instrument_id: {place} is not among the instruments")
        instrument = self._instrument(self._known.instruments[place])
        # What cannot be read stays as it is known: to take it away would be believed.
        given: dict[str, Any] = {}
        if run.get("sample_id") is None:
            given["samples"] = []
        elif samples is not None:
            sample = samples.get(_identifier(run, "sample_id"))
            given["samples"] = [self._sample(sample)] if sample else []
        if parameters is not None:
            given["parameters"] = [self._parameter(of) for of in _objects("parameters", parameters)]
        if files is not None:
            given["files"] = [_file(of) for of in _objects("dataset_files", files) if _is_available(of)]
        return DatasetRecord(
            pid=local_pid(self._facility, str(proposal["number"]), f"r{number:04d}"),
            title=run.get("run_alias") or f"Run {number} of proposal {proposal['number']}",
            creation_date=run.get("begin_at"),
            end_date=run.get("end_at"),
            instrument=instrument.record if isinstance(instrument, Fetched) else None,
            documents=[self._header(proposal)],
            techniques=[self._technique(of) for of in _objects("techniques", run.get("techniques") or [])],
            **given,
        )

    def _technique(self, technique: Item) -> Technique:
        known = [text for text in (technique.get("url"), technique.get("identifier")) if text]
        return Technique(
            pid=known[0] if known else local_pid(self._facility, "technique", str(technique["id"])),
            name=technique["name"],
            panet_id=next((text for text in known if "PaNET" in text), None),
        )

    def _sample(self, sample: Item) -> Sample:
        return Sample(
            pid=local_pid(self._facility, self._name, "sample", str(sample["id"])),
            name=sample["name"],
            description=sample.get("description"),
        )

    def _parameter(self, parameter: Item) -> Parameter:
        unit = self._known.units.get(str(parameter.get("unit_id")), {}).get("symbol")
        return Parameter(
            name=f"{parameter['data_source']}.{parameter['name']}",
            value=_value(parameter),
            unit=f"{parameter.get('unit_prefix') or ''}{unit}" if unit else None,
        )


def _list(answer: Answer) -> _List:
    """A page; ValueError unless it has as many items as its headers say."""
    items = json_list(answer)
    total, size, page = (
        int(answer.headers.get(name, "")) for name in ("X-Total-Count", "X-Count-Per-Page", "X-Current-Page")
    )
    promised = max(0, min(size, total - (page - 1) * size))
    if len(items) != promised:
        raise ValueError(f"page {page} has not the {promised} items that its headers announce")
    return _List(items, is_last=page * size >= total)


def _is_available(thing: Any) -> bool:
    return not isinstance(thing, dict) or bool(thing.get("flg_available", True))


def _file(file: Item) -> File:
    return File(name=file["filename"], size=file.get("byte_size"))


def _by_name(things: Sequence[Any]) -> dict[str, Item]:
    """Things that others refer to; what is none of them is passed over, as nothing can refer to it."""
    return {str(thing["id"]): thing for thing in things if isinstance(thing, dict) and "id" in thing}


def _identifies(value: Any) -> bool:
    return isinstance(value, int | str) and value != ""


def _identifier(thing: Item, name: str) -> str:
    """The number or text of a field that identifies. Raises ValueError if it is something else."""
    value = thing[name]
    if not _identifies(value):
        raise ValueError(f"{name}: {value!r:.100} is no identifier")
    return str(value)


def _objects(name: str, things: Any) -> list[Item]:
    """A list of objects as it is. Raises ValueError if it is something else."""
    if not isinstance(things, list) or not all(isinstance(thing, dict) for thing in things):
        raise ValueError(f"{name}: {things!r:.100} is no list of objects")
    return things


def _is_recent(proposal: DocumentHeader) -> bool:
    return proposal.end_date is None or proposal.end_date > datetime.now(UTC) - RECENT


def _number(text: str | None) -> float | str | None:
    """myMdC gives all values as text."""
    try:
        return float(text) if text is not None else None
    except ValueError:
        return text


def _value(parameter: Item) -> float | str | tuple[float, float] | None:
    """What a quantity ran through during the run, or else its value."""
    low, high = _number(parameter.get("minimum")), _number(parameter.get("maximum"))
    if isinstance(low, float) and isinstance(high, float) and low != high:
        return low, high
    return _number(parameter.get("value"))
