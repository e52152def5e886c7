"""SciCat as a source: v3 and v4, public and with an account, whole and by what changed."""

import asyncio
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from doubles.scicat import SciCat as Backend
from doubles.server import Misbehaviour, serve
from panosc_catalogue.database import Database
from panosc_catalogue.datacite import reading
from panosc_catalogue.datacite.description import Description
from panosc_catalogue.settings import CatalogueConfig, Facility, PolicyFile, SciCatSource
from panosc_catalogue.site import Site
from panosc_catalogue.sources.base import BadAnswer, NotAllowed
from panosc_catalogue.sources.scicat import PAGE, SciCat
from panosc_catalogue.web.app import create_app
from unit.catalogue.service import get, serving, settings
from unit.catalogue.sources.conftest import Once, Rows

Shown = Callable[[str], dict[str, str]]
FACILITY = Facility(name="ess", display_name="European Spallation Source", abbreviation="ESS")


def dataset(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "pid": f"20.500.12269/{number:06}",
        "datasetName": f"Dataset {number}",
        "isPublished": True,
        "creationTime": "2024-03-01T08:00:00.000Z",
        "endTime": "2024-03-01T09:00:00.000Z",
        "size": 1000 + number,
        "type": "raw",
        "license": "CC-BY-4.0",
        "ownerGroup": "p17301",
        "accessGroups": ["guests"],
        "proposalIds": ["P1"],
        "instrumentIds": ["inst/loki"],
        "sampleIds": ["S1"],
        "techniques": [{"pid": "http://purl.org/pan-science/PaNET/PaNET01124", "name": "SAXS"}],
        "scientificMetadata": {
            "temperature": {"value": 4.2, "unit": "K", "valueSI": 4.2, "unitSI": "K"},
            "photon%20energy": {"value": 12, "unit": "keV", "valueSI": 12, "unitSI": "keV"},
            "old": {"v": "5.11", "u": "1/Ang"},
            "detector": {"gain": {"value": "high", "unit": ""}, "frames": 7},
            "positions": [1, 2, 3],
            "nothing": None,
        },
        **changes,
    }


@pytest.fixture
def backend() -> Backend:
    backend = Backend(
        instruments=[{"pid": "inst/loki", "name": "LoKI", "uniqueName": "loki"}],
        proposals=[
            {
                "proposalId": "P1",
                "title": "Proteins in motion",
                "abstract": "How they move.",
                "isPublished": True,
                "ownerGroup": "p17301",
                "accessGroups": ["loki", "p17301"],
                "pi_firstname": "Lise",
                "pi_lastname": "Meitner",
                "pi_email": "lise@example.org",
                "email": "lise@example.org",
                "MeasurementPeriodList": [
                    {"instrument": "loki", "start": "2024-03-02T00:00:00Z", "end": "2024-03-04T00:00:00Z"},
                    {"instrument": "loki", "start": "2024-02-29T00:00:00Z", "end": "2024-03-01T00:00:00Z"},
                ],
            }
        ],
        datasets=[dataset(number) for number in range(PAGE + 20)],
        published=[
            {
                "doi": "10.5072/abc",
                "title": "Data of proteins",
                "abstract": "What moved.",
                "status": "registered",
                "metadata": {
                    "creators": [
                        {
                            "name": "Meitner, Lise",
                            "nameIdentifiers": [
                                {"nameIdentifierScheme": "ORCID", "nameIdentifier": "0000-0002-1825-0097"}
                            ],
                            "affiliation": [
                                {"name": "ESS", "affiliationIdentifier": "https://ror.org/01wv9cn34"}
                            ],
                        }
                    ],
                    "subjects": [{"subject": "proteins"}],
                },
                "pidArray": ["20.500.12269/000003"],
            }
        ],
        samples={"S1": {"sampleId": "S1", "description": "Lysozyme in water"}},
        blocks={"20.500.12269/000003": [{"dataFileList": [{"path": "raw/a.nxs", "size": 12}]}]},
        accounts={"reader": "s3cret"},
        anonymous_lists={"instruments", "proposals"},
    )
    for item in [*backend.instruments, *backend.proposals, *backend.datasets, *backend.published]:
        backend.touch(item)
    return backend


@pytest.fixture
def how() -> Misbehaviour:
    return Misbehaviour()


@pytest.fixture
def url(backend: Backend, how: Misbehaviour) -> Iterator[str]:
    with serve(backend.app(), how) as base:
        yield f"{base}/api"


