"""Reading in processes of their own: a file can make the HDF5 library hang or crash, never the ingest."""

import asyncio
import multiprocessing
import resource
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import structlog
from pebble import ProcessExpired, ProcessPool

from panosc_catalogue.nexus.reader import read
from panosc_catalogue.nexus.record import NexusRecord, NotReadable, Reason

log = structlog.stdlib.get_logger(__name__)

FILES_PER_PROCESS = 1000
"""Files after which a process is replaced: libraries leak."""
MEMORY_BYTES = 512 * 2**20
"""Memory that reading may take beside what a process starts with: a small file can unpack to any size."""


def _limit_memory() -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + MEMORY_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


class Reader:
    """Reads files in a few processes, each file within `timeout_seconds`."""

    def __init__(self, timeout_seconds: float, processes: int = 2) -> None:
        self.processes = processes
        self._timeout = timeout_seconds
        # Spawned, not forked: the ingest has threads and database connections that are not the readers'.
        self._pool = ProcessPool(
            max_workers=processes,
            max_tasks=FILES_PER_PROCESS,
            initializer=_limit_memory,
            context=multiprocessing.get_context("spawn"),
        )

    @asynccontextmanager
    async def opened(self) -> AsyncIterator["Reader"]:
        """The reader at work; leaving ends its processes, also in the middle of a file."""
        try:
            yield self
        finally:
            self._pool.stop()  # type: ignore[no-untyped-call]
            await asyncio.to_thread(self._pool.join)

    async def read(self, path: Path) -> NexusRecord:
        """The metadata in the file.

        Raises NotReadable.
        """
        future = self._pool.schedule(read, args=(path,), timeout=self._timeout)
        try:
            return await asyncio.wrap_future(future)
        except TimeoutError as error:
            message = f"reading took more than {self._timeout:g} s; check the file with h5dump"
            raise NotReadable(Reason.TIMED_OUT, message) from error
        except ProcessExpired as error:
            message = "the HDF5 library crashed on it; check the file with h5dump"
            raise NotReadable(Reason.CRASHED, message) from error
        except NotReadable:
            raise
        except Exception as error:
            # One file that the reader does not expect must not stop the others.
            log.exception("the reader failed unexpectedly", path=str(path))
            message = f"the reader failed on it ({type(error).__name__}: {error}); report it with the file"
            raise NotReadable(Reason.DAMAGED, message) from error
