"""Whether files still have the content that was recorded, and what it was in the first place.

A file whose modification time is not the recorded one was *modified*: its new hash is recorded. A file with
the recorded time and another content was *damaged*: nobody wrote it on purpose.
"""

import hashlib
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import structlog
from panosc_common.tree import FileState, RootUnavailable

from panosc_archive.manifest import Entry, Fact, Manifest, State, timestamp
from panosc_archive.paths import NotBeneath, open_beneath

CHUNK = 2**20
BATCH_FILES = 256
BATCH_SECONDS = 2.0

log = structlog.stdlib.get_logger(__name__)


class Stopped(Exception):
    """The process was asked to end; what was done so far is recorded."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What reading one file showed.

    `state` is None if the file could not be judged now: it changed while it was read, is too young, or could
    not be read for `reason`.
    """

    entry: Entry
    state: State | None
    file: FileState | None = None
    sha256: str = ""
    reason: str = ""


class Reader:
    """Reads files for their hash, at a bounded rate, until `stop` is set."""

    def __init__(self, root: Path, bytes_per_second: float, stop: threading.Event) -> None:
        self._root = root
        self.bytes_per_second = bytes_per_second
        """Bound on the rate."""
        self._stop = stop
        self.read_bytes = 0
        """Bytes read so far."""

    def examine(self, entry: Entry, settle_seconds: float = 0.0) -> Finding:
        """Read the file and compare it with its entry.

        Raises Stopped, and RootUnavailable if the root cannot be read or is empty, as the place of a volume
        that is not mounted is: nothing follows about its files.
        """
        try:
            descriptor = open_beneath(self._root, entry.path)
        except NotBeneath:
            self._check_root()
            return Finding(entry, State.MISSING)
        except OSError as error:
            self._check_root()
            return Finding(entry, None, reason=error.strerror or str(error))
        try:
            before = _state(descriptor)
            if time.time() - before.mtime_ns / 1e9 < settle_seconds:
                return Finding(entry, None)
            sha256 = self._hash(descriptor)
            if _state(descriptor) != before:
                return Finding(entry, None)
        except OSError as error:
            return Finding(entry, None, reason=error.strerror or str(error))
        finally:
            os.close(descriptor)
        untouched = entry.sha256 is not None and entry.mtime_ns == before.mtime_ns
        state = State.DAMAGED if untouched and entry.sha256 != sha256 else State.SOUND
        return Finding(entry, state, before, sha256)

    def _check_root(self) -> None:
        try:
            with os.scandir(self._root) as entries:
                if next(entries, None) is not None:
                    return
        except OSError as error:
            raise RootUnavailable(error.errno, error.strerror, str(self._root)) from error
        raise RootUnavailable(0, "the root is empty: mount its volume", str(self._root))

    def _hash(self, descriptor: int) -> str:
        digest = hashlib.sha256()
        position = 0
        while True:
            if self._stop.is_set():
                raise Stopped
            started = time.monotonic()
            chunk = os.read(descriptor, CHUNK)
            if not chunk:
                return digest.hexdigest()
            digest.update(chunk)
            # The pages are of no use to anybody: leave the cache to those who work with the data.
            os.posix_fadvise(descriptor, position, len(chunk), os.POSIX_FADV_DONTNEED)
            position += len(chunk)
            self.read_bytes += len(chunk)
            rest = len(chunk) / self.bytes_per_second - (time.monotonic() - started)
            if rest > 0:
                self._stop.wait(rest)


def store(manifest: Manifest, findings: list[Finding]) -> None:
    """Record what reading files showed, in one transaction."""
    if not findings:
        return
    with manifest.transaction():
        for finding in findings:
            if finding.state is State.MISSING:
                manifest.miss(finding.entry)
            elif finding.state is State.DAMAGED:
                manifest.damage(finding.entry, finding.sha256)
            elif finding.state is State.SOUND and finding.file is not None:
                manifest.accept(finding.entry, finding.file, finding.sha256)
            elif finding.reason:
                manifest.fail(finding.entry, finding.reason)


def examine_all(
    manifest: Manifest,
    reader: Reader,
    batch: Callable[[str], list[Entry]],
    *,
    settle_seconds: float = 0.0,
    progress: Callable[[int], None] = lambda files: None,
) -> None:
    """Read the files that `batch(after)` names, in order of their paths, and record the findings.

    Raises Stopped and RootUnavailable after recording what was done.
    """
    after = ""
    done = 0
    while entries := batch(after):
        findings: list[Finding] = []
        written = time.monotonic()
        try:
            for entry in entries:
                findings.append(reader.examine(entry, settle_seconds))
                done += 1
                progress(done)
                if time.monotonic() - written > BATCH_SECONDS:
                    store(manifest, findings)
                    findings = []
                    written = time.monotonic()
        finally:
            store(manifest, findings)
        after = entries[-1].path


def verify(
    manifest: Manifest, reader: Reader, progress: Callable[[int, int], None] = lambda done, total: None
) -> None:
    """Read every hashed file again. A check that was interrupted goes on where it was.

    Raises Stopped, RootUnavailable.
    """
    started = manifest.fact(Fact.CHECK_STARTED) or timestamp()
    with manifest.transaction():
        manifest.set_fact(Fact.CHECK_STARTED, started)
    total = manifest.summary().known

    def batch(after: str) -> list[Entry]:
        return manifest.unchecked(started, after, BATCH_FILES)

    examine_all(manifest, reader, batch, progress=lambda done: progress(done, total))
    with manifest.transaction():
        manifest.set_fact(Fact.CHECK_STARTED, None)
        manifest.set_fact(Fact.LAST_CHECK, timestamp())


def _state(descriptor: int) -> FileState:
    status = os.fstat(descriptor)
    return FileState(status.st_size, status.st_mtime_ns)