@pytest.fixture(params=["v3", "v4"])
def sync(once: Once, url: str, request: pytest.FixtureRequest) -> Callable[..., None]:
    def run(*, listing: bool = False, credentials: Path | None = None) -> None:
        settings = SciCatSource(
            url=url, api_version=request.param, credentials=credentials, requests_per_second=1000
        )
        once(SciCat("scicat", settings, FACILITY, first_wait_seconds=0.01), listing=listing)

    return run


@pytest.fixture
def described(database_url: str) -> Callable[[str], Description]:
    """A dataset as its page, its citation and its DOI describe it."""

    def find(pid: str) -> Description:
        async def read() -> Description | None:
            database = Database(database_url, size=1, statement_timeout_seconds=20)
            async with database.opened():
                site = Site(database, PolicyFile(Path("/none")), CatalogueConfig(), lambda: datetime.now(UTC))
                return await reading.find(site, "datasets", pid)

        found = asyncio.run(read())
        assert found is not None
        return found

    return find


def test_a_server_that_gives_less_than_it_was_asked_for_is_read_to_its_end(
    sync: Callable[..., None], backend: Backend, rows: Rows
) -> None:
    backend.max_limit = 7
    sync()
    assert rows("SELECT count(*) FROM dataset WHERE deleted_at IS NULL") == [{"count": PAGE + 20}]
    for item in backend.datasets:
        backend.touch(item, size=5)
    sync()
    assert rows("SELECT count(*) FROM dataset WHERE size = 5") == [{"count": PAGE + 20}]


def test_a_dataset_is_described_in_full(sync: Callable[..., None], rows: Rows) -> None:
    sync()
    found = rows(
        "SELECT d.title, d.size, d.license, d.released, d.origin_id, i.name AS instrument, p.pid AS proposal,"
        " t.pid AS technique, f.name AS file, f.path FROM dataset d "
        "JOIN instrument i ON i.id = d.instrument_id JOIN document p ON p.id = d.document_id "
        "JOIN dataset_technique dt ON dt.dataset_id = d.id JOIN technique t ON t.id = dt.technique_id "
        "JOIN file f ON f.dataset_id = d.id WHERE d.pid = '20.500.12269/000003'"
    )
    assert found == [
        {
            "title": "Dataset 3",
            "size": 1003,
            "license": "CC-BY-4.0",
            "released": True,
            "origin_id": "datasets/20.500.12269/000003",
            "instrument": "LoKI",
            "proposal": "ess:P1",
            "technique": found[0]["technique"],
            "file": "a.nxs",
            "path": "raw/a.nxs",
        }
    ]
    assert found[0]["technique"].endswith("PaNET01124")


def test_quantities_keep_the_units_they_were_given_in(sync: Callable[..., None], rows: Rows) -> None:
    sync()
    found = rows(
        "SELECT name, number_value, text_value, unit FROM parameter p JOIN dataset d ON d.id = p.dataset_id "
        "WHERE d.pid = '20.500.12269/000003' ORDER BY position"
    )
    assert [tuple(row.values()) for row in found] == [
        ("temperature", 4.2, None, "K"),
        ("photon energy", 12, None, "keV"),
        ("old", 5.11, "5.11", "1/Ang"),
        ("detector.gain", None, "high", None),
        ("detector.frames", 7, None, None),
        ("positions", None, "1, 2, 3", None),
    ]


def test_a_proposal_has_its_people_without_addresses_and_its_whole_beamtime(
    sync: Callable[..., None], rows: Rows
) -> None:
    sync()
    found = rows(
        "SELECT p.title, p.summary, p.start_date::text, p.end_date::text, n.full_name, m.role FROM document p"
        " JOIN member m ON m.document_id = p.id JOIN person n ON n.id = m.person_id WHERE p.pid = 'ess:P1'"
    )
    assert found[0]["title"] == "Proteins in motion"
    assert found[0]["start_date"].startswith("2024-02-29")
    assert found[0]["end_date"].startswith("2024-03-04")
    assert [(row["full_name"], row["role"]) for row in found] == [("Lise Meitner", "principal investigator")]


