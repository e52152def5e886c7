"""The fixity manifest: the known files and their SHA-256 in SQLite.

Written by two processes (`index` all the time, `verify` on schedule) and read by a third over a read-only
mount. Hence a rollback journal, not WAL (which needs shared memory and a writable directory for readers),
short transactions, and a generous busy time-out.
"""

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from panosc_common.tree import Change, ChangeKind, FileState

BUSY_SECONDS = 60.0
RETRY_SECONDS = 600.0
"""Time after which a file that could not be read is tried again, at the earliest."""
MOVED_WITHIN_SECONDS = 3600
"""Time between the notice of a file at its new place and that of its absence from the old one, at most."""
RETRY_SHARE = 20
"""Parts of the time of which one may go into reading again what could not be read."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS file (
  path TEXT PRIMARY KEY,
  size INTEGER NOT NULL,
  mtime_ns INTEGER NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('pending', 'sound', 'damaged', 'missing')),
  revision INTEGER NOT NULL DEFAULT 0,
  sha256 TEXT,
  added_at TEXT NOT NULL,
  actual TEXT,
  detected_at TEXT,
  checked_at TEXT,
  unreadable TEXT
) WITHOUT ROWID;
-- Used only by conditions that repeat its own.
CREATE INDEX IF NOT EXISTS file_unsound ON file (state, path) WHERE state <> 'sound';
CREATE INDEX IF NOT EXISTS file_unreadable ON file (path) WHERE unreadable IS NOT NULL;
CREATE INDEX IF NOT EXISTS file_sha256 ON file (sha256) WHERE sha256 IS NOT NULL;
CREATE TABLE IF NOT EXISTS fact (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""


class State(StrEnum):
    """What is known about a file's content."""

    PENDING = "pending"
    """To be hashed: new, or modified since."""
    SOUND = "sound"
    """Had the recorded hash when it was last read."""
    DAMAGED = "damaged"
    """Has another content than recorded though nothing modified it."""
    MISSING = "missing"
    """Was there once and is no more, under this or another name."""


class Fact(StrEnum):
    """Single values beside the files."""

    LAST_SCAN = "last_scan"
    LAST_CHECK = "last_check"
    CHECK_STARTED = "check_started"


class Entry(NamedTuple):
    """A file as recorded. `sha256` (hex) is None until it has been hashed.

    `revision` grows with every change that a scan sees: what was found by reading an older one is void.
    """

    path: str
    size: int
    mtime_ns: int
    state: State
    sha256: str | None
    revision: int


class Damage(NamedTuple):
    """A file that is damaged or missing: recorded and found hash, and when it was noticed (RFC 3339)."""

    path: str
    expected: str | None
    actual: str | None
    detected_at: str


class Summary(NamedTuple):
    """Counts over all files; `files` and `size` (bytes) leave out the missing ones."""

    files: int
    size: int
    known: int
    pending: int
    damaged: int
    missing: int


def timestamp() -> str:
    """Now, in RFC 3339, UTC; of equal length always, so that they sort as text."""
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


