"""The `serve` process as an ASGI application."""

import contextlib
from collections.abc import AsyncIterator

from panosc_common import metrics, problem
from panosc_common.server import OrjsonResponse
from starlette.applications import Starlette
from starlette.convertors import PathConvertor, register_url_convertor
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from panosc_archive.access import Access
from panosc_archive.files import Files
from panosc_archive.settings import Settings
from panosc_archive.visibility import Visibility


class _AnythingConvertor(PathConvertor):
    """Like `path`, but a file's name may hold a newline."""

    regex = r"[\s\S]*"


register_url_convertor("anything", _AnythingConvertor())


def create_app(settings: Settings) -> Starlette:
    """The public interface of one archive."""
    visibility = Visibility(settings.name, settings.catalogue_urls)
    access = Access(settings.data_directory, visibility)
    files = Files(settings, access)

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        await visibility.close()

    return Starlette(
        routes=[
            Route("/files", files.get),
            Route("/files/{path:anything}", files.get),
            Route("/healthz", _healthz),
            Route("/metrics", metrics.endpoint),
        ],
        lifespan=lifespan,
        exception_handlers=problem.EXCEPTION_HANDLERS,
        middleware=[
            Middleware(metrics.RequestMetrics),
            # Everything served is public and read-only: viewers on other sites may read it.
            Middleware(
                CORSMiddleware,
                allow_origins=["*"],
                allow_headers=["Range", "If-Range", "If-None-Match", "If-Modified-Since"],
                expose_headers=["Accept-Ranges", "Content-Range", "Content-Length", "ETag"],
            ),
        ],
    )


async def _healthz(request: Request) -> Response:
    return OrjsonResponse({"status": "ok"})
