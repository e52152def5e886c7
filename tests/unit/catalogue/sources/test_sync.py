"""What all sources have in common: nothing is missed, doubled or lost, whatever happens in between."""

from collections.abc import Callable
from dataclasses import replace

import psycopg
import pytest
from panosc_catalogue import store
from panosc_catalogue.records import DatasetRecord, DocumentRecord, Member, Person
from panosc_catalogue.sources.base import Deleted, Fetched, Kind, Refused, Unreachable, parsed
from panosc_catalogue.sources.sync import pause
from prometheus_client import REGISTRY
from unit.catalogue.sources.conftest import Once, Rows
from unit.catalogue.sources.scripted import Script, dataset, document, instrument, news

Shown = Callable[[str], dict[str, str]]
LOG = "the log of the ingest worker tells more"


def catalogue(number: int = 25) -> Script:
    return Script([instrument(), document(), *(dataset(n) for n in range(number))])


@pytest.mark.parametrize(
    ("failures", "wanted", "seconds"),
    [(0, 0, 900), (1, 0, 10), (3, 0, 40), (50, 0, 900), (1, 7200, 7200), (9, 60, 900), (1, 1e9, 86400)],
)
def test_a_source_that_fails_is_tried_again_when_it_wants_to_be(
    failures: int, wanted: float, seconds: float
) -> None:
    assert pause(900, failures, wanted) == seconds


def test_a_listing_brings_everything_with_its_provenance(once: Once, shown: Shown, rows: Rows) -> None:
    once(catalogue())
    assert len(shown("dataset")) == 25
    assert shown("document") == {"p1": "a proposal"}
    assert shown("instrument") == {"i1": "BM01"}
    found = rows(
        "SELECT d.source, d.origin_id, d.fetched_at <= now() AS fetched, p.pid AS document, i.pid AS named"
        " FROM dataset d JOIN document p ON p.id = d.document_id JOIN instrument i ON i.id = d.instrument_id "
        "WHERE d.pid = 'd7'"
    )
    assert found == [{"source": "legacy", "origin_id": "7", "fetched": True, "document": "p1", "named": "i1"}]


def test_what_has_not_changed_is_not_written_again(once: Once, rows: Rows) -> None:
    once(catalogue())
    before = rows("SELECT pid, updated_at, fetched_at FROM dataset ORDER BY pid")
    once(catalogue(), listing=True)
    assert rows("SELECT pid, updated_at, fetched_at FROM dataset ORDER BY pid") == before


def test_after_the_listing_only_news_are_taken(once: Once, shown: Shown) -> None:
    script = catalogue()
    once(script)
    script.news = [news(dataset(7, "described better"), dataset(99))]
    once(script)
    once(script)
    assert script.asked == [None, {"news": 0}, {"news": 1}]
    assert shown("dataset")["d7"] == "described better"
    assert "d99" in shown("dataset")


def test_a_deletion_that_the_source_tells_withdraws(once: Once, shown: Shown, rows: Rows) -> None:
    script = replace(catalogue(), news=[news(deleted=[Deleted(Kind.DATASET, "7")])])
    once(script)
    assert "d7" not in shown("dataset")
    assert rows("SELECT deleted_at IS NOT NULL AS gone FROM dataset WHERE pid = 'd7'") == [{"gone": True}]


def test_what_a_listing_lacks_is_withdrawn_and_comes_back(once: Once, shown: Shown) -> None:
    once(catalogue(25))
    once(catalogue(24), listing=True)
    assert "d24" not in shown("dataset")
    assert len(shown("dataset")) == 24
    once(catalogue(25), listing=True)
    assert "d24" in shown("dataset")


def test_only_what_is_hidden_counts_as_withdrawn(once: Once, shown: Shown) -> None:
    def withdrawn() -> float:
        labels = {"source": "shared", "outcome": "withdrawn"}
        return REGISTRY.get_sample_value("catalogue_source_records_total", labels) or 0

    once(Script([dataset(1)]), name="preferred")
    script = Script([dataset(1), dataset(2)], refused=[Refused(Kind.DATASET, "3", "title: is missing")])
    once(script, name="shared", outranked_by=("preferred",))
    once(Script([dataset(2)]), name="shared", listing=True)
    assert set(shown("dataset")) == {"d1", "d2"}
    assert withdrawn() == 0
    once(Script([]), name="shared", listing=True)
    assert set(shown("dataset")) == {"d1"}
    assert withdrawn() == 1


