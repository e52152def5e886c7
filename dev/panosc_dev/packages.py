"""Debian packages that the cluster and the image builder need."""

import os
import shutil

from panosc_dev import shell
from panosc_dev.paths import cache_directory
from panosc_dev.progress import StepFailed, step

# A program of each package (or a path), so that a machine that has them is left alone.
_NEEDED = {
    "buildah": "buildah",
    "conntrack": "conntrack",
    "containernetworking-plugins": "/usr/lib/cni/ptp",
    "iproute2": "ip",
    "ipset": "ipset",
    "iptables": "iptables",
    "mmdebstrap": "mmdebstrap",
    "nftables": "nft",
    "openssl": "openssl",
    "runc": "runc",
    "socat": "socat",
    "util-linux": "nsenter",
}
_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def _present(probe: str) -> bool:
    return os.path.exists(probe) if probe.startswith("/") else shutil.which(probe, path=_SYSTEM_PATH) is not None


def missing(needed: dict[str, str] | None = None) -> list[str]:
    """Packages whose program is not there."""
    return [package for package, probe in (needed or _NEEDED).items() if not _present(probe)]


def ensure() -> None:
    """Install the missing packages with apt-get."""
    absent = missing()
    if not absent:
        return
    if shutil.which("apt-get") is None:
        raise StepFailed(f"this is no Debian: install the equivalents of {', '.join(absent)} yourself")
    log = cache_directory() / "logs" / "packages.log"
    env = {"DEBIAN_FRONTEND": "noninteractive"}
    with step(f"Installing {', '.join(absent)}"):
        shell.logged(["apt-get", "update"], log, seconds=300, env=env)
        shell.logged(["apt-get", "install", "-y", "--no-install-recommends", *absent], log, seconds=900, env=env)
