"""`make install`: the operator on a cluster of one's own, with images from a registry of one's own."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from panosc_dev import images, packages, privileges, shell, toolchain
from panosc_dev.deploy import CHART, NAMESPACE
from panosc_dev.paths import cache_directory
from panosc_dev.progress import StepFailed, say, step

_RELEASE = "panosc-operator"
_PODS = f"app.kubernetes.io/name=panosc-operator,app.kubernetes.io/instance={_RELEASE}"


def run(*, registry: str, base_domain: str, values: Sequence[Path], confirmed: bool) -> None:
    """Install the operator into the current kubectl context, after naming it and asking.

    With `registry`, the images are built and pushed there first; else `values` have to name them.
    """
    kube = [str(toolchain.binary("kube")), "kubectl"]
    helm = toolchain.binary("helm")
    try:
        context = shell.output([*kube, "config", "current-context"]).strip()
    except StepFailed:
        raise StepFailed(
            "kubectl has no current context: `kubectl config use-context NAME`, or set KUBECONFIG"
        ) from None
    server = shell.output(
        [*kube, "config", "view", "--minify", "-o", "jsonpath={.clusters[0].cluster.server}"]
    )
    check(registry=registry, base_domain=base_domain, values=values)
    say(f"This installs the PaNOSC operator into namespace {NAMESPACE} of context {context} ({server})")
    if not confirmed and input("Go on? [y/N] ").strip().lower() not in ("y", "yes"):
        raise StepFailed("nothing was changed")
    references = _push_as_root(registry) if registry else {}
    settings = [f"--set-string=images.{name}={reference}" for name, reference in references.items()]
    if base_domain:
        settings.append(f"--set-string=baseDomain={base_domain}")
    log = cache_directory() / "logs" / "install.log"
    command: list[str | Path] = [
        helm,
        "upgrade",
        "--install",
        _RELEASE,
        CHART,
        f"--kube-context={context}",
        f"--namespace={NAMESPACE}",
        "--create-namespace",
        *(f"--values={v}" for v in values),
        *settings,
        "--wait",
        "--timeout=5m",
    ]
    try:
        with step("Installing the operator"):
            shell.logged(command, log, seconds=360)
    except StepFailed as failure:
        pods = shell.output(
            [*kube, "get", "pods", f"--namespace={NAMESPACE}", f"--selector={_PODS}", "--output=json"]
        )
        raise StepFailed("; ".join([str(failure), *waiting(json.loads(pods))]), log) from None


def check(*, registry: str, base_domain: str, values: Sequence[Path]) -> None:
    """StepFailed with the remedy if something is missing that has to be given."""
    if not registry and not values:
        raise StepFailed(
            "say where the cluster gets the images: REGISTRY=host/path builds and pushes them, "
            "VALUES=file names them"
        )
    if registry and not base_domain and not values:
        raise StepFailed(
            "say below which domain the facilities get their hosts: BASE_DOMAIN=data.example.org"
        )
    for file in values:
        if not file.is_file():
            raise StepFailed(f"VALUES={file}: there is no such file")


def waiting(pods: Mapping[str, Any]) -> list[str]:
    """What the containers in a list of pods wait for, each as `pod: reason: message`."""
    found = []
    for pod in pods["items"]:
        for container in pod.get("status", {}).get("containerStatuses", []):
            if state := container["state"].get("waiting"):
                words = [pod["metadata"]["name"], state.get("reason"), state.get("message")]
                found.append(": ".join(word for word in words if word))
    return found


def push(registry: str) -> dict[str, str]:
    """Build the product's images and push them; the references they have there, by name. Needs root."""
    packages.ensure(packages.FOR_IMAGES)
    return {name: images.push(item, registry) for name, item in images.build_all(images.PRODUCT).items()}


def _push_as_root(registry: str) -> Mapping[str, str]:
    # Only this needs root; kubectl and helm keep the user's own log-ins.
    command = [*privileges.prefix(), sys.executable, "-m", "panosc_dev", "push", registry]
    done = subprocess.run(command, env=os.environ, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.returncode)  # it has said why
    references: dict[str, str] = json.loads(done.stdout)
    return references
