"""Runs a double's application, and makes it misbehave when a test says so."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send


@dataclass
class Misbehaviour:
    """What goes wrong, and when; a test changes it while the double runs.

    `after` requests are answered well, the next `times` are not, and then all is well again.
    """

    after: int = 0
    times: int = 0
    status: int | None = None
    """Answers with this status."""
    retry_after: str | None = None
    """And this header."""
    truncated: bool = False
    """Sends half of the body and closes the connection."""
    hangs: bool = False
    """Does not answer until the client gives up."""
    drips: bool = False
    """Sends a byte now and then, for ever."""
    requests: list[str] = field(default_factory=list)
    """Method, path and query of every request so far."""

    def strikes(self) -> bool:
        """Whether this request is one that goes wrong."""
        if self.after > 0:
            self.after -= 1
            return False
        if self.times > 0:
            self.times -= 1
            return True
        return False


class Misbehaving:
    """ASGI middleware around a double."""

    def __init__(self, app: ASGIApp, how: Misbehaviour) -> None:
        self.app = app
        self.how = how

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        query = scope["query_string"].decode()
        self.how.requests.append(f"{scope['method']} {scope['path']}" + (f"?{query}" if query else ""))
        if not self.how.strikes():
            await self.app(scope, receive, send)
        elif self.how.hangs:
            while (await receive())["type"] != "http.disconnect":
                pass
        elif self.how.drips:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await receive()
            gone = asyncio.ensure_future(receive())
            while not gone.done():
                await send({"type": "http.response.body", "body": b" ", "more_body": True})
                await asyncio.wait([gone], timeout=0.02)
        elif self.how.status is not None:
            headers = [(b"retry-after", self.how.retry_after.encode())] if self.how.retry_after else []
            await send({"type": "http.response.start", "status": self.how.status, "headers": headers})
            await send({"type": "http.response.body", "body": b""})
        else:
            await self.app(scope, receive, _half(send))


def _half(send: Send) -> Send:
    """Sends the first half of a body only; the announced length stays, so that the client can tell."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.body":
            body = message.get("body", b"")
            await send({**message, "body": body[: len(body) // 2], "more_body": True})
            raise ConnectionError("the double closes the connection in the middle of a body")
        await send(message)

    return sending


@contextmanager
def serve(app: ASGIApp, how: Misbehaviour | None = None) -> Iterator[str]:
    """The base URL of the application, which runs in a thread until the context ends."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(
            uvicorn.Config(
                Misbehaving(app, how or Misbehaviour()), log_config=None, lifespan="off", http="h11"
            )
        )
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(30)
