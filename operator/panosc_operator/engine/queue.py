"""A work queue of keys: deduplicating, one pass per key at a time, fair between kinds, with back-off.

Same promises as client-go's workqueue: a key added while it waits is kept once; a key added while it is
being worked on is worked on again afterwards, so no change is ever missed; a key that failed comes back
after a delay that doubles up to a limit, with jitter so that many failures don't return together.
"""

import asyncio
import heapq
import itertools
import random
from collections import deque

from panosc_operator.engine import metrics
from panosc_operator.engine.resources import Key

FIRST_DELAY = 0.5
MAX_DELAY = 60.0


class Closed(Exception):
    """The queue is shut down; there is no more work."""


class WorkQueue:
    """Keys to reconcile. All methods belong to one event loop."""

    def __init__(self) -> None:
        self._ready: dict[str, deque[Key]] = {}
        """Waiting keys by kind; kinds take turns, in the order of this dictionary."""
        self._waiting_since: dict[Key, float] = {}
        self._active: set[Key] = set()
        self._again: set[Key] = set()
        """Keys added while they were worked on."""
        self._delayed: list[tuple[float, int, Key]] = []
        """Heap of keys that become ready at a time; the number keeps the order of equal times."""
        self._due: dict[Key, float] = {}
        """The time that counts for a delayed key; entries of the heap with another time are void."""
        self._failures: dict[Key, tuple[int, float]] = {}
        """How often a key failed in a row, and when its next try is due."""
        self._order = itertools.count()
        self._wake = asyncio.Event()
        self._closed = False

    def __len__(self) -> int:
        return len(self._waiting_since)

    def add(self, key: Key) -> None:
        """Work on the key as soon as possible."""
        if self._closed or key in self._waiting_since:
            return
        if key in self._active:
            self._again.add(key)
            return
        self._due.pop(key, None)
        self._waiting_since[key] = self._now()
        self._ready.setdefault(key.kind, deque()).append(key)
        metrics.QUEUE_ADDS.labels(key.kind).inc()
        metrics.QUEUE_DEPTH.labels(key.kind).inc()
        self._wake.set()

    def add_after(self, key: Key, seconds: float) -> None:
        """Work on the key after the delay, or earlier if it is added for another reason."""
        due = self._now() + seconds
        if self._closed or key in self._waiting_since or self._due.get(key, float("inf")) <= due:
            return
        self._due[key] = due
        heapq.heappush(self._delayed, (due, next(self._order), key))
        self._wake.set()

    def retry(self, key: Key, *, at_least: float = 0.0) -> float:
        """Work on a key that failed again, after a growing delay, which is returned in seconds."""
        failures, due = self._failures.get(key, (0, 0.0))
        if self._now() < due:
            failures -= 1  # tried early because of news: that is no reason to wait longer than before
        delay = min(MAX_DELAY, FIRST_DELAY * 2.0 ** min(failures, 32))
        delay = max(at_least, delay * random.uniform(0.75, 1.25))  # noqa: S311 - jitter, not a secret
        self._failures[key] = failures + 1, self._now() + delay
        metrics.QUEUE_RETRIES.labels(key.kind).inc()
        self.add_after(key, delay)
        return delay

    def forget(self, key: Key) -> None:
        """The key succeeded: its next failure starts with the shortest delay."""
        self._failures.pop(key, None)

    async def get(self) -> Key:
        """The next key, to be given back with `done`; waits for one. Raises Closed after `close`."""
        while True:
            if self._closed:
                raise Closed
            self._promote()
            key = self._take()
            if key is not None:
                self._active.add(key)
                return key
            await self._wait()

    def done(self, key: Key) -> None:
        """Work on the key has ended, well or not."""
        self._active.discard(key)
        if key in self._again:
            self._again.discard(key)
            self.add(key)

    def close(self) -> None:
        """Hand out no more keys."""
        self._closed = True
        self._wake.set()

    def _take(self) -> Key | None:
        for kind in list(self._ready):
            waiting = self._ready.pop(kind)
            key = waiting.popleft()
            if waiting:
                self._ready[kind] = waiting  # to the end of the line of kinds
            since = self._waiting_since.pop(key)
            metrics.QUEUE_DEPTH.labels(kind).dec()
            metrics.QUEUE_SECONDS.labels(kind).observe(self._now() - since)
            return key
        return None

    def _promote(self) -> None:
        """Make the delayed keys whose time has come ready."""
        now = self._now()
        while self._delayed and self._delayed[0][0] <= now:
            due, _, key = heapq.heappop(self._delayed)
            if self._due.get(key) == due:
                del self._due[key]
                self.add(key)

    async def _wait(self) -> None:
        self._wake.clear()
        timeout = max(0.0, self._delayed[0][0] - self._now()) if self._delayed else None
        try:
            await asyncio.wait_for(self._wake.wait(), timeout)
        except TimeoutError:
            return

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()
