"""Pure builders of what several kinds need alike: labels, restricted pods, services, routes."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from panosc_operator.api.meta import (
    GROUP,
    LABEL_COMPONENT,
    LABEL_FACILITY,
    LABEL_INSTANCE,
    LABEL_NAME,
    LABEL_PART_OF,
)
from panosc_operator.engine.desired import Desired, digest
from panosc_operator.engine.resources import (
    BACKEND_TRAFFIC_POLICY,
    CONFIG_MAP,
    DEPLOYMENT,
    GATEWAY,
    HTTP_ROUTE,
    NETWORK_POLICY,
    PERSISTENT_VOLUME_CLAIM,
    POD_DISRUPTION_BUDGET,
    SERVICE,
    SERVICE_ACCOUNT,
    Object,
)
from panosc_operator.settings import Settings

USER = 10001
"""User and group of all our containers."""
API_PORT = 8080
STATUS_PORT = 8081
ARCHIVE_API_PORT = 8000
"""Port of the archive's API behind its nginx, which has its metrics too."""
ALL_ADDRESSES = "0.0.0.0"  # noqa: S104 - within a pod, whose fences are network policies
POSTGRES_PORT = 5432
GATEWAY_NAME = "panosc"
SESSION_LABELS = {f"{GROUP}/session": "browser"}
"""Labels of routes that need a session."""
CALLBACK_PATH = "/oauth2/callback"
"""Where the gateway takes people back from the login; Envoy Gateway's own default."""
LOGOUT_PATH = "/logout"
# Envoy calls its cookies so, with a suffix of the policy; the second one outlives the first.
_SESSION_COOKIE = "(.*; ?)?(AccessToken|RefreshToken)-[0-9a-f]+=.*"
LISTENER = "services"
"""The Gateways' listener that services are reached by; the other one just leads to it."""
REDIRECT = "panosc-redirect"
FACILITY_CONFIG = "panosc-facility"
CHECKSUM_CONFIG = f"{GROUP}/config"
"""Annotation of pods with the hash of the configuration they were started with."""

GRACE_SECONDS = 30
TOKEN_SECONDS = 3600
"""Life of the tokens by which services show each other who they are."""
_NODE = "kubernetes.io/hostname"


OUTSIDE: list[Object] = [
    {
        "ipBlock": {
            "cidr": "0.0.0.0/0",
            # Link-local addresses, among them most clouds' metadata services; Azure's and Alibaba's.
            "except": ["169.254.0.0/16", "168.63.129.16/32", "100.100.100.200/32"],
        }
    },
    # Link-local addresses; the metadata services of AWS and Google.
    {"ipBlock": {"cidr": "::/0", "except": ["fe80::/10", "fd00:ec2::/32", "fd20:ce::/32"]}},
]
"""Everywhere but the node itself and the metadata service of its cloud."""


class Part:
    """One component of a resource, such as the API of a catalogue: how it is named and labelled."""

    def __init__(
        self, software: str, instance: str, component: str, namespace: str, facility: str = ""
    ) -> None:
        self.namespace = namespace
        self.selector = {
            LABEL_NAME: software,
            LABEL_INSTANCE: instance,
            LABEL_COMPONENT: component,
        }
        self.labels = {**self.selector, LABEL_PART_OF: "panosc"}
        if facility:
            self.labels[LABEL_FACILITY] = facility

    def metadata(self, name: str) -> Object:
        """Metadata of an object of this component."""
        return {"name": name, "namespace": self.namespace, "labels": dict(self.labels)}


def resources(cpu: str, memory: str, *, memory_limit: str) -> Object:
    """What a container is promised, and the memory it may take; idle CPU is anybody's."""
    return {"requests": {"cpu": cpu, "memory": memory}, "limits": {"memory": memory_limit}}


def container(
    name: str,
    image: str,
    pull_policy: str,
    *,
    requirements: Object,
    mounts: Mapping[str, str] | None = None,
    read_only_mounts: Mapping[str, str] | None = None,
    environment: Mapping[str, Any] | None = None,
    **fields: Any,
) -> Object:
    """A container that may do nothing but run; its only writable folder beside `mounts` is /tmp.

    `mounts` are paths by volume; `environment` has strings, or mappings that become `valueFrom`.
    """
    writable = {"tmp": "/tmp", **(mounts or {})}  # noqa: S108 - a volume of the pod's own
    return {
        "name": name,
        "image": image,
        "imagePullPolicy": pull_policy,
        "resources": requirements,
        # The end of its log becomes a part of the pod's status, and so of ours.
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "env": [
            {"name": key, "value": value} if isinstance(value, str) else {"name": key, "valueFrom": value}
            for key, value in sorted((environment or {}).items())
        ],
        "volumeMounts": [
            *({"name": volume, "mountPath": path} for volume, path in writable.items()),
            *(
                {"name": volume, "mountPath": path, "readOnly": True}
                for volume, path in (read_only_mounts or {}).items()
            ),
        ],
        **fields,
    }


