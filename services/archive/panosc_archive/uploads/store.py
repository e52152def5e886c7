"""Files that are not whole yet, in a hidden folder of the archive's volume, and how they become files of it.

What is sent is appended to `<identifier>.part`; beside it, `<identifier>.json` says what it shall become and
how many of its bytes count: as many as were on disk when that was written. What is behind them after a crash
is cut off. A lock on the part lets one request at a time write, whichever pod of the archive has it. All of
this blocks: call it in threads.
"""

import contextlib
import errno
import fcntl
import hashlib
import os
import re
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import structlog
from panosc_common.tree import UNFINISHED
from pydantic import BaseModel, ValidationError

from panosc_archive.uploads.protocol import Announced

STEP = 2**24
"""Bytes after which what has come is brought to disk, and counts."""
_PIECE = 2**22
_IDENTIFIER = re.compile(r"[0-9a-f]{32}")

log = structlog.stdlib.get_logger(__name__)


class Upload(BaseModel):
    """A file that is being sent, or was."""

    identifier: str
    subject: str
    """Who sends it, as the login says."""
    path: str
    length: int
    sha256: str
    metadata: str
    offset: int = 0
    """How many of its bytes count."""
    expires: float
    """When it is forgotten unless it goes on, in seconds since the epoch."""
    is_finished: bool = False
    """Whether it is a file of the archive by now."""


class Busy(Exception):
    """Another request is writing it."""


class Taken(Exception):
    """Its place in the archive is not free; says why."""


