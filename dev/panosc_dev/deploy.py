"""The product on a cluster: operator by its own Helm chart, demonstration facility, what to try next."""

import json
import stat
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from panosc_dev import accounts, addons, authority, environment, images, packages, shell
from panosc_dev.cluster import LocalCluster
from panosc_dev.paths import REPOSITORY
from panosc_dev.progress import StepFailed, say, step

CHART = REPOSITORY / "charts" / "panosc-operator"
EXAMPLE = REPOSITORY / "examples" / "demo.yaml"
NAMESPACE = "panosc-system"
FACILITY = "aurora"
CLAIM = "beamline-data"

_READY_SECONDS = 300
_READ_SECONDS = 120
_SERVICE_UID = 10001


def chart_values(references: Mapping[str, str], base_domain: str, port: int) -> dict[str, Any]:
    """Values of the operator's chart for the given image references (by image name)."""
    return {
        "baseDomain": base_domain,
        "images": {
            name: references[name] for name in ("operator", "catalogue", "archive", "postgres", "keycloak")
        },
        "gateway": {
            "className": "panosc",
            "port": port,
            "httpPort": addons.http_port(port),
            "tls": True,
            "clusterIssuer": addons.ISSUER,
            "namespace": addons.GATEWAY_NAMESPACE,
        },
        "trust": {"configMap": addons.ISSUER},
    }


def trust(certificate: Path) -> str:
    """Manifest with the authority that services are to trust, in the operator's namespace."""
    items: list[dict[str, Any]] = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": addons.ISSUER, "namespace": NAMESPACE},
            "data": {"ca.crt": certificate.read_text()},
        },
    ]
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items})


def bring_up(cluster: LocalCluster, port: int, data: Path | None = None) -> Path:
    """Cluster, add-ons, operator and the Ready demonstration on `data`, or on generated files.

    Returns the folder with the files. Images are built while the cluster's programs compile and start.
    """
    packages.ensure(packages.FOR_CLUSTER)  # before both: each needs some
    with ThreadPoolExecutor(max_workers=1) as beside:
        product = beside.submit(images.build_all, images.PRODUCT)
        cluster.up()
        addons.install(cluster, port)
        install_operator(cluster, port, product.result())
    folder = data or make_demo_data(cluster)
    apply_demo(cluster, folder)
    return folder


def install_operator(cluster: LocalCluster, port: int, built: Mapping[str, images.Built]) -> None:
    """Install or upgrade the operator with the given images, and wait until it runs."""
    images.import_into(cluster.paths.containerd_socket, built.values(), cluster.paths.log("import"))
    values = cluster.paths.run / "operator-values.json"
    values.write_text(
        json.dumps(chart_values({n: b.reference for n, b in built.items()}, addons.DOMAIN, port), indent=2)
    )
    with step("Installing the operator"):
        cluster.apply(trust(authority.ensure(addons.DOMAIN).certificate))
        addons.helm(
            cluster,
            "upgrade",
            "--install",
            "panosc-operator",
            str(CHART),
            f"--namespace={NAMESPACE}",
            "--create-namespace",
            f"--values={values}",
            "--history-max=3",
            "--wait",
            "--timeout=3m",
        )


def data_volume(folder: Path) -> str:
    """Manifest that binds the demonstration's claim to a folder of this machine."""
    name = f"{FACILITY}-{CLAIM}"
    capacity = {"storage": "1Ti"}  # a claim needs a figure; nothing enforces it on a folder
    items: list[dict[str, Any]] = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": FACILITY}},
        {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": name},
            "spec": {
                "capacity": capacity,
                "accessModes": ["ReadWriteMany"],
                "persistentVolumeReclaimPolicy": "Retain",
                "storageClassName": "",
                "claimRef": {"namespace": FACILITY, "name": CLAIM},
                "hostPath": {"path": str(folder), "type": "Directory"},
            },
        },
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": CLAIM, "namespace": FACILITY},
            "spec": {
                "accessModes": ["ReadWriteMany"],
                "storageClassName": "",
                "volumeName": name,
                "resources": {"requests": capacity},
            },
        },
    ]
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items})


def check_data(folder: Path) -> Path:
    """Absolute path of a folder of NeXus files; StepFailed if it is none or the services may not read it."""
    absolute = folder.expanduser().resolve()
    if not absolute.is_dir():
        raise StepFailed(f"DATA={folder}: there is no such folder")
    mode = absolute.stat().st_mode
    if not (mode & stat.S_IROTH and mode & stat.S_IXOTH):
        raise StepFailed(
            f"DATA={folder}: services run as user {_SERVICE_UID} and may not read it: chmod o+rx {absolute}"
        )
    return absolute


def make_demo_data(cluster: LocalCluster) -> Path:
    """The folder with the demonstration's NeXus files, written first where they are missing."""
    folder = cluster.paths.state / "demo-data"
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    with step("Writing the demonstration's NeXus files"):
        shell.logged(
            [environment.python(), "-m", "panosc_demo", "--output", folder],
            cluster.paths.log("demo-data"),
            seconds=600,
            env={"PYTHONPATH": str(REPOSITORY / "dev")},
        )
    return folder


