"""What is written down of access to data that are not public."""

import json
import os

import pytest
from panosc_common.access import Reason, Role
from panosc_common.audit import Sight, change, record, together
from panosc_common.problem import EXCEPTION_HANDLERS
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

MEMBER = Reason(role=Role.MEMBER, of="HC-4123")
EARLY = Sight("ada@example.org", frozenset({MEMBER}), frozenset({"d/1"}))


def shown(sight: Sight, headers: dict[str, str] | None = None) -> Response:
    """The answer to a request that is shown this."""

    async def get(request: Request) -> Response:
        await record(request, sight, files=["a.nxs"])
        return PlainTextResponse("data")

    app = Starlette(routes=[Route("/files/{path}", get)], exception_handlers=EXCEPTION_HANDLERS)
    answer = TestClient(app).get("/files/a.nxs?link=eyJsecret", headers=headers)
    return Response(answer.content, answer.status_code)


def test_a_record_says_who_saw_what_why_and_how(capfd: pytest.CaptureFixture[str]) -> None:
    shown(EARLY, {"X-Request-Id": "42", "Authorization": "Bearer eyJsecret"})
    line = capfd.readouterr().out
    assert "eyJsecret" not in line
    told = json.loads(line)
    assert told.pop("timestamp").endswith("+00:00")
    assert told == {
        "event": "access before release",
        "subject": "ada@example.org",
        "reasons": ["member of proposal HC-4123"],
        "datasets": ["d/1"],
        "datasetCount": 1,
        "method": "GET",
        "route": "/files/{path}",
        "path": "/files/a.nxs",
        "requestId": "42",
        "files": ["a.nxs"],
    }


def test_what_is_public_is_not_recorded(capfd: pytest.CaptureFixture[str]) -> None:
    assert shown(Sight("ada@example.org")).body == b"data"
    assert capfd.readouterr().out == ""


def test_a_signed_link_is_told_from_who_signed_it(capfd: pytest.CaptureFixture[str]) -> None:
    shown(EARLY | Sight(link="7"))
    told = json.loads(capfd.readouterr().out)
    assert told["reasons"] == ["signed link of ada@example.org, member of proposal HC-4123"]
    assert told["link"] == "7"


def test_many_datasets_are_counted(capfd: pytest.CaptureFixture[str]) -> None:
    shown(together(Sight("x", frozenset({MEMBER}), frozenset({str(number)})) for number in range(500)))
    told = json.loads(capfd.readouterr().out)
    assert (len(told["datasets"]), told["datasetCount"]) == (100, 500)


def test_a_change_of_a_team_is_told(capfd: pytest.CaptureFixture[str]) -> None:
    async def put(request: Request) -> Response:
        await change(request, "office@example.org", {"action": "push", "proposal": "HC-4123"})
        return PlainTextResponse("done")

    app = Starlette(routes=[Route("/teams/{proposal}", put, methods=["PUT"])])
    TestClient(app).put("/teams/HC-4123?email=ada@example.org", headers={"X-Request-Id": "42"})
    told = json.loads(capfd.readouterr().out)
    assert told.pop("timestamp").endswith("+00:00")
    assert told == {
        "event": "team changed",
        "subject": "office@example.org",
        "method": "PUT",
        "route": "/teams/{proposal}",
        "path": "/teams/HC-4123",
        "requestId": "42",
        "action": "push",
        "proposal": "HC-4123",
    }


def test_nothing_is_shown_while_it_cannot_be_recorded() -> None:
    kept, full = os.dup(1), os.open("/dev/full", os.O_WRONLY)
    try:
        os.dup2(full, 1)
        answer = shown(EARLY)
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(full)
    assert answer.status_code == 503
    assert "written down" in bytes(answer.body).decode()
