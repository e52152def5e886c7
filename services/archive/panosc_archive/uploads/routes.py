"""`/uploads`: a file is announced (POST), sent in as many requests as it takes (PATCH), and then is there.

Who may is decided with each request. An upload is its sender's: to others it is as if there was none.
"""

import asyncio
import contextlib
import errno
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any, TypeVar

import structlog
from panosc_common import access, audit, origin
from panosc_common.access import Reason
from panosc_common.authentication import Authenticator
from panosc_common.problem import Problem
from panosc_common.tokens import NotFor
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from panosc_archive.settings import Settings, Uploads
from panosc_archive.uploads import protocol
from panosc_archive.uploads.protocol import Checksum
from panosc_archive.uploads.store import STEP, Busy, Part, Store, Taken, Upload

T = TypeVar("T")

MAX_UNFINISHED = 100
"""Files that somebody may have begun and not finished."""
BUFFER = 2**20
"""Bytes that are written at once."""
READINGS = 2
"""How many files are read again at once: it takes long, and all disk operations share a few threads."""
SILENT_SECONDS = 60.0
"""After so long without a byte, a request is given up; what it brought is kept."""

log = structlog.stdlib.get_logger(__name__)


class Receiving:
    """The routes of one archive."""

    def __init__(
        self, settings: Settings, uploads: Uploads, store: Store, authenticator: Authenticator
    ) -> None:
        self._url = f"{settings.public_url}/uploads"
        self._public_url = settings.public_url
        self._uploads = uploads
        self._group = uploads.login.root(uploads.facility)
        self._store = store
        self._authenticator = authenticator
        self._readings = asyncio.Semaphore(READINGS)
        self._writing: set[asyncio.Task[Any]] = set()

    async def settle(self) -> None:
        """Wait until what the server has cancelled, as it stops, has kept what came."""
        if self._writing:
            await asyncio.wait(self._writing)

    async def collection(self, request: Request) -> Response:
        """`/uploads`: what is possible, or the begin of a file."""
        if request.method == "OPTIONS":
            return self._options()
        return await self._begin(request)

    async def item(self, request: Request) -> Response:
        """`/uploads/{identifier}`: where it stands, more of it, or its end."""
        method = request.method
        if method == "POST":  # for clients that can send no other: tus 1.0.0, X-HTTP-Method-Override
            method = request.headers.get("X-HTTP-Method-Override", "")
        match method:
            case "OPTIONS":
                return self._options()
            case "HEAD":
                return await self._state(request)
            case "PATCH":
                return await self._go_on(request)
            case "DELETE":
                return await self._terminate(request)
        raise Problem(
            405, f"{method or 'POST'} is not possible here", headers={"Allow": "HEAD, OPTIONS, PATCH, DELETE"}
        )

    def _options(self) -> Response:
        return Response(
            status_code=204,
            headers={
                "Tus-Version": protocol.VERSION,
                "Tus-Extension": protocol.EXTENSIONS,
                "Tus-Checksum-Algorithm": ",".join(protocol.ALGORITHMS),
                "Tus-Max-Size": str(self._uploads.max_bytes),
            },
        )

    async def _begin(self, request: Request) -> Response:
        sender, role = await self._sender(request)
        if "upload-defer-length" in request.headers:
            raise Problem(400, "Upload-Defer-Length is not possible here: say Upload-Length")
        announced = protocol.announced(
            request.headers, self._uploads.proposal_directory, self._uploads.max_bytes
        )
        with _disk():
            await asyncio.to_thread(self._store.check_place, announced.path)
            free, unfinished = await asyncio.to_thread(self._store.place)
        if announced.length > free:
            raise _full(f"the archive has place for {free} bytes more, and the file has {announced.length}")
        if [one.subject for one in unfinished].count(sender) >= MAX_UNFINISHED:
            raise Problem(
                429,
                f"{MAX_UNFINISHED} files that you began are not whole: finish or DELETE some of them first",
            )
        said = {"file": announced.path, "bytes": announced.length, "sha256": announced.sha256}
        await audit.upload(request, sender, action="begun", role=str(role), **said)
        with _disk():
            upload = await asyncio.to_thread(self._store.begin, announced, sender)
        location = {"Location": f"{self._url}/{upload.identifier}"}
        if upload.length == 0:
            async with self._locked(upload.identifier) as part:
                upload = part.upload
                with _disk():
                    await self._finish(request, part)
        return Response(status_code=201, headers=location | _headers(upload))

    async def _state(self, request: Request) -> Response:
        sender, _ = await self._sender(request)
        upload = await self._own(request, sender)
        more = {"Upload-Length": str(upload.length), "Cache-Control": "no-store"}
        if upload.metadata:
            more["Upload-Metadata"] = upload.metadata
        return Response(headers=_headers(upload) | more)

    async def _go_on(self, request: Request) -> Response:
        sender, _ = await self._sender(request)
        if request.headers.get("content-type") != protocol.CONTENT_TYPE:
            raise Problem(415, f"Content-Type must be {protocol.CONTENT_TYPE}")
        start, wanted = protocol.offset(request.headers), protocol.checksum(request.headers)
        upload = await self._own(request, sender)
        if upload.is_finished and start == upload.length:
            return Response(status_code=204, headers=_headers(upload))
        async with self._locked(upload.identifier) as part:
            upload = part.upload
            if start != upload.offset:
                raise Problem(
                    409,
                    f"Upload-Offset is {start}, but {upload.offset} bytes are there: go on from there",
                    headers=_headers(upload),
                )
            with _disk():
                await self._receive(request, part, wanted)
                if upload.offset == upload.length:
                    await self._finish(request, part)
        return Response(status_code=204, headers=_headers(upload))

    async def _terminate(self, request: Request) -> Response:
        sender, _ = await self._sender(request)
        upload = await self._own(request, sender)
        if upload.is_finished:
            raise Problem(409, f"{upload.path} is in the archive by now, where this removes nothing")
        async with self._locked(upload.identifier) as part:
            if part.has_name:
                raise Problem(409, f"{upload.path} is in the archive by now, where this removes nothing")
            await audit.upload(request, sender, action="terminated", **_said(part.upload))
            with _disk():
                await _to_its_end(part.remove)
        return Response(status_code=204)

    async def _sender(self, request: Request) -> tuple[str, Reason]:
        """Who sends the request, as the login says, and as whom they may. Raises Problem."""
        protocol.check_version(request.headers)
        origin.check(request, self._public_url or None)
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise Problem(
                401,
                "files are put here by the facility's staff: log in and send `Authorization: Bearer <token>`",
                headers={"WWW-Authenticate": "Bearer"},
            )
        asking = await self._authenticator.principal(token.strip())
        if not asking.may(access.Scope.PUT):
            raise NotFor(access.Scope.PUT)
        role = access.uploader(access.grants(asking, self._group))
        if role is None:
            await audit.upload(request, asking.subject, action="refused", why="no staff")
            raise Problem(
                403,
                "files are put here by the facility's administrators and the staff of its instruments, and "
                "you are none of them: have one do it, or whoever keeps the login's groups make you one",
            )
        return asking.subject, role

    async def _own(self, request: Request, sender: str) -> Upload:
        """The sender's upload that the address names. Raises Problem (404)."""
        upload = await asyncio.to_thread(self._store.find, request.path_params["identifier"])
        if upload is None or upload.subject != sender:
            raise _gone()
        return upload

    @contextlib.asynccontextmanager
    async def _locked(self, identifier: str) -> AsyncIterator[Part]:
        """The part, while no other request writes it. Raises Problem: 404, 423."""
        task = asyncio.current_task()
        assert task  # noqa: S101 -- each request is one
        self._writing.add(task)
        with ExitStack() as stack:
            stack.callback(self._writing.discard, task)
            try:
                part = await _to_its_end(stack.enter_context, self._store.open(identifier))
            except Busy as error:
                raise Problem(
                    423,
                    "another request is sending this file, or it is read to its end: ask again in a moment",
                    headers={"Retry-After": "2"},
                ) from error
            if part is None:
                upload = await asyncio.to_thread(self._store.find, identifier)
                if upload is None:
                    raise _gone()
                raise Problem(409, f"{upload.path} is in the archive by now", headers=_headers(upload))
            yield part

    async def _receive(self, request: Request, part: Part, wanted: Checksum | None) -> None:
        """Take the request's bytes. If it breaks off, what came counts, unless it has a checksum as a whole.

        Raises Problem: 400 for too many, 460 for others than announced, 408 if they stop.
        """
        room = part.upload.length - part.upload.offset
        if int(request.headers.get("content-length", 0)) > room:
            raise _too_many(room)
        total = wanted.of_nothing() if wanted else None

        def append(data: bytes) -> None:
            part.append(data)
            if total is not None:
                total.update(data)
            elif part.waiting >= STEP:
                part.keep()

        try:
            ended = await self._taken(request, append, room)
            if wanted and total and ended and total.digest() != wanted.value:
                raise protocol.Mismatch(
                    "the bytes are others than Upload-Checksum says, and not kept: send them again"
                )
            await _to_its_end(part.keep if ended or not wanted else part.cut)
        except (Problem, OSError):
            with contextlib.suppress(OSError):
                await _to_its_end(part.cut)
            raise
        except asyncio.CancelledError:  # the service stops: as if the line broke
            with contextlib.suppress(OSError):
                await _to_its_end(part.cut if wanted else part.keep)
            raise
        if not ended:
            raise Problem(408, "the request ended before its bytes did: go on from what HEAD says")

    async def _taken(self, request: Request, append: Callable[[bytes], None], room: int) -> bool:
        """Pass the request's bytes on; returns whether they came to their end. Raises Problem (400)."""
        pieces, buffer, came = request.stream(), bytearray(), 0
        ended = False
        while not ended:
            try:
                async with asyncio.timeout(SILENT_SECONDS):
                    piece = await anext(pieces, None)
            except (ClientDisconnect, TimeoutError):
                break
            except asyncio.CancelledError:
                if buffer:
                    await _to_its_end(append, bytes(buffer))
                raise
            ended = piece is None
            buffer += piece or b""
            came += len(piece or b"")
            if came > room:
                raise _too_many(room)
            if len(buffer) >= BUFFER:
                data = bytes(buffer)
                buffer.clear()
                await _to_its_end(append, data)
        if buffer:
            await _to_its_end(append, bytes(buffer))
        return ended

    async def _finish(self, request: Request, part: Part) -> None:
        """Make the whole part a file of the archive. Raises Problem: 460, 409."""
        upload = part.upload
        async with contextlib.nullcontext() if part.is_summed else self._readings:
            actual = await asyncio.to_thread(part.sha256)
        if actual != upload.sha256:
            why = f"its SHA-256 is {actual}, but {upload.sha256} was announced"
            await self._refuse(request, part, why)
            raise protocol.Mismatch(f"{upload.path} is not taken: {why}; send it again from its begin")
        await audit.upload(request, upload.subject, action="finished", **_said(upload))
        try:
            await _to_its_end(part.publish)
        except Taken as error:
            await self._refuse(request, part, str(error))
            raise Problem(409, f"{error}: choose another name") from error

    async def _refuse(self, request: Request, part: Part, why: str) -> None:
        await audit.upload(request, part.upload.subject, action="refused", why=why, **_said(part.upload))
        await _to_its_end(part.remove)


