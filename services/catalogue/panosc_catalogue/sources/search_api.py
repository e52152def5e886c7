"""Another facility's PaNOSC search API, as it is specified and as it is found.

It can neither tell what changed nor list from an identifier on, so everything is listed each time, by offset,
and what a listing lacked is asked for once more before it is taken as gone. Questions stay simple: servers
apply `limit` before they join, some know fewer relations than others, and answer 500 to those they don't.
"""

import json
import re
from collections.abc import AsyncGenerator, Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import urlencode

import structlog

from panosc_catalogue.records import DatasetRecord, DocumentRecord, Instrument
from panosc_catalogue.settings import Facility, SearchApiSource
from panosc_catalogue.sources.base import (
    Adapter,
    BadAnswer,
    Cursor,
    Fetched,
    Kind,
    Page,
    Refused,
    Unreachable,
    named,
    page_of,
    parsed,
)
from panosc_catalogue.sources.credentials import Credentials
from panosc_catalogue.sources.http import FIRST_WAIT_SECONDS, Client, NotThere, Token, json_list
from panosc_catalogue.store import AnyRecord

log = structlog.stdlib.get_logger(__name__)

PAGE = 100
ASKED = 20
"""Pids that one question names at most."""
QUESTION_BYTES = 6 * 1024
"""Length of a question in a URL at most, unless one pid is longer: servers bound a URL to 8 KiB as a rule."""

Item = Mapping[str, Any]

_OF_DATASET = (
    *("pid", "title", "creationDate", "size", "doi", "license"),
    *("techniques", "parameters", "samples", "files"),
)
"""What a dataset says of itself, the facility's own identifiers and scores left out."""


@dataclass(frozen=True)
class _Model:
    """A model of the search API that has a path of its own."""

    path: str
    kind: Kind
    relations: Mapping[str, tuple[str, ...]]
    """Relations that are asked for, and the relations of those."""


INSTRUMENTS = _Model("Instruments", Kind.INSTRUMENT, {})
DATASETS = _Model(
    "Datasets",
    Kind.DATASET,
    {"instrument": (), "techniques": (), "parameters": (), "samples": (), "files": ()},
)
DOCUMENTS = _Model(
    "Documents", Kind.DOCUMENT, {"members": ("person", "affiliation"), "parameters": (), "datasets": ()}
)
# Only documents reliably tell which datasets are theirs, so they come when these are there.
_MODELS = (INSTRUMENTS, DATASETS, DOCUMENTS)


