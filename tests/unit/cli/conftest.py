"""A facility as people at home meet it: Keycloak as a Federation declares it, catalogue, archive, nginx."""

import json
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx2
import pytest
from support import keycloak, postgres
from support.federation import NAMESPACE, declared
from unit.archive.harness import NGINX, Process, archive_command, free_port, nginx_configuration, wait_for
from unit.catalogue_archive.test_together import catalogue_command, measure
from unit.cli.laptop import MEMBER, OTHER, Facility, Laptop

SMALL = "hc1/a scan/öpen.nxs"
LARGE = "hc3/scan/large.nxs"
EMBARGOED = "hc2/scan/embargoed.nxs"


@pytest.fixture(scope="module")
def facility() -> Iterator[Facility]:
    base = Path(tempfile.mkdtemp(prefix="panosc-cli-"))
    base.chmod(0o755)  # nginx's workers are another user
    root, configuration, policy = base / "data", base / "catalogue.json", base / "policy.json"
    root.mkdir()
    measure(root / SMALL, "2015-06-01T12:00:00Z")
    measure(root / LARGE, "2015-07-01T12:00:00Z")
    with (root / LARGE).open("ab") as file:
        file.write(bytes(range(256)) * 4 * 8192)  # behind the end of what HDF5 reads: 8 MiB
    measure(root / EMBARGOED, time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))
    policy.write_text('{"embargo": {"months": 36}}')
    search, ingest, index, api, front = (free_port() for _ in range(5))
    with ExitStack() as cleanup:
        cleanup.callback(shutil.rmtree, base)
        database = cleanup.enter_context(postgres.server())
        login = cleanup.enter_context(keycloak.server(database))
        told = Facility(f"http://127.0.0.1:{search}", f"http://127.0.0.1:{front}", root, login)
        community = declared(login, "esrf", {"catalogue": told.catalogue, "archive": told.archive})
        for who, proposal in ((MEMBER, "hc2"), (OTHER, "hc1")):
            community.person(who, f"/esrf/proposals/{proposal}")
        source = {
            "name": "beamlines",
            "nexus": {"archive": "archive", "root": str(root), "archiveUrl": told.archive},
        }
        aai = {
            "issuer": community.issuer,
            "audience": community.audience,
            "scope": community.audience,
            "entitlementNamespace": NAMESPACE,
        }
        facility = {"name": "esrf", "displayName": "ESRF"}
        configuration.write_text(
            json.dumps({"facility": facility, "publicUrl": told.catalogue, "sources": [source], "aai": aai})
        )

        def start(command: list[str], port: int, environment: dict[str, str], *options: str) -> Process:
            log = base / f"{port}.log"
            process = cleanup.enter_context(Process([*command, *options], environment, log))
            wait_for(f"http://127.0.0.1:{port}/healthz", process.process, log)
            return process

        environment = {
            "PANOSC_CATALOGUE_DATABASE_URL": database.url(),
            "PANOSC_CATALOGUE_POLICY_FILE": str(policy),
            "PANOSC_CATALOGUE_CONFIG_FILE": str(configuration),
        }
        of_archive = {
            "PANOSC_ARCHIVE_DATA_DIRECTORY": str(root),
            "PANOSC_ARCHIVE_STATE_DIRECTORY": str(base / "state"),
            "PANOSC_ARCHIVE_CATALOGUE_URLS": json.dumps([told.catalogue]),
            "PANOSC_ARCHIVE_PUBLIC_URL": told.archive,
            "PANOSC_ARCHIVE_ACCEL_PREFIX": "/_files",
            "PANOSC_ARCHIVE_SCAN_SECONDS": "0.3",
            "PANOSC_ARCHIVE_HASH_SETTLE_SECONDS": "0",
        }
        with Process(catalogue_command("migrate"), environment, base / "migrate.log") as migrate:
            assert migrate.process.wait(60) == 0, (base / "migrate.log").read_text()
        start(catalogue_command("serve"), search, environment, "--port", str(search))
        start(catalogue_command("ingest"), ingest, environment, "--port", str(ingest))
        start(archive_command("index", "--host", "127.0.0.1"), index, of_archive, "--port", str(index))
        start(archive_command("serve"), api, of_archive, "--port", str(api))
        nginx = nginx_configuration(base, "nginx", api, front)
        start([NGINX, "-c", str(nginx)], front, {})
        deadline = time.monotonic() + 60
        while True:
            datasets = (
                httpx2.get(f"http://127.0.0.1:{ingest}/status", trust_env=False).json().get("datasets", 0)
            )
            hashed = httpx2.get(f"http://127.0.0.1:{index}/status", trust_env=False).json()["fixity"]
            if datasets == 3 and hashed["known"] == 3 and hashed["pending"] == 0:
                break
            assert time.monotonic() < deadline, (datasets, hashed)
            time.sleep(0.1)
        yield told


@pytest.fixture
def laptop(tmp_path: Path) -> Laptop:
    return Laptop(tmp_path)
