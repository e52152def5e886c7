"""Running an ASGI application in a container: structured logs, graceful stop, a bound on it."""

from typing import Any

import orjson
import uvicorn
from starlette.responses import JSONResponse
from starlette.types import ASGIApp


class OrjsonResponse(JSONResponse):
    """A JSON response encoded by orjson."""

    def render(self, content: Any) -> bytes:
        """The content as UTF-8 JSON."""
        return orjson.dumps(content)


def run(app: ASGIApp, host: str, port: int, *, stop_seconds: int = 20) -> None:
    """Serve until SIGTERM or SIGINT; then accept nothing new and give running requests `stop_seconds`.

    The default stays below Kubernetes' 30 s of grace, so that a slow download ends by our hand, not SIGKILL.
    Call `panosc_common.logs.configure` before: the server's own records go through it.
    """
    uvicorn.run(
        app,
        host=host,
        port=port,
        log_config=None,
        access_log=False,  # the gateway in front logs requests
        server_header=False,
        timeout_graceful_shutdown=stop_seconds,
    )
