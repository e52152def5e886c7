"""A cluster's life: up (from nothing, from half, from ruins), status, down."""

import json
import os
import re
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from panosc_dev import (
    cgroups,
    components,
    images,
    mounts,
    netns,
    pki,
    privileges,
    processes,
    shell,
    toolchain,
)
from panosc_dev.components import Cluster, Daemon
from panosc_dev.netns import Link
from panosc_dev.paths import ClusterPaths
from panosc_dev.progress import StepFailed, say, step, wait_until

# Fixed in the programs, whatever their configuration says; inner folders first.
_SOCKETS = Path("/run/containerd/s")
_KUBELET_SOCKET = Path("/var/lib/kubelet/device-plugins/kubelet.sock")
_FIXED_FOLDERS = (
    _SOCKETS,
    _SOCKETS.parent,
    Path("/var/lib/cni/results"),
    Path("/var/lib/cni"),
    _KUBELET_SOCKET.parent,
    Path("/var/lib/kubelet"),
    Path("/var/log/containers"),
)


def _answers(path: Path) -> bool:
    """Whether a program listens on a socket; one that was ended leaves the file behind."""
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


def _link_file(paths: ClusterPaths) -> Path:
    return paths.state / "link.json"


def _recorded_link(paths: ClusterPaths) -> Link | None:
    try:
        return Link(paths.name, json.loads(_link_file(paths).read_text())["network"])
    except (FileNotFoundError, ValueError, KeyError):
        return None


@contextmanager
def _exclusive(paths: ClusterPaths) -> Iterator[None]:
    with toolchain.locked(Path("/run/panosc") / f".{paths.name}.lock"):
        yield


