"""What the catalogue remembers of a source: how far it was read, and each of its records.

A pid that two sources bring belongs to the one that is named first in the catalogue's configuration; the
other's record waits, and takes the place when the first no longer has it.
"""

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
import psycopg
import structlog
from psycopg.types.json import Jsonb

from panosc_catalogue import store
from panosc_catalogue.records import DatasetRecord, DocumentHeader, DocumentRecord, Instrument
from panosc_catalogue.sources import statements
from panosc_catalogue.sources.base import Cursor, Fetched, Kind, Page, Refused
from panosc_catalogue.store import AnyRecord

log = structlog.stdlib.get_logger(__name__)

MAX_MESSAGE = 500
SMALL = 100
"""Records up to which a source may lose more than half of them at once."""
AS_MANY = 1.1
"""What a second listing may lack, as a multiple of what the one before it lacked, to be believed."""

_REFUSALS = (psycopg.DataError, psycopg.errors.ProgramLimitExceeded, ValueError)
"""What says that a record itself cannot be stored, so that trying again is of no use."""


@dataclass(frozen=True)
class Position:
    """How far a source was read."""

    cursor: Cursor | None
    is_listing: bool
    """Whether a listing of everything has begun and not ended."""
    listing_is_due: bool
    caught_up_at: datetime | None
    """As of when the catalogue has all that the source had."""


@dataclass
class Tally:
    """What became of the records of a page."""

    written: int = 0
    unchanged: int = 0
    refused: int = 0
    withdrawn: int = 0


@dataclass(frozen=True)
class _Known:
    pid: str | None
    digest: bytes | None


