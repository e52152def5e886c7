"""What the services say, asked beside the passes again and again: most at `GET /status`.

A pass never waits for a service. A service that doesn't answer is unknown, which is no error; what it said
last is kept.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import httpx2
import structlog

log = structlog.get_logger(__name__)

TIMEOUT_SECONDS = 3.0
INTERVAL_SECONDS = 15.0
UNANSWERED_INTERVAL_SECONDS = 5.0
CONCURRENT = 32
TICK_SECONDS = 0.5

Resource = TypeVar("Resource", bound=Hashable)
"""What names a resource to the caller."""


class Service(Protocol):
    """What can be asked. Equal services are the same."""

    @property
    def seconds(self) -> float:
        """How long an answer may take."""

    async def ask(self, client: httpx2.AsyncClient) -> dict[str, Any] | None:
        """What it says; None if it doesn't answer as it should, as are errors of HTTP and ValueErrors."""

    def interval(self, said: dict[str, Any] | None) -> float:
        """Seconds until it is asked again after this answer."""


@dataclass(frozen=True)
class StatusPage:
    """A service that tells about itself at a URL, as a JSON object."""

    url: str

    @property
    def seconds(self) -> float:
        """How long an answer may take."""
        return TIMEOUT_SECONDS

    async def ask(self, client: httpx2.AsyncClient) -> dict[str, Any] | None:
        """What it says."""
        response = await client.get(self.url)
        body = response.json() if response.is_success else None
        return body if isinstance(body, dict) else None

    def interval(self, said: dict[str, Any] | None) -> float:
        """Seconds until it is asked again."""
        return UNANSWERED_INTERVAL_SECONDS if said is None else INTERVAL_SECONDS


@dataclass
class _Followed:
    service: Service
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

    def follow(self, key: Resource, service: Service) -> None:
        """Ask this service from now on, and at once if it is another than before."""
        known = self._followed.setdefault(key, _Followed(service))
        if known.service != service:
            known.service, known.due = service, 0.0

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
        service = entry.service
        said: dict[str, Any] | None = None
        try:
            async with self._slots:
                # TimeoutError: an answer that never ends. RecursionError: JSON that is nested too deep.
                with contextlib.suppress(
                    httpx2.HTTPError, httpx2.InvalidURL, ValueError, TimeoutError, RecursionError
                ):
                    async with asyncio.timeout(service.seconds):
                        said = await service.ask(self._client)
        except Exception:  # a defect in one must not stop the others
            log.exception("a service's answer can't be used", resource=str(key))
        finally:
            entry.asking = False
        answered = said is not None
        news = answered != entry.answered or (answered and said != entry.said)
        entry.answered = answered
        entry.said = said if answered else entry.said
        if entry.service == service:
            entry.due = time.monotonic() + service.interval(said)
        if news and self._followed.get(key) is entry:
            self._changed(key)
