"""How fast the archive gives out bytes."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from bench.conftest import Report, requests_per_second
from unit.archive.conftest import base, behind_nginx, catalogue, environment  # noqa: F401
from unit.archive.harness import NGINX, Archive, Process, free_port, wait_for

MEBIBYTE = 2**20


@pytest.fixture(scope="module")
def plain_nginx(behind_nginx: Archive) -> Iterator[str]:  # noqa: F811
    """nginx serving the same folder without asking anybody."""
    port, folder = free_port(), behind_nginx.root.parent / "plain"
    folder.mkdir(mode=0o777)
    (behind_nginx.root / "healthz").write_text("ok")
    (folder / "nginx.conf").write_text(
        f"daemon off; pid {folder}/pid; error_log stderr; worker_processes 1; events {{}}\n"
        f"http {{ access_log off; sendfile on; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p;"
        f" fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;\n"
        f"server {{ listen 127.0.0.1:{port}; root {behind_nginx.root}; }} }}\n"
    )
    log = folder / "log"
    with Process([NGINX, "-c", str(folder / "nginx.conf")], {}, log) as running:
        wait_for(f"http://127.0.0.1:{port}/healthz", running.process, log)
        yield f"http://127.0.0.1:{port}"


def publish(archive: Archive, name: str, size: int) -> str:
    content = np.random.default_rng(0).bytes(size)
    archive.publish(name, content)
    Path(archive.root / name).chmod(0o644)
    return name


@pytest.mark.parametrize(("size", "what"), [(64 * MEBIBYTE, "64 MiB files"), (MEBIBYTE, "1 MiB files")])
def test_download(
    report: Report,
    behind_nginx: Archive,  # noqa: F811
    plain_nginx: str,
    size: int,
    what: str,
) -> None:
    name = publish(behind_nginx, f"bench-{size}.nxs", size)
    connections = 2 if size > MEBIBYTE else 8
    report.compare(
        f"Download of {what}",
        "MiB/s",
        lambda: requests_per_second(f"{behind_nginx.url}/files/{name}", connections) * size / MEBIBYTE,
        lambda: requests_per_second(f"{plain_nginx}/{name}", connections) * size / MEBIBYTE,
        "nginx serving the folder without asking anybody",
        f"{connections} connections by wrk on the loopback, bytes from the page cache; ours asks the "
        "catalogue (a double that answers at once) whether the file is public.",
    )