@dataclass(frozen=True)
class SourceState:
    """The state of one source, over a connection in autocommit mode."""

    connection: psycopg.Connection[Any]
    name: str
    origin: str
    """What is read; with another everything is listed again."""
    outranked_by: Collection[str] = ()
    """Sources whose records this one's give way to."""

    def begin(self, full_listing_seconds: float) -> Position:
        """A run begins."""
        row = self.connection.execute(
            statements.BEGIN, {"name": self.name, "origin": self.origin, "every": full_listing_seconds}
        ).fetchone()
        return Position(*row) if row else Position(None, False, True, None)

    def to_be_left_alone(self) -> float:
        """Seconds for which the source, when it last failed, still wants no requests."""
        row = self.connection.execute(
            "SELECT greatest(extract(epoch FROM not_before - now()), 0)::float FROM source_state "
            "WHERE name = %s AND origin = %s AND not_before IS NOT NULL",
            (self.name, self.origin),
        ).fetchone()
        return row[0] if row else 0.0

    def begin_listing(self) -> None:
        """A listing of everything begins."""
        self.connection.execute(
            "UPDATE source_state SET listing_since = clock_timestamp(), cursor = NULL WHERE name = %s",
            (self.name,),
        )

    def failed(self, error: str, wanted: float = 0.0) -> None:
        """The source cannot be read; nothing that is known of it changes.

        `wanted` are the seconds for which it asks to be left alone.
        """
        self.connection.execute(
            "UPDATE source_state SET state = 'Failed', last_error = %s, "
            "not_before = now() + make_interval(secs => %s) WHERE name = %s",
            (error, wanted, self.name),
        )

    def idle(self, seconds: float | None, *, changed: bool) -> None:
        """A run that began so many seconds ago ended well (None: there was nothing to do yet)."""
        self.connection.execute(statements.IDLE, {"name": self.name, "seconds": seconds, "changed": changed})

    def take(self, page: Page, *, last_of_listing: bool) -> Tally:
        """Write a page and its cursor, or nothing of it.

        The last page of a listing keeps the cursor before it: until `end_listing` it is to be read again.
        """
        tally = Tally(refused=len(page.refused))
        with self.connection.transaction():
            self._alone()
            self._take_records(page.records, tally)
            self._refuse(page.refused)
            for kind, ids in _by_kind(page.deleted).items():
                tally.withdrawn += len(self._withdraw(kind, ids))
            if not last_of_listing:
                self._go_on(page.cursor)
        return tally

    def unseen(self) -> dict[Kind, list[str]]:
        """The records, by the source's ids, that the listing which ends now did not have."""
        rows = self.connection.execute(statements.UNSEEN, (self.name,))
        unseen: dict[Kind, list[str]] = defaultdict(list)
        for kind, origin_id in rows:
            unseen[Kind(kind)].append(origin_id)
        return unseen

    def believes(self, missing: int) -> bool:
        """Whether so many records, which the listing that ends now lacked, may be gone.

        Of more than half of them that is believed only when the listing before lacked as many.
        """
        alive, held_back = self.connection.execute(statements.COUNT, {"name": self.name}).fetchone() or (0, 0)
        return bool(alive < SMALL or 2 * missing <= alive or missing <= AS_MANY * held_back)

    def confirm(self, kind: Kind, asked: Sequence[str], gone: Collection[str]) -> int:
        """The source was asked for these records: withdraw what is gone; returns how many that hid.

        The others count as seen, so that whoever goes on after a crash need not ask for them again.
        """
        with self.connection.transaction():
            self._alone()
            hidden = self._withdraw(kind, gone)
            self._seen(kind, [one for one in asked if one not in gone])
        return len(hidden)

    def end_listing(self, cursor: Cursor, *, held_back: int = 0) -> None:
        """The listing has ended; so many records that it lacked are not believed to be gone."""
        if held_back:
            log.warning("withdrawal held back", source=self.name, missing=held_back)
        with self.connection.transaction():
            self.connection.execute(
                "UPDATE source_state SET last_listing = listing_since, listing_since = NULL, held_back = %s "
                "WHERE name = %s",
                (held_back, self.name),
            )
            self._go_on(cursor)

    def _alone(self) -> None:
        # Two sources that have the same pid at the same time would not see each other's claim to it.
        self.connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('source_record', 0))")

    def _go_on(self, cursor: Cursor) -> None:
        self.connection.execute(
            "UPDATE source_state SET cursor = %s WHERE name = %s", (Jsonb(cursor), self.name)
        )

    def _take_records(self, records: Sequence[Fetched], tally: Tally) -> None:
        fresh: list[tuple[Fetched, bytes]] = []
        moved: set[tuple[Kind, str]] = set()
        for kind, fetched in _by_kind_of_record(records).items():
            known = self._known(kind, [one.origin_id for one in fetched])
            digests = {one.origin_id: _digest(one) for one in fetched}
            owned = self._owned_by_others(kind, [one.record.pid for one in fetched])
            unchanged, waiting = [], []
            for one in fetched:
                before = known.get(one.origin_id)
                if before and before.digest == digests[one.origin_id] and before.pid == one.record.pid:
                    unchanged.append(one.origin_id)
                elif one.record.pid in owned:
                    waiting.append((one, None))
                else:
                    fresh.append((one, digests[one.origin_id]))
            moved |= {
                (kind, one.origin_id)
                for one in fetched
                if (before := known.get(one.origin_id)) and before.pid not in (None, one.record.pid)
            }
            self._seen(kind, unchanged)
            self._withdraw_moved((one for one, _ in waiting), moved)
            self._remember(waiting)
            tally.unchanged += len(unchanged) + len(waiting)
        self._write(fresh, moved, tally)

    def _withdraw_moved(self, fetched: Iterable[Fetched], moved: Collection[tuple[Kind, str]]) -> None:
        """Hide what those of these that moved made under another pid before."""
        for kind, records in _by_kind_of_record(fetched).items():
            self._withdraw(kind, [one.origin_id for one in records if (kind, one.origin_id) in moved])

    def _known(self, kind: Kind, ids: Sequence[str]) -> dict[str, _Known]:
        rows = self.connection.execute(
            "SELECT origin_id, pid, digest FROM source_record "
            "WHERE source = %s AND kind = %s AND origin_id = ANY(%s) AND deleted_at IS NULL "
            "AND refused IS NULL",
            (self.name, kind, list(ids)),
        )
        return {origin_id: _Known(pid, digest) for origin_id, pid, digest in rows}

    def _owned_by_others(self, kind: Kind, pids: Sequence[str]) -> set[str]:
        if not self.outranked_by:
            return set()
        rows = self.connection.execute(
            "SELECT DISTINCT pid FROM source_record "
            "WHERE kind = %s AND pid = ANY(%s) AND source = ANY(%s) AND deleted_at IS NULL",
            (kind, list(pids), list(self.outranked_by)),
        )
        return {pid for (pid,) in rows}

    def _write(
        self, fresh: Sequence[tuple[Fetched, bytes]], moved: Collection[tuple[Kind, str]], tally: Tally
    ) -> None:
        """Write the records; if the database refuses them, one by one, so that only the bad are left out."""
        if not fresh:
            return
        try:
            with self.connection.transaction():
                self._withdraw_moved((one for one, _ in fresh), moved)
                self._store([one for one, _ in fresh])
                self._remember(fresh)
                self._supersede([one for one, _ in fresh])
            tally.written += len(fresh)
        except _REFUSALS as error:
            if len(fresh) > 1:
                for single in fresh:
                    self._write([single], moved, tally)
                return
            said = error.diag.message_primary if isinstance(error, psycopg.Error) else None
            why = f"the catalogue cannot hold it: {said or error}"
            self._refuse([Refused(one.kind, one.origin_id, why) for one, _ in fresh])
            tally.refused += 1

    def _store(self, fetched: Sequence[Fetched]) -> None:
        records = self._with_references([one.record for one in fetched])
        ids = {(one.kind.value, one.record.pid): one.origin_id for one in fetched}
        store.write(self.connection, records, store.Origin(self.name, ids=ids))
        placed = {
            record.pid: [document.pid for document in record.documents]
            for record in records
            if isinstance(record, DatasetRecord) and record.documents is not None
        }
        moved: set[int] = set()
        if placed:
            arguments = {"rows": _pairs(placed), "datasets": list(placed)}
            moved.update(row for (row,) in self.connection.execute(statements.PLACE, arguments))
        grouped = {
            one.record.pid: [dataset.pid for dataset in one.record.datasets]
            for one in fetched
            if isinstance(one.record, DocumentRecord) and one.record.datasets is not None
        }
        if grouped:
            arguments = {"rows": _pairs(grouped), "documents": list(grouped)}
            for sql in (statements.UNGROUP, statements.GROUP):
                moved.update(row for (row,) in self.connection.execute(sql, arguments))
            self.connection.execute(statements.AWAIT, arguments)
        if moved:
            self.connection.execute(statements.FOLLOW, {"datasets": list(moved)})

    def _with_references(self, records: Sequence[AnyRecord]) -> list[AnyRecord]:
        """The records with all that is nested in them and known already as it is known."""
        datasets = [record for record in records if isinstance(record, DatasetRecord)]
        named = {document.pid for record in datasets for document in record.documents or ()}
        used = {record.instrument.pid for record in datasets if record.instrument}
        titles = dict(
            self.connection.execute(
                "SELECT pid, title FROM document WHERE pid = ANY(%s)", (list(named),)
            ).fetchall()
        )
        instruments = {
            pid: Instrument(pid=pid, name=name, facility=facility)
            for pid, name, facility in self.connection.execute(
                "SELECT pid, name, facility FROM instrument WHERE pid = ANY(%s)", (list(used),)
            )
        }
        titles |= {record.pid: record.title for record in records if isinstance(record, DocumentRecord)}
        instruments |= {record.pid: record for record in records if isinstance(record, Instrument)}
        return [_referring(record, titles, instruments) for record in records]

    def _remember(self, written: Iterable[tuple[Fetched, bytes | None]]) -> None:
        rows = [
            {
                "source": self.name,
                "kind": one.kind,
                "id": one.origin_id,
                "pid": one.record.pid,
                "digest": digest,
            }
            for one, digest in written
        ]
        with self.connection.cursor() as cursor:
            cursor.executemany(statements.REMEMBER, rows)

    def _supersede(self, written: Sequence[Fetched]) -> None:
        """What other sources wrote of these is written no longer: they write it again when they may."""
        arguments = {
            "source": self.name,
            "kinds": [one.kind for one in written],
            "pids": [one.record.pid for one in written],
        }
        self.connection.execute(statements.SUPERSEDE, arguments)

    def _seen(self, kind: Kind, ids: Sequence[str]) -> None:
        self.connection.execute(
            "UPDATE source_record SET seen_at = clock_timestamp() "
            "WHERE source = %s AND kind = %s AND origin_id = ANY(%s) AND deleted_at IS NULL",
            (self.name, kind, list(ids)),
        )

    def _refuse(self, refused: Sequence[Refused]) -> None:
        rows = [
            {
                "source": self.name,
                "kind": one.kind,
                "id": one.origin_id,
                "why": _storable(one.message)[:MAX_MESSAGE],
            }
            for one in refused
        ]
        with self.connection.cursor() as cursor:
            cursor.executemany(statements.REFUSE, rows)

    def _withdraw(self, kind: Kind, ids: Collection[str]) -> list[str]:
        """Hide what the records made, unless another record makes it too; returns the pids."""
        if not ids:
            return []
        arguments = {"source": self.name, "kind": kind, "ids": list(ids)}
        pids = [pid for (pid,) in self.connection.execute(statements.FORGET, arguments) if pid is not None]
        # The next time that the heirs are seen they are written.
        heirs = {"kind": kind, "pids": pids}
        self.connection.execute(statements.HEIRS, heirs)
        return [
            pid
            for (pid,) in self.connection.execute(statements.WITHDRAW[kind], {**heirs, "source": self.name})
        ]


