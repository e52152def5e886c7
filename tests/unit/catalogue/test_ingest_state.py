"""What the ingest makes of files in the database, step by step: who sees what in between."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from panosc_catalogue import store
from panosc_catalogue.ingest import state as ingest_state
from panosc_catalogue.ingest.state import Seen, State
from panosc_catalogue.nexus.record import FoundSample, NexusRecord, NotReadable, Reason, User
from panosc_catalogue.records import DocumentRecord
from panosc_catalogue.settings import Facility, NexusSource
from panosc_common.catalogue import Layout
from panosc_common.tree import FileState

OLD = NexusRecord(
    title="old", end=datetime(2020, 1, 2, tzinfo=UTC), samples=(FoundSample(name="a", identifier="1"),)
)
NEW = NexusRecord(
    title="new",
    end=datetime(2199, 1, 2, tzinfo=UTC),
    samples=(FoundSample(name="secret", identifier="1", description="patent pending"),),
)


@pytest.fixture
def state(database_url: str) -> Iterator[State]:
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield started(connection)


def started(connection: psycopg.Connection[Any], layout: Layout | None = None) -> State:
    nexus = NexusSource(archive="archive", root=Path("/data"), layout=layout or Layout())
    state = State(connection, Facility(name="esrf"), "beamlines", nexus)
    state.register()
    return state


def take(
    state: State, path: str, result: NexusRecord | NotReadable | None, dataset: str | None = None
) -> None:
    proposal = path.split("/")[0]
    state.update(dataset or path, proposal, [Seen(path, FileState(1, 1), result)], [])


def visible(state: State) -> list[str]:
    rows = state.connection.execute("SELECT pid FROM visible_dataset(36, now()) ORDER BY pid")
    return [pid.removeprefix("esrf:archive/") for (pid,) in rows]


def test_nothing_of_a_scan_is_public_before_its_end(state: State) -> None:
    state.scanning()
    take(state, "P/a.nxs", OLD)
    take(state, "Q/a.nxs", OLD)
    assert visible(state) == []
    take(state, "P/b.nxs", NEW)  # the experiment ended later than the first of its files says
    state.scanning()  # the process was started anew meanwhile
    assert visible(state) == []
    state.idle(0, changed=True)
    assert visible(state) == ["Q/a.nxs"]
    state.scanning()
    take(state, "R/a.nxs", OLD)
    assert visible(state) == ["Q/a.nxs"]  # what was public before stays so
    take(state, "S/a.nxs", OLD, dataset="Q/a.nxs")  # found in another proposal now
    assert visible(state) == []
    state.idle(0, changed=True)
    assert visible(state) == ["Q/a.nxs", "R/a.nxs"]


def test_a_number_names_a_sample_of_its_own_proposal_only(state: State) -> None:
    take(state, "P/a.nxs", OLD)
    take(state, "Q/b.nxs", NEW)
    assert visible(state) == ["P/a.nxs"]
    rows = state.connection.execute(
        "SELECT s.name, s.description FROM visible_dataset(36, now()) d "
        "JOIN dataset_sample l ON l.dataset_id = d.id JOIN sample s ON s.id = l.sample_id"
    )
    assert rows.fetchall() == [("a", None)]


def test_what_was_imported_of_a_document_outlives_the_ingest(state: State) -> None:
    given = {"pid": "esrf:P", "title": "Imported", "doi": "10.1/x", "type": "session"}
    dates = {"endDate": "2021-01-01T00:00:00Z", "releaseDate": "2199-01-01T00:00:00Z"}
    record = DocumentRecord.model_validate({**given, **dates})
    store.write(state.connection, [record], store.Origin("load"))
    take(state, "P/a.nxs", OLD.model_copy(update={"proposal_title": "Said by a file"}))
    assert visible(state) == []
    row = state.connection.execute(
        "SELECT title, doi, type, end_date, release_date, source FROM document WHERE pid = 'esrf:P'"
    ).fetchone()
    ends = (datetime(2021, 1, 1, tzinfo=UTC), datetime(2199, 1, 1, tzinfo=UTC))
    assert row == ("Imported", "10.1/x", "session", *ends, "load")


def test_a_corrected_date_corrects_the_documents(state: State) -> None:
    take(state, "P/a.nxs", OLD)
    take(state, "P/b.nxs", NEW)
    assert visible(state) == []
    take(state, "P/b.nxs", OLD)
    assert visible(state) == ["P/a.nxs", "P/b.nxs"]


def test_people_go_with_their_dataset_to_another_proposal_and_to_none(state: State) -> None:
    named = OLD.model_copy(update={"users": (User(name="Mary Somerville"),)})

    def documents(of: str) -> list[Any]:
        return [row for (row,) in state.connection.execute(of)]

    def people() -> tuple[list[Any], list[Any]]:
        told = "SELECT p.pid FROM member m LEFT JOIN document p ON p.id = m.document_id"
        found = (
            "SELECT p.pid FROM document p JOIN document_search s USING (id) "
            "WHERE s.words @@ to_tsquery('somerville')"
        )
        return documents(told), documents(found)

    def place(proposal: str | None) -> None:
        state.update("a.nxs", proposal, [Seen("a.nxs", FileState(1, 1), named)], [])

    place("P")
    assert people() == (["esrf:P"], ["esrf:P"])
    place("Q")
    assert people() == (["esrf:Q"], ["esrf:Q"])
    place(None)
    assert people() == ([None], [])


def test_a_new_file_rewrites_no_other_of_its_dataset(state: State) -> None:
    state = started(state.connection, Layout(dataset_directory=2))

    def written() -> dict[str, str]:
        rows = state.connection.execute("SELECT path, xmin::text FROM file WHERE deleted_at IS NULL")
        return dict(rows.fetchall())

    take(state, "P/scan/1.cbf", None, "P/scan")
    take(state, "P/scan/master.nxs", OLD, "P/scan")
    before = written()
    assert set(before) == {"P/scan/1.cbf", "P/scan/master.nxs"}
    take(state, "P/scan/2.cbf", None, "P/scan")
    take(state, "P/scan/other.nxs", OLD, "P/scan")
    after = written()
    assert set(after) == {*before, "P/scan/2.cbf", "P/scan/other.nxs"}
    assert {path: after[path] for path in before} == before
    assert state.connection.execute("SELECT size FROM dataset").fetchone() == (4,)
    state.update("P/scan", "P", [], ["P/scan/1.cbf"])
    assert set(written()) == {*after} - {"P/scan/1.cbf"}
    state.update("P/scan", "P", [], ["P/scan/master.nxs", "P/scan/other.nxs"])
    assert (visible(state), written()) == ([], {})
    take(state, "P/scan/master.nxs", OLD, "P/scan")
    assert set(written()) == {"P/scan/master.nxs", "P/scan/2.cbf"}


def test_the_first_files_of_very_many_describe_a_dataset_and_all_date_it(
    state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest_state, "MAX_DESCRIBING", 2)
    state = started(state.connection, Layout(dataset_directory=2))
    early = OLD.model_copy(update={"start": datetime(2019, 1, 1, tzinfo=UTC)})
    for number, record in enumerate((OLD, OLD, early)):
        take(state, f"P/scan/{number}.nxs", record, "P/scan")
    dates = state.connection.execute("SELECT title, creation_date, end_date FROM dataset").fetchall()
    assert dates == [("old", early.start, OLD.end)]
    assert visible(state) == ["P/scan"]
    take(state, "P/scan/9.nxs", NEW, "P/scan")
    assert visible(state) == []
    row = state.connection.execute("SELECT title, creation_date, end_date, size FROM dataset").fetchone()
    assert row == ("old", early.start, NEW.end, 4)


def test_other_readings_withdraw_what_is_made_up_no_more(state: State) -> None:
    for path in ("P/scan/a.nxs", "P/scan/b.nxs", "P/c.nxs"):
        take(state, path, OLD)
    state = started(state.connection, Layout(dataset_directory=2))
    for path in ("P/scan/a.nxs", "P/scan/b.nxs"):
        take(state, path, OLD, "P/scan")
    state.reread(["P/c.nxs"])
    assert visible(state) == ["P/scan"]
    assert state.connection.execute("SELECT count(*) FROM dataset").fetchone() == (4,)


def test_files_that_cannot_be_read_are_tried_more_and_more_rarely(state: State) -> None:
    unreadable = NotReadable(Reason.UNREADABLE, "Input/output error")
    for number in range(3):
        take(state, f"P/{number}.nxs", unreadable)

    def later(seconds: float) -> None:
        state.connection.execute(
            "UPDATE ingest_file SET seen_at = seen_at - make_interval(secs => %s)", (seconds,)
        )

    def due(limit: int = 10) -> list[str]:
        return [path for path, *_ in state.again(limit)[0]]

    assert due() == []
    later(3)
    assert due() == ["P/0.nxs", "P/1.nxs", "P/2.nxs"]
    state.looked_at(due(2))  # no permission yet: the others' turn
    assert due(2) == ["P/2.nxs"]
    for _ in range(4):
        take(state, "P/2.nxs", unreadable)
    later(20)
    assert due() == ["P/0.nxs", "P/1.nxs"]
    state.connection.execute("UPDATE ingest_file SET attempts = 100000")
    later(3700)
    assert due() == []
    later(3700)
    assert len(due()) == 3
