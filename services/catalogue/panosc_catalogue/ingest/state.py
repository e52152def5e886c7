"""What the ingest remembers in the database: its sources, their files, and what became of each."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
import structlog
from panosc_common.tree import FileState
from psycopg.types.json import Jsonb

from panosc_catalogue import store
from panosc_catalogue.ingest.assemble import assemble, dataset_pid
from panosc_catalogue.nexus.record import NexusRecord, NotReadable, Reason
from panosc_catalogue.records import DatasetRecord, DocumentHeader
from panosc_catalogue.settings import Facility, NexusSource

log = structlog.stdlib.get_logger(__name__)

READER_VERSION = 1
"""Raise it when the reader finds more in the same file: all files are then read again."""

MAX_ATTEMPTS = 5
"""Readings of a file that may still be being written."""

MAX_DESCRIBING = 200
"""Files of a dataset whose records are put together to its description; all of them count for its dates."""

MAX_LOGGED = 20
"""Datasets that one line of the log names."""


NO_DATE = NotReadable(
    Reason.NO_DATE,
    "neither start_time nor end_time in it: public only by the dates of its proposal's other files",
)


@dataclass(frozen=True)
class Seen:
    """A file as it was found, and what reading it gave (None: it is no NeXus file)."""

    path: str
    state: FileState
    result: NexusRecord | NotReadable | None
    may_still_be_written: bool = False


@dataclass(frozen=True)
class _Extent:
    """What all files of a dataset have together."""

    size: int
    has_records: bool
    started: datetime | None
    ended: datetime | None


@dataclass(frozen=True)
class _Stored:
    """A dataset as the catalogue has it before its files are taken in."""

    is_shown: bool
    creation_date: datetime | None
    end_date: datetime | None
    document: str | None


@dataclass(frozen=True)
class State:
    """The state of one source, over a connection in autocommit mode."""

    connection: psycopg.Connection[Any]
    facility: Facility
    name: str
    """Name of the source."""
    nexus: NexusSource

    def register(self) -> bool:
        """Make the source known; whether its files were read in the same way as they would be today."""
        row = self.connection.execute(
            "INSERT INTO ingest_source (name, reading) VALUES (%s, %s) "
            "ON CONFLICT (name) DO UPDATE SET name = excluded.name RETURNING reading",
            (self.name, self._reading()),
        ).fetchone()
        return row is not None and row[0] == self._reading()

    def last_scan(self) -> datetime | None:
        """End of the last scan that ended well."""
        row = self.connection.execute(
            "SELECT last_scan FROM ingest_source WHERE name = %s", (self.name,)
        ).fetchone()
        return row[0] if row else None

    def known(self, *, reread: bool) -> list[tuple[str, FileState]]:
        """The files as they were when they were last seen; `reread`: in a state that none of them has."""
        rows = self.connection.execute(
            "SELECT path, size, mtime_ns FROM ingest_file WHERE source = %s AND deleted_at IS NULL",
            (self.name,),
        )
        return [(path, FileState(-1, 0) if reread else FileState(size, mtime)) for path, size, mtime in rows]

    def reread(self, dropped: Collection[str]) -> None:
        """All files were read again: hide the datasets that they do not make up any more.

        `dropped` are those that the source has nothing to do with any more.
        """
        with self.connection.transaction():
            self._remember("", (), dropped)
            arguments = {"source": self.name, "prefix": self._pid("")}
            withdrawn = [pid for (pid,) in self.connection.execute(_WITHDRAW_OTHERS, arguments)]
            self.connection.execute(
                "UPDATE ingest_source SET reading = %s WHERE name = %s", (self._reading(), self.name)
            )
        if withdrawn:
            log.warning(
                "datasets withdrawn",
                source=self.name,
                why="the source's files make up other datasets now",
                count=len(withdrawn),
                datasets=withdrawn[:MAX_LOGGED],
            )

    def _pid(self, dataset: str) -> str:
        return dataset_pid(self.facility, self.nexus.archive, dataset)

    def _reading(self) -> str:
        layout = self.nexus.layout.model_dump_json()
        return f"{READER_VERSION} {self.nexus.archive} {layout} {sorted(self.nexus.include)}"

    def scanning(self) -> None:
        """A scan begins; the datasets that it finds are shown when one has ended."""
        self.connection.execute(
            "UPDATE ingest_source SET state = 'Scanning', unsettled_since = coalesce(unsettled_since, now()) "
            "WHERE name = %s",
            (self.name,),
        )

    def idle(self, ignored: int, *, changed: bool) -> None:
        """A scan ended well."""
        store.settle_words(self.connection)
        self.connection.execute(
            "UPDATE ingest_source SET state = 'Idle', last_scan = now(), last_error = NULL, ignored = %s, "
            "unsettled_since = NULL, last_change = CASE WHEN %s THEN now() ELSE last_change END "
            "WHERE name = %s",
            (ignored, changed, self.name),
        )

    def failed(self, error: str) -> None:
        """The source cannot be read; nothing that is known of it changes."""
        self.connection.execute(
            "UPDATE ingest_source SET state = 'Failed', last_error = %s WHERE name = %s",
            (error, self.name),
        )

    def again(self, limit: int) -> tuple[list[tuple[str, FileState, str]], bool]:
        """Files to look at again though they did not change (path, state, reason); whether more will come.

        Those that may have been read while they were written, and those that could not be read, since their
        permissions change without a change of the file; each time after twice as long, an hour at last.
        """
        rows = self.connection.execute(_AGAIN, (self.name, limit)).fetchall()
        waiting = self.connection.execute(_WAITING, (self.name,)).fetchone()
        due = [(path, FileState(size, mtime), reason) for path, size, mtime, reason in rows]
        return due, waiting == (True,)

    def looked_at(self, paths: Collection[str]) -> None:
        """These are as they were: after the others it is their turn again."""
        self.connection.execute(
            "UPDATE ingest_file SET seen_at = now() WHERE source = %s AND path = ANY(%s)",
            (self.name, list(paths)),
        )

    def update(
        self, dataset: str, proposal: str | None, seen: Sequence[Seen], removed: Collection[str]
    ) -> None:
        """Take in what became of a dataset's files, and bring its records up to date, in one transaction.

        Only what changed is written: a dataset may have very many files, which come a few at a time.
        Raises psycopg.DataError, psycopg.IntegrityError, psycopg.errors.ProgramLimitExceeded or ValueError if
        the records cannot be stored; nothing of it is then stored.
        """
        with self.connection.transaction():
            paths = [*(file.path for file in seen), *removed]
            says_more = self._says_more(seen, paths)
            self._remember(dataset, seen, removed)
            stored = self._stored(dataset)
            is_shown = stored is not None and stored.is_shown
            extent = self._extent(dataset)
            if not extent.has_records:
                if is_shown:
                    self._withdraw(dataset)
                return
            if not is_shown or says_more:
                self._describe(dataset, proposal, stored, extent)
            arguments = {
                "source": self.name,
                "archive": self.nexus.archive,
                "dataset": dataset,
                "pid": self._pid(dataset),
                "size": extent.size,
                # A dataset that is new, or comes back, has files that were seen before.
                "paths": paths if is_shown else None,
            }
            for sql in (_FILES, _LOST_FILES, _SIZE):
                self.connection.execute(sql, arguments)

    def refuse(self, dataset: str, seen: Sequence[Seen], removed: Collection[str], why: NotReadable) -> None:
        """Report the files of a dataset whose records cannot be stored; the dataset stays as it is."""
        with self.connection.transaction():
            self._remember(dataset, [Seen(file.path, file.state, why) for file in seen], removed)

    def _says_more(self, seen: Sequence[Seen], paths: list[str]) -> bool:
        """Whether any of the files has, or had, a say in what the dataset is."""
        had = self.connection.execute(
            "SELECT EXISTS (SELECT 1 FROM ingest_file WHERE source = %s AND path = ANY(%s) "
            "AND record IS NOT NULL)",
            (self.name, paths),
        ).fetchone()
        return had == (True,) or any(isinstance(file.result, NexusRecord) for file in seen)

    def _remember(self, dataset: str, seen: Sequence[Seen], removed: Collection[str]) -> None:
        with self.connection.cursor() as cursor:
            cursor.executemany(_REMEMBER, [self._row(dataset, file) for file in seen])
        if removed:
            self.connection.execute(
                "UPDATE ingest_file SET deleted_at = now() WHERE source = %s AND path = ANY(%s)",
                (self.name, list(removed)),
            )

    def _row(self, dataset: str, file: Seen) -> dict[str, Any]:
        record = file.result if isinstance(file.result, NexusRecord) else None
        problem = file.result if isinstance(file.result, NotReadable) else None
        if record and record.end is None:
            problem = NO_DATE
        outcome = "companion" if file.result is None else "ingested" if record else "failed"
        if outcome == "failed" and file.may_still_be_written:
            outcome = "waiting"
        return {
            "source": self.name,
            "path": file.path,
            "dataset": dataset,
            "size": file.state.size,
            "mtime_ns": file.state.mtime_ns,
            "outcome": outcome,
            "reason": problem.reason if problem else None,
            "message": problem.message if problem else None,
            "record": Jsonb(record.model_dump(mode="json")) if record else None,
            "started": record.start if record else None,
            "ended": record.end if record else None,
            "max_attempts": MAX_ATTEMPTS,
        }

    def _extent(self, dataset: str) -> _Extent:
        row = self.connection.execute(_EXTENT, (self.name, dataset)).fetchone()
        return _Extent(*row) if row else _Extent(0, False, None, None)

    def _stored(self, dataset: str) -> _Stored | None:
        row = self.connection.execute(
            "SELECT d.deleted_at IS NULL, d.creation_date, d.end_date, p.pid "
            "FROM dataset d LEFT JOIN document p ON p.id = d.document_id WHERE d.pid = %s",
            (self._pid(dataset),),
        ).fetchone()
        return _Stored(*row) if row else None

    def _records(self, dataset: str) -> list[NexusRecord]:
        rows = self.connection.execute(
            "SELECT record FROM ingest_file WHERE source = %s AND dataset = %s AND deleted_at IS NULL "
            "AND record IS NOT NULL ORDER BY path LIMIT %s",
            (self.name, dataset, MAX_DESCRIBING),
        )
        return [NexusRecord.model_validate(record) for (record,) in rows]

    def _describe(self, dataset: str, proposal: str | None, stored: _Stored | None, extent: _Extent) -> None:
        """Write what the files of the dataset say together."""
        origin = store.Origin(self.name, self.nexus.archive)
        made = assemble(
            self.facility, self.nexus.archive, dataset, proposal, records := self._records(dataset)
        )
        document = made.document
        before = stored.document if stored else None
        documents = sorted({pid for pid in (before, document.pid if document else None) if pid})
        # Two datasets of a proposal may come at the same time; its title and dates are made of both.
        for pid in documents:
            self.connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (pid,))
        if document is not None:
            document = self._header(document, is_titled=any(record.proposal_title for record in records))
        if stored and (not stored.is_shown or before != (document.pid if document else None)):
            self.connection.execute(_UNPLACE, (made.dataset.pid,))
        dates = (extent.started or extent.ended, extent.ended)
        changes = {
            "creation_date": dates[0],
            "end_date": dates[1],
            "documents": [document] if document else [],
        }
        record = made.dataset.model_copy(update=changes)
        store.write(self.connection, [record], origin)
        store.write_dataset_members(self.connection, record.pid, made.members, origin)
        self._date(documents, record, stored)

    def _header(self, document: DocumentHeader, *, is_titled: bool) -> DocumentHeader:
        """The document with no more than files may say of it: nothing of one that is from elsewhere."""
        known = self.connection.execute(
            "SELECT title, source FROM document WHERE pid = %s", (document.pid,)
        ).fetchone()
        if known is None or (is_titled and known[1] == self.name):
            return document
        return DocumentHeader(pid=document.pid, title=known[0])

    def _date(self, documents: list[str], dataset: DatasetRecord, stored: _Stored | None) -> None:
        """Bring the documents' dates up to date: they grow with each dataset, and follow corrections."""
        document = dataset.documents[0].pid if dataset.documents else None
        start, end = dataset.creation_date, dataset.end_date
        if stored and (stored.document, stored.creation_date, stored.end_date) != (document, start, end):
            self.connection.execute(_MEASURED_ANEW, (documents,))
        elif document:
            self.connection.execute(_MEASURED_ALSO, {"pid": document, "start": start, "end": end or start})

    def _withdraw(self, dataset: str) -> None:
        """Hide a dataset whose files are all gone; it is kept, and comes back when they do.

        Its dates go on counting for its proposal, and its people too: that the files are elsewhere now does
        not end the experiment earlier.
        """
        pid = self._pid(dataset)
        self.connection.execute(_WITHDRAW, (pid,))
        log.warning("dataset withdrawn", source=self.name, dataset=pid, why="its files are gone")


