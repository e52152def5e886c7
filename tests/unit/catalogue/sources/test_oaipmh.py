"""Harvesting OAI-PMH repositories, against a double that keeps to the protocol and can misbehave."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from doubles.oaipmh import Repository, datacite, dublin_core
from doubles.server import Misbehaviour, serve
from panosc_catalogue.settings import OaiPmhSource
from panosc_catalogue.sources.base import BadAnswer, Unreachable
from panosc_catalogue.sources.oaipmh import MAX_RESTARTS, OaiPmh
from unit.catalogue.sources.conftest import Once, Rows

Shown = Callable[[str], dict[str, str]]
Harvest = Callable[..., None]


@pytest.fixture
def how() -> Misbehaviour:
    return Misbehaviour()


@pytest.fixture
def repository() -> Repository:
    made = Repository(page=10)
    for number in range(25):
        made.put(f"oai:repository.example:{number}", datacite(f"10.5072/d{number}", f"Data {number}"))
    return made


@pytest.fixture
def harvest(repository: Repository, how: Misbehaviour, once: Once) -> Iterator[Harvest]:
    """Harvests once: `harvest(listing=…, set=…, …)`."""
    with serve(repository.app, how) as base:

        def run(*, listing: bool = False, **fields: str) -> None:
            source = OaiPmhSource(url=f"{base}/oai", requests_per_second=1000, **fields)
            once(OaiPmh(source, timeout_seconds=1, first_wait_seconds=0.01), listing=listing)

        yield run


def test_everything_is_harvested_over_several_pages(
    harvest: Harvest, repository: Repository, shown: Shown, rows: Rows
) -> None:
    harvest()
    assert len(shown("document")) == len(shown("dataset")) == 25
    assert [query["verb"] for query in repository.queries] == ["Identify", *["ListRecords"] * 3]
    found = rows("SELECT source, origin_id, doi FROM dataset WHERE pid = '10.5072/d7'")
    assert found == [{"source": "legacy", "origin_id": "oai:repository.example:7", "doi": "10.5072/d7"}]


def test_all_that_datacite_says_arrives(harvest: Harvest, repository: Repository, rows: Rows) -> None:
    repository.put(
        "oai:repository.example:7",
        datacite(
            "10.5072/d7",
            "SAXS of lipids",
            rights=(
                '<rightsList><rights rightsURI="https://creativecommons.org/licenses/by/4.0/legalcode"/>'
                '<rights rightsURI="info:eu-repo/semantics/embargoedAccess"/></rightsList>'
            ),
            extra=(
                '<subjects><subject>lipids</subject><subject subjectScheme="PaNET" '
                'schemeURI="http://purl.org/pan-science/PaNET/PaNET.owl" '
                'classificationCode="PaNET01188">small angle x-ray scattering</subject></subjects>'
                '<dates><date dateType="Collected">2024-02-01/2024-02-03</date>'
                '<date dateType="Available">2027-02-03</date></dates><sizes><size>3 files</size>'
                "<size>2048 bytes</size></sizes><descriptions>"
                '<description descriptionType="Abstract">What we saw.</description></descriptions>'
            ),
        ),
    )
    harvest()
    (document,) = rows(
        "SELECT title, summary, license, keywords, start_date::date::text, end_date::date::text,"
        " release_date::date::text FROM document WHERE pid = '10.5072/d7'"
    )
    assert document == {
        "title": "SAXS of lipids",
        "summary": "What we saw.",
        "license": "CC-BY-4.0",
        "keywords": ["lipids", "small angle x-ray scattering"],
        "start_date": "2024-02-01",
        "end_date": "2024-02-03",
        "release_date": "2027-02-03",
    }
    (dataset,) = rows(
        "SELECT d.size, d.released, t.panet_id FROM dataset d "
        "JOIN dataset_technique l ON l.dataset_id = d.id "
        "JOIN technique t ON t.id = l.technique_id WHERE d.pid = '10.5072/d7'"
    )
    iri = "http://purl.org/pan-science/PaNET/PaNET01188"
    assert dataset == {"size": 2048, "released": False, "panet_id": iri}
    (person,) = rows(
        "SELECT p.full_name, p.orcid, a.name, m.role FROM member m JOIN person p ON p.id = m.person_id "
        "JOIN affiliation a ON a.id = m.affiliation_id JOIN document o ON o.id = m.document_id "
        "WHERE o.pid = '10.5072/d7'"
    )
    orcid = "https://orcid.org/0000-0002-1825-0097"
    assert person == {"full_name": "Curie, Marie", "orcid": orcid, "name": "ESRF", "role": "creator"}


def test_who_paid_arrives(harvest: Harvest, repository: Repository, rows: Rows) -> None:
    references = (
        "<fundingReferences><fundingReference><funderName>European Commission</funderName>"
        '<funderIdentifier funderIdentifierType="ROR">https://ror.org/00k4n6c32</funderIdentifier>'
        "<awardNumber>823852</awardNumber><awardTitle>PaNOSC</awardTitle></fundingReference>"
        "<fundingReference><funderName>A foundation</funderName>"
        '<funderIdentifier funderIdentifierType="ISNI">0000</funderIdentifier></fundingReference>'
        "<fundingReference><funderName>:unav</funderName></fundingReference></fundingReferences>"
    )
    repository.put("oai:repository.example:7", datacite("10.5072/d7", "SAXS of lipids", extra=references))
    harvest()
    (document,) = rows("SELECT funding FROM document WHERE pid = '10.5072/d7'")
    nothing = {"ror": None, "award_number": None, "award_title": None}
    award = {"ror": "https://ror.org/00k4n6c32", "award_number": "823852", "award_title": "PaNOSC"}
    assert document["funding"] == [
        {"funder": "European Commission", **award},
        {"funder": "A foundation", **nothing},
    ]


def test_dublin_core_gives_what_it_has(harvest: Harvest, repository: Repository, rows: Rows) -> None:
    repository.prefix = "oai_dc"
    repository.records.clear()
    repository.put(
        "oai:repository.example:1",
        dublin_core(
            "A scan",
            ("identifier", "https://doi.org/10.5072/dc1"),
            ("creator", "Curie, Marie"),
            ("date", "2024"),
            ("type", "info:eu-repo/semantics/dataset"),
            ("rights", "info:eu-repo/semantics/openAccess"),
            ("rights", "https://creativecommons.org/publicdomain/zero/1.0/"),
        ),
    )
    repository.put("oai:repository.example:2", dublin_core("A paper", ("type", "article")))
    harvest(metadata_prefix="oai_dc")
    found = rows("SELECT pid, title, license, start_date::date::text FROM document ORDER BY pid")
    assert found == [
        {"pid": "10.5072/dc1", "title": "A scan", "license": "CC0-1.0", "start_date": "2024-01-01"},
        {"pid": "oai:repository.example:2", "title": "A paper", "license": None, "start_date": None},
    ]
    assert rows("SELECT pid, released FROM dataset") == [{"pid": "10.5072/dc1", "released": True}]


def test_kernel_3_without_a_wrapper_is_understood(
    harvest: Harvest, repository: Repository, shown: Shown
) -> None:
    repository.records.clear()
    text = datacite("10.5072/old", "Old", version=3)
    repository.put("oai:repository.example:old", text[text.index("<resource") : text.index("</payload>")])
    harvest()
    assert shown("document") == {"10.5072/old": "Old"}


def test_later_only_changes_are_asked_for(harvest: Harvest, repository: Repository, shown: Shown) -> None:
    harvest()
    repository.now += timedelta(days=1)
    repository.put("oai:repository.example:7", datacite("10.5072/d7", "Described better"))
    repository.delete("oai:repository.example:8")
    repository.queries.clear()
    harvest()
    assert repository.queries[1]["from"] == "2026-03-01T11:50:00Z"
    assert shown("document")["10.5072/d7"] == shown("dataset")["10.5072/d7"] == "Described better"
    assert "10.5072/d8" not in shown("document") | shown("dataset")


def test_a_harvest_without_changes_changes_nothing(
    harvest: Harvest, repository: Repository, shown: Shown
) -> None:
    harvest()
    repository.now += timedelta(days=1)
    harvest()
    assert len(shown("document")) == 25


def test_days_are_asked_for_where_the_repository_knows_no_seconds(
    harvest: Harvest, repository: Repository
) -> None:
    repository.granularity = "YYYY-MM-DD"
    harvest()
    harvest()
    assert repository.queries[-3]["from"] == "2026-03-01"


def test_a_record_that_vanished_without_a_word_is_withdrawn_by_the_next_listing(
    harvest: Harvest, repository: Repository, shown: Shown
) -> None:
    harvest()
    del repository.records["oai:repository.example:8"]
    harvest()
    assert "10.5072/d8" in shown("dataset")
    harvest(listing=True)
    assert "10.5072/d8" not in shown("dataset") | shown("document")
    assert len(shown("dataset")) == 24


def test_only_the_set_is_harvested(harvest: Harvest, repository: Repository, shown: Shown) -> None:
    repository.put("oai:repository.example:1", datacite("10.5072/d1", "Data 1"), ("openaire_data",))
    harvest(set="openaire_data")
    assert shown("dataset") == {"10.5072/d1": "Data 1"}


def test_a_list_starts_again_where_the_repository_forgot_its_token(
    harvest: Harvest, repository: Repository, how: Misbehaviour, shown: Shown
) -> None:
    how.after, how.times, how.status = 2, 1000, 500
    with pytest.raises(Unreachable):
        harvest()
    how.times = 0
    repository.forget_tokens()
    harvest()
    assert len(shown("dataset")) == 25


def test_a_repository_that_forgets_every_token_is_given_up(harvest: Harvest, repository: Repository) -> None:
    def forgetting(text: str) -> str:
        repository.forget_tokens()
        return text

    repository.rewrite = forgetting
    with pytest.raises(BadAnswer, match="badResumptionToken"):
        harvest()
    assert len(repository.queries) == 1 + 2 * (MAX_RESTARTS + 1)


def test_half_a_document_that_arrived_whole_is_no_last_page(
    harvest: Harvest, repository: Repository, shown: Shown
) -> None:
    harvest()
    repository.rewrite = lambda text: text[: text.index("<record>") + 8] if "<record>" in text else text
    with pytest.raises(BadAnswer, match="not whole"):
        harvest(listing=True)
    assert len(shown("dataset")) == 25


@pytest.mark.parametrize(
    "prolog",
    [
        '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>',
    ],
    ids=["external entity", "nested entities"],
)
def test_a_document_type_is_refused(harvest: Harvest, repository: Repository, prolog: str) -> None:
    repository.rewrite = lambda text: text.replace("?>", f"?>{prolog}", 1)
    with pytest.raises(BadAnswer, match="document type"):
        harvest()


def test_a_record_without_a_title_is_refused_and_the_others_are_taken(
    harvest: Harvest, repository: Repository, shown: Shown, rows: Rows
) -> None:
    untitled = datacite("10.5072/d7", "x").replace("<title>x</title>", "")
    repository.put("oai:repository.example:7", untitled)
    harvest()
    assert len(shown("dataset")) == 24
    refused = rows("SELECT origin_id, refused FROM source_record WHERE refused IS NOT NULL")
    assert [(row["origin_id"], "title" in row["refused"]) for row in refused] == [
        ("oai:repository.example:7", True)
    ]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"metadata_prefix": "marc21"}, r"cannotDisseminateFormat.*set metadataPrefix"),
        ({"set": "nosuch"}, r"badArgument.*check metadataPrefix and set"),
    ],
)
def test_a_wrong_setting_is_named(harvest: Harvest, fields: dict[str, str], message: str) -> None:
    with pytest.raises(BadAnswer, match=message):
        harvest(**fields)