def test_proposals_and_datasets_have_their_own_groups_as_they_are_now(
    sync: Callable[..., None], rows: Rows, backend: Backend
) -> None:
    def groups() -> dict[str, list[str]]:
        return {row["pid"]: row["groups"] for row in rows("SELECT pid, groups FROM document")}

    def groups_of_dataset() -> list[str]:
        (row,) = rows("SELECT groups FROM dataset WHERE pid = '20.500.12269/000007'")
        return list(row["groups"])

    sync()
    assert groups_of_dataset() == ["guests", "p17301"]
    assert groups() == {"ess:P1": ["loki", "p17301"], "10.5072/abc": []}
    for changes, expected in (
        ({"accessGroups": ["p17302"]}, ["p17301", "p17302"]),
        ({"ownerGroup": "p17303", "accessGroups": []}, ["p17303"]),
        ({"ownerGroup": "", "accessGroups": None}, []),
    ):
        backend.touch(backend.proposals[0], **changes)
        # A dataset that has others, and names the proposal.
        seventh = next(one for one in backend.datasets if one["pid"].endswith("/000007"))
        backend.touch(seventh, ownerGroup="", accessGroups=["others"])
        sync()
        assert groups()["ess:P1"] == expected
        assert groups_of_dataset() == ["others"]


def test_odd_groups_of_a_proposal_are_refused_and_those_known_stay(
    sync: Callable[..., None], rows: Rows, backend: Backend
) -> None:
    sync()
    backend.touch(backend.proposals[0], accessGroups={"p17302": True})
    sync()
    assert rows("SELECT groups FROM document WHERE pid = 'ess:P1'") == [{"groups": ["loki", "p17301"]}]
    (refused,) = rows("SELECT origin_id, refused FROM source_record WHERE refused IS NOT NULL")
    assert refused["origin_id"] == "proposals/P1"
    assert "accessGroups: " in refused["refused"]


def test_published_data_name_their_datasets_beside_the_proposal(
    sync: Callable[..., None], rows: Rows, backend: Backend
) -> None:
    def documents() -> list[str]:
        found = rows(
            "SELECT p.pid FROM document_dataset l JOIN document p ON p.id = l.document_id "
            "JOIN dataset d ON d.id = l.dataset_id WHERE d.pid = '20.500.12269/000003' ORDER BY p.pid"
        )
        return [row["pid"] for row in found]

    sync()
    assert documents() == ["10.5072/abc", "ess:P1"]
    found = rows(
        "SELECT p.keywords, n.full_name, n.orcid, a.key FROM document p "
        "JOIN member m ON m.document_id = p.id JOIN person n ON n.id = m.person_id "
        "JOIN affiliation a ON a.id = m.affiliation_id "
        "WHERE p.pid = '10.5072/abc'"
    )
    assert found == [
        {
            "keywords": ["proteins"],
            "full_name": "Meitner, Lise",
            "orcid": "0000-0002-1825-0097",
            "key": "id:https://ror.org/01wv9cn34",
        }
    ]
    backend.touch(backend.datasets[3], datasetName="Renamed")
    sync()
    assert documents() == ["10.5072/abc", "ess:P1"]


OWN = {
    "proposalIds": [],
    "principalInvestigators": ["Lise Meitner", "otto@example.org"],
    "owner": "Lise Meitner; Otto Frisch; ",
    "orcidOfOwner": "https://orcid.org/0000-0001-5109-3700; 0000-0002-9079-593X",
    "ownerEmail": "lise@example.org",
    "contactEmail": "lise@example.org",
    "keywords": ["fission", "uranium"],
}


def test_a_dataset_without_a_proposal_has_people_and_keywords_of_its_own(
    sync: Callable[..., None], rows: Rows, backend: Backend, described: Callable[[str], Description]
) -> None:
    backend.touch(backend.datasets[7], **OWN)
    sync()
    found = described(backend.datasets[7]["pid"])
    assert [(person.name, person.roles, person.orcid) for person in found.people] == [
        ("Lise Meitner", ("principal investigator", "owner"), "https://orcid.org/0000-0001-5109-3700"),
        ("Otto Frisch", ("owner",), "https://orcid.org/0000-0002-9079-593X"),
    ]
    assert found.keywords == ("fission", "uranium")
    assert found.documents == ()
    assert rows("SELECT 1 FROM person WHERE full_name LIKE '%%@%%'") == []
    backend.touch(backend.datasets[7], owner="Lise Meitner; Otto Robert Frisch", keywords=[])
    sync()
    found = described(backend.datasets[7]["pid"])
    assert [person.name for person in found.people] == ["Lise Meitner", "Otto Robert Frisch"]
    assert found.keywords == ()


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("fission, heavy water; uranium", ("fission", "heavy water", "uranium")),
        (["fission, slow", "lise@example.org", " ", "uranium"], ("fission, slow", "uranium")),
        ("lise@example.org", ()),
    ],
)
def test_keywords_are_words_and_no_addresses(
    sync: Callable[..., None],
    backend: Backend,
    described: Callable[[str], Description],
    said: Any,
    kept: tuple[str, ...],
) -> None:
    backend.touch(backend.datasets[7], **OWN | {"keywords": said})
    sync()
    assert described(backend.datasets[7]["pid"]).keywords == kept


