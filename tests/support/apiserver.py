"""A real control plane without nodes: etcd, kube-apiserver and kube-controller-manager on loopback.

It is all that is needed to see what the API server makes of an object: validation, defaults, server-side
apply, garbage collection, quota. Nothing is scheduled, so pods stay pending.
"""

import json
import os
import secrets
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx2
import yaml
from panosc_dev import toolchain

REPOSITORY = Path(__file__).resolve().parents[2]
GATEWAY_KINDS = ("GatewayClass", "Gateway", "HTTPRoute", "BackendTrafficPolicy")

Object = dict[str, Any]
Found = TypeVar("Found")

_APPLY = {"Content-Type": "application/apply-patch+yaml"}
_DISCOVERY = {"Accept": "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"}
_START_SECONDS = 60


class Refused(AssertionError):
    """The API server refused a request; `message` is what kubectl would show."""

    def __init__(self, response: httpx2.Response) -> None:
        try:
            message = response.json().get("message", response.text)
        except ValueError:
            message = response.text
        super().__init__(f"{response.request.method} {response.url} -> {response.status_code}: {message}")
        self.status = response.status_code
        self.message = str(message)


def kube_binary() -> Path:
    """The Kubernetes components in one binary; compiled first unless PANOSC_KUBE_BINARY names it."""
    chosen = os.environ.get("PANOSC_KUBE_BINARY")
    binary = Path(chosen) if chosen else toolchain.binary("kube")
    assert os.access(binary, os.X_OK), f"{binary} is no program: correct or unset PANOSC_KUBE_BINARY"
    return binary


