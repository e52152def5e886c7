"""The operator against a real API server: what it makes, repairs, keeps, refuses and leaves alone."""

import base64
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from support import node
from support.apiserver import ApiServer, Object
from support.operator import NAMESPACE, Operator, account, running_operator

REPAIR_SECONDS = 5


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("operator")


@pytest.fixture(scope="module")
def operator(api: ApiServer, folder: Path) -> Iterator[Operator]:
    with running_operator(account(api, folder), folder) as running:
        yield running


@pytest.fixture
def name(api: ApiServer) -> Iterator[str]:
    """Name of a facility of the test's own."""
    chosen = f"f{uuid.uuid4().hex[:8]}"
    yield chosen
    for kind in ("Catalogue", "DataArchive"):
        for obj in api.list(kind, chosen):
            api.delete(kind, obj["metadata"]["name"], chosen)
    api.delete("Facility", chosen)
    api.delete("Namespace", chosen)


def facility(name: str, **spec: object) -> Object:
    return {
        "apiVersion": "panosc.eu/v1alpha1",
        "kind": "Facility",
        "metadata": {"name": name},
        "spec": {"displayName": name.upper(), **spec},
    }


def archive(namespace: str, name: str = "archive", **spec: object) -> Object:
    return {
        "apiVersion": "panosc.eu/v1alpha1",
        "kind": "DataArchive",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"storage": {"claim": {"size": "1Gi"}}, **spec},
    }


def catalogue(namespace: str, name: str = "catalogue", **spec: object) -> Object:
    return {
        "apiVersion": "panosc.eu/v1alpha1",
        "kind": "Catalogue",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"sources": [{"name": "beamlines", "nexus": {"archive": "archive"}}], **spec},
    }


def ready(
    api: ApiServer, kind: str, name: str, namespace: str = "", condition: str = "Ready"
) -> tuple[str, str, str]:
    """Status, reason and message of a condition that was computed from the newest spec."""
    obj = api.get(kind, name, namespace) or {}
    for each in obj.get("status", {}).get("conditions", []):
        if each["type"] == condition and each["observedGeneration"] == obj["metadata"]["generation"]:
            return each["status"], each["reason"], each["message"]
    return "", "", ""


def await_reason(
    api: ApiServer, reason: str, kind: str, name: str, namespace: str = "", seconds: float = 15
) -> str:
    """Wait for a reason of the Ready condition; returns its message."""
    probe = lambda: ready(api, kind, name, namespace)[1] == reason  # noqa: E731
    api.wait_for(probe, f"{kind} {name} {reason}, but {ready(api, kind, name, namespace)}", seconds)
    return ready(api, kind, name, namespace)[2]


def make_all(api: ApiServer, name: str) -> None:
    """A facility with an archive and a catalogue, and all their objects."""
    api.apply(facility(name, administrators={"groups": [f"{name}-it"]}))
    api.wait_for(lambda: api.get("ConfigMap", "panosc-facility", name), "the facility's configuration")
    api.apply(archive(name))
    api.apply(catalogue(name))
    api.wait_for(lambda: api.get("HTTPRoute", "catalogue", name), "the catalogue's route")
    api.wait_for(lambda: api.get("CronJob", "archive-fixity", name), "the archive's fixity check")
    api.wait_for(lambda: api.get("Gateway", "panosc", name), "the facility's gateway")


def await_all_ready(api: ApiServer, name: str, seconds: float = 60) -> None:
    def all_ready() -> bool:
        node.settle(api, name)
        return all(
            ready(api, *which)[0] == "True"
            for which in (
                ("Facility", name),
                ("DataArchive", "archive", name),
                ("Catalogue", "catalogue", name),
            )
        )

    api.wait_for(all_ready, f"everything of {name} ready", seconds)


def versions(api: ApiServer, namespace: str) -> dict[str, str]:
    """resourceVersion of everything the operator made in a namespace, and of the resources themselves."""
    kinds = (
        *("ConfigMap", "Secret", "Service", "PersistentVolumeClaim", "Deployment", "StatefulSet", "Job"),
        *("CronJob", "HTTPRoute", "Gateway", "NetworkPolicy", "Role", "RoleBinding", "LimitRange"),
        *("DataArchive", "Catalogue"),
    )
    return {
        f"{kind} {obj['metadata']['name']}": obj["metadata"]["resourceVersion"]
        for kind in kinds
        for obj in api.list(kind, namespace)
    }


