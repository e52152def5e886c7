"""The search API as its clients use and misuse it."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from panosc_catalogue.web.app import create_app
from support import postgres
from unit.catalogue.service import fill, get, serving, settings

DATASETS: list[dict[str, Any]] = [
    {
        "pid": f"20.500.1/{number}",
        "title": f"Run {number}",
        "isPublic": True,
        "creationDate": f"2020-01-{number + 1:02d}",
        "instrument": {"pid": "b1", "name": "BM1", "facility": "ESRF"},
        "techniques": [{"pid": f"t{number % 2}", "name": ["SAXS", "XAS"][number % 2], "panetId": None}],
        "parameters": [
            {"name": "sample_state", "value": "solid"},
            {"name": "photon_energy", "value": number * 1000, "unit": "eV"},
        ],
        "files": [{"name": f"{number}.nxs", "path": f"/data/{number}.nxs", "size": 10}],
    }
    for number in range(10)
]
DOCUMENT = {"kind": "Document", "pid": "10.1/doc", "title": "Doc", "type": "proposal", "datasets": DATASETS}


@pytest.fixture(scope="module")
def client(
    server: postgres.Server, template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx2.Client]:
    name = server.create(template)
    url = server.url(name)
    hidden = {
        "kind": "Dataset",
        "pid": "hidden",
        "title": "No date at all",
        "files": [{"name": "secret.nxs"}],
    }
    fill(url, [DOCUMENT, hidden])
    limits = {"max_limit": 8, "max_answer_mib": 1}
    with serving(create_app(settings(url, tmp_path_factory.mktemp("files"), **limits))) as client:
        yield client
    server.drop(name)


def find(client: httpx2.Client, query: dict[str, Any], path: str = "/api/Datasets") -> Any:
    return get(client, path, filter=json.dumps(query))


def test_limit_counts_after_the_join(client: httpx2.Client) -> None:
    xas = {"relation": "techniques", "scope": {"where": {"name": "XAS"}}}
    items = find(client, {"include": [xas], "limit": 2, "skip": 1})
    assert [item["pid"] for item in items] == ["20.500.1/3", "20.500.1/5"]
    assert all([t["name"] for t in item["techniques"]] == ["XAS"] for item in items)


def test_several_includes_of_parameters_all_apply_and_keep_their_order(client: httpx2.Client) -> None:
    energy = {"where": {"and": [{"name": "photon_energy"}, {"value": {"between": [2500, 4500]}}]}}
    state = {"where": {"name": "sample_state", "value": "solid"}}
    includes = [{"relation": "parameters", "scope": scope} for scope in (energy, state)]
    items = find(client, {"include": includes})
    assert [item["pid"] for item in items] == ["20.500.1/3", "20.500.1/4"]
    assert [p["name"] for p in items[0]["parameters"]] == ["photon_energy", "sample_state"]


def test_a_nested_condition_filters_the_grandparent(client: httpx2.Client) -> None:
    files = {"relation": "files", "scope": {"where": {"text": "3.NXS"}}}
    datasets = {"relation": "datasets", "scope": {"include": [files], "fields": ["pid"]}}
    document = find(client, {"include": [datasets]}, "/api/documents")[0]
    assert [item["pid"] for item in document["datasets"]] == ["20.500.1/3"]
    files["scope"] = {"where": {"text": "nothing like it"}}
    assert find(client, {"include": [datasets]}, "/api/documents") == []


def test_count_takes_where_and_the_joins_of_a_filter(client: httpx2.Client) -> None:
    xas = {"include": [{"relation": "techniques", "scope": {"where": {"name": "XAS"}}}]}
    assert get(client, "/api/datasets/count") == get(client, "/API/DATASETS/COUNT") == {"count": 10}
    assert get(client, "/api/datasets/count", where='{"title":"Run 3"}') == {"count": 1}
    assert find(client, xas, "/api/datasets/count") == {"count": 5}
    assert get(client, "/api/Instruments/COUNT", where='{"facility":"ESRF"}') == {"count": 1}


@pytest.mark.parametrize("path", ["/api/Datasets/20.500.1%2F4", "/api/datasets/20.500.1/4"])
def test_a_pid_may_be_encoded_or_not(client: httpx2.Client, path: str) -> None:
    assert get(client, path)["title"] == "Run 4"
    assert [file["name"] for file in get(client, f"{path}/files")] == ["4.nxs"]
    assert get(client, f"{path}/Files/count") == {"count": 1}
    assert get(client, f"{path}/files/count", where='{"size":{"gt":10}}') == {"count": 0}


def test_every_item_has_a_score_that_federations_keep(client: httpx2.Client) -> None:
    for path in ("/api/Datasets", "/api/Documents", "/api/Instruments"):
        for query in ({}, {"query": "saxs"}, {"fields": ["pid"]}):
            assert all(0 < item["score"] < 1 for item in find(client, query, path)), (path, query)


def test_what_is_not_public_is_nowhere(client: httpx2.Client) -> None:
    assert get(client, "/api/Datasets/hidden")["error"]["code"] == "MODEL_NOT_FOUND"
    assert get(client, "/api/Datasets/hidden/files")["error"]["code"] == "MODEL_NOT_FOUND"
    assert get(client, "/api/Datasets/count", where='{"pid":"hidden"}') == {"count": 0}
    assert client.get("/internal/datasets/hidden/files").status_code == 404


def test_limits_are_bounded_and_said(client: httpx2.Client) -> None:
    for query, told in (
        ({"limit": 3}, ("3", None)),
        ({}, ("8", "true")),
        ({"limit": 0}, ("8", "true")),
        ({"limit": "100"}, ("8", "true")),
    ):
        response = client.get("/api/Datasets", params={"filter": json.dumps(query)})
        assert len(response.json()) == int(told[0])
        assert (response.headers["X-Limit"], response.headers.get("X-Limit-Capped")) == told
    whole = client.get("/api/Datasets", params={"filter": json.dumps({"skip": 6})})
    assert 0 < len(whole.json()) < 8
    assert "X-Limit-Capped" not in whole.headers


def test_included_items_are_bounded_and_said(client: httpx2.Client) -> None:
    for path in ("/api/Documents", "/api/Documents/10.1%2Fdoc"):
        for scope, told in (({}, 8), ({"limit": 100}, 8), ({"limit": 3}, 3), ({"skip": 9}, 1)):
            query = {"include": [{"relation": "datasets", "scope": scope}]}
            response = client.get(path, params={"filter": json.dumps(query)})
            found = response.json() if path.endswith("%2Fdoc") else response.json()[0]
            assert len(found["datasets"]) == told
            assert response.headers["X-Include-Limit"] == "8"
    response = client.get("/api/Datasets", params={"filter": '{"include":["instrument"]}'})
    assert "X-Include-Limit" not in response.headers


def test_an_answer_that_would_be_too_large_is_refused(client: httpx2.Client) -> None:
    query: dict[str, Any] = {}
    for _ in range(4):
        query = {"include": [{"relation": "datasets", "scope": query}]}
        query = {"include": [{"relation": "documents", "scope": query}]}
    more = {"include": [{"relation": "datasets", "scope": query}]}
    for path, asked in (("/api/Datasets", query), ("/api/Documents/10.1%2Fdoc", more)):
        response = client.get(path, params={"filter": json.dumps(asked)})
        error = response.json()["error"]
        assert (response.status_code, error["code"]) == (400, "ANSWER_TOO_LARGE")
        assert "more than 1 MiB" in error["message"]
        assert "limit" in error["message"]


def test_brackets_in_place_of_json(client: httpx2.Client) -> None:
    query = "filter[where][title][inq][0]=Run 1&filter[where][title][inq][1]=Run 2&filter[order]=pid DESC"
    items = client.get(f"/api/Datasets?{query}&filter[include]=files&filter[limit]=1").json()
    assert [(item["title"], len(item["files"])) for item in items] == [("Run 2", 1)]
    assert client.get("/api/Datasets/count?where[title]=Run 1").json() == {"count": 1}


def test_json_that_is_not_encoded(client: httpx2.Client) -> None:
    url = client.base_url
    with socket.create_connection((url.host, url.port)) as raw:
        query = b'filter={"limit":1,"fields":["pid"]}'
        raw.sendall(b"GET /api/Datasets?" + query + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answer = b"".join(iter(lambda: raw.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 200")
    assert b'"20.500.1/0"' in answer


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("not json", "filter is no JSON"),
        ("[]", "Value is not an object."),
        ('{"limit":-1}', "The limit parameter -1 is not valid"),
        ('{"skip":"x"}', "The skip parameter x is not valid"),
        ('{"wher":{}}', '"wher"; allowed: where'),
        ('{"where":{"colour":1}}', 'no property "colour" (filter.where); it has: pid'),
        ('{"where":{"title":{"sounds":1}}}', '"sounds" (filter.where.title); allowed: eq'),
        ('{"include":["cats"]}', 'no relation "cats" (filter.include); it has: documents'),
        ('{"include":{"relation":"files","scope":{"include":"cats"}}}', "filter.include.files.include"),
        ('{"order":"colour ASC"}', 'no property "colour" (filter.order)'),
        ('{"fields":["colour"]}', 'no property "colour" (filter.fields)'),
        ('{"where":{"title":{"regexp":"("}}}', "nvalid regular expression"),
        ('{"where":{"title":"a\\u0000b"}}', "NUL"),
        ('{"where":{"title":"\\ud800"}}', "filter is no JSON"),
        ('{"where":{"creationDate":{"gt":"yesterday"}}}', "ISO 8601"),
        ('{"where":{"creationDate":"99999-01-01"}}', "ISO 8601"),
        ('{"where":{"size":"many"}}', "is no number"),
        ('{"where":{"size":1e999}}', "filter is no JSON"),
        ('{"where":{"title":{"between":[1]}}}', "two values"),
        ('{"where":{"title":["a"]}}', "inq"),
        ('{"where":{"and":[]}}', "must be a list"),
        ('{"where":{"not":[]}}', "filter.where.not is an empty list, but must be an object"),
        ('{"where":{"not":{}}}', "filter.where.not is an empty object, but must be a condition"),
        ('{"where":{"title":{"not":{"sounds":1}}}}', '"sounds" (filter.where.title.not); allowed: eq'),
        ('{"query":{"a":1}}', "filter.query is an object, but must be text"),
        ('{"query":"' + "x " * 40 + '"}', "filter.query has more than 32 words"),
        ('{"where":' + '{"and":[' * 30 + "{}" + "]}" * 30 + "}", "levels deep"),
        ('{"where":{"or":[' + ",".join(['{"pid":"x"}'] * 600) + "]}}", "more than 500"),
        ("[" * 5000, "filter is no JSON"),
    ],
)
def test_a_bad_filter_is_told_what_is_wrong(client: httpx2.Client, query: str, named: str) -> None:
    response = client.get("/api/Datasets", params={"filter": query})
    assert response.status_code == 400, response.text
    assert named in response.json()["error"]["message"]


@pytest.mark.parametrize(
    "query",
    [
        {"where": {"title": {"like": "100%\\"}}},
        {"where": {"title": "'; DROP TABLE dataset; --"}},
        {"where": {"size": 10**300}},
        {"where": {"pid": {"inq": []}}},
        {"limit": 10**30, "skip": 10**30},
        {"where": {"creationDate": {"lt": "0001-01-01T00:00:00+14:00"}}},
        {"where": {"title": {"regexp": "%s %(p0)s {0}"}}},
        {"where": {"and": [{}, {}]}},
    ],
)
def test_odd_filters_are_answered(client: httpx2.Client, query: dict[str, Any]) -> None:
    response = client.get("/api/Datasets", params={"filter": json.dumps(query)})
    assert response.status_code in (200, 400), response.text


def test_unknown_things_are_404_in_the_known_shape(client: httpx2.Client) -> None:
    response = client.get("/api/Datasets/nope")
    assert response.status_code == 404
    message = 'Unknown "Dataset" id "nope". It may not be public; /api/Datasets lists what is.'
    expected = {"statusCode": 404, "name": "Error", "message": message, "code": "MODEL_NOT_FOUND"}
    assert response.json() == {"error": expected}
    assert "/api/Datasets" in get(client, "/api/Cats")["error"]["message"]


@pytest.mark.parametrize("limit", ["0", "1001", "-1", "many", "9" * 5000])
def test_archives_are_told_of_a_wrong_limit(client: httpx2.Client, limit: str) -> None:
    response = client.get("/internal/archives/a/children", params={"limit": limit})
    assert response.status_code == 400
    assert "from 1 to 1000" in response.json()["detail"]


def test_pages_and_probes(client: httpx2.Client) -> None:
    assert get(client, "/healthz") == {"status": "ok"}
    assert get(client, "/readyz") == {"status": "ready"}
    assert "/api/Datasets/{pid}/files" in get(client, "/openapi.json")["paths"]
    assert "search API" in client.get("/docs").text
    assert 'route="/api/{rest:path}"' in client.get("/metrics").text


def test_a_database_without_schema_is_not_ready(server: postgres.Server, tmp_path: Path) -> None:
    name = server.create()
    with serving(create_app(settings(server.url(name), tmp_path))) as client:
        response = client.get("/readyz")
    server.drop(name)
    assert response.status_code == 503
    assert "migrate" in response.json()["detail"]


def test_a_database_that_goes_away_and_comes_back(tmp_path: Path) -> None:
    from panosc_catalogue.migrate import migrate

    with postgres.server() as own:
        migrate(own.url())
        fill(own.url(), [DOCUMENT])
        with serving(create_app(settings(own.url(), tmp_path))) as client:
            assert get(client, "/api/Datasets/count") == {"count": 10}
            own.stop()
            response = client.get("/api/Datasets/count")
            assert response.status_code == 503
            assert int(response.headers["Retry-After"]) > 0
            assert client.get("/readyz").status_code == 503
            assert client.get("/healthz").status_code == 200
            own.start()
            answers = [client.get("/api/Datasets/count").status_code for _ in range(4)]
            assert answers[-1] == 200