def test_what_the_listing_only_missed_stays(once: Once, shown: Shown) -> None:
    once(catalogue(25))
    once(replace(catalogue(20), really_gone=lambda kind, origin_id: origin_id != "23"), listing=True)
    assert sorted(set(shown("dataset")) & {f"d{n}" for n in range(20, 25)}) == ["d23"]


def test_a_listing_goes_on_where_it_was_cut_off(once: Once, shown: Shown) -> None:
    script = catalogue()

    def cut(number: int) -> None:
        if number == 20:
            raise KeyboardInterrupt

    script.before_page = cut
    with pytest.raises(KeyboardInterrupt):
        once(script)
    assert len(shown("dataset")) == 18
    script.before_page = lambda number: None
    once(script)
    assert script.asked == [None, {"at": 20}]
    assert len(shown("dataset")) == 25


def test_a_resumed_listing_withdraws_just_what_neither_part_had(once: Once, shown: Shown) -> None:
    once(catalogue(25))
    script = catalogue(24)

    def down(number: int) -> None:
        if number == 20:
            raise Unreachable("GET http://source.example: answered 503")

    script.before_page = down
    with pytest.raises(Unreachable):
        once(script, listing=True)
    assert len(shown("dataset")) == 25
    script.before_page = lambda number: None
    once(script, listing=True)
    assert sorted(shown("dataset")) == sorted(f"d{n}" for n in range(24))


def test_a_source_that_is_down_takes_nothing_away_and_says_why(once: Once, shown: Shown, rows: Rows) -> None:
    once(catalogue())

    def down(number: int) -> None:
        raise Unreachable("GET http://source.example: answered 503")

    with pytest.raises(Unreachable):
        once(replace(catalogue(), before_page=down), listing=True)
    assert len(shown("dataset")) == 25
    state = rows("SELECT state, last_error, caught_up_at IS NOT NULL AS caught_up FROM source_state")
    assert state == [
        {"state": "Failed", "last_error": "GET http://source.example: answered 503", "caught_up": True}
    ]


def test_a_bug_is_a_failure_that_the_next_process_knows_of(once: Once, rows: Rows) -> None:
    def broken(number: int) -> None:
        raise ZeroDivisionError("division by zero")

    with pytest.raises(ZeroDivisionError):
        once(replace(catalogue(), before_page=broken))
    assert rows("SELECT state, last_error FROM source_state") == [
        {"state": "Failed", "last_error": f"unexpected ZeroDivisionError; {LOG}"}
    ]
    once(catalogue())
    assert rows("SELECT state, last_error FROM source_state") == [{"state": "Idle", "last_error": None}]


def test_an_emptied_source_is_not_asked_for_each_of_its_records(once: Once, shown: Shown) -> None:
    once(catalogue(150))
    asked: list[str] = []

    def ask(kind: Kind, origin_id: str) -> bool:
        asked.append(origin_id)
        return True

    once(Script([instrument(), document()], really_gone=ask), listing=True)
    assert asked == []
    once(Script([instrument(), document()], really_gone=ask), listing=True)
    assert len(asked) == 150
    assert shown("dataset") == {}


def test_a_second_listing_that_lacks_even_more_is_not_believed_either(
    once: Once, shown: Shown, rows: Rows
) -> None:
    once(catalogue(150))
    once(catalogue(50), listing=True)
    assert rows("SELECT held_back FROM source_state") == [{"held_back": 100}]
    once(catalogue(0), listing=True)
    assert rows("SELECT held_back FROM source_state") == [{"held_back": 150}]
    assert len(shown("dataset")) == 150


