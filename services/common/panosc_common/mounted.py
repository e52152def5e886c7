"""Files that Kubernetes mounts, and changes while a process runs."""

from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

import structlog

log = structlog.stdlib.get_logger(__name__)

Content = TypeVar("Content")


class MountedFile(Generic[Content]):
    """What a file says, read again when it changes."""

    def __init__(self, path: Path, read: Callable[[bytes], Content], without: Content | None = None) -> None:
        """`read` raises ValueError; `without`: what holds without a file.

        Raises ValueError if the file is not valid at first, or missing where nothing holds without it.
        """
        self._path = path
        self._read = read
        self._bytes: bytes | None = None
        if without is not None and not path.exists():
            self._content = without
            return
        try:
            self._bytes = path.read_bytes()
            self._content = read(self._bytes)
        except (OSError, ValueError) as error:
            raise ValueError(f"{path}: {error}") from error

    def current(self) -> Content:
        """What it says now; a file that vanished or became wrong leaves what it last said in force.

        The file is read each time: it is small, and the way Kubernetes swaps mounted files leaves their times
        and sizes equal often enough.
        """
        try:
            now = self._path.read_bytes()
            if now != self._bytes:
                self._content = self._read(now)
                self._bytes = now
        except FileNotFoundError:
            pass
        except (OSError, ValueError) as error:
            log.error("file not usable; what it last said holds", path=str(self._path), why=str(error))
        return self._content
