"""The one way to a file: well-formed, below the root, for who asks, and opened without following a link."""

import asyncio
import os
import stat
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog
from panosc_common.problem import Problem
from panosc_common.tokens import MAX_TOKEN, Refused
from starlette.requests import Request

from panosc_archive import paths
from panosc_archive.visibility import CatalogueUnavailable, Visibility

NOT_FOUND_DETAIL = "there is no such file, directory or dataset, or you may not see it"

log = structlog.stdlib.get_logger(__name__)


def not_found() -> Problem:
    """The same answer for what does not exist and for what whoever asks may not see."""
    return Problem(404, NOT_FOUND_DETAIL)


def unavailable(why: CatalogueUnavailable) -> Problem:
    """Who may see what is unknown at the moment."""
    return Problem(
        503,
        why.told or "the catalogue that knows who may see what does not answer; try again in a moment",
        headers={"Retry-After": "5"},
    )


@dataclass(frozen=True, slots=True)
class Located:
    """Something in the archive that may be shown: real path, open descriptor and its status.

    The descriptor is negative if the operating system refuses to open it.
    """

    path: str
    descriptor: int
    status: os.stat_result

    @property
    def is_directory(self) -> bool:
        """Whether it is a directory (of which only what is visible may be shown)."""
        return stat.S_ISDIR(self.status.st_mode)


class Access:
    """Decides about and opens files for everything that shows them."""

    def __init__(self, root: Path, visibility: Visibility) -> None:
        self.root = root
        self.visibility = visibility

    def asked_by(self, request: Request) -> "Access":
        """The same for whoever sent the request. Raises Problem: 401 for what no token looks like."""
        given = " ".join(request.headers.get("Authorization", "").split())
        if len(given) > MAX_TOKEN or not given.isascii():
            raise Refused(f"it has more than {MAX_TOKEN} characters, or others than ASCII has")
        return Access(self.root, self.visibility.asked_with(given))

    @asynccontextmanager
    async def open(self, path: str, *, directories: bool = False) -> AsyncIterator[Located]:
        """The file at `path`, closed at the end of the context, or the directory if these are wanted.

        Whoever asks may see the file; of a directory the caller shows only what the catalogues list. Raises
        Problem: 404 for what is absent or not to be seen, 503 while that is unknown, 500 if the file cannot
        be read.
        """
        try:
            paths.check(path)
        except paths.NotBeneath as error:
            raise not_found() from error
        located = await asyncio.to_thread(self._locate, path)
        try:
            if directories and located and located.is_directory:
                yield located
                return
            # Asked for what is absent or no file too, so that neither time nor refusals tell these apart.
            shown = await self.visible([located.path if located else path])
            if located is None or not shown:
                raise not_found()
            if located.descriptor < 0:
                log.error("file cannot be read", path=located.path)
                raise Problem(500, "the archive is not allowed to read this file; its operators are informed")
            yield located
        finally:
            if located is not None and located.descriptor >= 0:
                os.close(located.descriptor)

    async def visible(self, real_paths: Sequence[str]) -> set[str]:
        """Those of the real paths that whoever asks may see. Raises Problem 503 while that is unknown."""
        try:
            return await self.visibility.visible(real_paths)
        except CatalogueUnavailable as error:
            raise unavailable(error) from error

    def _locate(self, path: str) -> Located | None:
        try:
            real = paths.resolve(self.root, path)
        except paths.NotBeneath:
            return None
        try:
            descriptor = paths.open_beneath(self.root, real)
        except paths.NotBeneath:
            return None
        except OSError:
            return self._unreadable(real)
        return Located(real, descriptor, os.fstat(descriptor))

    def _unreadable(self, real: str) -> Located | None:
        try:
            return Located(real, -1, os.stat(self.root / real, follow_symlinks=False))
        except OSError:
            return None
