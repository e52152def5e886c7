"""The cgroup of a cluster: one folder in every hierarchy, on cgroup v1 and v2 alike.

Every process of the cluster, pods included, lives below it. That is how tear-down finds them all.
"""

import errno
import os
import time
from collections.abc import Iterable
from pathlib import Path

from panosc_dev.progress import StepFailed

ROOT = Path("/sys/fs/cgroup")
_ENTER = 'while [ "$1" != -- ]; do echo $$ > "$1" || exit; shift; done; shift; exec "$@"'
_SYSTEM = "system"  # the cluster's own programs; cgroup v2 allows no processes beside child groups


def hierarchies(root: Path = ROOT) -> list[Path]:
    """Mount points of all hierarchies: the root itself on v2, one a controller on v1 (links left out)."""
    if (root / "cgroup.controllers").exists():
        return [root]
    return sorted(
        p for p in root.iterdir() if p.is_dir() and not p.is_symlink() and (p / "cgroup.procs").exists()
    )


def create(name: str, root: Path = ROOT) -> None:
    """Make the cluster's group in every hierarchy; harmless if it is there."""
    for hierarchy in hierarchies(root):
        group = hierarchy / name
        for folder in (group, group / _SYSTEM):
            folder.mkdir(exist_ok=True)
            _inherit_cpuset(folder)
    # A v2 hierarchy beside those of v1 has no controller that kubelet needs.
    if (root / "cgroup.controllers").exists():
        _delegate(root)
        _delegate(root / name)


def _delegate(group: Path) -> None:
    # On v2 a group has only the controllers that its parent hands down, and kubelet needs them.
    controllers = (group / "cgroup.controllers").read_text().split()
    try:
        (group / "cgroup.subtree_control").write_text(" ".join(f"+{c}" for c in controllers))
    except OSError as error:
        if error.errno != errno.EBUSY:
            raise
        raise StepFailed(
            f"{group} cannot hand down its controllers, as processes are in it: this machine seems to be a "
            "container; move them into a group below, or start the cluster outside the container"
        ) from error


def _inherit_cpuset(folder: Path) -> None:
    # A new v1 cpuset is empty and takes no process until it has processors and memory nodes.
    for setting in ("cpuset.cpus", "cpuset.mems"):
        path = folder / setting
        parent = folder.parent / setting
        if path.exists() and parent.exists() and not path.read_text().strip():
            path.write_text(parent.read_text())


def entering(name: str, hierarchies_found: Iterable[Path] | None = None) -> list[str]:
    """Prefix of a command that runs in the cluster's group for its programs and keeps its pid."""
    found = hierarchies() if hierarchies_found is None else hierarchies_found
    files = [str(hierarchy / name / _SYSTEM / "cgroup.procs") for hierarchy in found]
    return ["sh", "-c", _ENTER, "sh", *files, "--"]


def _groups(name: str) -> list[Path]:
    """All groups of the cluster, deepest first."""
    found = []
    for hierarchy in hierarchies():
        for folder, _, _ in os.walk(hierarchy / name, topdown=False):
            found.append(Path(folder))
    return found


def members(name: str) -> set[int]:
    """Pids of all processes in the cluster's groups."""
    pids: set[int] = set()
    for group in _groups(name):
        try:
            pids.update(int(line) for line in (group / "cgroup.procs").read_text().split())
        except (FileNotFoundError, OSError):
            continue  # vanished meanwhile
    return pids


def remove(name: str, patience: float = 10) -> bool:
    """Remove the cluster's groups; True when none is left. Groups of processes just ended need a moment."""
    deadline = time.monotonic() + patience
    while groups := _groups(name):
        for group in groups:
            try:
                group.rmdir()
            except OSError:
                continue  # still busy: next round
        if time.monotonic() > deadline:
            return not _groups(name)
        time.sleep(0.05)
    return True
