"""`/.well-known/oauth-protected-resource`: what a program has to know to log somebody in here (RFC 9728)."""

from typing import Any

from panosc_common.server import OrjsonResponse
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from panosc_catalogue.pages.archives import Archives
from panosc_catalogue.revalidation import revalidated
from panosc_catalogue.settings import CatalogueConfig

PATH = "/.well-known/oauth-protected-resource"


def routes(config: CatalogueConfig) -> list[Route]:
    """The description of one catalogue."""

    async def describe(request: Request) -> Response:
        """`GET /.well-known/oauth-protected-resource`."""
        own = (config.public_url or str(request.base_url)).rstrip("/")
        return OrjsonResponse(description(own, config), headers={"Access-Control-Allow-Origin": "*"})

    return [Route(PATH, revalidated(describe))]


def description(own: str, config: CatalogueConfig) -> dict[str, Any]:
    """The metadata of the catalogue at `own`; without a login they lead to the archives only."""
    told: dict[str, Any] = {
        "resource": own,
        "resource_name": config.facility.display_name,
        # They take the same tokens: who logs in here may send theirs to these and nowhere else.
        "panosc_archives": Archives(config).urls,
    }
    if config.aai:
        told |= {
            "authorization_servers": [config.aai.issuer],
            "bearer_methods_supported": ["header"],
        }
        if config.aai.scope:
            told["scopes_supported"] = [config.aai.scope]
    return told
