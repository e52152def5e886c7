"""The catalogue's processes as a client meets them: over HTTP, in threads of the test."""

import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import psycopg
import pytest
import uvicorn
from panosc_catalogue.load import BadLine, Tally, load
from panosc_catalogue.settings import Settings
from pydantic import SecretStr
from starlette.types import ASGIApp


@contextmanager
def serving(app: ASGIApp) -> Iterator[httpx2.Client]:
    """A client of the application, which runs in a server of its own until the context ends."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="on"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            address = f"http://127.0.0.1:{listener.getsockname()[1]}"
            # The listener queues the first request until the server takes it.
            with httpx2.Client(base_url=address, timeout=30) as client:
                yield client
        finally:
            server.should_exit = True
            thread.join(30)


@contextmanager
def process(database_url: str, directory: Path) -> Iterator[tuple[httpx2.Client, int]]:
    """The catalogue's own process: a client of it, and its id."""
    command = [sys.executable, "-m", "panosc_catalogue.cli", "serve", "--port", "0"]
    options = ["--config-file", str(directory / "c.json"), "--policy-file", str(directory / "p.json")]
    environment = {**os.environ, "PANOSC_CATALOGUE_DATABASE_URL": database_url}
    log = directory / "log"
    with log.open("wb") as output:
        running = subprocess.Popen([*command, *options], env=environment, stdout=output, stderr=output)
        try:
            for _ in range(300):
                if found := re.search(r"127\.0\.0\.1:(\d+)", log.read_text()):
                    break
                time.sleep(0.1)
            else:
                pytest.fail(log.read_text())
            with httpx2.Client(base_url=f"http://127.0.0.1:{found[1]}", timeout=60) as client:
                yield client, running.pid
        finally:
            running.terminate()
            running.wait(30)


def get(client: httpx2.Client, path: str, **parameters: Any) -> Any:
    """The JSON that a request is answered with, whatever its status."""
    return client.get(path, params=parameters).json()


def settings(database_url: str, directory: Path, **values: Any) -> Settings:
    """Settings of a catalogue whose files lie in `directory`."""
    return Settings(
        database_url=SecretStr(database_url),
        policy_file=directory / "policy.json",
        config_file=directory / "catalogue.json",
        **values,
    )


def fill(database_url: str, records: list[dict[str, Any]]) -> None:
    """Load records, all of which must be good."""
    bad: list[BadLine] = []

    def ignore(tally: Tally) -> None:
        return None

    with psycopg.connect(database_url, autocommit=True) as connection:
        load(connection, [json.dumps(record).encode() for record in records], bad.append, ignore)
    assert bad == []