_AGAIN = """
SELECT path, size, mtime_ns, reason FROM ingest_file
WHERE source = %s AND deleted_at IS NULL AND reason IS NOT NULL
AND (outcome = 'waiting' OR reason = 'Unreadable')
AND seen_at < now() - make_interval(secs => 2 ^ least(attempts, 12))
ORDER BY seen_at, path LIMIT %s
"""

_WAITING = """
SELECT EXISTS (
    SELECT 1 FROM ingest_file
    WHERE source = %s AND deleted_at IS NULL AND reason IS NOT NULL AND outcome = 'waiting')
"""

_EXTENT = """
SELECT coalesce(least(sum(size), 9223372036854775807)::bigint, 0),
    coalesce(bool_or(record IS NOT NULL), false), min(started), max(ended)
FROM ingest_file WHERE source = %s AND dataset = %s AND deleted_at IS NULL
"""

_FILES = """
INSERT INTO file (dataset_id, archive, path, name, size)
SELECT d.id, %(archive)s, i.path, regexp_replace(i.path, '^.*/', ''), i.size
FROM ingest_file i JOIN dataset d ON d.pid = %(pid)s
WHERE i.source = %(source)s AND i.dataset = %(dataset)s AND i.deleted_at IS NULL
AND (%(paths)s::text[] IS NULL OR i.path = ANY(%(paths)s::text[]))
ON CONFLICT (dataset_id, path) DO UPDATE SET
    archive = excluded.archive, name = excluded.name, size = excluded.size, deleted_at = NULL
WHERE (file.archive, file.name, file.size, file.deleted_at)
    IS DISTINCT FROM (excluded.archive, excluded.name, excluded.size, NULL)
"""

