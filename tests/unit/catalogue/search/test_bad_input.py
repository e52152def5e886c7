"""Whatever comes in is answered, or refused with the name of what is wrong; nothing stops the service."""

import json
import socket
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from panosc_catalogue.web.app import create_app
from support import postgres
from unit.catalogue.service import fill, get, serving, settings


@pytest.fixture(scope="module")
def url(server: postgres.Server, template: str) -> Iterator[str]:
    name = server.create(template)
    long = "a" * 1_999
    fill(server.url(name), [{"kind": "Dataset", "pid": "d", "title": long, "isPublic": True}])
    yield server.url(name)
    server.drop(name)


@pytest.fixture(scope="module")
def client(url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx2.Client]:
    app = create_app(settings(url, tmp_path_factory.mktemp("files"), statement_timeout_seconds=1.0))
    with serving(app) as client:
        yield client


def raw(client: httpx2.Client, target: bytes) -> bytes:
    """What the server sends to this request target, byte for byte."""
    with socket.create_connection(
        (client.base_url.host, client.base_url.port or 80), timeout=30
    ) as connection:
        connection.sendall(b"GET " + target + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        return b"".join(iter(lambda: connection.recv(65536), b""))


@pytest.mark.parametrize(
    "target",
    [
        b"/api/Datasets?filter=%ff%fe",
        b"/api/Datasets?filter=%7B%22where%22%3A%7B%22title%22%3A%22%ff%22%7D%7D",
        b"/api/Datasets?filter=%",
        b"/api/Datasets?filter=%zz",
        b"/api/Datasets?filter[=1",
        b"/api/Datasets?filter[where][title]x=1",
        b"/api/Datasets?filter[where]=1&filter[where][title]=2",
        b"/api/Datasets?filter" + b"[a]" * 40 + b"=1",
        b"/api/Datasets?filter[limit][limit]=1",
        b"/api/Datasets?filter[order][1]=pid",
        b"/api/Datasets?filter[where]=" + b"{%22a%22:" * 700 + b"1" + b"}" * 700,
        b"/api/Datasets?filter={%22limit%22:" + b"{%22a%22:" * 900 + b"1" + b"}" * 900 + b"}",
        b"/api/Datasets?filter[where][size]=" + b"1" * 60_000 + b"x",
        b"/api/Datasets?query=%00",
        b"/api/Datasets?query=%ff%ed%a0%80",
        b"/api/Datasets?filter={%22query%22:%22%5Cu0000%22}",
        b"/api/Datasets?filter={%22limit%22:%22" + b"9" * 4500 + b"%22}",
        b"/api/Datasets?filter={%22limit%22:1e400}",
        b"/api/Datasets?filter={%22limit%22:0.5}",
        b"/api/Datasets?filter={%22skip%22:true}",
        b"/api/Datasets?filter={%22where%22:{%22size%22:{%22gt%22:%22NaN%22}}}",
        b"/api/Datasets?filter={%22where%22:{%22size%22:{%22between%22:[null,1]}}}",
        b"/api/Datasets?filter={%22order%22:%22pid;DROP%20TABLE%20dataset%22}",
        b"/api/Datasets?filter={%22fields%22:{%22pid%22:%22'%22}}",
        b"/api/Datasets?filter={%22include%22:[{%22relation%22:%22files'--%22}]}",
        b"/api/Datasets/count?where=[1]",
        b"/api/Datasets/count?where={%22title%22:[]}",
        b"/api/Datasets/%00",
        b"/api/Datasets/d/files?filter={%22where%22:{%22colour%22:1}}",
    ],
)
def test_a_wrong_request_is_a_400_that_says_why(client: httpx2.Client, target: bytes) -> None:
    answer = raw(client, target)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400"), answer[:300]
    assert len(json.loads(body)["error"]["message"]) > 10


@pytest.mark.parametrize(
    "target",
    [
        b"/api/Datasets/%ff",
        b"/api/Datasets/..%2f..%2fetc%2fpasswd",
        b"/api/Datasets/'%20OR%201=1--",
        b"/api/Datasets/%25s%20%25(p0)s",
        b"/api/Cats",
        b"/api/",
        b"/API/datasets/x/FILES/Count",
    ],
)
def test_what_there_is_not_is_a_404(client: httpx2.Client, target: bytes) -> None:
    head, _, body = raw(client, target).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 404"), head
    assert json.loads(body)["error"]["statusCode"] == 404


@pytest.mark.parametrize(
    "where",
    [
        {"title": {"like": "'; DELETE FROM dataset; --"}},
        {"title": {"regexp": "\\'; SELECT pg_sleep(10); --"}},
        {"title": {"like": "%s%(clock)s{0}\\"}},
        {"text": "%_\\'\"$1"},
        {"pid": {"inq": ["'", '"', "\\", "%s", "\u202e", "𝕏"]}},
        {"not": {"not": {"not": {"pid": "d"}}}},
        {"size": {"inq": [10**30, "-1e-300"]}},
        {"title": {"regexp": "[[:alpha:]]{1,5}|\\y\\M"}},
    ],
)
def test_strange_conditions_are_answered(client: httpx2.Client, where: dict[str, Any]) -> None:
    response = client.get("/api/Datasets", params={"filter": json.dumps({"where": where, "fields": ["pid"]})})
    assert response.status_code == 200, response.text
    assert get(client, "/api/Datasets/count") == {"count": 1}


def test_a_catastrophic_regular_expression_is_cut_off(client: httpx2.Client) -> None:
    where = {"title": {"regexp": r"^(a+)(a+)(a+)(a+)\1\2\3\4$"}}
    response = client.get("/api/Datasets", params={"filter": json.dumps({"where": where})})
    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (503, "QUERY_TIMEOUT")
    assert "longer than 1 s; narrow the filter" in error["message"]
    assert get(client, "/api/Datasets/count") == {"count": 1}


def test_a_filter_as_long_as_may_be(client: httpx2.Client) -> None:
    where = {"pid": {"inq": ["x" * 30] * 1000}}
    response = client.get("/api/Datasets", params={"filter": json.dumps({"where": where})})
    assert response.status_code == 200
    answer = raw(client, b"/api/Datasets?filter=" + b"x" * 70_000)
    assert answer.split(b" ", 2)[1] in (b"400", b"414", b"431"), answer[:200]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_nothing_can_be_written(client: httpx2.Client, method: str) -> None:
    assert client.request(method, "/api/Datasets").status_code == 405
