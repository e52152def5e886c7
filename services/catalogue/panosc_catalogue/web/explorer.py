"""The explorer: Swagger UI over our OpenAPI document, from the files of a Python package; no other host."""

from html import escape
from importlib.util import find_spec
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from panosc_catalogue.site import Site

_FILES = {
    "swagger-ui.css": "text/css",
    "swagger-ui-bundle.js": "text/javascript",
    "favicon-32x32.png": "image/png",
}
_START = """
window.ui = SwaggerUIBundle({
  url: "/openapi.json", dom_id: "#explorer", deepLinking: true, tryItOutEnabled: true,
  defaultModelsExpandDepth: 0, displayRequestDuration: true, validatorUrl: null,
});
"""
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{facility}: search API</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="/docs/swagger-ui.css"><link rel="icon" href="/docs/favicon-32x32.png">
</head><body><main><div id="explorer"></div>
<noscript>The explorer needs JavaScript; <a href="/openapi.json">/openapi.json</a> says the same.</noscript>
</main><script src="/docs/swagger-ui-bundle.js"></script><script src="/docs/start.js"></script></body></html>
"""
# Swagger UI sets styles on elements; it loads nothing from elsewhere, and is kept from it.
_POLICY = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'"


def routes(site: Site) -> list[BaseRoute]:
    """The page and its files."""
    directory = _directory()
    page = _PAGE.format(facility=escape(site.config.facility.display_name))

    async def show(request: Request) -> Response:
        return HTMLResponse(page, headers={"Content-Security-Policy": _POLICY})

    async def start(request: Request) -> Response:
        return Response(_START, media_type="text/javascript")

    async def file(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in _FILES:
            return RedirectResponse("/docs")
        headers = {"Cache-Control": "public, max-age=86400"}
        return FileResponse(directory / name, media_type=_FILES[name], headers=headers)

    async def lead(request: Request) -> Response:
        """`/explorer`, where the reference server has its own."""
        return RedirectResponse("/docs")

    return [
        Route("/docs", show),
        Route("/explorer", lead),
        Route("/docs/start.js", start),
        Route("/docs/{name}", file),
    ]


def _directory() -> Path:
    """Where the package has Swagger UI's files; found without importing it, since that would import Flask."""
    spec = find_spec("flask_swagger_ui")
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError("flask-swagger-ui is missing: the package was not installed completely")
    return Path(spec.submodule_search_locations[0]) / "dist"
