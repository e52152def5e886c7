"""The real process killed before, during and after each call: no DOI twice, none shown before it is there."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from doubles.datacite import app
from doubles.server import serve
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from unit.catalogue.dois.harness import Registry
from unit.catalogue.dois.test_registration import DATASET, DOCUMENT
from unit.catalogue.visibility import RELEASE

DEADLINE_SECONDS = 60


@dataclass
class Killer:
    """ASGI middleware that kills the worker at one call: before it is carried out, or when it is and
    half, or all, of the answer is sent."""

    app: ASGIApp
    call: int = -1
    moment: str = "before"
    process: "subprocess.Popen[bytes] | None" = None
    calls: list[str] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        strikes = len(self.calls) == self.call
        self.calls.append(scope["method"])
        if not strikes:
            await self.app(scope, receive, send)
            return
        if self.moment == "before":
            self.kill()
            return
        sent: list[Message] = []

        async def collect(message: Message) -> None:
            sent.append(message)

        await self.app(scope, receive, collect)
        if self.moment == "during":
            await send(sent[0])
            await send({"type": "http.response.body", "body": sent[1]["body"][:10], "more_body": True})
            self.kill()
            return
        for message in sent:
            await send(message)
        self.kill()

    def kill(self) -> None:
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait(30)


@contextmanager
def worker(registry: Registry) -> Iterator["subprocess.Popen[bytes]"]:
    """`panosc-catalogue dois`, as the pod runs it."""
    environment = {
        **os.environ,
        "PANOSC_CATALOGUE_DATABASE_URL": registry.database_url,
        "PANOSC_CATALOGUE_CONFIG_FILE": str(registry.directory / "catalogue.json"),
        "PANOSC_CATALOGUE_POLICY_FILE": str(registry.catalogue.policy_file),
        "PANOSC_CATALOGUE_REGISTRAR_CREDENTIALS": str(registry.credentials),
        "PANOSC_CATALOGUE_REGISTRAR_REQUESTS_PER_SECOND": "1000",
        "PANOSC_CATALOGUE_DOIS_INTERVAL_SECONDS": "0.2",
    }
    command = [sys.executable, "-m", "panosc_catalogue.cli", "dois", "--port", "0"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait(30)


def wait_for(what: Any, registry: Registry) -> None:
    """Until it is so; at every look no record shows a DOI that does not resolve."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not what():
        assert time.monotonic() < deadline, registry.repository.history
        shown = [*registry.dois("document").values(), *registry.dois("dataset").values()]
        states = registry.states()
        assert all(states.get(doi) == "findable" for doi in shown if doi), (shown, states)
        time.sleep(0.02)


@pytest.fixture
def public(registry: Registry) -> Registry:
    """The real process has the real clock: the dataset is public by an early release."""
    registry.catalogue.connection.execute("UPDATE document SET released_at = '2020-01-01Z'")
    registry.catalogue.now = RELEASE
    return registry


@pytest.mark.parametrize("moment", ["before", "during", "after"])
@pytest.mark.parametrize("call", range(5))
def test_a_killed_worker_goes_on_where_it_was(public: Registry, call: int, moment: str) -> None:
    killer = Killer(app(public.repository), call=call, moment=moment)
    with serve(killer) as public.endpoint:
        public.configure()
        with worker(public) as killer.process:
            wait_for(lambda: killer.process.poll() is not None, public)
            assert killer.process.returncode == -signal.SIGKILL
        with worker(public):
            wait_for(lambda: all(public.dois("document").values()), public)
            wait_for(lambda: all(public.dois("dataset").values()), public)
    assert public.states() == {DOCUMENT: "findable", DATASET: "findable"}
    assert (public.dois("document"), public.dois("dataset")) == ({"doc": DOCUMENT}, {"d/1": DATASET})
    made = [doi for doi, state in public.repository.history if state == "draft"]
    published = [doi for doi, state in public.repository.history if state == "findable"]
    assert sorted(made) == sorted(published) == sorted([DOCUMENT, DATASET]), "each once"
