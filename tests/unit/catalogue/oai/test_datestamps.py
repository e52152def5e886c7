"""Datestamps move when, and only when, what harvesters read of a record changes."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from panosc_catalogue.oai import upkeep
from panosc_catalogue.web.app import create_app
from unit.catalogue.oai.harvester import OAI, Catalogue
from unit.catalogue.service import serving, settings

END = datetime(2024, 2, 29, 15, tzinfo=UTC)
RELEASE = datetime(2027, 2, 28, 15, tzinfo=UTC)
FIRST = datetime(2024, 3, 1, 8, tzinfo=UTC)
LATER = datetime(2024, 6, 1, 9, 30, tzinfo=UTC)
DOCUMENT, DATASET = "documents/doc", "datasets/set"
"""Names of the records."""


def proposal(**changes: Any) -> dict[str, Any]:
    dataset = {
        "pid": "set",
        "title": "Run",
        "creationDate": END,
        "instrument": {"pid": "i", "name": "Beamline", "facility": "F"},
        "techniques": [{"pid": "t", "name": "SANS", "panetId": "PaNET01124"}],
        "samples": [{"pid": "s", "name": "iron"}],
        "files": [{"name": "a.nxs", "size": 1}],
    }
    member = {"role": "proposer", "person": {"id": "1", "fullName": "Ada"}, "affiliation": {"name": "Place"}}
    return {
        "pid": "doc",
        "title": "Proposal",
        "endDate": END,
        "members": [member],
        "datasets": [{**dataset, **changes}],
    }


def stamp(instant: datetime) -> str:
    return instant.strftime("%Y-%m-%dT%H:%M:%SZ")


def test_an_embargo_ends_at_its_second_without_any_write(catalogue: Catalogue) -> None:
    catalogue.now = FIRST
    catalogue.write(**proposal())
    assert catalogue.stamps() == {DOCUMENT: stamp(FIRST)}
    assert "Run" not in catalogue.client.get("/oai?verb=ListRecords&metadataPrefix=datacite").text
    catalogue.now = RELEASE - timedelta(seconds=1)
    assert catalogue.stamps() == {DOCUMENT: stamp(FIRST)}
    assert "info:eu-repo/semantics/embargoedAccess" in list(catalogue.record(DOCUMENT, "oai_dc").itertext())
    assert catalogue.error(
        f"verb=GetRecord&metadataPrefix=oai_dc&identifier=oai:catalogue.example.org:{DATASET}"
    )
    catalogue.now = RELEASE
    assert catalogue.stamps() == {DOCUMENT: stamp(RELEASE), DATASET: stamp(RELEASE)}
    assert "info:eu-repo/semantics/openAccess" in list(catalogue.record(DOCUMENT, "oai_dc").itertext())
    assert "Run" in list(catalogue.record(DATASET, "oai_dc").itertext())
    catalogue.now = RELEASE + timedelta(days=1)
    assert catalogue.stamps() == {DOCUMENT: stamp(RELEASE), DATASET: stamp(RELEASE)}


def test_technique_and_instrument_are_secret_until_the_embargo_ends(catalogue: Catalogue) -> None:
    catalogue.now = FIRST
    catalogue.write(**proposal())
    assert (
        catalogue.error("verb=ListRecords&metadataPrefix=oai_dc&set=technique:PaNET01124") == "noRecordsMatch"
    )
    assert "small angle scattering" not in list(catalogue.ask("verb=ListSets").itertext())
    catalogue.now = RELEASE
    assert "small angle scattering" in list(catalogue.ask("verb=ListSets").itertext())


@pytest.fixture
def released(catalogue: Catalogue) -> Catalogue:
    """One proposal with one public dataset, harvested at FIRST."""
    catalogue.now = FIRST
    catalogue.write(**proposal(isPublic=True))
    assert catalogue.stamps() == {DOCUMENT: stamp(FIRST), DATASET: stamp(FIRST)}
    catalogue.now = LATER
    return catalogue


def test_loading_the_same_again_moves_nothing(released: Catalogue) -> None:
    released.write(**proposal(isPublic=True))
    released.connection.execute("UPDATE person SET full_name = full_name")
    assert released.stamps() == {DOCUMENT: stamp(FIRST), DATASET: stamp(FIRST)}


BOTH = {DOCUMENT, DATASET}
CHANGES: dict[str, tuple[str, set[str]]] = {
    "title of the document": ("UPDATE document SET title = 'New'", BOTH),
    "title of the dataset": ("UPDATE dataset SET title = 'New'", BOTH),
    "DOI of the dataset": ("UPDATE dataset SET doi = '10.5072/1'", BOTH),
    "DOI of the document": ("UPDATE document SET doi = '10.5072/1'", BOTH),
    "person": ("UPDATE person SET full_name = 'Ada Lovelace'", BOTH),
    "affiliation": ("UPDATE affiliation SET name = 'Elsewhere'", BOTH),
    "member": ("DELETE FROM member", BOTH),
    "address of a member, which nobody reads": (
        "UPDATE member SET identity = 'email:ada@example.org'",
        set(),
    ),
    "groups, which nobody reads": ("UPDATE document SET groups = '{p17301}'", set()),
    "instrument": ("UPDATE instrument SET name = 'New'", BOTH),
    "technique": ("UPDATE technique SET name = 'small angle'", BOTH),
    "technique taken away": ("DELETE FROM dataset_technique", BOTH),
    "sample": ("UPDATE sample SET description = 'rusty'", {DATASET}),
    "file": (
        "INSERT INTO file (dataset_id, path, name, size) SELECT id, 'b', 'b', 5 FROM dataset",
        BOTH,
    ),
    "extension": ("UPDATE document SET extended_until = '2099-01-01'", {DOCUMENT}),
    "licence": ("UPDATE document SET license_decided = 'CC0-1.0'", BOTH),
    "licence of the dataset": ("UPDATE dataset SET license_decided = 'CC0-1.0'", {DATASET}),
    "parameter": (
        "INSERT INTO parameter (dataset_id, position, name) SELECT id, 0, 'p' FROM dataset",
        set(),
    ),
    "time of reading": ("UPDATE document SET fetched_at = now(), updated_at = now()", set()),
}


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_is_read_moves_the_stamp(released: Catalogue, change: str) -> None:
    sql, moved = CHANGES[change]
    released.connection.execute(sql)
    expected = {name: stamp(LATER if name in moved else FIRST) for name in BOTH}
    assert released.stamps() == expected
    incremental = f"verb=ListIdentifiers&metadataPrefix=oai_dc&from={stamp(LATER)}"
    if moved:
        assert set(released.stamps(from_=stamp(LATER))) == moved
    else:
        assert released.error(incremental) == "noRecordsMatch"


def test_another_policy_moves_the_stamps(catalogue: Catalogue) -> None:
    catalogue.now = FIRST
    catalogue.write(**proposal())
    catalogue.stamps()
    catalogue.now = LATER
    catalogue.policy_file.write_text('{"embargo": {"months": 1}}')
    assert catalogue.stamps() == {DOCUMENT: stamp(LATER), DATASET: stamp(LATER)}
    catalogue.now = LATER + timedelta(hours=1)
    catalogue.policy_file.write_text('{"embargo": {"months": 1}, "license": "CC0-1.0"}')
    assert set(catalogue.stamps().values()) == {stamp(catalogue.now)}


def test_what_was_public_is_deleted_for_good(released: Catalogue) -> None:
    released.connection.execute("UPDATE dataset SET deleted_at = now()")
    assert released.stamps() == {DOCUMENT: stamp(LATER), DATASET: f"deleted {stamp(LATER)}"}
    gone = released.record(DATASET)
    assert gone.find(f"{OAI}metadata") is None
    assert released.client.get("/datasets/set").status_code == 410
    assert "technique:PaNET01124" in list(gone.itertext())
    released.now = LATER + timedelta(days=400)
    assert released.stamps()[DATASET] == f"deleted {stamp(LATER)}"
    released.write(**proposal(isPublic=True))
    assert released.stamps()[DATASET] == stamp(released.now)


def test_what_was_never_public_leaves_no_trace(catalogue: Catalogue) -> None:
    catalogue.now = FIRST
    catalogue.write(**proposal())
    catalogue.stamps()
    catalogue.connection.execute("UPDATE dataset SET deleted_at = now()")
    catalogue.now = RELEASE
    assert set(catalogue.stamps()) == {DOCUMENT}
    assert catalogue.client.get("/datasets/set").status_code == 404


def test_proprietary_beamtime_is_nowhere(catalogue: Catalogue) -> None:
    catalogue.now = RELEASE
    catalogue.write(**proposal(isPublic=True))
    catalogue.connection.execute("UPDATE document SET proprietary = true")
    assert catalogue.error("verb=ListRecords&metadataPrefix=oai_dc") == "noRecordsMatch"


def test_what_became_proprietary_is_deleted(released: Catalogue) -> None:
    released.connection.execute("UPDATE document SET proprietary_decided = true")
    assert released.stamps() == {name: f"deleted {stamp(LATER)}" for name in BOTH}


def test_an_extension_after_the_release_withdraws(catalogue: Catalogue) -> None:
    catalogue.now = RELEASE
    catalogue.write(**proposal())
    assert set(catalogue.stamps()) == BOTH
    catalogue.now = RELEASE + timedelta(hours=1)
    catalogue.connection.execute("UPDATE document SET extended_until = '2028-01-01'")
    assert catalogue.stamps()[DATASET] == f"deleted {stamp(catalogue.now)}"
    catalogue.now = datetime(2028, 1, 1, tzinfo=UTC)
    assert catalogue.stamps()[DATASET] == stamp(catalogue.now)


def test_what_a_scan_finds_appears_when_it_ends(catalogue: Catalogue) -> None:
    catalogue.now = RELEASE
    execute = catalogue.connection.execute
    execute("INSERT INTO ingest_source (name, reading, unsettled_since) VALUES ('load', '', '2000-01-01')")
    catalogue.write(**proposal())
    assert set(catalogue.stamps()) == {DOCUMENT}
    catalogue.now += timedelta(minutes=1)
    execute("UPDATE ingest_source SET unsettled_since = NULL")
    assert catalogue.stamps()[DATASET] == stamp(catalogue.now)


def test_a_transaction_counts_from_its_commit_on(catalogue: Catalogue, database_url: str) -> None:
    catalogue.write(pid="early", title="Early")
    with psycopg.connect(database_url) as writer:
        writer.execute("INSERT INTO document (pid, type, title) VALUES ('late', 'proposal', 'Late')")
        answer = catalogue.ask("verb=ListIdentifiers&metadataPrefix=oai_dc")
        harvested_at = answer.findtext(f"{OAI}responseDate", "")
        assert len(list(answer.iter(f"{OAI}header"))) == 1
        writer.commit()
    assert "documents/late" in catalogue.stamps(from_=harvested_at)


def test_no_answer_while_there_is_much_to_compare(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalogue.connection.execute(
        "INSERT INTO document (pid, type, title) SELECT n, 'proposal', n FROM generate_series(1, 6000) AS n"
    )
    monkeypatch.setattr("panosc_catalogue.oai.upkeep.PATIENCE_SECONDS", 0.01)
    answer = catalogue.client.get("/oai?verb=Identify")
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    monkeypatch.setattr("panosc_catalogue.oai.upkeep.PATIENCE_SECONDS", 60)
    assert len(catalogue.stamps()) == 200


def test_stamped_is_also_what_nobody_harvests(database_url: str, tmp_path: Path) -> None:
    with (
        psycopg.connect(database_url, autocommit=True) as connection,
        serving(create_app(settings(database_url, tmp_path, stamp_seconds=0.05))),
    ):
        connection.execute("INSERT INTO document (pid, type, title) VALUES ('d', 'proposal', 'D')")
        for _ in range(200):
            if connection.execute("SELECT 1 FROM oai_record WHERE state = 'live'").fetchone():
                return
            time.sleep(0.1)
    pytest.fail("nothing was stamped")


def test_a_change_between_the_first_looks_at_a_dataset_and_at_its_document_is_seen(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The dataset is compared in one transaction, its document in the next one, which is new to it, too."""
    monkeypatch.setattr("panosc_catalogue.oai.upkeep.BATCH", 1)
    compare, waiting = upkeep._Look.compare, ["UPDATE person SET full_name = 'Grace'"]

    async def compare_then_change(self: upkeep._Look) -> bool:
        if (
            waiting
            and catalogue.connection.execute("SELECT FROM oai_record WHERE kind = 'datasets'").rowcount
        ):
            catalogue.connection.execute(waiting.pop())
        return await compare(self)

    monkeypatch.setattr(upkeep._Look, "compare", compare_then_change)
    catalogue.now = FIRST
    catalogue.write(**proposal(isPublic=True))
    assert catalogue.stamps() == {DOCUMENT: stamp(FIRST), DATASET: stamp(FIRST)}
    assert waiting == []
    catalogue.now = LATER
    monkeypatch.setattr("panosc_catalogue.oai.upkeep.BATCH", 1000)
    assert catalogue.stamps() == {DOCUMENT: stamp(FIRST), DATASET: stamp(FIRST)}, "all was told at FIRST"
    digests = "SELECT kind, digest FROM oai_record ORDER BY kind"
    told = catalogue.connection.execute(digests).fetchall()
    catalogue.connection.execute("INSERT INTO oai_stale SELECT kind, record FROM oai_record")
    catalogue.stamps()
    assert catalogue.connection.execute(digests).fetchall() == told, "a look would find nothing new"


def test_what_takes_too_long_for_one_look_takes_more_of_them(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here each record takes longer than a statement may, so that no batch of two ends in time."""
    monkeypatch.setattr(upkeep, "ONE_SECONDS", 30)
    slow = upkeep._COMPARE["documents"].replace(
        "WHERE num_nonnulls(t.id, o.id) > 0",
        "WHERE num_nonnulls(t.id, o.id) > 0 AND pg_sleep(0.6) IS NOT NULL",
    )
    monkeypatch.setitem(upkeep._COMPARE, "documents", slow)
    given = settings(database_url, tmp_path, statement_timeout_seconds=0.5, stamp_seconds=0.1)
    with psycopg.connect(database_url, autocommit=True) as connection, serving(create_app(given)):
        connection.execute(
            "INSERT INTO document (pid, type, title) SELECT n, 'proposal', n FROM generate_series(1, 5) AS n"
        )
        for _ in range(300):
            if connection.execute("SELECT FROM oai_record WHERE state = 'live'").rowcount == 5:
                return
            time.sleep(0.1)
    pytest.fail("nothing was stamped")
