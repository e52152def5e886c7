"""The operator's process: settings, logs, probes, metrics, and the engine with all kinds."""

import asyncio
import logging
import os
import signal
import sys
from pathlib import Path

import structlog
from panosc_common import logs
from prometheus_client import REGISTRY, start_http_server
from pydantic import ValidationError

from panosc_operator.clients.status import ServiceStatus
from panosc_operator.engine import metrics, probes
from panosc_operator.engine.client import Client, load_configuration
from panosc_operator.engine.engine import Engine
from panosc_operator.kinds import discover
from panosc_operator.settings import Settings

log = structlog.get_logger(__name__)


def run() -> None:
    """Entry point of the command `panosc-operator`: reconciles until SIGTERM or SIGINT.

    Exits with 1 if the environment can't be used, or the cluster can no longer be watched.
    """
    try:
        settings = Settings()
    except ValidationError as error:
        wrong = (
            f"PANOSC_{'_'.join(map(str, each['loc'])).upper()}: {each['msg']}" for each in error.errors()
        )
        sys.exit(f"panosc-operator: the environment can't be used: {'; '.join(wrong)}")
    logs.configure(settings.log_level)
    # It reports each event it passes on, with all its settings.
    logging.getLogger("kopf").setLevel(logging.WARNING)
    try:
        asyncio.run(serve(settings))
    except Exception:
        log.exception("operator failed")
        sys.exit(1)


async def serve(settings: Settings) -> None:
    """Reconcile until the process is told to stop; passes in progress are completed."""
    configuration = await load_configuration(_kubeconfig())
    client = Client(configuration)
    kinds = discover(settings)
    health = probes.Health()
    engine = Engine(
        kinds,
        client,
        configuration,
        health=health,
        services=ServiceStatus,
        resync_seconds=settings.resync_seconds,
        workers=settings.workers,
    )
    REGISTRY.register(metrics.Conditions([(k.type.group, k.type.kind) for k in kinds], engine.cache.all))
    server, thread = start_http_server(settings.metrics_port)
    runner = await probes.serve(health, settings.health_port)
    stop, ready = asyncio.Event(), asyncio.Event()
    _stop_on_signals(stop)
    again = asyncio.create_task(_take_signals_back(ready, stop))
    log.info("operator started", kinds=[kind.type.kind for kind in kinds])
    try:
        await engine.run(ready=ready, stop=stop)
    finally:
        again.cancel()
        await runner.cleanup()
        await client.close()
        server.shutdown()
        thread.join()
    log.info("operator stopped")


def _kubeconfig() -> str | None:
    """The kubeconfig file to use, or None inside a cluster."""
    named = os.environ.get("KUBECONFIG")
    if named:
        return named
    if os.environ.get("KUBERNETES_SERVICE_HOST"):
        return None
    return str(Path.home() / ".kube" / "config")


def _stop_on_signals(stop: asyncio.Event) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)


async def _take_signals_back(ready: asyncio.Event, stop: asyncio.Event) -> None:
    """kopf puts its own handlers in place when it starts, and would cancel passes in progress."""
    await ready.wait()
    _stop_on_signals(stop)
