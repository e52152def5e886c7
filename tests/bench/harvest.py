"""Reads 100,000 records of a source's double into a catalogue; tells the time and the memory it took.

`python -m bench.harvest icat|mymdc|oai-pmh|scicat|search-api [records]`, with `tests` on PYTHONPATH. The
double is a process of its own, so that the memory is the reader's alone.
"""

import asyncio
import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import psycopg
from doubles.icat import Icat
from doubles.mymdc import MyMdc
from doubles.oaipmh import Repository, datacite
from doubles.scicat import SciCat
from doubles.search_api import SearchApi
from doubles.server import serve
from panosc_catalogue.migrate import migrate
from panosc_catalogue.settings import Facility, Settings, Source
from panosc_catalogue.sources.adapters import adapter_of
from panosc_catalogue.sources.sync import Sync
from pydantic import SecretStr
from starlette.types import ASGIApp
from support import postgres

RECORDS = 100_000
PER_PROPOSAL = 100


def icat(records: int) -> ASGIApp:
    """Datasets with a parameter, a file and a technique each, a hundred an investigation."""
    server = Icat()
    add = server.add
    facility = add("Facility", name="ESRF")
    kind, raw = (add(of, name="x", facility=facility) for of in ("InvestigationType", "DatasetType"))
    energy = add("ParameterType", name="energy", units="keV", valueType="NUMERIC", facility=facility)
    technique = add("Technique", name="SAXS", pid="http://purl.org/pan-science/PaNET/PaNET01188")
    for number in range(records):
        if number % PER_PROPOSAL == 0:
            name = f"MA-{number}"
            owner = add("Investigation", name=name, visitId="1", title=name, facility=facility, type=kind)
        dataset = add("Dataset", name=f"scan {number}", investigation=owner, type=raw)
        add("DatasetParameter", dataset=dataset, type=energy, numericValue=float(number))
        add("Datafile", dataset=dataset, name="scan.h5", location=f"/{number}/scan.h5", fileSize=7)
        add("DatasetTechnique", dataset=dataset, technique=technique)
    return server.app


def mymdc(records: int) -> ASGIApp:
    """Runs, a hundred a proposal."""
    service = MyMdc()
    service.client, service.user_email = ("bench", "bench"), "bench"
    instrument = service.add("instruments", name="SPB", identifier="SPB")
    techniques = [{"id": 1, "name": "SAXS", "url": "http://purl.org/pan-science/PaNET/PaNET01188"}]
    begin = datetime(2024, 5, 1, tzinfo=UTC).isoformat()
    for number in range(records):
        proposal, run = divmod(number, PER_PROPOSAL)
        if run == 0:
            service.add("proposals", number=proposal, title=f"P{proposal}", instrument_id=instrument)
        service.tables["runs"].append(
            {
                "id": number + 1,
                "proposal_number": proposal,
                "run_number": run,
                "begin_at": begin,
                "techniques": techniques,
            }
        )
    return service.app


def oai_pmh(records: int) -> ASGIApp:
    """Records of DataCite's kernel, a hundred a page."""
    repository = Repository(page=100)
    for number in range(records):
        repository.put(f"oai:bench:{number}", datacite(f"10.5072/d{number}", f"Data {number}"))
    return repository.app


def scicat(records: int) -> ASGIApp:
    """Published datasets with three quantities, a file and a technique each, a hundred a proposal."""
    backend = SciCat(anonymous_lists={"instruments", "proposals"})
    for number in range(records):
        proposal, place = divmod(number, PER_PROPOSAL)
        if place == 0:
            item = {"proposalId": f"{proposal:06}", "title": f"P{proposal}", "isPublished": True}
            backend.proposals.append(backend.touch(item))
        dataset: dict[str, Any] = {
            "pid": f"20.500.12269/{number:07}",
            "datasetName": f"scan {number}",
            "isPublished": True,
            "creationTime": "2024-05-01T08:00:00.000Z",
            "proposalIds": [f"{proposal:06}"],
            "techniques": [{"pid": "http://purl.org/pan-science/PaNET/PaNET01188", "name": "SAXS"}],
            "scientificMetadata": {
                "energy": {"value": number, "unit": "keV"},
                "temperature": {"value": 4.2, "unit": "K"},
                "comment": "none",
            },
        }
        backend.datasets.append(backend.touch(dataset))
        backend.blocks[dataset["pid"]] = [{"dataFileList": [{"path": f"{number}/scan.h5", "size": 7}]}]
    return backend.app()


