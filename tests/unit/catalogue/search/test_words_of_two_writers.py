"""Words follow what is committed last, whoever makes them meanwhile."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from panosc_catalogue import store
from panosc_catalogue.records import DatasetRecord

LOCKED = "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)"
WRONG = """
SELECT d.pid, s.words FROM dataset d JOIN dataset_search s ON s.id = d.id
WHERE (SELECT array_agg(technique_word(technique_id)) FROM dataset_technique WHERE dataset_id = d.id)
    <> ARRAY(SELECT word FROM unnest(tsvector_to_array(s.words)) word WHERE word LIKE '#%')
"""


def write(connection: psycopg.Connection[Any], technique: str) -> None:
    record = {"pid": "d", "title": "Iron", "techniques": [{"pid": technique, "name": technique}]}
    store.write(connection, [DatasetRecord.model_validate(record)], store.Origin("load"))


@pytest.fixture
def connection(database_url: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(database_url, autocommit=True) as connection:
        with connection.transaction():
            write(connection, "before")
        yield connection


def test_what_waits_for_its_words_is_looked_at_when_whoever_writes_has_done(
    connection: psycopg.Connection[Any], database_url: str
) -> None:
    connection.execute("INSERT INTO search_pending SELECT id FROM dataset")

    def settle() -> None:
        with psycopg.connect(database_url, autocommit=True) as other:
            store.settle_words(other)

    settling = threading.Thread(target=settle)
    with psycopg.connect(database_url) as writer, psycopg.connect(database_url, autocommit=True) as watching:
        # Each writer takes some of what waits, this one not that.
        with connection.transaction():
            connection.execute("SELECT FROM search_pending FOR UPDATE")
            write(writer, "after")
        settling.start()
        deadline = time.monotonic() + 5
        while watching.execute(LOCKED).fetchone() != (True,) and time.monotonic() < deadline:
            time.sleep(0.02)
        writer.commit()
    settling.join(30)

    assert connection.execute(WRONG).fetchall() == []
