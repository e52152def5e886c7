"""Whether the process works: judged by the age of the last completed pass, and served for the kubelet."""

import time

from aiohttp import web

STUCK_SECONDS = 120.0


class Health:
    """Remembers when a worker last completed something; because of the heartbeat there is always work."""

    def __init__(self) -> None:
        self._completed = time.monotonic()
        self.synced = False
        """Whether the cluster's state has been read once."""

    def completed(self) -> None:
        """A worker has ended a pass, or has answered the heartbeat."""
        self._completed = time.monotonic()

    @property
    def age(self) -> float:
        """Seconds since a worker last completed something."""
        return time.monotonic() - self._completed

    @property
    def live(self) -> bool:
        """Whether the workers move."""
        return self.age < STUCK_SECONDS


async def serve(health: Health, port: int) -> web.AppRunner:
    """Answer `GET /healthz` (alive) and `GET /readyz` (alive, and has seen the cluster) on all interfaces."""

    async def healthz(_: web.Request) -> web.Response:
        return _answer(health.live, health)

    async def readyz(_: web.Request) -> web.Response:
        return _answer(health.live and health.synced, health)

    app = web.Application()
    app.add_routes([web.get("/healthz", healthz), web.get("/readyz", readyz)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, port=port).start()
    return runner


def _answer(good: bool, health: Health) -> web.Response:
    body = {"lastPassSeconds": round(health.age, 1), "synced": health.synced}
    return web.json_response(body, status=200 if good else 503)
