"""What may be changed in an object, and what the API server adds to it or leaves out."""

import re
from typing import Any

import pytest
from support.apiserver import ApiServer, Object, Refused

FIRST = "in the {} first chosen, which can't be changed"
COPY = "make a second DataArchive with the new storage, copy the files into it, then delete this one"
REFILL = "make a second Catalogue with the new database, let it fill, then delete this one"


def archive(namespace: str, **spec: Any) -> Object:
    return _object("DataArchive", "archive", namespace, spec)


def catalogue(namespace: str, **spec: Any) -> Object:
    return _object("Catalogue", "catalogue", namespace, spec)


def _object(kind: str, name: str, namespace: str, spec: Object) -> Object:
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "panosc.eu/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec}


CLAIM = {"size": "10Gi", "storageClass": "fast"}

REFUSED_CHANGES = [
    (
        archive,
        {"storage": {"claim": CLAIM}},
        {"storage": {"existingClaim": "other"}},
        [
            ("spec.storage", f"the files are {FIRST.format('storage')}: {COPY}"),
            ("spec.storage.existingClaim", f"existingClaim can't be changed from unset to other: {COPY}"),
        ],
    ),
    (
        archive,
        {"storage": {"existingClaim": "one"}},
        {"storage": {"existingClaim": "two"}},
        [("spec.storage.existingClaim", f"existingClaim can't be changed from one to two: {COPY}")],
    ),
    (
        archive,
        {"storage": {"claim": CLAIM}},
        {"storage": {"claim": {**CLAIM, "storageClass": "slow"}}},
        [("spec.storage.claim.storageClass", f"storageClass can't be changed from fast to slow: {COPY}")],
    ),
    (
        archive,
        {"storage": {"claim": CLAIM}},
        {"storage": {"claim": {"size": "10Gi"}}},
        [("spec.storage.claim.storageClass", f"storageClass can't be changed from fast to unset: {COPY}")],
    ),
    (
        archive,
        {"storage": {"claim": CLAIM}},
        {"storage": {"claim": {**CLAIM, "size": "9Gi"}}},
        [("spec.storage.claim.size", "size can't shrink from 10Gi to 9Gi: a volume only grows")],
    ),
    (
        archive,
        {"storage": {"claim": CLAIM}},
        {"storage": {"claim": {**CLAIM, "accessModes": ["ReadWriteMany"]}}},
        [("spec.storage.claim.accessModes", f"accessModes can't be changed: {COPY}")],
    ),
    (
        archive,
        {"storage": {"claim": CLAIM}, "state": {"size": "2Gi"}},
        {"storage": {"claim": CLAIM}},
        [("spec.state.size", "size can't shrink from 2Gi to 1Gi: a volume only grows")],
    ),
    (
        archive,
        {"storage": {"claim": CLAIM}},
        {"storage": {"claim": CLAIM}, "state": {"storageClass": "fast"}},
        [("spec.state.storageClass", "storageClass can't be changed from unset to fast")],
    ),
    (
        catalogue,
        {"database": {"managed": CLAIM}},
        {"database": {"external": {"secret": "postgres"}}},
        [("spec.database", f"the records are {FIRST.format('database')}: {REFILL}")],
    ),
    (
        catalogue,
        {"database": {"managed": CLAIM}},
        {"database": {"managed": {**CLAIM, "storageClass": "slow"}}},
        [
            (
                "spec.database.managed.storageClass",
                f"storageClass can't be changed from fast to slow: {REFILL}",
            )
        ],
    ),
    (
        catalogue,
        {"database": {"managed": CLAIM}},
        {"database": {"managed": {**CLAIM, "size": "1Gi"}}},
        [("spec.database.managed.size", "size can't shrink from 10Gi to 1Gi: a volume only grows")],
    ),
]


@pytest.mark.parametrize(("make", "before", "after", "messages"), REFUSED_CHANGES)
def test_refuses_a_change_that_would_lose_data(
    api: ApiServer, namespace: str, make: Any, before: Object, after: Object, messages: list[tuple[str, str]]
) -> None:
    api.apply(make(namespace, **before))
    with pytest.raises(Refused) as refused:
        api.apply(make(namespace, **after))
    for field, sentence in messages:
        assert f"{field}: Invalid value: {sentence}" in refused.value.message


ALLOWED_CHANGES = [
    (archive, {"storage": {"claim": CLAIM}}, {"storage": {"claim": {**CLAIM, "size": "1Ti"}}}),
    (archive, {"storage": {"claim": CLAIM}}, {"storage": {"claim": {**CLAIM, "size": "10240Mi"}}}),
    (archive, {"storage": {"claim": CLAIM}}, {"storage": {"claim": CLAIM}, "deletionPolicy": "Delete"}),
    (catalogue, {"database": {"external": {"secret": "old"}}}, {"database": {"external": {"secret": "new"}}}),
    (catalogue, {}, {"database": {"managed": {"size": "20Gi"}}, "replicas": 3}),
]


@pytest.mark.parametrize(("make", "before", "after"), ALLOWED_CHANGES)
def test_allows_a_change_that_keeps_the_data(
    api: ApiServer, namespace: str, make: Any, before: Object, after: Object
) -> None:
    api.apply(make(namespace, **before))
    api.apply(make(namespace, **after))


@pytest.fixture
def facility(api: ApiServer, namespace: str) -> Any:
    """Applies a Facility with a name of its own; it is deleted afterwards."""

    def apply(**spec: Any) -> Object:
        manifest = _object("Facility", namespace, "", {"displayName": "A facility", **spec})
        del manifest["metadata"]["namespace"]
        return api.apply(manifest)[0]

    yield apply
    api.delete("Facility", namespace)


