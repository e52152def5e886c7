"""What the services say about themselves: `GET /status`, asked every few seconds beside the passes.

A pass never waits for a service. A service that doesn't answer is unknown, which is no error; what it said
last is kept.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import httpx2

TIMEOUT_SECONDS = 3.0
INTERVAL_SECONDS = 15.0
UNANSWERED_INTERVAL_SECONDS = 5.0
CONCURRENT = 32
TICK_SECONDS = 0.5

Resource = TypeVar("Resource", bound=Hashable)
"""What names a resource to the caller."""


@dataclass
class _Followed:
    url: str
    due: float = 0.0
    asking: bool = False
    said: dict[str, Any] | None = None
    answered: bool = False


class ServiceStatus(Generic[Resource]):
    """Follows the services of resources, and tells when one of them says something new."""

    def __init__(self, changed: Callable[[Resource], None]) -> None:
        """`changed` is called with the resource whose service said something new or fell silent."""
        self._changed = changed
        self._followed: dict[Resource, _Followed] = {}
        self._client = httpx2.AsyncClient(timeout=TIMEOUT_SECONDS, trust_env=False)
        self._slots = asyncio.Semaphore(CONCURRENT)

    def follow(self, key: Resource, url: str) -> None:
        """Ask this address from now on."""
        if key not in self._followed or self._followed[key].url != url:
            self._followed[key] = _Followed(url)

    def forget(self, key: Resource) -> None:
        """The resource is gone."""
        self._followed.pop(key, None)

    def latest(self, key: Resource) -> tuple[dict[str, Any] | None, bool]:
        """What the service said last (None if it never answered), and whether it still answers."""
        entry = self._followed.get(key)
        return (entry.said, entry.answered) if entry else (None, False)

    async def run(self) -> None:
        """Ask until cancelled."""
        asking: set[asyncio.Task[None]] = set()
        try:
            while True:
                now = time.monotonic()
                for key, entry in list(self._followed.items()):
                    if entry.due <= now and not entry.asking:
                        entry.asking = True
                        task = asyncio.create_task(self._ask(key, entry))
                        asking.add(task)
                        task.add_done_callback(asking.discard)
                await asyncio.sleep(TICK_SECONDS)
        finally:
            for task in asking:
                task.cancel()
            await self._client.aclose()

    async def _ask(self, key: Resource, entry: _Followed) -> None:
        said: dict[str, Any] | None = None
        try:
            async with self._slots:
                # TimeoutError: an answer that never ends. RecursionError: JSON that is nested too deep.
                with contextlib.suppress(
                    httpx2.HTTPError, httpx2.InvalidURL, ValueError, TimeoutError, RecursionError
                ):
                    async with asyncio.timeout(TIMEOUT_SECONDS):
                        response = await self._client.get(entry.url)
                    if response.is_success and isinstance(body := response.json(), dict):
                        said = body
        finally:
            entry.asking = False
        answered = said is not None
        news = answered != entry.answered or (answered and said != entry.said)
        entry.answered = answered
        entry.said = said if answered else entry.said
        entry.due = time.monotonic() + (INTERVAL_SECONDS if answered else UNANSWERED_INTERVAL_SECONDS)
        if news and self._followed.get(key) is entry:
            self._changed(key)
