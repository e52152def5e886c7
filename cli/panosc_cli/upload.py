"""Sending files to an archive by the resumable upload protocol tus 1.0.0 (https://tus.io).

Where an upload is, is remembered in the user's cache by archive, path and content, so that the same command
goes on with it. How much has come, and whether it is right, is the archive's word, asked before each piece.
"""

import base64
import hashlib
import os
import tempfile
import unicodedata
from asyncio import sleep
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from urllib.parse import quote, unquote

import httpx2

from panosc_cli import web
from panosc_cli.failures import Failure, Misused
from panosc_cli.holdings import WANTED, digest
from panosc_cli.transfer import PIECE, Progress, hashed

CHUNK = 2**26
"""Bytes of a request at most."""
MAX_BEGUN = 3
"""How often a file is begun: an archive that forgets it each time will go on to."""
READING_SECONDS = 5.0
"""Time until an archive is asked again that reads a whole file to its end."""
_VERSION = {"Tus-Resumable": "1.0.0"}


class Outcome(Enum):
    """What became of a file that the archive has in the end."""

    SENT = "sent"
    THERE = "there already"


@dataclass(frozen=True)
class Target:
    """Where a file goes."""

    archive: str
    path: str

    @property
    def url(self) -> str:
        """Where it is found afterwards."""
        return f"{self.archive}/files/{quote(self.path)}"


def targets(files: Iterable[Path], destination: str, *, recursive: bool) -> dict[Path, Target]:
    """Where each file goes; folders with all that is in them. Raises Misused."""
    archive = web.origin(destination)
    raw = httpx2.URL(destination).raw_path.decode().partition("?")[0]
    if not raw.startswith("/files/"):
        raise Misused(
            f"{destination} is no address in an archive, such as https://archive.example.org/files/hc1/"
        )
    path = unquote(raw.removeprefix("/files/"))
    is_folder = path.endswith("/") or not path
    given = list(files)
    if len(given) > 1 and not is_folder:
        raise Misused(f"{destination} is the address of one file: end it by a slash to put several there")
    found: dict[Path, Target] = {}
    for file in given:
        if file.is_dir() and not recursive:
            raise Misused(f"{file} is a folder: with --recursive it is sent with all that is in it")
        for one in sorted(file.rglob("*")) if file.is_dir() else [file]:
            name = Path(Path(os.path.abspath(file)).name) / one.relative_to(file)
            if one.is_dir() and one.is_symlink() and one != file:
                raise Misused(f"{one} is a link to a folder, whose content is not sent: give it by its name")
            if one.exists() and not one.is_file() and not one.is_dir():
                raise Misused(f"{one} is no file, and its content has no end: leave it out")
            if not one.is_dir():
                # As archives want it: file systems of Apple's write letters with accents in two parts.
                place = path + name.as_posix() if is_folder else path
                found[one] = Target(archive, unicodedata.normalize("NFC", place))
        if file.is_dir() and not is_folder:
            raise Misused(
                f"{destination} is the address of one file: end it by a slash to put a folder there"
            )
    for one, target in found.items():
        try:
            target.path.encode()
        except UnicodeEncodeError as error:
            raise Misused(
                f"{web.printable(str(one))}: its name is no UTF-8, which archives need: rename it"
            ) from error
    if len(set(found.values())) < len(found):
        raise Misused("two of the files have the same name: put them into two folders")
    return found


class Begun:
    """The addresses of uploads that did not come to their end, in files that nobody else may read."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def of(self, target: Target, sha256: str) -> str | None:
        """Where a file is being sent to."""
        try:
            url = self._file(target, sha256).read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        # The file may be cut off, or not be ours.
        return url if url.startswith(f"{target.archive}/uploads/") else None

    def keep(self, target: Target, sha256: str, url: str) -> None:
        """Remember that."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # A name of its own (0600) until it is whole.
        descriptor, fresh = tempfile.mkstemp(dir=self._folder)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(url)
        os.replace(fresh, self._file(target, sha256))

    def forget(self, target: Target, sha256: str) -> None:
        """It has come to its end."""
        self._file(target, sha256).unlink(missing_ok=True)

    def _file(self, target: Target, sha256: str) -> Path:
        return self._folder / hashlib.sha256(f"{target.url} {sha256}".encode()).hexdigest()


def begun() -> Begun:
    """Where the XDG Base Directory Specification has what may be lost."""
    given = os.environ.get("XDG_CACHE_HOME", "")
    cache = Path(given) if os.path.isabs(given) else Path.home() / ".cache"
    return Begun(cache / "panosc" / "uploads")


async def put(
    client: httpx2.AsyncClient, file: Path, target: Target, kept: Begun, reading: Progress, sending: Progress
) -> Outcome:
    """Have the archive have the file. Raises Failure; what has come stays there for some days."""
    before = _state(file)
    total = await hashed(file, reading)
    sent = _Sending(client, file, before, total.hexdigest(), target, kept, sending)
    while True:
        offset = sent.offset
        try:
            outcome = await web.patiently(sent.step)
        except web.Again as error:
            if sent.offset > offset:  # a line that breaks often is no reason to give up
                continue
            raise Failure(f"{error}; the same command goes on with {file}") from error
        if outcome:
            return outcome


