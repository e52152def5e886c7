"""How fast the catalogue answers and takes in, at sizes that show whether its plans stay flat."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2
import psycopg
import pytest
from bench.conftest import Report, requests_per_second
from bench.population import populate
from panosc_catalogue.migrate import migrate
from panosc_catalogue.query import compile as sql
from panosc_catalogue.query import tags
from panosc_catalogue.query.model import MODELS
from panosc_catalogue.query.parse import parse_filter
from panosc_common.panet import IRI, LATEST, ontology
from panosc_common.policy import DataPolicy
from panosc_operator.kinds.postgresql import tuned
from support import postgres
from unit.archive.harness import Process, free_port, wait_for

COMMAND = str(Path(sys.executable).with_name("panosc-catalogue"))
# Making a million datasets takes minutes.
pytestmark = pytest.mark.timeout(1800)

SIZES = [20_000, *([1_000_000] if os.environ.get("PANOSC_BENCH_MILLION") else [])]
INGESTED = 100_000
MEMORY_GIB = 8
"""Of the database, which is set up as the operator sets up a managed one."""
DURABLE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}
"""What tests do without."""


def parameters(**where: object) -> dict[str, Any]:
    return {"relation": "parameters", "scope": {"where": where}}


TECHNIQUE = {"relation": "techniques", "scope": {"where": {"name": "small angle scattering"}}}
ENERGY = parameters(name="photon_energy", value={"between": [9, 12]}, unit="keV")
MIDDLE: dict[str, Any] = {"order": "title ASC"}
QUERIES: dict[str, dict[str, Any]] = {
    "Plain list of 20": {},
    "Technique and parameter range": {"include": [TECHNIQUE, ENERGY]},
    "Newest 20": {"order": "creationDate DESC"},
    "Newest 20 of a technique and parameter range": {
        "order": "creationDate DESC",
        "include": [TECHNIQUE, ENERGY],
    },
    "Two parameters that few have": {
        "include": [
            parameters(name="exposure_time", value={"between": [998, 1000]}, unit="ms"),
            parameters(name="temperature", value={"lt": 50}, unit="K"),
        ]
    },
    "Text": {"query": "LaNiO3"},
    "Text and technique": {"query": "LaNiO3", "include": [TECHNIQUE]},
    "Text, technique and parameter range": {"query": "LaNiO3", "include": [TECHNIQUE, ENERGY]},
    "Page of 20 in the middle, by title": MIDDLE,
}


@dataclass(frozen=True)
class Catalogue:
    """A populated database and the search API that answers from it."""

    datasets: int
    database: str
    api: str

    def url(self, query: dict[str, Any]) -> str:
        """Address of the query's first page; of MIDDLE's, of the page in the middle."""
        url = f"{self.api}/Datasets?filter={quote(json.dumps({'limit': 20} | query, separators=(',', ':')))}"
        if query != MIDDLE:
            return url
        before = json.dumps({"limit": 1, "skip": self.datasets // 2, "fields": ["pid"]} | query)
        # To begin in the middle by skipping takes long, the once.
        found = httpx2.get(f"{self.api}/Datasets", params={"filter": before}, timeout=60)
        return f"{url}&cursor={quote(found.headers['X-Next-Cursor'])}"


@pytest.fixture(scope="module")
def server() -> Iterator[postgres.Server]:
    with postgres.server(DURABLE | tuned(MEMORY_GIB * 1024)) as running:
        yield running


def wait_until_sealed(database: str) -> None:
    """Wait for the service to have sealed all that it can: it begins when it starts."""
    count = "SELECT count(*) FROM dataset WHERE sealed"
    counts: list[tuple[Any, ...] | None] = [(0,)]
    with psycopg.connect(database, autocommit=True) as connection:
        while counts[-1] == (0,) or counts[-1] != counts[-2]:
            time.sleep(2)
            counts.append(connection.execute(count).fetchone())
        connection.execute("VACUUM ANALYZE dataset")


@pytest.fixture(scope="module", params=SIZES, ids=lambda size: f"{size:,}")
def catalogue(
    request: pytest.FixtureRequest, server: postgres.Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Catalogue]:
    name = server.create()
    migrate(server.url(name))
    started = time.monotonic()
    populate(server.url(name), request.param)
    print(f"made {request.param:,} datasets in {time.monotonic() - started:.0f} s")
    port, log = free_port(), tmp_path_factory.mktemp("api") / "log"
    command = [COMMAND, "serve", "--port", str(port), "--database-url", server.url(name)]
    # Comparing a million records for OAI-PMH takes minutes of a core, which are not the search's.
    environment = {"PANOSC_CATALOGUE_STAMP_SECONDS": "86400"}
    with Process(command, environment, log) as running:
        wait_for(f"http://127.0.0.1:{port}/readyz", running.process, log)
        wait_until_sealed(server.url(name))
        yield Catalogue(request.param, server.url(name), f"http://127.0.0.1:{port}/api")
    server.drop(name)


def statements_per_second(database: str, query: dict[str, Any], script: Path) -> float:
    """Rate at which PostgreSQL alone answers the same question, planned once, over as many connections."""
    wanted = parse_filter(MODELS["Dataset"], {"limit": 20} | query, ontology(LATEST))
    with psycopg.connect(database, autocommit=True) as connection:
        if techniques := sql.techniques(wanted):
            found = connection.execute(*sql.bind(techniques, DataPolicy(), None)).fetchone()
            wanted = tags.known(wanted, found or ())
        text, values = sql.bind(sql.items(wanted), DataPolicy(), None, past_sealed=True)
        # A function, since pgbench would take the colons of the date formats for variables.
        body = f"BEGIN RETURN ({psycopg.ClientCursor(connection).mogrify(text, values)}); END"
        connection.execute(
            f"CREATE OR REPLACE FUNCTION bench() RETURNS text LANGUAGE plpgsql AS $b${body}$b$"
        )
    script.write_text("SELECT bench();\n")
    [pgbench] = sorted(Path("/usr/lib/postgresql").glob("*/bin/pgbench"))[-1:]
    command = [
        str(pgbench),
        "-n",
        "-M",
        "prepared",
        "-c",
        "8",
        "-j",
        "1",
        "-T",
        "3",
        "-f",
        str(script),
        database,
    ]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    rate = re.search(r"tps = ([\d.]+)", output)
    assert rate is not None, output
    return float(rate[1])


@pytest.mark.parametrize("what", QUERIES)
def test_search(report: Report, catalogue: Catalogue, tmp_path: Path, what: str) -> None:
    query = QUERIES[what]
    url = catalogue.url(query)
    assert len(httpx2.get(url, timeout=60).json()) > 0
    report.compare(
        f"{what} of {catalogue.datasets:,} datasets",
        "requests/s",
        lambda: requests_per_second(url),
        lambda: statements_per_second(catalogue.database, query, tmp_path / "query.sql"),
        "PostgreSQL alone, the same statement prepared (the limit)",
        f"`{json.dumps(query)}`, 20 items. 8 connections: ours by wrk over HTTP to one process, the "
        "database's by pgbench, of the first page. PostgreSQL is set up as a Catalogue's with "
        f"`spec.database.managed.memory: {MEMORY_GIB}Gi`. The PaNOSC reference server was measured elsewhere "
        "on two cores with 20,000 datasets: 19 requests/s for a plain list, 6 for a technique and a range.",
    )


def records() -> Iterator[dict[str, Any]]:
    """Proposals of ten datasets each, as lines for `panosc-catalogue load`."""
    for proposal in range(INGESTED // 10):
        datasets = [
            {
                "pid": f"bench/{number}",
                "title": f"Run {number} of proposal {proposal}, perovskite LaNiO3 at {number % 300} K",
                "creationDate": "2015-01-01T00:00:00Z",
                "techniques": [{"pid": f"{IRI}PaNET01188", "name": "small angle x-ray scattering"}],
                "instrument": {
                    "pid": f"i{proposal % 12}",
                    "name": f"B{proposal % 12:02}",
                    "facility": "Bench",
                },
                "parameters": [
                    {"name": "photon_energy", "value": 5000 + number % 10000, "unit": "eV"},
                    {"name": "temperature", "value": number % 300, "unit": "K"},
                ],
                "files": [{"name": f"run_{number}.nxs", "path": f"p{proposal}/{number}.nxs", "size": 1}],
            }
            for number in range(proposal * 10, proposal * 10 + 10)
        ]
        yield {
            "kind": "Document",
            "pid": f"p{proposal}",
            "title": f"Proposal {proposal}",
            "datasets": datasets,
        }


def test_ingest(report: Report, server: postgres.Server, tmp_path: Path) -> None:
    url = server.url(server.create())
    migrate(url)
    lines = tmp_path / "records.jsonl"
    lines.write_text("".join(json.dumps(record) + "\n" for record in records()))

    def load() -> float:
        started = time.monotonic()
        subprocess.run([COMMAND, "load", "--database-url", url, lines], check=True, capture_output=True)
        return INGESTED / (time.monotonic() - started)

    def copy() -> float:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CREATE TABLE copied (line jsonb)")
            started = time.monotonic()
            with connection.cursor().copy("COPY copied FROM STDIN") as target:
                target.write(lines.read_bytes())
            return INGESTED / (time.monotonic() - started)

    report.once(
        f"Load of {INGESTED:,} datasets",
        "datasets/s",
        load,
        copy,
        "PostgreSQL's COPY of the same lines as JSON, neither read nor related",
        "`panosc-catalogue load` of proposals with ten datasets, each with a file, a technique and two "
        "parameters, into an empty database; measured once.",
    )
