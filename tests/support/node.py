"""Plays kubelet, volume provisioner and gateway for one namespace: says that everything asked for is there.

The controllers in between are the real ones, so a Deployment becomes available by its pods, not by decree.
"""

from support.apiserver import ApiServer, Object, Refused

_GATEWAY = "example.org/gateway"
_NOW = "2026-01-01T00:00:00Z"


def settle(api: ApiServer, namespace: str) -> None:
    """One round: bind claims, start pods, complete Jobs' pods, program gateways, accept routes."""
    for claim in api.list("PersistentVolumeClaim", namespace):
        if claim.get("status", {}).get("phase") != "Bound":
            _volume(api, claim)
    for pod in api.list("Pod", namespace):
        _start(api, pod)
    for gateway in api.list("Gateway", namespace):
        _report(api, "Gateway", gateway, {"conditions": _true(gateway, "Accepted", "Programmed")})
    for route in api.list("HTTPRoute", namespace):
        parent = {
            "parentRef": route["spec"]["parentRefs"][0],
            "controllerName": _GATEWAY,
            "conditions": _true(route, "Accepted", "ResolvedRefs"),
        }
        _report(api, "HTTPRoute", route, {"parents": [parent]})


def _volume(api: ApiServer, claim: Object) -> None:
    metadata = claim["metadata"]
    api.apply(
        {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": f"{metadata['namespace']}-{metadata['name']}"},
            "spec": {
                "capacity": {"storage": claim["spec"]["resources"]["requests"]["storage"]},
                "accessModes": claim["spec"]["accessModes"],
                "storageClassName": claim["spec"].get("storageClassName", ""),
                "claimRef": {"namespace": metadata["namespace"], "name": metadata["name"]},
                "persistentVolumeReclaimPolicy": "Retain",
                "hostPath": {"path": "/nowhere"},
            },
        }
    )


def _start(api: ApiServer, pod: Object) -> None:
    is_job = any(owner["kind"] == "Job" for owner in pod["metadata"].get("ownerReferences", []))
    phase = "Succeeded" if is_job else "Running"
    if pod["status"].get("phase") == phase:
        return
    state = {"terminated": {"exitCode": 0}} if is_job else {"running": {"startedAt": _NOW}}
    ready = "False" if is_job else "True"
    status = {
        "phase": phase,
        "conditions": [{"type": "Ready", "status": ready, "lastTransitionTime": _NOW}],
        "containerStatuses": [
            {
                "name": container["name"],
                "image": container["image"],
                "imageID": "",
                "ready": not is_job,
                "restartCount": 0,
                "state": state,
            }
            for container in pod["spec"]["containers"]
        ],
    }
    _report(api, "Pod", pod, status)


def _true(obj: Object, *types: str) -> list[Object]:
    return [
        {
            "type": name,
            "status": "True",
            "reason": name,
            "message": "",
            "lastTransitionTime": _NOW,
            "observedGeneration": obj["metadata"]["generation"],
        }
        for name in types
    ]


def _report(api: ApiServer, kind: str, obj: Object, status: Object) -> None:
    metadata = obj["metadata"]
    try:
        api.patch(kind, metadata["name"], {"status": status}, metadata["namespace"], "status")
    except Refused as refused:
        if refused.status not in (404, 409):  # replaced or gone since it was listed
            raise
