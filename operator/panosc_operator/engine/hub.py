"""Where news of objects arrive: they go into the cache, and the keys they concern into the queue."""

from collections.abc import Iterable

from panosc_operator.api.meta import GROUP, LABEL_OWNER_KIND, LABEL_OWNER_NAME
from panosc_operator.engine.cache import Cache
from panosc_operator.engine.kind import Kind
from panosc_operator.engine.queue import WorkQueue
from panosc_operator.engine.resources import Key, Object, ResourceType, key_of, labels_of


class Hub:
    """Maps changes of objects to the resources that have to be looked at again."""

    def __init__(self, kinds: Iterable[Kind], cache: Cache, queue: WorkQueue) -> None:
        self._kinds = {kind.type.kind: kind for kind in kinds}
        self._cache = cache
        self._queue = queue

    def changed(self, obj: Object, *, by: Key | None = None) -> None:
        """An object was made or changed; `by` is the resource whose pass did that and needs no news of it."""
        former = self._cache.get(key_of(obj))
        if self._cache.put(obj):
            self._announce(former, obj, by)

    def deleted(self, obj: Object) -> None:
        """An object is gone."""
        if self._cache.drop(obj):
            self._announce(obj, None, None)

    def listed(self, kind: ResourceType, objects: list[Object], version: str) -> None:
        """All objects of a type as of a version: what changed or went unnoticed is made up for."""
        for obj in self._cache.replace(kind.group, kind.kind, objects, version):
            self._announce(None, obj, None)
        if kind.group == GROUP and kind.kind in self._kinds:
            for obj in self._cache.all(kind.group, kind.kind):
                self._queue.add(key_of(obj))

    def _announce(self, former: Object | None, now: Object | None, by: Key | None) -> None:
        keys: set[Key] = set()
        for obj in (former, now):
            if obj is not None:
                keys.update(self._concerned(obj, spec_changed=_spec_changed(former, now)))
        # A pass changes status and finalizers of its own resource, no more: the rest is what somebody else
        # did just before, of which the news of the watch comes too late to be any.
        others_too = now is not None and key_of(now) == by and _spec_changed(former, now)
        if by is not None and not others_too:
            keys.discard(by)
        for key in sorted(keys, key=str):
            self._queue.add(key)

    def _concerned(self, obj: Object, *, spec_changed: bool) -> Iterable[Key]:
        key = key_of(obj)
        if key.group == GROUP and key.kind in self._kinds:
            yield key
        labels = labels_of(obj)
        owner = self._kinds.get(labels.get(LABEL_OWNER_KIND, ""))
        if owner is not None and labels.get(LABEL_OWNER_NAME):
            namespace = key.namespace if owner.type.namespaced else None
            yield Key(GROUP, owner.type.kind, namespace, labels[LABEL_OWNER_NAME])
        for kind in self._kinds.values():
            for watch in kind.watches:
                if (watch.type.group, watch.type.kind) != (key.group, key.kind):
                    continue
                if spec_changed or watch.status:
                    yield from watch.map(obj, self._cache)


def _spec_changed(former: Object | None, now: Object | None) -> bool:
    """Whether more than the status differs."""
    if former is None or now is None or "generation" not in now["metadata"]:
        return True
    return any(
        former["metadata"].get(name) != now["metadata"].get(name)
        for name in ("generation", "labels", "deletionTimestamp", "uid")
    )
