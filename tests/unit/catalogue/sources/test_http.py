"""Requests to a source: what is tried again, what is given up, and what the errors say."""

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import pytest
from doubles.server import Misbehaviour, serve
from panosc_catalogue.sources.base import BadAnswer, NotAllowed, SourceError, Unreachable
from panosc_catalogue.sources.http import ATTEMPTS, Client, NotThere, Token
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route


async def things(request: Request) -> Response:
    return JSONResponse(["a thing that is long enough to be cut"] * 5)


async def secret(request: Request) -> Response:
    if request.headers.get("authorization") == "Bearer fresh":
        return JSONResponse("told")
    return Response(status_code=401)


async def login(request: Request) -> Response:
    asked = await request.json()
    return JSONResponse({"token": "fresh"}) if asked == {"password": "s3cret"} else Response(status_code=401)


async def page(request: Request) -> Response:
    return PlainTextResponse("<html>")


async def moved(request: Request) -> Response:
    return RedirectResponse("/api/things" if request.method == "GET" else "/api/login", 307)


APP = Starlette(
    routes=[
        Route("/api/moved", moved, methods=["GET", "POST"]),
        Route("/api/things", things),
        Route("/api/secret", secret),
        Route("/api/login", login, methods=["POST"]),
        Route("/api/page", page),
    ]
)


@pytest.fixture
def how() -> Misbehaviour:
    return Misbehaviour()


@pytest.fixture
def url(how: Misbehaviour) -> Iterator[str]:
    with serve(APP, how) as base:
        yield f"{base}/api"


def ask(
    url: str, path: str, *, rate: float = 1000, timeout: float = 5, whole: float = 10, times: int = 1
) -> Any:
    async def asking() -> Any:
        client = Client(
            url,
            requests_per_second=rate,
            timeout_seconds=timeout,
            whole_seconds=whole,
            first_wait_seconds=0.01,
        )
        async with client.opened():
            return [await client.json(path) for _ in range(times)][-1]

    return asyncio.run(asking())


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_source_is_asked_again(url: str, how: Misbehaviour, status: int) -> None:
    how.times, how.status = ATTEMPTS - 1, status
    assert len(ask(url, "things")) == 5
    assert len(how.requests) == ATTEMPTS


def test_the_time_that_a_source_asks_for_is_waited(url: str, how: Misbehaviour) -> None:
    how.times, how.status, how.retry_after = 1, 429, "1"
    started = time.monotonic()
    ask(url, "things")
    assert time.monotonic() - started >= 1


def test_a_source_that_asks_for_hours_is_left_alone(url: str, how: Misbehaviour) -> None:
    how.times, how.status, how.retry_after = 1, 503, "7200"
    with pytest.raises(Unreachable, match=r"/api/things: answered 503 Service Unavailable") as caught:
        ask(url, "things")
    assert len(how.requests) == 1
    assert caught.value.retry_after == 7200


def test_an_answer_that_never_ends_is_an_error_in_the_end(url: str, how: Misbehaviour) -> None:
    how.times, how.drips = ATTEMPTS, True
    with pytest.raises(Unreachable, match=r"the answer did not end within 0\.2 s; look whether a proxy"):
        ask(url, "things", whole=0.2)
    assert len(how.requests) == ATTEMPTS


def test_half_an_answer_is_asked_for_again(url: str, how: Misbehaviour) -> None:
    how.times, how.truncated = 1, True
    assert len(ask(url, "things")) == 5


def test_an_answer_that_never_comes_is_an_error_in_the_end(url: str, how: Misbehaviour) -> None:
    how.times, how.hangs = ATTEMPTS, True
    with pytest.raises(Unreachable, match="no answer in time"):
        ask(url, "things", timeout=0.1)


def test_what_is_not_json_is_no_answer(url: str) -> None:
    with pytest.raises(BadAnswer, match="not what the interface promises"):
        ask(url, "page")


def test_a_missing_thing_is_told_apart(url: str) -> None:
    with pytest.raises(NotThere, match="answered 404"):
        ask(url, "nowhere")


def test_reading_follows_to_where_things_moved_but_a_password_does_not(url: str, how: Misbehaviour) -> None:
    assert len(ask(url, "moved")) == 5

    async def log_in() -> None:
        client = Client(url, requests_per_second=1000)
        async with client.opened():
            await client.json("moved", method="POST", json={"password": "s3cret"})

    how.requests.clear()
    with pytest.raises(BadAnswer, match="answered 307 Temporary Redirect; check the url"):
        asyncio.run(log_in())
    assert how.requests == ["POST /api/moved"]


def test_a_closed_port_is_unreachable() -> None:
    with pytest.raises(Unreachable, match=r"GET http://127\.0\.0\.1:1/things"):
        ask("http://127.0.0.1:1", "things")


def test_no_error_names_what_may_be_secret(url: str, how: Misbehaviour) -> None:
    how.times, how.status = ATTEMPTS, 500
    with pytest.raises(SourceError) as caught:
        ask(url.replace("http://", "http://user:s3cret@"), "things?sessionId=s3cret")
    assert "s3cret" not in str(caught.value)


def test_the_rate_is_bounded(url: str) -> None:
    started = time.monotonic()
    ask(url, "things", rate=20, times=11)
    assert time.monotonic() - started >= 10 / 20


@pytest.mark.parametrize("known", ["stale", None])
def test_a_token_is_fetched_when_it_is_needed(url: str, how: Misbehaviour, known: str | None) -> None:
    async def asking() -> Any:
        async def log_in() -> str:
            body = {"password": "s3cret"}
            answer = await client.json("login", method="POST", json=body, authenticate=False)
            return str(answer["token"])

        token = Token(log_in, token=known)
        client = Client(url, requests_per_second=1000, auth=token, first_wait_seconds=0.01)
        async with client.opened():
            return [await client.json("secret") for _ in range(2)]

    assert asyncio.run(asking()) == ["told", "told"]
    assert [request for request in how.requests if "login" in request] == ["POST /api/login"]


def test_requests_at_the_same_time_log_in_once(url: str, how: Misbehaviour) -> None:
    async def asking() -> Any:
        async def log_in() -> str:
            body = {"password": "s3cret"}
            answer = await client.json("login", method="POST", json=body, authenticate=False)
            return str(answer["token"])

        token = Token(log_in, token="stale")
        client = Client(url, requests_per_second=1000, auth=token, first_wait_seconds=0.01)
        async with client.opened():
            return await asyncio.gather(*(client.json("secret") for _ in range(8)))

    assert asyncio.run(asking()) == ["told"] * 8
    assert [request for request in how.requests if "login" in request] == ["POST /api/login"]


def test_wrong_credentials_are_an_error_that_says_so(url: str) -> None:
    async def asking() -> None:
        async def log_in() -> str:
            body = {"password": "wrong"}
            answer = await client.json("login", method="POST", json=body, authenticate=False)
            return str(answer["token"])

        client = Client(url, requests_per_second=1000, auth=Token(log_in), first_wait_seconds=0.01)
        async with client.opened():
            await client.json("secret")

    with pytest.raises(NotAllowed, match="check the credentials"):
        asyncio.run(asking())