_LOST_FILES = """
UPDATE file f SET deleted_at = now() FROM dataset d
WHERE d.pid = %(pid)s AND f.dataset_id = d.id AND f.deleted_at IS NULL
AND (%(paths)s::text[] IS NULL OR f.path = ANY(%(paths)s::text[]))
AND NOT EXISTS (
    SELECT 1 FROM ingest_file i
    WHERE i.source = %(source)s AND i.path = f.path AND i.dataset = %(dataset)s AND i.deleted_at IS NULL)
"""

_SIZE = "UPDATE dataset SET size = %(size)s WHERE pid = %(pid)s AND size IS DISTINCT FROM %(size)s"

_UNPLACE = """
WITH d AS (
    SELECT id, document_id FROM dataset WHERE pid = %s
), unlinked AS (
    DELETE FROM document_dataset l USING d WHERE l.dataset_id = d.id AND l.document_id = d.document_id
)
UPDATE dataset SET document_id = NULL, placed_at = now() FROM d WHERE dataset.id = d.id
"""

_MEASURED_ALSO = """
UPDATE document SET
    measured_start = least(measured_start, %(start)s), measured_end = greatest(measured_end, %(end)s)
WHERE pid = %(pid)s AND (measured_start, measured_end)
    IS DISTINCT FROM (least(measured_start, %(start)s), greatest(measured_end, %(end)s))
"""

