"""What survives a deletion, what goes, and what only grows."""

from support import node
from support.apiserver import ApiServer, Object
from support.operator import Operator
from support.resources import archive, await_reason, catalogue, facility, make_all


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


def test_policy_at_the_time_of_deletion_counts(api: ApiServer, operator: Operator, name: str) -> None:
    """Also for a suspended resource, whose finalizer is still that of its former policy."""
    api.apply(facility(name))
    api.wait_for(lambda: api.get("Gateway", "panosc", name), "the facility")
    api.apply(catalogue(name, sources=[], deletionPolicy="Delete"))
    api.wait_for(
        lambda: (api.get("Catalogue", "catalogue", name) or {})["metadata"].get("finalizers"), "the finalizer"
    )
    api.wait_for(lambda: api.get("PersistentVolumeClaim", "catalogue-postgres", name), "the claim")
    api.patch("Catalogue", "catalogue", {"spec": {"suspend": True}}, name)
    await_reason(api, "Suspended", "Catalogue", "catalogue", name)
    api.patch("Catalogue", "catalogue", {"spec": {"deletionPolicy": "Retain"}}, name)
    api.delete("Catalogue", "catalogue", name)
    api.wait_for(lambda: api.get("Catalogue", "catalogue", name) is None, "the catalogue gone", 30)
    for kind in ("PersistentVolumeClaim", "Secret"):
        kept = api.get(kind, "catalogue-postgres", name)
        assert kept is not None, kind
        assert not kept["metadata"].get("deletionTimestamp"), kind


def test_facility_with_policy_delete_takes_its_namespace_along(
    api: ApiServer, operator: Operator, name: str
) -> None:
    api.apply(facility(name, deletionPolicy="Delete"))
    api.wait_for(lambda: api.get("Gateway", "panosc", name), "the facility")
    # One that has something to clean up itself, in a namespace that is going.
    api.apply(catalogue(name, sources=[], deletionPolicy="Delete"))
    api.wait_for(lambda: api.get("HTTPRoute", "catalogue", name), "the catalogue")
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
    # Its pods run on: they must not fall back to another embargo, or be open to the cluster.
    assert (api.get("ConfigMap", "panosc-facility", name) or {}).get("data")
    fences = {policy["metadata"]["name"] for policy in api.list("NetworkPolicy", name)}
    assert {"panosc-default-deny", "panosc-database"} <= fences


def test_claims_grow_and_never_shrink(api: ApiServer, operator: Operator, name: str) -> None:
    api.apply(
        {
            "apiVersion": "storage.k8s.io/v1",
            "kind": "StorageClass",
            "metadata": {"name": "growing"},
            "provisioner": "example.org/none",
            "allowVolumeExpansion": True,
        }
    )
    api.apply(facility(name))
    api.wait_for(lambda: api.get("Gateway", "panosc", name), "the facility")

    def storage(size: str) -> Object:
        return {"claim": {"size": size, "storageClass": "growing"}}

    def size() -> str:
        claim = api.get("PersistentVolumeClaim", "archive-data", name)
        return str(claim["spec"]["resources"]["requests"]["storage"]) if claim else ""

    def bound() -> bool:
        node.settle(api, name)
        return all(claim["status"]["phase"] == "Bound" for claim in api.list("PersistentVolumeClaim", name))

    api.apply(archive(name, storage=storage("1Gi")))
    api.wait_for(lambda: size() == "1Gi", "the claim")
    api.wait_for(bound, "the claim bound", 30)
    api.apply(archive(name, storage=storage("2Gi")))
    api.wait_for(lambda: size() == "2Gi", "the claim grown")
    api.delete("DataArchive", "archive", name)
    api.wait_for(lambda: api.get("Deployment", "archive", name) is None, "the archive gone", 30)
    api.apply(archive(name, storage=storage("1Gi")))
    message = await_reason(api, "ApplyFailed", "DataArchive", "archive", name)
    assert "can't shrink to 1Gi: give at least 2Gi" in message
    assert size() == "2Gi"
