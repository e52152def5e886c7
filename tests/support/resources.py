"""Resources of the three kinds for tests with an API server, and waiting for what becomes of them."""

from support import node
from support.apiserver import ApiServer, Object


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
    api: ApiServer,
    reason: str,
    kind: str,
    name: str,
    namespace: str = "",
    seconds: float = 15,
    condition: str = "Ready",
) -> str:
    """Wait for a reason of a condition; returns its message."""

    def now() -> tuple[str, str, str]:
        return ready(api, kind, name, namespace, condition)

    api.wait_for(lambda: now()[1] == reason, f"{kind} {name} {reason}, but {now()}", seconds)
    return now()[2]


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
