"""The operator as a real process against a real API server."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx2
from support.apiserver import ApiServer, _free_ports

SETTINGS = {
    "PANOSC_IMAGE_CATALOGUE": "example.org/catalogue:1",
    "PANOSC_IMAGE_ARCHIVE": "example.org/archive:1",
    "PANOSC_IMAGE_POSTGRES": "example.org/postgres:1",
}


class Operator:
    """A running operator."""

    def __init__(
        self, process: subprocess.Popen[bytes], log: Path, health_port: int, metrics_port: int
    ) -> None:
        self.process = process
        self.log = log
        self._health = f"http://127.0.0.1:{health_port}"
        self._metrics = f"http://127.0.0.1:{metrics_port}/metrics"

    def metric(self, name: str, **labels: str) -> float:
        """Sum of the samples of a metric that have these labels."""
        total = 0.0
        for line in httpx2.get(self._metrics, timeout=10).text.splitlines():
            if line.startswith((f"{name}{{", f"{name} ")) and all(
                f'{k}="{v}"' in line for k, v in labels.items()
            ):
                total += float(line.rsplit(" ", 1)[1])
        return total

    def is_ready(self) -> bool:
        """Whether /readyz says yes."""
        try:
            return httpx2.get(f"{self._health}/readyz", timeout=2).is_success
        except httpx2.HTTPError:
            return False

    def await_ready(self, seconds: float = 30) -> None:
        """Wait until /readyz says yes."""
        deadline = time.monotonic() + seconds
        while not self.is_ready():
            assert self.process.poll() is None, f"the operator ended: {self.log.read_text()[-4000:]}"
            assert time.monotonic() < deadline, f"the operator isn't ready: {self.log.read_text()[-4000:]}"
            time.sleep(0.1)

    def stop(self) -> int:
        """SIGTERM; returns the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)

    def kill(self) -> None:
        """SIGKILL: no goodbye."""
        self.process.kill()
        self.process.wait(30)


def start(api: ApiServer, folder: Path, settings: Mapping[str, str] | None = None) -> Operator:
    """Start the operator; its log is in `folder`."""
    health_port, metrics_port = _free_ports(2)
    log = folder / "operator.log"
    environment = {
        **os.environ,
        **SETTINGS,
        "KUBECONFIG": str(api.kubeconfig),
        "PANOSC_HEALTH_PORT": str(health_port),
        "PANOSC_METRICS_PORT": str(metrics_port),
        **(settings or {}),
    }
    program = Path(sys.executable).with_name("panosc-operator")
    with log.open("ab") as output:
        process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", str(program)],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    return Operator(process, log, health_port, metrics_port)


@contextmanager
def running_operator(
    api: ApiServer, folder: Path, settings: Mapping[str, str] | None = None
) -> Iterator[Operator]:
    """An operator that works during the block and stops in an orderly way after it."""
    operator = start(api, folder, settings)
    try:
        operator.await_ready()
        yield operator
    finally:
        if operator.process.poll() is None:
            operator.stop()