def test_facility_archive_and_catalogue_become_ready(api: ApiServer, operator: Operator, name: str) -> None:
    make_all(api, name)
    await_all_ready(api, name)
    namespace = api.get("Namespace", name)
    assert namespace is not None
    assert namespace["metadata"]["labels"]["panosc.eu/facility"] == name
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    status = (api.get("Facility", name) or {})["status"]
    assert status["archives"] == status["catalogues"] == 1
    assert status["url"] == f"http://catalogue.{name}.panosc.localhost"
    assert [endpoint["name"] for endpoint in status["endpoints"]] == ["catalogue", "archive"]
    for kind, target in (("facility", name), ("dataarchive", "archive"), ("catalogue", "catalogue")):
        waited = api.kubectl("wait", "--for=condition=Ready", f"{kind}/{target}", "-n", name, "--timeout=5s")
        assert waited.returncode == 0, waited.stderr
    events = {(event["involvedObject"]["kind"], event["reason"]) for event in api.list("Event", name)}
    assert ("Catalogue", "Available") in events


def test_administrators_may_edit_the_kinds_and_read_no_secrets(
    api: ApiServer, operator: Operator, name: str
) -> None:
    make_all(api, name)

    def may(verb: str, resource: str, *more: str) -> bool:
        answer = api.kubectl("auth", "can-i", verb, resource, "--as=eve", f"--as-group={name}-it", *more)
        return answer.stdout.strip() == "yes"

    api.wait_for(lambda: may("update", "catalogues.panosc.eu", "-n", name), "the administrators' rights")
    assert may("get", "pods", "--subresource=log", "-n", name)
    assert may("get", f"facilities.panosc.eu/{name}")
    assert not may("get", "secrets", "-n", name)
    assert not may("update", "catalogues.panosc.eu", "-n", "default")
    assert not may("update", f"facilities.panosc.eu/{name}")


@pytest.mark.parametrize(
    ("kind", "child"),
    [
        ("Deployment", "catalogue"),
        ("Deployment", "archive-index"),
        ("Service", "catalogue-postgres"),
        ("ConfigMap", "panosc-facility"),
        ("NetworkPolicy", "panosc-default-deny"),
        ("HTTPRoute", "archive"),
        ("Gateway", "panosc"),
    ],
)
def test_deleted_child_is_back(api: ApiServer, operator: Operator, name: str, kind: str, child: str) -> None:
    make_all(api, name)
    former = api.get(kind, child, name)
    assert former is not None
    api.delete(kind, child, name)

    def back() -> bool:
        now = api.get(kind, child, name)
        return now is not None and now["metadata"]["uid"] != former["metadata"]["uid"]

    api.wait_for(back, f"{kind} {child} again", REPAIR_SECONDS)


@pytest.mark.parametrize(
    ("kind", "child", "change", "read"),
    [
        ("Deployment", "catalogue", {"spec": {"replicas": 7}}, lambda o: o["spec"]["replicas"]),
        (
            "Service",
            "archive",
            {"spec": {"ports": [{"name": "http", "port": 99, "targetPort": 99}]}},
            lambda o: o["spec"]["ports"],
        ),
        (
            "NetworkPolicy",
            "panosc-default-deny",
            {"spec": {"podSelector": {"matchLabels": {"nothing": "here"}}}},
            lambda o: o["spec"]["podSelector"],
        ),
        ("ConfigMap", "panosc-facility", {"data": {"policy.json": "{}"}}, lambda o: o["data"]),
        (
            "Service",
            "catalogue",
            {"metadata": {"labels": {"panosc.eu/facility": None}}},
            lambda o: o["metadata"]["labels"],
        ),
        (
            "Deployment",
            "archive",
            {"metadata": {"annotations": {"panosc.eu/applied": None}}},
            lambda o: o["metadata"]["annotations"]["panosc.eu/applied"],
        ),
    ],
    ids=["replicas", "ports", "selector", "policy", "label", "annotation"],
)
def test_hand_edited_child_is_reverted(
    api: ApiServer,
    operator: Operator,
    name: str,
    kind: str,
    child: str,
    change: Object,
    read: Callable[[Object], object],
) -> None:
    make_all(api, name)
    operator.await_quiet()
    former = read(api.get(kind, child, name) or {})
    edited = api.patch(kind, child, change, name)["metadata"]["resourceVersion"]

    def reverted() -> bool:
        now = api.get(kind, child, name)
        if now is None or now["metadata"]["resourceVersion"] == edited:
            return False
        try:
            return read(now) == former
        except KeyError:
            return False

    api.wait_for(reverted, f"{kind} {child} as before", REPAIR_SECONDS)
    if child == "catalogue" and kind == "Deployment":
        api.wait_for(
            lambda: [event for event in api.list("Event", name) if event["reason"] == "Corrected"],
            "an Event about the correction",
        )


