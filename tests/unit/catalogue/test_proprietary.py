"""A dataset is of proprietary beamtime if any of its documents is: kept with it, whatever happens when."""

import random
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import psycopg
import pytest

Connection = psycopg.Connection[Any]
Change = Callable[[Connection], None]

WRONG = """
SELECT d.pid FROM dataset d WHERE d.proprietary <> EXISTS (
    SELECT FROM document_dataset l JOIN document p ON p.id = l.document_id
    WHERE l.dataset_id = d.id AND coalesce(p.proprietary_decided, p.proprietary))
"""
NUMBERS = range(1, 6)


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    with psycopg.connect(database_url, autocommit=True) as connection:
        for table in ("document", "dataset"):
            type_of = ", type" if table == "document" else ""
            value = ", 'proposal'" if table == "document" else ""
            connection.execute(
                f"INSERT INTO {table} (pid, title{type_of}) "
                f"SELECT n, n{value} FROM generate_series(1, {len(NUMBERS)}) AS n"
            )
        yield connection


def link(connection: Connection, document: int, dataset: int) -> None:
    connection.execute(
        "INSERT INTO document_dataset VALUES (%s, %s) ON CONFLICT DO NOTHING", (document, dataset)
    )


def unlink(connection: Connection, document: int, dataset: int) -> None:
    arguments = (document, dataset)
    connection.execute("DELETE FROM document_dataset WHERE document_id = %s AND dataset_id = %s", arguments)


def mark(connection: Connection, document: int, *, proprietary: bool) -> None:
    connection.execute("UPDATE document SET proprietary = %s WHERE id = %s", (proprietary, document))


def decide(connection: Connection, document: int, decided: bool | None) -> None:
    connection.execute("UPDATE document SET proprietary_decided = %s WHERE id = %s", (decided, document))


def test_it_follows_whatever_is_linked_and_decided(connection: Connection) -> None:
    dice = random.Random(1)
    seen = set()
    for _ in range(300):
        document, dataset = dice.choice(NUMBERS), dice.choice(NUMBERS)
        changes: list[Change] = [
            partial(link, document=document, dataset=dataset),
            partial(unlink, document=document, dataset=dataset),
            partial(mark, document=document, proprietary=dice.random() < 0.3),
            partial(decide, document=document, decided=dice.choice([None, None, True, False])),
        ]
        dice.choice(changes)(connection)
        assert connection.execute(WRONG).fetchall() == []
        counted = connection.execute("SELECT count(*) FROM dataset WHERE proprietary").fetchone()
        seen.add(counted)
    assert len(seen) > 2


LINK_1: Change = partial(link, document=1, dataset=1)
LINK_2: Change = partial(link, document=2, dataset=1)
UNLINK_2: Change = partial(unlink, document=2, dataset=1)
MARK_1: Change = partial(mark, document=1, proprietary=True)
UNMARK_2: Change = partial(mark, document=2, proprietary=False)


@pytest.mark.parametrize(
    ("before", "first", "second"),
    [
        ([], LINK_1, MARK_1),
        ([], MARK_1, LINK_1),
        ([MARK_1, LINK_2], UNLINK_2, LINK_1),
        ([MARK_1, LINK_2], LINK_1, UNLINK_2),
        ([LINK_1, LINK_2], MARK_1, UNMARK_2),
        ([LINK_1, LINK_2], UNMARK_2, MARK_1),
    ],
    ids=["link-mark", "mark-link", "unlink-link", "link-unlink", "mark-unmark", "unmark-mark"],
)
def test_of_two_changes_at_the_same_time_none_is_overlooked(
    connection: Connection, database_url: str, before: list[Change], first: Change, second: Change
) -> None:
    """The second begins before the first has ended, and cannot see it yet."""
    mark(connection, 2, proprietary=True)
    for change in before:
        change(connection)
    with psycopg.connect(database_url) as one, psycopg.connect(database_url) as other:
        first(one)

        def at_the_same_time() -> None:
            second(other)
            other.commit()

        thread = threading.Thread(target=at_the_same_time)
        thread.start()
        thread.join(0.3)
        one.commit()
        thread.join(10)
        assert not thread.is_alive()
    assert connection.execute(WRONG).fetchall() == []
    assert connection.execute("SELECT proprietary FROM dataset WHERE id = 1").fetchone() == (True,)
