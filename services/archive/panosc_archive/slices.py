"""`/hdf5/…` and `/previews`: parts of HDF5 files, read in processes that may hang or crash without harm."""

import asyncio
import multiprocessing
import os
import resource
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import replace

import structlog
from panosc_common.problem import Problem
from pebble import ProcessExpired, ProcessPool
from starlette.requests import Request
from starlette.responses import Response

from panosc_archive import hdf5
from panosc_archive.access import Access
from panosc_archive.settings import Settings

OPERATIONS = ("attr", "data", "meta", "paths", "stats")
TASKS_PER_WORKER = 1000
WAITING_PER_WORKER = 16
MAX_ROUNDS = 8
"""Times a file may lead to further files whose visibility has to be asked."""

log = structlog.stdlib.get_logger(__name__)


def _limit(address_space: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (address_space, address_space))
    # HDF5 looks for the sources of virtual datasets in the working directory, too.
    os.chdir("/")


class Slices:
    """The routes that read HDF5."""

    def __init__(self, settings: Settings, access: Access) -> None:
        self._settings = settings
        self._access = access
        self._pool = ProcessPool(
            settings.hdf5_workers,
            max_tasks=TASKS_PER_WORKER,
            initializer=_limit,
            initargs=(settings.hdf5_worker_mib * 2**20,),
            context=multiprocessing.get_context("spawn"),
        )
        self._waiting = 0

    def warm_up(self) -> None:
        """Start the processes: importing NumPy and HDF5 takes longer than most answers."""
        for _ in range(self._settings.hdf5_workers):
            self._pool.schedule(os.getpid)

    def close(self) -> None:
        """End the processes."""
        self._pool.stop()  # type: ignore[no-untyped-call]
        self._pool.join()

    async def get(self, request: Request) -> Response:
        """`GET /hdf5/{operation}/`."""
        operation = request.path_params["operation"]
        if operation not in OPERATIONS:
            raise Problem(404, f"/hdf5/{operation}: there are {', '.join(OPERATIONS)}")
        return await self._answer(request, operation)

    async def preview(self, request: Request) -> Response:
        """`GET /previews`."""
        return await self._answer(request, "preview")

    async def _answer(self, request: Request, operation: str) -> Response:
        parameters = request.query_params
        if not parameters.get("file"):
            raise Problem(422, "the parameter `file` is missing: give the path of a file in the archive")
        access = self._access.asked_by(request)
        async with access.open(parameters["file"].removeprefix("/")) as located:
            query = hdf5.Query(
                root=self._access.root,
                file=located.path,
                operation=operation,
                path=parameters.get("path") or "/",
                max_bytes=self._settings.hdf5_max_bytes,
                selection=parameters.get("selection") or None,
                format=parameters.get("format", "json"),
                dtype=parameters.get("dtype", "origin"),
                flatten=parameters.get("flatten", "false").lower() != "false",
                resolve_links=parameters.get("resolve_links", "only_valid"),
                attribute_keys=tuple(parameters.getlist("attr_keys")),
            )
            encoded = await self._read(access, query)
        return Response(encoded.content, headers={**encoded.headers, "Cache-Control": "no-cache"})

    async def _read(self, access: Access, query: hdf5.Query) -> hdf5.Encoded:
        for _ in range(MAX_ROUNDS):
            answer = await self._work(query)
            if isinstance(answer, hdf5.Encoded):
                return answer
            if isinstance(answer, hdf5.Refused):
                raise Problem(answer.status, answer.detail)
            shown = await access.visible(sorted(answer.files))
            query = replace(
                query,
                allowed=query.allowed | shown,
                denied=query.denied | (answer.files - shown),
            )
        raise Problem(422, f"{query.path}: links lead on through more than {MAX_ROUNDS} files")

    async def _work(self, query: hdf5.Query) -> hdf5.Encoded | hdf5.Foreign | hdf5.Refused:
        if self._waiting >= self._settings.hdf5_workers * WAITING_PER_WORKER:
            raise Problem(503, "too many requests for HDF5 data at once", headers={"Retry-After": "2"})
        self._waiting += 1
        try:
            future = self._pool.schedule(hdf5.answer, args=(query,), timeout=self._settings.hdf5_seconds)
            return await asyncio.wrap_future(future)
        except FutureTimeoutError as error:
            seconds = self._settings.hdf5_seconds
            raise Problem(503, f"reading took longer than {seconds:g} s: select a smaller part") from error
        except ProcessExpired as error:
            log.error("HDF5 worker died", file=query.file, path=query.path, code=error.exitcode)
            raise Problem(422, f"{query.path} cannot be read: the file is damaged") from error
        finally:
            self._waiting -= 1
