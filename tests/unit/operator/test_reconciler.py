"""How often a pass is repeated, and what ends the engine; the API server is a double that answers as told."""

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from panosc_operator.engine import engine as engine_module
from panosc_operator.engine import source
from panosc_operator.engine.cache import Cache
from panosc_operator.engine.client import Invalid, Unavailable
from panosc_operator.engine.engine import Engine
from panosc_operator.engine.hub import Hub
from panosc_operator.engine.kind import TokenIssuer
from panosc_operator.engine.probes import Health
from panosc_operator.engine.queue import MAX_DELAY, WorkQueue
from panosc_operator.engine.reconciler import Reconciler
from panosc_operator.engine.resources import Object, ResourceType, key_of
from panosc_operator.kinds import discover
from support.known import Reports, settings

KINDS = discover(settings())
FACILITY: Object = {
    "apiVersion": "panosc.eu/v1alpha1",
    "kind": "Facility",
    "metadata": {"name": "esrf", "uid": "u", "resourceVersion": "1", "generation": 1},
    "spec": {"displayName": "ESRF"},
}
ARCHIVE: Object = {
    **FACILITY,
    "kind": "DataArchive",
    "metadata": {**FACILITY["metadata"], "name": "archive", "namespace": "esrf"},
    "spec": {"storage": {"claim": {"size": "1Gi"}}},
}


class Refusing:
    """An API server that takes nothing but status and Events."""

    def __init__(self) -> None:
        self.events: list[Object] = []
        self.statuses: list[Object] = []

    async def get(self, kind: ResourceType, namespace: str | None, name: str) -> Object | None:
        return None

    async def list(
        self, kind: ResourceType, namespace: str | None = None, **_: Any
    ) -> tuple[list[Object], str]:
        return [], "1"

    async def create(self, kind: ResourceType, obj: Object) -> Object:
        self.events.append(obj)
        return obj

    async def apply(self, kind: ResourceType, obj: Object, *, subresource: str | None = None) -> Object:
        if subresource is None:
            raise Invalid("PATCH: no", code=422, status={"message": "quota exceeded"})
        self.statuses.append(obj["status"])
        metadata = {**obj["metadata"], "resourceVersion": "99", "generation": 1}
        return {**obj, "metadata": metadata, "spec": FACILITY["spec"]}


@pytest.mark.parametrize("known", [None, TokenIssuer("https://kubernetes", {"keys": []})])
def test_what_is_known_of_the_issuer_of_tokens_holds_while_it_is_away(known: TokenIssuer | None) -> None:
    class Away(Refusing):
        async def token_issuer(self) -> TokenIssuer | None:
            raise Unavailable("GET /openid/v1/jwks: HTTP 503")

    client: Any = Away()
    cache, queue = Cache(frozenset()), Clock()
    reconciler = Reconciler(KINDS, client, cache, queue, Hub(KINDS, cache, queue), Reports())
    if known:
        assert asyncio.run(reconciler.token_issuer(known)) is known
    else:
        with pytest.raises(Unavailable):
            asyncio.run(reconciler.token_issuer(None))


class Clock(WorkQueue):
    """A queue whose time passes when the test says so."""

    time = 1000.0

    def _now(self) -> float:  # type: ignore[override]
        return self.time


def test_a_refused_object_is_tried_less_and_less_often() -> None:
    async def scenario() -> None:
        client: Any = Refusing()
        cache, queue = Cache(frozenset({"Facility"})), Clock()
        cache.put(FACILITY)
        reconciler = Reconciler(KINDS, client, cache, queue, Hub(KINDS, cache, queue), Reports())
        passes = 0
        queue.add(key_of(FACILITY))
        for _ in range(600):  # ten minutes
            queue.time += 1
            try:
                key = await asyncio.wait_for(queue.get(), 0.001)
            except TimeoutError:
                continue
            await reconciler.work(key)
            queue.done(key)
            passes += 1
        assert 600 / (1.25 * MAX_DELAY) < passes < 25

    asyncio.run(scenario())


def test_what_is_suspended_is_not_looked_after() -> None:
    """A login whose realm is put back once a minute is not left as it is."""
    asked = dict[Any, Any]()

    class Noting(Reports):
        def follow(self, key: Any, service: Any) -> None:
            asked[key] = service

        def forget(self, key: Any) -> None:
            asked.pop(key, None)

    async def scenario() -> None:
        cache, queue = Cache(frozenset({"Facility", "Namespace"})), WorkQueue()
        labels = {"panosc.eu/facility": "esrf"}
        metadata = {"name": "esrf", "resourceVersion": "1", "labels": labels}
        for each in (FACILITY, ARCHIVE, {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}):
            cache.put(each)
        client: Any = Refusing()
        reconciler = Reconciler(KINDS, client, cache, queue, Hub(KINDS, cache, queue), Noting())
        await reconciler.work(key_of(ARCHIVE))
        assert list(asked) == [key_of(ARCHIVE)]
        suspended = {**ARCHIVE, "spec": {**ARCHIVE["spec"], "suspend": True}}
        suspended["metadata"] = {**ARCHIVE["metadata"], "resourceVersion": "2"}
        cache.put(suspended)
        await reconciler.work(key_of(ARCHIVE))
        assert asked == {}

    asyncio.run(scenario())


