"""The fences of a facility's namespace: nothing in, nothing out, but what the services need."""

from dataclasses import replace

from panosc_operator.api.meta import LABEL_COMPONENT, LABEL_NAME
from panosc_operator.engine.desired import Desired
from panosc_operator.engine.resources import Object
from panosc_operator.kinds.building import (
    API_PORT,
    ARCHIVE_API_PORT,
    POSTGRES_PORT,
    STATUS_PORT,
    Part,
    network_policy,
    pods_in,
    ports,
)
from panosc_operator.kinds.facility.observe import Observation

_DATABASE_CLIENTS = ["api", "dois", "ingest", "migrate"]
_DATABASE: Object = {"matchLabels": {LABEL_COMPONENT: "database"}}
_CATALOGUE_API: Object = {"matchLabels": {LABEL_NAME: "catalogue", LABEL_COMPONENT: "api"}}
_ARCHIVE_API: Object = {"matchLabels": {LABEL_NAME: "archive", LABEL_COMPONENT: "api"}}
_DATABASE_USERS: Object = {
    "matchLabels": {LABEL_NAME: "catalogue"},
    "matchExpressions": [{"key": LABEL_COMPONENT, "operator": "In", "values": _DATABASE_CLIENTS}],
}
_REACHED_FROM_OUTSIDE: Object = {
    "matchExpressions": [{"key": LABEL_COMPONENT, "operator": "In", "values": ["api", "receive"]}]
}
_WITH_STATUS: Object = {
    "matchExpressions": [{"key": LABEL_COMPONENT, "operator": "In", "values": ["index", "ingest"]}]
}

_WITH_METRICS: Object = {
    "matchExpressions": [
        {"key": LABEL_COMPONENT, "operator": "In", "values": ["api", "dois", "index", "ingest", "receive"]}
    ]
}


def network_policies(observed: Observation, part: Part) -> list[Desired]:
    """The fence and its gates; they stay with the namespace, whose pods run on without the facility."""
    settings = observed.settings
    gateway, operator = pods_in(settings.gateway_namespace), pods_in(settings.namespace)
    dns = pods_in(settings.dns_namespace)

    def policy(name: str, pods: Object, **rules: list[Object]) -> Desired:
        return replace(network_policy(part, name, pods, **rules), retain=True)

    return [
        policy("panosc-default-deny", {}, ingress=[], egress=[]),
        policy(
            "panosc-dns",
            {},
            egress=[{"to": [dns], "ports": ports(settings.dns_port, protocols=("UDP", "TCP"))}],
        ),
        policy(
            "panosc-gateway",
            _REACHED_FROM_OUTSIDE,
            ingress=[{"from": [gateway], "ports": ports(API_PORT)}],
        ),
        policy("panosc-status", _WITH_STATUS, ingress=[{"from": [operator], "ports": ports(STATUS_PORT)}]),
        policy(
            "panosc-database",
            _DATABASE,
            ingress=[{"from": [_selected(_DATABASE_USERS)], "ports": ports(POSTGRES_PORT)}],
        ),
        policy(
            "panosc-database-clients",
            _DATABASE_USERS,
            egress=[{"to": [_selected(_DATABASE)], "ports": ports(POSTGRES_PORT)}],
        ),
        policy(
            "panosc-catalogue-api",
            _CATALOGUE_API,
            ingress=[{"from": [_selected(_ARCHIVE_API)], "ports": ports(API_PORT)}],
        ),
        policy(
            "panosc-archive-api",
            _ARCHIVE_API,
            egress=[{"to": [_selected(_CATALOGUE_API)], "ports": ports(API_PORT)}],
        ),
    ]


def scrape_policies(observed: Observation, part: Part) -> list[Desired]:
    """The gate for Prometheus, if there is to be one; it is closed when it no longer is."""
    namespace = observed.settings.metrics_namespace
    if not namespace:
        return []
    rule: Object = {
        "from": [pods_in(namespace)],
        "ports": ports(ARCHIVE_API_PORT, API_PORT, STATUS_PORT),
    }
    return [network_policy(part, "panosc-metrics", _WITH_METRICS, ingress=[rule])]


def _selected(selector: Object) -> Object:
    return {"podSelector": selector}
