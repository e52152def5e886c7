"""What changed in a directory tree since the last look, at the cost of one `stat` per directory.

Data arrive in an archive from other hosts over NFS or parallel file systems, where inotify is silent; a whole
walk of millions of files takes long. A directory's modification time changes when a name in it appears or
goes, so a scan lists again only the directories whose time differs from the remembered one. What that misses
is covered in two ways: a directory that is young, or holds young files, is listed on every scan until it has
settled (files are written in place, clocks are coarse, caches are late), and a *full* scan now and then looks
at every file. Hints by inotify (`wait_for_change`) only make the next scan come sooner.
"""

import asyncio
import os
import stat
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

import structlog
from watchfiles import awatch

SETTLE_SECONDS = 120.0
"""Age from which a file or directory is taken as finished: twice NFS's longest attribute cache."""

MAX_WATCHED = 4096
"""Directories that inotify watches at most; half of the smallest limit that Linux grants a user."""

UNFINISHED = ".panosc-uploads"
"""Folder of the root in which files are that are still being sent: nothing in it is data yet."""

log = structlog.stdlib.get_logger(__name__)


class RootUnavailable(OSError):
    """The root of the tree cannot be read, or went away during the scan: nothing follows about its files."""


class FileState(NamedTuple):
    """What tells one content of a file from another without reading it."""

    size: int
    """Bytes."""
    mtime_ns: int
    """Modification time, nanoseconds since the epoch."""


class ChangeKind(StrEnum):
    """What happened to a file."""

    ADDED = "added"
    CHANGED = "changed"
    REMOVED = "removed"


class Change(NamedTuple):
    """A file that is new, different or gone; `state` is the new state, of a removed file the last known."""

    kind: ChangeKind
    path: str
    """Relative to the root, `/` between components, valid UTF-8."""
    state: FileState


class ProblemReason(StrEnum):
    """Why something in the tree is left out."""

    UNREADABLE = "Unreadable"
    """The operating system refused: permission, I/O error, name too long."""
    NAME_NOT_UTF8 = "NameNotUTF8"
    """The name is no valid UTF-8, so no URL and no JSON document can hold it."""
    LINK_LEAVES_TREE = "LinkLeavesTree"
    """A symbolic link whose target lies outside the root."""
    BROKEN_LINK = "BrokenLink"
    """A symbolic link without a target, or one that leads back to itself."""


class Problem(NamedTuple):
    """Something in the tree that is left out; `path` is printable (bytes that are no UTF-8 as `\\xff`)."""

    path: str
    reason: ProblemReason
    message: str


@dataclass(slots=True)
class _Directory:
    identity: tuple[int, int, int, int] | None = None
    """Device, inode, modification and change time when it was listed; None until it has settled."""
    modified_ns: int = 0
    files: dict[str, FileState] = field(default_factory=dict)
    directories: set[str] = field(default_factory=set)
    problems: list[Problem] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ScanStatistics:
    """How much the last scan had to look at."""

    visited: int = 0
    """Directories whose times were compared."""
    listed: int = 0
    """Directories among them that were listed, with one `stat` a file."""


