"""A name that was given once leads to its record's page for ever, whatever became of the record."""

from datetime import UTC, datetime
from typing import Any

import pytest
from doubles.datacite import app
from doubles.server import serve
from panosc_catalogue import store
from panosc_catalogue.dois.names import name
from panosc_catalogue.records import DatasetRecord
from unit.catalogue.dois import harness
from unit.catalogue.dois.harness import PUBLIC_URL, Registry
from unit.catalogue.dois.test_registration import DATASET, DOCUMENT
from unit.catalogue.visibility import RELEASE

FOREIGN = "10.15151/ESRF-DC-1"
LOCAL: dict[str, Any] = {"none": {}}


def page(registry: Registry, doi: str) -> tuple[int, str]:
    """Status and text of the page to which the catalogue leads this DOI."""
    answer = registry.get(doi)
    assert answer.status_code == 302
    address = answer.headers["location"].removeprefix(PUBLIC_URL)
    shown = registry.catalogue.client.get(address, headers={"Accept": "text/html"})
    return shown.status_code, shown.text


def test_our_name_leads_on_when_a_source_has_named_its_own(registry: Registry) -> None:
    registry.catalogue.now = RELEASE
    registry.round()
    registry.catalogue.connection.execute("UPDATE dataset SET doi = %s", [FOREIGN])
    registry.round()
    assert page(registry, DATASET) == page(registry, FOREIGN)
    assert page(registry, DATASET)[0] == 200


@pytest.mark.parametrize("before", [LOCAL, None], ids=["local", "registered"])
def test_the_former_name_leads_on_when_prefix_and_registrar_are_others(
    registry: Registry, before: dict[str, Any] | None
) -> None:
    registry.catalogue.now = RELEASE
    registry.round(registrar=before)
    registry.repository.prefixes = {"10.15151"}
    registry.repository.dois.clear()
    with serve(app(registry.repository)) as registry.endpoint:
        registry.round(prefix="10.15151")
    assert registry.dois("dataset") == {"d/1": name("10.15151", "datasets", "d/1")}
    for doi in (DOCUMENT, DATASET):
        assert page(registry, doi)[0] == 200


@pytest.mark.parametrize(
    "written", [f"doi:{FOREIGN}", f"https://doi.org/{FOREIGN}", "HTTP://DX.DOI.ORG/" + FOREIGN]
)
def test_a_doi_of_the_source_is_one_however_it_is_written(registry: Registry, written: str) -> None:
    registry.catalogue.now = RELEASE
    with registry.catalogue.connection.transaction():
        record = DatasetRecord.model_validate({"pid": "d/1", "title": "Run", "doi": written})
        store.write(registry.catalogue.connection, [record], store.Origin("beamlines", "a"))
    registry.round()
    assert registry.dois("dataset") == {"d/1": FOREIGN}
    assert set(registry.states()) == {DOCUMENT}
    assert page(registry, written)[0] == page(registry, FOREIGN.lower())[0] == 200


def test_what_is_no_doi_keeps_none_away(registry: Registry) -> None:
    registry.catalogue.now = RELEASE
    with registry.catalogue.connection.transaction():
        record = DatasetRecord.model_validate({"pid": "d/1", "title": "Run", "doi": "to be assigned"})
        store.write(registry.catalogue.connection, [record], store.Origin("beamlines", "a"))
    registry.round()
    assert registry.dois("dataset") == {"d/1": DATASET}


CLOSING = {
    "extended": "UPDATE document SET extended_until = '2030-01-01'",
    "proprietary": "UPDATE document SET proprietary_decided = true",
}


@pytest.mark.parametrize("closing", CLOSING)
def test_what_is_closed_again_has_a_page_that_says_so_and_no_more(registry: Registry, closing: str) -> None:
    registry.catalogue.now = RELEASE
    registry.round()
    registry.catalogue.connection.execute(CLOSING[closing])
    registry.round()
    status, text = page(registry, DATASET)
    assert status == 410
    assert "was public" in text
    assert "Run" not in text
    assert page(registry, DOCUMENT)[0] == (200 if closing == "extended" else 410)


def test_a_doi_of_the_source_leads_nowhere_while_its_dataset_was_never_public(registry: Registry) -> None:
    registry.catalogue.now = datetime(2025, 1, 1, tzinfo=UTC)
    registry.catalogue.connection.execute("UPDATE dataset SET doi = %s", [FOREIGN])
    registry.round()
    assert registry.get(FOREIGN).status_code == 404
    assert registry.catalogue.client.get("/datasets/d/1").status_code == 404


def test_what_was_closed_is_told_the_catalogues_new_address(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.catalogue.now = RELEASE
    registry.round()
    registry.catalogue.connection.execute(CLOSING["extended"])
    registry.round()
    registry.repository.domains = {"new.example.org"}
    monkeypatch.setattr(harness, "PUBLIC_URL", "https://new.example.org")
    registry.round()
    assert registry.repository.dois[DATASET]["state"] == "registered"
    assert registry.repository.dois[DATASET]["url"] == "https://new.example.org/datasets/d/1"
    asked = len(registry.how.requests)
    registry.round()
    assert len(registry.how.requests) == asked
