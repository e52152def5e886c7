"""Debian packages that the cluster and the image builder need."""

import os
import platform
import shutil
from collections.abc import Mapping, Sequence

from panosc_dev import privileges, shell
from panosc_dev.paths import cache_directory
from panosc_dev.progress import StepFailed, step

# A program of each package (or a path): what is there, from wherever, is left alone.
FOR_IMAGES = {
    "buildah": "buildah",
    "ca-certificates": "update-ca-certificates",
    "debian-archive-keyring": "/usr/share/keyrings/debian-archive-keyring.gpg",
    "mmdebstrap": "mmdebstrap",
}
FOR_CLUSTER = {
    **FOR_IMAGES,
    "conntrack": "conntrack",
    "containernetworking-plugins": "/usr/lib/cni/ptp",
    "iproute2": "ip",
    "ipset": "ipset",
    "iptables": "iptables",
    "nftables": "nft",
    "openssl": "openssl",
    "runc": "runc",
    "socat": "socat",
    "util-linux": "nsenter",
}
FOR_TESTS = {
    "chromium": "chromium",
    "curl": "curl",
    "default-jdk-headless": "javac",  # for Keycloak and its mappers
    "ldap-utils": "ldapmodify",
    # Of Playwright's driver, which comes without it.
    "libatomic1": f"/usr/lib/{platform.machine()}-linux-gnu/libatomic.so.1",
    "maven": "mvn",
    "nginx-light": "nginx",
    "postgresql": "/usr/lib/postgresql",
    "slapd": "/usr/sbin/slapd",
}
FOR_BENCHMARKS = {**FOR_TESTS, "wrk": "wrk"}


def _present(probe: str) -> bool:
    return os.path.exists(probe) if probe.startswith("/") else shutil.which(probe) is not None


def missing(needed: Mapping[str, str]) -> list[str]:
    """Packages whose program is not there."""
    return [package for package, probe in needed.items() if not _present(probe)]


def ensure(needed: Mapping[str, str]) -> None:
    """Install what is missing of `needed` (a program or path by package)."""
    if absent := missing(needed):
        install(absent)


def install(names: Sequence[str]) -> None:
    """Install Debian packages with apt-get."""
    if shutil.which("apt-get") is None:
        raise StepFailed(f"this is no Debian: install the equivalents of {', '.join(names)} yourself")
    log = cache_directory() / "logs" / "packages.log"
    apt = [*privileges.prefix(), "env", "DEBIAN_FRONTEND=noninteractive", "apt-get"]
    with step(f"Installing {', '.join(names)}"):
        shell.logged([*apt, "update"], log, seconds=300)
        shell.logged([*apt, "install", "-y", "--no-install-recommends", *names], log, seconds=900)
