"""An adapter that gives the pages a test wants, for what all sources have in common."""

from collections.abc import AsyncGenerator, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field

from panosc_catalogue.records import DatasetRecord, DocumentHeader, DocumentRecord, Instrument
from panosc_catalogue.sources.base import Adapter, Cursor, Deleted, Fetched, Kind, Page, Refused


def dataset(number: int, title: str = "a measurement", documents: Iterable[str] = ("p1",)) -> Fetched:
    record = DatasetRecord(
        pid=f"d{number}",
        title=title,
        is_public=True,
        instrument=Instrument(pid="i1", name="named by a dataset", facility="ESRF"),
        documents=[DocumentHeader(pid=pid, title="named by a dataset") for pid in documents],
        techniques=[],
    )
    return Fetched(record, str(number))


def document(pid: str = "p1", title: str = "a proposal") -> Fetched:
    return Fetched(DocumentRecord(pid=pid, title=title, type="proposal", summary=None), pid)


def instrument(name: str = "BM01") -> Fetched:
    return Fetched(Instrument(pid="i1", name=name, facility="ESRF"), "i1")


@dataclass
class Script(Adapter):
    """Lists `records`, `size` a page, then `changes_then`; the cursor is the number of the next record."""

    records: list[Fetched] = field(default_factory=list)
    size: int = 10
    news: list[Page] = field(default_factory=list)
    """Pages after the listing; the cursor of one leads to the next."""
    refused: Sequence[Refused] = ()
    before_page: Callable[[int], None] = lambda number: None
    """Called with each record number at which a page begins; may raise."""
    really_gone: Callable[[Kind, str], bool] = lambda kind, origin_id: True
    asked: list[Cursor | None] = field(default_factory=list)
    """The cursors that were gone on from."""

    async def changes(self, since: Cursor | None) -> AsyncGenerator[Page, None]:
        self.asked.append(since)
        position = since or {"at": 0}
        while "at" in position:
            at = position["at"]
            self.before_page(at)
            end = at + self.size
            complete = end >= len(self.records)
            position = {"news": 0} if complete else {"at": end}
            refused = self.refused if complete else ()
            yield Page(position, self.records[at:end], refused, complete=complete)
        for number in range(position["news"], len(self.news)):
            page = self.news[number]
            yield Page({"news": number + 1}, page.records, page.refused, page.deleted)

    async def gone(self, kind: Kind, origin_ids: Sequence[str]) -> Collection[str]:
        return [one for one in origin_ids if self.really_gone(kind, one)]


def news(*records: Fetched, deleted: Iterable[Deleted] = ()) -> Page:
    return Page({}, list(records), deleted=list(deleted))
