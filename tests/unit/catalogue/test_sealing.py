"""Seals let lists pass over what stays closed: they change how long a list takes, never what it says."""

import asyncio
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from panosc_catalogue.database import Database
from panosc_catalogue.query import compile as sql
from panosc_catalogue.query.model import MODELS
from panosc_catalogue.query.parse import parse_filter
from panosc_catalogue.sealing import HOLD, LOOK_SECONDS, STAY, Sealing
from panosc_catalogue.settings import PolicyFile
from panosc_common.panet import LATEST, ontology
from unit.catalogue.service import fill
from unit.catalogue.visibility import EVERYWHERE, RELEASE, Catalogue

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
MONTHS = 36
CLOSED = "2026-05-01T00:00:00Z"
"""An end of measurement after which the embargo lasts beyond the seals."""
SOON = (NOW + timedelta(minutes=20)).replace(year=NOW.year - 3)
"""One after which it ends within the time for which seals hold."""


@dataclass
class Seals:
    """The sealing of one database, by a policy and a clock of the test."""

    url: str
    policy_file: Path
    connection: psycopg.Connection[Any]
    now: datetime = NOW
    sealing: Sealing = field(init=False)

    def look(self) -> None:
        """Look over what there is, as a process that starts."""

        async def run() -> None:
            database = Database(self.url, size=2, statement_timeout_seconds=20)
            async with database.opened():
                self.sealing = Sealing(database, PolicyFile(self.policy_file), lambda: self.now)
                await self.sealing.look()

        asyncio.run(run())

    def embargo(self, months: int) -> None:
        self.policy_file.write_text(json.dumps({"embargo": {"months": months}}))

    def sealed(self) -> list[str]:
        rows = self.connection.execute("SELECT pid FROM dataset WHERE sealed ORDER BY pid")
        return [pid for (pid,) in rows]

    def listed(self, *, past_sealed: bool, **query: Any) -> list[str]:
        found = sql.items(parse_filter(MODELS["Dataset"], query, ontology(LATEST)))
        policy = PolicyFile(self.policy_file).current()
        bound = sql.bind(found, policy, self.now, past_sealed=past_sealed)
        row = self.connection.execute(*bound).fetchone()
        assert row
        return [item["pid"] for item in json.loads(row[0])]

    def shown(self) -> list[str]:
        """What lists show as a service would ask, which is the same with and without seals."""
        hold = self.sealing.hold()
        for query in ({}, {"order": "creationDate DESC"}, {"query": "Run"}):
            assert self.listed(past_sealed=hold, **query) == self.listed(past_sealed=False, **query)
        return self.listed(past_sealed=hold)


@pytest.fixture
def seals(database_url: str, tmp_path: Path) -> Iterator[Seals]:
    ends = {"closed": CLOSED, "soon": SOON.isoformat(), "open": "2020-01-01T00:00:00Z", "unknown": None}
    documents = [
        {
            "kind": "Document",
            "pid": f"proposal/{name}",
            "title": "Proposal",
            "endDate": end,
            "datasets": [{"pid": name, "title": f"Run of {name}", "creationDate": end}],
        }
        for name, end in ends.items()
    ]
    fill(database_url, documents)
    with psycopg.connect(database_url, autocommit=True) as connection:
        made = Seals(database_url, tmp_path / "policy.json", connection)
        made.embargo(MONTHS)
        made.look()
        yield made


def test_what_stays_closed_is_sealed(seals: Seals) -> None:
    assert seals.sealing.hold()
    assert seals.sealed() == ["closed", "unknown"]
    assert seals.shown() == ["open"]


def test_without_the_rule_seals_would_hide(seals: Seals) -> None:
    """Which shows that the lists of these tests do pass over what is sealed."""
    seals.connection.execute("ALTER TABLE dataset DISABLE TRIGGER break_seal")
    seals.connection.execute("UPDATE dataset SET sealed = true WHERE pid = 'open'")
    assert seals.listed(past_sealed=True) == []
    assert seals.listed(past_sealed=False) == ["open"]


def test_the_end_of_an_embargo_shows_while_seals_hold(seals: Seals) -> None:
    seals.now += timedelta(minutes=20)
    assert seals.sealing.hold()
    assert seals.shown() == ["open", "soon"]


def test_seals_that_nobody_looks_over_end_to_hold(seals: Seals) -> None:
    seals.now += HOLD
    assert not seals.sealing.hold()


