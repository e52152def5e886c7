"""Reading an ICAT server through python-icat, against a double that speaks its SOAP and can misbehave."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from doubles.icat import ZONE
from doubles.server import Misbehaviour, serve
from panosc_catalogue.settings import Facility, IcatSource
from panosc_catalogue.sources import icat
from panosc_catalogue.sources.base import BadAnswer, NotAllowed
from starlette.responses import HTMLResponse
from starlette.routing import Route
from unit.catalogue.sources.beamline import SAXS, Beamline
from unit.catalogue.sources.conftest import Once, Rows

Shown = Callable[[str], dict[str, str]]
Read = Callable[..., None]


@pytest.fixture
def how() -> Misbehaviour:
    return Misbehaviour()


@pytest.fixture
def beamline() -> Beamline:
    return Beamline()


@pytest.fixture
def credentials(tmp_path: Path) -> Path:
    (tmp_path / "username").write_text("harvester\n")
    (tmp_path / "password").write_text("s3cret\n")
    return tmp_path


@pytest.fixture
def read(
    beamline: Beamline, how: Misbehaviour, once: Once, credentials: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Read]:
    """Reads the server once: `read(listing=…, authenticator=…)`."""
    monkeypatch.setattr(icat, "PAGE", 10)
    with serve(beamline.icat.app, how) as url:

        def run(*, listing: bool = False, authenticator: str = "db") -> None:
            source = IcatSource(
                url=url, credentials=credentials, authenticator=authenticator, requests_per_second=1000
            )
            adapter = icat.Icat("icat", source, Facility(), timeout_seconds=1, first_wait_seconds=0.01)
            once(adapter, name="icat", listing=listing)

        yield run


def titles(shown: Shown) -> set[str]:
    return set(shown("dataset").values())


ALL = {f"scan {number}" for number in range(25)}


def test_everything_is_read_over_several_pages(
    read: Read, shown: Shown, rows: Rows, beamline: Beamline
) -> None:
    read()
    assert titles(shown) == ALL
    pid = f"facility:icat/investigation/{beamline.investigation}"
    assert shown("document") == {pid: "About MA-1"}
    assert shown("instrument") == {"facility:id21": "Beamline ID21"}
    first = beamline.datasets[0]
    (found,) = rows("SELECT pid, source, origin_id FROM dataset WHERE title = 'scan 0'")
    assert found == {"pid": f"facility:icat/dataset/{first}", "source": "icat", "origin_id": str(first)}


def test_an_instrument_is_the_one_that_files_name(read: Read, shown: Shown, beamline: Beamline) -> None:
    beamline.icat.change("Instrument", beamline.instrument, name="ID 21 (Micro)")
    read()
    assert shown("instrument") == {"facility:id-21-micro": "Beamline ID21"}


def test_all_of_an_investigation_arrives(read: Read, rows: Rows, beamline: Beamline) -> None:
    of = beamline.investigation
    beamline.icat.change(
        "Investigation",
        of,
        summary="Lipids & <light>",
        doi="10.5072/MA-1",
        startDate=datetime(2025, 1, 29, 8, tzinfo=UTC),
        releaseDate=datetime(2028, 1, 31, tzinfo=UTC),
    )
    beamline.icat.add("Keyword", name="lipids", investigation=of)
    beamline.icat.add(
        "InvestigationUser", role="Principal investigator", user=beamline.user, investigation=of
    )
    beamline.icat.add("InvestigationParameter", type=beamline.energy, numericValue=12.0, investigation=of)
    read()
    (document,) = rows(
        "SELECT type, summary, doi, keywords, start_date, end_date, release_date FROM document"
    )
    assert document == {
        "type": "proposal",
        "summary": "Lipids & <light>",
        "doi": "10.5072/MA-1",
        "keywords": ["lipids"],
        "start_date": datetime(2025, 1, 29, 8, tzinfo=UTC),
        "end_date": datetime(2025, 1, 31, tzinfo=UTC),
        "release_date": datetime(2028, 1, 31, tzinfo=UTC),
    }
    (member,) = rows(
        "SELECT m.role, p.full_name, p.orcid, a.name FROM member m JOIN person p ON p.id = m.person_id "
        "JOIN affiliation a ON a.id = m.affiliation_id"
    )
    assert member == {
        "role": "Principal investigator",
        "full_name": "Marie Curie",
        "orcid": "0000-0002-1825-0097",
        "name": "Sorbonne",
    }
    assert rows("SELECT name, number_value, unit FROM parameter WHERE document_id IS NOT NULL") == [
        {"name": "energy", "number_value": 12.0, "unit": "keV"}
    ]


def test_members_of_investigations_are_known_by_their_addresses_as_they_are_now(
    read: Read, rows: Rows, beamline: Beamline
) -> None:
    add, of = beamline.icat.add, beamline.investigation
    beamline.icat.change("User", beamline.user, email=" Marie@Example.org ")
    pierre = add("User", name="uows/1234", fullName="Pierre Curie", email="pierre, see office")
    named = [
        add("InvestigationUser", role="PI", user=user, investigation=of) for user in (beamline.user, pierre)
    ]
    content = add("DataCollection")
    publication = add(
        "DataPublication", pid="10.5072/pub", title="Lipids", facility=beamline.facility, content=content
    )
    add(
        "DataPublicationUser",
        publication=publication,
        user=beamline.user,
        fullName="Marie Curie",
        contributorType="Creator",
    )

    def known() -> list[tuple[str, str, str | None]]:
        found = rows(
            "SELECT p.type, n.full_name, m.identity FROM member m JOIN person n ON n.id = m.person_id "
            "JOIN document p ON p.id = m.document_id ORDER BY p.type, m.position"
        )
        return [(row["type"], row["full_name"], row["identity"]) for row in found]

    author = ("publication", "Marie Curie", None)
    read()
    assert known() == [
        ("proposal", "Marie Curie", "email:marie@example.org"),
        ("proposal", "Pierre Curie", None),
        author,
    ]
    later(beamline, hours=3)
    beamline.icat.change("User", beamline.user, email=None)
    beamline.icat.change("User", pierre, email="pierre@example.org")
    read()
    assert known() == [
        ("proposal", "Marie Curie", None),
        ("proposal", "Pierre Curie", "email:pierre@example.org"),
        author,
    ]
    beamline.icat.delete("InvestigationUser", named[1])
    read(listing=True)
    assert known() == [("proposal", "Marie Curie", None), author]


def test_all_of_a_dataset_arrives(read: Read, rows: Rows, beamline: Beamline) -> None:
    of, add = beamline.datasets[7], beamline.icat.add
    sample = add("Sample", name="lipid 3", investigation=beamline.investigation)
    note = add("ParameterType", name="note", units="N/A", valueType="STRING", facility=beamline.facility)
    beamline.icat.change(
        "Dataset",
        of,
        sample=sample,
        doi="10.5072/scan7",
        fileSize=7,
        startDate=datetime(2025, 1, 30, tzinfo=UTC),
        endDate=datetime(2025, 1, 30, 1, tzinfo=UTC),
    )
    add("DatasetInstrument", dataset=of, instrument=beamline.instrument)
    add("DatasetParameter", dataset=of, type=note, stringValue="in vacuum")
    add("DatasetParameter", dataset=of, type=beamline.energy, rangeBottom=7.0, rangeTop=9.0)
    read()
    (dataset,) = rows(
        "SELECT d.doi, d.size, d.creation_date, d.end_date, i.name AS instrument, s.name AS sample,"
        " t.panet_id, f.path, o.title AS document FROM dataset d JOIN instrument i ON i.id = d.instrument_id "
        "JOIN dataset_sample ds ON ds.dataset_id = d.id JOIN sample s ON s.id = ds.sample_id "
        "JOIN dataset_technique dt ON dt.dataset_id = d.id JOIN technique t ON t.id = dt.technique_id "
        "JOIN file f ON f.dataset_id = d.id JOIN document o ON o.id = d.document_id WHERE d.title = 'scan 7'"
    )
    assert dataset == {
        "doi": "10.5072/scan7",
        "size": 7,
        "creation_date": datetime(2025, 1, 30, tzinfo=UTC),
        "end_date": datetime(2025, 1, 30, 1, tzinfo=UTC),
        "instrument": "Beamline ID21",
        "sample": "lipid 3",
        "panet_id": SAXS,
        "path": "/7/scan.h5",
        "document": "About MA-1",
    }
    found = rows(
        "SELECT name, number_value, number_upper, text_value, unit FROM parameter p "
        "JOIN dataset d ON d.id = p.dataset_id WHERE d.title = 'scan 7' ORDER BY position"
    )
    assert [tuple(row.values()) for row in found] == [
        ("energy", 7.0, None, None, "keV"),
        ("note", None, None, "in vacuum", None),
        ("energy", 7.0, 9.0, None, "keV"),
    ]


def test_techniques_that_the_esrf_names_in_a_parameter_are_tags(
    read: Read, rows: Rows, beamline: Beamline
) -> None:
    add = beamline.icat.add
    pid = add(
        "ParameterType", name="technique_pid", units="NA", valueType="STRING", facility=beamline.facility
    )
    iris = [f"https://w3id.org/PaN/ESRFET/v0.1.0/#{name}" for name in ("XAS", "XRF")]
    add("DatasetParameter", dataset=beamline.datasets[7], type=pid, stringValue=" ".join(iris))
    read()
    found = rows(
        "SELECT t.pid, t.name, t.panet_key FROM dataset_technique l "
        "JOIN technique t ON t.id = l.technique_id WHERE t.pid = ANY(%s) ORDER BY t.pid",
        iris,
    )
    assert [(row["pid"], row["name"]) for row in found] == list(zip(iris, ("XAS", "XRF"), strict=True))
    assert found[0]["panet_key"] == "PaNET01196"


def test_a_publication_links_its_datasets_and_leaves_their_embargo(
    read: Read, rows: Rows, beamline: Beamline
) -> None:
    add = beamline.icat.add
    content = add("DataCollection")
    add("DataCollectionDataset", dataCollection=content, dataset=beamline.datasets[3])
    publication = add(
        "DataPublication",
        pid="10.5072/pub",
        title="Lipids in light",
        facility=beamline.facility,
        content=content,
        subject="lipids, light",
        publicationDate=datetime(2026, 1, 1, tzinfo=UTC),
    )
    for order, name in (("2", "Pierre Curie"), ("1", "Marie Skłodowska-Curie")):
        add(
            "DataPublicationUser",
            publication=publication,
            user=beamline.user if order == "1" else add("User", name=f"db/{order}"),
            fullName=name,
            contributorType="Creator",
            orderKey=order,
        )
    read()
    assert rows("SELECT type, title, doi, keywords FROM document WHERE pid = '10.5072/pub'") == [
        {
            "type": "publication",
            "title": "Lipids in light",
            "doi": "10.5072/pub",
            "keywords": ["lipids", "light"],
        }
    ]
    authors = rows(
        "SELECT p.full_name FROM member m JOIN person p ON p.id = m.person_id "
        "JOIN document o ON o.id = m.document_id WHERE o.pid = '10.5072/pub' ORDER BY m.position"
    )
    assert [row["full_name"] for row in authors] == ["Marie Skłodowska-Curie", "Pierre Curie"]
    linked = rows(
        "SELECT d.title, owner.title AS owner FROM document o "
        "JOIN document_dataset l ON l.document_id = o.id "
        "JOIN dataset d ON d.id = l.dataset_id JOIN document owner ON owner.id = d.document_id "
        "WHERE o.pid = '10.5072/pub'"
    )
    assert linked == [{"title": "scan 3", "owner": "About MA-1"}]


def published(beamline: Beamline) -> tuple[str, dict[str, int]]:
    common = {"facility": beamline.facility, "content": beamline.icat.add("DataCollection")}
    publication = beamline.icat.add("DataPublication", pid="10.5072/pub", title="Lipids in light", **common)
    return "DataPublicationFunding", {"dataPublication": publication}


def investigated(beamline: Beamline) -> tuple[str, dict[str, int]]:
    return "InvestigationFunding", {"investigation": beamline.investigation}


@pytest.mark.parametrize(("kind", "made"), [("publication", published), ("proposal", investigated)])
def test_a_document_tells_who_paid_for_it(
    read: Read,
    rows: Rows,
    beamline: Beamline,
    kind: str,
    made: Callable[[Beamline], tuple[str, dict[str, int]]],
) -> None:
    def funding() -> list[Any]:
        (document,) = rows("SELECT funding FROM document WHERE type = %s", kind)
        return [
            tuple(one[key] for key in ("funder", "ror", "award_number", "award_title"))
            for one in document["funding"]
        ]

    add = beamline.icat.add
    link, of = made(beamline)
    commission = add(
        "FundingReference",
        funderName="European Commission",
        funderIdentifier="https://ror.org/00k4n6c32",
        awardNumber="823852",
        awardTitle="PaNOSC",
    )
    add(link, **of, funding=commission)
    read()
    assert funding() == [("European Commission", "https://ror.org/00k4n6c32", "823852", "PaNOSC")]
    later(beamline, hours=3)
    crossref = "https://doi.org/10.13039/501100001659"
    foundation = add(
        "FundingReference", funderName="A foundation", funderIdentifier=crossref, awardNumber=":unas"
    )
    add(link, **of, funding=foundation)
    read()
    assert funding()[1:] == [("A foundation", None, None, None)]
    later(beamline, hours=3)
    beamline.icat.change("FundingReference", foundation, awardNumber="17")
    read()
    assert funding()[1:] == [("A foundation", None, "17", None)]


def test_a_publication_of_an_investigation_that_comes_later_links_its_datasets(
    read: Read, rows: Rows, beamline: Beamline
) -> None:
    add = beamline.icat.add
    content = add("DataCollection")
    add("DataCollectionInvestigation", dataCollection=content, investigation=beamline.investigation)
    read()
    later(beamline, hours=3)
    add("DataPublication", pid="10.5072/all", title="All", facility=beamline.facility, content=content)
    read()
    linked = rows(
        "SELECT count(*) AS n FROM document_dataset l JOIN document o ON o.id = l.document_id "
        "WHERE o.pid = '10.5072/all'"
    )
    assert linked == [{"n": 25}]


def later(beamline: Beamline, **by: float) -> None:
    beamline.icat.now += timedelta(**by)


def test_later_only_what_changed_is_read(read: Read, shown: Shown, beamline: Beamline) -> None:
    later(beamline, hours=3)
    beamline.icat.change("Instrument", beamline.instrument, fullName="the newest change so far")
    read()
    later(beamline, hours=3)
    beamline.icat.change("Dataset", beamline.datasets[4], name="scan 4 again")
    beamline.measure(99)
    beamline.icat.change("User", beamline.user, fullName="Marie Skłodowska-Curie")
    beamline.icat.searches.clear()
    read()
    assert titles(shown) == ALL - {"scan 4"} | {"scan 4 again", "scan 99"}
    assert sum(answer for query, answer in beamline.icat.searches if "FROM Dataset o WHERE" in query) == 2


@pytest.mark.parametrize(
    ("change", "sql", "expected"),
    [
        (
            lambda b: b.icat.add("DatasetParameter", dataset=b.datasets[0], type=b.energy, numericValue=99.0),
            "SELECT number_value AS got FROM parameter WHERE number_value = 99",
            99.0,
        ),
        (
            lambda b: b.icat.add("Datafile", dataset=b.datasets[0], name="late.h5"),
            "SELECT name AS got FROM file WHERE name = 'late.h5'",
            "late.h5",
        ),
        (
            lambda b: b.icat.add("Keyword", name="late", investigation=b.investigation),
            "SELECT keywords[1] AS got FROM document",
            "late",
        ),
        (
            lambda b: b.icat.add("InvestigationUser", role="PI", user=b.user, investigation=b.investigation),
            "SELECT role AS got FROM member",
            "PI",
        ),
        (
            lambda b: b.icat.change(
                "Investigation", b.investigation, releaseDate=datetime(2030, 1, 1, tzinfo=UTC)
            ),
            "SELECT release_date AS got FROM document",
            datetime(2030, 1, 1, tzinfo=UTC),
        ),
        (
            lambda b: b.icat.change("Instrument", b.instrument, fullName="Renamed"),
            "SELECT name AS got FROM instrument",
            "Renamed",
        ),
    ],
    ids=["parameter", "file", "keyword", "member", "release date", "instrument"],
)
def test_what_is_added_to_a_thing_is_a_change_of_it(
    read: Read,
    rows: Rows,
    beamline: Beamline,
    change: Callable[[Beamline], object],
    sql: str,
    expected: object,
) -> None:
    read()
    later(beamline, hours=3)
    change(beamline)
    read()
    assert rows(sql) == [{"got": expected}]


def test_while_nothing_changes_nothing_is_read_again(
    read: Read, beamline: Beamline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(icat, "OVERLAP", timedelta())
    later(beamline, hours=3)
    beamline.icat.change("Instrument", beamline.instrument, fullName="the newest change so far")
    for _ in range(3):
        beamline.icat.searches.clear()
        read()
    datasets = [answer for query, answer in beamline.icat.searches if "FROM Dataset o" in query]
    assert datasets == [0] * len(datasets)
    assert len(datasets) > 1


def test_a_change_that_was_written_late_is_found(read: Read, shown: Shown, beamline: Beamline) -> None:
    read()
    later(beamline, hours=3)
    beamline.icat.change("Dataset", beamline.datasets[0], name="seen")
    read()
    later(beamline, hours=-1)
    beamline.icat.change("Dataset", beamline.datasets[1], name="written by a long transaction")
    read()
    assert {"seen", "written by a long transaction"} <= titles(shown)


def test_what_changed_in_place_where_icat_cannot_tell_comes_with_the_next_listing(
    read: Read, rows: Rows, beamline: Beamline
) -> None:
    read()
    later(beamline, hours=3)
    (parameter, *_) = beamline.icat.tables["DatasetParameter"]
    beamline.icat.change("DatasetParameter", parameter, numericValue=99.0)
    read(listing=True)
    assert rows("SELECT count(*) AS n FROM parameter WHERE number_value = 99") == [{"n": 1}]


def test_deleted_records_are_withdrawn_by_the_next_listing(
    read: Read, shown: Shown, rows: Rows, beamline: Beamline
) -> None:
    read()
    beamline.icat.delete("Dataset", beamline.datasets[4])
    read()
    assert titles(shown) == ALL
    read(listing=True)
    assert titles(shown) == ALL - {"scan 4"}
    assert rows("SELECT deleted_at IS NOT NULL AS gone FROM dataset WHERE title = 'scan 4'") == [
        {"gone": True}
    ]


def test_a_listing_goes_on_where_it_was_cut_off(
    read: Read, shown: Shown, beamline: Beamline, monkeypatch: pytest.MonkeyPatch
) -> None:
    search = icat._Session.search

    def cut(self: icat._Session, entity: str, conditions: dict[str, str], *rest: Any, **more: Any) -> Any:
        if entity == "Dataset" and int(conditions["id"][2:]) >= beamline.datasets[9]:
            raise KeyboardInterrupt
        return search(self, entity, conditions, *rest, **more)

    monkeypatch.setattr(icat._Session, "search", cut)
    with pytest.raises(KeyboardInterrupt):
        read()
    monkeypatch.setattr(icat._Session, "search", search)
    assert len(titles(shown)) == 10
    beamline.icat.searches.clear()
    read()
    assert titles(shown) == ALL
    assert "Investigation o" not in " ".join(query for query, _ in beamline.icat.searches)


def test_a_session_that_expires_in_the_middle_is_renewed(
    read: Read, shown: Shown, beamline: Beamline
) -> None:
    beamline.icat.session_calls = 6
    read()
    assert titles(shown) == ALL
    assert beamline.icat.logins > 2


def test_sessions_do_not_pile_up_at_the_server(read: Read, beamline: Beamline) -> None:
    read()
    read()
    assert beamline.icat.logins == 2
    assert beamline.icat.sessions == {}


@pytest.mark.parametrize("bound", [60, 12], ids=["fewer a page", "children apart"])
def test_what_the_server_gives_at_once_may_be_little(
    read: Read, shown: Shown, rows: Rows, beamline: Beamline, bound: int
) -> None:
    for number in range(30):
        beamline.icat.add("Datafile", dataset=beamline.datasets[5], name=f"{number}.h5")
    beamline.icat.max_entities = bound
    read()
    assert titles(shown) == ALL
    files = rows(
        "SELECT count(*) AS n FROM file f JOIN dataset d ON d.id = f.dataset_id WHERE title = 'scan 5'"
    )
    assert files == [{"n": 31}]


def test_the_address_that_the_description_names_is_not_used(read: Read, how: Misbehaviour) -> None:
    read()
    assert {request.split("?")[0] for request in how.requests} == {
        "GET /ICATService/ICAT",
        "POST /ICATService/ICAT",
    }


def test_anonymous_reading_needs_no_credentials(read: Read, shown: Shown, credentials: Path) -> None:
    (credentials / "password").unlink()
    read(authenticator="anon")
    assert titles(shown) == ALL


def test_a_wrong_password_is_named_and_not_shown(read: Read, credentials: Path) -> None:
    (credentials / "password").write_text("wr0ng")
    with pytest.raises(
        NotAllowed, match=r"authenticator db refuses the login.*username and password"
    ) as caught:
        read()
    assert "wr0ng" not in str(caught.value)


def test_a_missing_password_is_named(read: Read, credentials: Path) -> None:
    (credentials / "password").unlink()
    with pytest.raises(NotAllowed, match="password"):
        read()


def test_an_unknown_authenticator_is_named(read: Read) -> None:
    with pytest.raises(NotAllowed, match="nosuch"):
        read(authenticator="nosuch")


def test_a_document_type_is_refused(read: Read, beamline: Beamline) -> None:
    beamline.icat.prolog = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>'
    with pytest.raises(BadAnswer, match="document type"):
        read()


@pytest.mark.parametrize("text", ["<html><p>Hello</p></html>", "<html><p>Hello", ""])
def test_a_page_for_people_is_no_icat(read: Read, beamline: Beamline, text: str) -> None:
    page = Route("/ICATService/ICAT", lambda request: HTMLResponse(text))
    beamline.icat.app.routes[0] = page
    with pytest.raises(BadAnswer, match="not ICAT's SOAP interface"):
        read()


def test_icat_4_is_refused(read: Read, beamline: Beamline) -> None:
    beamline.icat.version = "4.11.1"
    with pytest.raises(BadAnswer, match=r"ICAT 4\.11\.1; supported are 5 and 6"):
        read()


def test_icat_5_is_read(read: Read, shown: Shown, beamline: Beamline) -> None:
    beamline.icat.version = "5.0.1"
    read()
    assert titles(shown) == ALL


def test_times_are_those_of_the_server(read: Read, beamline: Beamline) -> None:
    read()
    later(beamline, hours=3)
    beamline.icat.searches.clear()
    read()
    moments = {query.partition("{ts ")[2][:19] for query, _ in beamline.icat.searches if "{ts" in query}
    assert moments == {"2026-03-01 10:00:00"}, f"two hours before noon in {ZONE}"
