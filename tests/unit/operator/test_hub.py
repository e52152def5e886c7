"""Whom a change concerns: the owner, and those who read from what changed."""

import asyncio
from collections.abc import Iterable
from typing import Any

import pytest
from panosc_operator.engine.cache import Cache
from panosc_operator.engine.hub import Hub
from panosc_operator.engine.queue import WorkQueue
from panosc_operator.engine.resources import Key, Object
from panosc_operator.kinds import discover
from support.known import settings

GROUP = "panosc.eu"
FACILITY, ARCHIVE, CATALOGUE = (
    Key(GROUP, "Facility", None, "esrf"),
    Key(GROUP, "DataArchive", "esrf", "archive"),
    Key(GROUP, "Catalogue", "esrf", "catalogue"),
)
EVERYBODY = {FACILITY, ARCHIVE, CATALOGUE}


def resource(key: Key, version: int, generation: int = 1, **fields: Any) -> Object:
    metadata = {"name": key.name, "resourceVersion": str(version), "generation": generation}
    if key.namespace:
        metadata["namespace"] = key.namespace
    return {"apiVersion": f"{GROUP}/v1alpha1", "kind": key.kind, "metadata": metadata, "spec": {}, **fields}


def catalogue(version: int, *archives: str, generation: int = 1) -> Object:
    sources = [{"name": archive, "nexus": {"archive": archive}} for archive in archives]
    return resource(CATALOGUE, version, generation, spec={"sources": sources})


NAMESPACE: Object = {
    "apiVersion": "v1",
    "kind": "Namespace",
    "metadata": {"name": "esrf", "resourceVersion": "1", "labels": {"panosc.eu/facility": "esrf"}},
}
CHILD: Object = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {
        "name": "archive",
        "namespace": "esrf",
        "resourceVersion": "20",
        "labels": {"panosc.eu/owner-kind": "DataArchive", "panosc.eu/owner-name": "archive"},
    },
}
WORLD = [NAMESPACE, resource(FACILITY, 2), resource(ARCHIVE, 3), catalogue(4, "archive")]


def concerned(*news: Object, deleted: Iterable[Object] = (), by: Key | None = None) -> set[Key]:
    """The keys that are in the queue after some news of a world that was quiet."""

    async def scenario() -> set[Key]:
        queue, cache = WorkQueue(), Cache(frozenset({"Facility"}))
        for obj in WORLD:
            cache.put({**obj, "metadata": dict(obj["metadata"])})
        hub = Hub(discover(settings()), cache, queue)
        for obj in news:
            hub.changed(obj, by=by)
        for obj in deleted:
            hub.deleted(obj)
        return {await queue.get() for _ in range(len(queue))}

    return asyncio.run(scenario())


@pytest.mark.parametrize(
    ("news", "keys"),
    [
        pytest.param(CHILD, {ARCHIVE}, id="a child concerns its owner"),
        pytest.param(
            resource(FACILITY, 30, 2), EVERYBODY, id="a facility's spec concerns all who live in it"
        ),
        pytest.param(
            resource(FACILITY, 30, status={"url": "x"}), {FACILITY}, id="a facility's status only itself"
        ),
        pytest.param(
            resource(ARCHIVE, 30, 2), EVERYBODY, id="an archive concerns its readers and its facility"
        ),
        pytest.param(resource(ARCHIVE, 30, status={"url": "x"}), EVERYBODY, id="so does its status"),
        pytest.param(
            catalogue(30, generation=2), EVERYBODY, id="a catalogue concerns the archive it no longer reads"
        ),
        pytest.param(resource(ARCHIVE, 3), set(), id="what is known is no news"),
    ],
)
def test_whom_a_change_concerns(news: Object, keys: set[Key]) -> None:
    assert concerned(news) == keys


def test_a_namespace_that_changes_hands_concerns_both_facilities() -> None:
    given = {
        **NAMESPACE,
        "metadata": {
            **NAMESPACE["metadata"],
            "resourceVersion": "9",
            "labels": {"panosc.eu/facility": "other"},
        },
    }
    assert concerned(given) == {*EVERYBODY, Key(GROUP, "Facility", None, "other")}


def test_a_pass_needs_no_news_of_its_own_writes() -> None:
    assert concerned(CHILD, by=ARCHIVE) == set()
    assert concerned(resource(ARCHIVE, 30, status={"url": "x"}), by=ARCHIVE) == {FACILITY, CATALOGUE}


def test_a_pass_hears_of_what_others_did_just_before_its_own_write() -> None:
    """The answer to a write is the first news of it, and the watch's comes too late to be any."""
    deleted = resource(ARCHIVE, 30, 2, status={"url": "x"})
    deleted["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert ARCHIVE in concerned(deleted, by=ARCHIVE)
    assert ARCHIVE in concerned(resource(ARCHIVE, 30, 2, status={"url": "x"}), by=ARCHIVE)


def test_deletions_concern_the_same() -> None:
    assert concerned(deleted=[catalogue(30, "archive")]) == EVERYBODY
    gone = {**CHILD, "metadata": {**CHILD["metadata"], "resourceVersion": "21"}}
    assert concerned(CHILD, deleted=[gone]) == {ARCHIVE}
