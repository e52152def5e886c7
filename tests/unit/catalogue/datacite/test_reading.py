"""Descriptions as the database holds them."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from panosc_catalogue import store
from panosc_catalogue.database import Database
from panosc_catalogue.datacite import reading
from panosc_catalogue.datacite.description import Description, Kind
from panosc_catalogue.records import DatasetRecord, DocumentRecord
from panosc_catalogue.settings import CatalogueConfig, PolicyFile
from panosc_catalogue.site import Site

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
CONFIG = {
    "facility": {"displayName": "Demo", "ror": "02550n020"},
    "publicUrl": "https://catalogue.example.org",
}
PROPOSAL = {
    "pid": "10.5072/p",
    "title": "Proposal",
    "type": "proposal",
    "doi": "10.5072/P",
    "endDate": "2020-02-29T15:00:00Z",
    "keywords": ["rust"],
    "members": [
        {
            "role": "proposer",
            "person": {"fullName": "Ada", "orcid": "https://orcid.org/0000-0002-1825-0097"},
            "affiliation": {"id": "https://ror.org/02550n020", "name": "Institute"},
        },
        {"role": "principal investigator", "person": {"fullName": "Ada", "orcid": "0000-0002-1825-0097"}},
        {"role": "proposer", "person": {"fullName": " "}},
    ],
    "datasets": [
        {
            "pid": f"d/{number}",
            "title": f"Run {number}",
            "creationDate": "2020-02-28T10:00:00Z",
            "instrument": {"pid": "i", "name": "Beamline", "facility": "F"},
            "techniques": [{"pid": "https://w3id.org/PaNET/PaNET01124", "name": "SANS"}],
            "samples": [{"pid": "s", "name": "iron"}],
            "files": [{"name": "a", "size": 3}, {"name": "b", "size": 4}],
        }
        for number in (1, 2)
    ],
}
EMBARGOED = {
    "pid": "secret",
    "title": "Later",
    "endDate": "2026-01-01T00:00:00Z",
    "datasets": [{"pid": "d/3", "title": "Hidden", "techniques": [{"pid": "x", "name": "hidden technique"}]}],
}


class Given:
    def __init__(self, url: str, connection: psycopg.Connection[Any]) -> None:
        self.connection = connection
        self.url = url

    def ask(self, read: Callable[[Site], Coroutine[Any, Any, Any]]) -> Any:
        async def run() -> Any:
            database = Database(self.url, size=2, statement_timeout_seconds=20)
            async with database.opened():
                config = CatalogueConfig.model_validate(CONFIG)
                return await read(Site(database, PolicyFile(Path("/none")), config, lambda: NOW))

        return asyncio.run(run())

    def find(self, kind: Any, pid: str) -> Description | None:
        found: Description | None = self.ask(lambda site: reading.find(site, kind, pid))
        return found

    def dataset_members(self, pid: str, *names: str) -> None:
        members = [{"person": {"fullName": name}} for name in names]
        record = DocumentRecord.model_validate({"pid": "x", "title": "x", "members": members})
        store.write_dataset_members(self.connection, pid, record.members or [], store.Origin("load"))


@pytest.fixture
def given(database_url: str) -> Any:
    with psycopg.connect(database_url, autocommit=True) as connection:
        records = [DocumentRecord.model_validate(record) for record in (PROPOSAL, EMBARGOED)]
        with connection.transaction():
            store.write(connection, records, store.Origin("load"))
        yield Given(database_url, connection)


def test_a_document(given: Given) -> None:
    found = given.find("documents", "10.5072/p")
    assert found is not None
    assert (found.state, found.access, found.available) == (
        "live",
        "open",
        datetime(2023, 2, 28, 15, tzinfo=UTC),
    )
    assert found.url == "https://catalogue.example.org/documents/10.5072/p"
    assert found.facility.ror == "https://ror.org/02550n020"
    assert [dataset.pid for dataset in found.datasets] == ["d/1", "d/2"]
    assert (found.dataset_count, found.files.count, found.files.bytes) == (2, 4, 14)
    assert [technique.panet for technique in found.techniques] == ["PaNET01124"]
    assert found.license == "CC-BY-4.0"
    (ada,) = found.people
    assert ada.orcid == "https://orcid.org/0000-0002-1825-0097"
    assert ada.roles == ("proposer", "principal investigator")
    assert ada.is_leader
    assert [place.ror for place in ada.affiliations] == ["https://ror.org/02550n020"]


def test_a_document_whose_source_names_no_type_is_experimental_data(given: Given) -> None:
    given.connection.execute("UPDATE document SET type = 'unknown'")
    document, dataset = given.find("documents", "10.5072/p"), given.find("datasets", "d/1")
    assert document is not None
    assert dataset is not None
    assert [document.type, dataset.documents[0].type] == ["experimental data", "experimental data"]


def test_a_dataset_has_its_documents_people_unless_it_names_its_own(given: Given) -> None:
    given.dataset_members("d/1", "Mary")
    first, second = given.find("datasets", "d/1"), given.find("datasets", "d/2")
    assert first is not None
    assert second is not None
    assert [person.name for person in first.people] == ["Mary"]
    assert [person.name for person in second.people] == ["Ada"]
    assert [document.doi for document in second.documents] == ["10.5072/P"]
    assert (second.files.count, second.files.bytes) == (2, 7)
    assert [sample.name for sample in second.samples] == ["iron"]
    assert second.keywords == ("rust",)


def test_what_another_source_says_of_its_people_takes_none_away(given: Given) -> None:
    given.dataset_members("d/1", "Mary")
    other = {"pid": "d/1", "title": "Run", "members": [{"person": {"fullName": "Grace"}}]}
    with given.connection.transaction():
        store.write(given.connection, [DatasetRecord.model_validate(other)], store.Origin("other"))

    found = given.find("datasets", "d/1")

    assert found is not None
    assert [person.name for person in found.people] == ["Mary"]


def test_a_dataset_without_files_any_more_has_no_size_of_theirs(given: Given) -> None:
    def size(**said: Any) -> int | None:
        record = DatasetRecord.model_validate({"pid": "d/1", "title": "Run", **said})
        store.write(given.connection, [record], store.Origin("load"))
        found = given.find("datasets", "d/1")
        assert found is not None
        return found.files.bytes

    assert size(files=[{"name": "a", "size": 12}]) == 12
    assert size() == 12
    assert size(files=[]) is None
    assert size(files=[], size=13) == 13


def test_files_name_people_of_a_dataset_without_a_proposal(given: Given) -> None:
    record = {
        "pid": "alone",
        "title": "Run",
        "isPublic": True,
        "members": [{"person": {"fullName": "Grace"}}],
    }

    def people() -> list[str]:
        found = given.find("datasets", "alone")
        assert found is not None
        return [person.name for person in found.people]

    def write() -> None:
        store.write(given.connection, [DatasetRecord.model_validate(record)], store.Origin("other"))

    write()
    given.dataset_members("alone", "Mary")
    assert people() == ["Mary"]
    write()
    assert people() == ["Mary"]
    given.dataset_members("alone")
    assert people() == ["Grace"]


@pytest.mark.parametrize("orcid", [None, "0000-0001-5109-3700"])
def test_who_tells_less_of_a_person_takes_nothing_away(given: Given, orcid: str | None) -> None:
    lise = {"fullName": "Lise Meitner", "orcid": orcid}
    full = {**lise, "firstName": "Lise", "lastName": "Meitner", "researcherId": "7"}
    told = {"pid": "told", "title": "Told", "members": [{"person": full}, {"person": lise}]}
    alone = {"pid": "alone", "title": "Alone", "members": [{"role": "owner", "person": lise}]}

    for record in (DocumentRecord.model_validate(told), DatasetRecord.model_validate(alone)):
        store.write(given.connection, [record], store.Origin("load"))

    found = given.find("documents", "told")
    assert found is not None
    assert [(person.given, person.family) for person in found.people] == [("Lise", "Meitner")]
    (known,) = given.connection.execute("SELECT researcher_id FROM person WHERE full_name = 'Lise Meitner'")
    assert known == ("7",)


def test_of_what_is_under_embargo_only_the_document_tells_and_nothing_of_its_data(given: Given) -> None:
    assert given.find("datasets", "d/3") is None
    found = given.find("documents", "secret")
    assert found is not None
    assert (found.access, found.available) == ("embargoed", datetime(2029, 1, 1, tzinfo=UTC))
    assert found.publication_year == 2029
    assert (found.datasets, found.dataset_count, found.techniques) == ((), 0, ())


@pytest.mark.parametrize("written", ["10.5072/p", "10.5072/P", "doi:10.5072/p", "https://doi.org/10.5072/P"])
def test_by_doi_however_it_is_written(given: Given, written: str) -> None:
    found = given.ask(lambda site: reading.address_of(site, written))
    assert found == "https://catalogue.example.org/documents/10.5072/p"


@pytest.mark.parametrize("written", ["10.5072/none", "none"])
def test_by_a_doi_that_nothing_has(given: Given, written: str) -> None:
    assert given.ask(lambda site: reading.address_of(site, written)) is None


def test_withdrawn_is_what_was_public_once(given: Given) -> None:
    given.connection.execute("UPDATE document SET deleted_at = '2024-01-01'")
    found = given.find("documents", "10.5072/p")
    assert found is not None
    assert (found.state, found.withdrawn) == ("withdrawn", datetime(2024, 1, 1, tzinfo=UTC))
    assert found.title == "Proposal"
    assert [person.roles for person in found.people] == [("proposer", "principal investigator")]
    assert given.find("documents", "secret") is None
    given.connection.execute("UPDATE document SET proprietary_decided = true")
    assert given.find("documents", "10.5072/p") is None


@pytest.mark.parametrize(("kind", "pid"), [("datasets", "d/1"), ("documents", "10.5072/p")])
def test_what_is_withdrawn_keeps_its_licence_and_its_dates(given: Given, kind: Kind, pid: str) -> None:
    given.connection.execute(
        "UPDATE document SET license_decided = 'CC0-1.0', measured_start = '2020-02-28T08:00:00Z' "
        "WHERE pid = '10.5072/p'"
    )
    before = given.find(kind, pid)
    given.connection.execute(
        "INSERT INTO oai_record (kind, record, pid, state, datestamp) "
        "SELECT 'datasets', id, pid, 'live', now() FROM dataset"
    )
    table = kind.removesuffix("s")
    given.connection.execute(f"UPDATE {table} SET deleted_at = '2024-01-01' WHERE pid = %s", [pid])
    after = given.find(kind, pid)
    assert before is not None
    assert after is not None
    assert (before.license, after.state) == ("CC0-1.0", "withdrawn")
    for name in ("license", "start", "end", "available", "publication_year", "access"):
        assert getattr(after, name) == getattr(before, name), name


def test_a_page_holds_what_is_public(given: Given) -> None:
    found = given.ask(lambda site: reading.by_row(site, "datasets", [1, 2, 3, 99]))
    assert {description.pid for description in found.values()} == {"d/1", "d/2"}
