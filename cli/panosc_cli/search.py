"""Searching a catalogue: from words and options to a filter, and from datasets to lines."""

import json
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import httpx2
from pydantic import BaseModel, Field, RootModel

from panosc_cli import web

PAGE = 1000


@dataclass(frozen=True)
class Wanted:
    """What somebody looks for; days in UTC, both included."""

    words: Sequence[str] = ()
    technique: str | None = None
    instrument: str | None = None
    first: date | None = None
    last: date | None = None


class Dataset(BaseModel, extra="allow"):
    """A dataset as the search API describes it; what it says beside this is kept for programs."""

    pid: str
    title: str | None = None
    is_public: bool = Field(default=True, alias="isPublic")
    created: str | None = Field(default=None, alias="creationDate")


class _Page(RootModel[list[Dataset]]):
    """What lists are answered with."""


def filter_of(wanted: Wanted, limit: int) -> dict[str, Any]:
    """The search API's filter."""
    asked: dict[str, Any] = {"limit": limit}
    if wanted.words:
        asked["query"] = " ".join(wanted.words)
    else:
        asked["order"] = "creationDate DESC"
    created = {}
    if wanted.first:
        created["gte"] = wanted.first.isoformat()
    if wanted.last:
        created["lt"] = (wanted.last + timedelta(days=1)).isoformat()
    if created:
        asked["where"] = {"and": [{"creationDate": {name: value}} for name, value in created.items()]}
    relations = {"techniques": wanted.technique, "instrument": wanted.instrument}
    include = [
        {"relation": relation, "scope": {"where": {"name": name}}}
        for relation, name in relations.items()
        if name is not None
    ]
    if include:
        asked["include"] = include
    return asked


async def found(
    client: httpx2.AsyncClient, catalogue: str, wanted: Wanted, limit: int
) -> AsyncIterator[Dataset]:
    """At most so many datasets, page by page. Raises Failure."""
    cursor: dict[str, str] = {}
    while limit > 0:
        asked = {"filter": json.dumps(filter_of(wanted, min(limit, PAGE)))}
        answer = await web.answered(client, f"{catalogue}/api/Datasets", params=asked | cursor)
        page = web.understood(_Page, answer).root
        for one in page:
            yield one
        if "X-Next-Cursor" not in answer.headers:
            return
        limit -= len(page)
        cursor = {"cursor": answer.headers["X-Next-Cursor"]}


def line(dataset: Dataset) -> str:
    """A dataset for programs, as the search API has it; in ASCII, which commands no terminal."""
    return json.dumps(dataset.model_dump(mode="json", by_alias=True))


def table(datasets: Sequence[Dataset]) -> Iterable[str]:
    """Datasets for people: the title comes last, as it may be long."""
    rows = [("PID", "DATE", "ACCESS", "TITLE")]
    rows += [
        (
            web.printable(one.pid),
            web.printable((one.created or "")[:10]),
            "public" if one.is_public else "closed",
            web.printable(one.title or ""),
        )
        for one in datasets
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for row in rows:
        yield "  ".join([*map(str.ljust, row[:3], widths), row[3]]).rstrip()
