"""What every service of the project shows over HTTP and in its log, seen from outside on a small service."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest
from panosc_common.problem import Problem, response

SERVICE = """
import asyncio, sys
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import Route
import structlog
from panosc_common import logs, metrics, problem, server

log = structlog.stdlib.get_logger("demo")

async def good(request):
    log.info("said", name=request.path_params["name"])
    return server.OrjsonResponse({"name": request.path_params["name"]})

async def refused(request):
    raise problem.Problem(422, "size=0: give a positive number", headers={"X-Hint": "1"}, field="size")

async def forbidden(request):
    raise HTTPException(403, "no entry")

async def bug(request):
    password = "hunter2"
    raise RuntimeError("broken inside")

async def slow(request):
    log.info("began")
    await asyncio.sleep(1)
    return server.OrjsonResponse("done")

logs.configure("info")
routes = [Route("/good/{name}", good), Route("/refused", refused), Route("/forbidden", forbidden),
          Route("/bug", bug), Route("/slow", slow), Route("/metrics", metrics.endpoint)]
app = Starlette(routes=routes, exception_handlers=problem.EXCEPTION_HANDLERS,
                middleware=[Middleware(metrics.RequestMetrics)])
server.run(app, "127.0.0.1", int(sys.argv[1]))
"""


class Service:
    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        (folder / "service.py").write_text(SERVICE)
        self.log = folder / "log"
        with self.log.open("wb") as log:
            command = [sys.executable, str(folder / "service.py"), str(self.port)]
            self.process = subprocess.Popen(command, stderr=log, env=dict(os.environ))
        self.client = httpx2.Client(base_url=f"http://127.0.0.1:{self.port}", trust_env=False, timeout=10)
        deadline = time.monotonic() + 20
        while True:
            try:
                self.client.get("/metrics")
                return
            except httpx2.ConnectError:
                assert self.process.poll() is None, self.log.read_text()
                assert time.monotonic() < deadline
                time.sleep(0.05)

    def entries(self) -> list[dict[str, object]]:
        """The log; every line of it must be a JSON object."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    running = Service(tmp_path_factory.mktemp("service"))
    yield running
    running.process.kill()
    running.process.wait()


def test_problem_is_told_with_its_members_and_headers(service: Service) -> None:
    response = service.client.get("/refused")
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["x-hint"] == "1"
    assert (response.status_code, response.json()) == (
        422,
        {
            "type": "about:blank",
            "title": "Unprocessable Content" if sys.version_info >= (3, 13) else "Unprocessable Entity",
            "status": 422,
            "detail": "size=0: give a positive number",
            "field": "size",
        },
    )


@pytest.mark.parametrize(
    ("method", "path", "status", "detail"),
    [
        ("GET", "/nothing", 404, "there is nothing under this address"),
        ("POST", "/good/x", 405, "POST is not possible here"),
        ("GET", "/forbidden", 403, "no entry"),
        ("GET", "/bug", 500, "the server failed to answer; its log says why"),
    ],
)
def test_every_error_is_a_problem_document(
    service: Service, method: str, path: str, status: int, detail: str
) -> None:
    response = service.client.request(method, path)
    assert response.headers["content-type"] == "application/problem+json"
    assert (response.status_code, response.json()["detail"]) == (status, detail)


def test_method_not_allowed_names_the_allowed_ones(service: Service) -> None:
    allowed = service.client.post("/good/x").headers["allow"]
    assert set(allowed.split(", ")) == {"GET", "HEAD"}


def test_log_is_json_with_the_bug_and_without_local_variables(service: Service) -> None:
    service.client.get("/bug")
    failures = [entry for entry in service.entries() if entry["event"] == "request failed"]
    assert failures[-1]["path"] == "/bug"
    assert failures[-1]["level"] == "error"
    assert failures[-1]["error"] == "RuntimeError('broken inside')"
    tracebacks = [entry for entry in service.entries() if "exception" in entry]
    assert '"name": "bug"' in json.dumps(tracebacks[-1])
    assert "hunter2" not in service.log.read_text()


def test_log_has_time_level_and_logger(service: Service) -> None:
    service.client.get("/good/logged")
    (entry,) = (entry for entry in service.entries() if entry.get("name") == "logged")
    assert (entry["event"], entry["level"], entry["logger"]) == ("said", "info", "demo")
    assert str(entry["timestamp"]).endswith("Z")


def test_metrics_count_by_route_and_method(service: Service) -> None:
    for name in ("a", "b", "c"):
        service.client.get(f"/good/metric-{name}")
    service.client.request("PROPFIND", "/coffee")
    text = service.client.get("/metrics").text
    assert 'http_requests_total{method="GET",route="/good/{name}",status="200"}' in text
    assert 'http_requests_total{method="other",route="unmatched",status="404"} 1.0' in text
    assert "metric-a" not in text
    assert 'http_request_duration_seconds_count{method="GET",route="/good/{name}"}' in text


def test_stop_lets_running_requests_finish(tmp_path: Path) -> None:
    service = Service(tmp_path)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(service.client.get, "/slow")
        deadline = time.monotonic() + 20
        while not any(entry["event"] == "began" for entry in service.entries()):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        service.process.send_signal(signal.SIGTERM)
        assert answer.result(20).json() == "done"
    assert service.process.wait(20) in (0, -signal.SIGTERM)


def test_unknown_log_level_names_the_known_ones() -> None:
    from panosc_common import logs

    with pytest.raises(ValueError, match="'LOUD' is unknown; use one of DEBUG"):
        logs.configure("LOUD")


@pytest.mark.parametrize("value", [10**30, -(10**30), 2**63, 7, True, "seven"])
def test_a_refused_value_of_any_size_is_told(value: int | str) -> None:
    told = json.loads(bytes(response(Problem(422, "give another", value=value)).body))["value"]
    assert told == (value if value in (7, True, "seven") else str(value))
