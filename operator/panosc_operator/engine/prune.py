"""Deletes what an owner no longer wants."""

from collections.abc import Set

from panosc_operator.api.meta import Resource
from panosc_operator.engine import metrics
from panosc_operator.engine.cache import Cache
from panosc_operator.engine.client import Client
from panosc_operator.engine.desired import RETAIN
from panosc_operator.engine.resources import (
    Key,
    Object,
    ResourceType,
    annotations_of,
    is_controlled_by,
    key_of,
)


def prunable(owned: list[Object], wanted: Set[Key], owner: Resource) -> list[Object]:
    """The owned objects that aren't wanted, are made for exactly this owner, and hold nothing to be kept."""
    return [
        obj
        for obj in owned
        if key_of(obj) not in wanted
        and is_controlled_by(obj, owner.metadata.uid)
        and RETAIN not in annotations_of(obj)
        and not obj["metadata"].get("deletionTimestamp")
    ]


async def prune(
    client: Client, cache: Cache, types: tuple[ResourceType, ...], owner: Resource, wanted: Set[Key]
) -> list[Key]:
    """Delete the owner's objects that aren't wanted any more; returns their keys."""
    by_kind = {(kind.group, kind.kind): kind for kind in types}
    owned = cache.owned_by(owner.info.kind, owner.metadata.name, owner.metadata.namespace)
    gone = []
    for obj in prunable(owned, wanted, owner):
        key = key_of(obj)
        await client.delete(by_kind[key.group, key.kind], obj)
        metrics.WRITES.labels(key.kind, "deleted").inc()
        gone.append(key)
    return gone
