"""Health of any object, after the rules of kstatus: current, in progress or failed, and why."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from panosc_operator.engine.resources import Object


class State(StrEnum):
    """How far an object is on its way to what its spec says."""

    CURRENT = "Current"
    IN_PROGRESS = "InProgress"
    FAILED = "Failed"


@dataclass(frozen=True)
class Health:
    """State of an object, with the reason unless it is current."""

    state: State
    message: str = ""

    @property
    def current(self) -> bool:
        """Whether the object is what its spec says."""
        return self.state is State.CURRENT


_CURRENT = Health(State.CURRENT)


def assess(obj: Object | None) -> Health:
    """The health of an object of any kind; of None, that it isn't there yet."""
    if obj is None:
        return _progress("isn't there yet")
    if obj["metadata"].get("deletionTimestamp"):
        return _progress("is being deleted")
    status = obj.get("status") or {}
    observed = status.get("observedGeneration")
    if observed is not None and observed != obj["metadata"].get("generation"):
        return _progress("its newest spec wasn't looked at yet")
    return _RULES.get(obj["kind"], _anything)(obj, status)


def conditions_of(status: Object) -> dict[str, Object]:
    """The conditions of a status by type."""
    return {condition["type"]: condition for condition in status.get("conditions") or []}


def _progress(message: str) -> Health:
    return Health(State.IN_PROGRESS, message)


def _failed(condition: Object) -> Health:
    return Health(State.FAILED, _words(condition))


def _words(condition: Object) -> str:
    return ": ".join(filter(None, (condition.get("reason"), condition.get("message"))))


def _is(condition: Object | None, status: str) -> bool:
    return condition is not None and condition.get("status") == status


def _deployment(obj: Object, status: Object) -> Health:
    conditions = conditions_of(status)
    progressing = conditions.get("Progressing")
    if progressing and progressing.get("reason") == "ProgressDeadlineExceeded":
        return _failed(progressing)
    failure = conditions.get("ReplicaFailure")
    if failure is not None and _is(failure, "True"):
        return _failed(failure)
    wanted = obj["spec"].get("replicas", 1)
    return _replicas(
        status,
        wanted,
        (("replicas", "made"), ("updatedReplicas", "new"), ("availableReplicas", "available")),
        surplus="replicas",
    )


def _stateful_set(obj: Object, status: Object) -> Health:
    wanted = obj["spec"].get("replicas", 1)
    health = _replicas(status, wanted, (("replicas", "made"), ("readyReplicas", "ready")), surplus="replicas")
    if health.current and status.get("currentRevision") != status.get("updateRevision"):
        return _progress("pods of the former revision are still there")
    return health


def _replicas(status: Object, wanted: int, counts: Iterable[tuple[str, str]], *, surplus: str) -> Health:
    if "observedGeneration" not in status:
        return _progress("wasn't looked at by its controller yet")
    for name, word in counts:
        has = status.get(name, 0)
        if has < wanted:
            return _progress(f"{has} of {wanted} pods {word}")
    if status.get(surplus, 0) > wanted:
        return _progress(f"{status[surplus] - wanted} old pods are still there")
    return _CURRENT


def _job(obj: Object, status: Object) -> Health:
    conditions = conditions_of(status)
    failed = conditions.get("Failed")
    if failed is not None and _is(failed, "True"):
        return _failed(failed)
    if _is(conditions.get("Complete"), "True"):
        return _CURRENT
    return _progress("is running" if status.get("active") else "hasn't started")


def _cron_job(obj: Object, status: Object) -> Health:
    return _CURRENT


def _claim(obj: Object, status: Object) -> Health:
    phase = status.get("phase")
    if phase == "Lost":
        return Health(State.FAILED, "its volume is gone")
    if phase != "Bound":
        return _progress("isn't bound to a volume yet")
    return _CURRENT


def _service(obj: Object, status: Object) -> Health:
    if obj["spec"].get("type") == "LoadBalancer" and not (status.get("loadBalancer") or {}).get("ingress"):
        return _progress("has no address yet")
    return _CURRENT


def _gateway(obj: Object, status: Object) -> Health:
    health = _all_true(status, ("Accepted", "Programmed"), obj["metadata"].get("generation"))
    if not health.current:
        return health
    # A gateway counts as programmed while one of its listeners has a certificate that can't be used.
    for listener in status.get("listeners") or []:
        resolved = conditions_of(listener).get("ResolvedRefs")
        if resolved is not None and _is(resolved, "False"):
            return Health(State.FAILED, f"listener {listener['name']}: {_words(resolved)}")
    return _CURRENT


def _route(obj: Object, status: Object) -> Health:
    parents = status.get("parents") or []
    if len(parents) < len(obj["spec"].get("parentRefs") or []):
        return _progress("no gateway has looked at it yet")
    for parent in parents:
        health = _all_true(parent, ("Accepted", "ResolvedRefs"), obj["metadata"].get("generation"))
        if not health.current:
            return health
    return _CURRENT


def _attached_policy(obj: Object, status: Object) -> Health:
    """What Envoy Gateway says for each thing that it attaches a policy to; there may be none yet."""
    for ancestor in status.get("ancestors") or []:
        accepted = conditions_of(ancestor).get("Accepted")
        if accepted is not None and _is(accepted, "False"):
            return _failed(accepted)
    return _CURRENT


def _all_true(status: Object, types: Iterable[str], generation: int | None) -> Health:
    conditions = conditions_of(status)
    for name in types:
        condition = conditions.get(name)
        if condition is None or condition.get("status") == "Unknown":
            return _progress(f"{name} isn't known yet")
        if condition.get("observedGeneration", generation) != generation:
            return _progress("its newest spec wasn't looked at yet")
        if condition["status"] == "False":
            # A gateway that waits for its address or its certificate will do so without anybody's help.
            return (
                _progress(_words(condition)) if condition.get("reason") == "Pending" else _failed(condition)
            )
    return _CURRENT


def _anything(obj: Object, status: Object) -> Health:
    conditions = conditions_of(status)
    stalled = conditions.get("Stalled")
    if stalled is not None and _is(stalled, "True"):
        return _failed(stalled)
    reconciling = conditions.get("Reconciling")
    if reconciling is not None and _is(reconciling, "True"):
        return _progress(_words(reconciling))
    ready = conditions.get("Ready")
    if ready is not None and not _is(ready, "True"):
        return _progress(_words(ready))
    return _CURRENT


_RULES: dict[str, Callable[[Object, Any], Health]] = {
    "Deployment": _deployment,
    "StatefulSet": _stateful_set,
    "Job": _job,
    "CronJob": _cron_job,
    "PersistentVolumeClaim": _claim,
    "Service": _service,
    "Gateway": _gateway,
    "HTTPRoute": _route,
    "BackendTrafficPolicy": _attached_policy,
    "SecurityPolicy": _attached_policy,
}
