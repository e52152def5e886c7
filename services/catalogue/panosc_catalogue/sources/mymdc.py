"""EuXFEL's metadata catalogue myMdC: proposals are documents, runs are datasets.

It tells no changes. Runs come while there is beamtime, so in between only those of recent proposals are read
again; all others with the listing of everything.
"""

import json
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from panosc_catalogue.records import (
    DatasetRecord,
    DocumentHeader,
    DocumentRecord,
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
    Adapter,
    Cursor,
    Fetched,
    Kind,
    NotAllowed,
    Page,
    Refused,
    local_pid,
    page_of,
    parsed,
)
from panosc_catalogue.sources.credentials import Credentials
from panosc_catalogue.sources.http import FIRST_WAIT_SECONDS, TIMEOUT_SECONDS, Answer, Client, NotThere, Token

PAGE = 100
RECENT = timedelta(days=60)
"""Time after the end of a beamtime for which runs may still come or change."""
_PATHS = {Kind.DOCUMENT: "proposals", Kind.DATASET: "runs", Kind.INSTRUMENT: "instruments"}


@dataclass(frozen=True)
class _List:
    """A page of a list."""

    items: list[dict[str, Any]]
    is_last: bool


@dataclass
class _Known:
    """What proposals and runs refer to by numbers; read once a run."""

    instruments: dict[int, dict[str, Any]] = field(default_factory=dict)
    units: dict[int, dict[str, Any]] = field(default_factory=dict)
    users: dict[int, dict[str, Any]] = field(default_factory=dict)


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
            async for unit in self._all("units/"):
                self._known.units[unit["id"]] = unit
            async for instrument in self._all("instruments/"):
                self._known.instruments[instrument["id"]] = instrument
            yield page_of([self._instrument(of) for of in self._known.instruments.values()], cursor)
            number, done, is_last = cursor["page"], cursor["done"], False
            while not is_last:
                proposals = await self._list("proposals/", {}, number)
                for count, proposal in enumerate(proposals.items[done:], done + 1):
                    here = {**cursor, "page": number, "done": count - 1}
                    async for items in self._proposal(proposal, everything=cursor["everything"]):
                        yield page_of(items, here)
                number, done, is_last = number + 1, 0, proposals.is_last
                yield Page({**cursor, "page": number, "done": 0})
            yield Page({}, complete=cursor["everything"])

    async def _proposal(
        self, proposal: dict[str, Any], *, everything: bool
    ) -> AsyncIterator[list[Fetched | Refused]]:
        """The proposal, and its runs if they are wanted."""
        if not proposal.get("flg_available", True):
            return
        for key in ("principal_investigator_id", "main_proposer_id"):
            await self._user(proposal.get(key))
        document = parsed(Kind.DOCUMENT, str(proposal["id"]), lambda: self._document(proposal))
        yield [document]
        if isinstance(document, Refused) or not (everything or _is_recent(proposal)):
            return
        samples = {of["id"]: of async for of in self._all("samples/", proposal_id=proposal["id"])}
        number, is_last = 1, False
        while not is_last:
            query = {"proposal_number": proposal["number"]}
            runs = await self._list("runs/runs_by_proposal", query, number)
            there = [run for run in runs.items if run.get("flg_available", True)]
            yield [await self._run(proposal, run, samples) for run in there]
            number, is_last = number + 1, runs.is_last

    async def gone(self, kind: Kind, origin_ids: Sequence[str]) -> Collection[str]:
        """Those that a request for each does not find: pages by number may miss some."""
        return [key for key in origin_ids if not await self._is_there(f"{_PATHS[kind]}/{key}")]

    async def _is_there(self, path: str) -> bool:
        try:
            thing = await self._http.json(f"api/{path}")
        except NotThere:
            return False
        return bool(thing.get("flg_available", True))

    async def _list(self, path: str, query: dict[str, Any], number: int) -> _List:
        params = {**{key: str(value) for key, value in query.items()}, "page": str(number)}
        return await self._http.request(
            "GET", f"api/{path}", _list, params={**params, "page_size": str(PAGE)}
        )

    async def _all(self, path: str, **query: Any) -> AsyncIterator[dict[str, Any]]:
        number, is_last = 1, False
        while not is_last:
            page = await self._list(path, query, number)
            for item in page.items:
                yield item
            number, is_last = number + 1, page.is_last

    async def _user(self, key: int | None) -> None:
        if key is not None and key not in self._known.users:
            try:
                self._known.users[key] = await self._http.json(f"api/users/{key}")
            except NotThere:
                self._known.users[key] = {}

    def _instrument(self, instrument: dict[str, Any]) -> Fetched | Refused:
        return parsed(
            Kind.INSTRUMENT,
            str(instrument["id"]),
            lambda: Instrument(
                pid=instrument_pid(self._facility.name, instrument["identifier"]),
                name=instrument["name"],
                facility=self._facility.label,
            ),
        )

    def _header(self, proposal: dict[str, Any]) -> DocumentHeader:
        return DocumentHeader(
            pid=local_pid(self._facility, str(proposal["number"])),
            type="proposal",
            title=proposal["title"],
            doi=proposal.get("doi"),
            start_date=proposal.get("beamtime_start_at") or proposal.get("begin_at"),
            end_date=proposal.get("beamtime_end_at") or proposal.get("end_at"),
            release_date=proposal.get("release_at"),
        )

    def _document(self, proposal: dict[str, Any]) -> DocumentRecord:
        people = {
            "principal investigator": proposal.get("principal_investigator_id"),
            "main proposer": proposal.get("main_proposer_id"),
        }
        return DocumentRecord(
            **self._header(proposal).model_dump(exclude_unset=True),
            summary=proposal.get("abstract"),
            members=[
                Member(role=role, person=self._person(key, self._known.users[key]))
                for role, key in people.items()
                if key is not None and self._known.users[key]
            ],
        )

    def _person(self, key: int, user: dict[str, Any]) -> Person:
        return Person(
            id=local_pid(self._facility, self._name, "user", str(key)),
            full_name=user["name"],
            orcid=user.get("orcid"),
            first_name=user.get("first_name"),
            last_name=user.get("last_name"),
        )

    async def _run(
        self, proposal: dict[str, Any], run: dict[str, Any], samples: dict[int, dict[str, Any]]
    ) -> Fetched | Refused:
        query = {"proposal_number": str(proposal["number"]), "run_number": str(run.get("run_number"))}
        groups = await self._http.json("api/runs/all_raw_data_groups_ids", query)
        parameters = [of for group in groups async for of in self._all("parameters/", data_group_id=group)]
        return parsed(Kind.DATASET, str(run["id"]), lambda: self._dataset(proposal, run, samples, parameters))

    def _dataset(
        self,
        proposal: dict[str, Any],
        run: dict[str, Any],
        samples: dict[int, dict[str, Any]],
        parameters: list[dict[str, Any]],
    ) -> DatasetRecord:
        folder = f"r{run['run_number']:04d}"
        instrument = self._instrument(self._known.instruments[proposal["instrument_id"]])
        sample = samples.get(run.get("sample_id") or 0)
        return DatasetRecord(
            pid=local_pid(self._facility, str(proposal["number"]), folder),
            title=run.get("run_alias") or f"Run {run['run_number']} of proposal {proposal['number']}",
            creation_date=run.get("begin_at"),
            end_date=run.get("end_at"),
            instrument=instrument.record if isinstance(instrument, Fetched) else None,
            documents=[self._header(proposal)],
            techniques=[self._technique(of) for of in run.get("techniques") or ()],
            samples=[self._sample(sample)] if sample else [],
            parameters=[self._parameter(of) for of in parameters],
        )

    def _technique(self, technique: dict[str, Any]) -> Technique:
        known = [text for text in (technique.get("url"), technique.get("identifier")) if text]
        return Technique(
            pid=known[0] if known else local_pid(self._facility, "technique", str(technique["id"])),
            name=technique["name"],
            panet_id=next((text for text in known if "PaNET" in text), None),
        )

    def _sample(self, sample: dict[str, Any]) -> Sample:
        return Sample(
            pid=local_pid(self._facility, self._name, "sample", str(sample["id"])),
            name=sample["name"],
            description=sample.get("description"),
        )

    def _parameter(self, parameter: dict[str, Any]) -> Parameter:
        unit = self._known.units.get(parameter.get("unit_id") or 0, {}).get("symbol")
        return Parameter(
            name=f"{parameter['data_source']}.{parameter['name']}",
            value=_value(parameter),
            unit=f"{parameter.get('unit_prefix') or ''}{unit}" if unit else None,
        )


