"""A cluster of the tests' own with the operator and the demonstration facility, beside any `make up`."""

import json
import os
import shutil
import ssl
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx2
from panosc_dev import addons, authority, cgroups, deploy, netns
from panosc_dev.cluster import LocalCluster
from panosc_dev.progress import StepFailed

NAME = "panosc-test"
GATEWAY_PORT = addons.HTTPS

Found = TypeVar("Found")

_PROBE = "probe"
_POLL_SECONDS = 0.5


class ToGateway(httpx2.BaseTransport):
    """Connects to the cluster's gateway whatever the URL's host; 127.0.0.1 belongs to `make up`.

    The certificate has to be the host's, and by an authority that `verify` trusts.
    """

    def __init__(self, address: str, verify: ssl.SSLContext) -> None:
        self._address, self._ports = address, addons.node_ports(GATEWAY_PORT)
        # One for each host: connections are of the host that they were opened for, and all have one address.
        self._by_host: defaultdict[str, httpx2.HTTPTransport] = defaultdict(
            lambda: httpx2.HTTPTransport(verify=verify)
        )

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send the request, whose Host header and expected certificate stay those of its URL."""
        asked = request.url
        port = asked.port or (addons.HTTPS if asked.scheme == "https" else addons.HTTP)
        request.extensions = {**request.extensions, "sni_hostname": asked.host}
        request.url = asked.copy_with(host=self._address, port=self._ports[port])
        try:
            return self._by_host[asked.host].handle_request(request)
        finally:
            request.url = asked  # redirects are relative to it

    def close(self) -> None:
        """Close all connections."""
        for transport in self._by_host.values():
            transport.close()


@dataclass(frozen=True)
class Demo:
    """The running demonstration: its cluster, the folder with its NeXus files, and ways to look at it."""

    cluster: LocalCluster
    data: Path
    client: httpx2.Client

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """Standard output of kubectl; an error if it fails or takes longer than five minutes."""
        return self.cluster.kubectl(*arguments, stdin=stdin, seconds=300).rstrip("\n")

    def get(
        self, url: str, *, params: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None
    ) -> httpx2.Response:
        """GET a service's public URL through the gateway, following redirects."""
        return self.client.get(url, params=params, headers=headers)

    def eventually(
        self, look: Callable[[], Found], *, until: Callable[[Found], bool], seconds: float
    ) -> Found:
        """What `look` returns once `until` holds for it; until then, errors of looking count as "not yet".

        Raises the last error, or AssertionError with the last value, after `seconds`.
        """
        deadline = time.monotonic() + seconds
        while True:
            try:
                value = look()
            except (httpx2.HTTPError, StepFailed, LookupError, ValueError, AssertionError):
                if time.monotonic() > deadline:
                    raise
            else:
                if until(value):
                    return value
                if time.monotonic() > deadline:
                    raise AssertionError(f"not within {seconds:g} s; at last: {value!r}")
            time.sleep(_POLL_SECONDS)

    def python_in_pod(self, script: str, namespace: str = "default") -> str:
        """Standard output of a Python script run in a pod of `namespace`, started when first asked for."""
        # The operator's image has Python and is on the node.
        operator = self._object("deployment", "panosc-operator", deploy.NAMESPACE)
        image = operator["spec"]["template"]["spec"]["containers"][0]["image"]
        self.kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(_probe(namespace, image)))
        self.kubectl(
            "wait", "--for=condition=Ready", f"pod/{_PROBE}", f"--namespace={namespace}", "--timeout=60s"
        )
        return self.kubectl("exec", _PROBE, f"--namespace={namespace}", "--", "python3", "-c", script)

    def copy_into_claim(self, namespace: str, claim: str, source: Path, target: str) -> None:
        """Copy a file to the relative path `target` of a claim's volume; it appears there complete."""
        bound = self.eventually(
            lambda: self._object("persistentvolumeclaim", claim, namespace)["spec"]["volumeName"],
            until=bool,
            seconds=60,
        )
        volume = self._object("persistentvolume", bound, namespace)
        destination = Path(volume["spec"]["hostPath"]["path"]) / target
        # As the volume's own folder is: pods may write there, too.
        mask = os.umask(0)
        destination.parent.mkdir(parents=True, exist_ok=True)
        os.umask(mask)
        unfinished = destination.with_suffix(".part")
        shutil.copyfile(source, unfinished)
        unfinished.rename(destination)

    def kcadm(self, *arguments: str) -> str:
        """What Keycloak's own command line says in the login's pod, with the operator's account."""
        log_in = (
            "kcadm.sh config credentials --server http://127.0.0.1:8080 --realm master --config /tmp/k "
            '--client "$KC_BOOTSTRAP_ADMIN_CLIENT_ID" --secret "$KC_BOOTSTRAP_ADMIN_CLIENT_SECRET"'
        )
        command = f'{log_in} && exec kcadm.sh "$@" --config /tmp/k'
        return self.kubectl(
            *("exec", "deployment/login", f"--namespace={deploy.NAMESPACE}", "--"),
            *("sh", "-c", command, "sh", *arguments),
        )

    def _object(self, kind: str, name: str, namespace: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.kubectl("get", kind, name, "-n", namespace, "-o", "json"))
        return found


def _probe(namespace: str, image: str) -> dict[str, Any]:
    """A pod that waits for commands and is allowed where Pod Security is restricted."""
    container = {
        "name": "python",
        "image": image,
        "command": ["sleep", "infinity"],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "runAsNonRoot": True,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": _PROBE, "namespace": namespace},
        "spec": {"terminationGracePeriodSeconds": 0, "containers": [container]},
    }


@contextmanager
def running_demo() -> Iterator[Demo]:
    """The demonstration on a new cluster, gone afterwards; one left by a killed run is removed first."""
    cluster = LocalCluster(NAME, durable=False)
    cluster.down()
    certificate = authority.ensure(addons.DOMAIN).certificate
    known = certificate.read_bytes()
    try:
        data = deploy.bring_up(cluster, GATEWAY_PORT)
        gateway = ToGateway(cluster.link.inner, ssl.create_default_context(cafile=certificate))
        with httpx2.Client(timeout=30, transport=gateway, follow_redirects=True) as client:
            yield Demo(cluster, data, client)
    finally:
        cluster.down()
    # Nothing of it is left on the machine, but the authority: who trusts that goes on doing so.
    assert [path for path in (cluster.paths.state, cluster.paths.run) if path.exists()] == []
    assert not netns.exists(NAME)
    assert not cgroups.members(NAME)
    assert certificate.read_bytes() == known