def test_foreign_fields_are_left_alone(api: ApiServer, operator: Operator, name: str) -> None:
    make_all(api, name)
    foreign = {
        "metadata": {"labels": {"example.org/cost": "42"}, "annotations": {"example.org/note": "mine"}},
        "spec": {"replicas": 5, "minReadySeconds": 3},
    }
    api.patch("Deployment", "catalogue", foreign, name)

    def replicas() -> int:
        return int((api.get("Deployment", "catalogue", name) or {})["spec"]["replicas"])

    api.wait_for(lambda: replicas() == 1, "the replicas set back", REPAIR_SECONDS)
    now = api.get("Deployment", "catalogue", name) or {}
    assert now["metadata"]["labels"]["example.org/cost"] == "42"
    assert now["metadata"]["annotations"]["example.org/note"] == "mine"
    assert now["spec"]["minReadySeconds"] == 3


def test_facility_deletion_keeps_data_and_finds_them_again(
    api: ApiServer, operator: Operator, name: str
) -> None:
    make_all(api, name)
    secret = (api.get("Secret", "catalogue-postgres", name) or {})["data"]
    claims = {
        claim["metadata"]["name"]: claim["metadata"]["uid"]
        for claim in api.list("PersistentVolumeClaim", name)
    }
    for kind, child in (("Catalogue", "catalogue"), ("DataArchive", "archive")):
        api.delete(kind, child, name)
    api.delete("Facility", name)
    api.wait_for(lambda: not api.list("Deployment", name), "the Deployments gone", 30)
    api.wait_for(lambda: not api.get("Gateway", "panosc", name), "the Gateway gone", 30)
    namespace = api.get("Namespace", name)
    assert namespace is not None
    assert not namespace["metadata"].get("deletionTimestamp")
    assert (api.get("ConfigMap", "panosc-facility", name) or {}).get("data"), (
        "the data policy stays with the data"
    )

    make_all(api, name)
    assert (api.get("Secret", "catalogue-postgres", name) or {})["data"] == secret
    assert {
        c["metadata"]["name"]: c["metadata"]["uid"] for c in api.list("PersistentVolumeClaim", name)
    } == claims
    assert set(claims) == {"archive-data", "archive-state", "catalogue-postgres"}


def test_deletion_policy_delete_removes_volumes_and_secret(
    api: ApiServer, operator: Operator, name: str
) -> None:
    api.apply(facility(name))
    api.wait_for(lambda: api.get("Gateway", "panosc", name), "the facility")
    api.apply(catalogue(name, sources=[], deletionPolicy="Delete"))
    api.wait_for(lambda: api.get("HTTPRoute", "catalogue", name), "the catalogue")
    api.wait_for(
        lambda: (api.get("Catalogue", "catalogue", name) or {})["metadata"].get("finalizers"), "the finalizer"
    )
    api.delete("Catalogue", "catalogue", name)
    api.wait_for(lambda: api.get("Catalogue", "catalogue", name) is None, "the catalogue gone", 30)
    assert api.get("Secret", "catalogue-postgres", name) is None
    # Kubernetes' own protection keeps a claim while a pod of the deleted StatefulSet still has it.
    api.wait_for(lambda: not api.list("PersistentVolumeClaim", name), "the claim gone", 30)


def test_facility_with_policy_delete_takes_its_namespace_along(
    api: ApiServer, operator: Operator, name: str
) -> None:
    api.apply(facility(name, deletionPolicy="Delete"))
    api.wait_for(lambda: api.get("Gateway", "panosc", name), "the facility")
    api.delete("Facility", name)
    api.wait_for(lambda: api.get("Facility", name) is None, "the facility gone", 60)
    assert api.get("Namespace", name) is None


def test_adopted_namespace_outlives_even_policy_delete(api: ApiServer, operator: Operator, name: str) -> None:
    api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {"team": "x"}}})
    api.apply(facility(name, deletionPolicy="Delete"))
    api.wait_for(lambda: api.get("Gateway", "panosc", name), "the facility")
    adopted = (api.get("Namespace", name) or {})["metadata"]["labels"]
    assert adopted["team"] == "x"
    assert adopted["panosc.eu/facility"] == name
    api.delete("Facility", name)
    api.wait_for(lambda: api.get("Facility", name) is None, "the facility gone", 60)
    namespace = api.get("Namespace", name)
    assert namespace is not None
    assert not namespace["metadata"].get("deletionTimestamp")