def test_what_was_confirmed_before_a_crash_is_not_asked_for_again(once: Once, shown: Shown) -> None:
    once(catalogue(1300))
    asked: list[str] = []

    def ask(kind: Kind, origin_id: str) -> bool:
        asked.append(origin_id)
        if len(asked) == 600:
            raise KeyboardInterrupt
        return int(origin_id) % 2 == 0

    script = replace(catalogue(700), really_gone=ask)
    with pytest.raises(KeyboardInterrupt):
        once(script, listing=True)
    first, asked[:] = list(asked), ["" for _ in range(600)]
    once(script)
    again = set(asked) & set(first)
    assert len(again) <= 100
    assert sorted(shown("dataset"), key=lambda pid: int(pid[1:])) == [
        f"d{n}" for n in range(1300) if n < 700 or n % 2
    ]


def test_an_emptied_source_is_believed_only_the_second_time(once: Once, shown: Shown, rows: Rows) -> None:
    once(catalogue(150))
    once(Script([instrument(), document()]), listing=True)
    assert len(shown("dataset")) == 150
    assert rows("SELECT held_back FROM source_state") == [{"held_back": 150}]
    once(Script([instrument(), document()]), listing=True)
    assert shown("dataset") == {}
    assert rows("SELECT held_back FROM source_state") == [{"held_back": 0}]


def test_a_record_that_makes_no_sense_is_reported_and_the_old_one_stays(
    once: Once, shown: Shown, rows: Rows
) -> None:
    once(catalogue(3))
    bad = Refused(Kind.DATASET, "2", "title: is missing")
    once(replace(catalogue(2), refused=[bad]), listing=True)
    assert set(shown("dataset")) == {"d0", "d1", "d2"}
    assert rows("SELECT kind, origin_id, refused FROM source_record WHERE refused IS NOT NULL") == [
        {"kind": "dataset", "origin_id": "2", "refused": "title: is missing"}
    ]
    once(catalogue(3), listing=True)
    assert rows("SELECT 1 FROM source_record WHERE refused IS NOT NULL") == []


def test_one_record_that_the_database_refuses_leaves_out_no_other(
    once: Once, shown: Shown, rows: Rows
) -> None:
    script = catalogue(3)
    script.records.append(dataset(3, "a title"))
    script.records[-1].record.pid = "x" * 9000 + "".join(chr(33 + n % 90) for n in range(9000))
    once(script)
    assert len(shown("dataset")) == 3
    refused = rows("SELECT origin_id, refused FROM source_record WHERE refused IS NOT NULL")
    assert [row["origin_id"] for row in refused] == ["3"]
    assert "the catalogue cannot hold it" in refused[0]["refused"]


def test_another_address_is_another_listing(once: Once, shown: Shown) -> None:
    once(catalogue(25))
    other = catalogue(20)
    once(other, url="http://another.example")
    assert other.asked == [None]
    assert len(shown("dataset")) == 20


def test_a_dataset_that_moves_belongs_to_its_new_proposal_only(once: Once, rows: Rows) -> None:
    once(Script([document(), document("p2"), dataset(1)]))
    once(Script([document(), document("p2"), dataset(1, documents=["p2"])]), listing=True)
    found = rows(
        "SELECT p.pid FROM document_dataset l JOIN document p ON p.id = l.document_id UNION ALL "
        "SELECT p.pid FROM dataset d JOIN document p ON p.id = d.document_id"
    )
    assert [row["pid"] for row in found] == ["p2", "p2"]


