"""The ingest process follows catalogues: its status, its restarts, and what it does not blame them for."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from doubles.search_api import SearchApi
from doubles.server import Misbehaviour, serve
from panosc_catalogue.ingest.app import create_app
from panosc_catalogue.migrate import migrate
from panosc_catalogue.settings import CatalogueConfig
from support import postgres
from unit.catalogue.service import get, serving, settings
from unit.catalogue.sources.conftest import Rows

DATASETS = 400


def provider(number: int = DATASETS) -> SearchApi:
    datasets = [{"pid": f"d/{n:04}", "title": f"Dataset {n}", "isPublic": True} for n in range(number)]
    return SearchApi({"Instruments": [], "Datasets": datasets, "Documents": []}, max_limit=20)


@pytest.fixture
def how() -> Misbehaviour:
    return Misbehaviour()


@pytest.fixture
def url(how: Misbehaviour) -> Iterator[str]:
    with serve(provider(), how) as base:
        yield f"{base}/api"


def config(url: str, **fields: Any) -> CatalogueConfig:
    source = {"name": "elsewhere", "searchAPI": {"url": url, "requestsPerSecond": 1000, **fields}}
    return CatalogueConfig.model_validate({"sources": [source]})


def eventually(check: Callable[[], Any], seconds: float = 30.0) -> Any:
    deadline = time.monotonic() + seconds
    while not (value := check()):
        assert time.monotonic() < deadline, f"still {value!r} after {seconds} s"
        time.sleep(0.05)
    return value


def test_the_status_tells_how_far_a_source_is(database_url: str, url: str, tmp_path: Path) -> None:
    with serving(create_app(settings(database_url, tmp_path), config(url))) as ingest:
        source = eventually(lambda: (s := get(ingest, "/status")["sources"][0])["lastSuccess"] and s)
    assert {key: source[key] for key in ("name", "state", "records", "failed", "withdrawn", "lastError")} == {
        "name": "elsewhere",
        "state": "Idle",
        "records": DATASETS,
        "failed": 0,
        "withdrawn": 0,
        "lastError": None,
    }
    assert 0 <= source["lagSeconds"] < 60


def test_a_source_that_is_away_is_named_with_its_cause(database_url: str, tmp_path: Path) -> None:
    away = config("http://127.0.0.1:1/api")
    with serving(create_app(settings(database_url, tmp_path), away)) as ingest:
        source = eventually(
            lambda: (s := get(ingest, "/status")["sources"][0])["state"] == "Failed" and s, seconds=60
        )
    assert source["lastError"].startswith("GET http://127.0.0.1:1/api/Instruments: ")


def test_a_restart_forgets_neither_a_failure_nor_for_how_long_the_source_is_left_alone(
    database_url: str, url: str, how: Misbehaviour, tmp_path: Path, rows: Rows
) -> None:
    with serving(create_app(settings(database_url, tmp_path), config(url))) as ingest:
        eventually(lambda: get(ingest, "/status")["sources"][0]["lastSuccess"])
    rows(
        "UPDATE source_state SET last_error = 'GET /Datasets: answered 503', "
        "not_before = now() + interval '1 hour' RETURNING name"
    )
    how.requests.clear()
    with serving(create_app(settings(database_url, tmp_path), config(url))) as ingest:
        for _ in range(3):
            time.sleep(0.3)
            source = get(ingest, "/status")["sources"][0]
            assert (source["state"], source["lastError"]) == ("Failed", "GET /Datasets: answered 503")
    assert how.requests == []
    # Another address was not the one that asked for it.
    with serving(create_app(settings(database_url, tmp_path), config(f"{url}/"))):
        eventually(lambda: how.requests)


def test_a_restart_goes_on_telling_how_old_the_last_success_is(
    database_url: str, url: str, tmp_path: Path, rows: Rows
) -> None:
    daily = config(url, fullListingSeconds=86400)
    with serving(create_app(settings(database_url, tmp_path), daily)) as ingest:
        eventually(lambda: get(ingest, "/status")["sources"][0]["lastSuccess"])
    rows("UPDATE source_state SET caught_up_at = '2026-01-01T00:00:00Z' RETURNING name")
    gauge = 'catalogue_source_caught_up_timestamp_seconds{source="elsewhere"} 1.7672256e+09'
    with serving(create_app(settings(database_url, tmp_path), daily)) as ingest:
        eventually(lambda: gauge in ingest.get("/metrics").text)


def test_records_without_sense_are_reported(database_url: str, tmp_path: Path) -> None:
    broken = provider(3)
    broken.models["Datasets"][1]["size"] = -1
    with (
        serve(broken) as base,
        serving(create_app(settings(database_url, tmp_path), config(f"{base}/api"))) as ingest,
    ):
        source = eventually(lambda: (s := get(ingest, "/status")["sources"][0])["lastSuccess"] and s)
        reports = get(ingest, "/reports", source="elsewhere")["items"]
    assert source["failed"] == 1
    assert [(report["path"], report["reason"]) for report in reports] == [("dataset d/0001", "Refused")]
    assert "size" in reports[0]["message"]


def test_a_database_that_is_not_ready_yet_is_no_fault_of_the_sources(
    server: postgres.Server, url: str, tmp_path: Path
) -> None:
    """The operator would report it in an Event otherwise, at the first start of each catalogue."""
    name = server.create()
    nexus = {"archive": "archive", "root": str(tmp_path), "layout": {}}
    sources = [
        {"name": "beamlines", "nexus": nexus},
        {"name": "elsewhere", "searchAPI": {"url": url, "requestsPerSecond": 1000}},
    ]
    both = CatalogueConfig.model_validate({"sources": sources})
    app = create_app(settings(server.url(name), tmp_path), both)
    states: set[str] = set()

    def settled() -> bool:
        answer = ingest.get("/status")
        if answer.status_code != 200:
            return False
        sources = answer.json()["sources"]
        states.update(source["state"] for source in sources)
        return all(source["lastSuccess"] for source in sources)

    try:
        with serving(app) as ingest:
            time.sleep(1)
            migrate(server.url(name))
            eventually(settled)
    finally:
        server.drop(name)
    assert "Failed" not in states


def test_a_process_that_is_killed_in_the_middle_goes_on_where_it_was(
    database_url: str, url: str, how: Misbehaviour, tmp_path: Path, rows: Rows
) -> None:
    file = tmp_path / "catalogue.json"
    source = {"name": "elsewhere", "searchAPI": {"url": url, "requestsPerSecond": 20}}
    file.write_text(json.dumps({"sources": [source]}))

    def start() -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "panosc_catalogue.cli", "ingest", "--config-file", str(file)]
        environment = {**os.environ, "PANOSC_CATALOGUE_DATABASE_URL": database_url}
        return subprocess.Popen([*command, "--port", "0"], env=environment, stderr=subprocess.DEVNULL)

    def number() -> int:
        return int(rows("SELECT count(*) AS number FROM dataset")[0]["number"])

    first = start()
    try:
        eventually(lambda: number() >= 60)
    finally:
        first.send_signal(signal.SIGKILL)
        first.wait()
    before = number()
    assert before < DATASETS
    how.requests.clear()
    second = start()
    try:
        eventually(lambda: rows("SELECT 1 FROM source_state WHERE last_listing IS NOT NULL"))
    finally:
        second.terminate()
        second.wait()
    assert number() == DATASETS
    listed = [request for request in how.requests if "/Datasets?" in request]
    assert f"skip%22%3A+{before}" in listed[0]
