"""Where the pages are, and what a person reads where something went wrong."""

from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any, cast

import orjson
from panosc_common import problem
from panosc_common.problem import Problem
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ExceptionHandler

from panosc_catalogue.pages.archives import Archives
from panosc_catalogue.pages.choices import Choices
from panosc_catalogue.pages.landing import Landing
from panosc_catalogue.pages.render import STATIC, Pages, visit, wants_page
from panosc_catalogue.pages.search_page import SearchPage
from panosc_catalogue.revalidation import revalidated
from panosc_catalogue.site import Site

_HEADINGS = {404: "Not found", 400: "The request is not valid", 503: "Busy at the moment"}


def routes(site: Site, pages: Pages) -> list[BaseRoute]:
    """The pages of one catalogue."""
    search = SearchPage(site, pages, Choices(site))
    landing = Landing(site, pages, Archives(site.config))
    return [
        Route("/", revalidated(search.get)),
        Route("/search", revalidated(search.get)),
        Route("/documents/{pid:path}", revalidated(landing.document)),
        Route("/datasets/{pid:path}", revalidated(landing.dataset)),
        Route("/doi/{doi:path}", revalidated(landing.doi)),
        Route("/login", _logged_in),
        Mount("/static", StaticFiles(directory=STATIC)),
    ]


async def _logged_in(request: Request) -> Response:
    """`GET /login?then=`: the gateway has logged them in before it let them come here, and back they go.

    Raises Problem: 400 for an address elsewhere, 404 where no gateway logs anybody in.
    """
    if "Authorization" not in request.headers:
        raise Problem(404, "nobody can log in here: the facility's services have no login for browsers")
    then = request.query_params.get("then", "/")
    # Browsers take a backslash for a slash, and two at the begin for another host.
    if not then.startswith("/") or then.startswith("//") or "\\" in then:
        raise Problem(400, f"then is {then[:64]!r}, but must be the path of a page of this catalogue")
    return RedirectResponse(then, 303, headers={"Cache-Control": "no-store"})


def exception_handlers(pages: Pages) -> Mapping[Any, ExceptionHandler]:
    """Errors as problem documents, but as a page for a browser."""

    def readable(document: Callable[[Request, Exception], Awaitable[Response]]) -> ExceptionHandler:
        async def handle(request: Request, error: Exception) -> Response:
            answer = await document(request, error)
            if not wants_page(request.headers.get("accept", "")):
                # What is missing now may be public in a second.
                answer.headers.setdefault("Cache-Control", "no-cache")
                return answer
            heading = _HEADINGS.get(answer.status_code, HTTPStatus(answer.status_code).phrase)
            headers = {k: v for k, v in answer.headers.items() if k not in ("content-type", "content-length")}
            detail = orjson.loads(answer.body)["detail"]
            return pages.page(
                "message.html",
                visit(request),
                answer.status_code,
                headers,
                heading=heading,
                detail=f"{detail[:1].upper()}{detail[1:]}.",
            )

        return handle

    return {kind: readable(cast(Any, handler)) for kind, handler in problem.EXCEPTION_HANDLERS.items()}
