"""What a Facility becomes: a fenced namespace with rights, limits, its data policy, and a gateway."""

from dataclasses import replace

from panosc_operator.api import Facility
from panosc_operator.api.meta import GROUP, LABEL_FACILITY
from panosc_operator.engine.desired import KEEP, Desired
from panosc_operator.engine.resources import (
    CLUSTER_ROLE,
    CLUSTER_ROLE_BINDING,
    HTTP_ROUTE,
    LIMIT_RANGE,
    NAMESPACE,
    RESOURCE_QUOTA,
    ROLE,
    ROLE_BINDING,
    Object,
    annotations_of,
    labels_of,
)
from panosc_operator.kinds.building import (
    FACILITY_CONFIG,
    GATEWAY_NAME,
    Part,
    config_map,
    gateway,
    rate_limits,
    redirect,
)
from panosc_operator.kinds.facility.login import login
from panosc_operator.kinds.facility.network import network_policies, scrape_policies
from panosc_operator.kinds.facility.observe import Observation
from panosc_operator.kinds.trust import bundle_objection, trust_copy

CREATED = f"{GROUP}/created"
"""Annotation of namespaces that we made, which may be deleted with their facility."""
ADMINISTRATORS = "panosc-administrators"

_READ = ["get", "list", "watch"]
_WRITE = [*_READ, "create", "update", "patch", "delete"]
_RESERVED = frozenset({"default"})


def namespace_objection(observed: Observation) -> str | None:
    """Why the facility can't have its namespace, and what to do; None if it can."""
    name, settings, own_name = observed.namespace_name, observed.settings, observed.facility.metadata.name
    elsewhere = "make the Facility with another spec.namespace"
    if name in _RESERVED | {settings.namespace, settings.gateway_namespace} or name.startswith("kube-"):
        return f"namespace {name} belongs to the system: {elsewhere}"
    if observed.namespace_rival:
        return f"namespace {name} belongs to facility {observed.namespace_rival}: {elsewhere}"
    holder = labels_of(observed.namespace).get(LABEL_FACILITY) if observed.namespace else None
    if holder and holder != own_name:
        return f"namespace {name} belongs to facility {holder}: {elsewhere}"
    if observed.namespace_occupied:
        # Fences and Pod Security would stop whatever runs there.
        label = f"{LABEL_FACILITY}={own_name}"
        return f"namespace {name} has pods: hand it over by the label {label}, or {elsewhere}"
    return None


def is_terminating(observed: Observation) -> bool:
    """Whether the namespace is being deleted."""
    return bool(observed.namespace and observed.namespace["metadata"].get("deletionTimestamp"))


def plan(observed: Observation) -> list[Desired] | None:
    """All objects of the facility; None while it can't have its namespace or domain."""
    if namespace_objection(observed) or observed.domain_rival or is_terminating(observed):
        return None
    facility, spec, settings = observed.facility, observed.facility.spec, observed.settings
    part = Part(
        "facility", facility.metadata.name, "facility", observed.namespace_name, facility.metadata.name
    )
    # What outlives the facility: the namespace, and what its services run with and are fenced by.
    lasting = [_namespace(part), _configuration(observed, part), *network_policies(observed, part)]
    if observed.trust_bundle and not bundle_objection(settings, observed.trust_bundle):
        lasting.append(trust_copy(part, observed.trust_bundle))
    ours = observed.namespace is None or CREATED in annotations_of(observed.namespace)
    objects = (
        [_annotated(lasting[0], CREATED), *lasting[1:]] if ours else [_annotated(o, KEEP) for o in lasting]
    )
    if spec.administrators.groups:
        objects += _administration(observed, part)
    quota = _quota(facility, part)
    hosts = f"*.{observed.domain}"
    return [
        *objects,
        *([quota] if quota else []),
        _limits(part),
        *login(observed, part),
        *scrape_policies(observed, part),
        gateway(part, GATEWAY_NAME, hosts, observed.certificate_name, settings),
        *rate_limits(part, GATEWAY_NAME, settings),
        *([redirect(part, hosts, settings)] if settings.redirects else []),
    ]


def _annotated(desired: Desired, annotation: str) -> Desired:
    metadata = {**desired.manifest["metadata"], "annotations": {annotation: "true"}}
    return replace(desired, manifest={**desired.manifest, "metadata": metadata})


