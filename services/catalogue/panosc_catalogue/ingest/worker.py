"""Follow one source: scan its tree, read what is new, keep the catalogue up to date."""

import asyncio
import os
import time
from collections.abc import Iterable, Sequence
from itertools import islice

import psycopg
import structlog
from panosc_common.tree import (
    Change,
    ChangeKind,
    FileState,
    Problem,
    ProblemReason,
    RootUnavailable,
    TreeScanner,
    wait_for_change,
)
from prometheus_client import Counter, Gauge

from panosc_catalogue.database import follower, is_away
from panosc_catalogue.failures import report_unexpected, unexpected
from panosc_catalogue.ingest.assemble import dataset_pid
from panosc_catalogue.ingest.layout import Place, place
from panosc_catalogue.ingest.state import Seen, State
from panosc_catalogue.nexus.pool import Reader
from panosc_catalogue.nexus.record import NexusRecord, NotReadable, Reason
from panosc_catalogue.settings import Facility, NexusSource, Settings

log = structlog.stdlib.get_logger(__name__)

CHUNK = 200
"""Changes that are taken from a scan at a time; the first data are found long before a first scan ends."""
YOUNG_SECONDS = 60.0
"""Age up to which a file that cannot be read may still be being written."""
RETRY_SECONDS = 2.0
"""Time between two looks whether such a file is due again."""
FAILURE_SECONDS = 5.0
"""Time after which a source or database that failed is tried again."""
MAX_AGAIN = 1000
MAX_PATH_BYTES = 2000
"""Longer paths do not fit into an index of the database."""

_REFUSALS = (
    ValueError,
    psycopg.DataError,
    psycopg.IntegrityError,
    psycopg.errors.ProgramLimitExceeded,
)
"""What says that a record itself cannot be stored, so that trying again is of no use."""

FILES = Counter("catalogue_ingest_files_total", "Files looked at", ("source", "outcome"))
LAST_SCAN = Gauge("catalogue_ingest_last_scan_timestamp_seconds", "End of the last good scan", ("source",))
SCAN_SECONDS = Gauge("catalogue_ingest_scan_seconds", "Duration of the last good scan", ("source",))


