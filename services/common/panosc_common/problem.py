"""Errors of the HTTP interfaces as problem details (RFC 9457): `application/problem+json`."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import orjson
import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ExceptionHandler

MEDIA_TYPE = "application/problem+json"
_LARGEST = 2**63

log = structlog.stdlib.get_logger(__name__)


class Problem(Exception):
    """An error that the client is told about; raise it anywhere below a route.

    `detail` names what was wrong and the remedy; `extensions` become members of the problem document beside
    the standard ones (`type`, `title`, `status`, `detail`); `headers` are added to the response.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        title: str | None = None,
        headers: Mapping[str, str] | None = None,
        **extensions: Any,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.title = title or HTTPStatus(status).phrase
        self.headers = dict(headers or {})
        self.extensions = extensions

    def document(self) -> dict[str, Any]:
        """The problem document as the client sees it."""
        return {
            "type": "about:blank",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            **{name: _shown(value) for name, value in self.extensions.items()},
        }


def _shown(value: Any) -> Any:
    """A value that was given, which may be a number that is no JSON of ours."""
    return str(value) if isinstance(value, int) and not -_LARGEST <= value < _LARGEST else value


def response(problem: Problem) -> Response:
    """The HTTP response that tells the client about `problem`."""
    return Response(
        orjson.dumps(problem.document()),
        status_code=problem.status,
        headers=problem.headers,
        media_type=MEDIA_TYPE,
    )


async def _on_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)  # noqa: S101 -- Starlette's handler type is wider than its calls
    return response(error)


async def _on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 -- as above
    if error.status_code == HTTPStatus.NOT_FOUND:
        detail = "there is nothing under this address"
    elif error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        detail = f"{request.method} is not possible here"
    else:
        detail = error.detail
    return response(Problem(error.status_code, detail, headers=error.headers))


async def _on_bug(request: Request, error: Exception) -> Response:
    # Starlette raises the error again after the answer: uvicorn then logs the traceback and closes the
    # connection, which the client has to know before it sends its next request.
    log.error("request failed", method=request.method, path=request.url.path, error=repr(error))
    return response(
        Problem(500, "the server failed to answer; its log says why", headers={"Connection": "close"})
    )


EXCEPTION_HANDLERS: dict[Any, ExceptionHandler] = {
    Problem: _on_problem,
    HTTPException: _on_http_exception,
    Exception: _on_bug,
}
"""For `Starlette(exception_handlers=…)`: every error of the application becomes a problem document."""