@dataclass
class ApiServer:
    """A running API server and how to speak to it as an administrator."""

    url: str
    token: str
    kubeconfig: Path
    ca_file: Path
    kube: Path
    client: httpx2.Client
    _paths: dict[tuple[str, str], tuple[str, bool]] = field(default_factory=dict)

    def kubectl(self, *arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run kubectl as a user would; the caller looks at the return code and both outputs."""
        return subprocess.run(
            [str(self.kube), "kubectl", *arguments],
            input=stdin,
            env={
                **os.environ,
                "KUBECONFIG": str(self.kubeconfig),
                "KUBECACHEDIR": str(self.kubeconfig.parent),
            },
            capture_output=True,
            text=True,
            timeout=60,
        )

    def request(self, method: str, path: str, **options: Any) -> Any:
        """One HTTP request; the decoded answer. Raises Refused for anything but success."""
        response = self.client.request(method, path, **options)
        if response.is_error:
            raise Refused(response)
        return response.json()

    def apply(self, manifest: str | Object, manager: str = "test", dry_run: bool = False) -> list[Object]:
        """Server-side apply of a YAML stream or one object, in order; the objects as stored."""
        objects = (
            [manifest]
            if isinstance(manifest, dict)
            else [o for o in yaml.safe_load_all(manifest) if o is not None]
        )
        query = {"fieldManager": manager, "force": "true", "fieldValidation": "Strict"}
        if dry_run:
            query["dryRun"] = "All"
        return [
            self.request("PATCH", self.path_of(o), params=query, headers=_APPLY, content=json.dumps(o))
            for o in objects
        ]

    def create(self, manifest: Object, dry_run: bool = False) -> Object:
        """Create an object, as the first `kubectl apply` does; its fields are checked strictly."""
        query = {"fieldValidation": "Strict"} | ({"dryRun": "All"} if dry_run else {})
        path = self.path_of(manifest).rpartition("/")[0]
        answer: Object = self.request("POST", path, params=query, content=json.dumps(manifest))
        return answer

    def patch(self, kind: str, name: str, body: Object, namespace: str = "", subresource: str = "") -> Object:
        """Merge patch, as `kubectl patch --type=merge` does."""
        path = self._path(*self._resource(kind), name, namespace) + (f"/{subresource}" if subresource else "")
        headers = {"Content-Type": "application/merge-patch+json"}
        answer: Object = self.request("PATCH", path, headers=headers, content=json.dumps(body))
        return answer

    def get(self, kind: str, name: str, namespace: str = "") -> Object | None:
        """The object, or None if there is none."""
        try:
            answer: Object = self.request("GET", self._path(*self._resource(kind), name, namespace))
        except Refused as refused:
            if refused.status == 404:
                return None
            raise
        return answer

    def existing(self, kind: str, name: str, namespace: str = "") -> Object:
        """The object, which has to be there."""
        found = self.get(kind, name, namespace)
        assert found is not None, f"there is no {kind} {name}"
        return found

    def list(self, kind: str, namespace: str = "", selector: str = "") -> list[Object]:
        """The objects of a kind, in one namespace or all."""
        path = self._path(*self._resource(kind), "", namespace)
        items: list[Object] = self.request("GET", path, params={"labelSelector": selector})["items"]
        return items

    def delete(self, kind: str, name: str, namespace: str = "") -> None:
        """Ask for the deletion of an object; one that is gone already is no error."""
        try:
            self.request("DELETE", self._path(*self._resource(kind), name, namespace))
        except Refused as refused:
            if refused.status != 404:
                raise

    def wait_for(self, probe: Callable[[], Found | None], what: str, seconds: float = 10) -> Found:
        """Call `probe` until it gives something true; AssertionError says what was waited for."""
        deadline = time.monotonic() + seconds
        while not (found := probe()):
            if time.monotonic() > deadline:
                raise AssertionError(f"after {seconds:g} s there was still not: {what}")
            time.sleep(0.05)
        return found

    def path_of(self, manifest: Object) -> str:
        """URL path of a manifest's object."""
        metadata = manifest["metadata"]
        group = manifest["apiVersion"].rpartition("/")[0]
        return self._path(
            *self._resource(manifest["kind"], group), metadata["name"], metadata.get("namespace", "")
        )

    def _resource(self, kind: str, group: str | None = None) -> tuple[str, bool]:
        """Path prefix with `{}` for the namespace part, and whether the kind is namespaced."""
        for attempt in range(2):
            matches = [value for (g, k), value in self._paths.items() if k == kind and group in (None, g)]
            if matches:
                return matches[0]
            if attempt == 0:
                self._discover()
        raise LookupError(f"the API server has no kind {kind!r}")

    def _path(self, template: str, namespaced: bool, name: str, namespace: str) -> str:
        if namespaced and name and not namespace:
            namespace = "default"
        path = template.format(f"namespaces/{namespace}/" if namespaced and namespace else "")
        return f"{path}/{name}" if name else path

    def _discover(self) -> None:
        for root in ("/api", "/apis"):
            for group in self.request("GET", root, headers=_DISCOVERY)["items"]:
                name = group["metadata"].get("name", "")
                version = group["versions"][0]
                prefix = f"{root}/{name}/{version['version']}" if name else f"{root}/{version['version']}"
                for resource in version.get("resources", []):
                    self._paths[name, resource["responseKind"]["kind"]] = (
                        f"{prefix}/{{}}{resource['resource']}",
                        resource["scope"] == "Namespaced",
                    )


@contextmanager
def running(folder: Path) -> Iterator[ApiServer]:
    """A control plane with its state in `folder`; its processes are gone afterwards, its logs stay."""
    kube = kube_binary()
    token = secrets.token_urlsafe(24)
    etcd_port, peer_port, api_port = free_ports(3)
    _write_credentials(folder, token, api_port)
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder / "etcd", ignore_errors=True)

        def start(component: str, *flags: str) -> subprocess.Popen[bytes]:
            return stack.enter_context(_process(kube, component, flags, folder))

        etcd = f"http://127.0.0.1:{etcd_port}"
        peer = f"http://127.0.0.1:{peer_port}"
        start(
            "etcd",
            f"--data-dir={folder / 'etcd'}",
            f"--listen-client-urls={etcd}",
            f"--advertise-client-urls={etcd}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
            "--unsafe-no-fsync",
            "--log-level=warn",
        )
        server = start(
            "kube-apiserver",
            f"--etcd-servers={etcd}",
            "--bind-address=127.0.0.1",
            f"--secure-port={api_port}",
            # Without nodes nothing reaches the `kubernetes` Service; its address may not be loopback.
            "--advertise-address=192.0.2.1",
            "--endpoint-reconciler-type=none",
            f"--cert-dir={folder}",
            "--service-cluster-ip-range=10.96.0.0/16",
            f"--service-account-key-file={folder / 'sa.pub'}",
            f"--service-account-signing-key-file={folder / 'sa.key'}",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--token-auth-file={folder / 'tokens.csv'}",
            "--authorization-mode=RBAC",
        )
        url = f"https://127.0.0.1:{api_port}"
        ca_file = folder / "apiserver.crt"
        _await(server, folder, lambda: ca_file.exists() and _listens(api_port))
        tls = ssl.create_default_context(cafile=str(ca_file))
        client = stack.enter_context(
            httpx2.Client(base_url=url, verify=tls, headers={"Authorization": f"Bearer {token}"}, timeout=30)
        )
        _await(server, folder, lambda: client.get("/readyz").is_success)
        api = ApiServer(url, token, folder / "kubeconfig", ca_file, kube, client)
        # The garbage collector learns of kinds added later only after half a minute: definitions come first.
        install_definitions(api)
        start(
            "kube-controller-manager",
            f"--kubeconfig={api.kubeconfig}",
            f"--service-account-private-key-file={folder / 'sa.key'}",
            f"--root-ca-file={ca_file}",
            "--use-service-account-credentials",
            "--leader-elect=false",
            "--secure-port=0",
            "--concurrent-gc-syncs=4",
            "--kube-api-qps=200",
            "--kube-api-burst=400",
        )
        api.wait_for(
            lambda: api.get("ServiceAccount", "default", "default"), "a running controller manager", 30
        )
        yield api