def _list(answer: Answer) -> _List:
    """A page; ValueError unless it has as many items as its headers say."""
    items = json.loads(answer.content)
    total, size, page = (
        int(answer.headers.get(name, "")) for name in ("X-Total-Count", "X-Count-Per-Page", "X-Current-Page")
    )
    promised = max(0, min(size, total - (page - 1) * size))
    if not isinstance(items, list) or not all(isinstance(item, dict) and "id" in item for item in items):
        raise ValueError("it is not a list of things with an id")
    if len(items) != promised:
        raise ValueError(f"page {page} has not the {promised} items that its headers announce")
    return _List(items, is_last=page * size >= total)


def _is_recent(proposal: dict[str, Any]) -> bool:
    end = proposal.get("beamtime_end_at") or proposal.get("end_at")
    return end is None or datetime.fromisoformat(end) > datetime.now(UTC) - RECENT


def _number(text: str | None) -> float | str | None:
    """myMdC gives all values as text."""
    try:
        return float(text) if text is not None else None
    except ValueError:
        return text


def _value(parameter: dict[str, Any]) -> float | str | tuple[float, float] | None:
    """What a quantity ran through during the run, or else its value."""
    low, high = _number(parameter.get("minimum")), _number(parameter.get("maximum"))
    if isinstance(low, float) and isinstance(high, float) and low != high:
        return low, high
    return _number(parameter.get("value"))
