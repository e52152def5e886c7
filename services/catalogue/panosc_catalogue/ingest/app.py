"""The ingest process: what follows each source, and what that is doing over HTTP."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

from panosc_common import metrics, problem
from panosc_common.server import OrjsonResponse
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from panosc_catalogue.database import STATEMENT_SECONDS, Database
from panosc_catalogue.ingest.status import Status
from panosc_catalogue.ingest.worker import Worker
from panosc_catalogue.nexus.pool import Reader
from panosc_catalogue.settings import CatalogueConfig, PolicyFile, Settings
from panosc_catalogue.sources.adapters import adapter_of
from panosc_catalogue.sources.sync import Sync


def create_app(settings: Settings, config: CatalogueConfig) -> Starlette:
    """The application; its sources are followed from start-up to shutdown."""
    if settings.database_url is None:
        raise ValueError("database_url is missing")
    database = Database(
        settings.database_url.get_secret_value(),
        size=2,
        statement_timeout_seconds=STATEMENT_SECONDS,
    )
    reader = Reader(settings.read_timeout_seconds)
    followers = _followers(settings, config, reader)
    status = Status(database, PolicyFile(settings.policy_file), followers)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(database.opened())
            await stack.enter_async_context(reader.opened())
            tasks = [asyncio.create_task(follower.run()) for follower in followers]
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def healthy(request: Request) -> Response:
        """The process answers; how its sources do is in the status."""
        return OrjsonResponse({"status": "ok"})

    return Starlette(
        lifespan=lifespan,
        exception_handlers=problem.EXCEPTION_HANDLERS,
        routes=[
            Route("/status", status.status),
            Route("/reports", status.reports),
            Route("/healthz", healthy),
            Route("/metrics", metrics.endpoint),
        ],
    )


def _followers(settings: Settings, config: CatalogueConfig, reader: Reader) -> list[Worker | Sync]:
    """What follows the sources, in their order: of catalogues, each gives way to those before it."""
    followers: list[Worker | Sync] = []
    catalogues: list[str] = []
    for source in config.sources:
        if source.nexus:
            followers.append(Worker(settings, config.facility, source.name, source.nexus, reader))
        elif source.remote:
            make = partial(adapter_of, source, config.facility)
            followers.append(Sync(settings, source.name, source.remote, make, tuple(catalogues)))
            catalogues.append(source.name)
    return followers
