"""What there is to download: the files of a dataset, or one file, as archives tell it."""

import base64
import binascii
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from urllib.parse import quote, unquote

import httpx2
from pydantic import BaseModel

from panosc_cli import web
from panosc_cli.catalogue import described
from panosc_cli.failures import Failure, Misused

PART = ".part"
"""What is behind the name of a file that is not whole."""
WANTED = {"Want-Repr-Digest": "sha-256=1", "Accept-Encoding": "identity"}
"""With it, an archive tells the SHA-256 of a file, of which it sends the bytes as they are."""


@dataclass(frozen=True)
class Remote:
    """A file of an archive: where it is, and where it belongs below the folder of the download."""

    url: str
    path: str
    size: int
    sha256: str | None = None
    """None: the archive has not read it yet."""


class _File(BaseModel):
    path: str
    size: int
    url: str
    sha256: str | None = None


class _Dataset(BaseModel):
    files: list[_File]


async def files(client: httpx2.AsyncClient, what: str, catalogue: str | None) -> list[Remote]:
    """The files that a pid or an address names; `catalogue` is asked about pids. Raises Failure."""
    if not what.startswith(("https://", "http://")):
        if catalogue is None:
            raise Misused(
                f"{what}: name the catalogue that has it, by --catalogue or the environment variable "
                "PANOSC_CATALOGUE, or log in to it"
            )
        return await _of_pid(client, catalogue, what)
    host, path = web.origin(what), httpx2.URL(what).raw_path.decode().partition("?")[0]
    if path.startswith("/files/"):
        return [await _single(client, what)]
    if path.startswith("/datasets/"):
        return await _of_pid(client, host, unquote(path.removeprefix("/datasets/").removesuffix("/")))
    raise Misused(f"{what} is the address of neither a dataset (…/datasets/…) nor a file (…/files/…)")


def placed(folder: Path, remotes: Iterable[Remote]) -> dict[Path, Remote]:
    """Where each file goes. Raises Failure for a path that leads out of the folder, or two to one place."""
    places: dict[Path, Remote] = {}
    for remote in remotes:
        place = _below(folder, remote.path)
        if places.setdefault(place, remote) != remote:
            raise Failure(f"two files would become {place}: get them one by one, into two folders (-o)")
    for place in places:
        if place.with_name(place.name + PART) in places:
            raise Failure(
                f"{place}{PART} is a file of its own: get the two one by one, into two folders (-o)"
            )
    return places


def digest(fields: Sequence[str]) -> str | None:
    """The SHA-256 (hexadecimal) that a `Repr-Digest` names (RFC 9530); None if it names none."""
    for field in fields:
        if told := re.search(r"(?:^|[, ])sha-256=:([A-Za-z0-9+/]+=*):", field):
            try:
                value = base64.b64decode(told[1], validate=True)
            except binascii.Error:
                continue
            return value.hex() if len(value) == 32 else None
    return None


async def _of_pid(client: httpx2.AsyncClient, address: str, pid: str) -> list[Remote]:
    """The files of a dataset, of which a catalogue or an archive has the address."""
    try:
        archives = (await described(client, address)).archives
    except web.NotThere:
        archives = [web.origin(address)]
    remotes: list[Remote] = []
    missing: web.NotThere | None = None
    for archive in archives:
        url = f"{archive}/datasets/{quote(pid, safe='')}"
        try:
            listed = await web.document(client, url, _Dataset)
        except web.NotThere as error:
            missing = error
            continue
        remotes += [
            Remote(_joined(url, one.url), one.path, one.size, one.sha256 and one.sha256.lower())
            for one in listed.files
        ]
    if not remotes:
        raise missing or Failure(
            f"no archive of {address} has files of {pid}: its page may tell where they are"
        )
    return remotes


def _joined(base: str, given: str) -> str:
    try:
        return str(httpx2.URL(base).join(given))
    except httpx2.InvalidURL as error:
        raise Failure(f"{base} names an address that is none: {given!r}") from error


async def _single(client: httpx2.AsyncClient, url: str) -> Remote:
    """A file by its address, which goes under its own name."""
    answer = await web.answered(client, url, method="HEAD", headers=WANTED)
    if "ETag" not in answer.headers:
        raise Misused(f"{url} is a folder: name a file in it, or the dataset")
    name = unquote(httpx2.URL(url).raw_path.decode().partition("?")[0].rpartition("/")[2])
    size = int(answer.headers.get("Content-Length", 0))
    return Remote(url, name, size, digest(answer.headers.get_list("Repr-Digest")))


def _below(folder: Path, path: str) -> Path:
    """A place below the folder, whatever the system on which this runs makes of names."""
    parts = path.split("/")
    windows = PureWindowsPath(path)
    if (
        any(part in ("", ".", "..") or "\0" in part or "\\" in part for part in parts)
        or windows.drive
        or windows.root
    ):
        raise Failure(
            f"the archive names a file {path!r}, which would not be below {folder}: tell the facility"
        )
    return folder.joinpath(*parts)
