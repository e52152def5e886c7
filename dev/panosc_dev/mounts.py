"""Mounts below a folder: find and undo them, deepest first."""

import re
from pathlib import Path

from panosc_dev import shell


def mount_points(mountinfo: str) -> list[str]:
    """Mount points in the text of /proc/self/mountinfo, in the order they were made."""
    points = (line.split(" ")[4] for line in mountinfo.splitlines() if line)
    return [re.sub(r"\\([0-7]{3})", lambda m: chr(int(m[1], 8)), point) for point in points]


def below(folder: Path) -> list[str]:
    """Mount points at or below `folder`, last made first, so that each can be undone in this order."""
    points = mount_points(Path("/proc/self/mountinfo").read_text())
    return [p for p in reversed(points) if Path(p).is_relative_to(folder)]


def undo(folder: Path) -> None:
    """Unmount everything at or below `folder`; busy ones are detached and go when their user ends."""
    while points := below(folder):
        before = len(points)
        for start in range(0, before, 100):
            shell.succeeds(["umount", "--lazy", "--no-canonicalize", *points[start : start + 100]])
        if len(below(folder)) >= before:
            shell.output(["umount", "--lazy", points[0]])  # says why
