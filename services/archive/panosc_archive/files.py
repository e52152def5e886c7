"""`/files/{path}`: bytes of a file, or the listing of a directory."""

import asyncio
import base64
import contextlib
import os
import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from panosc_common.media import media_type
from panosc_common.problem import Problem
from panosc_common.problem import response as problem_response
from panosc_common.server import OrjsonResponse
from panosc_common.signed import PARAMETER
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.types import Message, Receive, Scope, Send

from panosc_archive import conditional, paths
from panosc_archive.access import Access, Located
from panosc_archive.manifest import Entry, Manifest
from panosc_archive.settings import Settings

MAX_PAGE = 1000


def attachment(name: str) -> str:
    """A `Content-Disposition` that makes browsers save: nobody's HTML runs under the archive's origin."""
    return f"attachment; filename*=UTF-8''{quote(name, safe='')}"


class _DescriptorResponse(FileResponse):
    """Sends an open file: the one that was decided about, whatever its name means by now."""

    def __init__(self, descriptor: int, **options: Any) -> None:
        super().__init__(f"/proc/self/fd/{descriptor}", **options)
        self._descriptor = descriptor

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refused = False

        async def without_refusals(message: Message) -> None:
            nonlocal refused
            refused = refused or message.get("status", 200) >= 400
            if not refused:
                await send(message)

        try:
            await super().__call__(scope, receive, without_refusals)
            if refused:  # Starlette says in plain text what it dislikes about ranges
                size = os.fstat(self._descriptor).st_size
                detail = f"the file has {size} bytes: ask for `Range: bytes=first-last` within them"
                refusal = Problem(416, detail, headers={"Content-Range": f"bytes */{size}"})
                await problem_response(refusal)(scope, receive, send)
        finally:
            os.close(self._descriptor)


