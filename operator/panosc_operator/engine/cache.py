"""What the operator knows of the cluster: the latest version of every object that it watches.

It is fed by watch events, by the answers to our own writes (so that a pass sees what the last one did,
whenever the watch delivers it), and by whole lists at the start and at every resync, which repair what a
lost event hid. Versions of one resource type are ordered numbers (KEP-5504), so older news never replaces
newer.
"""

from collections import OrderedDict, defaultdict
from collections.abc import Iterator

from panosc_operator.api.meta import LABEL_OWNER_KIND, LABEL_OWNER_NAME
from panosc_operator.engine.resources import Key, Object, key_of, labels_of

TOMBSTONES = 4096


def version_of(obj: Object) -> int:
    """The object's version as a number."""
    return int(obj["metadata"]["resourceVersion"])


class Cache:
    """Objects by key, and by the owner that their labels name."""

    def __init__(self, cluster_kinds: frozenset[str] = frozenset()) -> None:
        """`cluster_kinds`: kinds of owners that have no namespace and may own objects in any."""
        self._cluster_kinds = cluster_kinds
        self._objects: dict[tuple[str, str], dict[str | None, dict[Key, Object]]] = defaultdict(dict)
        """Objects by (group, kind), then by namespace."""
        self._owned: dict[tuple[str, str, str | None], set[Key]] = defaultdict(set)
        """Keys by owner: its kind, name and namespace."""
        self._deleted: OrderedDict[Key, int] = OrderedDict()
        """Version at which recently deleted objects went, so that late news doesn't bring them back."""

    def get(self, key: Key) -> Object | None:
        """The object, if it is known."""
        return self._objects[key.group, key.kind].get(key.namespace, {}).get(key)

    def all(self, group: str, kind: str, namespace: str | None = None) -> Iterator[Object]:
        """The objects of a kind, of one namespace if that is named."""
        by_namespace = self._objects[group, kind]
        # Copies, because metrics are read in another thread while news arrive.
        for objects in [by_namespace.get(namespace, {})] if namespace else list(by_namespace.values()):
            yield from list(objects.values())

    def owned_by(self, kind: str, name: str, namespace: str | None) -> list[Object]:
        """The objects whose labels name this owner, which may have no namespace itself."""
        keys = self._owned.get((kind, name, namespace), set())
        return [self._objects[key.group, key.kind][key.namespace][key] for key in sorted(keys, key=str)]

    def put(self, obj: Object) -> bool:
        """Take note of an object's state; returns whether that is news."""
        key, version = key_of(obj), version_of(obj)
        if self._deleted.get(key, -1) >= version:
            return False
        known = self.get(key)
        if known is not None and version_of(known) >= version:
            return False
        self._forget(key)
        # Who set which field is half of an object's size, and nothing here asks for it.
        obj["metadata"].pop("managedFields", None)
        self._objects[key.group, key.kind].setdefault(key.namespace, {})[key] = obj
        owner = self._owner(obj)
        if owner:
            self._owned[owner].add(key)
        return True

    def drop(self, obj: Object) -> bool:
        """Take note of an object's deletion; returns whether that is news."""
        key, version = key_of(obj), version_of(obj)
        known = self.get(key)
        if known is not None and version_of(known) > version:
            return False
        self._deleted[key] = version
        self._deleted.move_to_end(key)
        if len(self._deleted) > TOMBSTONES:
            self._deleted.popitem(last=False)
        self._forget(key)
        return known is not None

    def replace(self, group: str, kind: str, objects: list[Object], version: str) -> list[Object]:
        """Take a whole list of a kind as of a version; returns the objects that are new, changed or gone."""
        news = [obj for obj in objects if self.put(obj)]
        listed = {key_of(obj) for obj in objects}
        for known in list(self.all(group, kind)):
            key = key_of(known)
            if key not in listed and version_of(known) <= int(version):
                self._forget(key)
                news.append(known)
        return news

    def _forget(self, key: Key) -> None:
        by_namespace = self._objects[key.group, key.kind]
        known = by_namespace.get(key.namespace, {}).pop(key, None)
        if known and not by_namespace[key.namespace]:
            del by_namespace[key.namespace]
        owner = self._owner(known) if known else None
        if owner:
            self._owned[owner].discard(key)
            if not self._owned[owner]:
                del self._owned[owner]

    def _owner(self, obj: Object) -> tuple[str, str, str | None] | None:
        labels = labels_of(obj)
        kind, name = labels.get(LABEL_OWNER_KIND), labels.get(LABEL_OWNER_NAME)
        if not kind or not name:
            return None
        return kind, name, None if kind in self._cluster_kinds else obj["metadata"].get("namespace")
