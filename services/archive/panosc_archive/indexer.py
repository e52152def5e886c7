"""The `index` process: keeps the manifest abreast of the tree and tells the operator how the archive is.

Scanning and hashing run side by side, each with its own connection to the manifest: a file of a terabyte,
which takes hours to hash, must not keep new files from being seen.
"""

import asyncio
import contextlib
import itertools
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Collection, Iterator
from pathlib import Path
from typing import Any

import structlog
from panosc_common import metrics, problem
from panosc_common.server import OrjsonResponse
from panosc_common.tree import Change, Problem, RootUnavailable, TreeScanner, wait_for_change
from prometheus_client import Gauge
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from panosc_archive import fixity
from panosc_archive.manifest import Damage, Entry, Fact, Manifest, State, timestamp
from panosc_archive.settings import Settings

SHOWN = 20
BATCH_CHANGES = 1000
RETRY_SECONDS = 5.0

FILES = Gauge("panosc_archive_files", "Files in the archive")
BYTES = Gauge("panosc_archive_bytes", "Bytes in the archive")
FIXITY = Gauge("panosc_archive_fixity_files", "Files by the state of their fixity", ("state",))
READ = Gauge("panosc_archive_hashed_bytes", "Bytes read for hashes since the process started")

log = structlog.stdlib.get_logger(__name__)