class Files:
    """The routes below `/files`, and what other routes show of files."""

    def __init__(self, settings: Settings, access: Access) -> None:
        self._settings = settings
        self._access = access

    async def get(self, request: Request) -> Response:
        """`GET /files/{path}`."""
        access = self._access.asked_by(request)
        try:
            path = paths.decode(raw_tail(request, "/files"))
        except paths.NotBeneath as error:
            raise access.not_found() from error
        # Before anything is looked up: a refusal must not tell that a hidden directory exists.
        after, limit = page_start(request), page_limit(request)
        async with access.open(path, directories=True) as located:
            if located.is_directory:
                listing = await self._listing(access, located.path, after, limit)
                if access.link and "next" in listing:
                    listing["next"] += f"&{PARAMETER}={request.query_params[PARAMETER]}"
                return OrjsonResponse(listing)
            digest = await self._digest(request, located)
            if self._settings.accel_prefix is not None:
                return self._accelerated(located, digest)
            return self._own_bytes(request, located, digest)

    async def described(self, files: Sequence[str]) -> list[dict[str, Any]]:
        """Path, size, time, URL and (if known) SHA-256 of files; those that are gone are left out."""
        return await asyncio.to_thread(self._describe, files)

    def url(self, path: str) -> str:
        """Where a file or directory is found."""
        return f"{self._settings.public_url}/files/{paths.encode(path)}"

    async def _digest(self, request: Request, located: Located) -> dict[str, str]:
        """The recorded SHA-256 for whoever wants it (RFC 9530), if it is that of the file as it is."""
        # Others shall not wait for the manifest: viewers ask for hundreds of ranges of a file.
        if "sha-256" not in request.headers.get("want-repr-digest", "").lower():
            return {}
        (facts,) = await asyncio.to_thread(self._describe, [located.path]) or [{}]
        if facts.get("size") != located.status.st_size or "sha256" not in facts:
            return {}
        return {"Repr-Digest": f"sha-256=:{base64.b64encode(bytes.fromhex(facts['sha256'])).decode()}:"}

    def _accelerated(self, located: Located, digest: dict[str, str]) -> Response:
        headers = {
            **digest,
            "X-Accel-Redirect": f"{self._settings.accel_prefix}/{paths.encode(located.path)}",
            "Content-Disposition": attachment(os.path.basename(located.path)),
            "Cache-Control": "no-cache",
        }
        return Response(headers=headers, media_type=media_type(located.path))

    def _own_bytes(self, request: Request, located: Located, digest: dict[str, str]) -> Response:
        headers = {
            **digest,
            "ETag": conditional.etag(located.status),
            "Last-Modified": conditional.last_modified(located.status),
            "Content-Disposition": attachment(os.path.basename(located.path)),
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "no-cache",
        }
        failed = conditional.precondition(request.headers, located.status)
        if failed == 412:
            raise Problem(412, "the file is not in the state that the request demands", headers=headers)
        if failed is not None:
            return Response(status_code=failed, headers=headers)
        return _DescriptorResponse(
            os.dup(located.descriptor),
            headers=headers,
            media_type=media_type(located.path),
            stat_result=located.status,
        )

    async def _listing(self, access: Access, directory: str, after: str, limit: int) -> dict[str, Any]:
        page = await access.children(directory, after, limit)
        prefix = f"{directory}/" if directory else ""
        files = [f"{prefix}{child.name}" for child in page.entries if child.type == "file"]
        described = {entry["path"]: entry for entry in await self.described(files)}
        entries: list[dict[str, Any]] = []
        for child in page.entries:
            path = f"{prefix}{child.name}"
            if child.type == "directory":
                entries.append({"name": child.name, "type": "directory", "url": self.url(path) + "/"})
            elif path in described:
                facts = {key: value for key, value in described[path].items() if key != "path"}
                entries.append({"name": child.name, "type": "file", **facts})
        listing: dict[str, Any] = {"path": directory, "entries": entries}
        if page.next is not None:
            query = f"?after={quote(page.next, safe='')}&limit={limit}"
            listing["next"] = self.url(directory) + ("/" if directory else "") + query
        return listing

    def _describe(self, files: Sequence[str]) -> list[dict[str, Any]]:
        recorded = self._recorded(files)
        described = []
        for path in files:
            try:
                status = os.lstat(self._access.root / path)
            except (OSError, ValueError):
                continue
            facts: dict[str, Any] = {
                "path": path,
                "size": status.st_size,
                "modified": datetime.fromtimestamp(status.st_mtime, UTC).isoformat().replace("+00:00", "Z"),
            }
            entry = recorded.get(path)
            current = entry and (entry.size, entry.mtime_ns) == (status.st_size, status.st_mtime_ns)
            if entry and current and entry.sha256:
                facts["sha256"] = entry.sha256
            described.append({**facts, "url": self.url(path)})
        return described

    def _recorded(self, files: Sequence[str]) -> dict[str, Entry]:
        # Without a manifest (standalone use), or while its writer is busy, listings have no hashes.
        with (
            contextlib.suppress(sqlite3.Error),
            contextlib.closing(Manifest.open_readonly(self._settings.manifest_path)) as manifest,
        ):
            return manifest.find(files)
        return {}


def raw_tail(request: Request, prefix: str) -> str:
    """What follows `prefix/` in the URL's path, still percent-encoded: only so is `%2F` told from `/`."""
    raw: bytes = request.scope["raw_path"]
    return raw.decode("latin-1").split("?", 1)[0].removeprefix(prefix).removeprefix("/")


def page_start(request: Request) -> str:
    """The parameter `after`. Raises Problem 422."""
    after = request.query_params.get("after", "")
    if "\0" in after:
        raise Problem(422, "after=…: no name holds a NUL; take the value from `next`")
    return after


def page_limit(request: Request) -> int:
    """The parameter `limit`. Raises Problem 422."""
    text = request.query_params.get("limit", str(MAX_PAGE))
    is_number = text.isascii() and text.isdigit() and len(text) <= 9
    if not is_number or not 1 <= int(text) <= MAX_PAGE:
        raise Problem(422, f"limit={text[:100]}: give a whole number from 1 to {MAX_PAGE}")
    return int(text)
