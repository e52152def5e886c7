"""One pass for one resource: observe, plan, apply, prune, judge, write the status."""

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import structlog
from pydantic import ValidationError

from panosc_operator.api.conditions import ConditionType
from panosc_operator.api.meta import FINALIZER, LABEL_OWNER_KIND, LABEL_OWNER_NAME, Resource
from panosc_operator.engine import metrics
from panosc_operator.engine.apply import Applier
from panosc_operator.engine.cache import Cache
from panosc_operator.engine.client import ApiError, Client, NotFound, Unavailable
from panosc_operator.engine.desired import KEEP, Action, Desired, Outcome
from panosc_operator.engine.events import Recorder
from panosc_operator.engine.hub import Hub
from panosc_operator.engine.kind import (
    Assessment,
    Children,
    Finding,
    Judgement,
    Kind,
    Services,
    TokenIssuer,
)
from panosc_operator.engine.prune import prune
from panosc_operator.engine.queue import WorkQueue
from panosc_operator.engine.resources import Key, Object, ResourceType, annotations_of, key_of
from panosc_operator.engine.status import is_news, merged_conditions, readiness, status_patch

log = structlog.get_logger(__name__)

AVAILABLE = "Available"
SUSPENDED = "Suspended"
DELETING = "Deleting"
DELETION_CHECK_SECONDS = 5.0
LOOK_AGAIN_SECONDS = 15.0
SHOWN = 5
"""How many objects or fields a message lists."""