def pod(
    containers: list[Object], volumes: list[Object], *, groups: Iterable[int] = (), **fields: Any
) -> Object:
    """The spec of a pod that satisfies the restricted Pod Security Standard.

    `groups`: numbers of the groups that it needs beside its own, to read the files of others.
    """
    more = {"supplementalGroups": sorted(set(groups))} if groups else {}
    return {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": GRACE_SECONDS,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            # Changing the group of every file of an archive at each start would take hours.
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
            **more,
        },
        "containers": containers,
        "volumes": [{"name": "tmp", "emptyDir": {}}, *volumes],
        **fields,
    }


def deployment(
    part: Part,
    name: str,
    spec: Object,
    *,
    replicas: int = 1,
    alone: bool = False,
    config: Any = None,
    restart_on: tuple[str, ...] = (),
) -> Desired:
    """A Deployment of a component.

    `alone`: its pod must not run beside its successor. `config`: what its pods read only when they start.
    """
    spec = dict(spec)
    if replicas > 1 and "affinity" not in spec:
        spec["topologySpreadConstraints"] = [
            {
                "maxSkew": 1,
                "topologyKey": _NODE,
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": part.selector},
            }
        ]
    strategy: Object = {"type": "Recreate"} if alone else _ROLLING
    template_metadata: Object = {"labels": dict(part.labels)}
    if config is not None:
        template_metadata["annotations"] = {CHECKSUM_CONFIG: digest(config)}
    return Desired(
        DEPLOYMENT,
        {
            "metadata": part.metadata(name),
            "spec": {
                "replicas": replicas,
                "revisionHistoryLimit": 2,
                "strategy": strategy,
                "selector": {"matchLabels": dict(part.selector)},
                "template": {"metadata": template_metadata, "spec": spec},
            },
        },
        replace=True,
        restart_on=restart_on,
    )


def beside_archives(names: Iterable[str]) -> Object:
    """Field of a pod that puts it on the node of these archives' pods, whose volumes only one node can have;
    none without archives. (Where a pod is itself the first of them, Kubernetes lets it choose the node.)
    """
    terms = [
        {
            "topologyKey": _NODE,
            "labelSelector": {"matchLabels": {LABEL_NAME: "archive", LABEL_INSTANCE: name}},
        }
        for name in names
    ]
    if not terms:
        return {}
    return {"affinity": {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}}


_ROLLING: Object = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}


def service_account(part: Part, name: str) -> Desired:
    """A ServiceAccount without rights: only for its tokens, and those only where a pod asks for them."""
    manifest = {"metadata": part.metadata(name), "automountServiceAccountToken": False}
    return Desired(SERVICE_ACCOUNT, manifest)


def disruption_budget(part: Part, name: str) -> Desired:
    """Keeps one pod of a component with several while nodes are drained."""
    return Desired(
        POD_DISRUPTION_BUDGET,
        {
            "metadata": part.metadata(name),
            "spec": {"maxUnavailable": 1, "selector": {"matchLabels": dict(part.selector)}},
        },
    )


def service(part: Part, name: str, port: int, *, port_name: str = "http") -> Desired:
    """A Service in front of a component's pods, under the port they listen on."""
    ports = [{"name": port_name, "port": port, "targetPort": port, "protocol": "TCP"}]
    return Desired(
        SERVICE,
        {
            "metadata": part.metadata(name),
            "spec": {"type": "ClusterIP", "selector": dict(part.selector), "ports": ports},
        },
        replace=True,
    )