def test_what_opens_soon_is_unsealed_by_the_next_look(seals: Seals) -> None:
    ends = datetime(2029, 5, 1, tzinfo=UTC)
    seals.now = ends - STAY / 2
    seals.look()
    assert "closed" in seals.sealed()
    seals.now = ends - HOLD / 2
    seals.look()
    assert seals.sealed() == ["unknown"]
    assert seals.sealing.hold()
    seals.now = ends
    assert seals.shown() == ["closed", "open", "soon"]


def test_a_shorter_embargo_opens_at_once_and_is_looked_over(seals: Seals) -> None:
    seals.embargo(0)
    assert not seals.sealing.hold()
    assert seals.shown() == ["closed", "open", "soon"]
    seals.look()
    assert seals.sealing.hold()
    assert seals.sealed() == ["unknown"]
    assert seals.shown() == ["closed", "open", "soon"]


def test_a_longer_embargo_closes_at_once(seals: Seals) -> None:
    seals.embargo(12 * 30)
    assert seals.shown() == []
    seals.look()
    assert seals.sealed() == ["closed", "open", "soon", "unknown"]


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE document SET released_at = '2026-01-01Z' WHERE pid = 'proposal/closed'",
        "UPDATE document SET release_date = '2026-01-01Z' WHERE pid = 'proposal/closed'",
        "UPDATE document SET end_date = '2010-01-01Z' WHERE pid = 'proposal/closed'",
        "UPDATE dataset SET released_at = '2026-01-01Z' WHERE pid = 'closed'",
        "UPDATE dataset SET released = true WHERE pid = 'closed'",
        """UPDATE dataset SET document_id = (SELECT id FROM document WHERE pid = 'proposal/open')
           WHERE pid = 'closed'""",
    ],
)
def test_whatever_opens_a_dataset_breaks_its_seal(seals: Seals, change: str) -> None:
    seals.connection.execute(change)
    assert seals.sealed() == ["unknown"]
    assert seals.sealing.hold()
    assert seals.shown() == ["closed", "open"]


def test_the_measured_end_of_a_proposal_breaks_seals(seals: Seals) -> None:
    seals.connection.execute(
        "UPDATE document SET measured_end = '2010-01-01Z' WHERE pid = 'proposal/unknown'"
    )
    assert seals.sealed() == ["closed"]
    assert seals.shown() == ["open", "unknown"]


@pytest.mark.parametrize(
    "decision",
    [
        "UPDATE document SET released_at = '2026-01-01Z' WHERE pid = 'proposal/closed'",
        "UPDATE dataset SET released = true WHERE pid = 'closed'",
    ],
)
def test_what_is_being_decided_is_not_sealed(seals: Seals, decision: str) -> None:
    seals.connection.execute("UPDATE dataset SET sealed = false")
    seals.connection.execute("DELETE FROM sealing")
    with psycopg.connect(seals.url) as deciding:
        deciding.execute(decision)
        seals.look()
        deciding.commit()
    assert seals.sealing.hold()
    assert seals.sealed() == ["unknown"]
    assert seals.shown() == ["closed", "open"]


def test_seals_are_no_change_for_harvesters(seals: Seals) -> None:
    seals.connection.execute("UPDATE dataset SET sealed = false")
    seals.connection.execute("DELETE FROM oai_stale")
    seals.connection.execute("DELETE FROM sealing")
    seals.look()
    assert seals.sealed() == ["closed", "unknown"]
    assert seals.connection.execute("SELECT count(*) FROM oai_stale").fetchone() == (0,)


def test_a_service_seals_what_it_serves(catalogue: Catalogue) -> None:
    catalogue.now = RELEASE - 2 * STAY
    sealed = "SELECT pid FROM dataset WHERE sealed"
    deadline = time.monotonic() + 3 * LOOK_SECONDS
    while catalogue.connection.execute(sealed).fetchone() is None and time.monotonic() < deadline:
        # Its first look may have been, or be under way, with the clock of before.
        catalogue.connection.execute("DELETE FROM sealing")
        time.sleep(0.2)
    assert catalogue.connection.execute(sealed).fetchone() == ("d/1",)
    assert catalogue.visible() == set()
    catalogue.now = RELEASE
    assert len(catalogue.visible()) == EVERYWHERE
