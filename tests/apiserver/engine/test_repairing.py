"""What others change is set back, unless it is theirs; what is settled is not written."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from support.apiserver import ApiServer, Object
from support.operator import Operator, running_operator
from support.resources import await_all_ready, await_reason, make_all, versions

REPAIR_SECONDS = 5
_FROM_EVERYWHERE: Object = {
    "from": [
        {
            "namespaceSelector": {},
            "podSelector": {
                "matchLabels": {"app.kubernetes.io/name": "catalogue"},
                "matchExpressions": [
                    {
                        "key": "app.kubernetes.io/component",
                        "operator": "In",
                        "values": ["api", "ingest", "migrate"],
                    }
                ],
            },
        }
    ],
    "ports": [{"port": 5432, "protocol": "TCP"}],
}
"""The database's clients, and pods of all namespaces that look like them."""
_TO_ALL_PORTS: Object = {
    "from": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "panosc-system"}}}],
    "ports": [{"port": 8081, "protocol": "TCP", "endPort": 65535}],
}
"""The way of the operator to the port with the status, and to all above it."""
_ROUTED_ELSEWHERE: Object = {
    "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
    "backendRefs": [{"name": "archive", "port": 8080}],
    "filters": [
        {"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "archive-index", "port": 8081}}}
    ],
}
"""What is routed by the archive's rule, and a copy of it elsewhere."""


@pytest.mark.parametrize(
    ("kind", "child"),
    [
        ("Deployment", "catalogue"),
        ("Deployment", "archive-index"),
        ("Service", "catalogue-postgres"),
        ("ConfigMap", "panosc-facility"),
        ("NetworkPolicy", "panosc-default-deny"),
        ("Secret", "catalogue-postgres"),
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
        (
            "NetworkPolicy",
            "panosc-default-deny",
            {"spec": {"ingress": [{}], "egress": [{}]}},
            lambda o: (o["spec"].get("ingress"), o["spec"].get("egress")),
        ),
        (
            "NetworkPolicy",
            "panosc-database",
            {"spec": {"ingress": [_FROM_EVERYWHERE]}},
            lambda o: o["spec"]["ingress"],
        ),
        (
            "NetworkPolicy",
            "panosc-status",
            {"spec": {"ingress": [_TO_ALL_PORTS]}},
            lambda o: o["spec"]["ingress"],
        ),
        (
            "HTTPRoute",
            "archive",
            {"spec": {"rules": [_ROUTED_ELSEWHERE]}},
            lambda o: o["spec"]["rules"],
        ),
        (
            "NetworkPolicy",
            "panosc-database",
            {"metadata": {"labels": {"panosc.eu/owner-name": None}}},
            lambda o: o["metadata"]["labels"],
        ),
        (
            "PersistentVolumeClaim",
            "catalogue-postgres",
            {"metadata": {"labels": {"panosc.eu/owner-kind": None, "app.kubernetes.io/managed-by": None}}},
            lambda o: o["metadata"]["labels"],
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
    ids=[
        *("replicas", "ports", "selector", "opened fence", "wider sender", "wider port", "mirrored route"),
        *("owner of a fence", "owner of a claim", "policy", "label", "annotation"),
    ],
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


def test_what_cannot_be_changed_in_place_is_made_anew(api: ApiServer, operator: Operator, name: str) -> None:
    make_all(api, name)
    api.patch("Catalogue", "catalogue", {"spec": {"suspend": True}}, name)
    await_reason(api, "Suspended", "Catalogue", "catalogue", name)
    former = api.get("Deployment", "catalogue", name) or {}
    api.delete("Deployment", "catalogue", name)
    api.wait_for(lambda: api.get("Deployment", "catalogue", name) is None, "the Deployment gone")
    labels = {"app": "of-an-older-operator"}
    former["metadata"] = {
        key: former["metadata"][key] for key in ("name", "namespace", "labels", "ownerReferences")
    }
    former["spec"]["selector"] = {"matchLabels": labels}
    former["spec"]["template"]["metadata"]["labels"] = labels
    api.apply({key: former[key] for key in ("apiVersion", "kind", "metadata", "spec")})
    api.patch("Catalogue", "catalogue", {"spec": {"suspend": False}}, name)

    def anew() -> bool:
        now = api.get("Deployment", "catalogue", name)
        return now is not None and now["spec"]["selector"]["matchLabels"] != labels

    api.wait_for(anew, "the Deployment with its own selector", 15)
    assert [event for event in api.list("Event", name) if event["reason"] == "Replaced"]


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