def test_nobody_is_called_unknown(
    sync: Callable[..., None], backend: Backend, described: Callable[[str], Description]
) -> None:
    backend.touch(backend.datasets[7], **OWN | {"owner": "Unknown; Otto Frisch"})
    sync()
    assert [person.name for person in described(backend.datasets[7]["pid"]).people] == [
        "Lise Meitner",
        "Otto Frisch",
    ]


@pytest.mark.parametrize("words", ["uranium", "Frisch"])
def test_a_dataset_without_a_proposal_is_found_by_its_people_and_keywords(
    sync: Callable[..., None], backend: Backend, database_url: str, tmp_path: Path, words: str
) -> None:
    backend.touch(backend.datasets[7], **OWN)
    sync()
    with serving(create_app(settings(database_url, tmp_path))) as client:
        found = get(client, "/api/Datasets", filter=json.dumps({"query": words}))
    assert [dataset["title"] for dataset in found] == ["Dataset 7"]


def test_people_of_published_data_and_proposals_go_before_those_of_datasets(
    sync: Callable[..., None], backend: Backend, described: Callable[[str], Description]
) -> None:
    backend.touch(backend.datasets[3], **OWN)
    backend.touch(backend.datasets[4], **OWN | {"proposalIds": ["P1"]})
    sync()
    published, proposed = (described(backend.datasets[number]["pid"]) for number in (3, 4))
    assert [person.roles for person in published.people] == [("creator",)]
    assert published.keywords == ("proteins", "fission", "uranium")
    assert [person.roles for person in proposed.people] == [("principal investigator",)]


def test_what_changed_comes_without_another_listing(
    sync: Callable[..., None], shown: Shown, backend: Backend, how: Misbehaviour
) -> None:
    sync()
    assert len(shown("dataset")) == PAGE + 20
    backend.touch(backend.datasets[7], datasetName="Described better")
    backend.datasets.append(backend.touch(dataset(900)))
    how.requests.clear()
    sync()
    assert shown("dataset")["20.500.12269/000007"] == "Described better"
    assert "20.500.12269/000900" in shown("dataset")
    assert len([request for request in how.requests if "/datasets" in request]) == 1


def test_what_is_no_longer_published_is_withdrawn_and_comes_back(
    sync: Callable[..., None], shown: Shown, backend: Backend
) -> None:
    sync()
    backend.touch(backend.datasets[7], isPublished=False)
    sync(listing=True)
    assert "20.500.12269/000007" not in shown("dataset")
    backend.touch(backend.datasets[7], isPublished=True)
    sync()
    assert "20.500.12269/000007" in shown("dataset")


def test_an_account_sees_more_than_the_public(
    sync: Callable[..., None], shown: Shown, rows: Rows, backend: Backend, tmp_path: Path
) -> None:
    backend.touch(backend.datasets[7], isPublished=False)
    (tmp_path / "username").write_text("reader\n")
    (tmp_path / "password").write_text("s3cret\n")
    sync(credentials=tmp_path)
    assert len(shown("dataset")) == PAGE + 20
    closed = rows("SELECT released FROM dataset WHERE pid = '20.500.12269/000007'")
    assert closed == [{"released": False}]
    assert rows("SELECT name FROM sample") == [{"name": "Lysozyme in water"}]


def test_a_publication_that_is_taken_back_is_under_embargo_again(
    sync: Callable[..., None], rows: Rows, backend: Backend, tmp_path: Path
) -> None:
    (tmp_path / "username").write_text("reader\n")
    (tmp_path / "password").write_text("s3cret\n")
    sync(credentials=tmp_path)
    released = "SELECT released FROM dataset WHERE pid = '20.500.12269/000007'"
    assert rows(released) == [{"released": True}]
    backend.touch(backend.datasets[7], isPublished=False)
    sync(credentials=tmp_path)
    assert rows(released) == [{"released": False}]