class Store:
    """The unfinished files of one archive."""

    def __init__(self, root: Path, keep_seconds: float) -> None:
        self._root = root
        self.folder = root / UNFINISHED
        self._keep_seconds = keep_seconds
        self._sums: dict[str, tuple[int, hashlib._Hash]] = {}
        """By upload: of how many bytes the sum is, and the sum. Another pod, or a restart, may be ahead."""

    def place(self) -> tuple[int, list[Upload]]:
        """For how many bytes there is place beside what is still to come of unfinished files, and these."""
        status = os.statvfs(self._root)
        found = (self.find(file.stem) for file in self.folder.glob("*.json"))
        unfinished = [upload for upload in found if upload and not upload.is_finished]
        promised = sum(upload.length - upload.offset for upload in unfinished)
        return max(0, status.f_bavail * status.f_frsize - promised), unfinished

    def check_place(self, path: str) -> None:
        """Raises Taken if no file can come there."""
        with self._parent(path, make=False) as parent:
            if parent is not None and _exists(os.path.basename(path), parent):
                raise Taken(f"{path} is there already, and files are never replaced: choose another name")

    def begin(self, announced: Announced, subject: str) -> Upload:
        """Remember a file that will be sent."""
        self.folder.mkdir(mode=0o700, exist_ok=True)
        upload = Upload(
            identifier=uuid.uuid4().hex,
            subject=subject,
            path=announced.path,
            length=announced.length,
            sha256=announced.sha256,
            metadata=announced.metadata,
            expires=time.time() + self._keep_seconds,
        )
        self._part(upload.identifier).touch(mode=0o644)
        self._write(upload)
        return upload

    def find(self, identifier: str) -> Upload | None:
        """An upload that can be gone on with, or has come to its end lately."""
        upload = self._read(identifier) if _IDENTIFIER.fullmatch(identifier) else None
        return upload if upload and upload.expires > time.time() else None

    @contextlib.contextmanager
    def open(self, identifier: str) -> Iterator["Part | None"]:
        """The part of an upload, for one at a time; None if there is nothing more to write.

        Raises Busy.
        """
        try:
            descriptor = os.open(self._part(identifier), os.O_RDWR | os.O_NOFOLLOW)
        except FileNotFoundError:
            yield None
            return
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise Busy from error
            # As it is now: before there was a lock, another request may have gone on, or finished it.
            upload = self.find(identifier)
            yield None if upload is None or upload.is_finished else Part(self, upload, descriptor)
        finally:
            os.close(descriptor)

    def sweep(self) -> None:
        """Forget what has expired, and the sums of what ended in another pod."""
        for identifier in list(self._sums):
            upload = self.find(identifier)
            if upload is None or upload.is_finished:
                self._sums.pop(identifier, None)
        for file in self.folder.glob("*"):
            if not _IDENTIFIER.fullmatch(file.stem):
                continue
            if file.suffix == ".json":
                if not self.find(file.stem):
                    self._forget_expired(file.stem)
            elif not self._state(file.stem).exists():
                self._remove_stray(file)

    def _remove_stray(self, file: Path) -> None:
        """Remove what a crash left without its state."""
        with contextlib.suppress(FileNotFoundError):
            if file.stat().st_mtime < time.time() - self._keep_seconds:
                file.unlink()

    def _forget_expired(self, identifier: str) -> None:
        with contextlib.suppress(Busy), self.open(identifier):
            if self.find(identifier):
                return  # it went on meanwhile
            upload = self._read(identifier)
            is_file = self.has_name(identifier)
            self.remove(identifier)
            if upload and not (upload.is_finished or is_file):
                log.info("upload expired", path=upload.path, bytes=upload.offset, subject=upload.subject)

    def has_name(self, identifier: str) -> bool:
        """Whether the part is a file of the archive already: a crash came before that was noted."""
        try:
            return self._part(identifier).stat().st_nlink > 1
        except FileNotFoundError:
            return False

    def remove(self, identifier: str) -> None:
        """Forget an upload with all that has come of it."""
        self._sums.pop(identifier, None)
        # Its state last: what is left without one, a sweep knows by its age alone.
        for file in sorted(self.folder.glob(f"{identifier}.*"), key=lambda file: file.suffix == ".json"):
            file.unlink(missing_ok=True)

    def count(self, upload: Upload, total: "hashlib._Hash | None") -> None:
        """What is on disk counts from now on; `total` is its sum, if that is known."""
        upload.expires = time.time() + self._keep_seconds
        self._write(upload)
        if total is not None:
            self._sums[upload.identifier] = upload.offset, total.copy()

    def sum_of(self, upload: Upload) -> "hashlib._Hash | None":
        """The sum of the bytes that count, if it is known."""
        if upload.offset == 0:
            return hashlib.sha256()
        offset, total = self._sums.get(upload.identifier, (None, None))
        return total.copy() if total and offset == upload.offset else None

    def publish(self, upload: Upload, descriptor: int) -> None:
        """Give a whole part its name in the archive, at once. Raises Taken."""
        name = os.path.basename(upload.path)
        with self._parent(upload.path, make=True) as parent:
            assert parent is not None  # noqa: S101 -- it was made
            try:
                os.link(self._part(upload.identifier), name, dst_dir_fd=parent, follow_symlinks=False)
            except FileExistsError as error:
                there = os.stat(name, dir_fd=parent, follow_symlinks=False)
                if not os.path.samestat(there, os.fstat(descriptor)):  # else it is this one, before a crash
                    raise Taken(f"{upload.path} has come meanwhile, and files are never replaced") from error
            os.fsync(parent)
        upload.is_finished = True
        self.count(upload, None)
        self._sums.pop(upload.identifier, None)
        self._part(upload.identifier).unlink(missing_ok=True)

    @contextlib.contextmanager
    def _parent(self, path: str, *, make: bool) -> Iterator[int | None]:
        """The folder of a file, reached through no link; None if it is not there and not to be made.

        Raises Taken if there is something else in its way.
        """
        with contextlib.ExitStack() as opened:

            def enter(name: str | Path, within: int | None, flags: int = 0) -> int:
                descriptor = os.open(name, os.O_RDONLY | os.O_DIRECTORY | flags, dir_fd=within)
                opened.callback(os.close, descriptor)
                return descriptor

            current: int | None = enter(self._root, None)
            # One descriptor for each folder: a path has few of them (protocol).
            for name in path.split("/")[:-1]:
                if make:
                    with contextlib.suppress(FileExistsError):
                        os.mkdir(name, 0o755, dir_fd=current)
                        os.fsync(current or 0)
                try:
                    current = enter(name, current, os.O_NOFOLLOW)
                except FileNotFoundError:
                    current = None
                    break
                except OSError as error:
                    if error.errno not in (errno.ENOTDIR, errno.ELOOP):
                        raise
                    raise Taken(f"{name!r} in {path} is a file or a link: choose a folder") from error
            yield current

    def _part(self, identifier: str) -> Path:
        return self.folder / f"{identifier}.part"

    def _state(self, identifier: str) -> Path:
        return self.folder / f"{identifier}.json"

    def _read(self, identifier: str) -> Upload | None:
        try:
            return Upload.model_validate_json(self._state(identifier).read_bytes())
        except FileNotFoundError:
            return None
        except ValidationError as error:
            log.error("state of an upload cannot be understood", identifier=identifier, why=str(error))
            return None

    def _write(self, upload: Upload) -> None:
        state = self._state(upload.identifier)
        fresh = state.with_suffix(".new")  # one at a time: whoever writes has the lock
        with fresh.open("w", encoding="utf-8") as file:
            file.write(upload.model_dump_json())
            file.flush()
            os.fsync(file.fileno())
        os.replace(fresh, state)
        _sync_folder(self.folder)


