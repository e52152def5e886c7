"""What services say is followed: news are told, silence is no error, the last word is kept."""

import asyncio
import contextlib
from typing import Any

import pytest
from aiohttp import web
from panosc_operator.clients import status as status_module
from panosc_operator.clients.status import ServiceStatus, StatusPage


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("INTERVAL_SECONDS", "UNANSWERED_INTERVAL_SECONDS", "TICK_SECONDS"):
        monkeypatch.setattr(status_module, name, 0.02)
    monkeypatch.setattr(status_module, "TIMEOUT_SECONDS", 0.3)


class Service:
    """A service whose answer can be changed."""

    def __init__(self) -> None:
        self.answer: Any = {"files": 1}
        self.code = 200
        self.text: str | None = None
        self.delay = 0.0
        self.trickles = False
        self.url = ""

    async def start(self) -> web.AppRunner:
        async def answer(request: web.Request) -> web.StreamResponse:
            await asyncio.sleep(self.delay)
            if self.trickles:
                endless = web.StreamResponse()
                await endless.prepare(request)
                with contextlib.suppress(ConnectionResetError):
                    while self.trickles:
                        await endless.write(b" ")
                        await asyncio.sleep(0.05)
                return endless
            if self.text is not None:
                return web.Response(text=self.text)
            return web.json_response(self.answer, status=self.code)

        app = web.Application()
        app.add_routes([web.get("/status", answer)])
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}/status"
        return runner


def test_news_and_silence() -> None:
    async def scenario() -> None:
        service, told, heard = Service(), list[str](), asyncio.Event()

        def tell(key: str) -> None:
            told.append(key)
            heard.set()

        runner = await service.start()
        statuses = ServiceStatus[str](tell)
        running = asyncio.create_task(statuses.run())

        async def until_told(count: int) -> None:
            async with asyncio.timeout(5):
                while len(told) < count:
                    heard.clear()
                    await heard.wait()

        assert statuses.latest("a") == (None, False)
        statuses.follow("a", StatusPage(service.url))
        await until_told(1)
        assert statuses.latest("a") == ({"files": 1}, True)
        await asyncio.sleep(0.2)
        assert told == ["a"], "the same again is no news"
        service.answer = {"files": 2}
        await until_told(2)
        assert statuses.latest("a") == ({"files": 2}, True)
        for trouble in (
            {"code": 503},
            {"answer": ["no object"]},
            {"text": "[" * 100_000},
            {"delay": 2.0},
            {"trickles": True},
        ):
            before = {name: getattr(service, name) for name in trouble}
            for name, value in trouble.items():
                setattr(service, name, value)
            count = len(told)
            await until_told(count + 1)
            assert statuses.latest("a") == ({"files": 2}, False), trouble
            for name, value in before.items():
                setattr(service, name, value)
            await until_told(count + 2)
            assert statuses.latest("a") == ({"files": 2}, True)
        statuses.forget("a")
        assert statuses.latest("a") == (None, False)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await runner.cleanup()

    asyncio.run(scenario())


def test_a_service_that_isn_t_there_is_unknown() -> None:
    async def scenario() -> None:
        told = list[str]()
        statuses = ServiceStatus[str](told.append)
        statuses.follow("a", StatusPage("http://archive-index.nowhere.invalid:8081/status"))
        running = asyncio.create_task(statuses.run())
        await asyncio.sleep(0.5)
        assert statuses.latest("a") == (None, False)
        assert told == []
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    asyncio.run(scenario())