def gateway(part: Part, name: str, hostname: str, secret: str, settings: Settings) -> Desired:
    """A Gateway for a host, or for all below a domain (`*.…`); with TLS by the certificate in `secret`."""
    common: Object = {"hostname": hostname, "allowedRoutes": {"namespaces": {"from": "Same"}}}
    listener: Object = {
        **common,
        "name": LISTENER,
        "port": settings.gateway_port,
        "protocol": settings.scheme.upper(),
    }
    listeners = [listener]
    if settings.redirects:
        listeners.append({**common, "name": REDIRECT, "port": settings.gateway_http_port, "protocol": "HTTP"})
    metadata = part.metadata(name)
    if settings.gateway_tls:
        certificate = {"group": "", "kind": "Secret", "name": secret}
        listener["tls"] = {"mode": "Terminate", "certificateRefs": [certificate]}
        if settings.gateway_cluster_issuer:
            metadata["annotations"] = {"cert-manager.io/cluster-issuer": settings.gateway_cluster_issuer}
    return Desired(
        GATEWAY,
        {"metadata": metadata, "spec": {"gatewayClassName": settings.gateway_class, "listeners": listeners}},
    )


def rate_limits(part: Part, gateway_name: str, settings: Settings) -> list[Desired]:
    """What stops an address that sends more requests to a Gateway's hosts than it may. Each of the gateway's
    pods counts by itself, and each prefix of paths that a route names for itself. What leads to HTTPS isn't
    counted: Envoy Gateway limits routes to a backend, and passes over those that redirect."""
    if not settings.gateway_requests_per_second:
        return []
    limit = {"requests": settings.gateway_requests_per_second, "unit": "Second"}
    rules = [
        # An address of its own for each that falls into it.
        {
            "clientSelectors": [{"sourceCIDR": {"type": "Distinct", "value": network, "invert": False}}],
            "limit": limit,
        }
        for network in ("0.0.0.0/0", "::/0")
    ]
    target = {"group": GATEWAY.group, "kind": GATEWAY.kind, "name": gateway_name}
    spec = {"targetRefs": [target], "rateLimit": {"type": "Local", "local": {"rules": rules}}}
    return [Desired(BACKEND_TRAFFIC_POLICY, {"metadata": part.metadata(gateway_name), "spec": spec})]


def redirect(part: Part, hostname: str, settings: Settings, *, gateway_name: str = GATEWAY_NAME) -> Desired:
    """The HTTPRoute that sends who comes to a Gateway by plain HTTP to the same address by HTTPS."""
    target = {"scheme": "https", "port": settings.gateway_port, "statusCode": 301}
    rule = {
        "matches": [path_match("PathPrefix", "/")],
        "filters": [{"type": "RequestRedirect", "requestRedirect": target}],
    }
    return Desired(
        HTTP_ROUTE,
        {
            "metadata": part.metadata(REDIRECT),
            "spec": {
                "parentRefs": [{"name": gateway_name, "sectionName": REDIRECT}],
                "hostnames": [hostname],
                "rules": [rule],
            },
        },
    )


def route(
    part: Part,
    service_name: str,
    host: str,
    matches: list[Object],
    *,
    name: str = "",
    gateway_name: str = GATEWAY_NAME,
) -> Desired:
    """An HTTPRoute from a Gateway to a Service, whose name it has unless it is given one."""
    # With its defaults, as rules have one writer as a whole and are compared exactly.
    backend = {"group": "", "kind": "Service", "name": service_name, "port": API_PORT, "weight": 1}
    # Envoy would end any answer after 15 s, and with it every larger download. How long a service may take,
    # it decides itself.
    rule = {"matches": matches, "backendRefs": [backend], "timeouts": {"request": "0s"}}
    return Desired(
        HTTP_ROUTE,
        {
            "metadata": part.metadata(name or service_name),
            "spec": {
                "parentRefs": [{"name": gateway_name, "sectionName": LISTENER}],
                "hostnames": [host],
                "rules": [rule],
            },
        },
    )


def session_route(
    part: Part, name: str, host: str, matches: list[Object], paths: Iterable[str] = ()
) -> Desired:
    """An HTTPRoute to the same Service for who has a session, or comes for one to `paths`.

    The gateway takes people there to the login, and puts the access token of their session to each request;
    the policy that says so goes by the label. Whoever has no session is the public, by the other route. Our
    kinds' names have no dot, so that no other service's route can be called so.
    """
    cookie = {"type": "RegularExpression", "name": "Cookie", "value": _SESSION_COOKIE}
    entries = [path_match("Exact", path) for path in (CALLBACK_PATH, LOGOUT_PATH, *paths)]
    with_session = [{**match, "headers": [cookie]} for match in matches]
    desired = route(part, name, host, [*entries, *with_session], name=f"{name}.session")
    desired.manifest["metadata"]["labels"] |= SESSION_LABELS
    return desired


def path_match(kind: str, value: str) -> Object:
    """A match of an HTTPRoute: `PathPrefix` or `Exact`."""
    return {"path": {"type": kind, "value": value}}


