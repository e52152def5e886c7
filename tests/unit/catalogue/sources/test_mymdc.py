"""Reading EuXFEL's myMdC, against a double that is as strict as it and can misbehave."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from doubles.mymdc import MyMdc as Service
from doubles.server import Misbehaviour, serve
from panosc_catalogue.settings import Facility, MyMdcSource
from panosc_catalogue.sources import mymdc
from panosc_catalogue.sources.base import BadAnswer, NotAllowed
from panosc_catalogue.sources.http import NotThere
from unit.catalogue.sources.conftest import Once, Rows

Shown = Callable[[str], dict[str, str]]
Read = Callable[..., None]
SAXS = "http://purl.org/pan-science/PaNET/PaNET01188"


class Xfel:
    """A myMdC with an old proposal of 25 runs and one that has beamtime now, of 2."""

    def __init__(self) -> None:
        self.service = Service()
        add = self.service.add
        self.instrument = add("instruments", name="Single Particles", identifier="SPB", facility_id=1)
        self.user = add(
            "users", name="Marie Curie", first_name="Marie", last_name="Curie", email="m@curie.example"
        )
        self.unit = add("units", name="electronvolt", identifier="eV", symbol="eV")
        self.old = self.proposal(2345, datetime(2024, 5, 1, tzinfo=UTC))
        self.new = self.proposal(6789, datetime.now(UTC))
        for number in range(1, 26):
            self.run(2345, number)
        for number in (1, 2):
            self.run(6789, number)

    def proposal(self, number: int, end: datetime) -> int:
        return self.service.add(
            "proposals",
            number=number,
            title=f"Proposal {number}",
            abstract="Why we measure.",
            instrument_id=self.instrument,
            principal_investigator_id=self.user,
            main_proposer_id=None,
            begin_at=(end - timedelta(days=5)).isoformat(),
            end_at=end.isoformat(),
            beamtime_start_at=None,
            beamtime_end_at=None,
            release_at=(end + timedelta(days=3 * 365)).isoformat(),
        )

    def run(self, proposal: int, number: int, **fields: Any) -> int:
        return self.service.add(
            "runs",
            proposal_number=proposal,
            run_number=number,
            run_alias=f"run {number} of {proposal}",
            experiment_id=1,
            sample_id=None,
            begin_at="2024-04-28T10:00:00.000+02:00",
            end_at="2024-04-28T10:10:00.000+02:00",
            techniques=[],
            **fields,
        )


OLD = {f"run {number} of 2345" for number in range(1, 26)}
REFUSED = "SELECT kind, origin_id, refused FROM source_record WHERE refused IS NOT NULL"
ALL = OLD | {"run 1 of 6789", "run 2 of 6789"}


@pytest.fixture
def how() -> Misbehaviour:
    return Misbehaviour()


@pytest.fixture
def xfel() -> Xfel:
    return Xfel()


@pytest.fixture
def credentials(tmp_path: Path) -> Path:
    secret = {
        "client_id": "catalogue",
        "client_secret": "s3cret",
        "user_email": "catalogue@facility.example",
    }
    for key, value in secret.items():
        (tmp_path / key).write_text(value)
    return tmp_path


@pytest.fixture
def read(
    xfel: Xfel, how: Misbehaviour, once: Once, credentials: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Read]:
    """Reads the service once: `read(listing=…)`."""
    monkeypatch.setattr(mymdc, "PAGE", 10)
    with serve(xfel.service.app, how) as base:

        def run(*, listing: bool = False) -> None:
            source = MyMdcSource(url=f"{base}/metadata", credentials=credentials, requests_per_second=1000)
            adapter = mymdc.MyMdc("mymdc", source, Facility(), timeout_seconds=1, first_wait_seconds=0.01)
            once(adapter, name="mymdc", listing=listing)

        yield run


def titles(shown: Shown) -> set[str]:
    return set(shown("dataset").values())


def test_everything_is_read_over_several_pages(read: Read, shown: Shown, rows: Rows, xfel: Xfel) -> None:
    read()
    assert titles(shown) == ALL
    assert shown("document") == {"facility:2345": "Proposal 2345", "facility:6789": "Proposal 6789"}
    assert shown("instrument") == {"facility:spb": "Single Particles"}
    assert "facility:2345/r0007" in shown("dataset")
    assert xfel.service.logins == 1


def test_an_instrument_is_the_one_that_files_name(read: Read, shown: Shown, xfel: Xfel) -> None:
    xfel.service.get("instruments", xfel.instrument)["identifier"] = "SPB/SFX"
    read()
    assert shown("instrument") == {"facility:spb-sfx": "Single Particles"}


def test_instruments_with_names_in_other_scripts_are_told_apart(read: Read, shown: Shown, xfel: Xfel) -> None:
    for name in ("Станция", "Линия"):
        xfel.service.add("instruments", name=name, identifier=name)
    read()
    assert sorted(shown("instrument").values()) == ["Single Particles", "Линия", "Станция"]


def test_all_of_a_proposal_arrives(read: Read, rows: Rows) -> None:
    read()
    (document,) = rows(
        "SELECT type, summary, end_date, release_date FROM document WHERE pid = 'facility:2345'"
    )
    assert document == {
        "type": "proposal",
        "summary": "Why we measure.",
        "end_date": datetime(2024, 5, 1, tzinfo=UTC),
        "release_date": datetime(2024, 5, 1, tzinfo=UTC) + timedelta(days=3 * 365),
    }
    members = rows("SELECT DISTINCT role, full_name FROM member m JOIN person p ON p.id = m.person_id")
    assert members == [{"role": "principal investigator", "full_name": "Marie Curie"}]


def test_all_of_a_run_arrives(read: Read, rows: Rows, xfel: Xfel) -> None:
    add = xfel.service.add
    sample = add("samples", name="lysozyme", description="crystals", proposal_id=xfel.old)
    techniques = [{"id": 1, "name": "SAXS", "identifier": "PaNET01188", "url": SAXS}]
    run = xfel.run(2345, 99)
    xfel.service.get("runs", run).update(techniques=techniques, sample_id=sample)
    xfel.service.data_groups[run] = [17]
    source, common = "SPB/XTD6/MONO", {"data_group_id": 17, "unit_id": xfel.unit}
    add("parameters", data_source=source, name="energy", value="9.3", unit_prefix="k", **common)
    add("parameters", data_source=source, name="scan", value="2", minimum="1.0", maximum="3.0", **common)
    read()
    (dataset,) = rows(
        "SELECT d.creation_date, i.name AS instrument, s.name AS sample, t.panet_id, o.pid AS document "
        "FROM dataset d JOIN instrument i ON i.id = d.instrument_id "
        "JOIN dataset_sample ds ON ds.dataset_id = d.id JOIN sample s ON s.id = ds.sample_id "
        "JOIN dataset_technique dt ON dt.dataset_id = d.id JOIN technique t ON t.id = dt.technique_id "
        "JOIN document o ON o.id = d.document_id WHERE d.pid = 'facility:2345/r0099'"
    )
    assert dataset == {
        "creation_date": datetime(2024, 4, 28, 8, tzinfo=UTC),
        "instrument": "Single Particles",
        "sample": "lysozyme",
        "panet_id": SAXS,
        "document": "facility:2345",
    }
    parameters = rows("SELECT name, number_value, number_upper, unit FROM parameter ORDER BY position")
    assert [tuple(row.values()) for row in parameters] == [
        ("SPB/XTD6/MONO.energy", 9.3, None, "keV"),
        ("SPB/XTD6/MONO.scan", 1.0, 3.0, "eV"),
    ]


def test_the_files_of_a_run_arrive_with_their_sizes(
    read: Read, rows: Rows, xfel: Xfel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mymdc, "FILES_PAGE", 2)
    xfel.service.data_groups[7] = [17, 18]
    for number, group in enumerate((17, 17, 17, 18)):
        name = f"RAW-R0007-AGIPD{number:02}-S00000.h5"
        xfel.service.add("dataset_files", filename=name, data_group_id=group, byte_size=3_000_000_000)
    gone = {"filename": "removed.h5", "data_group_id": 18, "byte_size": 5, "flg_available": False}
    xfel.service.add("dataset_files", **gone)
    read()
    files = rows("SELECT name, path, size FROM file WHERE deleted_at IS NULL ORDER BY name")
    names = [f"RAW-R0007-AGIPD{number:02}-S00000.h5" for number in range(4)]
    assert files == [{"name": name, "path": name, "size": 3_000_000_000} for name in names]
    assert rows("SELECT size FROM dataset WHERE pid = 'facility:2345/r0007'") == [{"size": 12_000_000_000}]


def test_in_between_runs_of_recent_proposals_are_read(read: Read, shown: Shown, xfel: Xfel) -> None:
    read()
    xfel.run(6789, 3)
    xfel.run(2345, 77)
    xfel.service.get("proposals", xfel.old)["title"] = "A better title"
    read()
    assert titles(shown) == ALL | {"run 3 of 6789"}
    assert shown("document")["facility:2345"] == "A better title"
    read(listing=True)
    assert titles(shown) == ALL | {"run 3 of 6789", "run 77 of 2345"}


def test_deleted_records_are_withdrawn_by_the_next_listing(read: Read, shown: Shown, xfel: Xfel) -> None:
    read()
    xfel.service.delete("runs", 3)
    xfel.service.get("runs", 4)["flg_available"] = False
    read()
    assert titles(shown) == ALL
    read(listing=True)
    assert titles(shown) == ALL - {"run 3 of 2345", "run 4 of 2345"}


def test_what_slips_from_page_to_page_while_it_is_read_is_not_withdrawn(
    read: Read, shown: Shown, xfel: Xfel, monkeypatch: pytest.MonkeyPatch
) -> None:
    read()
    kept = mymdc.MyMdc._list

    async def slipping(self: mymdc.MyMdc, path: str, query: dict[str, Any], number: int) -> Any:
        if "runs_by_proposal" in path and number == 2 and xfel.service.tables["runs"][0]["id"] == 1:
            xfel.service.delete("runs", 1)
        return await kept(self, path, query, number)

    monkeypatch.setattr(mymdc.MyMdc, "_list", slipping)
    read(listing=True)
    assert titles(shown) >= ALL - {"run 1 of 2345"}


def cut_off_at(number: int) -> Callable[..., Any]:
    read_all = mymdc.MyMdc._run

    async def cut(self: mymdc.MyMdc, proposal: Any, run: Any, samples: Any) -> Any:
        if proposal["number"] == number:
            raise KeyboardInterrupt
        return await read_all(self, proposal, run, samples)

    return cut


def test_a_listing_goes_on_where_it_was_cut_off(
    read: Read, shown: Shown, how: Misbehaviour, xfel: Xfel
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mymdc.MyMdc, "_run", cut_off_at(6789))
        with pytest.raises(KeyboardInterrupt):
            read()
    assert titles(shown) == OLD
    how.requests.clear()
    read()
    assert titles(shown) == ALL
    assert not [request for request in how.requests if "proposal_number=2345" in request]


def test_a_page_with_fewer_runs_than_announced_is_refused(read: Read, shown: Shown, xfel: Xfel) -> None:
    read()
    xfel.service.withheld = 1
    with pytest.raises(BadAnswer, match="announce"):
        read(listing=True)
    assert titles(shown) == ALL


def test_a_token_that_expires_in_the_middle_is_renewed(read: Read, shown: Shown, xfel: Xfel) -> None:
    xfel.service.token_calls = 5
    read()
    assert titles(shown) == ALL
    assert xfel.service.logins > 5


def test_a_wrong_secret_is_named_and_not_shown(read: Read, credentials: Path) -> None:
    (credentials / "client_secret").write_text("wr0ng")
    with pytest.raises(NotAllowed, match="client_id and client_secret") as caught:
        read()
    assert "wr0ng" not in str(caught.value)


@pytest.mark.parametrize("key", ["client_id", "client_secret", "user_email"])
def test_a_missing_credential_is_named(read: Read, credentials: Path, key: str) -> None:
    (credentials / key).unlink()
    with pytest.raises(NotAllowed, match=key):
        read()


def test_an_unknown_user_is_refused(read: Read, credentials: Path) -> None:
    (credentials / "user_email").write_text("nobody@facility.example")
    with pytest.raises(NotAllowed, match="403"):
        read()


def test_a_run_that_makes_no_sense_is_refused_and_the_others_are_taken(
    read: Read, shown: Shown, rows: Rows, xfel: Xfel
) -> None:
    xfel.service.get("runs", 7)["begin_at"] = "yesterday"
    read()
    assert titles(shown) == ALL - {"run 7 of 2345"}
    (refused,) = rows(REFUSED)
    assert refused["origin_id"] == "7"
    assert "creationDate" in refused["refused"] or "creation_date" in refused["refused"]


@pytest.mark.parametrize(
    ("fields", "groups", "said"),
    [
        ({"run_number": None}, [], "run_number: None is no number"),
        ({"techniques": 5}, [], "techniques: 5 is no list of objects"),
        ({"sample_id": [1]}, [], "sample_id: [1] is no identifier"),
        ({}, {"raw": 17}, "all_raw_data_groups_ids: {'raw': 17} is no list of ids"),
        ({}, [None], "all_raw_data_groups_ids: [None] is no list of ids"),
    ],
    ids=["number", "techniques", "sample", "groups", "group"],
)
def test_an_odd_run_is_refused_by_name_and_value(
    read: Read, shown: Shown, rows: Rows, xfel: Xfel, fields: dict[str, Any], groups: Any, said: str
) -> None:
    xfel.service.get("runs", 7).update(fields)
    xfel.service.data_groups[7] = groups
    read()
    assert titles(shown) == ALL - {"run 7 of 2345"}
    (refused,) = rows(REFUSED)
    assert (refused["kind"], refused["origin_id"]) == ("dataset", "7")
    assert said in refused["refused"]


def test_a_run_whose_raw_data_have_no_groups_is_taken(read: Read, shown: Shown, xfel: Xfel) -> None:
    xfel.service.data_groups[7] = None
    read()
    assert titles(shown) == ALL


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"end_at": "soon"}, "end_date"),
        ({"number": {"beamtime": 1}}, "number: {'beamtime': 1} is no identifier"),
        ({"principal_investigator_id": [1]}, "principal_investigator_id: [1] is no identifier"),
    ],
    ids=["date", "number", "user"],
)
def test_an_odd_proposal_is_refused_and_the_others_are_taken(
    read: Read, shown: Shown, rows: Rows, xfel: Xfel, fields: dict[str, Any], said: str
) -> None:
    xfel.service.get("proposals", xfel.new).update(fields)
    read()
    read()
    assert titles(shown) == OLD
    (refused,) = rows(REFUSED)
    assert (refused["kind"], refused["origin_id"]) == ("document", str(xfel.new))
    assert said in refused["refused"]


def test_a_date_without_a_zone_tells_whether_a_proposal_is_recent(
    read: Read, shown: Shown, xfel: Xfel
) -> None:
    for proposal in (xfel.old, xfel.new):
        fields = xfel.service.get("proposals", proposal)
        fields["end_at"] = fields["end_at"].partition("+")[0]
    read()
    xfel.run(2345, 77)
    xfel.run(6789, 3)
    read()
    assert titles(shown) == ALL | {"run 3 of 6789"}


@pytest.mark.parametrize(
    ("odd", "said"),
    [("a text", "'a text' is no object"), ({"name": "x"}, "id: None is no identifier")],
    ids=["no object", "no id"],
)
def test_what_has_no_name_is_refused_and_the_rest_of_its_list_is_taken(
    read: Read, shown: Shown, rows: Rows, xfel: Xfel, odd: Any, said: str
) -> None:
    xfel.service.odd = [odd]
    read()
    assert titles(shown) == ALL
    assert {(row["kind"], row["refused"]) for row in rows(REFUSED)} == {
        (kind, said) for kind in ("document", "dataset", "instrument")
    }
    xfel.service.odd = []
    read(listing=True)
    assert rows(REFUSED + " AND deleted_at IS NULL") == []


def test_a_user_whom_the_account_may_not_see_is_left_out(
    read: Read, shown: Shown, rows: Rows, xfel: Xfel
) -> None:
    xfel.service.forbidden = {("users", xfel.user)}
    read()
    assert titles(shown) == ALL
    assert rows("SELECT * FROM member") == []


def test_people_whom_the_account_may_no_longer_see_stay(read: Read, rows: Rows, xfel: Xfel) -> None:
    names = "SELECT full_name FROM member m JOIN person p ON p.id = m.person_id ORDER BY full_name"
    read()
    before = rows(names)
    assert before != []
    xfel.service.forbidden = {("users", xfel.user)}
    read(listing=True)
    assert rows(names) == before


def test_what_the_account_may_no_longer_see_is_not_gone(read: Read, shown: Shown, xfel: Xfel) -> None:
    read()
    xfel.service.delete("runs", 3)
    xfel.service.delete("runs", 4)
    xfel.service.forbidden = {("runs", 3)}
    read(listing=True)
    assert titles(shown) == ALL - {"run 4 of 2345"}


def forbidden(rows: Rows) -> dict[tuple[str, str], str]:
    found = rows(REFUSED + " AND deleted_at IS NULL")
    return {(row["kind"], row["origin_id"]): row["refused"].rpartition(": ")[2] for row in found}


def test_what_the_account_may_not_read_is_left_out_and_reported_by_proposal(
    read: Read, shown: Shown, rows: Rows, xfel: Xfel
) -> None:
    other = xfel.proposal(4000, datetime(2024, 6, 1, tzinfo=UTC))
    xfel.run(4000, 1)
    xfel.service.closed = {
        f"samples?proposal_id={xfel.old}",
        f"samples?proposal_id={other}",
        "runs_by_proposal?proposal_number=4000",
        "all_raw_data_groups_ids?proposal_number=2345&run_number=7",
        "all_raw_data_groups_ids?proposal_number=2345&run_number=8",
    }
    read()
    assert titles(shown) == ALL
    assert forbidden(rows) == {
        ("dataset", "(forbidden) 2345"): "data of runs, samples",
        ("dataset", "(forbidden) 4000"): "runs, samples",
    }
    xfel.service.closed = set()
    read(listing=True)
    assert titles(shown) == ALL | {"run 1 of 4000"}
    assert forbidden(rows) == {}


def test_what_the_account_may_not_read_is_reported_until_it_is_read_again(
    read: Read, rows: Rows, xfel: Xfel
) -> None:
    xfel.service.closed = {f"samples?proposal_id={of}" for of in (xfel.old, xfel.new)}
    both = {("dataset", f"(forbidden) {number}"): "samples" for number in (2345, 6789)}
    read()
    assert forbidden(rows) == both
    read()
    assert forbidden(rows) == both
    xfel.service.closed = set()
    read()
    assert forbidden(rows) == {("dataset", "(forbidden) 2345"): "samples"}
    read(listing=True)
    assert forbidden(rows) == {}


def test_people_whom_the_account_may_not_see_are_reported_until_they_are_seen(
    read: Read, rows: Rows, xfel: Xfel
) -> None:
    xfel.service.closed = {f"samples?proposal_id={xfel.old}"}
    xfel.service.forbidden = {("users", xfel.user)}
    read()
    samples = {("dataset", "(forbidden) 2345"): "samples"}
    people = {("document", f"(forbidden) {number}"): "people" for number in (2345, 6789)}
    assert forbidden(rows) == samples | people
    xfel.service.forbidden = set()
    read()
    assert forbidden(rows) == samples


def test_a_listing_that_was_cut_off_still_tells_what_the_account_may_not_read(
    read: Read, rows: Rows, xfel: Xfel
) -> None:
    xfel.service.closed = {f"samples?proposal_id={of}" for of in (xfel.old, xfel.new)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mymdc.MyMdc, "_run", cut_off_at(6789))
        with pytest.raises(KeyboardInterrupt):
            read()
    read()
    assert forbidden(rows) == {("dataset", f"(forbidden) {number}"): "samples" for number in (2345, 6789)}


def test_what_a_proposal_that_is_gone_did_not_show_is_reported_no_longer(
    read: Read, rows: Rows, xfel: Xfel
) -> None:
    xfel.service.closed = {f"samples?proposal_id={xfel.old}"}
    read()
    xfel.service.delete("proposals", xfel.old)
    read(listing=True)
    assert forbidden(rows) == {}


def test_what_a_proposal_that_slips_from_page_to_page_did_not_show_is_still_reported(
    read: Read, rows: Rows, xfel: Xfel, monkeypatch: pytest.MonkeyPatch
) -> None:
    xfel.service.closed = {f"samples?proposal_id={xfel.old}"}
    read()
    kept = mymdc.MyMdc._list

    async def slipping(self: mymdc.MyMdc, path: str, query: dict[str, Any], number: int) -> Any:
        page = await kept(self, path, query, number)
        if path == "proposals/" and not query:
            page.items.pop(0)
        return page

    monkeypatch.setattr(mymdc.MyMdc, "_list", slipping)
    read(listing=True)
    assert forbidden(rows) == {("dataset", "(forbidden) 2345"): "samples"}


def test_what_the_account_may_no_longer_read_stays(read: Read, shown: Shown, rows: Rows, xfel: Xfel) -> None:
    sample = xfel.service.add("samples", name="lysozyme", proposal_id=xfel.old)
    xfel.service.get("runs", 7)["sample_id"] = sample
    xfel.service.data_groups[7] = [17]
    xfel.service.add("dataset_files", filename="a.h5", data_group_id=17, byte_size=3)
    xfel.service.add("parameters", data_source="MONO", name="energy", value="9.3", data_group_id=17)
    read()
    known = (
        "SELECT s.name AS sample, f.name AS file, p.name AS parameter FROM dataset d "
        "JOIN dataset_sample l ON l.dataset_id = d.id JOIN sample s ON s.id = l.sample_id "
        "JOIN file f ON f.dataset_id = d.id JOIN parameter p ON p.dataset_id = d.id "
        "WHERE f.deleted_at IS NULL"
    )
    before = rows(known)
    assert before == [{"sample": "lysozyme", "file": "a.h5", "parameter": "MONO.energy"}]
    xfel.service.closed = {
        f"samples?proposal_id={xfel.old}",
        "dataset_files?data_group_id=17",
        "parameters?data_group_id=17",
        "runs_by_proposal?proposal_number=6789",
    }
    xfel.service.forbidden = {("runs", 26), ("runs", 27)}
    read(listing=True)
    assert titles(shown) == ALL
    assert rows(known) == before


def test_a_mymdc_without_lists_of_files_is_read_and_files_known_before_stay(
    read: Read, shown: Shown, rows: Rows, xfel: Xfel
) -> None:
    xfel.service.data_groups[7] = [17]
    xfel.service.add("dataset_files", filename="a.h5", data_group_id=17, byte_size=3)
    read()
    del xfel.service.tables["dataset_files"]
    xfel.run(2345, 77)
    read(listing=True)
    assert titles(shown) == ALL | {"run 77 of 2345"}
    assert rows("SELECT name FROM file WHERE deleted_at IS NULL") == [{"name": "a.h5"}]


@pytest.mark.parametrize("table", ["parameters", "samples"])
def test_a_list_that_is_not_there_is_an_error(read: Read, xfel: Xfel, table: str) -> None:
    xfel.service.data_groups[7] = [17]
    del xfel.service.tables[table]
    with pytest.raises(NotThere, match=table):
        read()


def test_runs_that_are_not_there_are_an_error_while_their_proposal_is(read: Read, xfel: Xfel) -> None:
    routes = xfel.service.app.router.routes
    routes.remove(next(route for route in routes if "runs_by_proposal" in str(route)))
    with pytest.raises(NotThere, match="runs_by_proposal"):
        read()


def test_a_run_that_goes_while_it_is_read_takes_nothing_with_it(
    read: Read, shown: Shown, xfel: Xfel, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = mymdc.MyMdc._run

    async def vanishing(self: mymdc.MyMdc, proposal: Any, run: Any, samples: Any) -> Any:
        if run["id"] == 27:
            xfel.service.delete("runs", 27)
        return await kept(self, proposal, run, samples)

    monkeypatch.setattr(mymdc.MyMdc, "_run", vanishing)
    read()
    assert titles(shown) == ALL


def test_a_proposal_that_goes_while_it_is_read_has_no_runs(
    read: Read, shown: Shown, xfel: Xfel, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = mymdc.MyMdc._list

    async def vanishing(self: mymdc.MyMdc, path: str, query: dict[str, Any], number: int) -> Any:
        if query == {"proposal_number": 2345}:
            xfel.service.tables["proposals"] = [xfel.service.get("proposals", xfel.new)]
        return await kept(self, path, query, number)

    monkeypatch.setattr(mymdc.MyMdc, "_list", vanishing)
    read()
    assert titles(shown) == ALL - OLD


def test_what_a_listing_lacked_is_not_asked_for_one_after_another(
    read: Read, shown: Shown, how: Misbehaviour, xfel: Xfel
) -> None:
    read()
    xfel.service.delete("runs", 3)
    xfel.service.get("runs", 4)["flg_available"] = False
    xfel.service.together = asyncio.Barrier(2)
    how.requests.clear()
    read(listing=True)
    assert titles(shown) == ALL - {"run 3 of 2345", "run 4 of 2345"}
    asked = [request for request in how.requests if request.startswith("GET /metadata/api/runs/")]
    assert [request for request in asked if request.endswith(("/3", "/4"))] == [
        "GET /metadata/api/runs/3",
        "GET /metadata/api/runs/4",
    ]