async def _to_its_end(work: Callable[..., T], *given: Any) -> T:
    """What `work` returns, run in a thread; a request that is cancelled meanwhile waits for its end.

    Its descriptor and lock are released then: another file's, of the same number, would be written.
    """
    running = asyncio.ensure_future(asyncio.to_thread(work, *given))
    try:
        return await asyncio.shield(running)
    finally:
        while not running.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait([running])


@contextlib.contextmanager
def _disk() -> Iterator[None]:
    """Tell what the volume refuses."""
    try:
        yield
    except Taken as error:
        raise Problem(409, str(error)) from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise _full("the archive's volume is full; what has come is kept") from error
        log.error("volume cannot be written", why=str(error))
        raise Problem(
            500, f"the archive's volume takes no files ({error.strerror}): tell whoever runs it"
        ) from error


def _full(what: str) -> Problem:
    return Problem(507, f"{what}: have whoever runs it make place, or the volume larger")


def _too_many(room: int) -> Problem:
    return Problem(
        400, f"the request has more than the {room} bytes that the file still lacks by Upload-Length"
    )


def _gone() -> Problem:
    return Problem(
        404, "there is no such upload, or it has expired, or is somebody else's: begin again by POST"
    )


def _headers(upload: Upload) -> dict[str, str]:
    expires = format_datetime(datetime.fromtimestamp(upload.expires, UTC), usegmt=True)
    headers = {"Upload-Offset": str(upload.offset), "Upload-Expires": expires}
    if upload.is_finished:
        headers["Repr-Digest"] = protocol.digest(upload.sha256)
    return headers


def _said(upload: Upload) -> dict[str, str | int]:
    """What the audit log says of an upload."""
    return {"file": upload.path, "bytes": upload.offset, "sha256": upload.sha256}