def test_people_and_words_follow_a_dataset_to_another_document(
    once: Once, rows: Rows, database_url: str
) -> None:
    def searched(kind: str, word: str) -> list[str]:
        found = rows(
            f"SELECT pid FROM {kind} JOIN {kind}_search s USING (id) "
            f"WHERE s.words @@ to_tsquery('english', '{word}')"
        )
        return [row["pid"] for row in found]

    mary = Member(person=Person(full_name="Mary Somerville"))
    documents = [document("p1", "Fission"), document("p2", "Fusion")]
    once(Script([*documents, dataset(1)]))
    with psycopg.connect(database_url) as connection:
        store.write_dataset_members(connection, "d1", [mary], store.Origin("files"))
    assert [searched(*one) for one in (("document", "somerville"), ("dataset", "fission"))] == [
        ["p1"],
        ["d1"],
    ]

    once(Script([*documents, dataset(1, documents=["p2"])]), listing=True)
    assert [searched("dataset", word) for word in ("fusion", "fission")] == [["d1"], []]
    assert searched("document", "somerville") == ["p2"]

    once(Script([*documents, dataset(1, documents=[])]), listing=True)
    assert [searched("dataset", word) for word in ("fusion", "somerville")] == [[], ["d1"]]
    assert searched("document", "somerville") == []

    once(Script([*documents, dataset(1, documents=[]), naming("p9", 1)]), listing=True)
    assert searched("dataset", "publication") == ["d1"]
    assert searched("document", "somerville") == ["p9"]


def test_a_proposal_names_its_datasets_where_they_do_not(once: Once, rows: Rows) -> None:
    def group(pid: str, *numbers: int) -> None:
        records = [replace(dataset(n), record=dataset(n).record.model_copy()) for n in range(4)]
        described: list[DatasetRecord] = []
        for one in records:
            assert isinstance(one.record, DatasetRecord)
            one.record.__pydantic_fields_set__.discard("documents")
            one.record.documents = None
            described.append(one.record)
        header = document(pid)
        assert isinstance(header.record, DocumentRecord)
        header.record.datasets = [described[n] for n in numbers]
        once(Script([*records, header]), listing=True)

    def grouped() -> set[tuple[str, str, str | None]]:
        found = rows(
            "SELECT p.pid AS document, d.pid AS dataset, o.pid AS owner FROM document_dataset l "
            "JOIN document p ON p.id = l.document_id JOIN dataset d ON d.id = l.dataset_id "
            "LEFT JOIN document o ON o.id = d.document_id"
        )
        return {(row["document"], row["dataset"], row["owner"]) for row in found}

    group("p1", 0, 1)
    assert grouped() == {("p1", "d0", "p1"), ("p1", "d1", "p1")}
    group("p1", 1, 2)
    assert grouped() == {("p1", "d1", "p1"), ("p1", "d2", "p1")}


def naming(pid: str, *numbers: int) -> Fetched:
    """A document that names its datasets."""
    datasets = [DatasetRecord(pid=f"d{number}", title="") for number in numbers]
    return Fetched(DocumentRecord(pid=pid, title="a publication", datasets=datasets), pid)


def linked(rows: Rows) -> set[tuple[str, str]]:
    found = rows(
        "SELECT p.pid AS document, d.pid AS dataset FROM document_dataset l "
        "JOIN document p ON p.id = l.document_id JOIN dataset d ON d.id = l.dataset_id"
    )
    return {(row["document"], row["dataset"]) for row in found}


def test_a_publication_may_come_before_its_datasets(once: Once, rows: Rows) -> None:
    once(Script([naming("p9", 1, 2), dataset(1, documents=[])]))
    assert linked(rows) == {("p9", "d1")}
    once(Script([naming("p9", 1, 2), dataset(1, documents=[]), dataset(2, documents=["p1"])]), listing=True)
    assert linked(rows) == {("p9", "d1"), ("p9", "d2"), ("p1", "d2")}
    owners = rows(
        "SELECT d.pid AS dataset, p.pid AS owner FROM dataset d JOIN document p ON p.id = d.document_id"
    )
    assert {row["dataset"]: row["owner"] for row in owners} == {"d1": "p9", "d2": "p1"}


def test_of_two_documents_that_name_a_dataset_the_other_decides_when_one_drops_it(
    once: Once, rows: Rows
) -> None:
    """Without a document its embargo would end by its own dates, and earlier."""

    def undecided(number: int) -> Fetched:
        record = DatasetRecord(pid=f"d{number}", title="a measurement")
        return Fetched(record, str(number))

    once(Script([undecided(1), naming("p1", 1), naming("p2", 1)]))
    once(Script([undecided(1), naming("p1"), naming("p2", 1)]), listing=True)
    found = rows("SELECT p.pid FROM dataset d JOIN document p ON p.id = d.document_id WHERE d.pid = 'd1'")
    assert found == [{"pid": "p2"}]
    once(Script([undecided(1), naming("p1"), naming("p2")]), listing=True)
    assert rows("SELECT document_id FROM dataset") == [{"document_id": None}]