_MEASURED_ANEW = """
UPDATE document p SET measured_start = span.started, measured_end = span.ended
FROM (
    SELECT o.id, min(d.creation_date) AS started, max(coalesce(d.end_date, d.creation_date)) AS ended
    FROM document o LEFT JOIN dataset d ON d.document_id = o.id WHERE o.pid = ANY(%s) GROUP BY o.id
) span
WHERE p.id = span.id
"""

_WITHDRAW = """
WITH d AS (
    UPDATE dataset SET deleted_at = now() WHERE pid = %s AND deleted_at IS NULL RETURNING id
)
UPDATE file f SET deleted_at = now() FROM d WHERE f.dataset_id = d.id AND f.deleted_at IS NULL
"""


_REMEMBER = """
INSERT INTO ingest_file AS f
    (source, path, dataset, size, mtime_ns, outcome, attempts, reason, message, record, started, ended)
VALUES (%(source)s, %(path)s, %(dataset)s, %(size)s, %(mtime_ns)s, %(outcome)s,
    CASE WHEN %(reason)s::text IS NULL THEN 0 ELSE 1 END, %(reason)s, %(message)s, %(record)s,
    %(started)s, %(ended)s)
ON CONFLICT (source, path) DO UPDATE SET
    dataset = excluded.dataset, size = excluded.size, mtime_ns = excluded.mtime_ns,
    attempts = CASE
        WHEN excluded.reason IS NULL THEN 0
        WHEN (f.size, f.mtime_ns) = (excluded.size, excluded.mtime_ns) THEN f.attempts + 1
        ELSE 1 END,
    outcome = CASE
        WHEN excluded.outcome = 'waiting' AND (f.size, f.mtime_ns) = (excluded.size, excluded.mtime_ns)
            AND f.attempts + 1 >= %(max_attempts)s THEN 'failed'
        ELSE excluded.outcome END,
    reason = excluded.reason, message = excluded.message,
    -- A file that was readable once keeps what was read: its dataset does not vanish because of a bad copy.
    record = CASE WHEN excluded.outcome IN ('failed', 'waiting') THEN f.record ELSE excluded.record END,
    started = CASE WHEN excluded.outcome IN ('failed', 'waiting') THEN f.started ELSE excluded.started END,
    ended = CASE WHEN excluded.outcome IN ('failed', 'waiting') THEN f.ended ELSE excluded.ended END,
    seen_at = now(), deleted_at = NULL
"""

_WITHDRAW_OTHERS = """
WITH d AS (
    UPDATE dataset SET deleted_at = now()
    WHERE source = %(source)s AND deleted_at IS NULL AND starts_with(pid, %(prefix)s) AND NOT EXISTS (
        SELECT 1 FROM ingest_file f
        WHERE f.source = %(source)s AND f.deleted_at IS NULL
        AND f.dataset = substr(pid, length(%(prefix)s) + 1))
    RETURNING id, pid
), files AS (
    UPDATE file f SET deleted_at = now() FROM d WHERE f.dataset_id = d.id AND f.deleted_at IS NULL
)
SELECT pid FROM d ORDER BY pid
"""
