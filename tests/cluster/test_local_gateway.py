"""The gateway of the local cluster, whatever the order in which its parts come, and its certificates."""

import json
import os
import signal
import socket
import ssl
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import httpx2
import pytest
from panosc_dev import addons, authority, processes
from panosc_dev.cluster import LocalCluster
from support.cluster import GATEWAY_PORT, Demo, ToGateway

CATALOGUE = "https://catalogue.aurora.panosc.localhost"


@contextmanager
def held_back(cluster: LocalCluster, program: str) -> Iterator[None]:
    """One of the cluster's programs does nothing for the time being, as on a machine with too much to do."""
    identity = processes.running(cluster.paths.run / "pids" / f"{program}.pid")
    assert identity is not None
    os.kill(identity.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(identity.pid, signal.SIGCONT)


def gateway(name: str) -> dict[str, Any]:
    listener = {"name": "http", "hostname": f"*.{name}.{addons.DOMAIN}", "port": 80, "protocol": "HTTP"}
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"gatewayClassName": "panosc", "listeners": [listener]},
    }


def refusals(demo: Demo) -> list[int]:
    """The errors of new connections to the gateway's ports, 0 for none."""
    errors = []
    for port in addons.node_ports(GATEWAY_PORT).values():
        with socket.socket() as connection:
            connection.settimeout(5)
            errors.append(connection.connect_ex((demo.cluster.link.inner, port)))
    return errors


def test_a_gateway_gets_its_address_before_the_endpoints_are_known(demo: Demo) -> None:
    slices = (
        "--namespace",
        addons.GATEWAY_NAMESPACE,
        "-l",
        f"kubernetes.io/service-name={addons.GATEWAY_SERVICE}",
    )
    with held_back(demo.cluster, "kube-controller-manager"):
        demo.kubectl("delete", "endpointslice", *slices)
        demo.kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(gateway("early")))
        demo.kubectl("wait", "--for=condition=Accepted", "gateway/early", "--timeout=30s")
    demo.kubectl("wait", "--for=condition=Programmed", "gateway/early", "--timeout=30s")
    demo.kubectl("delete", "gateway", "early")
    # The node takes a moment to know the endpoints again; other tests are not to notice.
    # (Connections that were open before are kept all the while.)
    demo.eventually(lambda: refusals(demo), until=lambda errors: not any(errors), seconds=60)


def test_plain_http_leads_to_the_same_address_by_https(demo: Demo) -> None:
    address = f"{CATALOGUE}/api/Datasets/count?where=%7B%7D"
    asked = demo.client.get(address.replace("https:", "http:"), follow_redirects=False)
    assert (asked.status_code, asked.headers["Location"]) == (301, address)
    assert demo.get(address.replace("https:", "http:")).json()["count"] > 0


def test_nobody_else_trusts_the_certificate(demo: Demo) -> None:
    """The tests' own client verifies it by the user's authority; the public ones know nothing of it."""
    transport = ToGateway(demo.cluster.link.inner, verify=ssl.create_default_context())
    with (
        httpx2.Client(transport=transport) as client,
        pytest.raises(httpx2.ConnectError, match="CERTIFICATE"),
    ):
        client.get(f"{CATALOGUE}/")


def test_a_catalogue_publishes_addresses_by_https_only(demo: Demo) -> None:
    dataset = "datasets/aurora:archive/SC-1001/A-SAXS/a-saxs_0001.nxs"
    for path in ("", "oai?verb=Identify", dataset, "api/Datasets?filter={}"):
        answer = demo.get(f"{CATALOGUE}/{path}")
        assert answer.status_code == 200
        assert "http://catalogue.aurora" not in answer.text
        assert "http://catalogue.aurora" not in answer.headers.get("Link", "")


def test_one_address_may_send_a_hundred_requests_a_second(demo: Demo) -> None:
    host = CATALOGUE.removeprefix("https://")
    port = addons.node_ports(GATEWAY_PORT)[GATEWAY_PORT]
    trusting = ssl.create_default_context(cafile=authority.ensure(addons.DOMAIN).certificate)
    asked = f"GET /openapi.json HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()

    def answers(number: int) -> Counter[int]:
        with ExitStack() as stack:
            connections = []
            for _ in range(number):
                plain = socket.create_connection((demo.cluster.link.inner, port), timeout=60)
                connections.append(stack.enter_context(trusting.wrap_socket(plain, server_hostname=host)))
            for connection in connections:  # all are open by now, so that this takes a moment only
                connection.sendall(asked)
            return Counter(int(connection.recv(64).split()[1]) for connection in connections)

    at_once = answers(300)
    assert at_once.keys() == {200, 429}
    assert at_once[200] >= 100
    demo.eventually(lambda: answers(1), until=lambda found: found == {200: 1}, seconds=30)