def test_namespace_of_another_facility_is_refused(api: ApiServer, operator: Operator, name: str) -> None:
    api.apply(facility(name))
    await_reason(api, "GatewayProgressing", "Facility", name)
    rival = f"{name}-rival"
    api.apply(facility(rival, namespace=name))
    try:
        message = await_reason(api, "NamespaceTaken", "Facility", rival)
        assert f"namespace {name} belongs to facility {name}" in message
        assert ready(api, "Facility", rival, condition="Stalled")[0] == "True"
        labels = (api.get("Namespace", name) or {})["metadata"]["labels"]
        assert labels["panosc.eu/facility"] == name
        second = f"{name}-domain"
        api.apply(facility(second, domain=f"{name}.panosc.localhost"))
        await_reason(api, "DomainTaken", "Facility", second)
        api.delete("Facility", second)
    finally:
        api.delete("Facility", rival)


@pytest.mark.parametrize("reserved", ["kube-system", "default", NAMESPACE])
def test_namespaces_of_the_system_are_refused(
    api: ApiServer, operator: Operator, name: str, reserved: str
) -> None:
    before = api.get("Namespace", reserved)
    api.apply(facility(name, namespace=reserved))
    await_reason(api, "NamespaceTaken", "Facility", name)
    assert api.get("Namespace", reserved) == before


def test_without_a_facility_children_stay_as_they_are(api: ApiServer, operator: Operator, name: str) -> None:
    api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    api.apply(archive(name))
    await_reason(api, "NoFacility", "DataArchive", "archive", name)
    assert not api.list("Deployment", name)
    api.apply(facility(name))
    api.wait_for(lambda: api.get("HTTPRoute", "archive", name), "the archive, now that there is a facility")
    api.delete("Facility", name)
    await_reason(api, "NoFacility", "DataArchive", "archive", name)
    assert api.get("Deployment", "archive", name) is not None


def test_missing_references_are_named_and_waited_for(api: ApiServer, operator: Operator, name: str) -> None:
    api.apply(facility(name))
    api.wait_for(lambda: api.get("Gateway", "panosc", name), "the facility")
    api.apply(catalogue(name))
    message = await_reason(api, "ArchiveNotFound", "Catalogue", "catalogue", name)
    assert "DataArchive archive" in message
    assert ready(api, "Catalogue", "catalogue", name, "SourcesReady")[1] == "ArchiveNotFound"
    api.apply(archive(name, storage={"existingClaim": "files"}))
    assert "files" in await_reason(api, "ClaimNotFound", "DataArchive", "archive", name)
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "files", "namespace": name},
        "spec": {"accessModes": ["ReadOnlyMany"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    api.apply(claim)
    api.wait_for(lambda: api.get("Deployment", "archive", name), "the archive on the claim", 25)
    api.apply(catalogue(name, "second", sources=[], database={"external": {"secret": "theirs"}}))
    assert "theirs" in await_reason(api, "DatabaseSecretNotFound", "Catalogue", "second", name)
    api.apply(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "theirs", "namespace": name},
            "stringData": {"uri": "postgresql://me:hidden-value@db.example.org:6432/catalogue"},
        }
    )
    gate = api.wait_for(
        lambda: api.get("NetworkPolicy", "second-external-database", name), "the way to their database", 25
    )
    assert gate["spec"]["egress"] == [{"ports": [{"port": 6432, "protocol": "TCP"}]}]
    assert api.get("StatefulSet", "second-postgres", name) is None
    api.delete("DataArchive", "archive", name)
    time.sleep(1)
    assert api.get("PersistentVolumeClaim", "files", name) is not None