def config_map(part: Part, name: str, documents: Mapping[str, Any], *, retain: bool = False) -> Desired:
    """A ConfigMap with JSON documents by file name."""
    data = {file: json.dumps(content, indent=2, sort_keys=True) + "\n" for file, content in documents.items()}
    return Desired(CONFIG_MAP, {"metadata": part.metadata(name), "data": data}, retain=retain)


def claim(part: Part, name: str, size: str, storage_class: str | None, access_modes: list[str]) -> Desired:
    """A PersistentVolumeClaim, which outlives its owner."""
    spec: Object = {"accessModes": access_modes, "resources": {"requests": {"storage": size}}}
    if storage_class:
        spec["storageClassName"] = storage_class
    return Desired(PERSISTENT_VOLUME_CLAIM, {"metadata": part.metadata(name), "spec": spec}, retain=True)


def claim_volume(name: str, claim_name: str, *, read_only: bool = False) -> Object:
    """A pod's volume from a claim."""
    source: Object = {"claimName": claim_name}
    if read_only:
        source["readOnly"] = True
    return {"name": name, "persistentVolumeClaim": source}


def config_volume(name: str, config_map_name: str) -> Object:
    """A pod's volume from a ConfigMap; the pod waits until that is there."""
    return {"name": name, "configMap": {"name": config_map_name}}


def secret_volume(name: str, secret_name: str, *, optional: bool = False) -> Object:
    """A pod's volume from a Secret; the pod waits until that is there, unless it is `optional`."""
    secret: Object = {"secretName": secret_name}
    if optional:
        secret["optional"] = True
    return {"name": name, "secret": secret}


def token_volume(name: str, audiences: Mapping[str, str]) -> Object:
    """A pod's volume with tokens of its service account, which the kubelet replaces before they expire.

    `audiences`: what each is issued for, by name of the file.
    """
    sources = [
        {"serviceAccountToken": {"audience": audience, "expirationSeconds": TOKEN_SECONDS, "path": file}}
        for file, audience in audiences.items()
    ]
    return {"name": name, "projected": {"sources": sources}}


def http_probe(path: str, port: int, *, period: int, failures: int) -> Object:
    """A probe by HTTP."""
    return {
        "httpGet": {"path": path, "port": port, "scheme": "HTTP"},
        "periodSeconds": period,
        "timeoutSeconds": 3,
        "failureThreshold": failures,
    }


def accepts_connections(port: int) -> Object:
    """A liveness probe of what only passes on the health of something behind it."""
    return {"tcpSocket": {"port": port}, "periodSeconds": 10, "timeoutSeconds": 3, "failureThreshold": 3}


def probes(port: int, *, live: str = "/healthz", ready: str = "/healthz") -> Object:
    """Fields of a container whose health is asked by HTTP: slow starts are waited for, up to two minutes."""
    return {
        "startupProbe": http_probe(live, port, period=1, failures=120),
        "livenessProbe": http_probe(live, port, period=10, failures=3),
        "readinessProbe": http_probe(ready, port, period=5, failures=2),
    }


def pods_in(namespace: str) -> Object:
    """The peer of a network policy that stands for all pods of a namespace."""
    return {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}}


def pods_of_facilities(labels: Mapping[str, str]) -> Object:
    """The peer of a network policy that stands for the pods with these labels in facilities' namespaces."""
    return {
        "namespaceSelector": {"matchExpressions": [{"key": LABEL_FACILITY, "operator": "Exists"}]},
        **pods_with(labels),
    }


def pods_with(labels: Mapping[str, str]) -> Object:
    """The peer of a network policy that stands for the pods of the same namespace with these labels."""
    return {"podSelector": {"matchLabels": dict(labels)}}


def ports(*numbers: int, protocols: Iterable[str] = ("TCP",)) -> list[Object]:
    """Ports of a rule of a network policy."""
    return [{"port": number, "protocol": protocol} for number in numbers for protocol in protocols]


def network_policy(part: Part, name: str, pods: Object, **rules: list[Object]) -> Desired:
    """A network policy for pods (a label selector), with the rules `ingress`, `egress` or both."""
    # Empty rules are written too: a field that isn't ours could be filled by anybody.
    spec = {
        "podSelector": pods,
        "policyTypes": [direction.capitalize() for direction in rules],
        **rules,
    }
    return Desired(NETWORK_POLICY, {"metadata": part.metadata(name), "spec": spec})