class LocalCluster:
    """The cluster called `name` on this machine."""

    def __init__(self, name: str, *, durable: bool = True) -> None:
        if not re.fullmatch(r"[a-z]([a-z0-9-]{0,30}[a-z0-9])?", name):
            raise StepFailed(
                f"cluster name {name!r}: use up to 32 lower-case letters, digits and hyphens, a letter first"
            )
        self.paths = ClusterPaths.of(name)
        self._durable = durable

    @property
    def link(self) -> Link:
        """The cluster's link to the host; StepFailed if the cluster was never up."""
        link = _recorded_link(self.paths)
        if link is None:
            raise StepFailed(f"there is no cluster called {self.paths.name!r}: start it with `make up`")
        return link

    def kubectl(self, *arguments: str, stdin: str | None = None, seconds: float = 60) -> str:
        """Standard output of kubectl with the cluster's own kubeconfig, whatever KUBECONFIG says."""
        command = [
            str(toolchain.binary("kube")),
            "kubectl",
            f"--kubeconfig={self.paths.kubeconfig}",
            *arguments,
        ]
        return shell.output(command, stdin=stdin, seconds=seconds, env=self.client_folders())

    def client_folders(self) -> dict[str, str]:
        """Environment that keeps kubectl and helm, run as root, out of the user's own folders."""
        folder = self.paths.run / "clients"
        return {
            "KUBECACHEDIR": str(folder / "kube"),
            "KUBERC": "off",
            **{
                f"HELM_{kind}_HOME": str(folder / f"helm-{kind.lower()}")
                for kind in ("CACHE", "CONFIG", "DATA")
            },
        }

    def apply(self, manifest: str) -> None:
        """Server-side apply of YAML or JSON text."""
        self.kubectl(
            "apply",
            "--server-side",
            "--force-conflicts",
            "--field-manager=panosc-dev",
            "-f",
            "-",
            stdin=manifest,
        )

    def ready(self) -> bool:
        """Whether the API server answers that it is ready."""
        try:
            return self.kubectl("get", "--raw=/readyz", "--request-timeout=3s", seconds=10) == "ok"
        except StepFailed:
            return False

    def daemons_running(self) -> dict[str, bool]:
        """Every program of the cluster and whether it runs."""
        return {p.stem: processes.running(p) is not None for p in sorted(self._pids.glob("*.pid"))}

    def check_daemons(self) -> None:
        """StepFailed if a program of the cluster has ended; without it, others would wait in vain."""
        for name, runs in self.daemons_running().items():
            if not runs:
                raise StepFailed(f"{name} has ended", self.paths.log(name))

    @property
    def _pids(self) -> Path:
        return self.paths.run / "pids"

    def up(self) -> None:
        """Have the cluster running with a ready node. Quick if it is; else rebuilt around its kept data."""
        toolchain.ensure_all()
        pause = images.build(images.CLUSTER[0])
        with _exclusive(self.paths):
            if self._healthy():
                say(f"Cluster {self.paths.name} is running")
                return
            self._stop(patience=0)
            with step(f"Starting cluster {self.paths.name}"):
                self._start(pause)

    def _healthy(self) -> bool:
        running = self.daemons_running()
        return (
            len(running) == components.DAEMONS
            and all(running.values())
            and netns.exists(self.paths.name)
            and self.ready()
        )

    def _plan(self, pause: images.Built) -> Cluster:
        link = _recorded_link(self.paths)
        used = netns.networks_in_use()
        if link is None or netns.choose_network(self.paths.name, used) != link.network:
            link = Link(self.paths.name, netns.choose_network(self.paths.name, used))
        self.paths.state.mkdir(parents=True, exist_ok=True)
        _link_file(self.paths).write_text(json.dumps({"network": link.network}))
        return Cluster(self.paths, link, toolchain.binary, pause.reference, self._durable)

    def _start(self, pause: images.Built) -> None:
        with toolchain.locked(Path("/run/panosc/.network.lock")):  # two clusters must not choose one address
            cluster = self._plan(pause)
            netns.create(cluster.link)
        self._write_files(cluster)
        cgroups.create(self.paths.name)
        self._run(components.containerd(cluster))
        self._run(components.etcd(cluster))
        self._run(components.apiserver(cluster))
        wait_until(
            self.paths.containerd_socket.exists, "containerd's start", 30, self.paths.log("containerd")
        )
        images.import_into(self.paths.containerd_socket, [pause], self.paths.log("import"))
        self._wait(self.ready, "the API server's start", "kube-apiserver")
        for daemon in components.after_apiserver(cluster):
            self._run(daemon)
        self._wait(self._node_ready, "the node's readiness", "kubelet")
        self._run(components.network_policies(cluster))

    def _wait(self, ready: Callable[[], bool], what: str, program: str) -> None:
        def looked() -> bool:
            self.check_daemons()
            return ready()

        wait_until(looked, what, 90, self.paths.log(program))

    def _write_files(self, cluster: Cluster) -> None:
        for folder in (self.paths.run, self.paths.logs / "pods", self.paths.volumes):
            folder.mkdir(parents=True, exist_ok=True)
        pki.ensure(self.paths.pki, cluster.subjects())
        for user in ("kubelet", "kube-controller-manager", "kube-scheduler", "kube-proxy", "kube-router"):
            self._write_secret(
                self.paths.pki / f"{user}.kubeconfig",
                pki.kubeconfig(self.paths.pki, cluster.server, user, self.paths.name),
            )
        self._write_secret(
            self.paths.kubeconfig, pki.kubeconfig(self.paths.pki, cluster.server, "admin", self.paths.name)
        )
        privileges.give_to_user(self.paths.kubeconfig)
        for path, text in components.configuration_files(cluster).items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    @staticmethod
    def _write_secret(path: Path, text: str) -> None:
        path.touch(mode=0o600)
        path.write_text(text)

    def _run(self, daemon: Daemon) -> None:
        environment = {"PATH": f"{toolchain.binary('containerd').parent}:{os.environ['PATH']}"}
        processes.start(
            [*cgroups.entering(self.paths.name), *netns.entering(self.paths.name), *daemon.arguments],
            self._pids / f"{daemon.name}.pid",
            self.paths.log(daemon.name),
            env=environment,
        )

    def _node_ready(self) -> bool:
        try:
            answer = self.kubectl(
                "get", "nodes", "-o", "jsonpath={.items[*].status.conditions[?(@.type=='Ready')].status}"
            )
        except StepFailed:
            return False
        return answer == "True"

    def down(self, *, keep_data: bool = False) -> None:
        """Remove everything the cluster made on this machine; with `keep_data`, all but its state folder."""
        with _exclusive(self.paths), step(f"Stopping cluster {self.paths.name}"):
            self._stop(patience=10 if keep_data else 0)
            images.release()
            if not keep_data:
                mounts.undo(self.paths.state)
                shutil.rmtree(self.paths.state, ignore_errors=True)
                if self.paths.state.exists():
                    raise StepFailed(
                        f"{self.paths.state} could not be removed: see what is mounted or open there"
                    )

    def _stop(self, patience: float) -> None:
        """End processes, then undo mounts, network and cgroups; on ruins too: every step looks first."""
        name = self.paths.name
        daemons = [i for p in self._pids.glob("*.pid") if (i := processes.running(p))]
        processes.end(daemons, min(patience, 3))  # first, so that nothing restarts what ends next
        deadline = time.monotonic() + 20
        while pids := cgroups.members(name):
            processes.end([i for p in pids if (i := processes.identify(p))], patience)
            patience = 0
            if time.monotonic() > deadline:
                raise StepFailed(f"processes {sorted(pids)} of cluster {name} do not end")
        shims = self._shim_sockets()
        mounts.undo(self.paths.run)
        mounts.undo(self.paths.state)
        netns.remove(_recorded_link(self.paths) or Link(name, "10.201.0.0/24"))
        for shim in shims:
            shim.unlink(missing_ok=True)
        shutil.rmtree(self.paths.run, ignore_errors=True)
        self._remove_traces()
        if not cgroups.remove(name):
            raise StepFailed(
                f"cgroup {name} could not be removed: `cat /sys/fs/cgroup/*/{name}/**/cgroup.procs`"
            )

    def _shim_sockets(self) -> list[Path]:
        """Sockets that shims leave behind when they are ended the hard way."""
        found = []
        for address in (self.paths.run / "containerd").rglob("bootstrap.json"):
            try:
                target = str(json.loads(address.read_text())["address"])
            except (OSError, ValueError, KeyError):
                continue
            path = Path(target.removeprefix("unix://"))
            if path.parent == _SOCKETS:
                found.append(path)
        return found

    def _remove_traces(self) -> None:
        """Files that kubelet and CNI write at fixed places, told from others' by path or name."""
        for entry in Path("/var/log/containers").glob("*.log"):
            if entry.is_symlink() and str(entry.readlink()).startswith(f"{self.paths.logs}/"):
                entry.unlink()
        for entry in Path("/var/lib/cni/results").glob("*"):
            if f'"netns":"{self.paths.run}/' in entry.read_text(errors="replace"):
                entry.unlink()
        if _KUBELET_SOCKET.exists() and not _answers(_KUBELET_SOCKET):
            _KUBELET_SOCKET.unlink()
        for folder in _FIXED_FOLDERS:
            with suppress(OSError):  # not there, or others use it
                folder.rmdir()
