"""What every cluster has beside Kubernetes itself: names, volumes, the gateway, certificates."""

import base64
import hashlib
import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from string import Template

from panosc_dev import authority, images, shell, toolchain
from panosc_dev.authority import Authority
from panosc_dev.cluster import LocalCluster
from panosc_dev.components import CLUSTER_DNS
from panosc_dev.progress import say, step

DOMAIN = "panosc.localhost"
GATEWAY_NAMESPACE = "envoy-gateway-system"
GATEWAY_SERVICE = "panosc-gateway"
NODE_PORT = 30443
HTTP_NODE_PORT = 30080
ISSUER = "panosc-local"
"""ClusterIssuer by the user's own authority."""
HTTPS, HTTP = 443, 80

_CERTIFICATES_NAMESPACE = "cert-manager"

_MANIFESTS = Path(__file__).parent / "manifests"


def render(name: str, values: Mapping[str, object]) -> str:
    """The manifest called `name` with its `$variables` filled in; KeyError if one has no value.

    `$revision` changes with anything else in it: pods that carry it roll when their configuration changes.
    """
    text = (_MANIFESTS / f"{name}.yaml").read_text()
    revision = hashlib.sha256(repr((text, sorted(values.items()))).encode()).hexdigest()[:16]
    return Template(text).substitute(values, revision=revision)


def http_port(port: int) -> int:
    """Port on which the gateway sends people from plain HTTP to HTTPS on `port`; 0, for none, unless that is
    the usual one: whoever writes a port into an address writes the scheme too."""
    return HTTP if port == HTTPS else 0


def node_ports(port: int) -> dict[int, int]:
    """Ports of the gateway, by what the node has them at."""
    return {port: NODE_PORT} | ({HTTP: HTTP_NODE_PORT} if http_port(port) else {})


def manifest_values(
    built: Mapping[str, images.Built], volumes: Path, gateway_port: int, ca: Authority
) -> dict[str, object]:
    """Values of all manifests."""
    ports = [
        # Named as Envoy Gateway does: a port that has no listener yet is refused without a name.
        {"name": f"{'http' if p == HTTP else 'https'}-{p}", "port": p, "nodePort": n, "protocol": "TCP"}
        for p, n in node_ports(gateway_port).items()
    ]
    references = {f"image_{name.replace('-', '_')}": item.reference for name, item in built.items()}
    return {
        **references,
        # Any image with a shell makes and removes a volume's folder; this one is here anyhow.
        "image_shell": built["envoy"].reference,
        "cluster_dns": CLUSTER_DNS,
        "domain_pattern": re.escape(DOMAIN),
        "gateway_namespace": GATEWAY_NAMESPACE,
        "gateway_service": GATEWAY_SERVICE,
        "gateway_ports": json.dumps(ports),
        "issuer": ISSUER,
        "authority_certificate": _base64(ca.certificate),
        "authority_key": _base64(ca.key),
        "volumes": volumes,
    }


def _base64(file: Path) -> str:
    return base64.b64encode(file.read_bytes()).decode()


def install(cluster: LocalCluster, gateway_port: int) -> None:
    """Install or update the add-ons; nothing happens for those that stand as they should."""
    built = images.build_all(images.CLUSTER)
    values = manifest_values(built, cluster.paths.volumes, gateway_port, authority.ensure(DOMAIN))
    log = cluster.paths.log("import")
    with step("Installing names, volumes, gateway and certificates"):
        images.import_into(
            cluster.paths.containerd_socket, [built["coredns"], built["local-path-provisioner"]], log
        )
        cluster.apply(render("coredns", values) + "---\n" + render("storage", values))
        images.import_into(cluster.paths.containerd_socket, built.values(), log)
        cluster.check_daemons()
        _install_gateway_controller(cluster, built["envoy-gateway"].reference)
        cluster.apply(render("gateway", values))
        _define(cluster, *toolchain.cert_manager_definitions())
        cluster.kubectl("wait", "--for=condition=Established", "crd/clusterissuers.cert-manager.io")
        cluster.apply(render("cert-manager", values))
        for namespace in ("kube-system", "local-path-storage", GATEWAY_NAMESPACE, _CERTIFICATES_NAMESPACE):
            cluster.kubectl(
                "wait",
                "--for=condition=Available",
                "deployments",
                "--all",
                f"--namespace={namespace}",
                "--timeout=180s",
                seconds=200,
            )


def _define(cluster: LocalCluster, *definitions: Path) -> None:
    """Apply definitions of kinds: files, or folders of them."""
    files = [word for path in definitions for word in ("-f", str(path))]
    apply = ("apply", "--server-side", "--force-conflicts", "--field-manager=panosc-dev", "--recursive")
    cluster.kubectl(*apply, *files, seconds=120)


def _install_gateway_controller(cluster: LocalCluster, image: str) -> None:
    chart = toolchain.envoy_gateway_charts() / "gateway-helm"
    settings = {
        "deployment": {"envoyGateway": {"resources": {"requests": {"cpu": "20m", "memory": "64Mi"}}}},
        "topologyInjector": {"enabled": False},  # spreads over zones; there is one node
        # By Backends, facilities' own logins are reached.
        "config": {"envoyGateway": {"extensionApis": {"enableBackend": True}}},
    }
    wanted = hashlib.sha256(
        json.dumps([toolchain.ENVOY_GATEWAY_MODULE, image, settings]).encode()
    ).hexdigest()
    stamp = cluster.paths.state / "gateway-controller.sha256"
    if stamp.exists() and stamp.read_text() == wanted:
        say("Envoy Gateway is installed")
        return
    _define(cluster, chart / "charts" / "crds" / "crds")
    # The module holds the chart as its release process finds it: values.yaml is still a template.
    copy = cluster.paths.run / "envoy-gateway-chart"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(chart, copy)
    template = (copy / "values.tmpl.yaml").read_text()
    (copy / "values.yaml").write_text(
        template.replace("${GatewayImagePullPolicy}", "IfNotPresent").replace("${GatewayImage}", image)
    )
    (copy / "settings.json").write_text(json.dumps(settings))
    helm(
        cluster,
        "upgrade",
        "--install",
        "envoy-gateway",
        str(copy),
        f"--namespace={GATEWAY_NAMESPACE}",
        "--create-namespace",
        "--skip-crds",
        f"--values={copy / 'settings.json'}",
        "--timeout=3m",
    )
    stamp.write_text(wanted)


def helm(cluster: LocalCluster, *arguments: str) -> None:
    """Run helm against `cluster`; its output goes to a log of its own."""
    command = [str(toolchain.binary("helm")), f"--kubeconfig={cluster.paths.kubeconfig}", *arguments]
    shell.logged(command, cluster.paths.log("helm"), seconds=300, env=cluster.client_folders())
