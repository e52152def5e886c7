"""Bringing one file into a part beside its place, from where it ended last; it is named once it is right."""

import hashlib
import os
import re
from asyncio import sleep
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import httpx2

from panosc_cli import web
from panosc_cli.failures import Failure
from panosc_cli.holdings import PART, WANTED, Remote, digest

PIECE = 2**22
Progress = Callable[[int], None]
"""Told how many bytes have come since; fewer than none if some did in vain."""


class Outcome(Enum):
    """What became of a file that is right in the end."""

    FETCHED = "fetched"
    THERE = "there already"


@dataclass(frozen=True)
class Result:
    """A file that is at its place; `is_checked`: by SHA-256, as the archive knew it, else by its size."""

    place: Path
    outcome: Outcome
    is_checked: bool


class Changed(Failure):
    """What has come is not what the archive says."""


class _Part:
    """What has come of a file, and of which state of it (RFC 9110, section 13.1.5)."""

    def __init__(self, place: Path) -> None:
        self.path = place.with_name(place.name + PART)
        self._tag = place.with_name(f"{place.name}{PART}.etag")

    @property
    def size(self) -> int:
        try:
            return self.path.stat().st_size
        except FileNotFoundError:
            return 0

    @property
    def tag(self) -> str | None:
        """The entity tag by which it can be gone on with; None if it cannot."""
        try:
            return self._tag.read_text() if self.size else None
        except FileNotFoundError:
            return None

    def begin(self, tag: str | None) -> None:
        """Forget what has come; `tag` is that of what follows."""
        self.drop()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # A weak tag says that the meaning is the same, not the bytes.
        if tag and not tag.startswith("W/"):
            self._tag.write_text(tag)

    def drop(self) -> None:
        self.path.unlink(missing_ok=True)
        self._tag.unlink(missing_ok=True)

    def become(self, place: Path) -> None:
        os.replace(self.path, place)
        self._tag.unlink(missing_ok=True)


async def fetch(client: httpx2.AsyncClient, remote: Remote, place: Path, progress: Progress) -> Result:
    """Have the file at its place. Raises Failure; what has come stays as its part, unless it is wrong."""
    if _is_taken(place):
        await _compare(remote, place)
        progress(remote.size)
        return Result(place, Outcome.THERE, remote.sha256 is not None)
    part = _Part(place)
    while True:
        before = part.size
        try:
            checked = await web.patiently(lambda: _attempt(client, remote, part, progress))
        except web.Again as error:
            if part.size > before:  # a line that breaks often is no reason to give up
                continue
            raise Failure(f"{error}; the same command goes on with {part.path}") from error
        part.become(place)
        return Result(place, Outcome.FETCHED, checked)


def _is_taken(place: Path) -> bool:
    return os.path.lexists(place)


def _has_size(place: Path, size: int) -> bool:
    return place.is_file() and place.stat().st_size == size


async def _compare(remote: Remote, place: Path) -> None:
    """Raises Failure if a file that is there is another one."""
    if _has_size(place, remote.size):
        if remote.sha256 is None:
            return
        if (await hashed(place)).hexdigest() == remote.sha256:
            return
    raise Failure(
        f"{place} is there and differs from {remote.url}: remove or rename it, or choose another folder (-o)"
    )


async def _attempt(client: httpx2.AsyncClient, remote: Remote, part: _Part, progress: Progress) -> bool:
    """Bring what is missing; returns whether it was checked by SHA-256."""
    headers, tag = dict(WANTED), part.tag
    if tag:
        headers |= {"Range": f"bytes={part.size}-", "If-Range": tag}
    async with client.stream("GET", remote.url, headers=headers) as answer:
        if answer.status_code == 416:
            if answer.headers.get("Content-Range") == f"bytes */{part.size}":
                # All has come before, and was not named yet.
                return _checked(remote, part, part.size, [], (await hashed(part.path)).hexdigest())
            part.drop()
            raise web.Again(f"{remote.url} is shorter than what has come of it")
        await web.check(answer)
        if answer.status_code != 206:
            part.begin(answer.headers.get("ETag"))
        size = _size(answer, part.size)
        sum_of = await hashed(part.path) if part.size else hashlib.sha256()
        told = part.size
        progress(told)
        try:
            with part.path.open("ab") as file:
                async for chunk in answer.aiter_raw():
                    file.write(chunk)
                    sum_of.update(chunk)
                    told += len(chunk)
                    progress(len(chunk))
                file.flush()
                os.fsync(file.fileno())
            return _checked(remote, part, size, answer.headers.get_list("Repr-Digest"), sum_of.hexdigest())
        except BaseException:
            progress(-told)
            raise


def _size(answer: httpx2.Response, start: int) -> int | None:
    """How many bytes the whole file has; None if the server does not say."""
    if answer.status_code == 206:
        told = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", answer.headers.get("Content-Range", ""))
        if not told or int(told[1]) != start:
            raise Failure(f"{answer.url} is answered with another part than was asked for")
        return int(told[2])
    length = answer.headers.get("Content-Length")
    return int(length) if length else None


def _checked(remote: Remote, part: _Part, size: int | None, digests: list[str], actual: str) -> bool:
    """Whether it could be told that the part is the whole file. Raises Changed if it is not."""
    if size is not None and part.size != size:
        raise web.Again(f"{remote.url} ended after {part.size} of {size} bytes")
    # The archive's word with the bytes is the newer one: the file may have changed since it was listed.
    expected = digest(digests) or remote.sha256
    if expected not in (None, actual):
        part.drop()
        raise Changed(
            f"{remote.url} came with SHA-256 {actual}, but the archive says {expected}: it was damaged or "
            "changed on its way, and is not kept; the same command asks for it again"
        )
    if size is None and expected is None and part.size != remote.size:
        raise Changed(f"{remote.url} ended after {part.size} of {remote.size} bytes; ask again")
    return expected is not None


async def hashed(path: Path, progress: Progress = lambda count: None) -> "hashlib._Hash":
    """The SHA-256 of what is in a file, between whose pieces others have their turn."""
    sum_of = hashlib.sha256()
    async for piece in _pieces(path):
        sum_of.update(piece)
        progress(len(piece))
    return sum_of


async def _pieces(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            yield piece
            await sleep(0)
