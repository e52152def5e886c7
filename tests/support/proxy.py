"""A proxy between the operator and the API server that makes things go wrong on demand."""

import asyncio
import contextlib
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from enum import Enum

import aiohttp
from aiohttp import web

from support.apiserver import ApiServer

_WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_HOP_BY_HOP = frozenset({"host", "content-length", "transfer-encoding", "connection", "content-encoding"})


class Fate(Enum):
    """What happens to a write."""

    PASS = "passed on"
    REFUSE = "answered 429 with Retry-After, without asking the API server"
    FAIL = "answered 500, without asking the API server"
    LOSE = "done by the API server, but the connection breaks before the answer arrives"


class Proxy:
    """Passes requests on, unless told otherwise."""

    def __init__(self, api: ApiServer) -> None:
        self._api = api
        self.url = ""
        self.writes = 0
        """Writes seen so far."""
        self.fate: Callable[[int], Fate] = lambda number: Fate.PASS
        """What happens to the n-th write, counted from 1; called before the write is passed on."""
        self.after_write: Callable[[int], None] = lambda number: None
        """Called when the n-th write was done, before its answer goes back."""
        self.mute = False
        """While true, watches deliver nothing, though they stay open."""

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        number = 0
        if request.method in _WRITES:
            self.writes += 1
            number = self.writes
            match self.fate(number):
                case Fate.REFUSE:
                    return web.json_response(
                        {"reason": "TooManyRequests"}, status=429, headers={"Retry-After": "1"}
                    )
                case Fate.FAIL:
                    return web.json_response({"reason": "InternalError"}, status=500)
                case Fate.LOSE:
                    await self._forward(request)
                    assert request.transport is not None
                    request.transport.close()
                    return web.Response()
        if request.query.get("watch") == "true":
            return await self._watch(request)
        status, headers, body = await self._forward(request)
        if number:
            self.after_write(number)
        return web.Response(status=status, headers=headers, body=body)

    async def _forward(self, request: web.Request) -> tuple[int, dict[str, str], bytes]:
        async with self._session.request(
            request.method,
            self._api.url + request.path_qs,
            headers=_passed_on(request.headers),
            data=await request.read() or None,
        ) as answer:
            return answer.status, _passed_on(answer.headers), await answer.read()

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        url, headers = self._api.url + request.path_qs, _passed_on(request.headers)
        async with self._session.get(
            url, headers=headers, timeout=aiohttp.ClientTimeout(total=None)
        ) as answer:
            response = web.StreamResponse(status=answer.status, headers=_passed_on(answer.headers))
            await response.prepare(request)
            with contextlib.suppress(ConnectionError):  # the operator was killed
                async for chunk in answer.content.iter_any():
                    if not self.mute:
                        await response.write(chunk)
            return response

    async def _serve(self, started: threading.Event, stop: asyncio.Event) -> None:
        tls = ssl.create_default_context(cafile=str(self._api.ca_file))
        connector = aiohttp.TCPConnector(ssl=tls, limit=0)
        async with aiohttp.ClientSession(connector=connector) as self._session:
            app = web.Application(client_max_size=2**24)
            app.router.add_route("*", "/{path:.*}", self._handle)
            runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            started.set()
            await stop.wait()
            await runner.cleanup()


def _passed_on(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() not in _HOP_BY_HOP}


@contextmanager
def running_proxy(api: ApiServer) -> Iterator[Proxy]:
    """A proxy in a thread of its own."""
    proxy, started, loop, stop = Proxy(api), threading.Event(), asyncio.new_event_loop(), asyncio.Event()
    thread = threading.Thread(
        target=lambda: loop.run_until_complete(proxy._serve(started, stop)), daemon=True
    )
    thread.start()
    assert started.wait(10), "the proxy didn't start"
    try:
        yield proxy
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()
