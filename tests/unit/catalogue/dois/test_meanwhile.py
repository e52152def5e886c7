"""What changes while the worker is at work, or between two rounds, and what fails for one record only."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from doubles.datacite import app
from doubles.server import serve
from panosc_catalogue import store
from panosc_catalogue.dois.client import Client
from panosc_catalogue.dois.names import name
from panosc_catalogue.dois.registrar import Forbidden, State, Unavailable
from panosc_catalogue.records import DocumentRecord
from unit.catalogue.dois.harness import Registry
from unit.catalogue.dois.test_registration import DATASET, DOCUMENT, rewind
from unit.catalogue.visibility import END, RELEASE

SECOND = name("10.5072", "documents", "doc2")
FOREIGN = "10.15151/ESRF-DC-1"


def add(registry: Registry, *pids: str) -> None:
    """More proposals."""
    records = [DocumentRecord.model_validate({"pid": pid, "title": pid, "endDate": END}) for pid in pids]
    with registry.catalogue.connection.transaction():
        store.write(registry.catalogue.connection, records, store.Origin("beamlines", "a"))


def once(registry: Registry, monkeypatch: pytest.MonkeyPatch, statement: str) -> None:
    """Let this happen as soon as the registrar has its first draft."""
    reserve, waiting = Client.reserve, [statement]

    async def reserve_and_go_on(self: Client, doi: str, attributes: Mapping[str, Any]) -> None:
        await reserve(self, doi, attributes)
        if waiting:
            registry.catalogue.connection.execute(waiting.pop())

    monkeypatch.setattr(Client, "reserve", reserve_and_go_on)


def test_a_proposal_made_proprietary_between_draft_and_publication_is_not_published(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.catalogue.now = END
    once(registry, monkeypatch, "UPDATE document SET proprietary_decided = true")
    registry.rounds(lambda: None, lambda: None)
    assert registry.states() == {DOCUMENT: "draft"}
    assert registry.dois("document") == {"doc": None}


def test_a_decision_holds_for_records_whose_turn_is_still_to_come(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.catalogue.now = END
    add(registry, "doc2")
    once(registry, monkeypatch, "UPDATE document SET proprietary_decided = true WHERE pid = 'doc2'")
    registry.round()
    assert registry.states() == {DOCUMENT: "findable"}


def test_what_is_published_is_what_the_public_sees_then(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.catalogue.now = END
    once(registry, monkeypatch, "UPDATE document SET title = 'Without the name of the protein'")
    registry.round()
    assert registry.repository.dois[DOCUMENT]["titles"] == [{"title": "Without the name of the protein"}]


@pytest.mark.parametrize("after", range(3), ids=["intended", "draft", "findable"])
def test_a_source_that_names_its_doi_later_has_the_only_one(registry: Registry, after: int) -> None:
    registry.catalogue.now = END
    registry.how.after, registry.how.times, registry.how.status = after, 1 if after < 2 else 0, 500
    if after < 2:
        with pytest.raises(Unavailable):
            registry.round()
    else:
        registry.round()
    registry.catalogue.connection.execute("UPDATE document SET doi = %s", [FOREIGN])
    for _ in range(3):
        registry.round()
    assert registry.dois("document") == {"doc": FOREIGN}
    assert registry.states() == [{}, {DOCUMENT: "draft"}, {DOCUMENT: "registered"}][after]
    assert registry.status()["pending"] == 0
    asked = len(registry.how.requests)
    registry.round()
    assert len(registry.how.requests) == asked


def test_a_source_that_names_its_doi_between_draft_and_publication_has_the_only_one(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.catalogue.now = END
    once(registry, monkeypatch, f"UPDATE document SET doi = '{FOREIGN}'")
    registry.rounds(lambda: None, lambda: None)
    assert registry.states() == {DOCUMENT: "draft"}
    assert registry.dois("document") == {"doc": FOREIGN}


def test_another_registrar_gets_what_the_first_one_had(registry: Registry) -> None:
    registry.catalogue.now = RELEASE
    registry.round()
    registry.repository.prefixes = {"10.15151"}
    registry.repository.dois.clear()
    with serve(app(registry.repository)) as registry.endpoint:
        registry.round(prefix="10.15151")
    document, dataset = name("10.15151", "documents", "doc"), name("10.15151", "datasets", "d/1")
    assert registry.states() == {document: "findable", dataset: "findable"}
    assert registry.dois("document") == {"doc": document}
    assert registry.dois("dataset") == {"d/1": dataset}


def test_another_address_of_the_same_registrar_changes_no_doi(registry: Registry) -> None:
    registry.catalogue.now = RELEASE
    registry.round()
    with serve(app(registry.repository)) as registry.endpoint:
        registry.round()
    assert registry.states() == {DOCUMENT: "findable", DATASET: "findable"}
    assert (registry.dois("document"), registry.dois("dataset")) == ({"doc": DOCUMENT}, {"d/1": DATASET})


def test_names_that_nobody_has_seen_follow_the_prefix_and_the_others_stay(registry: Registry) -> None:
    registry.catalogue.now = END
    registry.round()
    registry.catalogue.now = RELEASE
    registry.round(registrar={"none": {}})
    registry.repository.prefixes = {"10.5072", "10.15151"}
    registry.round(prefix="10.15151")
    assert registry.states() == {DOCUMENT: "findable", name("10.15151", "datasets", "d/1"): "findable"}


@pytest.mark.parametrize(
    "error", [Unavailable("answers 500"), Forbidden("answers 403"), ValueError("a defect")], ids=str
)
def test_records_that_fail_hold_up_no_others(
    registry: Registry, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    registry.catalogue.now = END
    others = [f"doc{number}" for number in range(2, 10)]
    add(registry, *others)
    publish, failing = Client.publish, {DOCUMENT, *(name("10.5072", "documents", pid) for pid in others[:6])}

    async def publish_some(self: Client, doi: str, attributes: Mapping[str, Any]) -> None:
        if doi in failing:
            raise error
        await publish(self, doi, attributes)

    monkeypatch.setattr(Client, "publish", publish_some)
    for _ in range(4):
        try:
            registry.round()
        except type(error):
            continue
    for pid in others[6:]:
        assert registry.states()[name("10.5072", "documents", pid)] == State.FINDABLE
    assert registry.status()["refused"] == len(failing)
    assert str(error) in registry.status()["problems"][0]["message"]
    failing.clear()
    rewind(registry)
    registry.round()
    assert set(registry.states().values()) == {State.FINDABLE}


def test_a_record_hidden_before_its_doi_was_published_is_not_waited_for(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.catalogue.now = END
    once(registry, monkeypatch, "UPDATE document SET proprietary_decided = true")
    registry.round()
    registry.round()
    assert registry.status()["pending"] == 0


def test_a_record_for_which_the_registrar_is_always_busy_holds_up_no_others(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.catalogue.now = END
    others = [f"doc{number}" for number in range(2, 6)]
    add(registry, *others)
    publish, busy = Client.publish, {DOCUMENT, SECOND}

    async def publish_some(self: Client, doi: str, attributes: Mapping[str, Any]) -> None:
        if doi in busy:
            raise Unavailable("the registrar answers 503", retry_after=3600)
        await publish(self, doi, attributes)

    monkeypatch.setattr(Client, "publish", publish_some)
    for _ in busy:
        with pytest.raises(Unavailable):
            registry.round()
    rewind(registry)
    with pytest.raises(Unavailable):
        registry.round()
    assert {doi for doi, state in registry.states().items() if state == State.DRAFT} == busy
    busy.clear()
    rewind(registry)
    registry.round()
    assert set(registry.states().values()) == {State.FINDABLE}


def test_what_is_closed_is_hidden_before_all_that_waits_is_registered(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.catalogue.now = END
    registry.round()
    add(registry, "doc2", "doc3", "doc4")
    monkeypatch.setattr("panosc_catalogue.dois.book.BATCH", 1)
    once(registry, monkeypatch, "UPDATE document SET proprietary_decided = true WHERE pid = 'doc'")
    registry.round()
    last = name("10.5072", "documents", "doc4")
    history = registry.repository.history
    assert history.index((DOCUMENT, "registered")) < history.index((last, "draft"))


def test_a_record_is_found_by_its_doi_once_it_has_one(registry: Registry) -> None:
    registry.catalogue.now = RELEASE
    registry.round()
    for doi, pid, collection in ((DOCUMENT, "doc", "Documents"), (DATASET, "d/1", "Datasets")):
        words = json.dumps({"query": doi.split("/")[1]})
        found = registry.catalogue.client.get(f"/api/{collection}", params={"filter": words}).json()
        assert [record["pid"] for record in found] == [pid]