def test_a_facility_stays_in_its_namespace(api: ApiServer, namespace: str, facility: Any) -> None:
    facility()
    facility(namespace=namespace)  # saying what is the default changes nothing
    with pytest.raises(Refused) as refused:
        facility(namespace="elsewhere")
    assert (
        f"spec.namespace: Invalid value: the namespace can't be changed from {namespace} to elsewhere, "
        "as it has the facility's data: make a second Facility and move the data"
    ) in refused.value.message


def test_what_is_left_out_gets_the_documented_defaults(api: ApiServer, namespace: str, facility: Any) -> None:
    assert facility()["spec"] == {
        "displayName": "A facility",
        "administrators": {},
        "dataPolicy": {
            "embargo": {"months": 36, "maxExtensionMonths": 24},
            "rawRetention": {"years": 10},
            "license": "CC-BY-4.0",
            "metadataLicense": "CC0-1.0",
        },
        "identifiers": {},
        "quota": {},
        "deletionPolicy": "Retain",
        "suspend": False,
    }
    assert api.apply(archive(namespace, storage={"claim": {"size": "1Gi"}}))[0]["spec"] == {
        "storage": {"claim": {"size": "1Gi", "accessModes": ["ReadWriteOnce"]}},
        "state": {"size": "1Gi"},
        "layout": {"proposalDirectory": 1},
        "replicas": 1,
        "fixity": {"schedule": "0 3 * * 0"},
        "deletionPolicy": "Retain",
        "suspend": False,
    }
    source = {"name": "beamlines", "nexus": {"archive": "archive"}}
    assert api.apply(catalogue(namespace, sources=[source]))[0]["spec"] == {
        "sources": [
            {
                "name": "beamlines",
                "nexus": {
                    "archive": "archive",
                    "include": ["*.nxs", "*.h5", "*.hdf5", "*.hdf", "*.nx5", "*.nexus"],
                },
            }
        ],
        "ontology": {"version": "1.3.0"},
        "database": {"managed": {"memory": "2Gi", "size": "10Gi"}},
        "replicas": 1,
        "deletionPolicy": "Retain",
        "suspend": False,
    }


def test_a_part_of_the_data_policy_leaves_the_rest_at_its_defaults(facility: Any) -> None:
    policy = facility(dataPolicy={"embargo": {"months": 12}})["spec"]["dataPolicy"]
    assert policy["embargo"] == {"months": 12, "maxExtensionMonths": 24}
    assert policy["license"] == "CC-BY-4.0"


def test_two_people_add_sources_without_knowing_each_other(api: ApiServer, namespace: str) -> None:
    one = {"name": "one", "nexus": {"archive": "archive", "include": ["*.nxs"]}}
    two = {"name": "two", "nexus": {"archive": "archive", "include": ["*.h5"]}}
    api.apply(catalogue(namespace, sources=[one]), manager="one")
    api.apply(catalogue(namespace, sources=[two]), manager="two")
    assert api.existing("Catalogue", "catalogue", namespace)["spec"]["sources"] == [one, two]
    api.apply(catalogue(namespace), manager="one")
    assert api.existing("Catalogue", "catalogue", namespace)["spec"]["sources"] == [two]


def test_the_status_is_changed_only_through_its_own_subresource(api: ApiServer, namespace: str) -> None:
    api.apply(archive(namespace, storage={"existingClaim": "data"}))
    status = {"files": 3, "bytes": 2**40, "url": "http://archive.esrf.panosc.localhost"}
    api.patch("DataArchive", "archive", {"status": status}, namespace)
    # The operator of the engine's tests may be running, and write other fields of the status.
    assert not status.keys() & api.existing("DataArchive", "archive", namespace).get("status", {}).keys()
    api.patch("DataArchive", "archive", {"status": status, "spec": {"replicas": 9}}, namespace, "status")
    stored = api.existing("DataArchive", "archive", namespace)
    assert status.items() <= stored["status"].items()
    assert stored["spec"]["replicas"] == 1
    assert stored["metadata"]["generation"] == 1


def test_a_condition_has_only_the_values_kubectl_understands(api: ApiServer, namespace: str) -> None:
    api.apply(archive(namespace, storage={"existingClaim": "data"}))
    condition = {
        "type": "Ready",
        "status": "Yes",
        "reason": "Available",
        "lastTransitionTime": "2026-11-24T12:00:00Z",
    }
    with pytest.raises(Refused) as refused:
        api.patch("DataArchive", "archive", {"status": {"conditions": [condition]}}, namespace, "status")
    assert re.search(r'status.conditions\[0\].status: .*"True", "False", "Unknown"', refused.value.message)


def test_people_keep_their_identifiers(api: ApiServer, namespace: str) -> None:
    def apply(scope: str) -> None:
        spec = {"displayName": "PaNOSC", "identifierScope": scope, "entitlementNamespace": "geant:x.eu"}
        manifest = _object("Federation", namespace, "", spec)
        del manifest["metadata"]["namespace"]
        api.apply(manifest)

    try:
        apply("panosc.eu")
        with pytest.raises(Refused) as refused:
            apply("another.eu")
        assert (
            "spec.identifierScope: Invalid value: identifierScope can't be changed from panosc.eu to "
            "another.eu: it is a part of everybody's identifier"
        ) in refused.value.message
    finally:
        api.delete("Federation", namespace)
