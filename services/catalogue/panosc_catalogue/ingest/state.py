"""What the ingest remembers in the database: its sources, their files, and what became of each."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from panosc_common.tree import FileState
from psycopg.types.json import Jsonb

from panosc_catalogue import store
from panosc_catalogue.ingest.assemble import KnownFile, assemble, dataset_pid
from panosc_catalogue.nexus.record import NexusRecord, NotReadable, Reason
from panosc_catalogue.settings import Facility, Source

READER_VERSION = 1
"""Raise it when the reader finds more in the same file: all files are then read again."""

MAX_ATTEMPTS = 5
"""Readings of a file that may still be being written."""


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
class State:
    """The state of one source, over a connection in autocommit mode."""

    connection: psycopg.Connection[Any]
    facility: Facility
    source: Source

    def register(self) -> bool:
        """Make the source known; whether its files were read in the same way as they would be today."""
        row = self.connection.execute(
            "INSERT INTO ingest_source (name, reading) VALUES (%s, %s) "
            "ON CONFLICT (name) DO UPDATE SET name = excluded.name RETURNING reading",
            (self.source.name, self._reading()),
        ).fetchone()
        return row is not None and row[0] == self._reading()

    def known(self, *, reread: bool) -> list[tuple[str, FileState]]:
        """The files as they were when they were last seen; `reread`: in a state that none of them has."""
        rows = self.connection.execute(
            "SELECT path, size, mtime_ns FROM ingest_file WHERE source = %s AND deleted_at IS NULL",
            (self.source.name,),
        )
        return [(path, FileState(-1, 0) if reread else FileState(size, mtime)) for path, size, mtime in rows]

    def reread(self) -> None:
        """All files were read again: hide the datasets that they do not make up any more."""
        pids = dataset_pid(self.facility, self.source.nexus.archive, "")
        with self.connection.transaction():
            self.connection.execute(_WITHDRAW_OTHERS, {"source": self.source.name, "pids": pids})
            self.connection.execute(
                "UPDATE ingest_source SET reading = %s WHERE name = %s", (self._reading(), self.source.name)
            )

    def _reading(self) -> str:
        layout = self.source.nexus.layout.model_dump_json()
        return f"{READER_VERSION} {self.source.nexus.archive} {layout} {sorted(self.source.nexus.include)}"

    def scanning(self) -> None:
        """A scan begins."""
        self.connection.execute(
            "UPDATE ingest_source SET state = 'Scanning' WHERE name = %s", (self.source.name,)
        )

    def idle(self, ignored: int, *, changed: bool) -> None:
        """A scan ended well."""
        self.connection.execute(
            "UPDATE ingest_source SET state = 'Idle', last_scan = now(), last_error = NULL, ignored = %s, "
            "last_change = CASE WHEN %s THEN now() ELSE last_change END WHERE name = %s",
            (ignored, changed, self.source.name),
        )

    def failed(self, error: str) -> None:
        """The source cannot be read; nothing that is known of it changes."""
        self.connection.execute(
            "UPDATE ingest_source SET state = 'Failed', last_error = %s WHERE name = %s",
            (error, self.source.name),
        )

    def again(self, limit: int) -> tuple[list[tuple[str, FileState, str]], bool]:
        """Files to look at again though they did not change (path, state, reason); whether more will come.

        Those that may have been read while they were written, each time after twice as long; and those that
        could not be opened, since their permissions change without a change of the file.
        """
        rows = self.connection.execute(
            "SELECT path, size, mtime_ns, reason, outcome = 'waiting', "
            "reason = 'Unreadable' OR seen_at < now() - make_interval(secs => 2 ^ attempts) FROM ingest_file "
            "WHERE source = %s AND deleted_at IS NULL AND reason IS NOT NULL "
            "AND (outcome = 'waiting' OR reason = 'Unreadable') ORDER BY path LIMIT %s",
            (self.source.name, limit),
        ).fetchall()
        due = [(path, FileState(size, mtime), why) for path, size, mtime, why, _, is_due in rows if is_due]
        return due, any(is_waiting for *_, is_waiting, _ in rows)

    def update(
        self, dataset: str, proposal: str | None, seen: Sequence[Seen], removed: Iterable[str]
    ) -> None:
        """Take in what became of a dataset's files, and bring its records up to date, in one transaction.

        Raises psycopg.DataError if the database refuses the records; nothing of it is then stored.
        """
        with self.connection.transaction():
            for file in seen:
                self._remember(dataset, file)
            self.connection.execute(
                "UPDATE ingest_file SET deleted_at = now() WHERE source = %s AND path = ANY(%s)",
                (self.source.name, list(removed)),
            )
            files = self._files(dataset)
            if any(file.record for file in files):
                self._write(dataset, proposal, files)
            else:
                self._withdraw(dataset)

    def _remember(self, dataset: str, file: Seen) -> None:
        record = file.result if isinstance(file.result, NexusRecord) else None
        problem = file.result if isinstance(file.result, NotReadable) else None
        if record and record.end is None:
            problem = NO_DATE
        outcome = "companion" if file.result is None else "ingested" if record else "failed"
        if outcome == "failed" and file.may_still_be_written:
            outcome = "waiting"
        self.connection.execute(
            _REMEMBER,
            {
                "source": self.source.name,
                "path": file.path,
                "dataset": dataset,
                "size": file.state.size,
                "mtime_ns": file.state.mtime_ns,
                "outcome": outcome,
                "reason": problem.reason if problem else None,
                "message": problem.message if problem else None,
                "record": Jsonb(record.model_dump(mode="json")) if record else None,
                "max_attempts": MAX_ATTEMPTS,
            },
        )

    def _files(self, dataset: str) -> list[KnownFile]:
        rows = self.connection.execute(
            "SELECT path, size, record FROM ingest_file "
            "WHERE source = %s AND dataset = %s AND deleted_at IS NULL ORDER BY path",
            (self.source.name, dataset),
        )
        return [
            KnownFile(path, size, NexusRecord.model_validate(record) if record else None)
            for path, size, record in rows
        ]

    def _write(self, dataset: str, proposal: str | None, files: list[KnownFile]) -> None:
        archive = self.source.nexus.archive
        origin = store.Origin(self.source.name, archive)
        made = assemble(self.facility, archive, dataset, proposal, files)
        document = made.document
        if document is not None:
            # Two datasets of a proposal may come at the same time; its title and dates are made of both.
            self.connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (document.pid,))
            if not any(file.record and file.record.proposal_title for file in files):
                known = self.connection.execute(
                    "SELECT title FROM document WHERE pid = %s", (document.pid,)
                ).fetchone()
                document = document.model_copy(update={"title": known[0]}) if known else document
        self.connection.execute(
            "WITH d AS (UPDATE dataset SET document_id = NULL WHERE pid = %s RETURNING id) "
            "DELETE FROM document_dataset l USING d WHERE l.dataset_id = d.id",
            (made.dataset.pid,),
        )
        record = made.dataset.model_copy(update={"documents": [document] if document else []})
        store.write(self.connection, [record], origin)
        store.write_dataset_members(self.connection, record.pid, made.members, origin)
        if document is not None:
            self.connection.execute(_DOCUMENT_DATES, {"pid": document.pid})

    def _withdraw(self, dataset: str) -> None:
        """Hide a dataset whose files are all gone; it is kept, and comes back when they do."""
        pid = dataset_pid(self.facility, self.source.nexus.archive, dataset)
        self.connection.execute(
            "WITH d AS ("
            "UPDATE dataset SET deleted_at = now() WHERE pid = %s AND deleted_at IS NULL RETURNING id) "
            "UPDATE file f SET deleted_at = now() FROM d WHERE f.dataset_id = d.id AND f.deleted_at IS NULL",
            (pid,),
        )


_REMEMBER = """
INSERT INTO ingest_file AS f
    (source, path, dataset, size, mtime_ns, outcome, attempts, reason, message, record)
VALUES (%(source)s, %(path)s, %(dataset)s, %(size)s, %(mtime_ns)s, %(outcome)s,
    CASE WHEN %(reason)s::text IS NULL THEN 0 ELSE 1 END, %(reason)s, %(message)s, %(record)s)
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
    seen_at = now(), deleted_at = NULL
"""

_WITHDRAW_OTHERS = """
WITH d AS (
    UPDATE dataset SET deleted_at = now() WHERE source = %(source)s AND deleted_at IS NULL AND pid NOT IN (
        SELECT %(pids)s || dataset FROM ingest_file WHERE source = %(source)s AND deleted_at IS NULL)
    RETURNING id
)
UPDATE file f SET deleted_at = now() FROM d WHERE f.dataset_id = d.id AND f.deleted_at IS NULL
"""

_DOCUMENT_DATES = """
UPDATE document p SET start_date = span.started, end_date = span.ended
FROM (
    SELECT min(d.creation_date) AS started, max(coalesce(d.end_date, d.creation_date)) AS ended
    FROM dataset d JOIN document o ON o.id = d.document_id WHERE o.pid = %(pid)s
) span
WHERE p.pid = %(pid)s
"""
