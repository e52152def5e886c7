"""Pages that follow each other by cursor hold every item once, in order, whatever comes or goes meanwhile."""

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx2
import psycopg
import pytest
from panosc_catalogue.query import compile as sql
from panosc_catalogue.query.model import MODELS
from panosc_catalogue.query.parse import parse_filter
from panosc_catalogue.web.app import create_app
from panosc_common.panet import ontology
from panosc_common.policy import DataPolicy
from support import postgres
from unit.catalogue.service import fill, get, serving, settings

DATES = ["2020-01-01", "2021-05-05T12:00:00.123456Z", None]
TITLES = ["Ångström", "iron", "Iron", 'Iron, "quoted" & 100% <b>']
DATASETS: list[dict[str, Any]] = [
    {
        "pid": f"20.500/{number:03}",
        "title": TITLES[number % 4],
        "isPublic": True,
        "creationDate": DATES[number % 3],
        "size": [None, 5, 2**60, 0.0][number % 4] if number % 5 else None,
        "doi": f"10.1/{number}" if number % 2 else None,
        "techniques": [{"pid": "t1", "name": "SANS"}] if number % 3 else [],
    }
    for number in range(31)
]


@pytest.fixture
def url(server: postgres.Server, template: str) -> Iterator[str]:
    name = server.create(template)
    fill(server.url(name), [{"kind": "Dataset", **dataset} for dataset in DATASETS])
    yield server.url(name)
    server.drop(name)


@pytest.fixture
def client(url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx2.Client]:
    with serving(create_app(settings(url, tmp_path_factory.mktemp("files")))) as client:
        yield client


def pages(client: httpx2.Client, query: dict[str, Any]) -> Iterator[list[dict[str, Any]]]:
    """Every page, by the links that lead to the next."""
    response = client.get("/api/Datasets", params={"filter": json.dumps(query)})
    while True:
        assert response.status_code == 200, response.text
        yield response.json()
        if "Link" not in response.headers:
            assert "X-Next-Cursor" not in response.headers
            return
        link = response.headers["Link"]
        assert link.endswith('>; rel="next"')
        response = client.get(link.removeprefix("<").partition(">")[0])


ORDERS: list[Any] = [
    None,
    "pid DESC",
    "title ASC",
    "title DESC",
    "creationDate ASC",
    "creationDate DESC",
    "size DESC",
    "size ASC",
    "isPublic ASC",
    ["doi DESC", "creationDate ASC"],
    ["size ASC", "title DESC", "pid DESC"],
    ["creationDate DESC", "size DESC", "title ASC"],
]
JOIN = {"relation": "techniques", "scope": {"where": {"name": "SANS"}}}


@pytest.mark.parametrize("order", ORDERS, ids=str)
@pytest.mark.parametrize(
    "more",
    [{}, {"include": [JOIN]}, {"query": "SANS OR iron"}, {"where": {"title": {"ilike": "iron"}}, "skip": 2}],
    ids=["plain", "join", "query", "where-skip"],
)
def test_pages_are_the_whole_list(client: httpx2.Client, order: Any, more: dict[str, Any]) -> None:
    query = {**more, **({"order": order} if order else {})}
    whole = get(client, "/api/Datasets", filter=json.dumps(query))
    assert len(whole) > 8
    for limit in (1, 4):
        found = [item for page in pages(client, {**query, "limit": limit}) for item in page]
        assert found == whole


def test_pages_by_score(client: httpx2.Client) -> None:
    query = {"query": "SANS OR iron", "order": ["score ASC", "title ASC"]}
    whole = get(client, "/api/Datasets", filter=json.dumps(query))
    assert len({item["score"] for item in whole}) > 1
    assert [item for page in pages(client, {**query, "limit": 3}) for item in page] == whole


def test_what_comes_and_goes_moves_no_other_item(client: httpx2.Client, url: str) -> None:
    seen: list[str] = []
    with psycopg.connect(url, autocommit=True) as connection:
        for number, page in enumerate(pages(client, {"limit": 5, "order": "title ASC"})):
            seen += [item["pid"] for item in page]
            new = {"kind": "Dataset", "pid": f"new/{number}", "title": "A first one", "isPublic": True}
            fill(url, [new])
            connection.execute("UPDATE dataset SET deleted_at = now() WHERE pid = %s", (page[0]["pid"],))
    assert sorted(seen) == [dataset["pid"] for dataset in DATASETS]


def test_the_total_is_told_on_request(client: httpx2.Client) -> None:
    query = json.dumps({"limit": 2, "include": [JOIN]})
    assert "X-Total-Count" not in client.get("/api/Datasets", params={"filter": query}).headers
    response = client.get("/api/Datasets", params={"filter": query, "total": "true"})
    assert response.headers["X-Total-Count"] == "20"
    second = client.get(response.headers["Link"].removeprefix("<").partition(">")[0])
    assert second.headers["X-Total-Count"] == "20"


