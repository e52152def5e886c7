"""A PaNOSC search API as a source, with what real ones do to their readers."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from doubles.search_api import SearchApi as Server
from doubles.server import Misbehaviour, serve
from panosc_catalogue.settings import Facility, SearchApiSource
from panosc_catalogue.sources.base import BadAnswer, NotAllowed
from panosc_catalogue.sources.search_api import PAGE, SearchApi
from unit.catalogue.sources.conftest import Once, Rows

Shown = Callable[[str], dict[str, str]]


def dataset(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "pid": f"10.5291/data/{number:04}",
        "title": f"Dataset {number}",
        "isPublic": True,
        "creationDate": "2020-05-05T15:01:02.341Z",
        "size": 34,
        "doi": f"https://doi.org/10.5072/ILL.{number}",
        "license": "CC BY 4.0",
        "instrumentId": 1,
        "instrument": {"pid": 1, "name": "D22", "facility": "ILL"},
        "techniques": [{"pid": "http://purl.org/pan-science/PaNET/PaNET01188", "name": "SANS"}],
        "parameters": [
            {"id": 7, "name": "wavelength", "value": 6, "unit": "Å", "datasetId": "x"},
            {"id": 8, "name": "state", "value": None, "unit": ""},
        ],
        "samples": [{"pid": 12, "name": "milk", "description": ""}],
        "files": [{"id": 1, "name": "a.nxs", "path": "raw/a.nxs", "size": 34}],
        **changes,
    }


@pytest.fixture
def provider() -> Server:
    document = {
        "pid": "10.5291/ILL-DATA.9-13-001",
        "doi": "",
        "isPublic": True,
        "type": "proposal",
        "title": "Casein",
        "summary": None,
        "keywords": None,
        "releaseDate": "",
        "startDate": "2020-05-01",
        "members": [
            {"id": 5, "role": None, "person": {"id": 3, "fullName": "Ada Lovelace"}, "affiliation": None},
            {"id": 6, "role": "owner", "person": None, "affiliation": None},
        ],
        "parameters": None,
        "datasets": [dataset(1), dataset(2)],
    }
    models = {
        "Instruments": [{"pid": 1, "name": "D22", "facility": "ILL"}],
        "Datasets": [dataset(number) for number in range(PAGE + 20)],
        "Documents": [document],
    }
    return Server(models)


@pytest.fixture
def how() -> Misbehaviour:
    return Misbehaviour()


@pytest.fixture
def url(provider: Server, how: Misbehaviour) -> Iterator[str]:
    with serve(provider, how) as base:
        yield f"{base}/api"


@pytest.fixture
def sync(once: Once, url: str) -> Callable[..., None]:
    def run(*, listing: bool = False, credentials: Path | None = None) -> None:
        settings = SearchApiSource(url=url, credentials=credentials, requests_per_second=1000)
        facility = Facility(name="ill", display_name="Institut Laue-Langevin")
        once(SearchApi("ill", settings, facility, first_wait_seconds=0.01), listing=listing)

    return run


def test_everything_is_taken_in_spite_of_nulls_numbers_and_empty_texts(
    sync: Callable[..., None], shown: Shown, rows: Rows
) -> None:
    sync()
    assert len(shown("dataset")) == PAGE + 20
    assert shown("instrument") == {"ill:1": "D22"}
    found = rows(
        "SELECT p.title, p.release_date, p.keywords, p.doi, n.full_name, d.pid AS dataset, d.released,"
        " s.pid AS sample FROM document p JOIN member m ON m.document_id = p.id"
        " JOIN person n ON n.id = m.person_id "
        "JOIN dataset d ON d.document_id = p.id JOIN dataset_sample ds ON ds.dataset_id = d.id "
        "JOIN sample s ON s.id = ds.sample_id ORDER BY d.pid"
    )
    assert rows("SELECT doi, license FROM dataset WHERE pid = '10.5291/data/0007'") == [
        {"doi": "10.5072/ILL.7", "license": "CC-BY-4.0"}
    ]
    assert [row.pop("dataset") for row in found] == ["10.5291/data/0001", "10.5291/data/0002"]
    assert found[0] == {
        "title": "Casein",
        "release_date": None,
        "keywords": [],
        "doi": None,
        "full_name": "Ada Lovelace",
        "released": True,
        "sample": "ill:12",
    }


def test_what_its_model_has_not_opens_nothing(
    sync: Callable[..., None], provider: Server, rows: Rows
) -> None:
    (document,) = provider.models["Documents"]
    document["groups"] = ["17"]
    document["members"][0]["email"] = "ada@example.org"
    sync()
    found = rows(
        "SELECT n.full_name, m.identity, p.groups FROM document p JOIN member m ON m.document_id = p.id "
        "JOIN person n ON n.id = m.person_id"
    )
    assert found == [{"full_name": "Ada Lovelace", "identity": None, "groups": []}]


def test_what_two_servers_call_alike_are_two_things(
    once: Once, provider: Server, shown: Shown, rows: Rows
) -> None:
    """One numbers its instruments, samples and people from 1, and so does the other."""
    other = dataset(
        900, instrument={"pid": 1, "name": "LOKI", "facility": "ESS"}, samples=[{"pid": 12, "name": "ice"}]
    )
    member = {"role": "owner", "person": {"id": 3, "fullName": "Grace Hopper"}, "affiliation": None}
    place = {"role": "PI", "person": None, "affiliation": {"id": "https://ror.org/01xtthb56", "name": "UiO"}}
    models = {
        "Instruments": [other["instrument"]],
        "Datasets": [other],
        "Documents": [{"pid": "10.5/ess", "title": "Ice", "members": [member, place], "datasets": [other]}],
    }
    for name, server in (("ill", provider), ("ess", Server(models))):
        with serve(server) as base:
            settings = SearchApiSource(url=f"{base}/api", requests_per_second=1000)
            once(SearchApi(name, settings, Facility(name=name), first_wait_seconds=0.01), name=name)
    assert shown("instrument") == {"ess:1": "LOKI", "ill:1": "D22"}
    assert {row["name"] for row in rows("SELECT name FROM sample")} == {"milk", "ice"}
    assert {row["full_name"] for row in rows("SELECT full_name FROM person")} == {
        "Ada Lovelace",
        "Grace Hopper",
    }
    assert rows("SELECT key FROM affiliation") == [{"key": "id:https://ror.org/01xtthb56"}]
    assert rows("SELECT pid FROM technique") == [{"pid": "http://purl.org/pan-science/PaNET/PaNET01188"}]


def test_a_server_that_caps_the_limit_is_read_to_its_end(
    sync: Callable[..., None], shown: Shown, provider: Server
) -> None:
    provider.max_limit = 7
    sync()
    assert len(shown("dataset")) == PAGE + 20


def test_a_relation_that_the_server_lacks_takes_nothing_else_away(
    sync: Callable[..., None], rows: Rows, provider: Server
) -> None:
    provider.missing = {"samples"}
    sync()
    counted = rows(
        "SELECT (SELECT count(*) FROM dataset_sample) AS samples, (SELECT count(*) FROM file) AS files"
    )
    assert counted == [{"samples": 0, "files": PAGE + 20}]


def test_paths_in_lower_case_are_found(sync: Callable[..., None], shown: Shown, provider: Server) -> None:
    provider.lowercase_only = True
    sync()
    assert len(shown("dataset")) == PAGE + 20


def test_each_time_everything_is_listed_and_only_when_it_is_due(
    sync: Callable[..., None], shown: Shown, provider: Server, how: Misbehaviour
) -> None:
    sync()
    how.requests.clear()
    provider.models["Datasets"][3]["title"] = "Renamed"
    sync()
    assert how.requests == []
    sync(listing=True)
    assert shown("dataset")["10.5291/data/0003"] == "Renamed"


def test_what_is_gone_is_withdrawn_after_it_was_asked_for_by_its_pid(
    sync: Callable[..., None], shown: Shown, provider: Server
) -> None:
    sync()
    del provider.models["Datasets"][3]
    sync(listing=True)
    assert "10.5291/data/0003" not in shown("dataset")
    assert len(shown("dataset")) == PAGE + 19


def test_a_server_that_finds_no_pid_by_its_path_loses_nothing(
    sync: Callable[..., None], shown: Shown, provider: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync()
    provider.slashes_end_paths = True
    listed = provider._list

    def lacking(name: str, request: Any) -> Any:
        """A listing that lacks a dataset, as one does that shifts while it is read."""
        whole = provider.models["Datasets"]
        if "where" not in str(request.url):
            provider.models["Datasets"] = [one for one in whole if not one["pid"].endswith("0003")]
        try:
            return listed(name, request)
        finally:
            provider.models["Datasets"] = whole

    monkeypatch.setattr(provider, "_list", lacking)
    sync(listing=True)
    assert len(shown("dataset")) == PAGE + 20


def test_nothing_is_withdrawn_at_the_word_of_a_server_that_does_not_filter(
    sync: Callable[..., None], shown: Shown, provider: Server
) -> None:
    sync()
    provider.ignores_where = True
    del provider.models["Datasets"][3]
    with pytest.raises(BadAnswer, match="pids that were not asked for"):
        sync(listing=True)
    assert len(shown("dataset")) == PAGE + 20


def test_what_slips_through_between_two_pages_stays(
    sync: Callable[..., None], shown: Shown, provider: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync()
    monkeypatch.setattr(provider, "max_limit", 50)
    listed = provider._list

    def shifting(name: str, request: Any) -> Any:
        if name == "Datasets" and "%22skip%22%3A+50" in str(request.url):
            provider.models["Datasets"] = provider.models["Datasets"][1:]
        return listed(name, request)

    monkeypatch.setattr(provider, "_list", shifting)
    sync(listing=True)
    assert "10.5291/data/0050" in shown("dataset")
    assert len(shown("dataset")) == PAGE + 20
    sync(listing=True)
    assert "10.5291/data/0000" not in shown("dataset")


@pytest.mark.parametrize(
    ("odd", "said"),
    [
        ("a text", "'a text' is no object"),
        ({"title": "x"}, "pid: None is no identifier"),
        ({"title": "x", "pid": "x\0"}, r"pid: 'x\x00' is no identifier"),
    ],
    ids=["no object", "no pid", "NUL"],
)
def test_what_has_no_pid_is_refused_and_the_rest_is_taken(
    sync: Callable[..., None], shown: Shown, rows: Rows, provider: Server, odd: Any, said: str
) -> None:
    provider.odd = [odd]
    sync()
    assert len(shown("dataset")) == PAGE + 20
    refused = rows("SELECT kind, refused FROM source_record WHERE refused IS NOT NULL ORDER BY kind")
    assert refused == [{"kind": kind, "refused": said} for kind in ("dataset", "document", "instrument")]


def test_long_pids_are_asked_for_in_questions_that_a_server_takes(
    sync: Callable[..., None], shown: Shown, provider: Server, how: Misbehaviour
) -> None:
    short = list(provider.models["Datasets"])
    provider.models["Datasets"] += [dataset(number, pid=f"é{number}" + "x" * 1500) for number in range(12)]
    sync()
    assert len(shown("dataset")) == len(short) + 12
    provider.models["Datasets"] = short
    how.requests.clear()
    sync(listing=True)
    assert len(shown("dataset")) == len(short)
    assert max(map(len, how.requests)) < 8 * 1024
    assert len([request for request in how.requests if "inq" in request]) == 4


def test_a_token_that_has_expired_is_named_but_not_shown(
    sync: Callable[..., None], how: Misbehaviour, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text("st4le")
    how.times, how.status = 1, 401
    with pytest.raises(NotAllowed, match=r"the key token in the Secret.*expired.*new one") as caught:
        sync(credentials=tmp_path)
    assert "st4le" not in str(caught.value)
