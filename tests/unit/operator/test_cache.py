"""The cache believes the newest news, whatever order it comes in."""

from hypothesis import given
from hypothesis import strategies as st
from panosc_operator.engine.cache import Cache
from panosc_operator.engine.resources import Key, Object


def config(name: str, version: int, namespace: str = "ns", owner: str | None = None) -> Object:
    labels = {"panosc.eu/owner-kind": "Catalogue", "panosc.eu/owner-name": owner} if owner else {}
    metadata = {"name": name, "namespace": namespace, "resourceVersion": str(version), "labels": labels}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}


KEY = Key("", "ConfigMap", "ns", "a")


def test_older_news_changes_nothing() -> None:
    cache = Cache()
    assert cache.put(config("a", 10))
    assert not cache.put(config("a", 9))
    assert not cache.put(config("a", 10))
    assert cache.put(config("a", 11))
    assert not cache.drop(config("a", 5))
    assert cache.get(KEY) is not None


def test_late_news_does_not_bring_a_deleted_object_back() -> None:
    cache = Cache()
    cache.put(config("a", 10))
    assert cache.drop(config("a", 12))
    assert not cache.put(config("a", 11))
    assert cache.get(KEY) is None
    assert cache.put(config("a", 13)), "made again"


def test_a_list_repairs_what_was_missed() -> None:
    cache = Cache()
    for name, version in (("a", 1), ("gone", 2), ("newer", 30)):
        cache.put(config(name, version))
    news = cache.replace("", "ConfigMap", [config("a", 5), config("new", 6)], "20")
    assert {obj["metadata"]["name"] for obj in news} == {"a", "new", "gone"}
    assert {obj["metadata"]["name"] for obj in cache.all("", "ConfigMap")} == {"a", "new", "newer"}


def test_owned_objects_are_found_by_their_owner() -> None:
    cache = Cache(frozenset({"Facility"}))
    cache.put(config("a", 1, owner="one"))
    cache.put(config("a", 2, namespace="other", owner="one"))
    cache.put(config("b", 3, owner="two"))
    assert [obj["metadata"]["resourceVersion"] for obj in cache.owned_by("Catalogue", "one", "ns")] == ["1"]
    cache.put(config("a", 4, owner="two"))
    assert cache.owned_by("Catalogue", "one", "ns") == []
    assert len(cache.owned_by("Catalogue", "two", "ns")) == 2
    cache.drop(config("b", 5))
    assert len(cache.owned_by("Catalogue", "two", "ns")) == 1


@given(st.permutations(range(1, 7)))
def test_any_order_of_changes_ends_with_the_newest(order: list[int]) -> None:
    cache = Cache()
    for version in order:
        cache.put(config("a", version))
    known = cache.get(KEY)
    assert known is not None
    assert known["metadata"]["resourceVersion"] == "6"
