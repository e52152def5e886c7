"""Programs that are fetched by Maven rather than compiled: pinned archives, held to their digests."""

import hashlib
import os
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

from panosc_dev import shell, toolchain
from panosc_dev.paths import cache_directory
from panosc_dev.progress import StepFailed, step


@dataclass(frozen=True)
class Download:
    """A tar archive whose one top folder is the program."""

    name: str
    artifact: str
    sha256: str


# From whichever repository Maven is set up for: a facility may have a mirror of its own.
_COPY = ("mvn", "--batch-mode", "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy")
KEYCLOAK = Download(
    "keycloak",
    "org.keycloak:keycloak-quarkus-dist:26.7.3:tar.gz",
    "77657f30b7e90d70f727712ce1c967f430fd6a5e9f458d32d8c6df0635345f47",
)


def directory_of(download: Download) -> Path:
    """The unpacked program, fetched first if the cache does not hold it."""
    tools = cache_directory() / "tools"
    target = tools / f"{download.name}-{download.sha256[:16]}"
    if target.is_dir():
        return target
    with toolchain.locked(tools / f".{download.name}.lock"):
        if target.is_dir():
            return target
        log = cache_directory() / "logs" / f"download-{download.name}.log"
        with (
            step(f"Downloading {download.artifact}"),
            tempfile.TemporaryDirectory(dir=tools, prefix=f".{download.name}-") as scratch,
        ):
            where = f"-DoutputDirectory={scratch}/fetched"
            shell.logged([*_COPY, f"-Dartifact={download.artifact}", where], log, seconds=900)
            [archive] = (Path(scratch) / "fetched").iterdir()
            with archive.open("rb") as content:
                found = hashlib.file_digest(content, "sha256").hexdigest()
            if found != download.sha256:
                raise StepFailed(f"{download.artifact} has the digest {found}, not {download.sha256}")
            with tarfile.open(archive) as packed:
                packed.extractall(Path(scratch) / "unpacked", filter="data")
            [top] = (Path(scratch) / "unpacked").iterdir()
            os.rename(top, target)
    return target
