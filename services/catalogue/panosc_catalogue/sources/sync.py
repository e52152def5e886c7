"""Keeps the catalogue in step with one source: what changed, often; everything, from time to time.

Every page is written in one transaction with the cursor behind it, so that a run that was cut off goes on
where it was. A source that fails, or is down, takes nothing away; only a whole listing, or the source's word,
withdraws what it lacks.
"""

import asyncio
import time
from collections.abc import Callable, Collection
from contextlib import aclosing
from dataclasses import dataclass

import structlog
from prometheus_client import Counter, Gauge

from panosc_catalogue import store
from panosc_catalogue.database import follower, is_away
from panosc_catalogue.failures import report_unexpected, unexpected
from panosc_catalogue.settings import RemoteSource, Settings
from panosc_catalogue.sources.base import Adapter, Cursor, SourceError
from panosc_catalogue.sources.state import Position, SourceState, Tally

log = structlog.stdlib.get_logger(__name__)

MAPPING_VERSION = 3
"""Raise it when an adapter takes more from the same answer: everything is then listed again."""

FIRST_RETRY_SECONDS = 10.0
"""Time after which a run that failed is tried again; each further failure doubles it, up to the interval."""
MAX_PAUSE_SECONDS = 86400.0
"""How long a source is left alone that asks for more."""
CONFIRMED_AT_ONCE = 500
"""Records that the source is asked for before what it answers is written; so much is asked again at most."""

RECORDS = Counter("catalogue_source_records_total", "Records taken from a source", ("source", "outcome"))
CAUGHT_UP = Gauge(
    "catalogue_source_caught_up_timestamp_seconds",
    "As of when the catalogue has all that the source had",
    ("source",),
)


@dataclass
class Sync:
    """Follows one source until it is cancelled; whatever fails is reported and tried again."""

    settings: Settings
    name: str
    """Name of the source."""
    remote: RemoteSource
    make: Callable[[], Adapter]
    """A new adapter of the source."""
    outranked_by: Collection[str] = ()
    """Sources whose records this one's give way to."""

    async def run(self) -> None:
        """Follow the source."""
        failures = 0
        while True:
            wanted = 0.0
            try:
                # Also when the process that it told was another one.
                await asyncio.sleep(await self._left_alone())
                await self.once()
                failures = 0
            except SourceError as error:
                failures, wanted = failures + 1, error.retry_after or 0.0
                log.error("source failed", source=self.name, why=str(error))
            except Exception as error:
                failures += 1
                report_unexpected(error, self.name)
            await asyncio.sleep(pause(self.remote.interval_seconds, failures, wanted))

    async def _left_alone(self) -> float:
        """Seconds for which the source still wants no requests."""
        with await asyncio.to_thread(
            follower, self.settings.database_url, f"source {self.name}"
        ) as connection:
            state = SourceState(connection, self.name, self._origin())
            return await asyncio.to_thread(state.to_be_left_alone)

    async def once(self) -> None:
        """One run: go on with a listing of everything, begin one when it is time, else take what changed.

        Raises SourceError or psycopg.Error.
        """
        with await asyncio.to_thread(
            follower, self.settings.database_url, f"source {self.name}"
        ) as connection:
            state = SourceState(connection, self.name, self._origin(), self.outranked_by)
            position = await asyncio.to_thread(state.begin, self.remote.full_listing_seconds)
            if position.caught_up_at:
                CAUGHT_UP.labels(self.name).set(position.caught_up_at.timestamp())
            try:
                await self._read(state, self.make(), position)
            except SourceError as error:
                wanted = min(error.retry_after or 0.0, MAX_PAUSE_SECONDS)
                await asyncio.to_thread(state.failed, str(error), wanted)
                raise
            except Exception as error:
                if not is_away(error):
                    await asyncio.to_thread(state.failed, unexpected(error))
                raise

    async def _read(self, state: SourceState, adapter: Adapter, position: Position) -> None:
        cursor, is_listing = position.cursor, position.is_listing
        if not is_listing and (cursor is None or position.listing_is_due):
            await asyncio.to_thread(state.begin_listing)
            cursor, is_listing = None, True
        elif not is_listing and not adapter.is_incremental:
            await asyncio.to_thread(lambda: state.idle(None, changed=False))
            return
        started, changed = time.monotonic(), False
        async with aclosing(adapter.changes(cursor)) as pages:
            async for page in pages:
                ends = is_listing and page.complete
                tally = await asyncio.to_thread(state.take, page, last_of_listing=ends)
                if ends:
                    tally.withdrawn += await self._end_listing(state, adapter, page.cursor)
                    is_listing = False
                changed = self._count(tally) or changed
        seconds = time.monotonic() - started
        await asyncio.to_thread(store.settle_words, state.connection)
        await asyncio.to_thread(lambda: state.idle(seconds, changed=changed))
        CAUGHT_UP.labels(self.name).set(time.time() - seconds)

    async def _end_listing(self, state: SourceState, adapter: Adapter, cursor: Cursor) -> int:
        """Withdraw what the listing lacked and the source confirms to be gone; returns how many were."""
        unseen = await asyncio.to_thread(state.unseen)
        missing, withdrawn = sum(len(ids) for ids in unseen.values()), 0
        if not await asyncio.to_thread(state.believes, missing):
            await asyncio.to_thread(lambda: state.end_listing(cursor, held_back=missing))
            return 0
        for kind, ids in unseen.items():
            for first in range(0, len(ids), CONFIRMED_AT_ONCE):
                asked = ids[first : first + CONFIRMED_AT_ONCE]
                gone = await adapter.gone(kind, asked)
                withdrawn += await asyncio.to_thread(state.confirm, kind, asked, gone)
        await asyncio.to_thread(state.end_listing, cursor)
        return withdrawn

    def _count(self, tally: Tally) -> bool:
        """Count what became of a page's records; whether any of them was news."""
        for outcome in ("written", "unchanged", "refused", "withdrawn"):
            RECORDS.labels(self.name, outcome).inc(getattr(tally, outcome))
        return bool(tally.written or tally.withdrawn)

    def _origin(self) -> str:
        """What is read: everything that decides which records the source has, and what they become."""
        how_only = {"credentials", "interval_seconds", "full_listing_seconds", "requests_per_second"}
        what = self.remote.model_dump_json(exclude=how_only)
        return f"{MAPPING_VERSION} {type(self.remote).__name__} {what}"


def pause(interval: float, failures: int, wanted: float = 0.0) -> float:
    """Seconds until the next run, after so many that failed; `wanted` is what the source asks for."""
    if not failures:
        return interval
    backoff = min(interval, FIRST_RETRY_SECONDS * 2.0 ** min(failures - 1, 20))
    return max(backoff, min(wanted, MAX_PAUSE_SECONDS))
