"""HTML from templates, escaped by default, under a policy that lets a browser load nothing foreign."""

import hashlib
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import mimeparse
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from panosc_catalogue.datacite.rights import license_url
from panosc_catalogue.pages.archives import Archives
from panosc_catalogue.query.settled import PUBLIC, Viewer
from panosc_catalogue.settings import CatalogueConfig
from panosc_catalogue.site import Site

STATIC = Path(__file__).parent / "static"
HTML = "text/html"
_UNITS = ("bytes", "kB", "MB", "GB", "TB", "PB", "EB")


@dataclass(frozen=True)
class Visit:
    """Who reads a page, and where."""

    address: str
    """Path and query of the page, to come back to."""
    logged_in: bool
    name: str = ""


def visit(request: Request, viewer: Viewer = PUBLIC) -> Visit:
    """The visit that a request is; without a viewer it is not known who it is."""
    url = request.url
    address = f"{url.path}?{url.query}" if url.query else url.path
    return Visit(address, "Authorization" in request.headers, viewer.name)


class Pages:
    """The templates, with what each of them says about the facility."""

    def __init__(self, site: Site) -> None:
        self._policy = site.policy
        self._environment = Environment(
            loader=PackageLoader("panosc_catalogue.pages"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        # The address changes with the content, so that a browser never mixes old with new.
        version = hashlib.sha256((STATIC / "catalogue.css").read_bytes()).hexdigest()[:12]
        self._environment.globals |= {
            "facility": site.config.facility,
            "stylesheet": f"/static/catalogue.css?{version}",
            "sessions": site.config.aai is not None and site.config.aai.sessions,
        }
        self._environment.filters |= {
            "day": day,
            "moment": moment,
            "bytes": in_bytes,
            "license_url": license_url,
            "shell": shlex.quote,
            "path": lambda pid: quote(pid, safe="/:"),
            "number": lambda value: f"{value:,}",
        }
        self._headers = {
            "Content-Security-Policy": _content_security_policy(site.config),
            "Cross-Origin-Opener-Policy": "same-origin",
            "Referrer-Policy": "strict-origin-when-cross-origin",
            "X-Content-Type-Options": "nosniff",
            # What is public changes by the second: a copy is used only after asking again.
            "Cache-Control": "no-cache",
            "Vary": "Accept",
        }

    def page(
        self,
        template: str,
        visit: Visit,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        **values: Any,
    ) -> Response:
        """The page that `template` makes of `values` for a visit."""
        shown = {"policy": self._policy.current(), "visit": visit, **values}
        body = self._environment.get_template(template).render(shown)
        return HTMLResponse(body, status, headers={**self._headers, **(headers or {})})


def _content_security_policy(config: CatalogueConfig) -> str:
    """Style and images from here, previews from the archives; no script at all."""
    archives = map(urlsplit, Archives(config).urls)
    images = {"'self'", *(f"{url.scheme}://{url.netloc}" for url in archives)}
    return (
        f"default-src 'none'; style-src 'self'; img-src {' '.join(sorted(images))}; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    )


def wants_page(accept: str) -> bool:
    """Whether the client is a browser, or something else that asks for HTML by name."""
    try:
        return "text/" in accept and mimeparse.best_match(["application/json", HTML], accept) == HTML
    except mimeparse.MimeTypeParseException:
        return False


def day(value: datetime | None) -> str:
    """The date in words; empty for None."""
    return f"{value.astimezone(UTC):%-d %B %Y}" if value else ""


def moment(value: datetime | None) -> str:
    """Date and time in words, UTC; empty for None."""
    return f"{value.astimezone(UTC):%-d %B %Y, %H:%M UTC}" if value else ""


def in_bytes(size: int | None) -> str:
    """The size with a prefix; empty for None."""
    if size is None:
        return ""
    value, unit = float(size), 0
    while value >= 1000 and unit < len(_UNITS) - 1:
        value, unit = value / 1000, unit + 1
    return f"{value:.0f} bytes" if unit == 0 else f"{value:.3g} {_UNITS[unit]}"
