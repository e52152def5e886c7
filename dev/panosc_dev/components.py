"""The cluster's programs: their command lines and configuration files. Nothing here starts anything."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from panosc_dev.netns import POD_NETWORK, SERVICE_NETWORK, Link
from panosc_dev.paths import ClusterPaths
from panosc_dev.pki import Subject

API_PORT = 6443
CLUSTER_DNS = "10.96.0.10"
NODE_PODS = "10.244.0.0/24"  # the first network that the controller manager gives out: there is one node
DAEMONS = 8
_ETCD = "http://127.0.0.1:2379"


@dataclass(frozen=True)
class Cluster:
    """What the command lines depend on.

    `durable` clusters survive a power cut; others trade that for speed (etcd does not wait for the disk).
    """

    paths: ClusterPaths
    link: Link
    tool: Callable[[str], Path]
    pause_image: str
    durable: bool

    @property
    def name(self) -> str:
        """The cluster's name, also that of its node, namespace and cgroup."""
        return self.paths.name

    @property
    def server(self) -> str:
        """URL of the API server, the same inside and outside."""
        return f"https://{self.link.inner}:{API_PORT}"

    def subjects(self) -> tuple[Subject, ...]:
        """Who needs a certificate."""
        local = ("IP:127.0.0.1", "DNS:localhost", f"IP:{self.link.inner}")
        api_names = tuple(
            f"DNS:kubernetes{suffix}"
            for suffix in ("", ".default", ".default.svc", ".default.svc.cluster.local")
        )
        return (
            Subject("apiserver", "kube-apiserver", addresses=(*local, *api_names, "IP:10.96.0.1")),
            Subject("apiserver-kubelet-client", "kube-apiserver-kubelet-client", "system:masters"),
            Subject("kubelet", f"system:node:{self.name}", "system:nodes", (*local, f"DNS:{self.name}")),
            Subject("admin", "panosc-admin", "system:masters"),
            Subject("kube-controller-manager", "system:kube-controller-manager"),
            Subject("kube-scheduler", "system:kube-scheduler"),
            Subject("kube-proxy", "system:kube-proxy"),
            # kube-router starts before any role could be bound to a user of its own.
            Subject("kube-router", "kube-router", "system:masters"),
        )


@dataclass(frozen=True)
class Daemon:
    """A program to keep running: its log's name and its arguments."""

    name: str
    arguments: tuple[str, ...]


def _kube(cluster: Cluster, component: str, *flags: str) -> Daemon:
    return Daemon(component, (str(cluster.tool("kube")), component, *flags))


def _config(cluster: Cluster, user: str) -> str:
    return f"--kubeconfig={cluster.paths.pki / user}.kubeconfig"


def containerd(cluster: Cluster) -> Daemon:
    """The container runtime; its shim is found beside it through PATH."""
    return Daemon(
        "containerd",
        (str(cluster.tool("containerd")), "--config", str(cluster.paths.run / "containerd.toml")),
    )


def etcd(cluster: Cluster) -> Daemon:
    """The API server's store; reachable only inside the namespace."""
    peer = "http://127.0.0.1:2380"
    flags = (
        f"--data-dir={cluster.paths.state / 'etcd'}",
        f"--listen-client-urls={_ETCD}",
        f"--advertise-client-urls={_ETCD}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
    )
    return _kube(cluster, "etcd", *flags, *(() if cluster.durable else ("--unsafe-no-fsync",)))


def apiserver(cluster: Cluster) -> Daemon:
    """The API server."""
    pki = cluster.paths.pki
    return _kube(
        cluster,
        "kube-apiserver",
        f"--etcd-servers={_ETCD}",
        f"--advertise-address={cluster.link.inner}",
        f"--secure-port={API_PORT}",
        f"--service-cluster-ip-range={SERVICE_NETWORK}",
        f"--client-ca-file={pki}/ca.crt",
        f"--tls-cert-file={pki}/apiserver.crt",
        f"--tls-private-key-file={pki}/apiserver.key",
        f"--kubelet-certificate-authority={pki}/ca.crt",
        f"--kubelet-client-certificate={pki}/apiserver-kubelet-client.crt",
        f"--kubelet-client-key={pki}/apiserver-kubelet-client.key",
        "--kubelet-preferred-address-types=InternalIP",
        f"--service-account-key-file={pki}/sa.pub",
        f"--service-account-signing-key-file={pki}/sa.key",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--allow-privileged=true",
    )


