"""Which records get DOIs, when, and what the registrar then says of them."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from panosc_catalogue.dois.names import name
from panosc_catalogue.dois.registrar import NotAllowed, Unavailable
from unit.catalogue.dois import harness
from unit.catalogue.dois.harness import PUBLIC_URL, Registry
from unit.catalogue.visibility import END, RELEASE

DOCUMENT = name("10.5072", "documents", "doc")
DATASET = name("10.5072", "datasets", "d/1")


def rewind(registry: Registry) -> None:
    """Let what was refused be tried again."""
    registry.catalogue.connection.execute("UPDATE doi_registration SET not_before = now()")


def test_names_are_a_function_of_the_record() -> None:
    assert name("10.5072", "documents", "doc") == DOCUMENT
    assert name("10.5072", "datasets", "doc") != DOCUMENT
    assert DOCUMENT.startswith("10.5072/")


def test_a_proposal_gets_its_doi_at_once_and_a_dataset_when_it_is_public(registry: Registry) -> None:
    registry.catalogue.now = RELEASE - timedelta(seconds=1)
    registry.round()
    assert registry.states() == {DOCUMENT: "findable"}
    assert registry.dois("document") == {"doc": DOCUMENT}
    assert registry.dois("dataset") == {"d/1": None}
    registry.catalogue.now = RELEASE
    registry.round()
    assert registry.states() == {DOCUMENT: "findable", DATASET: "findable"}
    assert registry.dois("dataset") == {"d/1": DATASET}
    drafts_first = [state for doi, state in registry.repository.history if doi == DATASET]
    assert drafts_first[:2] == ["draft", "findable"]


def test_the_registrar_knows_what_the_page_says(registry: Registry) -> None:
    registry.catalogue.now = RELEASE
    registry.round()
    registry.round()
    there = registry.repository.dois[DATASET]
    assert there["url"] == f"{PUBLIC_URL}/datasets/d/1"
    assert there["titles"] == [{"title": "Run"}]
    assert there["publisher"]["name"] == "European Synchrotron"
    assert there["types"]["resourceTypeGeneral"] == "Dataset"
    (relation,) = there["relatedIdentifiers"]
    assert (relation["relatedIdentifier"], relation["relationType"]) == (DOCUMENT, "IsPartOf")
    answer = registry.get(DATASET)
    assert answer.status_code == 302
    assert answer.headers["location"].endswith("/datasets/d/1")


def test_what_did_not_change_is_not_sent_again(registry: Registry) -> None:
    registry.catalogue.now = RELEASE
    registry.round()
    registry.round()  # the proposal and its dataset now name each other by their DOIs
    requests = len(registry.how.requests)
    registry.round()
    registry.round()
    assert len(registry.how.requests) == requests
    assert registry.status()["lastError"] is None


@pytest.mark.parametrize(
    ("change", "attribute", "expected"),
    [
        ("UPDATE dataset SET title = 'Run 2'", "titles", [{"title": "Run 2"}]),
        ("UPDATE dataset SET license_decided = 'CC0-1.0'", "rightsList", "CC0-1.0"),
        ("UPDATE document SET license_decided = 'CC-BY-NC-4.0'", "rightsList", "CC-BY-NC-4.0"),
    ],
)
def test_a_changed_record_is_sent(registry: Registry, change: str, attribute: str, expected: Any) -> None:
    registry.catalogue.now = RELEASE
    registry.round()
    registry.catalogue.connection.execute(change)
    registry.round()
    there = registry.repository.dois[DATASET][attribute]
    assert there == expected or there[0].get("rightsIdentifier") == expected
    assert registry.states()[DATASET] == "findable"


def test_a_changed_policy_is_sent(registry: Registry) -> None:
    registry.catalogue.now = END
    registry.round()
    registry.catalogue.policy_file.write_text('{"embargo": {"months": 60}, "license": "CC-BY-SA-4.0"}')
    registry.round()
    there = registry.repository.dois[DOCUMENT]
    assert there["rightsList"][0]["rightsIdentifier"] == "CC-BY-SA-4.0"
    assert any(
        entry["dateType"] == "Available" and entry["date"].startswith("2029-02-28")
        for entry in there["dates"]
    )


def test_a_worker_that_had_nothing_to_do_sees_the_next_change(registry: Registry) -> None:
    def at(second: int, statement: str = "SELECT 1") -> Callable[[], None]:
        def change() -> None:
            registry.catalogue.now = RELEASE + timedelta(seconds=second)
            registry.catalogue.connection.execute(statement)

        return change

    titles: list[Any] = []
    registry.rounds(
        *(at(second) for second in range(-1, 4)),
        at(4, "UPDATE dataset SET title = 'in a new second'"),
        lambda: titles.append(registry.repository.dois[DATASET]["titles"]),
        at(4, "UPDATE dataset SET title = 'in the same second'"),
        lambda: titles.append(registry.repository.dois[DATASET]["titles"]),
        at(5, "UPDATE dataset SET deleted_at = now()"),
    )
    assert titles == [[{"title": "in a new second"}], [{"title": "in the same second"}]]
    assert registry.states() == {DOCUMENT: "findable", DATASET: "registered"}


def test_a_refused_record_is_tried_again_by_the_same_worker(registry: Registry) -> None:
    registry.repository.domains = set()
    registry.catalogue.now = RELEASE

    def allow() -> None:
        registry.repository.domains = {"data.example.org"}
        rewind(registry)
        registry.catalogue.now = RELEASE + timedelta(seconds=30)

    registry.rounds(lambda: None, allow)
    assert registry.states() == {DOCUMENT: "findable", DATASET: "findable"}


def test_dois_follow_the_catalogue_to_another_host(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.catalogue.now = END
    registry.round()
    registry.repository.domains = {"open.example.org"}
    monkeypatch.setattr(harness, "PUBLIC_URL", "https://open.example.org")
    registry.round()
    assert registry.repository.dois[DOCUMENT]["url"] == "https://open.example.org/documents/doc"


def test_what_is_withdrawn_is_hidden_and_keeps_its_doi(registry: Registry) -> None:
    registry.catalogue.now = RELEASE
    registry.round()
    registry.catalogue.connection.execute("UPDATE dataset SET deleted_at = now()")
    registry.round()
    assert registry.states() == {DOCUMENT: "findable", DATASET: "registered"}
    assert registry.dois("dataset") == {"d/1": DATASET}
    assert registry.get(DATASET).status_code == 302
    assert registry.catalogue.client.get("/datasets/d/1").status_code == 410
    registry.catalogue.connection.execute("UPDATE dataset SET deleted_at = NULL")
    registry.round()
    assert registry.states()[DATASET] == "findable"


@pytest.mark.parametrize(
    "decision",
    ["UPDATE document SET proprietary_decided = true", "UPDATE document SET extended_until = '2030-01-01Z'"],
)
def test_what_is_closed_again_is_hidden(registry: Registry, decision: str) -> None:
    registry.catalogue.now = RELEASE
    registry.round()
    registry.catalogue.connection.execute(decision)
    registry.round()
    assert registry.states()[DATASET] == "registered"


def test_proprietary_beamtime_gets_none(registry: Registry) -> None:
    registry.catalogue.now = RELEASE
    registry.catalogue.connection.execute("UPDATE document SET proprietary = true")
    registry.round()
    assert registry.repository.dois == {}
    assert registry.how.requests == []


@pytest.mark.parametrize("kind", ["documents", "datasets"])
def test_the_facility_chooses_what_gets_dois(registry: Registry, kind: str) -> None:
    registry.catalogue.now = RELEASE
    registry.round(mint={kind: False})
    assert set(registry.states()) == {DATASET if kind == "documents" else DOCUMENT}


def test_a_doi_of_the_source_is_the_doi_and_publications_have_theirs(registry: Registry) -> None:
    registry.catalogue.now = RELEASE
    registry.catalogue.connection.execute("UPDATE dataset SET doi = '10.15151/ESRF-DC-1'")
    registry.catalogue.connection.execute("UPDATE document SET type = 'publication'")
    registry.round()
    assert registry.repository.dois == {}
    assert registry.dois("dataset") == {"d/1": "10.15151/ESRF-DC-1"}


def test_without_a_registrar_names_are_local_and_nothing_calls_them_dois(registry: Registry) -> None:
    registry.catalogue.now = RELEASE
    registry.round(registrar={"none": {}})
    assert registry.how.requests == []
    assert registry.dois("dataset") == {"d/1": None}
    assert registry.status()["local"] == 2
    answer = registry.get(DATASET)
    assert answer.status_code == 302
    assert answer.headers["location"].endswith("/datasets/d/1")
    assert "10.5072/" not in registry.catalogue.client.get("/datasets/d/1").text
    # With a registrar they become DOIs under the same names.
    registry.round()
    assert registry.states() == {DOCUMENT: "findable", DATASET: "findable"}


def test_a_record_that_is_refused_does_not_hold_up_the_others(registry: Registry) -> None:
    registry.catalogue.now = RELEASE
    registry.repository.domains = {"elsewhere.example.org"}
    registry.round()
    assert registry.states() == {DOCUMENT: "draft", DATASET: "draft"}
    assert registry.dois("dataset") == {"d/1": None}
    said = registry.status()
    assert said["refused"] == 2
    assert said["problems"][0]["pid"] == "d/1"
    assert "url: URL is not allowed by repository domain settings" in said["problems"][0]["message"]
    requests = len(registry.how.requests)
    registry.round()
    assert len(registry.how.requests) == requests, "a refused record waits"
    registry.repository.domains = {"data.example.org"}
    rewind(registry)
    registry.round()
    assert registry.states() == {DOCUMENT: "findable", DATASET: "findable"}
    assert registry.status()["refused"] == 0


def test_a_name_that_leads_elsewhere_is_not_taken_over(registry: Registry) -> None:
    registry.catalogue.now = END
    foreign = {"state": "findable", "url": "https://other.example.org/documents/doc"}
    registry.repository.dois[DOCUMENT] = dict(foreign)
    registry.round()
    assert registry.repository.dois == {DOCUMENT: foreign}
    assert registry.dois("document") == {"doc": None}
    assert "https://other.example.org/documents/doc" in registry.status()["problems"][0]["message"]


def test_a_catalogue_that_is_filled_anew_finds_its_dois_again(registry: Registry) -> None:
    registry.catalogue.now = RELEASE
    registry.round()
    before = dict(registry.states())
    registry.catalogue.connection.execute("TRUNCATE doi_registration")
    registry.catalogue.connection.execute("UPDATE dataset SET doi = NULL")
    registry.catalogue.connection.execute("UPDATE document SET doi = NULL")
    registry.round()
    assert registry.states() == before
    assert registry.dois("dataset") == {"d/1": DATASET}


@pytest.mark.parametrize(
    ("username", "password"),
    [("PANOSC.TEST", "wrong"), ("", ""), (None, None)],
    ids=["wrong", "empty", "none"],
)
def test_credentials_that_are_not_taken_stop_everything(
    registry: Registry, username: str | None, password: str | None
) -> None:
    for file, content in (("username", username), ("password", password)):
        if content is None:
            (registry.credentials / file).unlink()
        else:
            (registry.credentials / file).write_text(content)
    registry.catalogue.now = RELEASE
    with pytest.raises(NotAllowed, match=r"username and password") as raised:
        registry.round()
    assert "s3cret" not in str(raised.value)
    assert registry.repository.dois == {}
    assert registry.dois("document") == {"doc": None}


@pytest.mark.parametrize(
    "how",
    [
        {"status": 500},
        {"status": 403},
        {"status": 503, "retry_after": "7"},
        {"status": 429, "retry_after": "7"},
        {"hangs": True},
        {"truncated": True},
        {"status": 204},
    ],
    ids=str,
)
@pytest.mark.parametrize("after", range(4))
def test_a_failure_of_the_registrar_is_tried_again_and_nothing_is_minted_twice(
    registry: Registry, how: dict[str, Any], after: int
) -> None:
    registry.catalogue.now = RELEASE
    registry.how.after, registry.how.times = after, 1
    for name_, value in how.items():
        setattr(registry.how, name_, value)
    if "retry_after" in how:
        with pytest.raises(Unavailable) as raised:
            registry.round()
        assert raised.value.retry_after == 7
    else:
        # It may be for this record only: the other one is not held up.
        registry.round()
        assert [*registry.dois("document").values(), *registry.dois("dataset").values()].count(None) == 1
        assert registry.status()["refused"] == 1
    for doi in [*registry.dois("document").values(), *registry.dois("dataset").values()]:
        assert doi is None or registry.states()[doi] == "findable"
    registry.round()
    assert registry.states() == {DOCUMENT: "findable", DATASET: "findable"}
    minted = [doi for doi, state in registry.repository.history if state == "draft"]
    assert sorted(minted) == sorted([DOCUMENT, DATASET])