class Part:
    """What has come of a file, while nobody else may write it."""

    def __init__(self, store: Store, upload: Upload, descriptor: int) -> None:
        self.upload = upload
        self._store = store
        self._descriptor = descriptor
        self._sum = store.sum_of(upload)
        self.size = upload.offset
        """Bytes that are there, whether they count yet or not."""
        self.cut()

    def append(self, data: bytes) -> None:
        """Add bytes that do not count yet."""
        left = memoryview(data)
        while left:
            written = os.pwrite(self._descriptor, left, self.size)
            # Each time, as the next may fail, and what was written is kept where nobody hears of that.
            if self._sum is not None:
                self._sum.update(left[:written])
            self.size += written
            left = left[written:]

    @property
    def has_name(self) -> bool:
        """Whether it is a file of the archive already."""
        return self._store.has_name(self.upload.identifier)

    @property
    def is_summed(self) -> bool:
        """Whether its SHA-256 is known without reading it."""
        return self._sum is not None

    @property
    def waiting(self) -> int:
        """How many bytes do not count yet."""
        return self.size - self.upload.offset

    def keep(self) -> None:
        """All that is there counts; where nothing came, it is not kept for longer either."""
        if not self.waiting:
            return
        os.fdatasync(self._descriptor)
        self.upload.offset = self.size
        self._store.count(self.upload, self._sum)

    def cut(self) -> None:
        """What does not count goes."""
        # Nothing is done to what is whole: it may be a file of the archive by now.
        if os.fstat(self._descriptor).st_size != self.upload.offset:
            os.ftruncate(self._descriptor, self.upload.offset)
        if self.waiting:
            self.size = self.upload.offset
            self._sum = self._store.sum_of(self.upload)

    def sha256(self) -> str:
        """The SHA-256 of what counts: read from the disk, where not all has come to this process."""
        if self._sum is None:
            self._sum = hashlib.sha256()
            position = 0
            while piece := os.pread(self._descriptor, _PIECE, position):
                self._sum.update(piece)
                position += len(piece)
        return self._sum.hexdigest()

    def publish(self) -> None:
        """Become a file of the archive. Raises Taken."""
        self._store.publish(self.upload, self._descriptor)

    def remove(self) -> None:
        """Be forgotten."""
        self._store.remove(self.upload.identifier)


def _exists(name: str, parent: int) -> bool:
    try:
        os.stat(name, dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
