"""Whatever interrupts the operator, it ends with the state that it reaches undisturbed, and then rests."""

import os
import random
import uuid
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from support.apiserver import ApiServer, Object, install_definitions
from support.operator import Operator, account, running_operator
from support.proxy import Fate, Proxy

# A pass for a facility, an archive and a catalogue has about 45 writes. The short form tries some of the
# places at which it may be cut off; PANOSC_FAULTS=full tries all.
CUTS = range(1, 46) if os.environ.get("PANOSC_FAULTS") == "full" else (1, 4, 11, 19, 28, 40)
# A clean-up has about 35: a deletion for each object, states in between, and the finalizers.
CLEAN_UP_CUTS = range(1, 31) if os.environ.get("PANOSC_FAULTS") == "full" else (1, 9, 20)
KINDS = (
    *("Namespace", "ConfigMap", "Role", "RoleBinding", "LimitRange", "NetworkPolicy", "Gateway"),
    *(
        "PersistentVolumeClaim",
        "Secret",
        "Service",
        "StatefulSet",
        "Deployment",
        "Job",
        "CronJob",
        "HTTPRoute",
    ),
)
_VOLATILE = frozenset(
    {"uid", "clusterIP", "clusterIPs", "controller-uid", "batch.kubernetes.io/controller-uid"}
)
_HASHES = frozenset({"panosc.eu/applied", "panosc.eu/config", "panosc.eu/secrets"})
"""Hashes of what has the facility's name in it, or a password."""


@pytest.fixture
def name(api: ApiServer) -> Iterator[str]:
    chosen = f"f{uuid.uuid4().hex[:8]}"
    yield chosen
    for kind in ("Catalogue", "DataArchive"):
        for obj in api.list(kind, chosen):
            api.delete(kind, obj["metadata"]["name"], chosen)
    api.delete("Facility", chosen)
    api.delete("Namespace", chosen)


def make(api: ApiServer, name: str) -> None:
    """The resources in an order in which none waits for another; the namespace is adopted."""
    api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    metadata = {"namespace": name}
    for kind, its_name, spec in (
        ("DataArchive", "archive", {"storage": {"claim": {"size": "1Gi"}}}),
        ("Catalogue", "catalogue", {"sources": [{"name": "beamlines", "nexus": {"archive": "archive"}}]}),
        ("Facility", name, {"displayName": "F", "administrators": {"groups": ["it"]}}),
    ):
        where = {"name": its_name} if kind == "Facility" else {"name": its_name, **metadata}
        api.apply({"apiVersion": "panosc.eu/v1alpha1", "kind": kind, "metadata": where, "spec": spec})


def settled(api: ApiServer, name: str) -> bool:
    """Whether everything was made and judged."""
    reasons = {
        (kind, condition["reason"])
        for kind in ("Facility", "DataArchive", "Catalogue")
        for obj in api.list(kind, "" if kind == "Facility" else name)
        if kind != "Facility" or obj["metadata"]["name"] == name
        for condition in obj.get("status", {}).get("conditions", [])
        if condition["type"] == "Ready"
    }
    return reasons == {
        ("Facility", "GatewayProgressing"),
        ("DataArchive", "ClaimPending"),
        ("Catalogue", "DatabaseProgressing"),
    }


def state(api: ApiServer, name: str) -> dict[str, Any]:
    """What the operator made of the facility, without what differs from one to the next."""
    objects: dict[str, Any] = {}
    for kind in KINDS:
        for obj in api.list(
            kind, "" if kind == "Namespace" else name, "app.kubernetes.io/managed-by=panosc-operator"
        ):
            metadata = obj["metadata"]
            if kind != "Namespace" or metadata["name"] == name:
                objects[f"{kind} {metadata['name']}".replace(name, "NAME")] = _steady(_content(obj), name)
    return objects


def _content(obj: Object) -> Object:
    metadata = obj["metadata"]
    annotations = {k: v for k, v in metadata.get("annotations", {}).items() if k.startswith("panosc.eu/")}
    content = {k: v for k, v in obj.items() if k not in ("metadata", "status")}
    if "data" in content and obj.get("type") == "Opaque":
        content["data"] = sorted(content["data"])
    owners = [owner["name"] for owner in metadata.get("ownerReferences", [])]
    return content | {"labels": metadata["labels"], "annotations": annotations, "owners": owners}


def _steady(value: Any, name: str) -> Any:
    if isinstance(value, dict):
        kept = {k: v for k, v in value.items() if k not in _VOLATILE | _HASHES}
        return {k: _steady(v, name) for k, v in kept.items()}
    if isinstance(value, list):
        return [_steady(item, name) for item in value]
    return value.replace(name, "NAME") if isinstance(value, str) else value


