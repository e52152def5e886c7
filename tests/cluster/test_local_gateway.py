"""The gateway of the local cluster, whatever the order in which its parts come."""

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from panosc_dev import addons, processes
from panosc_dev.cluster import LocalCluster
from support.cluster import Demo


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
