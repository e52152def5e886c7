"""The search API as HTTP: any case, other origins, HEAD, copies that are asked about again."""

import json
from collections.abc import Iterator

import httpx2
import pytest
from panosc_catalogue.web.app import create_app
from support import postgres
from unit.catalogue.service import fill, serving, settings

DATASETS = [{"kind": "Dataset", "pid": f"d/{n}", "title": f"Run {n}", "isPublic": True} for n in range(3)]
PATHS = ["/api/Datasets", "/api/Datasets/count", "/api/Datasets/d%2F1", "/api/Datasets/d%2F1/files"]


@pytest.fixture(scope="module")
def client(
    server: postgres.Server, template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx2.Client]:
    name = server.create(template)
    fill(server.url(name), DATASETS)
    with serving(create_app(settings(server.url(name), tmp_path_factory.mktemp("files")))) as client:
        yield client
    server.drop(name)


@pytest.mark.parametrize("path", ["/Api/datasets", "/aPI/DataSets", "/API/DATASETS"])
def test_paths_have_no_case_at_all(client: httpx2.Client, path: str) -> None:
    assert len(client.get(path).json()) == 3
    assert client.get(f"{path}/COUNT").json() == {"count": 3}
    assert client.get(f"{path}/d%2F1/Files").json() == []


@pytest.mark.parametrize("path", ["/api/Datasets/a%0Ab", "/api/Datasets/a%0A/files/count"])
def test_a_pid_with_a_line_break_is_asked_for_like_any_other(client: httpx2.Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert answer.headers["Content-Type"] == "application/json", "as the search API answers"


@pytest.mark.parametrize("path", PATHS)
def test_head_answers_as_get_without_a_body(client: httpx2.Client, path: str) -> None:
    answer = client.head(path)
    assert (answer.status_code, answer.content) == (200, b"")
    same = client.get(path).headers
    assert {name: answer.headers[name] for name in same if name != "date"} == {
        name: value for name, value in same.items() if name != "date"
    }


def test_a_page_of_another_origin_may_ask(client: httpx2.Client) -> None:
    asks = {"Origin": "https://portal.example.org", "Access-Control-Request-Method": "GET"}
    preflight = client.options(
        "/api/Datasets", headers={**asks, "Access-Control-Request-Headers": "x-requested-with"}
    )
    assert (preflight.status_code, preflight.content) == (204, b"")
    assert preflight.headers["Access-Control-Allow-Origin"] == "*"
    assert preflight.headers["Access-Control-Allow-Headers"] == "*, Authorization"
    assert set(preflight.headers["Access-Control-Allow-Methods"].split(", ")) == {"GET", "HEAD", "OPTIONS"}
    for path, status in (("/api/Datasets?filter={%22limit%22:1}", 200), ("/api/Datasets/none", 404)):
        answer = client.get(path, headers={"Origin": "https://portal.example.org"})
        assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (status, "*")
        shown = answer.headers["Access-Control-Expose-Headers"].split(", ")
        assert {"X-Next-Cursor", "X-Total-Count", "X-Limit", "Link"} <= set(shown)
    assert client.get("/openapi.json").headers["Access-Control-Allow-Origin"] == "*"


def test_only_reading_is_answered_and_the_refusal_says_so(client: httpx2.Client) -> None:
    answer = client.post("/api/Datasets", json={})
    assert answer.status_code == 405
    assert {"GET", "HEAD", "OPTIONS"} == set(answer.headers["Allow"].split(", "))


@pytest.mark.parametrize("given", ["Basic eDp5", "Bearer something"])
def test_where_there_is_no_login_everybody_is_the_public(client: httpx2.Client, given: str) -> None:
    answer = client.get("/api/Datasets", headers={"Authorization": given})
    assert answer.json() == client.get("/api/Datasets").json()


@pytest.mark.parametrize("path", PATHS)
def test_a_copy_is_asked_about_and_not_sent_again(client: httpx2.Client, path: str) -> None:
    first = client.get(path)
    assert first.headers["Cache-Control"] == "no-cache"
    tag = first.headers["ETag"]
    again = client.get(path, headers={"If-None-Match": f'"another", {tag}'})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["ETag"] == tag
    assert again.headers["Cache-Control"] == "no-cache"
    assert client.get(path, headers={"If-None-Match": '"another"'}).status_code == 200


def test_what_cannot_be_answered_is_kept_by_nobody(client: httpx2.Client) -> None:
    for path in ("/api/Datasets/none", "/api/Datasets?filter=x", "/api/Nothing"):
        answer = client.get(path, headers={"If-None-Match": "*"})
        assert answer.status_code in (400, 404)
        assert answer.headers["Cache-Control"] == "no-cache"


def test_the_next_page_is_linked(client: httpx2.Client) -> None:
    first = client.get("/Api/Datasets", params={"filter": json.dumps({"limit": 2, "order": "title"})})
    assert first.headers["Link"].endswith('; rel="next"')
    second = client.get(first.headers["Link"].partition("<")[2].partition(">")[0])
    assert [item["pid"] for item in second.json()] == ["d/2"]
    assert "Link" not in second.headers
