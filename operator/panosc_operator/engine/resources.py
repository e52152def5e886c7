"""Names of things in the Kubernetes API: resource types, and keys of objects."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

Object = dict[str, Any]
"""A Kubernetes object as decoded JSON."""


@dataclass(frozen=True, order=True)
class ResourceType:
    """One type of object the API server serves, in one version."""

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """The `apiVersion` of objects of this type."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(
        self, namespace: str | None = None, name: str | None = None, subresource: str | None = None
    ) -> str:
        """URL path of an object, or of the collection if no name is given."""
        parts = ["/apis", self.group, self.version] if self.group else ["/api", self.version]
        if self.namespaced and namespace:
            parts += ["namespaces", namespace]
        parts.append(self.plural)
        parts += [part for part in (name, subresource) if part]
        return "/".join(parts)


class Key(NamedTuple):
    """What identifies an object: its type's kind and group, its namespace (None if it has none), its name."""

    group: str
    kind: str
    namespace: str | None
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {f'{self.namespace}/' if self.namespace else ''}{self.name}"


def key_of(obj: Mapping[str, Any]) -> Key:
    """The key of an object that carries `apiVersion` and `kind`."""
    metadata = obj["metadata"]
    group = obj["apiVersion"].rpartition("/")[0]
    return Key(group, obj["kind"], metadata.get("namespace"), metadata["name"])


def labels_of(obj: Mapping[str, Any]) -> dict[str, str]:
    """The object's labels."""
    return obj["metadata"].get("labels") or {}


def annotations_of(obj: Mapping[str, Any]) -> dict[str, str]:
    """The object's annotations."""
    return obj["metadata"].get("annotations") or {}


def is_controlled_by(obj: Mapping[str, Any], uid: str) -> bool:
    """Whether one of the object's owner references points to the object with this uid."""
    return any(reference.get("uid") == uid for reference in obj["metadata"].get("ownerReferences") or [])


NAMESPACE = ResourceType("", "v1", "Namespace", "namespaces", namespaced=False)
SERVICE = ResourceType("", "v1", "Service", "services")
SECRET = ResourceType("", "v1", "Secret", "secrets")
CONFIG_MAP = ResourceType("", "v1", "ConfigMap", "configmaps")
PERSISTENT_VOLUME_CLAIM = ResourceType("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims")
RESOURCE_QUOTA = ResourceType("", "v1", "ResourceQuota", "resourcequotas")
LIMIT_RANGE = ResourceType("", "v1", "LimitRange", "limitranges")
SERVICE_ACCOUNT = ResourceType("", "v1", "ServiceAccount", "serviceaccounts")
EVENT = ResourceType("", "v1", "Event", "events")
POD = ResourceType("", "v1", "Pod", "pods")
DEPLOYMENT = ResourceType("apps", "v1", "Deployment", "deployments")
STATEFUL_SET = ResourceType("apps", "v1", "StatefulSet", "statefulsets")
JOB = ResourceType("batch", "v1", "Job", "jobs")
CRON_JOB = ResourceType("batch", "v1", "CronJob", "cronjobs")
POD_DISRUPTION_BUDGET = ResourceType("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets")
NETWORK_POLICY = ResourceType("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies")
ROLE = ResourceType("rbac.authorization.k8s.io", "v1", "Role", "roles")
ROLE_BINDING = ResourceType("rbac.authorization.k8s.io", "v1", "RoleBinding", "rolebindings")
CLUSTER_ROLE = ResourceType(
    "rbac.authorization.k8s.io", "v1", "ClusterRole", "clusterroles", namespaced=False
)
CLUSTER_ROLE_BINDING = ResourceType(
    "rbac.authorization.k8s.io", "v1", "ClusterRoleBinding", "clusterrolebindings", namespaced=False
)
GATEWAY = ResourceType("gateway.networking.k8s.io", "v1", "Gateway", "gateways")
HTTP_ROUTE = ResourceType("gateway.networking.k8s.io", "v1", "HTTPRoute", "httproutes")
BACKEND_TRAFFIC_POLICY = ResourceType(
    "gateway.envoyproxy.io", "v1alpha1", "BackendTrafficPolicy", "backendtrafficpolicies"
)
BACKEND = ResourceType("gateway.envoyproxy.io", "v1alpha1", "Backend", "backends")
SECURITY_POLICY = ResourceType("gateway.envoyproxy.io", "v1alpha1", "SecurityPolicy", "securitypolicies")
