"""Rights of the operator, as the rules of its ClusterRole; the chart's is generated from this table.

`tests/apiserver` runs the operator with exactly these, so that a call without its right fails there.
"""

from typing import Any

from panosc_operator.api import KINDS
from panosc_operator.api.meta import GROUP

READ = ["get", "list", "watch"]
WATCH = ["list", "watch"]
OWN = [*READ, "create", "patch", "delete"]
"""What server-side apply, pruning and watching need; apply needs `create` for objects that aren't there."""

_KINDS = [model.info.plural for model in KINDS]
_NAMESPACED = [model.info.plural for model in KINDS if model.info.namespaced]


def _rule(group: str, resources: list[str], verbs: list[str]) -> dict[str, Any]:
    return {"apiGroups": [group], "resources": resources, "verbs": verbs}


RULES: list[dict[str, Any]] = [
    # The kinds themselves, on which it sets its finalizer. Administrators of facilities are given rights to
    # write those in their namespace, and nobody can give rights that they don't have.
    _rule(GROUP, _KINDS, [*READ, "patch"]),
    _rule(GROUP, _NAMESPACED, ["create", "delete", "update"]),
    _rule(GROUP, [f"{plural}/status" for plural in _KINDS], ["patch"]),
    # What the kinds become.
    _rule(
        "",
        [
            "configmaps",
            "limitranges",
            "namespaces",
            "persistentvolumeclaims",
            "resourcequotas",
            "secrets",
            "serviceaccounts",
            "services",
        ],
        OWN,
    ),
    _rule("apps", ["deployments", "statefulsets"], OWN),
    _rule("batch", ["cronjobs", "jobs"], OWN),
    _rule("gateway.networking.k8s.io", ["gateways", "httproutes"], OWN),
    _rule("gateway.envoyproxy.io", ["backends", "backendtrafficpolicies", "securitypolicies"], OWN),
    _rule("networking.k8s.io", ["networkpolicies"], OWN),
    _rule("policy", ["poddisruptionbudgets"], OWN),
    _rule(
        "rbac.authorization.k8s.io",
        ["clusterrolebindings", "clusterroles", "rolebindings", "roles"],
        OWN,
    ),
    # Events that it posts; with pods and their logs, administrators of facilities may read them.
    _rule("", ["events"], [*READ, "create"]),
    _rule("", ["pods", "pods/log"], READ),
    # What is not here, as every service account may read it: who issues their tokens, and by which keys.
    # Kinds whose definitions are installed later, such as the Gateway API's, are noticed then.
    _rule("apiextensions.k8s.io", ["customresourcedefinitions"], WATCH),
]
