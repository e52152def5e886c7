"""Who sees what, and from which second on."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from panosc_catalogue import store
from panosc_catalogue.records import DocumentRecord
from panosc_common.policy import DataPolicy, Embargo, release_instant
from support import postgres
from unit.catalogue.service import get
from unit.catalogue.visibility import END, EVERYWHERE, RELEASE, Catalogue


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
        explicit=st.none() | moments,
        end=st.none() | moments | month_ends,
        months=st.integers(0, 1200),
        extended=st.none() | moments,
        released=st.none() | moments,
    )
    def agrees(
        explicit: datetime | None,
        end: datetime | None,
        months: int,
        extended: datetime | None,
        released: datetime | None,
    ) -> None:
        row = connection.execute(
            "SELECT release_instant(%s, %s, %s, %s, %s)", (explicit, end, months, extended, released)
        ).fetchone()
        policy = DataPolicy(embargo=Embargo(months=months))
        assert row == (
            release_instant(end, policy, explicit=explicit, extended_until=extended, released_at=released),
        )

    agrees()


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