@pytest.fixture(scope="module")
def undisturbed(api: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The state that is reached when nothing goes wrong."""
    folder, name = tmp_path_factory.mktemp("undisturbed"), f"f{uuid.uuid4().hex[:8]}"
    with running_operator(account(api, folder), folder) as operator:
        make(api, name)
        api.wait_for(lambda: settled(api, name), "everything made", 30)
        operator.await_quiet()
        reached = state(api, name)
    for kind, each in (("Catalogue", "catalogue"), ("DataArchive", "archive"), ("Facility", name)):
        api.delete(kind, each, name)
    api.delete("Namespace", name)
    assert len(reached) > 30
    return reached


def assert_converged(
    api: ApiServer, operator: Operator, name: str, undisturbed: dict[str, Any], seconds: float = 40
) -> None:
    api.wait_for(lambda: settled(api, name), "everything made", seconds)
    operator.await_quiet()
    reached = state(api, name)
    assert reached.keys() == undisturbed.keys()
    for each, content in undisturbed.items():
        assert reached[each] == content, each


@pytest.mark.parametrize("cut", CUTS)
def test_killed_after_any_write(
    api: ApiServer, proxy: Proxy, name: str, tmp_path: Path, undisturbed: dict[str, Any], cut: int
) -> None:
    make(api, name)
    operator = Operator(account(api, tmp_path, proxy.url), tmp_path)

    def kill(number: int) -> None:
        if number == cut:
            operator.process.kill()

    proxy.after_write = kill
    operator.process.wait(60)
    proxy.after_write = lambda number: None
    operator.launch()
    operator.await_ready()
    assert_converged(api, operator, name, undisturbed)
    assert operator.stop() == 0, operator.log.read_text()[-3000:]


@pytest.mark.parametrize("cut", CLEAN_UP_CUTS)
def test_killed_after_any_write_of_a_clean_up(
    api: ApiServer, proxy: Proxy, name: str, tmp_path: Path, cut: int
) -> None:
    """What is to go goes to the last object, and nothing holds the deletion up."""
    make(api, name)
    resources = (("Catalogue", "catalogue"), ("DataArchive", "archive"), ("Facility", name))
    operator = Operator(account(api, tmp_path, proxy.url), tmp_path)
    operator.await_ready()
    api.wait_for(lambda: settled(api, name), "everything made", 40)
    for kind, each in resources:
        api.patch(kind, each, {"spec": {"deletionPolicy": "Delete"}}, "" if kind == "Facility" else name)
    operator.await_quiet()
    first = proxy.writes

    def kill(number: int) -> None:
        if number == first + cut:
            operator.process.kill()

    proxy.after_write = kill
    for kind, each in resources:
        api.delete(kind, each, "" if kind == "Facility" else name)
    operator.process.wait(60)
    proxy.after_write = lambda number: None
    operator.launch()
    operator.await_ready()
    for kind, each in resources:
        where = "" if kind == "Facility" else name
        api.wait_for(partial(is_gone, api, kind, each, where), f"{kind} {each} gone", 40)
    # The garbage collector takes the rest; the namespace was adopted, and with it stay fences and policy.
    stays = {"Namespace", "NetworkPolicy", "ConfigMap"}
    api.wait_for(
        lambda: {key.split()[0] for key in state(api, name)} == stays, f"only {sorted(stays)} left", 40
    )
    assert operator.stop() == 0, operator.log.read_text()[-3000:]


def is_gone(api: ApiServer, kind: str, name: str, namespace: str = "") -> bool:
    return api.get(kind, name, namespace) is None


def test_errors_and_lost_answers(
    api: ApiServer, proxy: Proxy, name: str, tmp_path: Path, undisturbed: dict[str, Any]
) -> None:
    """A third of all writes goes wrong, until sixty have been tried."""
    dice = random.Random(20261124)
    trouble = [Fate.PASS] * 6 + [Fate.REFUSE, Fate.FAIL, Fate.LOSE]
    fates = [dice.choice(trouble) for _ in range(60)]
    proxy.fate = lambda number: fates[number - 1] if number <= len(fates) else Fate.PASS
    with running_operator(account(api, tmp_path, proxy.url), tmp_path) as operator:
        make(api, name)
        assert_converged(api, operator, name, undisturbed, seconds=90)
        assert operator.metric("rest_client_requests_total", code="429") > 0
        assert not [line for line in operator.log_lines() if line["level"] == "error"]


def test_silent_watches_are_made_up_for_by_the_resync(
    api: ApiServer, proxy: Proxy, name: str, tmp_path: Path, undisturbed: dict[str, Any]
) -> None:
    settings = {"PANOSC_RESYNC_SECONDS": "3"}
    with running_operator(account(api, tmp_path, proxy.url), tmp_path, settings) as operator:
        make(api, name)
        assert_converged(api, operator, name, undisturbed)
        proxy.mute = True
        api.delete("Deployment", "catalogue", name)
        api.wait_for(lambda: api.get("Deployment", "catalogue", name) is None, "the Deployment gone")
        api.wait_for(lambda: api.get("Deployment", "catalogue", name), "the Deployment again", 15)
        api.patch("Catalogue", "catalogue", {"spec": {"replicas": 2}}, name)
        api.wait_for(
            lambda: (api.get("Deployment", "catalogue", name) or {})["spec"]["replicas"] == 2,
            "two replicas",
            15,
        )


def test_gateway_api_that_is_installed_later(
    api: ApiServer, proxy: Proxy, name: str, tmp_path: Path, undisturbed: dict[str, Any]
) -> None:
    """What can be made without it is made; what is missing is said; nothing has to be restarted."""
    kinds = {"Gateway": "gateways", "HTTPRoute": "httproutes"}
    for plural in kinds.values():
        definition = f"{plural}.gateway.networking.k8s.io"
        api.delete("CustomResourceDefinition", definition)
        api.wait_for(partial(is_gone, api, "CustomResourceDefinition", definition), "it gone")
    with running_operator(account(api, tmp_path, proxy.url), tmp_path) as operator:
        make(api, name)

        def message() -> str:
            conditions = (api.get("Facility", name) or {}).get("status", {}).get("conditions", [])
            return next((c["message"] for c in conditions if c["reason"] == "ApplyFailed"), "")

        told = api.wait_for(message, "ApplyFailed")
        assert "the cluster doesn't know Gateway of gateway.networking.k8s.io: install its CRDs" in told
        assert api.get("NetworkPolicy", "panosc-default-deny", name)
        assert api.get("Deployment", "archive", name)
        install_definitions(api)
        assert_converged(api, operator, name, undisturbed)
        # Watched by now, too.
        api.delete("Gateway", "panosc", name)
        api.wait_for(lambda: api.get("Gateway", "panosc", name), "the Gateway again", 5)