class Reconciler:
    """Does passes. One instance serves all kinds; it holds no state of a pass."""

    def __init__(
        self,
        kinds: tuple[Kind, ...],
        client: Client,
        cache: Cache,
        queue: WorkQueue,
        hub: Hub,
        services: Services,
    ) -> None:
        self._kinds = {kind.type.kind: kind for kind in kinds}
        self._client = client
        self._queue = queue
        self._hub = hub
        self._applier = Applier(client, cache)
        self._events = Recorder(client)
        self._progressed: set[Key] = set()
        """Resources whose pass, now in progress, has written something."""
        self._refusals: dict[Key, str] = {}
        """What was last said about objects that can't be had, so as not to say it at every try."""
        self.cache = cache
        self.services = services

    def _wrote(self, obj: Object, key: Key) -> None:
        """Take note of an object as the API server answered a write of the resource's pass."""
        self._progressed.add(key)
        self._hub.changed(obj, by=key)

    @property
    def now(self) -> datetime:
        """The time."""
        return datetime.now(UTC)

    async def read(self, kind: ResourceType, namespace: str | None, name: str) -> Object | None:
        """An object from the cache, or else from the API server."""
        cached = self.cache.get(Key(kind.group, kind.kind, namespace, name))
        return cached if cached is not None else await self._client.get(kind, namespace, name)

    async def find(
        self, kind: ResourceType, namespace: str | None, labels: Mapping[str, str]
    ) -> list[Object]:
        """Objects with these labels, from the API server."""
        selector = ",".join(f"{name}={value}" for name, value in labels.items())
        objects, _ = await self._client.list(kind, namespace, selector=selector)
        return objects

    async def token_issuer(self, known: TokenIssuer | None) -> TokenIssuer | None:
        """The API server as issuer of tokens, or what is `known` of it while it doesn't answer."""
        try:
            return await self._client.token_issuer()
        except Unavailable:
            if known is None:
                raise
            return known

    async def work(self, key: Key) -> None:
        """Do one pass for the key, and say when the next is due. Never raises but on cancellation."""
        started = time.perf_counter()
        metrics.ACTIVE_WORKERS.labels(key.kind).inc()
        with structlog.contextvars.bound_contextvars(kind=key.kind, namespace=key.namespace, name=key.name):
            try:
                complete = await self._pass(key)
            except ApiError as error:
                after = (error.retry_after or 0.0) if isinstance(error, Unavailable) else 0.0
                if key in self._progressed:
                    self._queue.forget(key)  # it got further than last time: no reason to wait longer
                delay = self._queue.retry(key, at_least=after)
                log.warning("pass failed, will be repeated", error=str(error), seconds=round(delay, 1))
                self._count(key, "error")
            except Exception:  # a bug in one kind must not stop the others
                delay = self._queue.retry(key)
                log.exception("pass failed by a defect, will be repeated", seconds=round(delay, 1))
                self._count(key, "error")
            else:
                if complete:
                    self._queue.forget(key)
                    self._count(key, "success")
                else:
                    self._queue.retry(key)
                    self._count(key, "requeue")
            finally:
                self._progressed.discard(key)
                metrics.ACTIVE_WORKERS.labels(key.kind).dec()
                metrics.RECONCILE_SECONDS.labels(key.kind).observe(time.perf_counter() - started)

    @staticmethod
    def _count(key: Key, result: str) -> None:
        metrics.RECONCILE.labels(key.kind, result).inc()
        if result == "error":
            metrics.RECONCILE_ERRORS.labels(key.kind).inc()

    async def _pass(self, key: Key) -> bool:
        """One pass; returns whether nothing is left to be tried again."""
        kind = self._kinds[key.kind]
        obj = self.cache.get(key)
        if obj is None:
            self._applier.forget(key)
            self.services.forget(key)
            return True
        if obj["metadata"].get("deletionTimestamp"):
            return await self._clean_up(kind, key, obj)
        try:
            resource = kind.model.wish(obj)
        except ValidationError as error:
            await self._judge_without_plan(
                kind, key, obj, Finding(kind.invalid_reason, _field_errors(error), True)
            )
            return True
        spec: Any = resource.spec  # type: ignore[attr-defined]
        if spec.suspend:
            await self._suspend(kind, key, obj)
            return True
        obj = await self._hold_for_clean_up(kind, key, obj, wanted=spec.deletion_policy == "Delete")

        try:
            observed = await kind.observe(resource, self)
        except ValidationError as error:
            # Another resource that this one depends on; the title is its kind.
            message = f"depends on a {error.title} that can't be used: {_field_errors(error)}"
            await self._judge_without_plan(kind, key, obj, Finding(kind.invalid_reason, message, True))
            return True
        service = kind.service(observed) if kind.service else None
        if service is None:
            self.services.forget(key)
        else:
            self.services.follow(key, service)
        desired = kind.plan(observed)
        children = Children()
        if desired is not None:
            children = await self._apply(kind, key, obj, resource, desired)
        judgement = kind.judge(observed, children)
        await self._write_status(kind, key, obj, judgement)
        if children.refused():
            return False
        if judgement.finding is not None:
            # What is waited for may be somebody else's, such as a claim or a Secret, and not be watched.
            self._queue.add_after(key, LOOK_AGAIN_SECONDS)
        return True

    async def _apply(
        self, kind: Kind, key: Key, obj: Object, resource: Resource, desired: list[Desired]
    ) -> Children:
        outcomes: dict[Key, Outcome] = {}
        live: dict[Key, Object] = {}
        for wish in desired:
            outcome, written = await self._applier.apply(wish, resource, key)
            outcomes[wish.key] = outcome
            if written is not None:
                self._wrote(written, key)
            await self._tell(obj, outcome)
            now = self.cache.get(wish.key)
            if now is not None:
                live[wish.key] = now
        gone = await prune(self._client, self.cache, kind.children, resource, outcomes.keys())
        for pruned in gone:
            log.info("deleted, as it isn't wanted any more", child=str(pruned))
        return Children(outcomes, live)

    async def _tell(self, obj: Object, outcome: Outcome) -> None:
        """Log what was done, and tell people what they might wonder about."""
        child = str(outcome.key)
        if outcome.action is Action.REFUSED:
            if self._refusals.get(outcome.key) != outcome.message:
                log.warning("child refused", child=child, message=outcome.message)
            self._refusals[outcome.key] = outcome.message
            return
        self._refusals.pop(outcome.key, None)
        if outcome.action in (Action.UNCHANGED, Action.WAITING):
            return
        log.info("child " + outcome.action, child=child)
        if outcome.action is Action.CORRECTED:
            message = (
                f"{child} had been changed by somebody else and was set back; change this resource instead"
            )
            await self._events.record(obj, "Normal", "Corrected", message)
        elif outcome.action is Action.REPLACED:
            message = f"{child} can't be changed in place and is made anew"
            await self._events.record(obj, "Normal", "Replaced", message)

    async def _hold_for_clean_up(self, kind: Kind, key: Key, obj: Object, *, wanted: bool) -> Object:
        """Set or take off our finalizer; returns the resource as it is then. Only `Delete` needs one: what
        is to stay has no owner reference, and Kubernetes collects the rest."""
        finalizers = obj["metadata"].get("finalizers") or []
        if (FINALIZER in finalizers) == wanted:
            return obj
        changed = [*finalizers, FINALIZER] if wanted else [name for name in finalizers if name != FINALIZER]
        return await self._set_finalizers(kind, key, obj, changed)

    async def _let_go(self, kind: Kind, key: Key, obj: Object) -> None:
        """Nothing of ours holds up the deletion any longer."""
        kept = [name for name in obj["metadata"]["finalizers"] if name != FINALIZER]
        await self._set_finalizers(kind, key, obj, kept)

    async def _set_finalizers(self, kind: Kind, key: Key, obj: Object, finalizers: list[str]) -> Object:
        metadata = {"finalizers": finalizers, "resourceVersion": obj["metadata"]["resourceVersion"]}
        patched = await self._client.merge(kind.type, key.namespace, key.name, {"metadata": metadata})
        if not (finalizers == [] and obj["metadata"].get("deletionTimestamp")):
            self._wrote(patched, key)
        return patched

    async def _clean_up(self, kind: Kind, key: Key, obj: Object) -> bool:
        """Delete all that was made for a resource that is being deleted, then let it go."""
        self.services.forget(key)
        finalizers = obj["metadata"].get("finalizers") or []
        if FINALIZER not in finalizers:
            return True
        if obj["spec"].get("deletionPolicy") != "Delete":
            # The policy that counts is today's: the finalizer may be left of an earlier one.
            await self._let_go(kind, key, obj)
            return True
        left: list[str] = []
        selector = f"{LABEL_OWNER_KIND}={key.kind},{LABEL_OWNER_NAME}={key.name}"
        for child in kind.children:
            # Asked from the API server: what the watch hasn't shown yet would be left behind for good.
            try:
                owned, _ = await self._client.list(child, key.namespace, selector=selector)
            except NotFound:
                continue
            for one in owned:
                if KEEP in annotations_of(one):
                    continue
                left.append(str(key_of(one)))
                if not one["metadata"].get("deletionTimestamp"):
                    await self._client.delete(child, one)
                    log.info("deleted with its owner", child=left[-1])
        if not left:
            await self._let_go(kind, key, obj)
            return True
        more = f" and {len(left) - SHOWN} more" if len(left) > SHOWN else ""
        message = f"still there: {', '.join(sorted(left)[:SHOWN])}{more}"
        await self._judge_without_plan(kind, key, obj, Finding(DELETING, message))
        self._queue.add_after(key, DELETION_CHECK_SECONDS)
        return True

    async def _suspend(self, kind: Kind, key: Key, obj: Object) -> None:
        # A service may be one that asking keeps as declared.
        self.services.forget(key)
        message = "spec.suspend is true: the objects are left as they are"
        await self._patch_status(
            kind, key, obj, _fields(obj), [Assessment("Ready", "Unknown", SUSPENDED, message)]
        )

    async def _judge_without_plan(self, kind: Kind, key: Key, obj: Object, finding: Finding) -> None:
        await self._write_status(kind, key, obj, Judgement(finding, "", status=_fields(obj)))

    async def _write_status(self, kind: Kind, key: Key, obj: Object, judgement: Judgement) -> None:
        assessments = [*readiness(judgement, AVAILABLE), *judgement.conditions]
        await self._patch_status(kind, key, obj, judgement.status, assessments)

    async def _patch_status(
        self, kind: Kind, key: Key, obj: Object, fields: Any, assessments: list[Assessment]
    ) -> None:
        """Write the status if it is news, and tell people what changed."""
        live = obj.get("status") or {}
        generation = obj["metadata"]["generation"]
        conditions = merged_conditions(
            live.get("conditions") or [], assessments, generation, datetime.now(UTC)
        )
        status = {**fields, "observedGeneration": generation, "conditions": conditions}
        if not is_news(live, status):
            return
        try:
            written = await self._client.apply(
                kind.type, status_patch(kind.type, obj, status), subresource="status"
            )
        except NotFound:
            return  # it was deleted meanwhile, and the news of that is on its way
        metrics.WRITES.labels(key.kind, "status").inc()
        self._wrote(written, key)
        await self._announce(obj, live.get("conditions") or [], conditions)

    async def _announce(self, obj: Object, former: list[Object], conditions: list[Object]) -> None:
        """Tell people what changed: readiness and its reason, and whether another aspect holds."""
        before = {condition["type"]: condition for condition in former}
        stalled = any(condition["type"] == ConditionType.STALLED for condition in conditions)
        for now in conditions:
            then = before.get(now["type"], {})
            status, reason, message = now["status"], now["reason"], now["message"]
            if now["type"] == ConditionType.READY:
                if (then.get("status"), then.get("reason")) != (status, reason):
                    log.info("readiness changed", ready=status, reason=reason, message=message)
                    await self._events.record(obj, "Warning" if stalled else "Normal", reason, message)
            elif now["type"] in (ConditionType.RECONCILING, ConditionType.STALLED):
                continue  # they say the same as Ready
            elif then.get("status", "Unknown") != status:
                log.info("condition changed", type=now["type"], status=status, reason=reason, message=message)
                await self._events.record(obj, "Warning" if status == "False" else "Normal", reason, message)


def _fields(obj: Object) -> Object:
    """The fields of the status beside what every pass says anew."""
    former = obj.get("status") or {}
    return {name: value for name, value in former.items() if name not in ("conditions", "observedGeneration")}


def _field_errors(error: ValidationError) -> str:
    """The fields that a model doesn't accept and why; never their values, which may be secret."""
    return "; ".join(
        f"{'.'.join(str(part) for part in detail['loc'])}: {detail['msg']}"
        for detail in error.errors()[:SHOWN]
    )
