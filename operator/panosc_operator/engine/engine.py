"""The engine as a whole: lists, watches, workers, resync, heartbeat, and their orderly end."""

import asyncio
import contextlib
from collections.abc import Callable

import structlog
from kubernetes.aio.client import Configuration

from panosc_operator.api.meta import FIELD_MANAGER, LABEL_FACILITY, LABEL_MANAGED_BY
from panosc_operator.engine import source
from panosc_operator.engine.cache import Cache
from panosc_operator.engine.client import ApiError, Client, NotFound
from panosc_operator.engine.hub import Hub
from panosc_operator.engine.kind import Kind, Services
from panosc_operator.engine.probes import Health
from panosc_operator.engine.queue import Closed, WorkQueue
from panosc_operator.engine.reconciler import Reconciler
from panosc_operator.engine.resources import NAMESPACE, Key, ResourceType

log = structlog.get_logger(__name__)

HEARTBEAT = Key("", "Heartbeat", None, "heartbeat")
HEARTBEAT_SECONDS = 10.0
FIRST_LIST_RETRY_SECONDS = 2.0
STOP_SECONDS = 20.0
WATCH_STOP_SECONDS = 5.0


def watched_types(kinds: tuple[Kind, ...]) -> dict[ResourceType, str | None]:
    """The types to watch, with the label selector of each; None for the kinds themselves."""
    types: dict[ResourceType, str | None] = {kind.type: None for kind in kinds}
    for kind in kinds:
        for child in kind.children:
            # A namespace that was adopted is known by its facility, whoever made it.
            ours = LABEL_FACILITY if child == NAMESPACE else f"{LABEL_MANAGED_BY}={FIELD_MANAGER}"
            types.setdefault(child, ours)
    return types


class Engine:
    """Reconciles the kinds until it is stopped."""

    def __init__(
        self,
        kinds: tuple[Kind, ...],
        client: Client,
        configuration: Configuration,
        *,
        health: Health,
        services: Callable[[Callable[[Key], None]], Services],
        resync_seconds: float,
        workers: int,
    ) -> None:
        self._client = client
        self._configuration = configuration
        self._health = health
        self._resync_seconds = resync_seconds
        self._workers = workers
        self._watched = watched_types(kinds)
        self.cache = Cache(frozenset(kind.type.kind for kind in kinds if not kind.type.namespaced))
        self.queue = WorkQueue()
        self._hub = Hub(kinds, self.cache, self.queue)
        self._services = services(self.queue.add)
        self._reconciler = Reconciler(kinds, client, self.cache, self.queue, self._hub, self._services)

    async def run(self, *, ready: asyncio.Event, stop: asyncio.Event) -> None:
        """Work until `stop` is set, then complete the passes in progress; `ready` is set once it watches."""
        await self._first_lists(stop)
        background = [
            asyncio.create_task(self._repeat(self._list_all, self._resync_seconds), name="resync"),
            asyncio.create_task(self._repeat(self._beat, HEARTBEAT_SECONDS), name="heartbeat"),
            asyncio.create_task(self._services.run(), name="services"),
        ]
        workers = [asyncio.create_task(self._work(), name=f"worker-{n}") for n in range(self._workers)]
        end_watch = asyncio.Event()
        watching = asyncio.create_task(
            source.watch(self._hub, self._configuration, self._watched, ready=ready, stop=end_watch),
            name="watch",
        )
        stopped = asyncio.create_task(stop.wait(), name="stop")
        try:
            # None of them ends by itself but by a defect; without one of them, the rest is no operator.
            await asyncio.wait([watching, stopped, *background], return_when=asyncio.FIRST_COMPLETED)
        finally:
            # Workers first: kopf cancels whatever still runs when it ends.
            self.queue.close()
            _, unfinished = await asyncio.wait(workers, timeout=STOP_SECONDS)
            for task in (*unfinished, *background, stopped):
                task.cancel()
            end_watch.set()
            await asyncio.wait([watching], timeout=WATCH_STOP_SECONDS)
        for task in (watching, *background):
            if task.done() and not task.cancelled():
                task.result()

    async def _first_lists(self, stop: asyncio.Event) -> None:
        """Nothing is done before everything was seen: an object not seen would be made or deleted wrongly."""
        while not stop.is_set():
            try:
                await self._list_all()
            except ApiError as error:
                log.warning("the cluster can't be read yet", error=str(error))
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), FIRST_LIST_RETRY_SECONDS)
            else:
                self._health.synced = True
                return

    async def _list_all(self) -> None:
        for kind, selector in self._watched.items():
            try:
                objects, version = await self._client.list(kind, selector=selector)
            except NotFound:
                continue  # its CRD isn't installed; the watch notices when it is
            self._hub.listed(kind, objects, version)

    async def _repeat(self, action: Callable[[], object], seconds: float) -> None:
        while True:
            await asyncio.sleep(seconds)
            try:
                result = action()
                if asyncio.iscoroutine(result):
                    await result
            except ApiError as error:
                log.warning("resync failed, will be repeated", error=str(error))

    def _beat(self) -> None:
        self.queue.add(HEARTBEAT)

    async def _work(self) -> None:
        with contextlib.suppress(Closed):
            while True:
                key = await self.queue.get()
                try:
                    if key != HEARTBEAT:
                        await self._reconciler.work(key)
                    self._health.completed()
                finally:
                    self.queue.done(key)
