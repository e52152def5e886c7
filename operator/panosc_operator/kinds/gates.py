"""Ways out of a facility's namespace, whose fence lets nothing out, for the pods of one component."""

from collections.abc import Iterable
from urllib.parse import urlsplit

from panosc_common.access import Login

from panosc_operator.api.meta import LABEL_NAME
from panosc_operator.engine.desired import Desired
from panosc_operator.engine.resources import Object
from panosc_operator.kinds.building import (
    API_PORT,
    OUTSIDE,
    Part,
    network_policy,
    pods_in,
    pods_with,
    ports,
)
from panosc_operator.settings import Settings


def gate_to(part: Part, name: str, urls: Iterable[str], *others: Object) -> Desired:
    """A way out to the ports of others' services. Where these are is their own matter, and policies know
    addresses, not names; but they are nowhere on the node or at its cloud, which would give it an account."""
    numbers = {url.port or (443 if url.scheme == "https" else 80) for url in map(urlsplit, urls)}
    egress = [{"to": OUTSIDE, "ports": ports(*sorted(numbers))}, *others]
    return network_policy(part, name, {"matchLabels": dict(part.selector)}, egress=egress)


def to_gateway(settings: Settings) -> Object:
    """The way to what is in the same cluster, behind the gateway, whose pods listen on another port than URLs
    say."""
    return {"to": [pods_in(settings.gateway_namespace)], "ports": ports(settings.gateway_target_port)}


def login_gate(part: Part, instance: str, login: Login, settings: Settings) -> Desired:
    """The way to the keys of the login: beside the operator, or wherever it is."""
    name = f"{instance}-login"
    if login.keys is None:
        return gate_to(part, name, [login.issuer], to_gateway(settings))
    logins = {**pods_in(settings.namespace), **pods_with({LABEL_NAME: "keycloak"})}
    egress: list[Object] = [{"to": [logins], "ports": ports(API_PORT)}]
    return network_policy(part, name, {"matchLabels": dict(part.selector)}, egress=egress)
