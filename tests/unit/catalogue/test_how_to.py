"""The commands of the how-to pages, run as they are written on a catalogue with the records they name."""

import base64
import json
import re
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from panosc_catalogue import store
from panosc_catalogue.records import DocumentRecord
from unit.catalogue.visibility import TOKEN, Catalogue, catalogue_of

PAGES = Path(__file__).parents[3] / "docs" / "how-to"
HOST = "https://catalogue.esrf.data.example.org"
PROPOSAL = {
    "pid": "10.15151/ESRF-ES-1",
    "title": "Proposal",
    "endDate": "2024-06-01",
    "datasets": [{"pid": "esrf:archive/run1", "title": "Run"}],
}
# What the commands get of the cluster is the token; an answer that is an error ends them.
SHELL = """set -euo pipefail
kubectl() {{ echo {token}; }}
curl() {{ command curl --silent --show-error --fail-with-body --max-time 30 "$@"; }}
TOKEN=$(kubectl | base64 -d)
{commands}
"""
COMMANDS = [
    pytest.param(block, id=f"{page}-{number}")
    for page in ("policy", "dois", "oai-pmh")
    for number, block in enumerate(
        re.findall(r"```console\n(.*?)```", (PAGES / f"{page}.md").read_text(encoding="utf-8"), re.DOTALL)
    )
    if "curl" in block
]


@pytest.fixture
def catalogue(database_url: str, tmp_path: Path) -> Iterator[Catalogue]:
    facility = {"displayName": "ESRF", "contactEmail": "data@example.org"}
    (tmp_path / "catalogue.json").write_text(json.dumps({"facility": facility, "publicUrl": HOST}))
    with catalogue_of(database_url, tmp_path) as catalogue:
        yield catalogue


def test_there_are_commands() -> None:
    assert len(COMMANDS) >= 5


@pytest.mark.parametrize("commands", COMMANDS)
def test_the_commands_do_what_they_say(catalogue: Catalogue, commands: str) -> None:
    catalogue.now = datetime(2026, 1, 1, tzinfo=UTC)
    with catalogue.connection.transaction():
        record = DocumentRecord.model_validate(PROPOSAL)
        store.write(catalogue.connection, [record], store.Origin("beamlines", "a"))
    script = SHELL.format(
        token=base64.b64encode(TOKEN.encode()).decode(),
        commands=commands.replace(HOST, str(catalogue.client.base_url).rstrip("/")),
    )
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "<error" not in done.stdout
