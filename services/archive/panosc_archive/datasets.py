"""`/datasets/{pid}`: the files of a dataset that lie in this archive, one by one or as a bundle."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import structlog
from panosc_common.problem import Problem
from panosc_common.server import OrjsonResponse
from starlette.concurrency import iterate_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from panosc_archive import bundles
from panosc_archive.access import Access
from panosc_archive.files import Files, attachment
from panosc_archive.settings import Settings
from panosc_archive.visibility import Dataset

log = structlog.stdlib.get_logger(__name__)

Pack = Callable[[Path, Sequence[bundles.Member]], tuple[int, Iterator[bytes]]]

MEDIA_TYPES = {"zip": "application/zip", "tar": "application/x-tar"}


class Datasets:
    """The routes below `/datasets`."""

    def __init__(self, settings: Settings, access: Access, files: Files) -> None:
        self._settings = settings
        self._access = access
        self._files = files

    async def get(self, request: Request) -> Response:
        """`GET /datasets/{pid}`."""
        dataset = await self._dataset(request)
        base = f"{self._settings.public_url}/datasets/{quote(dataset.pid, safe='')}"
        listing: dict[str, Any] = {
            "pid": dataset.pid,
            "title": dataset.title,
            "files": await self._files.described(self._paths(dataset)),
            "bundles": {kind: f"{base}/bundle.{kind}" for kind in MEDIA_TYPES},
        }
        return OrjsonResponse(listing)

    async def zip(self, request: Request) -> Response:
        """`GET /datasets/{pid}/bundle.zip`."""
        return await self._bundle(request, "zip", bundles.zip_stream)

    async def tar(self, request: Request) -> Response:
        """`GET /datasets/{pid}/bundle.tar`."""
        return await self._bundle(request, "tar", bundles.tar_stream)

    async def _bundle(self, request: Request, kind: str, pack: Pack) -> Response:
        dataset = await self._dataset(request)
        try:
            parts = await asyncio.to_thread(
                bundles.members, self._access.root, self._paths(dataset), dataset.pid
            )
        except bundles.FileMissing as error:
            log.error("file of a dataset is missing", pid=dataset.pid, path=str(error))
            raise Problem(
                409,
                f"{error} is missing, so the bundle would be incomplete: take the other files one by one",
            ) from error
        length, content = await asyncio.to_thread(pack, self._access.root, parts)
        folder = dataset.pid.rpartition("/")[2] or "dataset"
        headers = {
            "Content-Length": str(length),
            "Content-Disposition": attachment(f"{folder}.{kind}"),
            "Cache-Control": "no-cache",
        }
        if request.method == "HEAD":
            return Response(headers=headers, media_type=MEDIA_TYPES[kind])
        return StreamingResponse(
            iterate_in_threadpool(content), headers=headers, media_type=MEDIA_TYPES[kind]
        )

    async def _dataset(self, request: Request) -> Dataset:
        return await self._access.asked_by(request).dataset(request.path_params["pid"])

    def _paths(self, dataset: Dataset) -> list[str]:
        return sorted(file.path for file in dataset.files if file.archive == self._settings.name)
