"""A dataset's files as one zip or tar stream, uncompressed, of a length that is known before."""

import os
import struct
import tarfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from zipstream import ZipStream  # type: ignore[import-untyped]

from panosc_archive.paths import NotBeneath, open_beneath

CHUNK = 2**20


class FileMissing(Exception):
    """A file of the bundle cannot be read; the message names it."""


class FileChanged(Exception):
    """A file no longer has the size that was announced; the stream must end in the middle."""


@dataclass(frozen=True, slots=True)
class Member:
    """A file and the name that it gets; `size` in bytes, `modified` in seconds since the epoch."""

    path: str
    name: str
    size: int
    modified: int


def members(root: Path, files: Sequence[str], folder: str) -> list[Member]:
    """The files of a bundle, all in one folder, below which the paths begin where they differ.

    Raises FileMissing if one is gone: a bundle is complete or is not made.
    """
    common = os.path.commonpath([os.path.dirname(path) for path in files]) if files else ""
    found = []
    for path in files:
        status = _status(root, path)
        name = f"{_folder_name(folder)}/{os.path.relpath(path, common) if common else path}"
        found.append(Member(path, name, status.st_size, int(status.st_mtime)))
    return found


def zip_stream(root: Path, parts: Sequence[Member]) -> tuple[int, Iterator[bytes]]:
    """Length and content of a zip file, with ZIP64 where it is needed."""
    stream = ZipStream(sized=True)
    for member in parts:
        stream.add(_Content(root, member), member.name, size=member.size)
    return len(stream), _dated(stream, parts)


def _dated(stream: ZipStream, parts: Sequence[Member]) -> Iterator[bytes]:
    """The stream with the members' own times: the library dates to now what it is not given as a path.

    Local header and central directory header have date and time at fixed places (APPNOTE.TXT 4.3.7, 4.3.12).
    """
    for member in parts:
        content = stream.file()
        yield _with_time(next(content), b"PK\3\4", 10, member)
        yield from content
    footer = stream.footer()
    for member in parts:
        yield _with_time(next(footer), b"PK\1\2", 12, member)
    yield from footer


def _with_time(header: bytes, signature: bytes, position: int, member: Member) -> bytes:
    if not header.startswith(signature):
        raise ValueError("the zip library no longer gives headers one by one")
    year, month, day, hour, minute, second = time.gmtime(member.modified)[:6]
    year = min(max(year, 1980), 2107)  # what the format can hold
    date, clock = (year - 1980) << 9 | month << 5 | day, hour << 11 | minute << 5 | second // 2
    return header[:position] + struct.pack("<HH", clock, date) + header[position + 4 :]


def tar_stream(root: Path, parts: Sequence[Member]) -> tuple[int, Iterator[bytes]]:
    """Length and content of a tar file in POSIX.1-2001 (pax) format: any name, any size."""
    headers = [_tar_header(member) for member in parts]
    end = b"\0" * (2 * tarfile.BLOCKSIZE)
    length = len(end) + sum(map(len, headers)) + sum(member.size + _padding(member) for member in parts)

    def content() -> Iterator[bytes]:
        for header, member in zip(headers, parts, strict=True):
            yield header
            yield from _Content(root, member)
            yield b"\0" * _padding(member)
        yield end

    return length, content()


@dataclass(frozen=True, slots=True)
class _Content:
    """A file's bytes, opened when their turn comes: a bundle of 100,000 files needs one descriptor."""

    root: Path
    member: Member

    def __iter__(self) -> Iterator[bytes]:
        try:
            descriptor = open_beneath(self.root, self.member.path)
        except (NotBeneath, OSError) as error:
            raise FileChanged(self.member.path) from error
        try:
            rest = self.member.size
            while rest:
                chunk = os.read(descriptor, min(CHUNK, rest))
                if not chunk:
                    raise FileChanged(self.member.path)
                rest -= len(chunk)
                yield chunk
            if os.fstat(descriptor).st_size != self.member.size:
                raise FileChanged(self.member.path)
        finally:
            os.close(descriptor)


def _status(root: Path, path: str) -> os.stat_result:
    try:
        descriptor = open_beneath(root, path)
    except (NotBeneath, OSError) as error:
        raise FileMissing(path) from error
    try:
        return os.fstat(descriptor)
    finally:
        os.close(descriptor)


def _folder_name(pid: str) -> str:
    """A dataset's PID as the name of one folder on any system."""
    return (
        "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in pid).lstrip(".")
        or "dataset"
    )


def _tar_header(member: Member) -> bytes:
    header = tarfile.TarInfo(member.name)
    header.size, header.mtime, header.mode = member.size, member.modified, 0o644
    return header.tobuf(tarfile.PAX_FORMAT)


def _padding(member: Member) -> int:
    return -member.size % tarfile.BLOCKSIZE
