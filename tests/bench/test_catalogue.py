"""How fast the catalogue answers, measured against what its database can do."""

import json
import re
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
from bench.conftest import requests_per_second
from panosc_catalogue.query import compile as sql
from panosc_catalogue.query.model import MODELS
from panosc_catalogue.query.parse import parse_filter
from panosc_common.policy import DataPolicy
from panosc_common.panet import LATEST, ontology
from support.postgres import server
from unit.archive.harness import Process, free_port, wait_for

DATASETS = 20_000
TECHNIQUES = [
    ("http://purl.org/pan-science/PaNET/PaNET01188", "small angle x-ray scattering"),
    ("http://purl.org/pan-science/PaNET/PaNET01196", "x-ray absorption spectroscopy"),
    ("http://purl.org/pan-science/PaNET/PaNET01189", "small angle neutron scattering"),
]
PLAIN = {"limit": 20}
TECHNIQUE_AND_RANGE = {
    "limit": 20,
    "include": [
        {"relation": "techniques", "scope": {"where": {"name": TECHNIQUES[0][1]}}},
        {
            "relation": "parameters",
            "scope": {"where": {"and": [{"name": "photon_energy"}, {"value": {"between": [9000, 9500]}}]}},
        },
    ],
}


def records():
    """Proposals of ten datasets each, as lines for `panosc-catalogue load`."""
    start = datetime(2015, 1, 1, tzinfo=UTC)
    for proposal in range(DATASETS // 10):
        datasets = []
        for run in range(10):
            number = proposal * 10 + run
            pid, name = TECHNIQUES[number % 3]
            datasets.append(
                {
                    "pid": f"bench/{number}",
                    "title": f"Run {number} of proposal {proposal}",
                    "isPublic": True,
                    "creationDate": (start + timedelta(hours=number)).isoformat(),
                    "size": number * 1000,
                    "techniques": [{"pid": pid, "name": name}],
                    "instrument": {
                        "pid": f"bench/i{number % 12}",
                        "name": f"B{number % 12:02}",
                        "facility": "Bench",
                    },
                    "parameters": [
                        {"name": "photon_energy", "value": 5000 + number % 10000, "unit": "eV"},
                        {"name": "temperature", "value": 4 + number % 300, "unit": "K"},
                    ],
                    "files": [
                        {"id": f"{number}", "name": f"run_{number}.nxs", "path": f"p{proposal}", "size": 1}
                    ],
                }
            )
        yield {
            "kind": "Document",
            "pid": f"bench/p{proposal}",
            "type": "proposal",
            "title": f"Proposal {proposal}",
            "isPublic": True,
            "datasets": datasets,
        }


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    with server() as postgres:
        name = postgres.create()
        url = postgres.url(name)
        command = str(Path(sys.executable).with_name("panosc-catalogue"))
        subprocess.run([command, "migrate", "--database-url", url], check=True, capture_output=True)
        lines = tmp_path_factory.mktemp("bench") / "records.jsonl"
        lines.write_text("".join(json.dumps(record) + "\n" for record in records()))
        started = time.monotonic()
        subprocess.run([command, "load", "--database-url", url, str(lines)], check=True, capture_output=True)
        print(f"loaded {DATASETS} datasets in {time.monotonic() - started:.1f} s")
        yield url


@pytest.fixture(scope="module")
def api(database, tmp_path_factory):
    port, log = free_port(), tmp_path_factory.mktemp("api") / "log"
    command = [str(Path(sys.executable).with_name("panosc-catalogue")), "serve", "--port", str(port)]
    with Process([*command, "--database-url", database], {}, log) as running:
        wait_for(f"http://127.0.0.1:{port}/readyz", running.process, log)
        yield f"http://127.0.0.1:{port}/api"


def statements_per_second(database: str, query: dict[str, object], script: Path) -> float:
    """Rate at which PostgreSQL alone answers the same question, planned once, over as many connections."""
    text, parameters = sql.bind(
        sql.items(parse_filter(MODELS["Dataset"], query, ontology(LATEST))), DataPolicy(), None
    )
    variables = {name: "null" if value is None else f"'{value}'" for name, value in parameters.items()}
    # A function, since pgbench would take the colons of the date formats for variables.
    body = f"BEGIN RETURN ({text % variables}); END"
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(
            f"CREATE OR REPLACE FUNCTION bench() RETURNS text LANGUAGE plpgsql AS $b${body}$b$"
        )
    script.write_text("SELECT bench();\n")
    [pgbench] = sorted(Path("/usr/lib/postgresql").glob("*/bin/pgbench"))[-1:]
    command = [pgbench, "-n", "-M", "prepared", "-c", "8", "-j", "1", "-T", "3", "-f", script, database]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return float(re.search(r"tps = ([\d.]+)", output)[1])


@pytest.mark.parametrize(
    ("query", "what"),
    [(PLAIN, "Plain list of 20"), (TECHNIQUE_AND_RANGE, "Technique and parameter range")],
    ids=["plain", "technique-range"],
)
def test_search(report, api, database, tmp_path, query, what):
    url = f"{api}/Datasets?filter={quote(json.dumps(query, separators=(',', ':')))}"
    report.compare(
        f"{what} of {DATASETS:,} datasets",
        "requests/s",
        lambda: requests_per_second(url),
        lambda: statements_per_second(database, query, tmp_path / "query.sql"),
        "PostgreSQL alone, the same statement prepared (the limit)",
        "8 connections: ours by wrk over HTTP to one process, the database's by pgbench. The PaNOSC "
        "reference server was measured elsewhere on two cores at 19 and 6 requests/s for these questions.",
    )