def install_definitions(api: ApiServer) -> None:
    """Install the project's definitions and those of the Gateway API, and wait until they are served."""
    files = sorted((REPOSITORY / "crds").glob("*.yaml"))
    assert files, "crds/ is empty: run `make generate`"
    definitions = [yaml.load(file.read_text(), yaml.CSafeLoader) for file in files] + _gateway_definitions()
    for definition in definitions:
        api.apply(definition)

    def established() -> bool:
        return all(_holds(d, "Established") for d in api.list("CustomResourceDefinition"))

    api.wait_for(established, "established definitions", 30)


def _holds(thing: Object, condition: str) -> bool:
    conditions = thing.get("status", {}).get("conditions") or []
    return any(c["type"] == condition and c["status"] == "True" for c in conditions)


def _gateway_definitions() -> list[Object]:
    """The Gateway API as Envoy Gateway ships it, so that tests meet the version that runs on clusters, and
    its own policies."""
    folder = toolchain.envoy_gateway_charts() / "gateway-helm/charts/crds/crds"
    policies = "generated/gateway.envoyproxy.io_backendtrafficpolicies.yaml"
    documents = [
        document
        for file in ("gatewayapi-crds.yaml", policies)
        for document in yaml.load_all((folder / file).read_text(), yaml.CSafeLoader)
    ]
    return [
        d
        for d in documents
        if d and d["kind"] == "CustomResourceDefinition" and d["spec"]["names"]["kind"] in GATEWAY_KINDS
    ]


def _write_credentials(folder: Path, token: str, port: int) -> None:
    for arguments in (
        ["genrsa", "-out", folder / "sa.key", "2048"],
        ["rsa", "-in", folder / "sa.key", "-pubout", "-out", folder / "sa.pub"],
    ):
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, timeout=60)
    (folder / "tokens.csv").write_text(f'{token},admin,admin,"system:masters"\n')
    cluster = {"server": f"https://127.0.0.1:{port}", "certificate-authority": str(folder / "apiserver.crt")}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": cluster}],
        "users": [{"name": "admin", "user": {"token": token}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "admin"}}],
        "current-context": "test",
    }
    (folder / "kubeconfig").write_text(yaml.safe_dump(config))


@contextmanager
def _process(
    kube: Path, component: str, flags: Sequence[str], folder: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """A component that ends with the block, and with this process even if that is killed."""
    with (folder / f"{component}.log").open("wb") as log:
        process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", str(kube), component, *flags],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(3)
        except subprocess.TimeoutExpired:
            process.kill()  # the API server waits long for open watches; its state is thrown away anyway
            process.wait()


def _await(process: subprocess.Popen[bytes], folder: Path, ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not ready():
        if process.poll() is not None:
            raise AssertionError(f"kube-apiserver ended with {process.returncode}: read the logs in {folder}")
        if time.monotonic() > deadline:
            raise AssertionError(f"no API after {_START_SECONDS} s: read the logs in {folder}")
        time.sleep(0.05)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
