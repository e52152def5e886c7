"""The ingest process follows catalogues: its status, its restarts, and what it does not blame them for."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from doubles.mymdc import MyMdc
from doubles.oaipmh import Repository, datacite
from doubles.scicat import SciCat
from doubles.search_api import SearchApi
from doubles.server import Misbehaviour, serve
from panosc_catalogue.ingest.app import create_app
from panosc_catalogue.migrate import migrate
from panosc_catalogue.settings import CatalogueConfig
from starlette.types import ASGIApp
from support import postgres
from unit.catalogue.service import get, serving, settings
from unit.catalogue.sources.beamline import Beamline
from unit.catalogue.sources.conftest import Rows

DATASETS = 400


def provider(number: int = DATASETS, page: int = 20) -> SearchApi:
    datasets = [{"pid": f"d/{n:04}", "title": f"Dataset {n}", "isPublic": True} for n in range(number)]
    return SearchApi({"Instruments": [], "Datasets": datasets, "Documents": []}, max_limit=page)


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


@dataclass
class Halfway(Misbehaviour):
    """The first request after some of the datasets were written gets no answer."""

    hangs: bool = True
    is_begun: Callable[[], object] = lambda: False
    has_struck: bool = False

    def strikes(self) -> bool:
        if self.has_struck or not self.is_begun():
            return False
        self.has_struck = True
        return True


NUMBER, PAGE = 60, 20


def an_icat() -> ASGIApp:
    # Instruments, investigations and types count as well.
    beamline = Beamline(max_entities=4 * PAGE)
    for number in range(len(beamline.datasets), NUMBER):
        beamline.measure(number)
    return beamline.icat.app


def a_scicat() -> ASGIApp:
    backend = SciCat(max_limit=PAGE, anonymous_lists={"instruments", "proposals"})
    for number in range(NUMBER):
        backend.datasets.append(backend.touch({"pid": f"p/{number:03}", "isPublished": True}))
    return backend.app()


def a_mymdc() -> ASGIApp:
    service = MyMdc()
    instrument = service.add("instruments", name="Single Particles", identifier="SPB")
    for proposal in range(NUMBER // PAGE):
        service.add("proposals", number=proposal, title=f"P{proposal}", instrument_id=instrument)
        for run in range(PAGE):
            service.add("runs", proposal_number=proposal, run_number=run)
    return service.app


def an_oai_pmh() -> ASGIApp:
    repository = Repository(page=PAGE)
    for number in range(NUMBER):
        repository.put(f"oai:elsewhere:{number}", datacite(f"10.5072/d{number}", f"Data {number}"))
    return repository.app


SOURCES: list[tuple[str, Callable[[], ASGIApp], str, dict[str, str], dict[str, str]]] = [
    ("icat", an_icat, "", {"authenticator": "db"}, {"username": "harvester", "password": "s3cret"}),
    ("scicat", a_scicat, "/api", {}, {}),
    (
        "mymdc",
        a_mymdc,
        "/metadata",
        {},
        {"client_id": "catalogue", "client_secret": "s3cret", "user_email": "catalogue@facility.example"},
    ),
    ("searchAPI", lambda: provider(NUMBER, PAGE), "/api", {}, {}),
    ("oaiPmh", an_oai_pmh, "/oai", {}, {}),
]
"""Of each kind of source: its double, the path of its interface, options and credentials."""


def test_a_process_that_is_killed_in_the_middle_goes_on_where_it_was(
    database_url: str, tmp_path: Path, rows: Rows
) -> None:
    """With all kinds of sources in one process, as it takes seconds to start."""
    file = tmp_path / "catalogue.json"
    names = [kind.lower() for kind, *_ in SOURCES]

    def start() -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "panosc_catalogue.cli", "ingest", "--config-file", str(file)]
        environment = {**os.environ, "PANOSC_CATALOGUE_DATABASE_URL": database_url}
        return subprocess.Popen([*command, "--port", "0"], env=environment, stderr=subprocess.DEVNULL)

    def written(name: str) -> dict[str, datetime]:
        """When each dataset of a source was seen last."""
        sql = "SELECT origin_id, seen_at FROM source_record WHERE kind = 'dataset' AND source = %s"
        return {row["origin_id"]: row["seen_at"] for row in rows(sql, name)}

    with ExitStack() as stack:
        configured, doubles = [], []
        for kind, app, path, options, secret in SOURCES:
            doubles.append(Halfway(is_begun=partial(written, kind.lower())))
            base = stack.enter_context(serve(app(), doubles[-1]))
            source: dict[str, Any] = {"url": f"{base}{path}", "requestsPerSecond": 1000, **options}
            if secret:
                source["credentials"] = str(tmp_path / kind)
                (tmp_path / kind).mkdir()
            for key, value in secret.items():
                (tmp_path / kind / key).write_text(value)
            configured.append({"name": kind.lower(), kind: source})
        file.write_text(json.dumps({"sources": configured}))
        first = start()
        try:
            eventually(lambda: all(double.has_struck for double in doubles))
        finally:
            first.send_signal(signal.SIGKILL)
            first.wait()
        before = {name: written(name) for name in names}
        assert all(0 < len(datasets) < NUMBER for datasets in before.values())
        second = start()
        try:
            listed = "SELECT name FROM source_state WHERE last_listing IS NOT NULL"
            eventually(lambda: len(rows(listed)) == len(names))
        finally:
            second.terminate()
            second.wait()
    after = {name: written(name) for name in names}
    assert {name: len(datasets) for name, datasets in after.items()} == dict.fromkeys(names, NUMBER)
    assert rows("SELECT count(*) AS n FROM dataset WHERE deleted_at IS NULL") == [{"n": NUMBER * len(names)}]
    # Nothing was read again that had been written.
    assert {name: {one: after[name][one] for one in datasets} for name, datasets in before.items()} == before
