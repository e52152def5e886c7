"""Who sees what, and from which second on."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import psycopg
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from panosc_catalogue import store
from panosc_catalogue.records import DocumentRecord
from panosc_catalogue.web.app import create_app
from panosc_common.policy import DataPolicy, Embargo, release_instant
from support import postgres
from unit.catalogue.service import get, serving, settings

END = datetime(2024, 2, 29, 15, 0, tzinfo=UTC)
RELEASE = datetime(2027, 2, 28, 15, 0, tzinfo=UTC)  # 36 months later, in a year without 29 February


@pytest.fixture(scope="module")
def connection(server: postgres.Server, template: str) -> Iterator[psycopg.Connection[Any]]:
    name = server.create(template)
    # A session far from UTC: the rule must not depend on it.
    with psycopg.connect(
        server.url(name), autocommit=True, options="-c timezone=Pacific/Auckland"
    ) as connection:
        yield connection
    server.drop(name)


def test_the_database_agrees_with_the_policy_module(connection: psycopg.Connection[Any]) -> None:
    moments = st.datetimes(datetime(1980, 1, 1), datetime(2200, 12, 31), timezones=st.just(UTC))
    month_ends = st.builds(
        lambda year, month: (
            datetime(year + month // 12, month % 12 + 1, 1, 23, 59, 59, tzinfo=UTC) - timedelta(days=1)
        ),
        st.integers(1990, 2100),
        st.integers(0, 11),
    )

    @examples(max_examples=200, deadline=None, derandomize=True)
    @given(
        end=moments | month_ends,
        months=st.integers(0, 1200),
        extended=st.none() | moments,
        released=st.none() | moments,
    )
    def agrees(end: datetime, months: int, extended: datetime | None, released: datetime | None) -> None:
        row = connection.execute(
            "SELECT release_instant(NULL, %s, %s, %s, %s)", (end, months, extended, released)
        ).fetchone()
        policy = DataPolicy(embargo=Embargo(months=months))
        assert row == (release_instant(end, policy, extended_until=extended, released_at=released),)

    agrees()


@dataclass
class Catalogue:
    client: httpx2.Client
    connection: psycopg.Connection[Any]
    policy_file: Path
    now: datetime

    def visible(self) -> set[str]:
        """Every way in which the dataset can be seen, by name, of those that show it."""
        ask = self.client
        datasets = {"include": [{"relation": "datasets", "scope": {}}]}
        joined = json.dumps({"include": [{"relation": "datasets", "scope": {"where": {"pid": "d/1"}}}]})
        paths = {"paths": ["P1/run.nxs", "P1/other.nxs"]}
        seen = {
            "list": get(ask, "/api/Datasets") != [],
            "item": ask.get("/api/Datasets/d%2F1").status_code == 200,
            "count": get(ask, "/api/Datasets/count") == {"count": 1},
            "files": ask.get("/api/Datasets/d%2F1/files").status_code == 200,
            "file count": ask.get("/api/Datasets/d%2F1/files/count").status_code == 200,
            "document": get(ask, "/api/Documents", filter=json.dumps(datasets))[0]["datasets"] != [],
            "document join": get(ask, "/api/Documents", filter=joined) != [],
            "document count": get(ask, "/api/Documents/count", filter=joined) == {"count": 1},
            "instrument": get(ask, "/api/Instruments", filter=json.dumps(datasets))[0]["datasets"] != [],
            "archive files": ask.post("/internal/archives/a/visible", json=paths).json()["visible"]
            == ["P1/run.nxs"],
            "archive tree": get(ask, "/internal/archives/a/children")["entries"] != [],
            "archive dataset": ask.get("/internal/datasets/d%2F1/files").status_code == 200,
        }
        return {name for name, is_seen in seen.items() if is_seen}


EVERYWHERE = 12
"""Ways in which a dataset can be seen."""


@pytest.fixture
def catalogue(database_url: str, tmp_path: Path) -> Iterator[Catalogue]:
    record = DocumentRecord.model_validate(
        {
            "pid": "doc",
            "title": "Proposal",
            "endDate": END,
            "datasets": [
                {
                    "pid": "d/1",
                    "title": "Run",
                    "creationDate": END,
                    "instrument": {"pid": "i", "name": "I", "facility": "F"},
                    "samples": [{"pid": "s", "name": "secret sample"}],
                    "files": [{"name": "run.nxs", "path": "P1/run.nxs", "size": 1}],
                }
            ],
        }
    )
    with psycopg.connect(database_url, autocommit=True) as connection:
        with connection.transaction():
            store.write(connection, [record], store.Origin("beamlines", "a"))
        given = settings(database_url, tmp_path)
        held = Catalogue(None, connection, given.policy_file, RELEASE)  # type: ignore[arg-type]
        with serving(create_app(given, clock=lambda: held.now)) as held.client:
            yield held


def test_public_from_the_release_second_on(catalogue: Catalogue) -> None:
    catalogue.now = RELEASE - timedelta(seconds=1)
    assert catalogue.visible() == set()
    catalogue.now = RELEASE
    assert len(catalogue.visible()) == EVERYWHERE
    catalogue.now = RELEASE - timedelta(seconds=1)
    assert catalogue.visible() == set()


def test_metadata_of_the_proposal_are_public_from_the_start(catalogue: Catalogue) -> None:
    catalogue.now = END
    (document,) = get(catalogue.client, "/api/Documents")
    assert document["isPublic"] is True
    assert document["releaseDate"] == "2027-02-28T15:00:00.000Z"
    assert "secret sample" not in catalogue.client.get("/api/Documents").text


def test_a_changed_policy_holds_from_the_next_request_on(catalogue: Catalogue) -> None:
    catalogue.now = RELEASE - timedelta(days=300)
    assert catalogue.visible() == set()
    catalogue.policy_file.write_text('{"embargo": {"months": 12}}')
    assert len(catalogue.visible()) == EVERYWHERE
    catalogue.policy_file.write_text('{"embargo": {"months"')  # half written
    assert len(catalogue.visible()) == EVERYWHERE
    catalogue.policy_file.write_text('{"embargo": {"months": 48}}')
    assert catalogue.visible() == set()


def test_the_source_s_release_date_goes_before_the_policy(catalogue: Catalogue) -> None:
    catalogue.connection.execute("UPDATE document SET release_date = %s", (END,))
    catalogue.now = END
    assert len(catalogue.visible()) == EVERYWHERE


def test_without_any_date_only_an_explicit_release_opens(catalogue: Catalogue) -> None:
    catalogue.connection.execute("UPDATE document SET end_date = NULL")
    catalogue.connection.execute("UPDATE dataset SET creation_date = NULL")
    catalogue.now = datetime(2999, 1, 1, tzinfo=UTC)
    assert catalogue.visible() == set()
    catalogue.connection.execute("UPDATE dataset SET released = true")
    assert len(catalogue.visible()) == EVERYWHERE


def test_not_public_in_a_record_means_not_before_the_policy_says_so(catalogue: Catalogue) -> None:
    closed = {"pid": "d/1", "title": "Run", "isPublic": False}
    record = DocumentRecord.model_validate({"pid": "doc", "title": "Proposal", "datasets": [closed]})
    catalogue.connection.execute("UPDATE dataset SET released = true")
    with catalogue.connection.transaction():
        store.write(catalogue.connection, [record], store.Origin("load"))
    catalogue.now = RELEASE - timedelta(seconds=1)
    assert catalogue.visible() == set()
    catalogue.now = RELEASE
    assert len(catalogue.visible()) == EVERYWHERE


def test_a_withdrawn_dataset_is_kept_and_not_shown(catalogue: Catalogue) -> None:
    catalogue.now = RELEASE
    catalogue.connection.execute("UPDATE dataset SET deleted_at = now()")
    assert catalogue.visible() == set()