def after_apiserver(cluster: Cluster) -> tuple[Daemon, ...]:
    """The programs that need a ready API server."""
    pki, paths = cluster.paths.pki, cluster.paths
    return (
        _kube(
            cluster,
            "kube-controller-manager",
            _config(cluster, "kube-controller-manager"),
            f"--root-ca-file={pki}/ca.crt",
            f"--service-account-private-key-file={pki}/sa.key",
            "--use-service-account-credentials",
            "--allocate-node-cidrs",
            f"--cluster-cidr={POD_NETWORK}",
            "--bind-address=127.0.0.1",
            "--leader-elect=false",
        ),
        _kube(
            cluster,
            "kube-scheduler",
            _config(cluster, "kube-scheduler"),
            "--bind-address=127.0.0.1",
            "--leader-elect=false",
        ),
        _kube(
            cluster,
            "kubelet",
            _config(cluster, "kubelet"),
            f"--config={paths.run}/kubelet.json",
            f"--root-dir={paths.state}/kubelet",
            f"--hostname-override={cluster.name}",
            f"--node-ip={cluster.link.inner}",
        ),
        _kube(
            cluster,
            "kube-proxy",
            _config(cluster, "kube-proxy"),
            "--proxy-mode=nftables",
            f"--cluster-cidr={POD_NETWORK}",
            f"--hostname-override={cluster.name}",
            # The limits are the machine's, not the namespace's, and not ours to change.
            "--conntrack-max-per-core=0",
            "--conntrack-tcp-timeout-established=0s",
            "--conntrack-tcp-timeout-close-wait=0s",
        ),
    )


def network_policies(cluster: Cluster) -> Daemon:
    """What enforces network policies; it gives up unless its node is registered."""
    return Daemon(
        "kube-router",
        (
            str(cluster.tool("kube-router")),
            _config(cluster, "kube-router"),
            "--run-firewall=true",
            "--run-router=false",
            "--run-service-proxy=false",
            f"--service-cluster-ip-range={SERVICE_NETWORK}",
            f"--hostname-override={cluster.name}",
            "--enable-cni=false",
            "--health-port=0",
        ),
    )


def configuration_files(cluster: Cluster) -> dict[Path, str]:
    """Files to write before the programs start."""
    run = cluster.paths.run
    return {
        run / "containerd.toml": _containerd_toml(cluster),
        run / "cni" / "10-panosc.conflist": json.dumps(_network(cluster), indent=2),
        run / "kubelet.json": json.dumps(_kubelet(cluster), indent=2),
    }


def _containerd_toml(cluster: Cluster) -> str:
    paths = cluster.paths
    # restrict_oom_score_adj: machines without CAP_SYS_RESOURCE cannot lower it, and every sandbox would die.
    return f"""version = 3
root = "{paths.state}/containerd"
state = "{paths.run}/containerd"
[grpc]
  address = "{paths.containerd_socket}"
[ttrpc]
  address = "{paths.containerd_socket}.ttrpc"
[plugins."io.containerd.cri.v1.images"]
  [plugins."io.containerd.cri.v1.images".pinned_images]
    sandbox = "{cluster.pause_image}"
[plugins."io.containerd.cri.v1.runtime"]
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.cri.v1.runtime".cni]
    bin_dirs = ["/usr/lib/cni"]
    conf_dir = "{paths.run}/cni"
  [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
      Root = "{paths.run}/runc"
"""


def _network(cluster: Cluster) -> dict[str, object]:
    # Point-to-point links instead of a bridge: all traffic between pods is routed, so network policies see it
    # even where the kernel does not filter bridges.
    ipam = {
        "type": "host-local",
        "dataDir": f"{cluster.paths.run}/addresses",
        "ranges": [[{"subnet": NODE_PODS}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    return {"cniVersion": "1.0.0", "name": cluster.name, "plugins": [{"type": "ptp", "ipam": ipam}]}


def _kubelet(cluster: Cluster) -> dict[str, object]:
    paths = cluster.paths
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": cluster.link.inner,
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": f"{paths.pki}/ca.crt"},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": f"{paths.pki}/kubelet.crt",
        "tlsPrivateKeyFile": f"{paths.pki}/kubelet.key",
        "containerRuntimeEndpoint": f"unix://{paths.containerd_socket}",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{cluster.name}",
        "clusterDNS": [CLUSTER_DNS],
        "clusterDomain": "cluster.local",
        "resolvConf": "",  # the host's search domains are none of the pods' business
        "failCgroupV1": False,
        "failSwapOn": False,
        "localStorageCapacityIsolation": False,
        "evictionHard": {"memory.available": "200Mi", "nodefs.available": "2%", "imagefs.available": "2%"},
        "imageGCHighThresholdPercent": 100,  # never: no registry could give an image back
        "makeIPTablesUtilChains": False,
        "podLogsDir": f"{paths.logs}/pods",
        "volumePluginDir": f"{paths.run}/volume-plugins",
        "serializeImagePulls": False,
        "syncFrequency": "10s",  # a changed ConfigMap reaches its pods within seconds
        "shutdownGracePeriod": "0s",
    }
