"""A real archive: tree, `panosc-archive serve` as a process, nginx before it, and a catalogue's double."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from unit.archive.harness import (
    NGINX,
    Archive,
    CatalogueDouble,
    Process,
    archive_command,
    free_port,
    nginx_configuration,
    wait_for,
)


@pytest.fixture(scope="session")
def base() -> Iterator[Path]:
    """A folder that nginx's workers (another user) may enter, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp(prefix="panosc-archive-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def catalogue() -> Iterator[CatalogueDouble]:
    with CatalogueDouble("archive") as double:
        yield double


@pytest.fixture(scope="session")
def random_bytes() -> bytes:
    return np.random.default_rng(1).bytes(3_000_000)


@pytest.fixture(scope="session")
def environment(base: Path, catalogue: CatalogueDouble) -> dict[str, str]:
    (base / "data").mkdir()
    (base / "state").mkdir()
    (base / "links").mkdir()
    (base / "links/current").write_text("k" * 43)
    catalogue.caller = "token of the archive"
    (base / "tokens").mkdir()
    (base / "tokens/127.0.0.1").write_text(f"{catalogue.caller}\n")
    return {
        "PANOSC_ARCHIVE_DATA_DIRECTORY": str(base / "data"),
        "PANOSC_ARCHIVE_STATE_DIRECTORY": str(base / "state"),
        "PANOSC_ARCHIVE_CATALOGUE_TOKENS": str(base / "tokens"),
        "PANOSC_ARCHIVE_LINK_KEYS": str(base / "links"),
        "PANOSC_ARCHIVE_CATALOGUE_URLS": f'["{catalogue.url}"]',
        "PANOSC_ARCHIVE_PUBLIC_URL": "http://archive.example.org",
        "PANOSC_ARCHIVE_HDF5_SECONDS": "6",
        "PANOSC_ARCHIVE_HDF5_WORKER_MIB": "512",
        "PANOSC_ARCHIVE_HDF5_MAX_BYTES": "1000000",
    }


@pytest.fixture(scope="session")
def standalone(base: Path, catalogue: CatalogueDouble, environment: dict[str, str]) -> Iterator[Archive]:
    """The service sending the bytes itself."""
    port, log = free_port(), base / "standalone.log"
    with Process(archive_command("serve", "--port", str(port)), environment, log) as running:
        wait_for(f"http://127.0.0.1:{port}/healthz", running.process, log)
        yield Archive(base / "data", base / "state", port, catalogue, log, False)


@pytest.fixture(scope="session")
def behind_nginx(base: Path, catalogue: CatalogueDouble, environment: dict[str, str]) -> Iterator[Archive]:
    """nginx with the image's own configuration, sending what the service decides."""
    api_port, port = free_port(), free_port()
    configuration = nginx_configuration(base, "nginx", api_port, port)
    api_log, log = base / "api.log", base / "nginx.log"
    serve = archive_command("serve", "--port", str(api_port))
    accelerated = {**environment, "PANOSC_ARCHIVE_ACCEL_PREFIX": "/_files"}
    with (
        Process(serve, accelerated, api_log) as api,
        Process([NGINX, "-c", str(configuration)], {}, log) as nginx,
    ):
        wait_for(f"http://127.0.0.1:{api_port}/healthz", api.process, api_log)
        wait_for(f"http://127.0.0.1:{port}/healthz", nginx.process, log)
        yield Archive(base / "data", base / "state", port, catalogue, log, True)


@pytest.fixture(params=["standalone", "behind_nginx"])
def archive(request: pytest.FixtureRequest) -> Archive:
    """Both ways of sending bytes: everything that a user sees must be the same."""
    found: Archive = request.getfixturevalue(request.param)
    return found