class Indexer:
    """The work of one `index` process."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stop = threading.Event()
        self._manifest_path: Path = settings.manifest_path
        self._scanner = self._new_scanner()
        self._scanner_is_ahead = False
        """Whether it has told changes that may not be recorded: only the manifest knows which."""
        self._problems: list[Problem] = []
        self._reader = fixity.Reader(
            settings.data_directory, settings.hash_mib_per_second * 2**20, self._stop
        )
        self.scanning = False
        self.scan_seconds = 0.0
        self.scan_error: str | None = None

    def stop(self) -> None:
        """End soon; what was done is recorded."""
        self._stop.set()

    async def watch(self) -> None:
        """Scan again and again: on hints, periodically, and now and then in full.

        Hints only bring further scans, of what they name: where something is written all the time, the
        periodic scans that find everything else still come when they are due.
        """
        full_due = due = 0.0
        hints: Collection[str] = ()
        while not self._stop.is_set():
            full = time.monotonic() >= full_due
            only = hints if hints and not full and time.monotonic() < due else None
            try:
                await asyncio.to_thread(self._scan, full, only)
            except (RootUnavailable, sqlite3.OperationalError) as error:
                self.scan_error = str(error)
                log.error("scan failed", reason=str(error))
                await asyncio.sleep(RETRY_SECONDS)
                continue
            if full:
                full_due = time.monotonic() + self._settings.full_scan_seconds
            if only is None:
                due = time.monotonic() + self._settings.scan_seconds
            hints = await wait_for_change(self._scanner, max(0.0, due - time.monotonic()))

    async def hash(self) -> None:
        """Hash what waits for it, for ever."""
        while not self._stop.is_set():
            try:
                await asyncio.to_thread(self._hash)
            except (RootUnavailable, sqlite3.OperationalError) as error:
                log.error("hashing interrupted", reason=str(error))
                await asyncio.sleep(RETRY_SECONDS)
            except fixity.Stopped:
                return
            await asyncio.sleep(min(1.0, self._settings.scan_seconds))

    def status(self) -> dict[str, Any]:
        """What the operator reads: counts, and the first of what needs a person."""
        with contextlib.closing(Manifest.open_readonly(self._manifest_path)) as manifest:
            summary = manifest.summary()
            unreadable = [{"path": path, "reason": reason} for path, reason in manifest.unreadable(SHOWN)]
            damaged = manifest.unsound(State.DAMAGED, SHOWN)
            missing = manifest.unsound(State.MISSING, SHOWN)
            last_scan, last_check = manifest.fact(Fact.LAST_SCAN), manifest.fact(Fact.LAST_CHECK)
        FILES.set(summary.files)
        BYTES.set(summary.size)
        READ.set(self._reader.read_bytes)
        for state in ("known", "pending", "damaged", "missing"):
            FIXITY.labels(state).set(getattr(summary, state))
        problems = [
            {"path": found.path, "reason": f"{found.reason}: {found.message}"} for found in self._problems
        ]
        return {
            "files": summary.files,
            "bytes": summary.size,
            "lastScan": last_scan,
            "scanning": self.scanning,
            "scanSeconds": round(self.scan_seconds, 3),
            "scanError": self.scan_error,
            "fixity": {
                "known": summary.known,
                "pending": summary.pending,
                "damaged": summary.damaged,
                "missing": summary.missing,
                "lastCheck": last_check,
                "damagedFiles": [_shown(damage) for damage in damaged],
                "missingFiles": [_shown(damage) for damage in missing],
            },
            "unreadable": (problems + unreadable)[:SHOWN],
        }

    def _new_scanner(self) -> TreeScanner:
        with contextlib.closing(Manifest.open(self._manifest_path)) as manifest:
            return TreeScanner(self._settings.data_directory, known=manifest.known())

    def _scan(self, full: bool, only: Collection[str] | None) -> None:
        self.scanning = True
        started = time.monotonic()
        try:
            with contextlib.closing(Manifest.open(self._manifest_path)) as manifest:
                if self._scanner_is_ahead:
                    self._scanner = self._new_scanner()
                self._scanner_is_ahead = True
                self._take(manifest, self._scanner.scan(full=full, only=only))
                self._scanner_is_ahead = False
                if self._stop.is_set():
                    return
                manifest.set_fact(Fact.LAST_SCAN, timestamp())
        finally:
            self.scanning = False
            self.scan_seconds = time.monotonic() - started
        self.scan_error = None
        self._problems = list(itertools.islice(self._scanner.problems(), SHOWN))

    def _take(self, manifest: Manifest, changes: Iterator[Change]) -> None:
        """Record all changes, or as many as there were before the root went away or the process stops."""
        batch: list[Change] = []
        try:
            for change in changes:
                batch.append(change)
                if len(batch) == BATCH_CHANGES:
                    _record(manifest, batch)
                    batch = []
                    if self._stop.is_set():
                        return
        except RootUnavailable:
            # The scanner tells each change once.
            _record(manifest, batch)
            self._scanner_is_ahead = False
            raise
        _record(manifest, batch)

    def _hash(self) -> None:
        with contextlib.closing(Manifest.open(self._manifest_path)) as manifest:

            def batch(after: str) -> list[Entry]:
                return manifest.pending(after, fixity.BATCH_FILES, self._reader.bytes_per_second)

            fixity.examine_all(
                manifest, self._reader, batch, settle_seconds=self._settings.hash_settle_seconds
            )


def _record(manifest: Manifest, changes: list[Change]) -> None:
    if changes:
        with manifest.transaction():
            for change in changes:
                manifest.record(change)


def _shown(damage: Damage) -> dict[str, Any]:
    return {
        "path": damage.path,
        "expected": damage.expected,
        "actual": damage.actual,
        "detectedAt": damage.detected_at,
    }


def create_app(settings: Settings) -> Starlette:
    """The `index` process as an ASGI application: the work runs as long as the application."""
    indexer = Indexer(settings)
    tasks: list[asyncio.Task[None]] = []

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        tasks.extend(asyncio.create_task(work) for work in (indexer.watch(), indexer.hash()))
        yield
        indexer.stop()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def healthz(request: Request) -> Response:
        for task in tasks:
            if task.done():
                # Kubernetes then restarts the container; the log holds the traceback.
                log.critical("worker ended", exc_info=task.exception())
                raise problem.Problem(503, "a worker of the index has ended; its log says why")
        return OrjsonResponse({"status": "ok"})

    async def status(request: Request) -> Response:
        try:
            return OrjsonResponse(await asyncio.to_thread(indexer.status))
        except sqlite3.OperationalError as error:
            raise problem.Problem(503, f"the manifest cannot be read now: {error}") from error

    return Starlette(
        routes=[
            Route("/status", status),
            Route("/healthz", healthz),
            Route("/metrics", metrics.endpoint),
        ],
        lifespan=lifespan,
        exception_handlers=problem.EXCEPTION_HANDLERS,
    )