class _Sending:
    """A file on its way."""

    def __init__(
        self,
        client: httpx2.AsyncClient,
        file: Path,
        state: tuple[int, int],
        sha256: str,
        target: Target,
        kept: Begun,
        progress: Progress,
    ) -> None:
        self._client = client
        self._file = file
        self._state = state
        self._size = state[0]
        self._sha256 = sha256
        self._target = target
        self._kept = kept
        self._progress = progress
        self._shown = 0
        self._url = kept.of(target, sha256)
        self._begun = 0
        self.offset = 0
        """How many of its bytes the archive has for sure."""

    async def step(self) -> Outcome | None:
        """One attempt to come further: begin, or learn where it stands and send a piece; None: go on.

        Raises Failure.
        """
        if _state(self._file) != self._state:
            raise Failure(f"{self._file} changed while it was read or sent: put it again when it is finished")
        if self._url is None:
            self._url = await self._begin()
            return None if self._url else Outcome.THERE
        head = await self._ask("HEAD", self._url)
        if head.status_code == 404:
            if "Tus-Resumable" not in head.headers:
                raise web.Again(f"{self._target.archive} takes no files for now")
            # It expired, or was refused when the answer was lost.
            self._forget()
            return None
        await web.check(head)
        self.offset = _offset(head)
        self._show(self.offset - self._shown)
        if head.headers.get("Repr-Digest"):
            return self._ended(digest(head.headers.get_list("Repr-Digest")))
        await self._send(self._url)
        return None

    async def _begin(self) -> str | None:
        """Where its bytes go; None if the archive has it already."""
        if self._begun == MAX_BEGUN:
            raise Failure(
                f"{self._target.archive} forgets {self._file} each time that it is begun: tell the facility"
            )
        said = {"path": self._target.path, "sha256": self._sha256}
        pairs = (f"{name} {base64.b64encode(value.encode()).decode()}" for name, value in said.items())
        headers = {"Upload-Length": str(self._size), "Upload-Metadata": ",".join(pairs)}
        answer = await self._ask("POST", f"{self._target.archive}/uploads", headers)
        if answer.status_code == 409 and await self._is_there():
            self._show(self._size)
            return None
        if answer.status_code == 404:
            raise web.NotThere(
                f"{self._target.archive} takes no files: whoever runs it can let it, by spec.uploads of its "
                "DataArchive"
            )
        await web.check(answer)
        try:
            url = httpx2.URL(f"{self._target.archive}/uploads").join(answer.headers["Location"])
        except (KeyError, httpx2.InvalidURL) as error:
            raise Failure(f"{self._target.archive} does not say where to send {self._file} to") from error
        if web.origin(url) != self._target.archive:
            raise Failure(
                f"{self._target.archive} wants {self._file} sent to {url}, another host: tell the facility"
            )
        self._begun += 1
        self._kept.keep(self._target, self._sha256, str(url))
        return str(url)

    async def _is_there(self) -> bool:
        answer = await self._client.head(self._target.url, headers=WANTED)
        return answer.is_success and digest(answer.headers.get_list("Repr-Digest")) == self._sha256

    async def _send(self, url: str) -> None:
        length = min(CHUNK, self._size - self.offset)
        headers = {
            "Upload-Offset": str(self.offset),
            "Content-Type": "application/offset+octet-stream",
            "Content-Length": str(length),
        }
        answer = await self._ask("PATCH", url, headers, _Piece(self._file, self.offset, length, self._show))
        if answer.status_code == 423 and self.offset == self._size:
            # Another attempt brought all; the archive reads it, which may take long.
            await sleep(READING_SECONDS)
            return
        if answer.status_code in (409, 460):
            self._forget()
        await web.check(answer)
        if _offset(answer) <= self.offset and "Repr-Digest" not in answer.headers:
            raise web.Again(f"{url} took nothing of what was sent")

    def _ended(self, told: str | None) -> Outcome:
        self._forget()
        if told != self._sha256:
            raise Failure(
                f"{self._target.url} has SHA-256 {told} there, but {self._sha256} here: tell the facility"
            )
        return Outcome.SENT

    def _forget(self) -> None:
        self._kept.forget(self._target, self._sha256)
        self._url = None

    def _show(self, count: int) -> None:
        self._shown += count
        self._progress(count)

    async def _ask(
        self, method: str, url: str, headers: dict[str, str] | None = None, content: "_Piece | None" = None
    ) -> httpx2.Response:
        return await self._client.request(
            method, url, headers=_VERSION | (headers or {}), content=content, follow_redirects=False
        )


class _Piece:
    """Bytes of a file, which may be sent again where a token turned out to have ended."""

    def __init__(self, file: Path, start: int, length: int, progress: Progress) -> None:
        self._file = file
        self._start = start
        self._length = length
        self._progress = progress

    async def __aiter__(self) -> AsyncIterator[bytes]:
        left = self._length
        with self._file.open("rb") as file:
            file.seek(self._start)
            while left and (piece := file.read(min(PIECE, left))):
                yield piece
                left -= len(piece)
                self._progress(len(piece))


def _state(file: Path) -> tuple[int, int]:
    """What tells one content of a file from another."""
    status = file.stat()
    return status.st_size, status.st_mtime_ns


def _offset(answer: httpx2.Response) -> int:
    told = answer.headers.get("Upload-Offset", "")
    if not told.isdecimal():
        raise Failure(f"{answer.url} does not say how much has come: is it the address of a PaNOSC archive?")
    return int(told)