class TreeScanner:
    """Remembers a tree and tells what changed. Not thread-safe: one scan at a time.

    Symbolic links are not followed: a file counts once, at its own place. Devices, sockets and pipes are
    passed over, and so is `UNFINISHED`. `known` (path, state) seeds the memory after a restart, so that files
    which went away meanwhile are reported as removed; the first scan then lists everything once.
    """

    def __init__(
        self,
        root: Path,
        *,
        known: Iterable[tuple[str, FileState]] = (),
        settle_seconds: float = SETTLE_SECONDS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.root = root
        self.statistics = ScanStatistics()
        self._settle_ns = int(settle_seconds * 1e9)
        self._clock = clock
        self._directories: dict[str, _Directory] = {"": _Directory()}
        # Files that a listing no longer shows, until their removal has been told.
        self._gone: dict[str, FileState] = {}
        for path, state in known:
            self._seed(path, state)

    def files(self) -> Iterator[tuple[str, FileState]]:
        """Every file known after the last scan."""
        for path, directory in self._directories.items():
            for name, state in directory.files.items():
                yield _join(path, name), state

    def problems(self) -> Iterator[Problem]:
        """Everything that was left out, as of the last scan."""
        for directory in self._directories.values():
            yield from directory.problems

    def recent_directories(self, limit: int) -> list[str]:
        """The root and those directories that changed last, `limit` at most: where new data are expected."""
        known = sorted(self._directories, key=lambda path: -self._directories[path].modified_ns)
        return ["", *(path for path in known[:limit] if path)][:limit]

    def scan(self, *, full: bool = False, only: Collection[str] | None = None) -> Iterator[Change]:
        """Look at the tree and yield what changed since the last scan; removed files come last.

        `full` lists every directory; `only` lists just these known directories and what is new below them.
        A consumer that stops early gets the rest, and perhaps some changes again, from the next scan.

        Raises RootUnavailable if the root cannot be read before or after the walk, or is empty though files
        are known (as the place of a volume that is not mounted is); nothing is then reported as removed.
        """
        root = self._root_identity()
        visited = listed = 0
        pending = [""] if only is None else [path for path in only if path in self._directories]
        while pending:
            path = pending.pop()
            known = self._directories.setdefault(path, _Directory())
            visited += 1
            try:
                if not full and only is None and self._is_unchanged(path, known):
                    pending.extend(_join(path, name) for name in known.directories)
                    continue
                listed += 1
                fresh = self._list(path)
                yield from self._compare(path, known, fresh)
                new = self._adopt(path, known, fresh)
                pending.extend(_join(path, name) for name in (fresh.directories if only is None else new))
            except OSError as error:
                if not path:
                    raise RootUnavailable(error.errno, error.strerror, str(self.root)) from error
                if isinstance(error, FileNotFoundError | NotADirectoryError):
                    continue  # gone since its parent was listed, whose new time makes the next scan see it
                # What was known below stays known: unreadable is not removed.
                known.identity = None
                reason = error.strerror or str(error)
                known.problems = [Problem(printable(path), ProblemReason.UNREADABLE, reason)]
                if only is None:
                    pending.extend(_join(path, name) for name in known.directories)
        self.statistics = ScanStatistics(visited, listed)
        if self._root_identity() != root:
            raise RootUnavailable(0, "the root was replaced during the scan", str(self.root))
        while self._gone:
            path, state = next(iter(self._gone.items()))
            yield Change(ChangeKind.REMOVED, path, state)
            del self._gone[path]

    def _is_unchanged(self, path: str, known: _Directory) -> bool:
        return known.identity is not None and _identity(os.lstat(self.root / path)) == known.identity

    def _adopt(self, path: str, known: _Directory, fresh: _Directory) -> list[str]:
        """Remember a listing in place of the older one; returns the directories in it that are new."""
        self._directories[path] = fresh
        for name in known.directories - fresh.directories:
            self._forget(_join(path, name))
        return [name for name in fresh.directories if _join(path, name) not in self._directories]

    def _seed(self, path: str, state: FileState) -> None:
        parent, _, name = path.rpartition("/")
        self._directories.setdefault(parent, _Directory()).files[name] = state
        while parent:
            child = parent
            parent, _, name = child.rpartition("/")
            self._directories.setdefault(parent, _Directory()).directories.add(name)

    def _root_identity(self) -> tuple[int, int]:
        try:
            status = os.stat(self.root)
        except OSError as error:
            raise RootUnavailable(error.errno, error.strerror, str(self.root)) from error
        if not stat.S_ISDIR(status.st_mode):
            raise RootUnavailable(0, "the root is no directory", str(self.root))
        return status.st_dev, status.st_ino

    def _refuse_emptied_root(self, fresh: _Directory) -> None:
        if fresh.files or fresh.directories or fresh.problems or next(self.files(), None) is None:
            return
        message = "the root is empty though files are known: mount its volume, or leave one file in it"
        raise RootUnavailable(0, message, str(self.root))

    def _list(self, path: str) -> _Directory:
        # O_NOFOLLOW: the name may have become a link since its parent was listed. The root may be one.
        flags = os.O_RDONLY | os.O_DIRECTORY | (os.O_NOFOLLOW if path else 0)
        descriptor = os.open(self.root / path, flags)
        try:
            status = os.fstat(descriptor)
            found = _Directory(modified_ns=status.st_mtime_ns)
            newest = max(status.st_mtime_ns, status.st_ctime_ns)
            with os.scandir(descriptor) as entries:
                for entry in entries:
                    if not path and entry.name == UNFINISHED:
                        continue
                    newest = max(newest, self._take(path, entry, found))
        finally:
            os.close(descriptor)
        if not path:
            self._refuse_emptied_root(found)
        if newest <= self._clock() * 1e9 - self._settle_ns:
            found.identity = _identity(status)
        return found

    def _take(self, parent: str, entry: os.DirEntry[str], found: _Directory) -> int:
        """Add one entry to `found`; returns the time of its last change (0 if that does not matter)."""
        path = _join(parent, entry.name)
        try:
            entry.name.encode()
        except UnicodeEncodeError:
            message = "rename it: only names in UTF-8 can be served"
            found.problems.append(Problem(printable(path), ProblemReason.NAME_NOT_UTF8, message))
            return 0
        try:
            if entry.is_symlink():
                self._judge_link(path, found)
            elif entry.is_dir(follow_symlinks=False):
                found.directories.add(entry.name)
            elif entry.is_file(follow_symlinks=False):
                status = entry.stat(follow_symlinks=False)
                found.files[entry.name] = FileState(status.st_size, status.st_mtime_ns)
                return max(status.st_mtime_ns, status.st_ctime_ns)
        except FileNotFoundError:
            pass  # vanished between listing and looking
        except OSError as error:
            reason = error.strerror or str(error)
            found.problems.append(Problem(printable(path), ProblemReason.UNREADABLE, reason))
        return 0

    def _judge_link(self, path: str, found: _Directory) -> None:
        try:
            target = (self.root / path).resolve(strict=True)
        except (OSError, RuntimeError):  # RuntimeError: Python before 3.13 on a cycle
            message = "the link's target does not exist or is the link itself"
            found.problems.append(Problem(printable(path), ProblemReason.BROKEN_LINK, message))
            return
        if not target.is_relative_to(self.root.resolve()):
            message = "links are not followed out of the archive; move the data into it or mount them there"
            found.problems.append(Problem(printable(path), ProblemReason.LINK_LEAVES_TREE, message))

    def _compare(self, path: str, before: _Directory, after: _Directory) -> Iterator[Change]:
        for name, state in after.files.items():
            full = _join(path, name)
            known = before.files.get(name) or self._gone.get(full)
            if known is None:
                yield Change(ChangeKind.ADDED, full, state)
            elif known != state:
                yield Change(ChangeKind.CHANGED, full, state)
            self._gone.pop(full, None)
        unreadable = {problem.path for problem in after.problems}
        for name, state in before.files.items():
            if name in after.files:
                continue
            full = _join(path, name)
            if full in unreadable:
                after.files[name] = state
            else:
                self._gone[full] = state

    def _forget(self, path: str) -> None:
        """Take everything known at and below `path` as gone."""
        pending = [path]
        while pending:
            current = pending.pop()
            directory = self._directories.pop(current, None)
            if directory is None:
                continue
            for name, state in directory.files.items():
                self._gone[_join(current, name)] = state
            pending.extend(_join(current, name) for name in directory.directories)


async def wait_for_change(scanner: TreeScanner, seconds: float) -> set[str]:
    """Wait until inotify tells of a change, `seconds` at most; returns the directories to look at.

    Empty after a quiet wait, and always where inotify does not work (NFS, no watches left): the caller scans
    periodically anyway. Only the directories that changed last are watched, which bounds the cost.
    """
    watched = {str(scanner.root / path): path for path in scanner.recent_directories(MAX_WATCHED)}
    existing = await asyncio.to_thread(lambda: [path for path in watched if os.path.isdir(path)])
    stop = asyncio.Event()
    timer = asyncio.get_running_loop().call_later(seconds, stop.set)
    try:
        # Not recursive: watchfiles would follow links out of the tree.
        changed = awatch(*existing, watch_filter=None, stop_event=stop, recursive=False, debounce=200)
        async for changes in changed:
            hints = {hint for _, path in changes if (hint := _hint(watched, path)) is not None}
            if hints:
                return hints
    except OSError as error:
        log.warning("no change notifications; new files are found by the next scan", reason=str(error))
        await stop.wait()
    finally:
        timer.cancel()
    return set()


def _hint(watched: dict[str, str], path: str) -> str | None:
    if path in watched:
        return watched[path]
    return watched.get(os.path.dirname(path))


def printable(path: str) -> str:
    """A path as valid Unicode: bytes of a name that are no UTF-8 become `\\xff`."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _join(parent: str, name: str) -> str:
    return f"{parent}/{name}" if parent else name


def _identity(status: os.stat_result) -> tuple[int, int, int, int]:
    return status.st_dev, status.st_ino, status.st_mtime_ns, status.st_ctime_ns
