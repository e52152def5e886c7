"""What withdrawn documents and dates that are placeholders show, and until when they keep data closed."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from panosc_catalogue import store
from panosc_catalogue.records import DocumentRecord
from unit.catalogue.service import get
from unit.catalogue.visibility import RELEASE, TOKEN, Catalogue

NEVER = "9999-12-31T23:59:59Z"
HARVEST = "/oai?verb=ListRecords&metadataPrefix=datacite"


def write(catalogue: Catalogue, **document: Any) -> None:
    with catalogue.connection.transaction():
        store.write(catalogue.connection, [DocumentRecord.model_validate(document)], store.Origin("load"))


def test_a_person_shows_no_part_in_a_withdrawn_document(catalogue: Catalogue) -> None:
    for pid, role in (("kept", "proposer"), ("withdrawn", "principal investigator")):
        member = {"role": role, "person": {"fullName": "Ada", "orcid": "0000-0002-1825-0097"}}
        write(catalogue, pid=pid, title=pid, members=[member])
    catalogue.connection.execute("UPDATE document SET deleted_at = now() WHERE pid = 'withdrawn'")
    members = {"relation": "members"}
    person = {"relation": "person", "scope": {"include": [members]}}
    question = {"where": {"pid": "kept"}, "include": [{**members, "scope": {"include": [person]}}]}
    (document,) = get(catalogue.client, "/api/Documents", filter=json.dumps(question))
    roles = [part["role"] for part in document["members"][0]["person"]["members"]]
    assert roles == ["proposer"]


@pytest.mark.parametrize("end", [NEVER, "9999-12-31", "9999-12-31T23:59:59-05:00", "2501-01-01"])
def test_an_end_at_the_end_of_time_is_none(catalogue: Catalogue, end: str) -> None:
    catalogue.now = RELEASE
    dataset = {"pid": "d/2", "title": "Run 2", "endDate": end}
    write(catalogue, pid="open", title="Run", startDate="2020-01-01", endDate=end, datasets=[dataset])
    (document,) = get(catalogue.client, "/api/Documents", filter=json.dumps({"where": {"pid": "open"}}))
    assert document["startDate"] == "2020-01-01T00:00:00.000Z"
    assert (document.get("endDate"), document.get("releaseDate")) == (None, None)
    for path in ("/documents/open", "/search?show=proposals", "/search?q=run", HARVEST):
        assert catalogue.client.get(path, headers={"Accept": "text/html"}).status_code == 200
    assert "documents/open" in catalogue.client.get(HARVEST).text
    assert catalogue.client.get("/datasets/d/2").status_code == 404


def test_what_is_never_to_be_released_stays_closed(catalogue: Catalogue) -> None:
    catalogue.now = datetime(2400, 1, 1, tzinfo=UTC)
    dataset = {"pid": "d/2", "title": "Run 2", "creationDate": "2020-01-01"}
    write(catalogue, pid="never", title="Run", endDate="2020-01-01", releaseDate=NEVER, datasets=[dataset])
    assert catalogue.client.get("/datasets/d/2").status_code == 404
    assert "documents/never" in catalogue.client.get(HARVEST).text
    headers = {"Authorization": f"Bearer {TOKEN}"}
    decision = {
        "action": "extendEmbargo",
        "document": "never",
        "until": "2502-01-01T00:00:00Z",
        "requestedBy": "Ada",
        "grantedBy": "User Office",
        "reason": "a thesis",
    }
    assert catalogue.client.post("/policy/decisions", json=decision, headers=headers).status_code == 200