def apply_demo(cluster: LocalCluster, data: Path) -> None:
    """Apply the demonstration facility on the files in `data` and wait until all of it is Ready."""
    _bind(cluster, data)
    cluster.apply(EXAMPLE.read_text())
    with step(f"Waiting for facility {FACILITY} to be Ready"):
        _wait_ready(cluster)
    accounts.make(cluster, NAMESPACE)
    with step("Waiting for the files to be read"):
        _wait_read(cluster)


def _bind(cluster: LocalCluster, data: Path) -> None:
    volume = [
        "get",
        "persistentvolume",
        f"{FACILITY}-{CLAIM}",
        "--ignore-not-found",
        "-o",
        "jsonpath={.spec.hostPath.path}",
    ]
    bound = cluster.kubectl(*volume)
    if bound and bound != str(data):
        say(f"Facility {FACILITY} changes from {bound} to {data}: its archive and catalogue are made again")
        for kind in ("catalogue/catalogue", "dataarchive/archive", f"persistentvolumeclaim/{CLAIM}"):
            cluster.kubectl(
                "delete", kind, f"--namespace={FACILITY}", "--ignore-not-found", "--timeout=120s", seconds=130
            )
        cluster.kubectl("delete", "persistentvolume", f"{FACILITY}-{CLAIM}", "--timeout=60s", seconds=70)
    cluster.apply(data_volume(data))


def _objects(cluster: LocalCluster) -> list[dict[str, Any]]:
    document = json.loads(cluster.kubectl("get", "-f", str(EXAMPLE), "-o", "json"))
    return [o for o in document["items"] if o["apiVersion"].startswith("panosc.eu/")]


def readiness(thing: Mapping[str, Any]) -> tuple[bool, str]:
    """Whether a resource is Ready for its present generation, and its condition's reason and message."""
    generation = thing["metadata"]["generation"]
    for condition in thing.get("status", {}).get("conditions", []):
        if condition["type"] == "Ready":
            current = condition.get("observedGeneration", generation) >= generation
            return current and condition["status"] == "True", f"{condition['reason']}: {condition['message']}"
    return False, "the operator has not looked at it yet"


def _wait_ready(cluster: LocalCluster) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    told: dict[str, str] = {}
    while True:
        waiting = {}
        for thing in _objects(cluster):
            ready, why = readiness(thing)
            name = f"{thing['kind']} {thing['metadata']['name']}"
            if not ready:
                waiting[name] = why
            if told.get(name) != why:
                say(f"{name}: {why}")
                told[name] = why
        if not waiting:
            return
        if time.monotonic() > deadline:
            log = cluster.paths.log("operator")
            log.write_text(
                cluster.kubectl(
                    "logs", "deployment/panosc-operator", f"--namespace={NAMESPACE}", "--tail=2000"
                )
                + cluster.kubectl("get", "pods,events", "--all-namespaces")
            )
            raise StepFailed("not Ready: " + "; ".join(f"{n} ({w})" for n, w in waiting.items()), log)
        time.sleep(1)


def unread(things: Sequence[Mapping[str, Any]]) -> list[str]:
    """Archives and sources of catalogues, by name, that were not read through for the first time yet."""
    names = []
    for thing in things:
        name, status = thing["metadata"]["name"], thing.get("status", {})
        if thing["kind"] == "DataArchive" and not status.get("lastScan"):
            names.append(name)
        if thing["kind"] == "Catalogue":
            seen = {source["name"] for source in status.get("sources", []) if source.get("lastScan")}
            names += [f"{name}/{s['name']}" for s in thing["spec"]["sources"] if s["name"] not in seen]
    return names


def _wait_read(cluster: LocalCluster) -> None:
    deadline = time.monotonic() + _READ_SECONDS
    while names := unread(_objects(cluster)):
        if time.monotonic() > deadline:  # millions of files take their time; nothing is wrong
            say(f"{', '.join(names)}: still reading; `kubectl get panosc --all-namespaces` shows how far")
            return
        time.sleep(1)


def guide(cluster: LocalCluster) -> str:
    """What is there now and what to try, for a person at the terminal."""
    urls = {f"{o['kind']} {o['metadata']['name']}": o.get("status", {}).get("url") for o in _objects(cluster)}
    lines = ["", f"Facility {FACILITY} is ready:"]
    lines += [f"  {name:<24} {url}" for name, url in urls.items() if url]
    catalogue = next((u for n, u in urls.items() if n.startswith("Catalogue") and u), None)
    archive = next((u for n, u in urls.items() if n.startswith("DataArchive") and u), None)
    ca = authority.ensure(addons.DOMAIN)
    lines += [
        "",
        *authority.how_to_trust(ca),
        "",
        "Try:",
        f"  export KUBECONFIG={cluster.paths.kubeconfig}",
        "  kubectl get panosc --all-namespaces",
    ]
    if catalogue:
        query = '{"limit":3,"include":["instrument","techniques"]}'
        lines.append(f"  curl --cacert {ca.certificate} -g '{catalogue}/api/Datasets?filter={query}'")
    if archive:
        lines.append(f"  curl --cacert {ca.certificate} {archive}/files/")
    lines += [
        "  kubectl apply -f examples/second-facility.yaml",
        "",
        f"Accounts of the login, all with the password {accounts.PASSWORD}:",
        *(f"  {one.name:<8} {one.what}" for one in accounts.ACCOUNTS),
        "",
        "No kubectl here? `make kubectl ARGS='get panosc -A'`.",
    ]
    return "\n".join(lines)
