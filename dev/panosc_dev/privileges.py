"""Root where it is needed: through sudo, with the invoking user's folders."""

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from panosc_dev.progress import StepFailed

_KEPT = (
    "HOME",
    "PATH",
    "PYTHONPATH",
    "KUBECONFIG",
    "REGISTRY_AUTH_FILE",
    "XDG_RUNTIME_DIR",  # holds the log-ins to registries
    "XDG_CACHE_HOME",
    "XDG_DATA_HOME",
    "XDG_STATE_HOME",
    "GOPATH",
    "GOMODCACHE",
    "GOCACHE",
    "GOPROXY",
)


_ADMINISTRATION = ("/usr/local/sbin", "/usr/sbin", "/sbin")


def with_administration(path: str) -> str:
    """A PATH on which programs for root are found too; Debian keeps them off that of ordinary users."""
    folders = path.split(":")
    return ":".join([*folders, *(f for f in _ADMINISTRATION if f not in folders)])


def prefix(environment: Mapping[str, str] | None = None) -> list[str]:
    """What to put before a command that needs root: nothing for root, else sudo.

    The folders of the invoking user are kept, so that root finds the same caches and the same clusters.
    """
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo") is None:
        raise StepFailed("this needs root: run it as root, or install sudo")
    variables = os.environ if environment is None else environment
    return ["sudo", "env", *(f"{name}={variables[name]}" for name in _KEPT if name in variables)]


def become_root(arguments: Sequence[str]) -> None:
    """Continue this command as root; returns only if it is root already."""
    if command := prefix():
        os.execvp(command[0], [*command, sys.executable, "-m", "panosc_dev", *arguments])


def give_to_user(path: Path) -> None:
    """Make a file the property of the user who called sudo; nothing to do without sudo."""
    if "SUDO_UID" in os.environ:
        os.chown(path, int(os.environ["SUDO_UID"]), int(os.environ["SUDO_GID"]))
