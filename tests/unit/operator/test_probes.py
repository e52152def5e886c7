"""The process is alive while its workers move, and ready when it has seen the cluster."""

import asyncio

import httpx2
import pytest
from panosc_operator.engine import probes


def test_probes_follow_the_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        health = probes.Health()
        runner = await probes.serve(health, 0)
        port = next(address[1] for address in runner.addresses if len(address) == 2)  # the IPv4 one
        base = f"http://127.0.0.1:{port}"
        async with httpx2.AsyncClient(base_url=base) as client:

            async def codes() -> tuple[int, int]:
                return (await client.get("/healthz")).status_code, (await client.get("/readyz")).status_code

            assert await codes() == (200, 503)
            health.synced = True
            assert await codes() == (200, 200)
            monkeypatch.setattr(probes, "STUCK_SECONDS", 0.0)
            assert await codes() == (503, 503)
            monkeypatch.undo()
            health.completed()
            assert await codes() == (200, 200)
        await runner.cleanup()

    asyncio.run(scenario())
