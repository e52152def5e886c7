"""The catalogue's HTTP application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache

import httpx2
import psycopg
from panosc_common import metrics, problem
from panosc_common.personal import PersonalAnswers
from panosc_common.server import OrjsonResponse
from panosc_common.trust import trusted
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from panosc_catalogue.database import Database
from panosc_catalogue.dmp import web as dmp
from panosc_catalogue.login import Login
from panosc_catalogue.oai import server as oai
from panosc_catalogue.oai.upkeep import Upkeep
from panosc_catalogue.pages import routes as pages
from panosc_catalogue.pages.render import Pages
from panosc_catalogue.revalidation import revalidated
from panosc_catalogue.revision import REVISION
from panosc_catalogue.sealing import Sealing
from panosc_catalogue.settings import PolicyFile, Settings, load_config
from panosc_catalogue.site import Clock, Site
from panosc_catalogue.web import explorer, internal, openapi, policy, resource, search, teams
from panosc_catalogue.web.callers import Gate


def _now() -> None:
    return None


def create_app(settings: Settings, clock: Clock = _now) -> Starlette:
    """The application.

    `clock` gives the instant for which embargoes are judged; None means the database's own time.
    """
    if settings.database_url is None:
        raise ValueError("database_url is missing")
    database = Database(
        settings.database_url.get_secret_value(),
        size=settings.pool_size,
        statement_timeout_seconds=settings.statement_timeout_seconds,
    )
    config = load_config(settings.config_file)
    policy_file = PolicyFile(settings.policy_file)
    sealing = Sealing(database, policy_file, clock)
    http = httpx2.AsyncClient(trust_env=False, verify=trusted())
    metadata = f"{config.public_url.rstrip('/')}{resource.PATH}" if config.public_url else None
    login = Login(config.aai, config.facility, http, metadata=metadata) if config.aai else None
    site = Site(database, policy_file, config, clock, sealing, login)
    templates = Pages(site)
    gate = Gate(settings.callers_file) if settings.callers_file else None
    upkeep = Upkeep(site, settings.stamp_seconds)
    description = cache(openapi.document)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with http, database.opened(), upkeep.regular(), sealing.regular():
            yield

    async def ready(request: Request) -> Response:
        """Whether searches can be answered: database reachable, schema as this program expects it."""
        try:
            row = await database.row("SELECT version_num FROM alembic_version", {})
        except psycopg.errors.UndefinedTable as error:
            raise problem.Problem(
                503, "the database has no schema yet: run `panosc-catalogue migrate`"
            ) from error
        if row is None or row[0] != REVISION:
            message = f"the schema is at revision {row[0] if row else None}, not {REVISION}: migrate it"
            raise problem.Problem(503, message)
        return OrjsonResponse({"status": "ready"})

    async def healthy(request: Request) -> Response:
        """The process answers; whether the database does is a matter of readiness."""
        return OrjsonResponse({"status": "ok"})

    async def describe(request: Request) -> Response:
        """The API for programs."""
        return OrjsonResponse(description(), headers={"Access-Control-Allow-Origin": "*"})

    return Starlette(
        lifespan=lifespan,
        middleware=[Middleware(metrics.RequestMetrics), Middleware(PersonalAnswers)],
        exception_handlers=pages.exception_handlers(templates),
        routes=[
            Route("/openapi.json", revalidated(describe)),
            Route("/healthz", healthy),
            Route("/readyz", ready),
            Route("/metrics", metrics.endpoint),
            *search.routes(site, settings.max_limit, settings.max_answer_mib),
            *oai.routes(site, upkeep),
            *explorer.routes(site),
            *internal.routes(site, settings.link_keys, gate),
            *resource.routes(config),
            *policy.routes(site, settings.administrator_token_file),
            *teams.routes(site),
            *dmp.routes(site, templates),
            *pages.routes(site, templates),
        ],
    )