def test_a_link_too_long_for_headers_is_left_out(client: httpx2.Client) -> None:
    query = {"limit": 1, "where": {"pid": {"nin": ["x" * 60] * 100}}}
    response = client.get("/api/Datasets", params={"filter": json.dumps(query)})
    assert "Link" not in response.headers
    again = client.get(
        "/api/Datasets", params={"filter": json.dumps(query), "cursor": response.headers["X-Next-Cursor"]}
    )
    assert [item["pid"] for item in again.json()] == ["20.500/001"]


@pytest.mark.parametrize(
    ("order", "place", "condition"),
    [
        (None, ("20.500/010",), "pid > '20.500/010'"),
        ("creationDate DESC", ("2021-01-01", "20.500/010"), "<= '2021-01-01"),
        ("creationDate ASC", ("2021-01-01", "20.500/010"), ">= '2021-01-01"),
    ],
    ids=str,
)
def test_a_deep_page_begins_in_an_index(
    url: str, order: str | None, place: tuple[str, ...], condition: str
) -> None:
    query = parse_filter(MODELS["Dataset"], {"limit": 5, "order": order}, ontology("1.3.0"))
    statement, parameters = sql.bind(sql.page(replace(query, after=place)), DataPolicy(), None)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET enable_seqscan = off")
        connection.execute("SET enable_bitmapscan = off")
        rows = connection.execute("EXPLAIN " + statement, parameters).fetchall()
    conditions = [line for (line,) in rows if "Index Cond" in line and condition in line]
    assert conditions, "\n".join(line for (line,) in rows)


@pytest.mark.parametrize("model", ["Dataset", "Document", "Instrument"])
def test_the_plan_of_a_list_without_conditions_is_kept(url: str, model: str) -> None:
    """PostgreSQL plans a prepared statement once only where it has no parameters."""
    query = parse_filter(MODELS[model], {"limit": 20, "skip": 40, "order": "pid DESC"}, ontology("1.3.0"))
    statement, parameters = sql.bind(sql.bounded(sql.page(query), 1000), DataPolicy(), None)
    assert parameters == {}
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET plan_cache_mode = force_custom_plan")
        for _ in range(3):
            connection.execute(statement, parameters, prepare=True)
        plans = "SELECT generic_plans, custom_plans FROM pg_prepared_statements WHERE statement LIKE 'WITH%'"
        assert connection.execute(plans).fetchall() == [(3, 0)]


@pytest.mark.parametrize(
    "cursor", ["", "x", "!!!", "W10", "WzFd", "bnVsbA", "Å", "e30", "WyIiLCAiIl0", "\0", "A" * 9000]
)
def test_a_cursor_of_nowhere_is_refused(client: httpx2.Client, cursor: str) -> None:
    response = client.get("/api/Datasets", params={"cursor": cursor})
    assert response.status_code == 400
    assert "cursor" in response.json()["error"]["message"]


def test_a_cursor_of_another_order_is_refused(client: httpx2.Client) -> None:
    cursor = client.get("/api/Datasets", params={"filter": '{"limit":1}'}).headers["X-Next-Cursor"]
    for query in ('{"order":"title ASC"}', '{"query":"iron"}'):
        response = client.get("/api/Datasets", params={"filter": query, "cursor": cursor})
        assert response.status_code == 400
        assert "another collection, order, query or limit" in response.json()["error"]["message"]
    assert client.get("/api/Documents", params={"cursor": cursor}).status_code == 400


@pytest.mark.parametrize(
    "place", [[], ["2020-01-01"], ["never", "x"], ["2020-01-01", "x", "y"], [None, None]]
)
def test_a_cursor_that_was_tampered_with_is_no_failure(
    client: httpx2.Client, place: list[str | None]
) -> None:
    query = '{"limit":1,"order":"creationDate"}'
    cursor = client.get("/api/Datasets", params={"filter": query}).headers["X-Next-Cursor"]
    order = json.loads(base64.urlsafe_b64decode(cursor + "=="))[0]
    forged = base64.urlsafe_b64encode(json.dumps([order, *place]).encode()).decode()
    response = client.get("/api/Datasets", params={"filter": query, "cursor": forged})
    assert response.status_code in (200, 400), response.text


def test_a_total_is_true_or_false(client: httpx2.Client) -> None:
    response = client.get("/api/Datasets", params={"total": "maybe"})
    assert (response.status_code, "but must be true or false" in response.text) == (400, True)
