"""The way from 127.0.0.1 to the gateway: browsers send every `*.localhost` name there."""

import errno
import re
import socket
from pathlib import Path

from panosc_dev import cgroups, processes, shell
from panosc_dev.addons import HTTP, node_ports
from panosc_dev.cluster import LocalCluster
from panosc_dev.progress import StepFailed, wait_until

_HOST = "127.0.0.1"


def command(port: int, target: str, node_port: int) -> list[str]:
    """The forwarder's command line from `port` on loopback to the gateway at the address `target`."""
    return [
        "socat",
        f"TCP-LISTEN:{port},bind={_HOST},fork,reuseaddr,backlog=128",
        f"TCP:{target}:{node_port}",
    ]


def holder(listing: str) -> str:
    """Who listens, from a line of `ss -Hltnp`; `another process` if it does not say."""
    match = re.search(r'users:\(\("([^"]+)",pid=(\d+)', listing)
    return f"{match[1]} (process {match[2]})" if match else "another process"


def check_free(cluster: LocalCluster, port: int) -> None:
    """StepFailed if a port that HTTPS on `port` goes with is taken by anything but this cluster's forwarder,
    naming it and the remedy."""
    for each in node_ports(port):
        if not _running(cluster, each):
            _check_one(each)


def _check_one(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise StepFailed(
                    f"port {port} cannot be used ({error.strerror}): make up PORT=8443"
                ) from error
            who = holder(shell.output(["ss", "-Hltnp", f"sport = :{port}"]))
            usual = " (which HTTPS on its usual port goes with)" if port == HTTP else ""
            other = 8443 if port != 8443 else 8444
            raise StepFailed(
                f"port {port}{usual} is taken by {who}: stop it, or choose another: make up PORT={other}"
            ) from None


def _pid_file(cluster: LocalCluster, port: int) -> Path:
    return cluster.paths.run / f"forward-{port}.pid"


def _running(cluster: LocalCluster, port: int) -> bool:
    return processes.running(_pid_file(cluster, port)) is not None


def ensure(cluster: LocalCluster, port: int) -> None:
    """Have the forwarders for HTTPS on `port`, and no others."""
    wanted = {_pid_file(cluster, each) for each in node_ports(port)}
    others = [file for file in cluster.paths.run.glob("forward-*.pid") if file not in wanted]
    processes.end([i for p in others if (i := processes.running(p))], patience=2)
    for file in others:
        file.unlink()
    for each, node_port in node_ports(port).items():
        if not _running(cluster, each):
            _start(cluster, each, node_port)


def _start(cluster: LocalCluster, port: int, node_port: int) -> None:
    _check_one(port)
    log = cluster.paths.log("forward")
    processes.start(
        [*cgroups.entering(cluster.paths.name), *command(port, cluster.link.inner, node_port)],
        _pid_file(cluster, port),
        log,
    )
    wait_until(lambda: _listens(port), f"listening on {_HOST}:{port}", 10, log)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((_HOST, port)) == 0