def test_objects_of_others_are_not_taken_over(api: ApiServer, operator: Operator, name: str) -> None:
    api.apply(facility(name))
    api.wait_for(lambda: api.get("Gateway", "panosc", name), "the facility")
    theirs = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "archive", "namespace": name},
        "spec": {"ports": [{"port": 1}]},
    }
    before = api.apply(theirs)[0]
    api.apply(archive(name))
    message = await_reason(api, "ApplyFailed", "DataArchive", "archive", name)
    assert f"Service {name}/archive" in message
    now = api.get("Service", "archive", name) or {}
    assert now["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]


def test_suspended_resource_is_left_alone(api: ApiServer, operator: Operator, name: str) -> None:
    make_all(api, name)
    api.patch("Catalogue", "catalogue", {"spec": {"suspend": True}}, name)
    await_reason(api, "Suspended", "Catalogue", "catalogue", name)
    api.patch("Deployment", "catalogue", {"spec": {"replicas": 4}}, name)
    time.sleep(2)
    assert (api.get("Deployment", "catalogue", name) or {})["spec"]["replicas"] == 4
    api.patch("Catalogue", "catalogue", {"spec": {"suspend": False}}, name)
    api.wait_for(
        lambda: (api.get("Deployment", "catalogue", name) or {})["spec"]["replicas"] == 1,
        "the replicas set back",
    )


def test_what_is_no_longer_wanted_goes(api: ApiServer, operator: Operator, name: str) -> None:
    make_all(api, name)
    api.patch("Catalogue", "catalogue", {"spec": {"replicas": 3}}, name)
    api.wait_for(lambda: api.get("PodDisruptionBudget", "catalogue", name), "the disruption budget")
    api.patch("Catalogue", "catalogue", {"spec": {"replicas": 1}}, name)
    api.wait_for(lambda: api.get("PodDisruptionBudget", "catalogue", name) is None, "no disruption budget")
    api.patch("Facility", name, {"spec": {"quota": {"cpu": "8"}}})
    api.wait_for(lambda: api.get("ResourceQuota", "panosc", name), "the quota")
    api.patch("Facility", name, {"spec": {"quota": {"cpu": None}}})
    api.wait_for(lambda: api.get("ResourceQuota", "panosc", name) is None, "no quota")


def test_changes_reach_those_who_depend_on_them(api: ApiServer, operator: Operator, name: str) -> None:
    make_all(api, name)

    def urls() -> str:
        pod = (api.get("Deployment", "archive", name) or {})["spec"]["template"]["spec"]
        environment = next(c for c in pod["containers"] if c["name"] == "api")["env"]
        return str(next(e["value"] for e in environment if e["name"] == "PANOSC_ARCHIVE_CATALOGUE_URLS"))

    api.wait_for(lambda: f"http://catalogue.{name}.svc:8080" in urls(), "the archive to know its catalogue")
    api.patch("Facility", name, {"spec": {"domain": f"{name}.example.org"}})
    for route in ("archive", "catalogue"):
        api.wait_for(
            lambda route=route: (
                (api.get("HTTPRoute", route, name) or {})["spec"]["hostnames"]
                == [f"{route}.{name}.example.org"]
            ),
            f"the new host of {route}",
        )
    api.delete("Catalogue", "catalogue", name)
    api.wait_for(lambda: urls() == "[]", "the archive to forget its catalogue")


def test_settled_cluster_sees_no_writes_even_after_resync_and_restart(
    api: ApiServer, operator: Operator, name: str, folder: Path, tmp_path: Path
) -> None:
    make_all(api, name)
    await_all_ready(api, name)
    operator.await_quiet()
    assert operator.stop() == 0
    before = versions(api, name)
    try:
        with running_operator(
            folder / "operator-kubeconfig", tmp_path, {"PANOSC_RESYNC_SECONDS": "2"}
        ) as second:
            passes = second.metric("controller_runtime_reconcile_total", result="success")
            api.wait_for(
                lambda: second.metric("controller_runtime_reconcile_total", result="success") >= passes + 9,
                "passes after resyncs",
                20,
            )
            assert versions(api, name) == before
            assert second.writes() == 0
    finally:
        operator.launch()
        operator.await_ready()


def test_fifty_facilities_settle(api: ApiServer, operator: Operator) -> None:
    names = [f"many{number:02}" for number in range(50)]
    started = time.monotonic()
    for each in names:
        api.apply(facility(each))
    try:
        for each in names:
            await_reason(api, "GatewayProgressing", "Facility", each, seconds=60)
        operator.await_quiet()
        assert time.monotonic() - started < 60
    finally:
        for each in names:
            api.delete("Facility", each)
            api.delete("Namespace", each)


def test_log_is_json_and_has_no_secrets(api: ApiServer, operator: Operator, name: str) -> None:
    make_all(api, name)
    secret = (api.get("Secret", "catalogue-postgres", name) or {})["data"]["password"]
    password = base64.b64decode(secret).decode()
    assert len(password) == 32
    lines = operator.log_lines()
    assert any(line.get("child") == f"Secret {name}/catalogue-postgres" for line in lines)
    text = operator.log.read_text()
    assert password not in text
    assert "hidden-value" not in text
    defects = [line for line in lines if line.get("level") == "error"]
    assert not defects, yaml.safe_dump(defects[:3])
