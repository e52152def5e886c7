"""The process that registers DOIs: the worker, and what it is doing over HTTP."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from panosc_common import metrics, problem
from panosc_common.server import OrjsonResponse
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from panosc_catalogue.database import Database
from panosc_catalogue.dois.client import Client
from panosc_catalogue.dois.status import status
from panosc_catalogue.dois.worker import Worker
from panosc_catalogue.settings import CatalogueConfig, PolicyFile, Settings
from panosc_catalogue.site import Clock, Site


def create_app(settings: Settings, config: CatalogueConfig, clock: Clock = lambda: None) -> Starlette:
    """The application; its worker runs from start-up to shutdown.

    Raises ValueError if the configuration has no DOIs, or no address to which they could lead.
    """
    dois = config.identifiers.doi
    if settings.database_url is None:
        raise ValueError("database_url is missing")
    if dois is None:
        raise ValueError(f"{settings.config_file}: identifiers.doi is missing: there is nothing to register")
    if not config.public_url:
        raise ValueError(f"{settings.config_file}: publicUrl is missing: DOIs have to lead somewhere")
    database = Database(
        settings.database_url.get_secret_value(),
        size=3,
        statement_timeout_seconds=settings.statement_timeout_seconds,
    )
    site = Site(database, PolicyFile(settings.policy_file), config, clock)
    registrar = (
        Client(
            dois.registrar.data_cite.endpoint,
            settings.registrar_credentials,
            timeout_seconds=settings.registrar_timeout_seconds,
            requests_per_second=settings.registrar_requests_per_second,
        )
        if dois.registrar.data_cite
        else None
    )
    worker = Worker(site, dois, registrar, interval_seconds=settings.dois_interval_seconds)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(database.opened())
            if registrar:
                await stack.enter_async_context(registrar.opened())
            task = asyncio.create_task(worker.run())
            try:
                yield
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    async def healthy(request: Request) -> Response:
        """The process answers; how its registrar does is in the status."""
        return OrjsonResponse({"status": "ok"})

    async def tell(request: Request) -> Response:
        """`GET /status`: how many DOIs are in which state, and what failed."""
        return OrjsonResponse(await status(database.rows))

    return Starlette(
        lifespan=lifespan,
        exception_handlers=problem.EXCEPTION_HANDLERS,
        routes=[
            Route("/status", tell),
            Route("/healthz", healthy),
            Route("/metrics", metrics.endpoint),
        ],
    )
