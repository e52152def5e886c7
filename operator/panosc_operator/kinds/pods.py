"""Why the pods of a resource fail, asked only while one of its workloads isn't as wished."""

from collections.abc import Container

from panosc_operator.api.meta import LABEL_COMPONENT, LABEL_INSTANCE, LABEL_NAME, LABEL_PART_OF, Resource
from panosc_operator.engine.health import assess
from panosc_operator.engine.kind import Reader
from panosc_operator.engine.pods import failure
from panosc_operator.engine.resources import DEPLOYMENT, POD, STATEFUL_SET, labels_of

_WORKLOADS = (DEPLOYMENT.kind, STATEFUL_SET.kind)


async def failures(reader: Reader, resource: Resource, software: Container[str]) -> dict[str, str]:
    """By component, such as `api`: what a failing pod says. `software` are the names of what it consists of.

    Pods aren't watched: there are many of them, and their changes come in storms.
    """
    name, namespace = resource.metadata.name, resource.metadata.namespace
    owned = reader.cache.owned_by(resource.info.kind, name, namespace)
    if all(assess(obj).current for obj in owned if obj["kind"] in _WORKLOADS):
        return {}
    pods = await reader.find(POD, namespace, {LABEL_PART_OF: "panosc", LABEL_INSTANCE: name})
    found: dict[str, str] = {}
    for pod in pods:
        labels = labels_of(pod)
        said = failure(pod) if labels.get(LABEL_NAME) in software else None
        if said:
            found.setdefault(labels.get(LABEL_COMPONENT, ""), said)
    return found
