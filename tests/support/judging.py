"""Judging resources without a cluster: their children are healthy but for what a test changes."""

from collections.abc import Callable, Iterable
from typing import Any

from panosc_operator.engine.desired import Action, Outcome, marked
from panosc_operator.engine.kind import Children, Judgement
from panosc_operator.engine.resources import Key, Object, key_of

from support.known import Reports, kind_of, observe

_HEALTHY: dict[str, Object] = {
    "Deployment": {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1},
    "StatefulSet": {
        **{"observedGeneration": 1, "replicas": 1, "readyReplicas": 1},
        **{"currentRevision": "a", "updateRevision": "a"},
    },
    "Job": {"conditions": [{"type": "Complete", "status": "True"}]},
    "PersistentVolumeClaim": {"phase": "Bound", "capacity": {"storage": "10Ti"}},
    "Gateway": {
        "conditions": [{"type": "Accepted", "status": "True"}, {"type": "Programmed", "status": "True"}]
    },
    "HTTPRoute": {
        "parents": [
            {
                "conditions": [
                    {"type": "Accepted", "status": "True"},
                    {"type": "ResolvedRefs", "status": "True"},
                ]
            }
        ]
    },
}


def resource(kind: str, name: str, namespace: str | None = "esrf", **spec: Any) -> Object:
    metadata = {"name": name, "uid": f"uid-{name}", "resourceVersion": "5", "generation": 1}
    if namespace:
        metadata["namespace"] = namespace
    return {"apiVersion": "panosc.eu/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec}


def judge(
    obj: Object,
    *,
    world: Iterable[Object],
    change: Callable[[dict[str, Object]], None] = lambda children: None,
    refused: str | None = None,
    report: Object | None = None,
    answering: bool = True,
    **settings: Any,
) -> Judgement:
    """The judgement when all children are healthy, but for what `change` does to them (by `Kind name`).

    `settings`: those of the operator that are not as usual.
    """
    others = [each for each in world if key_of(each) != key_of(obj)]
    reports = Reports({obj["metadata"]["name"]: report} if report else {}, answering)
    kind = kind_of(obj, **settings)
    # The database's state is read as well as made: what observing sees is what the children are.
    probe = observe(obj, others, reports, **settings)
    plan = kind.plan(probe) or []
    live: dict[str, Object] = {}
    for number, desired in enumerate(plan):
        child = marked(desired, kind.model.model_validate(obj))
        child["metadata"] |= {"resourceVersion": str(100 + number), "generation": 1}
        child["status"] = _HEALTHY.get(child["kind"], {})
        live[f"{child['kind']} {child['metadata']['name']}"] = child
    change(live)
    observed = observe(obj, [*live.values(), *others], reports, **settings)
    keys: dict[Key, Object] = {key_of(child): child for child in live.values()}
    outcomes = {desired.key: Outcome(desired.key, Action.UNCHANGED) for desired in plan}
    if refused:
        first = next(iter(outcomes))
        outcomes[first] = Outcome(first, Action.REFUSED, refused)
    return kind.judge(observed, Children(outcomes, keys))


def status_of(child: str, status: Object) -> Callable[[dict[str, Object]], None]:
    def change(children: dict[str, Object]) -> None:
        (name,) = [name for name in children if name == child or name.startswith(f"{child}-")][:1]
        children[name]["status"] = status

    return change
