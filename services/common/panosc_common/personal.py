"""Answers to somebody in particular, which no shared cache may give to anybody else."""

from starlette.datastructures import Headers, MutableHeaders, QueryParams
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from panosc_common.signed import PARAMETER


class PersonalAnswers:
    """ASGI middleware that says of each answer that it depends on who asks, and is theirs if they said so."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and mark its answer."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        personal = "Authorization" in Headers(scope=scope) or PARAMETER in QueryParams(scope["query_string"])

        async def mark(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.add_vary_header("Authorization")
                if personal:
                    # Not even their own browser: many sit at one machine, one after the other.
                    headers["Cache-Control"] = "no-store"
            await send(message)

        await self.app(scope, receive, mark)