def test_a_wrong_password_is_named_but_not_shown(
    sync: Callable[..., None], rows: Rows, tmp_path: Path
) -> None:
    (tmp_path / "username").write_text("reader")
    (tmp_path / "password").write_text("wr0ng")
    with pytest.raises(NotAllowed):
        sync(credentials=tmp_path)
    error = rows("SELECT last_error FROM source_state")[0]["last_error"]
    assert "/api/v3/auth/login: answered 401 Unauthorized; check the credentials" in error
    assert "wr0ng" not in error


def test_a_token_that_has_expired_is_named_but_not_shown(sync: Callable[..., None], tmp_path: Path) -> None:
    (tmp_path / "token").write_text("st4le")
    with pytest.raises(NotAllowed, match=r"the key token in the Secret.*expired.*new one") as caught:
        sync(credentials=tmp_path)
    assert "st4le" not in str(caught.value)


def test_proposals_that_may_not_be_listed_are_named_all_the_same(
    sync: Callable[..., None], shown: Shown, backend: Backend
) -> None:
    sync()
    backend.anonymous_lists.clear()
    sync(listing=True)
    assert shown("document")["ess:P1"] == "Proteins in motion"
    assert shown("instrument") == {"inst/loki": "LoKI"}


def test_what_changed_is_read_where_a_collection_may_not_be_listed(
    sync: Callable[..., None], shown: Shown, backend: Backend
) -> None:
    backend.anonymous_lists.clear()
    sync()
    backend.touch(backend.datasets[7], datasetName="Renamed")
    sync()
    assert "Renamed" in shown("dataset").values()


def test_a_record_without_sense_is_reported(
    sync: Callable[..., None], shown: Shown, rows: Rows, backend: Backend
) -> None:
    backend.datasets[7]["size"] = "many"
    sync()
    assert len(shown("dataset")) == PAGE + 19
    refused = rows("SELECT origin_id, refused FROM source_record WHERE refused IS NOT NULL")
    assert [row["origin_id"] for row in refused] == ["datasets/20.500.12269/000007"]
    assert refused[0]["refused"].startswith("size:")


@pytest.mark.parametrize(
    ("odd", "said"),
    [("a text", "'a text' is no object"), ({"title": "x"}, ": None is no identifier")],
    ids=["no object", "no identifier"],
)
def test_what_has_no_name_is_refused_and_the_rest_is_taken(
    sync: Callable[..., None], shown: Shown, rows: Rows, backend: Backend, odd: Any, said: str
) -> None:
    backend.odd = [odd]
    sync()
    backend.touch(backend.datasets[7], datasetName="Renamed")
    sync()
    assert len(shown("dataset")) == PAGE + 20
    assert shown("dataset")["20.500.12269/000007"] == "Renamed"
    refused = rows("SELECT origin_id, refused FROM source_record WHERE refused IS NOT NULL")
    assert {row["origin_id"] for row in refused} == {
        f"{name}/(unnamed)" for name in ("instruments", "proposals", "datasets", "publisheddata")
    }
    assert all(row["refused"].endswith(said) for row in refused)


def test_a_page_without_any_identifier_cannot_be_gone_on_from(
    sync: Callable[..., None], backend: Backend
) -> None:
    for item in backend.datasets:
        item["pid"] = None
    with pytest.raises(BadAnswer, match=f"none of the {PAGE} records of a page has a text as pid"):
        sync()


@pytest.mark.parametrize("moment", ["yesterday", 5])
def test_a_change_at_no_moment_hides_no_other(
    sync: Callable[..., None], shown: Shown, backend: Backend, moment: Any
) -> None:
    backend.datasets[3]["updatedAt"] = moment
    sync()
    for title in ("Renamed", "Renamed again"):
        backend.touch(backend.datasets[7], datasetName=title)
        sync()
        assert shown("dataset")["20.500.12269/000007"] == title


@pytest.mark.parametrize("sync", ["v3"], indirect=True)
@pytest.mark.parametrize("ids", [5.5, [["S1"]], {"S1": 1}], ids=["number", "list", "object"])
def test_odd_ids_of_samples_are_refused_by_name_and_value(
    sync: Callable[..., None], shown: Shown, rows: Rows, backend: Backend, ids: Any
) -> None:
    backend.datasets[7]["sampleIds"] = ids
    sync()
    assert len(shown("dataset")) == PAGE + 19
    refused = rows("SELECT origin_id, refused FROM source_record WHERE refused IS NOT NULL")
    assert [row["origin_id"] for row in refused] == ["datasets/20.500.12269/000007"]
    assert refused[0]["refused"].startswith(f"sampleIds: {ids}")
