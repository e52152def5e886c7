"""The operator as a real process against a real API server, with exactly the rights that it states."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import yaml
from panosc_operator import rbac

from support.apiserver import ApiServer

NAMESPACE = "panosc-system"
SETTINGS = {
    "PANOSC_IMAGE_CATALOGUE": "example.org/catalogue:1",
    "PANOSC_IMAGE_ARCHIVE": "example.org/archive:1",
    "PANOSC_IMAGE_POSTGRES": "example.org/postgres:1",
    "PANOSC_IMAGE_KEYCLOAK": "example.org/keycloak:1",
}


class Operator:
    """An operator that can be started, stopped and killed, again and again."""

    def __init__(self, kubeconfig: Path, folder: Path, settings: Mapping[str, str] | None = None) -> None:
        health, metrics = _free_ports()
        self.log = folder / "operator.log"
        self._environment = {
            **os.environ,
            **SETTINGS,
            "KUBECONFIG": str(kubeconfig),
            "PANOSC_HEALTH_PORT": str(health),
            "PANOSC_METRICS_PORT": str(metrics),
            **(settings or {}),
        }
        self._health = f"http://127.0.0.1:{health}"
        self._metrics = f"http://127.0.0.1:{metrics}/metrics"
        self.process = self.launch()

    def launch(self) -> subprocess.Popen[bytes]:
        """Start the process."""
        program = Path(sys.executable).with_name("panosc-operator")
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", str(program)],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        return self.process

    def metric(self, name: str, **labels: str) -> float:
        """Sum of the samples of a metric that have these labels."""
        wanted = [f'{key}="{value}"' for key, value in labels.items()]
        return sum(
            float(line.rsplit(" ", 1)[1])
            for line in httpx2.get(self._metrics, timeout=10).text.splitlines()
            if line.startswith((f"{name}{{", f"{name} ")) and all(label in line for label in wanted)
        )

    def writes(self) -> float:
        """Requests that may change something, so far."""
        methods = ("PATCH", "POST", "DELETE")
        return sum(self.metric("rest_client_requests_total", method=method) for method in methods)

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

    def await_quiet(self, quiet: float = 2.0, seconds: float = 30) -> None:
        """Wait until nothing was written for a while."""
        deadline = time.monotonic() + seconds
        last, since = self.writes(), time.monotonic()
        while time.monotonic() - since < quiet:
            assert time.monotonic() < deadline, f"after {seconds} s the operator still writes"
            time.sleep(0.2)
            if (now := self.writes()) != last:
                last, since = now, time.monotonic()

    def stop(self) -> int:
        """SIGTERM; returns the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)

    def log_lines(self) -> list[dict[str, Any]]:
        """The log; a line that isn't JSON is an error."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]


def account(api: ApiServer, folder: Path, server: str | None = None) -> Path:
    """A kubeconfig of a service account with the operator's stated rights and no other."""
    rights = "rbac.authorization.k8s.io"
    subject = {"kind": "ServiceAccount", "name": "panosc-operator", "namespace": NAMESPACE}
    for manifest in (
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": "panosc-operator", "namespace": NAMESPACE},
        },
        {
            "apiVersion": f"{rights}/v1",
            "kind": "ClusterRole",
            "metadata": {"name": "panosc-operator"},
            "rules": rbac.RULES,
        },
        {
            "apiVersion": f"{rights}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": "panosc-operator"},
            "roleRef": {"apiGroup": rights, "kind": "ClusterRole", "name": "panosc-operator"},
            "subjects": [subject],
        },
    ):
        api.apply(manifest)
    path = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/panosc-operator/token"
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    token = api.request("POST", path, json=request)["status"]["token"]
    config = yaml.safe_load(api.kubeconfig.read_text())
    config["users"][0]["user"] = {"token": token}
    if server:
        config["clusters"][0]["cluster"] = {"server": server}
    file = folder / "operator-kubeconfig"
    file.write_text(yaml.safe_dump(config))
    return file


@contextmanager
def running_operator(
    kubeconfig: Path, folder: Path, settings: Mapping[str, str] | None = None
) -> Iterator[Operator]:
    """An operator that works during the block and must stop in an orderly way after it."""
    operator = Operator(kubeconfig, folder, settings)
    try:
        operator.await_ready()
        yield operator
    finally:
        if operator.process.poll() is None:
            assert operator.stop() == 0, operator.log.read_text()[-4000:]


def _free_ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]