def test_what_was_refused_for_what_no_database_takes_is_reported(once: Once, rows: Rows) -> None:
    bad = Refused(Kind.DATASET, "2", "title: 'a\0b' and half of \ud800")
    once(replace(catalogue(1), refused=[bad]))
    assert rows("SELECT refused FROM source_record WHERE refused IS NOT NULL") == [
        {"refused": "title: 'a\\0b' and half of \\ud800"}
    ]


def test_a_record_that_is_refused_under_its_new_pid_stays_under_the_old_one(once: Once, shown: Shown) -> None:
    once(catalogue(3))
    script = catalogue(3)
    script.records[-1].record.pid = "x" * 9000 + "".join(chr(33 + n % 90) for n in range(9000))
    once(script, listing=True)
    assert set(shown("dataset")) == {"d0", "d1", "d2"}


def test_a_dataset_that_is_not_named_any_more_is_not_waited_for(once: Once, rows: Rows) -> None:
    once(Script([naming("p9", 1, 2)]))
    once(Script([naming("p9", 1)]), listing=True)
    once(Script([naming("p9", 1), dataset(1, documents=[]), dataset(2, documents=[])]), listing=True)
    assert linked(rows) == {("p9", "d1")}
    assert rows("SELECT 1 FROM awaited_dataset") == []


def test_a_source_takes_back_what_another_one_wrote_meanwhile(once: Once, shown: Shown) -> None:
    preferred, legacy = Script([dataset(1, "preferred")]), Script([dataset(1, "legacy")])
    once(preferred, name="preferred")
    once(legacy)
    assert shown("dataset") == {"d1": "legacy"}
    once(preferred, name="preferred", listing=True)
    once(legacy, listing=True, outranked_by=("preferred",))
    assert shown("dataset") == {"d1": "preferred"}


@pytest.mark.parametrize("first", ["preferred", "legacy"])
def test_of_two_sources_the_one_named_first_describes(
    once: Once, shown: Shown, rows: Rows, first: str
) -> None:
    def preferred() -> None:
        once(Script([dataset(1, "preferred")]), name="preferred", listing=True)

    def legacy() -> None:
        once(Script([dataset(1, "legacy"), dataset(2, "legacy")]), listing=True, outranked_by=("preferred",))

    steps = [preferred, legacy] if first == "preferred" else [legacy, preferred]
    for step in [*steps, *steps]:
        step()
    assert shown("dataset") == {"d1": "preferred", "d2": "legacy"}
    assert rows("SELECT source FROM dataset ORDER BY pid") == [{"source": "preferred"}, {"source": "legacy"}]


def test_the_second_source_takes_over_what_the_first_gives_up(once: Once, shown: Shown) -> None:
    legacy = Script([dataset(1, "legacy")])
    once(Script([dataset(1, "preferred")]), name="preferred")
    once(legacy, outranked_by=("preferred",))
    once(Script([]), name="preferred", listing=True)
    assert shown("dataset") == {"d1": "preferred"}
    once(legacy, listing=True, outranked_by=("preferred",))
    assert shown("dataset") == {"d1": "legacy"}
    once(Script([]), listing=True, outranked_by=("preferred",))
    assert shown("dataset") == {}


def test_what_is_refused_is_shown() -> None:
    refused = parsed(
        Kind.DATASET, "1", lambda: DatasetRecord.model_validate({"pid": "d1", "title": ["a"] * 99})
    )
    assert isinstance(refused, Refused)
    assert refused.message.startswith("title: Input should be a valid string; it is ['a', 'a',")
    assert len(refused.message) < 200


def test_half_a_character_is_refused() -> None:
    refused = parsed(Kind.DATASET, "1", lambda: DatasetRecord(pid="d1", title="caf\ud800"))
    assert isinstance(refused, Refused)
    assert "holds half of a surrogate pair" in refused.message
