"""The chart's objects as a real API server takes them."""

import json
from collections.abc import Iterator

import pytest
from support.apiserver import ApiServer
from support.chart import CHART, VALUES, helm, render, without_definitions


@pytest.fixture
def chart(api: ApiServer, namespace: str) -> Iterator[None]:
    """The installed chart, in a namespace in which only pods after Pod Security's `restricted` may run."""
    restricted = {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}
    api.patch("Namespace", namespace, {"metadata": restricted})
    objects = without_definitions(render({}, namespace))
    for document in objects:
        api.apply(document)
    yield
    for document in objects:
        api.delete(document["kind"], document["metadata"]["name"], document["metadata"].get("namespace", ""))


@pytest.mark.usefixtures("chart")
def test_the_operators_pod_is_admitted_as_restricted(api: ApiServer, namespace: str) -> None:
    (pod,) = api.wait_for(
        lambda: api.list("Pod", namespace, "app.kubernetes.io/name=panosc-operator"),
        "the operator's pod",
        20,
    )
    assert pod["spec"]["serviceAccountName"] == "panosc-operator"


@pytest.mark.usefixtures("chart")
def test_who_administrates_a_namespace_may_edit_the_kinds_in_it(api: ApiServer, namespace: str) -> None:
    """Kubernetes' own roles take up the chart's by aggregation."""
    api.kubectl("create", "rolebinding", "it", "--clusterrole=admin", "--group=it", "-n", namespace)
    api.kubectl("create", "rolebinding", "guests", "--clusterrole=view", "--group=guests", "-n", namespace)

    def may(group: str, verb: str, resource: str, where: str) -> bool:
        impersonated = ("--as=someone", f"--as-group={group}")
        return (
            api.kubectl("auth", "can-i", verb, resource, "-n", where, *impersonated).stdout.strip() == "yes"
        )

    api.wait_for(lambda: may("it", "create", "catalogues", namespace), "the aggregated right")
    assert may("it", "delete", "dataarchives", namespace)
    assert not may("it", "create", "catalogues", "default")
    assert not may("it", "create", "facilities", namespace)
    assert may("guests", "list", "catalogues", namespace)
    assert not may("guests", "patch", "catalogues", namespace)


def test_the_definitions_of_the_chart_are_accepted(api: ApiServer) -> None:
    definitions = [d for d in render({}) if d["kind"] == "CustomResourceDefinition"]
    assert definitions
    done = api.kubectl(
        "apply", "--server-side", "--force-conflicts", "--dry-run=server", "-f", "-",
        stdin="\n---\n".join(json.dumps(d) for d in definitions),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_facilities_outlive_the_release_and_belong_to_the_next(api: ApiServer, namespace: str) -> None:
    release = ("panosc-operator", "--namespace", namespace, "--kubeconfig", str(api.kubeconfig))

    def install(*flags: str) -> None:
        done = helm("upgrade", "--install", *release, *flags, str(CHART), values=VALUES)
        assert done.returncode == 0, done.stderr

    # The definitions of the session were made without Helm.
    install("--take-ownership", "--force-conflicts")
    facility = {"apiVersion": "panosc.eu/v1alpha1", "kind": "Facility", "metadata": {"name": namespace}}
    (before,) = api.apply({**facility, "spec": {"displayName": "A facility"}})
    done = helm("uninstall", *release)
    assert done.returncode == 0, done.stderr
    assert api.get("ServiceAccount", "panosc-operator", namespace) is None
    install()
    assert api.existing("Facility", namespace)["metadata"]["uid"] == before["metadata"]["uid"]
    helm("uninstall", *release)
    api.delete("Facility", namespace)
