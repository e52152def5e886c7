"""The `serve` process as an ASGI application."""

import contextlib
import html
from collections.abc import AsyncIterator, Awaitable, Callable

from panosc_common import metrics, problem
from panosc_common.personal import PersonalAnswers
from panosc_common.server import OrjsonResponse
from panosc_common.signed import Keys
from starlette.applications import Starlette
from starlette.convertors import PathConvertor, register_url_convertor
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from panosc_archive import openapi
from panosc_archive.access import Access
from panosc_archive.datasets import Datasets
from panosc_archive.files import Files
from panosc_archive.settings import Settings
from panosc_archive.signing import Signing
from panosc_archive.slices import Slices
from panosc_archive.visibility import Visibility


class _AnythingConvertor(PathConvertor):
    """Like `path`, but a file's name may hold a newline."""

    regex = r"[\s\S]*"


register_url_convertor("anything", _AnythingConvertor())


def create_app(settings: Settings) -> Starlette:
    """The interface of one archive."""
    visibility = Visibility(settings.name, settings.catalogue_urls, settings.catalogue_tokens)
    keys = Keys(settings.link_keys)
    access = Access(settings.data_directory, visibility, keys, settings.name)
    files = Files(settings, access)
    datasets = Datasets(settings, access, files)
    slices = Slices(settings, access)
    signing = Signing(settings, access, keys)

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        slices.warm_up()
        yield
        await visibility.close()
        slices.close()

    return Starlette(
        routes=[
            Route("/", _index(settings)),
            Route("/files", files.get),
            Route("/files/{path:anything}", files.get),
            Route("/datasets/{pid:anything}/bundle.zip", datasets.zip),
            Route("/datasets/{pid:anything}/bundle.tar", datasets.tar),
            Route("/datasets/{pid:anything}", datasets.get),
            Route("/links", signing.post, methods=["POST"]),
            Route("/hdf5/{operation}/", slices.get),
            Route("/previews", slices.preview),
            Route("/openapi.json", _openapi),
            Route("/healthz", _healthz),
            Route("/metrics", metrics.endpoint),
        ],
        lifespan=lifespan,
        exception_handlers=problem.EXCEPTION_HANDLERS,
        middleware=[
            Middleware(metrics.RequestMetrics),
            Middleware(PersonalAnswers),
            # Nobody changes anything here: other sites may read what is shown to whoever asks, and get links.
            Middleware(
                CORSMiddleware,
                allow_origins=["*"],
                allow_methods=["GET", "HEAD", "POST"],
                allow_headers=[
                    "Authorization",
                    "Content-Type",
                    "Range",
                    "If-Range",
                    "If-None-Match",
                    "If-Modified-Since",
                    "Want-Repr-Digest",
                ],
                expose_headers=[
                    "Accept-Ranges",
                    "Content-Range",
                    "Content-Length",
                    "ETag",
                    "Repr-Digest",
                    "WWW-Authenticate",
                ],
            ),
        ],
    )


async def _healthz(request: Request) -> Response:
    return OrjsonResponse({"status": "ok"})


async def _openapi(request: Request) -> Response:
    return OrjsonResponse(openapi.DOCUMENT)


def _index(settings: Settings) -> Callable[[Request], Awaitable[Response]]:
    links = {
        "files": f"{settings.public_url}/files/",
        "datasets": f"{settings.public_url}/datasets/{{pid}}",
        "hdf5": f"{settings.public_url}/hdf5/meta/?file={{path}}&path=/",
        "links": f"{settings.public_url}/links",
        "previews": f"{settings.public_url}/previews?file={{path}}",
        "description": f"{settings.public_url}/openapi.json",
    }

    async def index(request: Request) -> Response:
        if "text/html" in request.headers.get("accept", ""):
            name = html.escape(settings.name)
            rows = "".join(
                f"<li>{label}: <code>{html.escape(link)}</code></li>" for label, link in links.items()
            )
            return HTMLResponse(
                f'<!doctype html><html lang="en"><title>{name}</title><h1>Data archive “{name}”</h1>'
                f'<p>What you may see: <a href="{html.escape(links["files"])}">browse the files</a>.</p>'
                f"<ul>{rows}</ul></html>"
            )
        return OrjsonResponse({"archive": settings.name, "links": links})

    return index
