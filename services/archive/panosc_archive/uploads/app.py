"""The `receive` process as an ASGI application."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import httpx2
import structlog
from panosc_common import metrics, problem
from panosc_common.authentication import Authenticator
from panosc_common.personal import PersonalAnswers
from panosc_common.server import OrjsonResponse
from panosc_common.trust import trusted
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from panosc_archive.settings import Settings, Uploads
from panosc_archive.uploads.protocol import METHODS, VERSION
from panosc_archive.uploads.routes import Receiving
from panosc_archive.uploads.store import Store

SWEEP_SECONDS = 600.0
"""Time between two looks for what has expired."""

log = structlog.stdlib.get_logger(__name__)


class _Versioned:
    """ASGI middleware that says in each answer which version of the protocol this is, as it has to be."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def mark(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["Tus-Resumable"] = VERSION
            await send(message)

        await self.app(scope, receive, mark)


def create_app(settings: Settings, uploads: Uploads) -> Starlette:
    """What takes the files of one archive."""
    store = Store(settings.data_directory, uploads.keep_seconds)
    client = httpx2.AsyncClient(trust_env=False, verify=trusted())
    receiving = Receiving(settings, uploads, store, Authenticator(uploads.login, client))

    async def sweep() -> None:
        while True:
            try:
                await asyncio.to_thread(store.sweep)
            except OSError as error:
                log.error("expired uploads cannot be removed", why=str(error))
            await asyncio.sleep(SWEEP_SECONDS)

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        sweeping = asyncio.create_task(sweep())
        yield
        sweeping.cancel()
        await receiving.settle()
        await client.aclose()

    return Starlette(
        routes=[
            Route("/uploads", receiving.collection, methods=["OPTIONS", "POST"]),
            Route("/uploads/{identifier}", receiving.item, methods=list(METHODS)),
            Route("/healthz", _healthz),
            Route("/metrics", metrics.endpoint),
        ],
        lifespan=lifespan,
        exception_handlers=problem.EXCEPTION_HANDLERS,
        middleware=[
            Middleware(metrics.RequestMetrics),
            Middleware(_Versioned),
            Middleware(PersonalAnswers),
        ],
    )


async def _healthz(request: Request) -> Response:
    return OrjsonResponse({"status": "ok"})
