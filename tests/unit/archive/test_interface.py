"""The description of the interface, the index page, errors, and the command line."""

import json
import re
import subprocess
import time
from pathlib import Path

import httpx2
import pytest
from panosc_archive.app import create_app
from panosc_archive.settings import Settings, Uploads
from panosc_archive.uploads import app as uploads
from unit.archive.harness import NGINX, Archive, Process, archive_command, free_port, nginx_configuration
from unit.archive.receiver import Receiver


def test_every_route_is_described_and_every_description_is_a_route(archive: Archive, tmp_path: Path) -> None:
    described = set(archive.get("/openapi.json").json()["paths"])
    settings, taking = Settings(), Receiver(tmp_path, "http://keys").environment["PANOSC_ARCHIVE_UPLOADS"]
    apps = (create_app(settings), uploads.create_app(settings, Uploads.model_validate_json(taking)))
    routes = {re.sub(r":\w+}", "}", route.path) for app in apps for route in app.routes}  # type: ignore[attr-defined]
    assert described == routes


def test_description_names_the_parameters_of_its_paths(archive: Archive) -> None:
    for path, operations in archive.get("/openapi.json").json()["paths"].items():
        for operation in operations.values():
            named = {one["name"] for one in operation.get("parameters", []) if one["in"] == "path"}
            assert named == set(re.findall(r"{(\w+)}", path))


def test_index_for_programs_and_for_people(archive: Archive) -> None:
    assert archive.get("/").json()["links"]["files"] == "http://archive.example.org/files/"
    page = archive.get("/", headers={"Accept": "text/html,*/*"})
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert 'href="http://archive.example.org/files/"' in page.text


def test_unknown_address_is_a_problem_document(archive: Archive) -> None:
    response = archive.get("/nothing")
    assert response.status_code == 404
    assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("method", ["POST", "PATCH", "HEAD", "OPTIONS", "DELETE"])
@pytest.mark.parametrize("path", ["/uploads", "/uploads/x"])
def test_where_no_files_are_taken_that_address_is_unknown(archive: Archive, method: str, path: str) -> None:
    response = archive.request(method, path)
    assert response.status_code == 404
    assert response.headers["content-type"] == "application/problem+json"


def test_metrics_count_by_route(standalone: Archive) -> None:
    standalone.get("/files/never/seen")
    text = standalone.get("/metrics").text
    assert 'http_requests_total{method="GET",route="/files/{path:anything}",status="404"}' in text
    assert "never/seen" not in text


def test_metrics_are_not_public(behind_nginx: Archive) -> None:
    for path in ("/metrics", "/%6detrics", "/metrics?x=1", "/metrics/", "//metrics", "/files/../metrics"):
        status, body = behind_nginx.raw(path)
        assert b"http_requests_total" not in body, path
        assert status in (307, 404), path


def test_nginx_answers_503_while_the_service_is_down(base: Path) -> None:
    port, log = free_port(), base / "lonely.log"
    configuration = nginx_configuration(base, "lonely", free_port(), port)
    with Process([NGINX, "-c", str(configuration)], {}, log):
        deadline = time.monotonic() + 10
        while True:
            try:
                response = httpx2.get(f"http://127.0.0.1:{port}/files/x", trust_env=False)
                break
            except httpx2.ConnectError:
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.05)
    assert response.status_code == 503
    assert response.headers["retry-after"] == "5"
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["status"] == 503


def test_access_log_is_json_and_leaves_out_probes(behind_nginx: Archive) -> None:
    behind_nginx.get('/files/look"for me')
    behind_nginx.get("/healthz")
    # Others asked for names that are no UTF-8, of which nginx' own messages tell as they are.
    lines = behind_nginx.log.read_text(errors="replace").splitlines()
    (entry,) = (json.loads(line) for line in lines if "look" in line)
    assert (entry["method"], entry["status"]) == ("GET", 404)
    assert [line for line in lines if "/healthz" in line] == []


@pytest.mark.parametrize(
    ("variable", "value"), [("HDF5_WORKERS", "0"), ("CATALOGUE_URLS", "nonsense"), ("LOG_LEVEL", "LOUD")]
)
def test_bad_configuration_ends_the_command_with_the_reason(variable: str, value: str) -> None:
    done = subprocess.run(
        archive_command("serve"), env={f"PANOSC_ARCHIVE_{variable}": value}, capture_output=True, timeout=20
    )
    assert done.returncode == 2
    assert variable.lower() in done.stderr.decode().lower()
