"""Data management plans: valid by the RDA common standard 1.2, readable, and true as the policy changes."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from madmpy.v1_2.dmp import DMP
from panosc_catalogue import store
from panosc_catalogue.datacite import reading
from panosc_catalogue.records import DocumentRecord
from unit.catalogue.visibility import END, RELEASE, Catalogue, catalogue_of

PUBLIC_URL = "https://data.example.org"
BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
SECOND = timedelta(seconds=1)


def configure(directory: Path, **facility: Any) -> None:
    config = {
        "facility": {
            "name": "esrf",
            "displayName": "European Synchrotron",
            "ror": "https://ror.org/02550n020",
            "country": "FR",
            "contactEmail": "data@example.org",
            **facility,
        },
        "publicUrl": PUBLIC_URL,
    }
    (directory / "catalogue.json").write_text(json.dumps(config))


@pytest.fixture
def proposal(database_url: str, tmp_path: Path) -> Iterator[Catalogue]:
    configure(tmp_path)
    members = [
        {"role": "principal investigator", "person": {"fullName": "Ada L.", "orcid": "0000-0002-1825-0097"}},
        {"role": "member", "person": {"fullName": "<b>Bob</b>"}},
    ]
    record = {"pid": "doc", "title": "Proposal", "type": "proposal", "endDate": END, "members": members}
    with catalogue_of(database_url, tmp_path) as catalogue:
        with catalogue.connection.transaction():
            origin = store.Origin("beamlines", "a")
            store.write(catalogue.connection, [DocumentRecord.model_validate(record)], origin)
        yield catalogue


def plan(catalogue: Catalogue, path: str = "/dmp/doc") -> dict[str, Any]:
    answer = catalogue.client.get(path)
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "application/json"
    content: dict[str, Any] = answer.json()
    assert list(content) == ["dmp"]
    plan: dict[str, Any] = content["dmp"]
    DMP(**plan)
    return plan


def test_a_plan_is_valid_and_says_what_the_policy_says(proposal: Catalogue) -> None:
    proposal.now = END
    found = plan(proposal)
    assert found["dmp_id"] == {"identifier": f"{PUBLIC_URL}/dmp/doc", "type": "url"}
    assert found["contact"]["mbox"] == "data@example.org"
    ada, bob = found["contributor"]
    assert ada["contributor_id"] == {"identifier": "https://orcid.org/0000-0002-1825-0097", "type": "orcid"}
    assert (ada["role"], bob["role"]) == (["ProjectLeader"], ["Researcher"])
    data, metadata = found["dataset"]
    assert "10 years" in data["preservation_statement"]
    (distribution,) = data["distribution"]
    assert distribution["available_until"] == "2034-02-28"
    assert distribution["host"]["geo_location"] == "FR"
    assert metadata["distribution"][0]["data_access"] == "open"
    assert (
        metadata["distribution"][0]["license"][0]["license_ref"]
        == "https://creativecommons.org/publicdomain/zero/1.0/legalcode"
    )


def test_a_plan_changes_at_the_second_at_which_the_data_open(proposal: Catalogue) -> None:
    proposal.now = RELEASE - SECOND
    (distribution,) = plan(proposal)["dataset"][0]["distribution"]
    assert distribution["data_access"] == "shared"
    assert "byte_size" not in distribution
    assert distribution["license"] == [
        {"license_ref": "https://creativecommons.org/licenses/by/4.0/legalcode", "start_date": "2027-02-28"}
    ]
    proposal.now = RELEASE
    (distribution,) = plan(proposal)["dataset"][0]["distribution"]
    assert distribution["data_access"] == "open"
    assert distribution["byte_size"] == 1


def test_a_plan_follows_the_policy_and_what_the_staff_decides(proposal: Catalogue) -> None:
    proposal.now = END
    before = plan(proposal)["modified"]
    policy = {"license": "CC-BY-SA-4.0", "rawRetention": {"years": 5}, "embargo": {"months": 12}}
    proposal.policy_file.write_text(json.dumps(policy))
    proposal.connection.execute(
        "UPDATE document SET extended_until = '2026-01-01Z', license_decided = 'CC-BY-NC-4.0', "
        "updated_at = now()"
    )
    found = plan(proposal)
    (distribution,) = found["dataset"][0]["distribution"]
    assert distribution["available_until"] == "2029-02-28"
    assert distribution["license"] == [
        {
            "license_ref": "https://creativecommons.org/licenses/by-nc/4.0/legalcode",
            "start_date": "2026-01-01",
        }
    ]
    assert found["modified"] > before


def test_people_read_a_page(proposal: Catalogue) -> None:
    proposal.now = END
    answer = proposal.client.get("/dmp/doc", headers=BROWSER)
    assert answer.headers["Content-Type"].startswith("text/html")
    page = answer.text
    assert "until 28 February 2027, 15:00 UTC, then public" in page
    assert "until 28 February 2034" in page
    assert "Creative Commons Attribution 4.0 International" in page
    assert "&lt;b&gt;Bob&lt;/b&gt;" in page
    assert f'href="{PUBLIC_URL}/dmp/doc?format=json"' in page
    assert plan(proposal, "/dmp/doc?format=json")
    assert proposal.client.get("/dmp/doc?format=html").headers["Content-Type"].startswith("text/html")
    assert proposal.client.get("/dmp/doc?format=pdf").status_code == 400


@pytest.mark.parametrize("hidden", ["proprietary_decided = true", "deleted_at = now()", "proprietary = true"])
def test_what_is_not_public_has_no_plan(proposal: Catalogue, hidden: str) -> None:
    proposal.connection.execute(f"UPDATE document SET {hidden}")
    for headers in ({}, BROWSER):
        assert proposal.client.get("/dmp/doc", headers=headers).status_code == 404
    assert proposal.client.get("/dmp/nobody").status_code == 404


def test_a_publication_has_no_plan(proposal: Catalogue) -> None:
    page = proposal.client.get("/documents/doc", headers=BROWSER).text
    assert "Data management plan" in page
    proposal.connection.execute("UPDATE document SET type = 'journal article'")
    page = proposal.client.get("/documents/doc", headers=BROWSER).text
    assert "Proposal" in page
    assert "Data management plan" not in page
    assert proposal.client.get("/dmp/doc").status_code == 404


def test_a_plan_without_any_date_is_valid(proposal: Catalogue) -> None:
    proposal.connection.execute("UPDATE document SET end_date = NULL")
    proposal.connection.execute("UPDATE dataset SET creation_date = NULL")
    (distribution,) = plan(proposal)["dataset"][0]["distribution"]
    assert distribution["data_access"] == "shared"
    assert "available_until" not in distribution
    assert "not known yet" in proposal.client.get("/dmp/doc", headers=BROWSER).text


def test_without_a_contact_the_remedy_is_named(database_url: str, tmp_path: Path) -> None:
    configure(tmp_path, contactEmail=None)
    with catalogue_of(database_url, tmp_path) as catalogue:
        answer = catalogue.client.get("/dmp/doc")
        assert answer.status_code == 404
        assert "spec.contacts" in answer.json()["detail"]
        assert catalogue.client.get("/dmp/doc", headers=BROWSER).status_code == 200


def test_a_proposal_that_vanishes_meanwhile_has_none(
    proposal: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = reading.find

    async def find_and_remove(*given: Any) -> Any:
        found = await find(*given)
        proposal.connection.execute("UPDATE dataset SET document_id = NULL")
        proposal.connection.execute("DELETE FROM document")
        return found

    monkeypatch.setattr(reading, "find", find_and_remove)
    assert proposal.client.get("/dmp/doc").status_code == 404