class SearchApi(Adapter):
    """Reads a PaNOSC search API; all that it shows is public."""

    is_incremental: ClassVar[bool] = False

    def __init__(
        self,
        name: str,
        settings: SearchApiSource,
        facility: Facility,
        first_wait_seconds: float = FIRST_WAIT_SECONDS,
    ) -> None:
        self._name = name
        self._facility = facility
        credentials = Credentials(settings.credentials)
        token = credentials.get("token")

        async def no_other() -> str:
            raise credentials.refused("token")

        self._client = Client(
            settings.url,
            requests_per_second=settings.requests_per_second,
            auth=Token(no_other, token=token) if token else None,
            ca_file=credentials.ca_file,
            first_wait_seconds=first_wait_seconds,
        )
        self._is_lowercase = False
        self._make: dict[Kind, Callable[[Item], AnyRecord]] = {
            Kind.INSTRUMENT: self._instrument,
            Kind.DATASET: self._dataset,
            Kind.DOCUMENT: self._document,
        }

    async def changes(self, since: Cursor | None) -> AsyncGenerator[Page, None]:
        """As the base says; a cursor names the model, how many were listed, and what can be asked for."""
        async with self._client.opened():
            if since is None:
                since = {"path": INSTRUMENTS.path, "skip": 0, "relations": await self._known_relations()}
            elif "path" not in since:
                return
            self._is_lowercase = since["relations"].get("lowercase", False)
            paths = [model.path for model in _MODELS]
            for model in _MODELS[paths.index(since["path"]) :]:
                skip = since["skip"] if model.path == since["path"] else 0
                relations = since["relations"][model.path]
                # A server may give fewer than it was asked for: only an empty page is the last.
                while items := await self._items(model, relations, skip):
                    skip += len(items)
                    cursor = {**since, "path": model.path, "skip": skip}
                    yield page_of([self._fetched(model, item) for item in items], cursor)
            yield Page({}, complete=True)

    async def gone(self, kind: Kind, origin_ids: Sequence[str]) -> Collection[str]:
        """Those that the source does not list by their pid either.

        Not by a path: some servers answer 404 to pids with slashes, of whatever they have.
        """
        model = next(model for model in _MODELS if model.kind is kind)
        gone: list[str] = []
        for asked in _questions(origin_ids):
            missing = asked
            while missing:
                listed = await self._listed(model, _among(missing))
                found = {str(item.get("pid")) for item in listed if isinstance(item, dict)}
                if not found <= set(asked):
                    raise BadAnswer(
                        f"{model.path}: the answer has pids that were not asked for: the server does not "
                        "filter by pid, so what it no longer has cannot be told, and stays"
                    )
                if found.isdisjoint(missing):
                    break
                missing = [pid for pid in missing if pid not in found]
            gone += missing
        return gone

    def _path(self, model: _Model) -> str:
        return model.path.lower() if self._is_lowercase else model.path

    async def _known_relations(self) -> dict[str, Any]:
        """The relations, by model, that the server can be asked for."""
        known: dict[str, Any] = {}
        try:
            await self._items(INSTRUMENTS, [], 0, 1)
        except NotThere:
            self._is_lowercase = True
        for model in _MODELS:
            await self._items(model, [], 0, 1)
            known[model.path] = [one for one in model.relations if await self._knows(model, one)]
        return {**known, "lowercase": self._is_lowercase}

    async def _knows(self, model: _Model, relation: str) -> bool:
        try:
            await self._items(model, [relation], 0, 1)
        except (Unreachable, BadAnswer, NotThere) as error:
            # Unless the server is down altogether it does not have the relation.
            await self._items(model, [], 0, 1)
            log.warning("relation left out", source=self._name, relation=relation, why=str(error))
            return False
        return True

    async def _items(
        self, model: _Model, relations: Sequence[str], skip: int, limit: int = PAGE
    ) -> list[Any]:
        include: list[dict[str, Any]] = []
        for relation in relations:
            inner = [{"relation": one} for one in model.relations[relation]]
            include.append({"relation": relation, **({"scope": {"include": inner}} if inner else {})})
        query = {"limit": limit, "skip": skip, "order": "pid ASC"} | ({"include": include} if include else {})
        return await self._listed(model, query)

    async def _listed(self, model: _Model, query: Mapping[str, Any]) -> list[Any]:
        params = {"filter": json.dumps(query)}
        return await self._client.request("GET", self._path(model), json_list, params=params)

    def _fetched(self, model: _Model, item: Any) -> Fetched | Refused:
        origin_id = named(model.kind, item, "pid")
        if isinstance(origin_id, Refused):
            return origin_id
        return parsed(model.kind, origin_id, lambda: self._make[model.kind](item))

    def _instrument(self, item: Item) -> Instrument:
        told_apart = self._told_apart(item, "pid")
        return Instrument.model_validate(
            {**told_apart, "facility": item.get("facility") or self._facility.label}
        )

    def _dataset(self, item: Item) -> DatasetRecord:
        known = {name: item[name] for name in _OF_DATASET if item.get(name) is not None}
        if instrument := item.get("instrument"):
            known["instrument"] = self._instrument(instrument)
        documents = item.get("documents") or ([item["document"]] if item.get("document") else None)
        if documents:
            known["documents"] = [
                {"pid": one["pid"], "title": one.get("title") or one["pid"]} for one in documents
            ]
        for relation in ("samples", "techniques"):
            if known.get(relation):
                known[relation] = [self._told_apart(one, "pid") for one in known[relation]]
        return DatasetRecord.model_validate({**known, "isPublic": True})

    def _document(self, item: Item) -> DocumentRecord:
        # Its model has no groups and no addresses of members: none is to open anything here.
        left_out = ("datasets", "doi", "groups", "isPublic")
        known = {name: value for name, value in item.items() if name not in left_out}
        if item.get("doi"):
            known["doi"] = item["doi"]
        if item.get("datasets") is not None:
            known["datasets"] = [
                {"pid": one["pid"], "title": one.get("title") or ""} for one in item["datasets"]
            ]
        members = [self._member(one) for one in item.get("members") or ()]
        return DocumentRecord.model_validate({**known, "members": [one for one in members if one]})

    def _member(self, item: Item) -> Item | None:
        """The member with its person and affiliation; None if it has neither."""
        parts = {name: item[name] for name in ("person", "affiliation") if item.get(name)}
        return (
            {**item, "email": None, **{name: self._told_apart(one, "id") for name, one in parts.items()}}
            if parts
            else None
        )

    def _told_apart(self, item: Item, key: str) -> Item:
        """The item, its identifier such as 17 told apart from those of other catalogues.

        Those with a colon or slash have a namespace of their own, PaNET's terms are the same everywhere.
        """
        identifier = str(item.get(key) or "")
        is_unique = not identifier or re.search("[:/]|PaNET", identifier)
        return item if is_unique else {**item, key: f"{self._name}:{identifier}"}


def _questions(pids: Sequence[str]) -> Iterator[list[str]]:
    """The pids, as many at a time as one question may name."""
    asked: list[str] = []
    for pid in pids:
        size = len(urlencode({"filter": json.dumps(_among([*asked, pid]))}))
        if asked and (len(asked) == ASKED or size > QUESTION_BYTES):
            yield asked
            asked = []
        asked.append(pid)
    if asked:
        yield asked


def _among(pids: Sequence[str]) -> dict[str, Any]:
    """The query for what has one of the pids."""
    return {"where": {"pid": {"inq": list(pids)}}, "limit": ASKED}
