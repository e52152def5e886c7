"""What PostgreSQL does to answer a search: it reads few pages of few rows, however many there are."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from bench.population import populate
from panosc_catalogue.query import compile as sql
from panosc_catalogue.query import tags
from panosc_catalogue.query.model import MODELS
from panosc_catalogue.query.parse import parse_filter
from panosc_catalogue.query.syntax import RANKED
from panosc_common.panet import LATEST, ontology
from panosc_common.policy import DataPolicy
from panosc_operator.kinds.postgresql import tuned
from support import postgres

DATASETS = 20_000
NOW = datetime(2030, 1, 1, tzinfo=UTC)
"""When all of them are public."""
LARGE = {"dataset", "parameter", "dataset_technique", "file"}
"""Tables that grow with the datasets."""
TECHNIQUE = {"relation": "techniques", "scope": {"where": {"name": "small angle scattering"}}}
ENERGY = {
    "relation": "parameters",
    "scope": {"where": {"name": "photon_energy", "value": {"between": [9, 12]}, "unit": "keV"}},
}
RARE = {"relation": "techniques", "scope": {"where": {"name": "muon spin spectroscopy"}}}
MIDDLE: dict[str, Any] = {"order": "title ASC"}
# Each may read about three times the pages that it did when this was written. The tables have thousands, and
# whoever goes through an index of all rows reads tens of thousands.
QUERIES: dict[str, tuple[dict[str, Any], int]] = {
    "plain list": ({}, 200),
    "newest": ({"order": "creationDate DESC"}, 200),
    "technique and parameter range": ({"include": [TECHNIQUE, ENERGY]}, 2_700),
    "technique that few have": ({"include": [RARE]}, 200),
    "text and technique": ({"query": "LaNiO3", "include": [TECHNIQUE]}, 5_000),
    "text": ({"query": "LaNiO3"}, 4_000),
    "text, technique and parameter range": ({"query": "LaNiO3", "include": [TECHNIQUE, ENERGY]}, 5_000),
    "page in the middle": (MIDDLE, 250),
}


@pytest.fixture(scope="module")
def connection(server: postgres.Server, template: str) -> Iterator[psycopg.Connection[Any]]:
    name = server.create(template)
    populate(server.url(name), DATASETS)
    with psycopg.connect(server.url(name), autocommit=True) as connection:
        connection.execute(
            "WITH rare AS ("
            "INSERT INTO technique (pid, name) VALUES ('muons', 'muon spin spectroscopy') RETURNING id"
            ") UPDATE dataset SET technique_ids = technique_ids || rare.id FROM rare "
            "WHERE dataset.id % 4000 = 0"
        )
        connection.execute("VACUUM ANALYZE")
    # As the service's connections have it, and the operator's databases.
    options = (
        "-c plan_cache_mode=force_custom_plan -c jit=off -c max_parallel_workers_per_gather=0 "
        f"-c random_page_cost={tuned(1024)['random_page_cost']}"
    )
    with psycopg.connect(server.url(name), autocommit=True, options=options) as connection:
        yield connection
    server.drop(name)


def place_in_the_middle(connection: psycopg.Connection[Any]) -> tuple[str, ...]:
    """What a cursor tells that begins there."""
    middle = "SELECT title, pid FROM dataset ORDER BY title, pid OFFSET %s LIMIT 1"
    row: tuple[str, ...] | None = connection.execute(middle, (DATASETS // 2,)).fetchone()
    assert row
    return row


def plan(connection: psycopg.Connection[Any], query: dict[str, Any]) -> dict[str, Any]:
    """What PostgreSQL did for a page of 20."""
    after = place_in_the_middle(connection) if query is MIDDLE else ()
    asked = parse_filter(MODELS["Dataset"], {"limit": 20} | query, ontology(LATEST))
    if techniques := sql.techniques(asked):
        ids = connection.execute(*sql.bind(techniques, DataPolicy(), NOW)).fetchone()
        asked = tags.known(asked, ids or ())
    statement = sql.bounded(sql.page(replace(asked, after=after)), 2**26)
    text, values = sql.bind(statement, DataPolicy(), NOW)
    row = connection.execute(f"EXPLAIN (FORMAT JSON, ANALYZE, BUFFERS) {text}", values).fetchone()
    assert row
    found: dict[str, Any] = row[0][0]["Plan"]
    return found


def pids(connection: psycopg.Connection[Any], query: dict[str, Any], model: str = "Dataset") -> list[str]:
    asked = parse_filter(MODELS[model], query | {"fields": ["pid"]}, ontology(LATEST))
    text, values = sql.bind(sql.items(asked), DataPolicy(), NOW)
    row = connection.execute(text, values).fetchone()
    assert row
    return [item["pid"] for item in json.loads(row[0])]


def nodes(of: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield of
    for part in of.get("Plans", []):
        yield from nodes(part)


@pytest.mark.parametrize("what", QUERIES)
def test_few_pages_are_read_and_no_large_table_is_read_through(
    connection: psycopg.Connection[Any], what: str
) -> None:
    query, most = QUERIES[what]
    done = plan(connection, query)
    through = {node["Relation Name"] for node in nodes(done) if node["Node Type"] == "Seq Scan"}
    assert LARGE & through == set()
    assert done["Shared Hit Blocks"] + done["Shared Read Blocks"] < most


@pytest.mark.parametrize(
    "asked",
    [{}, {"include": [ENERGY]}, {"where": {"title": {"like": "run"}}}],
    ids=["text", "range", "title"],
)
def test_what_came_last_is_ranked(connection: psycopg.Connection[Any], asked: dict[str, Any]) -> None:
    everywhere = asked | {"query": "LaNiO3"}
    newest = pids(connection, everywhere | {"order": "creationDate DESC", "limit": RANKED})
    assert len(newest) == RANKED
    assert sorted(pids(connection, everywhere | {"limit": RANKED})) == sorted(newest)


def test_of_proposals_those_that_came_last_are_ranked(connection: psycopg.Connection[Any]) -> None:
    asked = {"query": "order"}
    newest = pids(connection, asked | {"order": "startDate DESC", "limit": RANKED}, "Document")
    assert len(newest) == RANKED
    assert sorted(pids(connection, asked | {"limit": RANKED}, "Document")) == sorted(newest)


def test_what_few_have_is_found_in_all_blocks(connection: psycopg.Connection[Any]) -> None:
    asked = {"query": "SANS LaNiO3", "limit": RANKED}
    (blocks,) = connection.execute("SELECT count(DISTINCT block_of(id)) FROM dataset").fetchone() or (0,)
    found = pids(connection, asked)
    assert 1 < blocks < len(found) < RANKED
    assert sorted(found) == sorted(pids(connection, asked | {"order": "pid"}))