class Worker:
    """Follows one source until it is cancelled; whatever fails is reported and tried again."""

    def __init__(
        self, settings: Settings, facility: Facility, name: str, nexus: NexusSource, reader: Reader
    ) -> None:
        self.name = name
        self.nexus = nexus
        self.tree_problems: list[Problem] = []
        self.pid_prefix = dataset_pid(facility, nexus.archive, "")
        self._ignored = 0
        self._too_long: dict[str, Problem] = {}
        self._settings = settings
        self._facility = facility
        self._reader = reader

    async def run(self) -> None:
        """Follow the source."""
        while True:
            try:
                await self._follow()
            except RootUnavailable as error:
                log.error("source failed", source=self.name, why=str(error))
            except Exception as error:
                report_unexpected(error, self.name)
            await asyncio.sleep(min(FAILURE_SECONDS, self._settings.rescan_seconds))

    async def _follow(self) -> None:
        """Scan again and again, from what the database knows; leaves with the first failure."""
        with await asyncio.to_thread(
            follower, self._settings.database_url, f"ingest {self.name}"
        ) as connection:
            state = State(connection, self._facility, self.name, self.nexus)
            reread = not await asyncio.to_thread(state.register)
            if last_scan := await asyncio.to_thread(state.last_scan):
                LAST_SCAN.labels(self.name).set(last_scan.timestamp())
            known = await asyncio.to_thread(lambda: state.known(reread=reread))
            scanner = TreeScanner(self.nexus.root, known=known)
            dropped = [path for path, _ in known if not place(path, self.nexus).is_relevant]
            self._ignored, self._too_long = len(dropped), {}
            try:
                await self._scan(state, scanner, full=True, hints=None)
                if reread:
                    await asyncio.to_thread(state.reread, dropped)
                await self._scan_repeatedly(state, scanner)
            except RootUnavailable as error:
                await asyncio.to_thread(state.failed, _root_message(error))
                raise
            except Exception as error:
                if not is_away(error):
                    await asyncio.to_thread(state.failed, unexpected(error))
                raise

    async def _scan_repeatedly(self, state: State, scanner: TreeScanner) -> None:
        """Look at what notifications tell of at once, and at everything when its time has come.

        The second does not wait for the first to end: where data are written without a pause, what arrives
        elsewhere is to be found too.
        """
        rescan = self._settings.rescan_seconds
        next_full = time.monotonic() + self._settings.full_scan_seconds
        next_scan = time.monotonic() + rescan
        while True:
            waiting = await self._read_again(state)
            seconds = next_scan - time.monotonic()
            if seconds > 0:
                hints = await wait_for_change(scanner, min(RETRY_SECONDS, seconds) if waiting else seconds)
                if hints:
                    await self._scan(state, scanner, full=False, hints=hints)
                continue
            full = time.monotonic() >= next_full
            await self._scan(state, scanner, full=full, hints=None)
            if full:
                next_full = time.monotonic() + self._settings.full_scan_seconds
            next_scan = time.monotonic() + rescan

    async def _scan(self, state: State, scanner: TreeScanner, *, full: bool, hints: set[str] | None) -> None:
        started = time.monotonic()
        if hints is None:
            await asyncio.to_thread(state.scanning)
        changes = scanner.scan(full=full, only=hints)
        changed = False
        while chunk := await asyncio.to_thread(lambda: list(islice(changes, CHUNK))):
            changed = await self._take(state, chunk) or changed
        self.tree_problems = [*scanner.problems(), *self._too_long.values()]
        await asyncio.to_thread(lambda: state.idle(self._ignored, changed=changed))
        LAST_SCAN.labels(self.name).set_to_current_time()
        SCAN_SECONDS.labels(self.name).set(time.monotonic() - started)

    def _leaves_out(self, change: Change) -> bool:
        """Whether the catalogue has nothing to do with the file, or cannot take it; keeps count of these."""
        if not place(change.path, self.nexus).is_relevant:
            self._ignored += {ChangeKind.ADDED: 1, ChangeKind.REMOVED: -1}.get(change.kind, 0)
            return True
        if len(change.path.encode()) <= MAX_PATH_BYTES:
            return False
        if change.kind is ChangeKind.REMOVED:
            self._too_long.pop(change.path, None)
        else:
            message = f"the path has more than {MAX_PATH_BYTES} bytes; shorten it"
            self._too_long[change.path] = Problem(change.path, ProblemReason.UNREADABLE, message)
        return True

    async def _take(self, state: State, changes: Sequence[Change]) -> bool:
        """Bring the datasets of the changed files up to date; whether there were any."""
        present: list[tuple[str, FileState]] = []
        removed: list[str] = []
        for change in changes:
            if self._leaves_out(change):
                continue
            if change.kind is ChangeKind.REMOVED:
                removed.append(change.path)
            else:
                present.append((change.path, change.state))
        await self._read_and_store(state, present, removed)
        return bool(present or removed)

    async def _read_and_store(
        self, state: State, present: Iterable[tuple[str, FileState]], removed: Sequence[str] = ()
    ) -> None:
        seen = await asyncio.gather(*(self._look(path, status) for path, status in present))
        datasets: dict[str, tuple[Place, list[Seen], list[str]]] = {}
        for file in seen:
            where = place(file.path, self.nexus)
            datasets.setdefault(where.dataset, (where, [], []))[1].append(file)
        for path in removed:
            where = place(path, self.nexus)
            datasets.setdefault(where.dataset, (where, [], []))[2].append(path)
        for where, files, gone in datasets.values():
            await asyncio.to_thread(self._store, state, where, files, gone)

    def _store(self, state: State, where: Place, files: list[Seen], gone: list[str]) -> None:
        try:
            state.update(where.dataset, where.proposal, files, gone)
        except _REFUSALS as error:
            said = error.diag.message_primary if isinstance(error, psycopg.Error) else None
            message = f"the catalogue cannot hold it: {said or error}; report it with the file"
            log.error("dataset refused", source=self.name, dataset=where.dataset, why=message)
            state.refuse(where.dataset, files, gone, NotReadable(Reason.REFUSED, message))

    async def _look(self, path: str, status: FileState) -> Seen:
        if not place(path, self.nexus).is_nexus:
            return Seen(path, status, None)
        result: NexusRecord | NotReadable
        try:
            result = await self._reader.read(self.nexus.root.resolve() / path)
            FILES.labels(self.name, "ingested").inc()
        except NotReadable as error:
            result = error
            FILES.labels(self.name, "failed").inc()
            log.warning("file not read", source=self.name, path=path, reason=error.reason, why=error.message)
        young = time.time() - status.mtime_ns / 1e9 < YOUNG_SECONDS
        return Seen(path, status, result, may_still_be_written=young)

    async def _read_again(self, state: State) -> bool:
        """Read those files again that did not change but may be readable now; whether some may be soon."""
        again, shut = [], []
        due, waiting = await asyncio.to_thread(state.again, MAX_AGAIN)
        for path, status, reason in due:
            full = self.nexus.root / path
            if reason != Reason.UNREADABLE or await asyncio.to_thread(os.access, full, os.R_OK):
                again.append((path, status))
            else:
                shut.append(path)
        if shut:
            await asyncio.to_thread(state.looked_at, shut)
        await self._read_and_store(state, again)
        return waiting


def _root_message(error: RootUnavailable) -> str:
    return f"the archive's tree cannot be read: {error.strerror} ({error.filename})"