def ready_after_a_pass(obj: Object, *others: Object) -> Object:
    """The Ready condition that one pass for the object writes."""
    client = Refusing()

    async def scenario() -> None:
        cache, queue = Cache(frozenset({"Facility", "Namespace"})), WorkQueue()
        for each in (obj, *others):
            cache.put(each)
        api: Any = client
        reconciler = Reconciler(KINDS, api, cache, queue, Hub(KINDS, cache, queue), Reports())
        await reconciler.work(key_of(obj))

    asyncio.run(scenario())
    (status,) = client.statuses
    return next(each for each in status["conditions"] if each["type"] == "Ready")


def test_a_status_of_a_newer_operator_does_no_harm() -> None:
    endpoints = [{"kind": "Simulation", "name": "new", "url": "https://new.example.org"}]
    ready = ready_after_a_pass(
        {**FACILITY, "status": {"endpoints": endpoints, "conditions": [{"type": "?"}]}}
    )
    assert ready["reason"] == "ApplyFailed"


def test_a_reference_that_cannot_be_used_is_named() -> None:
    facility = {**FACILITY, "spec": {"displayName": "ESRF", "country": "Atlantis"}}
    namespace: Object = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": "esrf", "resourceVersion": "3", "labels": {"panosc.eu/facility": "esrf"}},
    }
    ready = ready_after_a_pass(ARCHIVE, facility, namespace)
    assert ready["reason"] == "InvalidSpec"
    assert ready["message"].startswith("depends on a Facility that can't be used: spec.country: ")


def test_damage_is_an_event_once() -> None:
    intact = {"files": 1, "fixity": {"known": 1, "lastCheck": "2026-11-22T03:00:00Z"}}
    damaged = {"files": 1, "fixity": {"known": 1, "damaged": 1, "damagedFiles": [{"path": "a.nxs"}]}}
    client, reports = Refusing(), Reports()

    async def scenario() -> None:
        cache, queue = Cache(frozenset({"Facility"})), WorkQueue()
        cache.put(ARCHIVE)
        api: Any = client
        reconciler = Reconciler(KINDS, api, cache, queue, Hub(KINDS, cache, queue), reports)
        for version, report in enumerate((intact, damaged, damaged, intact), start=100):
            reports.said["archive"] = report
            await reconciler.work(key_of(ARCHIVE))
            metadata = {**ARCHIVE["metadata"], "resourceVersion": str(version)}
            cache.put({**ARCHIVE, "metadata": metadata, "status": client.statuses[-1]})

    asyncio.run(scenario())
    told = [
        (event["type"], event["reason"]) for event in client.events if event["reason"].startswith("Files")
    ]
    assert told == [("Normal", "FilesIntact"), ("Warning", "FilesDamaged")], "the same at most once an hour"


@pytest.mark.parametrize("broken", ["resync", "heartbeat", "services"])
def test_a_defect_in_the_background_ends_the_engine(broken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process ends and is started again, instead of going on without resync."""
    lists = 0

    async def watch(*_: Any, stop: asyncio.Event, **__: Any) -> None:
        await stop.wait()

    class Services(Reports):
        async def run(self) -> None:
            if broken == "services":
                raise KeyError("a defect")
            await asyncio.sleep(60)

    class Lists(Refusing):
        async def list(self, *_: Any, **__: Any) -> tuple[list[Object], str]:
            nonlocal lists
            lists += 1
            if broken == "resync" and lists > len(engine_module.watched_types(KINDS)):
                raise KeyError("a defect")
            return [], "1"

    def beat(_: Engine) -> None:
        raise KeyError("a defect")

    monkeypatch.setattr(source, "watch", watch)
    if broken == "heartbeat":
        monkeypatch.setattr(engine_module, "HEARTBEAT_SECONDS", 0.01)
        monkeypatch.setattr(Engine, "_beat", beat)
    client: Any = Lists()
    configuration: Any = SimpleNamespace()

    def services(_: Callable[..., None]) -> Services:
        return Services()

    engine = Engine(
        KINDS, client, configuration, health=Health(), services=services, resync_seconds=0.01, workers=1
    )
    with pytest.raises(KeyError):
        asyncio.run(asyncio.wait_for(engine.run(ready=asyncio.Event(), stop=asyncio.Event()), 10))
