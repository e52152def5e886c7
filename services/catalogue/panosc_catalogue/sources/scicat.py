"""SciCat (backend-next, its interfaces v3 and v4): instruments, proposals, datasets, published data.

Everything is listed by ascending identifier, each page after the last one's, so that what comes or goes while
a listing is read shifts nothing. What changed is read from the newest change backwards: v4 compares dates in
filters as text, which finds nothing, but sorts them rightly.
"""

import json
import re
from collections.abc import AsyncGenerator, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any, Literal
from urllib.parse import quote, unquote

import structlog

from panosc_catalogue.records import (
    Affiliation,
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
)
from panosc_catalogue.settings import Facility, SciCatSource
from panosc_catalogue.sources.base import (
    Adapter,
    BadAnswer,
    Cursor,
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
from panosc_catalogue.sources.http import FIRST_WAIT_SECONDS, Client, NotThere, Token, json_list
from panosc_catalogue.store import AnyRecord

log = structlog.stdlib.get_logger(__name__)

PAGE = 100
MAX_PARAMETERS = 500
"""Quantities of a dataset that are taken."""
MAX_TEXT = 500
"""Characters of a list of values that is taken as text."""

Item = Mapping[str, Any]


@dataclass(frozen=True)
class _Collection:
    """A kind of things that SciCat lists."""

    name: str
    """As in paths and in the ids of records."""
    key: str
    """The field that identifies."""
    kind: Kind
    parameter: Literal["filter", "filters"] = "filter"


INSTRUMENTS = _Collection("instruments", "pid", Kind.INSTRUMENT)
PROPOSALS = _Collection("proposals", "proposalId", Kind.DOCUMENT, "filters")
DATASETS = _Collection("datasets", "pid", Kind.DATASET)
PUBLISHED = _Collection("publisheddata", "doi", Kind.DOCUMENT)
# What datasets refer to comes before them, and what refers to datasets after.
_COLLECTIONS = (INSTRUMENTS, PROPOSALS, DATASETS, PUBLISHED)


class SciCat(Adapter):
    """Reads a SciCat: what is public, or with credentials what their account may see."""

    def __init__(
        self,
        name: str,
        settings: SciCatSource,
        facility: Facility,
        first_wait_seconds: float = FIRST_WAIT_SECONDS,
    ) -> None:
        self._name = name
        self._facility = facility
        self._version = settings.api_version
        self._credentials = Credentials(settings.credentials)
        token = self._credentials.get("token")
        self._is_public = token is None and self._credentials.get("username") is None
        self._client = Client(
            settings.url,
            requests_per_second=settings.requests_per_second,
            auth=None if self._is_public else Token(self._login, token=token),
            ca_file=self._credentials.ca_file,
            first_wait_seconds=first_wait_seconds,
        )
        self._unlisted: set[str] = set()
        self._samples: dict[str, Item] = {}
        self._make: dict[str, Callable[[Item], AnyRecord]] = {
            INSTRUMENTS.name: self._instrument,
            PROPOSALS.name: self._proposal,
            DATASETS.name: self._dataset,
            PUBLISHED.name: self._published,
        }

    async def changes(self, since: Cursor | None) -> AsyncGenerator[Page, None]:
        """As the base says; a cursor of a listing names collection and identifier, one behind it times."""
        async with self._client.opened():
            if since is None:
                since = {"newest": {c.name: await self._newest(c) for c in _COLLECTIONS}}
                since |= {"collection": _COLLECTIONS[0].name, "after": "", "unlisted": sorted(self._unlisted)}
            self._unlisted = set(since["unlisted"])
            pages = self._list(since) if "collection" in since else self._list_news(since)
            async for page in pages:
                yield page

    async def gone(self, kind: Kind, origin_ids: Sequence[str]) -> Collection[str]:
        """Listings are exact, but for the collections that the account may not list at all."""
        return [one for one in origin_ids if one.partition("/")[0] not in self._unlisted]

    async def _list(self, since: Cursor) -> AsyncGenerator[Page, None]:
        names = [collection.name for collection in _COLLECTIONS]
        for collection in _COLLECTIONS[names.index(since["collection"]) :]:
            after = since["after"] if collection.name == since["collection"] else ""
            is_last = collection is _COLLECTIONS[-1]
            while True:
                items = await self._items(collection, _after(collection, after))
                # A server may give fewer than it was asked for: only an empty page is the last.
                ends = not items
                records = [await self._fetched(collection, item) for item in items]
                if not ends:
                    after = _last(collection, items)
                cursor = {**since, "collection": collection.name, "after": after}
                if ends and is_last:
                    cursor = {"newest": since["newest"], "unlisted": since["unlisted"]}
                yield page_of(records, cursor, complete=ends and is_last)
                if ends:
                    break

    async def _list_news(self, since: Cursor) -> AsyncGenerator[Page, None]:
        """All that changed since the newest changes that are known; these are only left when all is read."""
        newest = dict(since["newest"])
        for collection in _COLLECTIONS:
            known, skip = since["newest"].get(collection.name) or "", 0
            while True:
                items = await self._items(collection, {"sort": ("updatedAt", "desc"), "skip": skip})
                fresh = [item for item in items if _is_news(item, known)]
                if skip == 0 and items:
                    newest[collection.name] = _latest(items)
                skip += len(items)
                ends = len(fresh) < len(items) or not items
                records = [await self._fetched(collection, item) for item in fresh]
                yield page_of(
                    records, {**since, "newest": newest} if ends and _is_last(collection) else since
                )
                if ends:
                    break

    async def _newest(self, collection: _Collection) -> str | None:
        """When the last change was, on the source's clock; notes whether the collection can be listed."""
        try:
            items = await self._items(collection, {"sort": ("updatedAt", "desc"), "limit": 1})
        except NotAllowed:
            if collection is DATASETS:
                raise
            log.warning("collection left out", source=self._name, collection=collection.name)
            self._unlisted.add(collection.name)
            return None
        return _latest(items)

    async def _items(self, collection: _Collection, wanted: Mapping[str, Any]) -> list[Any]:
        if collection.name in self._unlisted:
            return []
        is_v4 = self._version == "v4" and collection in (DATASETS, PUBLISHED)
        field, direction = wanted.get("sort", (collection.key, "asc"))
        limits: dict[str, Any] = {"limit": wanted.get("limit", PAGE), "skip": wanted.get("skip", 0)}
        limits |= {"sort": {field: direction}} if is_v4 else {"order": f"{field}:{direction}"}
        query: dict[str, Any] = {"limits": limits}
        if "where" in wanted:
            query["where"] = wanted["where"]
        path = f"{'v4' if is_v4 else 'v3'}/{collection.name}"
        if collection is DATASETS:
            path += "/public" if is_v4 and self._is_public else ""
            query["include"] = ["origdatablocks", "samples"] if is_v4 else [{"relation": "origdatablocks"}]
        return await self._client.request(
            "GET", path, json_list, params={collection.parameter: json.dumps(query)}
        )

    async def _login(self) -> str:
        if self._credentials.get("username") is None:
            raise self._credentials.refused("token")
        account = {key: self._credentials.require(key) for key in ("username", "password")}
        answer = await self._client.json("v3/auth/login", method="POST", json=account, authenticate=False)
        return str(answer["access_token"])

    async def _fetched(self, collection: _Collection, item: Any) -> Fetched | Refused:
        origin_id = named(collection.kind, item, collection.key, f"{collection.name}/")
        if isinstance(origin_id, Refused):
            return origin_id
        if collection is DATASETS and "samples" not in item:
            try:
                sample_ids = _listed(item, "sampleIds")
            except ValueError as error:
                return Refused(collection.kind, origin_id, str(error))
            item = {**item, "samples": [await self._sample(one) for one in sample_ids]}
        return parsed(collection.kind, origin_id, lambda: self._make[collection.name](item))

    async def _sample(self, sample_id: str) -> Item:
        """A sample by its id; only the id where the account may see no more."""
        if sample_id not in self._samples:
            try:
                found = await self._client.json(f"v3/samples/{quote(sample_id, safe='')}")
            except (NotAllowed, NotThere):
                found = None
            self._samples[sample_id] = found or {"sampleId": sample_id}
        return self._samples[sample_id]

    def _instrument(self, item: Item) -> Instrument:
        name = item.get("name") or item.get("uniqueName") or item["pid"]
        return Instrument(pid=item["pid"], name=name, facility=self._facility.label)

    def _proposal(self, item: Item) -> DocumentRecord:
        periods = item.get("MeasurementPeriodList") or []
        starts = [one["start"] for one in periods if one.get("start")]
        ends = [one["end"] for one in periods if one.get("end")]
        people = (
            ("principal investigator", item.get("pi_firstname"), item.get("pi_lastname")),
            ("proposer", item.get("firstname"), item.get("lastname")),
        )
        return DocumentRecord(
            pid=self._proposal_pid(item["proposalId"]),
            type="proposal",
            title=item.get("title") or f"Proposal {item['proposalId']}",
            summary=item.get("abstract"),
            start_date=item.get("startTime") or min(starts, default=None),
            end_date=item.get("endTime") or max(ends, default=None),
            groups=_groups(item),
            members=[_member(role, first, last) for role, first, last in people if first or last],
        )

    def _proposal_pid(self, proposal: str) -> str:
        return local_pid(self._facility, str(proposal))

    def _dataset(self, item: Item) -> DatasetRecord:
        instruments = _listed(item, "instrumentIds", "instrumentId")
        proposals = _listed(item, "proposalIds", "proposalId")
        # Named in any case: what is no longer published must not stay released.
        given: dict[str, Any] = {"is_public": True if item.get("isPublished") or self._is_public else None}
        if "origdatablocks" in item:
            given["files"] = list(_files(item["origdatablocks"] or ()))
        if instruments:
            given["instrument"] = Instrument(
                pid=instruments[0], name=instruments[0], facility=self._facility.label
            )
        return DatasetRecord(
            pid=item["pid"],
            title=item.get("datasetName") or item["pid"],
            creation_date=item.get("creationTime"),
            end_date=item.get("endTime"),
            size=item.get("size"),
            license=item.get("license"),
            keywords=list(_keywords(item.get("keywords"))),
            groups=_groups(item),
            members=list(_people(item)),
            documents=[
                DocumentHeader(pid=self._proposal_pid(one), title=f"Proposal {one}", type="proposal")
                for one in proposals
            ],
            techniques=[_technique(one) for one in item.get("techniques") or ()],
            samples=[_as_sample(self._facility, one) for one in item["samples"] or ()],
            parameters=list(islice(_parameters(item.get("scientificMetadata") or {}), MAX_PARAMETERS)),
            **given,
        )

    def _published(self, item: Item) -> DocumentRecord:
        metadata = item.get("metadata") or {}
        creators = metadata.get("creators") or [{"name": one} for one in item.get("creator") or ()]
        return DocumentRecord(
            pid=item["doi"],
            doi=item["doi"],
            type="publication",
            title=item["title"],
            summary=item.get("abstract"),
            keywords=list(_keywords([one.get("subject") for one in metadata.get("subjects") or ()])),
            members=[_creator(one) for one in creators if one.get("name")],
            datasets=[
                DatasetRecord(pid=pid, title=pid)
                for pid in item.get("datasetPids") or item.get("pidArray") or ()
            ],
        )


def _is_last(collection: _Collection) -> bool:
    return collection is _COLLECTIONS[-1]


def _after(collection: _Collection, identifier: str) -> dict[str, Any]:
    return {"where": {collection.key: {"$gt": identifier}}} if identifier else {}


def _last(collection: _Collection, items: Sequence[Any]) -> str:
    """The identifier behind which the next page is. Raises BadAnswer if there is none."""
    keys = [item.get(collection.key) for item in items if isinstance(item, dict)]
    texts = [key for key in keys if isinstance(key, str) and key]
    if not texts:
        raise BadAnswer(
            f"{collection.name}: none of the {len(items)} records of a page has a text as {collection.key}, "
            "so that the next page cannot be asked for; whoever runs the source has to mend them"
        )
    return texts[-1]


def _latest(items: Sequence[Any]) -> str | None:
    """The first moment of change in a list by descending moments that is one."""
    for item in items:
        try:
            datetime.fromisoformat(item["updatedAt"])
        except (TypeError, KeyError, ValueError):
            continue
        return str(item["updatedAt"])
    return None


def _is_news(item: Any, known: str) -> bool:
    """Whether an item changed since a moment; what is none counts, so that it is reported."""
    return not isinstance(item, dict) or str(item.get("updatedAt") or "") >= known


def _listed(item: Item, *names: str) -> list[str]:
    """The ids in the first of the fields that is there: a list since v4, one id before.

    Raises ValueError if it holds something else.
    """
    for name in names:
        value = item.get(name)
        if value:
            ids = [one for one in (value if isinstance(value, list) else [value]) if one]
            if not all(isinstance(one, int | str) for one in ids):
                raise ValueError(f"{name}: {value!r:.100} has what is no identifier")
            return [str(one) for one in ids]
    return []


def _groups(item: Item) -> list[str]:
    """The groups that may see it at SciCat."""
    return sorted({*_listed(item, "ownerGroup"), *_listed(item, "accessGroups")})


def _technique(item: Item) -> Technique:
    pid = str(item["pid"])
    return Technique(pid=pid, name=item.get("name") or pid, panet_id=pid if "PaNET" in pid else None)


def _as_sample(facility: Facility, item: Item) -> Sample:
    description = item.get("description")
    return Sample(
        pid=local_pid(facility, "sample", str(item["sampleId"])),
        name=description or str(item["sampleId"]),
        description=description,
    )


def _files(blocks: Iterable[Item]) -> Iterator[File]:
    for block in blocks:
        for file in block.get("dataFileList") or ():
            path = str(file["path"])
            yield File(name=path.rsplit("/", 1)[-1], path=path, size=file.get("size"))


def _people(item: Item) -> Iterator[Member]:
    """Principal investigators and owners of a dataset, but addresses and who is unknown."""
    owners = _names(item.get("owner"))
    orcids = _names(item.get("orcidOfOwner"))
    # Which is whose is known only where there are as many of these.
    known = dict(zip(owners, orcids, strict=True)) if len(owners) == len(orcids) else {}
    # A list since v4, a text before.
    leaders = _names(item.get("principalInvestigators") or item.get("principalInvestigator"))
    for role, names in (("principal investigator", leaders), ("owner", owners)):
        for name in names:
            if "@" not in name and name.casefold() != "unknown":
                yield Member(role=role, person=Person(full_name=name, orcid=known.get(name)))


def _keywords(said: str | Sequence[str | None] | None) -> Iterator[str]:
    """The keywords in a list, or in a text with commas or semicolons between them, but e-mail addresses."""
    for word in re.split("[,;]", said) if isinstance(said, str) else said or ():
        if word and word.strip() and "@" not in word:
            yield word.strip()


def _names(said: str | Sequence[str] | None) -> list[str]:
    """The names in a list, or in a text with semicolons between them."""
    texts = [said] if isinstance(said, str) else said or ()
    return [part.strip() for text in texts for part in text.split(";") if part.strip()]


def _member(role: str, first: str | None, last: str | None) -> Member:
    full = " ".join(part for part in (first, last) if part)
    return Member(role=role, person=Person(full_name=full, first_name=first, last_name=last))


def _creator(item: Item) -> Member:
    """A creator in the form of DataCite's JSON."""
    schemes = {one.get("nameIdentifierScheme"): one for one in item.get("nameIdentifiers") or ()}
    said = item.get("affiliation") or []
    places = [
        one if isinstance(one, dict) else {"name": one}
        for one in (said if isinstance(said, list) else [said])
        if one
    ]
    person = Person(
        full_name=item["name"],
        orcid=schemes.get("ORCID", {}).get("nameIdentifier"),
        first_name=item.get("givenName"),
        last_name=item.get("familyName"),
    )
    affiliation = (
        Affiliation(id=places[0].get("affiliationIdentifier"), name=places[0].get("name")) if places else None
    )
    return Member(role="creator", person=person, affiliation=affiliation)


def _parameters(metadata: Mapping[str, Any], prefix: str = "") -> Iterator[Parameter]:
    """The quantities of scientificMetadata, those in groups with the groups' names before.

    A quantity is {value, unit}, formerly {v, u}, or a bare value. Its valueSI and unitSI are not looked at:
    SciCat leaves what it cannot convert as it is and calls that SI.
    """
    for key, entry in metadata.items():
        name = f"{prefix}{unquote(str(key))}"
        if not isinstance(entry, Mapping):
            value, unit = entry, None
        elif "value" in entry:
            value, unit = entry["value"], entry.get("unit")
        elif "v" in entry:
            value, unit = entry["v"], entry.get("u")
        else:
            yield from _parameters(entry, f"{name}.")
            continue
        if isinstance(value, list) and all(isinstance(one, str | int | float) for one in value):
            value = ", ".join(map(str, value))[:MAX_TEXT]
        if isinstance(value, str | int | float) and value != "":
            yield Parameter(name=name[:MAX_TEXT], value=value, unit=unit or None)