def _digest(fetched: Fetched) -> bytes:
    content = orjson.dumps(
        fetched.record.model_dump(mode="json", exclude_unset=True), option=orjson.OPT_SORT_KEYS
    )
    return hashlib.blake2b(content, digest_size=16).digest()


def _storable(message: str) -> str:
    """The message with what no database takes written out: it may show what was refused for just that."""
    return message.encode("utf-8", "backslashreplace").decode().replace("\0", "\\0")


def _by_kind_of_record(records: Iterable[Fetched]) -> dict[Kind, list[Fetched]]:
    found: dict[Kind, list[Fetched]] = defaultdict(list)
    for one in records:
        found[one.kind].append(one)
    return found


def _by_kind(deleted: Iterable[Any]) -> dict[Kind, list[str]]:
    found: dict[Kind, list[str]] = defaultdict(list)
    for one in deleted:
        found[one.kind].append(one.origin_id)
    return found


def _pairs(links: Mapping[str, Sequence[str]]) -> str:
    rows = [
        {"one": one, "other": other, "position": position}
        for one, others in links.items()
        for position, other in enumerate(others)
    ]
    return orjson.dumps(rows).decode()


def _referring(
    record: AnyRecord, titles: Mapping[str, str], instruments: Mapping[str, Instrument]
) -> AnyRecord:
    if isinstance(record, DocumentRecord):
        return record.model_copy(update={"datasets": None})
    if isinstance(record, Instrument):
        return record
    changes: dict[str, Any] = {}
    if record.instrument:
        changes["instrument"] = instruments.get(record.instrument.pid, record.instrument)
    if record.documents is not None:
        changes["documents"] = [
            DocumentHeader(pid=document.pid, title=titles[document.pid])
            if document.pid in titles
            else document
            for document in record.documents
        ]
    return record.model_copy(update=changes)