def _namespace(part: Part) -> Desired:
    labels = {
        **part.labels,
        "pod-security.kubernetes.io/enforce": "restricted",
        "pod-security.kubernetes.io/warn": "restricted",
        "pod-security.kubernetes.io/audit": "restricted",
    }
    return Desired(
        NAMESPACE, {"metadata": {"name": part.namespace, "labels": labels}}, retain=True, adopt=True
    )


def _configuration(observed: Observation, part: Part) -> Desired:
    """The data policy, for the services. It stays with the data: without it, they would go back to the
    default embargo, which may be shorter."""
    policy = observed.facility.spec.data_policy.model_dump(mode="json", by_alias=True, exclude_none=True)
    return config_map(part, FACILITY_CONFIG, {"policy.json": policy}, retain=True)


def _administration(observed: Observation, part: Part) -> list[Desired]:
    """Rights of the facility's own people: its resources, and looking after them.

    They make the Secrets with accounts at sources and registrar, and read none of them back: even `patch` and
    `delete` answer with what is in a Secret. What they replace, they make under another name.
    """
    facility = observed.facility
    name = f"panosc-facility-{facility.metadata.name}"
    subjects = [
        {"kind": "Group", "name": group, "apiGroup": ROLE.group}
        for group in facility.spec.administrators.groups
    ]
    rules = [
        {"apiGroups": [GROUP], "resources": ["dataarchives", "catalogues"], "verbs": _WRITE},
        {
            "apiGroups": [""],
            "resources": ["pods", "pods/log", "events", "services", "configmaps", "persistentvolumeclaims"],
            "verbs": _READ,
        },
        {"apiGroups": ["apps"], "resources": ["deployments", "statefulsets"], "verbs": _READ},
        {"apiGroups": ["batch"], "resources": ["jobs", "cronjobs"], "verbs": _READ},
        # A migration that failed is made again when its Job is gone.
        {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["delete"]},
        {"apiGroups": [HTTP_ROUTE.group], "resources": ["gateways", "httproutes"], "verbs": _READ},
        {"apiGroups": [""], "resources": ["secrets"], "verbs": ["create"]},
    ]
    if observed.staff_secrets:
        staff = {
            "apiGroups": [""],
            "resources": ["secrets"],
            "resourceNames": list(observed.staff_secrets),
            "verbs": ["get", "patch", "delete"],
        }
        rules.append(staff)
    own = {
        "apiGroups": [GROUP],
        "resources": ["facilities"],
        "resourceNames": [facility.metadata.name],
        "verbs": _READ,
    }
    cluster_metadata = {"name": name, "labels": dict(part.labels)}
    return [
        Desired(ROLE, {"metadata": part.metadata(ADMINISTRATORS), "rules": rules}),
        Desired(
            ROLE_BINDING,
            {
                "metadata": part.metadata(ADMINISTRATORS),
                "roleRef": {"apiGroup": ROLE.group, "kind": ROLE.kind, "name": ADMINISTRATORS},
                "subjects": subjects,
            },
            replace=True,
        ),
        Desired(CLUSTER_ROLE, {"metadata": cluster_metadata, "rules": [own]}),
        Desired(
            CLUSTER_ROLE_BINDING,
            {
                "metadata": cluster_metadata,
                "roleRef": {"apiGroup": ROLE.group, "kind": CLUSTER_ROLE.kind, "name": name},
                "subjects": subjects,
            },
            replace=True,
        ),
    ]


def _quota(facility: Facility, part: Part) -> Desired | None:
    quota = facility.spec.quota
    hard = {
        "requests.cpu": quota.cpu,
        "requests.memory": quota.memory,
        "requests.nvidia.com/gpu": None if quota.gpu is None else str(quota.gpu),
        "requests.storage": quota.storage,
    }
    hard = {name: amount for name, amount in hard.items() if amount is not None}
    if not hard:
        return None
    return Desired(RESOURCE_QUOTA, {"metadata": part.metadata("panosc"), "spec": {"hard": hard}})


def _limits(part: Part) -> Desired:
    """Requests for containers that name none: under a quota, pods without requests are refused."""
    container: Object = {
        "type": "Container",
        "default": {"memory": "512Mi"},
        "defaultRequest": {"cpu": "50m", "memory": "128Mi"},
    }
    return Desired(LIMIT_RANGE, {"metadata": part.metadata("panosc"), "spec": {"limits": [container]}})
