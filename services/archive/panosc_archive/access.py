"""The one way to a file: well-formed, below the root, for who asks, and opened without following a link."""

import asyncio
import os
import stat
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import structlog
from panosc_common import audit, signed
from panosc_common.audit import NOTHING_CLOSED, Sight
from panosc_common.problem import Problem
from panosc_common.tokens import MAX_TOKEN, Refused
from starlette.requests import Request

from panosc_archive import paths
from panosc_archive.visibility import CatalogueUnavailable, Children, Dataset, Visibility

NOT_FOUND_DETAIL = "there is no such file, directory or dataset, or you may not see it"

log = structlog.stdlib.get_logger(__name__)


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
    sight: Sight = NOTHING_CLOSED
    """Why whoever asks may see it; of a directory nothing is said."""

    @property
    def is_directory(self) -> bool:
        """Whether it is a directory (of which only what is visible may be shown)."""
        return stat.S_ISDIR(self.status.st_mode)


@dataclass(frozen=True)
class Access:
    """Decides about and opens files for everything that shows them, and has recorded what is not public.

    Without a request it is the public that asks.
    """

    root: Path
    visibility: Visibility
    keys: signed.Keys
    archive: str
    """Name of the archive."""
    request: Request | None = None
    link: signed.Link | None = None
    """The signed link by which it is asked."""
    signing: str | None = None
    """Identifier of the link that is to be signed for what is asked."""

    def asked_by(self, request: Request, *, signing: str | None = None) -> "Access":
        """The same for whoever sent the request.

        Raises Problem: 401 for what no token looks like, 403 for a signed link that is not taken.
        """
        token = request.query_params.get(signed.PARAMETER)
        if token is not None:
            # The gateway adds the token of whoever is logged in: a link shows them the same as everybody.
            return self._linked_by(request, token)
        given = " ".join(request.headers.get("Authorization", "").split())
        if len(given) > MAX_TOKEN or not given.isascii():
            raise Refused(f"it has more than {MAX_TOKEN} characters, or others than ASCII has")
        if given.lower().startswith(signed.SCHEME.lower()):
            # Between the archive and its catalogues it opens more than one address.
            raise Refused("it is a signed link: ask for its address")
        return replace(self, visibility=self.visibility.asked_with(given), request=request, signing=signing)

    def _linked_by(self, request: Request, token: str) -> "Access":
        link = self.keys.verified(token, self.archive)
        if request.scope["path"].rstrip("/") != link.resource:
            raise signed.NotTaken(f"it is for {link.resource}, and for no other address")
        visibility = self.visibility.asked_with(f"{signed.SCHEME} {token}")
        return replace(self, visibility=visibility, request=request, link=link)

    def not_found(self, hindrance: str | None = None) -> Problem:
        """The same answer for what does not exist and for what whoever asks may not see.

        Who has a link knows that there was something, and may know what hinders it.
        """
        if self.link is None:
            return Problem(404, NOT_FOUND_DETAIL)
        why = hindrance or "it was withdrawn, its embargo was extended, or they left its team"
        return signed.NotTaken(f"what it leads to is gone, or no longer shown to who had it signed: {why}")

    async def _refused(self, **what: str) -> Problem:
        """`not_found` of the file at `path` or the dataset `pid`."""
        return self.not_found(await self.visibility.hindrance(**what) if self.link else None)

    @asynccontextmanager
    async def open(self, path: str, *, directories: bool = False) -> AsyncIterator[Located]:
        """The file at `path`, closed at the end of the context, or the directory if these are wanted.

        Whoever asks may see the file; of a directory the caller shows only what `children` lists. Raises
        Problem: 404 for what is absent or not to be seen, 503 while that is unknown, 500 if the file cannot
        be read.
        """
        try:
            paths.check(path)
        except paths.NotBeneath as error:
            raise self.not_found() from error
        located = await asyncio.to_thread(self._locate, path)
        try:
            if directories and located and located.is_directory:
                yield located
                return
            # Asked for what is absent or no file too, so that neither time nor refusals tell these apart.
            asked = located.path if located else path
            sight = (await self._sights([asked])).get(asked)
            if located is None or sight is None:
                if directories:
                    # As for a hidden directory, which is looked into: else time could tell that there is one.
                    await self._page(asked)
                raise await self._refused(path=asked)
            if located.descriptor < 0:
                log.error("file cannot be read", path=located.path)
                raise Problem(500, "the archive is not allowed to read this file; its operators are informed")
            await self._record(sight, files=[located.path])
            yield replace(located, sight=sight)
        finally:
            if located is not None and located.descriptor >= 0:
                os.close(located.descriptor)

    async def visible(self, real_paths: Sequence[str]) -> frozenset[str]:
        """Those of the real paths that whoever asks may see. Raises Problem 503 while that is unknown."""
        sights = await self._sights(real_paths)
        closed = [path for path, sight in sights.items() if sight.reasons]
        await self._record(audit.together(map(sights.__getitem__, closed)), files=closed)
        return frozenset(sights)

    async def children(self, directory: str, after: str, limit: int) -> Children:
        """A page of what whoever asks may see in a directory.

        Raises Problem: 404 if that is nothing, 503 while it is unknown.
        """
        page = await self._page(directory, after, limit)
        if directory and not page.entries:
            # Also for an `after` behind the last name: else hidden directories could be found. The catalogue
            # is asked as about what is absent, which might be a file.
            await self._sights([directory])
            raise self.not_found()
        await self._record(page.sight, entries=len(page.entries))
        return page

    async def dataset(self, pid: str) -> Dataset:
        """A dataset that has files in this archive.

        Raises Problem: 404 for what is absent or not to be seen, 503 while that is unknown.
        """
        if not pid or "\0" in pid:
            raise self.not_found()
        try:
            dataset = await self.visibility.dataset(pid)
        except CatalogueUnavailable as error:
            raise unavailable(error) from error
        if dataset is None or all(file.archive != self.archive for file in dataset.files):
            raise await self._refused(pid=pid)
        await self._record(dataset.sight)
        return dataset

    async def _page(self, directory: str, after: str = "", limit: int = 1) -> Children:
        try:
            return await self.visibility.children(directory, after, limit)
        except CatalogueUnavailable as error:
            raise unavailable(error) from error

    async def _sights(self, real_paths: Sequence[str]) -> dict[str, Sight]:
        try:
            return await self.visibility.visible(real_paths)
        except CatalogueUnavailable as error:
            raise unavailable(error) from error

    async def _record(self, sight: Sight, **what: Any) -> None:
        if self.request is None:
            return
        if self.signing:
            what["signedLink"] = self.signing
        link = self.link.identifier if self.link else None
        await audit.record(self.request, replace(sight, link=link), **what)

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