def search_api(records: int) -> ASGIApp:
    """Datasets with a parameter, a file and a technique each, a hundred a document."""
    datasets = [
        {
            "pid": f"10.5072/{number:07}",
            "title": f"scan {number}",
            "isPublic": True,
            "creationDate": "2024-05-01T08:00:00Z",
            "techniques": [{"pid": "http://purl.org/pan-science/PaNET/PaNET01188", "name": "SAXS"}],
            "parameters": [{"name": "energy", "value": number, "unit": "keV"}],
            "files": [{"id": number, "name": "scan.h5", "path": f"{number}/scan.h5", "size": 7}],
        }
        for number in range(records)
    ]
    documents = [
        {
            "pid": f"10.5072/p{first:07}",
            "title": f"P{first}",
            "type": "proposal",
            "datasets": [
                {"pid": one["pid"], "title": one["title"]} for one in datasets[first : first + PER_PROPOSAL]
            ],
        }
        for first in range(0, records, PER_PROPOSAL)
    ]
    return SearchApi({"Instruments": [], "Datasets": datasets, "Documents": documents})


DOUBLES: dict[str, tuple[str, Callable[[int], ASGIApp], str]] = {
    "icat": ("icat", icat, ""),
    "mymdc": ("mymdc", mymdc, "/metadata"),
    "oai-pmh": ("oaiPmh", oai_pmh, "/oai"),
    "scicat": ("scicat", scicat, "/api"),
    "search-api": ("searchAPI", search_api, "/api"),
}


def _serve(kind: str, records: int, to: Connection) -> None:
    with serve(DOUBLES[kind][1](records)) as url:
        to.send(url)
        to.recv()


def _read(database: str, source: Source) -> float:
    """Seconds of a run."""
    assert source.remote
    began = time.monotonic()
    settings = Settings(database_url=SecretStr(database))
    make = lambda: adapter_of(source, Facility())  # noqa: E731 - the adapter is made anew for each run
    asyncio.run(Sync(settings, source.name, source.remote, make).once())
    return time.monotonic() - began


def main(kind: str, records: int = RECORDS) -> None:
    """Measure a listing of everything, and a run in which nothing has changed."""
    field, _, path = DOUBLES[kind]
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    # A daemon, so that a measurement that is broken off does not wait for it.
    double = multiprocessing.get_context("spawn").Process(
        target=_serve, args=(kind, records, theirs), daemon=True
    )
    double.start()
    with postgres.server() as running, tempfile.TemporaryDirectory() as credentials:
        for key in ("client_id", "client_secret", "user_email"):
            (Path(credentials) / key).write_text("bench")
        database = running.url(running.create())
        migrate(database)
        remote = {"url": ours.recv() + path, "credentials": credentials, "requestsPerSecond": 1000}
        source = Source.model_validate({"name": "bench", field: remote})
        whole, unchanged = _read(database, source), _read(database, source)
        with psycopg.connect(database) as connection:
            row = connection.execute("SELECT count(*) FROM dataset").fetchone()
        ours.send("stop")
    double.join()
    assert row == (records,), row
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{kind}: {records:,} records in {whole:.0f} s, {records / whole:.0f} a second; "
        f"{unchanged:.0f} s where nothing changed; at most {peak:.0f} MiB"
    )


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
