"""What the operator doesn't do, and how it says so."""

import time

import pytest
from support.apiserver import ApiServer
from support.operator import NAMESPACE, Operator
from support.resources import archive, await_reason, catalogue, facility, ready


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


def test_namespace_with_pods_of_others_has_to_be_handed_over(
    api: ApiServer, operator: Operator, name: str
) -> None:
    api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    api.wait_for(lambda: api.get("ServiceAccount", "default", name), "what pods need")
    pod = {"containers": [{"name": "theirs", "image": "example.org/theirs"}]}
    api.apply(
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "theirs", "namespace": name}, "spec": pod}
    )
    api.apply(facility(name))
    message = await_reason(api, "NamespaceTaken", "Facility", name)
    assert f"by the label panosc.eu/facility={name}" in message
    assert not api.list("NetworkPolicy", name)
    api.patch("Namespace", name, {"metadata": {"labels": {"panosc.eu/facility": name}}})
    api.wait_for(lambda: api.get("NetworkPolicy", "panosc-default-deny", name), "the fences")


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
    message = await_reason(api, "ArchiveNotFound", "Catalogue", "catalogue", name, condition="SourcesReady")
    assert "DataArchive archive" in message
    assert api.get("Deployment", "catalogue", name) is not None, "searches are answered all the same"
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