class Manifest:
    """A connection to the manifest; one per thread."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    @classmethod
    def open(cls, path: Path) -> "Manifest":
        """Open for writing, creating it if needed. Raises sqlite3.Error, OSError if that is impossible."""
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("PRAGMA synchronous = FULL")
        connection.executescript(_SCHEMA)
        return cls(connection)

    @classmethod
    def open_readonly(cls, path: Path) -> "Manifest":
        """Open for reading. Raises sqlite3.Error if there is none."""
        uri = f"{path.absolute().as_uri()}?mode=ro"
        # Readers prefer an answer without hashes to one that waits for a writer.
        return cls(sqlite3.connect(uri, uri=True, timeout=0.5, isolation_level=None))

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything inside is written at once, or not at all."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def known(self) -> Iterator[tuple[str, FileState]]:
        """Every file that was there at the last look."""
        rows = self._connection.execute("SELECT path, size, mtime_ns FROM file WHERE state <> 'missing'")
        return ((path, FileState(size, mtime_ns)) for path, size, mtime_ns in rows)

    def record(self, change: Change) -> None:
        """Take over what a scan found. A hash stays until `index` has read the file and judged."""
        if change.kind is ChangeKind.REMOVED:
            # What was never hashed, such as a writer's temporary file, is no loss that could be judged.
            self._connection.execute("DELETE FROM file WHERE path = ? AND sha256 IS NULL", (change.path,))
            # One that was noticed at its new place before, with its content and its time, is no loss either.
            self._connection.execute(
                "DELETE FROM file WHERE path = ? AND size > 0 AND EXISTS (SELECT 1 FROM file new"
                " WHERE new.sha256 = file.sha256 AND new.mtime_ns = file.mtime_ns AND new.path <> file.path"
                " AND new.state = 'sound' AND (julianday('now') - julianday(new.added_at)) * 86400 < ?)",
                (change.path, MOVED_WITHIN_SECONDS),
            )
            self._connection.execute("UPDATE file SET revision = revision + 1 WHERE path = ?", (change.path,))
            self._miss("path = ?", (change.path,))
            return
        # A file that was recorded keeps its old state beside its hash: `fixity.examine` then tells a
        # modification (new time) from damage (same time, other content).
        self._connection.execute(
            "INSERT INTO file (path, size, mtime_ns, state, added_at) VALUES (?, ?, ?, 'pending', ?)"
            " ON CONFLICT (path) DO UPDATE SET state = 'pending', actual = NULL,"
            " unreadable = NULL, revision = revision + 1, size = iif(sha256 IS NULL, excluded.size, size),"
            " mtime_ns = iif(sha256 IS NULL, excluded.mtime_ns, mtime_ns)",
            (change.path, *change.state, timestamp()),
        )

    def pending(self, after: str, limit: int, bytes_per_second: float) -> list[Entry]:
        """Files that wait to be hashed, in order of their paths.

        One that could not be read is left out for a while, which is the longer, the longer it takes to read
        it at the given rate: a disk with a bad sector must not be read for ever.
        """
        return self._entries(
            "state = 'pending' AND state <> 'sound' AND path > ? AND (unreadable IS NULL"
            " OR (julianday('now') - julianday(checked_at)) * 86400 > max(?, size * ?))"
            " ORDER BY path LIMIT ?",
            (after, RETRY_SECONDS, RETRY_SHARE / bytes_per_second, limit),
        )

    def unchecked(self, since: str, after: str, limit: int) -> list[Entry]:
        """Hashed files that were not read since `since` (RFC 3339), in order of their paths."""
        return self._entries(
            "sha256 IS NOT NULL AND (checked_at IS NULL OR checked_at < ?) AND path > ?"
            " ORDER BY path LIMIT ?",
            (since, after, limit),
        )

    def find(self, paths: Iterable[str]) -> dict[str, Entry]:
        """The entries of `paths`, as far as there are any."""
        found: dict[str, Entry] = {}
        batch = list(paths)
        for start in range(0, len(batch), 500):
            part = batch[start : start + 500]
            marks = ",".join("?" * len(part))
            found |= {entry.path: entry for entry in self._entries(f"path IN ({marks})", tuple(part))}
        return found

    def accept(self, entry: Entry, state: FileState, sha256: str) -> None:
        """The file has this content, and that is right.

        If it is new and a missing file had the same content, that one was moved here and is missed no more.
        """
        self._connection.execute(
            "UPDATE file SET size = ?, mtime_ns = ?, sha256 = ?, state = 'sound', checked_at = ?,"
            " actual = NULL, detected_at = NULL, unreadable = NULL WHERE path = ? AND revision = ?",
            (*state, sha256, timestamp(), entry.path, entry.revision),
        )
        if entry.sha256 is None and state.size:
            self._connection.execute("DELETE FROM file WHERE state = 'missing' AND sha256 = ?", (sha256,))

    def damage(self, entry: Entry, actual: str) -> None:
        """The file has another content than recorded; the recorded hash stays."""
        now = timestamp()
        self._connection.execute(
            "UPDATE file SET state = 'damaged', actual = ?, checked_at = ?, unreadable = NULL,"
            " detected_at = coalesce(detected_at, ?) WHERE path = ? AND revision = ?",
            (actual, now, now, entry.path, entry.revision),
        )

    def miss(self, entry: Entry) -> None:
        """The file is gone; its hash stays."""
        self._miss("path = ? AND revision = ?", (entry.path, entry.revision))

    def forget(self, path: str) -> int:
        """Take the missing files at and below `path` as removed on purpose; returns how many."""
        cursor = self._connection.execute(
            "DELETE FROM file WHERE state = 'missing' AND (path = ? OR substr(path, 1, ?) = ?)",
            (path, len(path) + 1, f"{path}/"),
        )
        return cursor.rowcount

    def fail(self, entry: Entry, reason: str) -> None:
        """The file could not be read; its state stays as it was."""
        self._connection.execute(
            "UPDATE file SET unreadable = ?, checked_at = ? WHERE path = ?", (reason, timestamp(), entry.path)
        )

    def _miss(self, condition: str, parameters: tuple[object, ...]) -> None:
        now = timestamp()
        statement = (
            "UPDATE file SET detected_at = iif(state = 'missing', detected_at, ?), state = 'missing',"
            " actual = NULL, unreadable = NULL, checked_at = ? WHERE "
        )
        self._connection.execute(statement + condition, (now, now, *parameters))

    def fact(self, name: Fact) -> str | None:
        """A single value."""
        row = self._connection.execute("SELECT value FROM fact WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def set_fact(self, name: Fact, value: str | None) -> None:
        """Set a single value, or remove it."""
        if value is None:
            self._connection.execute("DELETE FROM fact WHERE name = ?", (name,))
        else:
            self._connection.execute("INSERT OR REPLACE INTO fact (name, value) VALUES (?, ?)", (name, value))

    def summary(self) -> Summary:
        """Counts over all files."""
        row = self._connection.execute(
            "SELECT coalesce(sum(state <> 'missing'), 0), coalesce(sum(iif(state <> 'missing', size, 0)), 0),"
            " coalesce(sum(sha256 IS NOT NULL AND state <> 'missing'), 0),"
            " coalesce(sum(state = 'pending'), 0), coalesce(sum(state = 'damaged'), 0),"
            " coalesce(sum(state = 'missing'), 0) FROM file"
        ).fetchone()
        return Summary(*row)

    def unsound(self, state: State, limit: int) -> list[Damage]:
        """Damaged or missing files, in order of their paths."""
        rows = self._connection.execute(
            "SELECT path, sha256, actual, detected_at FROM file WHERE state = ? AND state <> 'sound'"
            " ORDER BY path LIMIT ?",
            (state, limit),
        )
        return [Damage(*row) for row in rows]

    def unreadable(self, limit: int) -> list[tuple[str, str]]:
        """Path and reason of files that could not be read for their hash."""
        rows = self._connection.execute(
            "SELECT path, unreadable FROM file WHERE unreadable IS NOT NULL ORDER BY path LIMIT ?", (limit,)
        )
        return [(path, reason) for path, reason in rows]

    def _entries(self, condition: str, parameters: tuple[object, ...]) -> list[Entry]:
        # `condition` is always a literal of this module.
        rows = self._connection.execute(
            f"SELECT path, size, mtime_ns, state, sha256, revision FROM file WHERE {condition}",  # noqa: S608
            parameters,
        )
        return [Entry(path, size, mtime, State(state), *rest) for path, size, mtime, state, *rest in rows]
