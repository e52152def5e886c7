"""A PostgreSQL that somebody else runs: what its Secret tells of it, and the way there."""

import base64
import binascii
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import SplitResult, parse_qs, urlsplit

from panosc_operator.api.meta import LABEL_COMPONENT
from panosc_operator.engine.desired import Desired
from panosc_operator.engine.resources import Object
from panosc_operator.kinds.building import POSTGRES_PORT, Part, network_policy, ports


@dataclass(frozen=True)
class Connection:
    """What its Secret tells."""

    found: bool = False
    """Whether the Secret is there."""
    usable: bool = False
    """Whether it has all that is needed, among it a PostgreSQL connection URI."""
    ports: tuple[int, ...] = ()
    """Ports of the database's hosts, each once."""


def connection(
    secret: Object | None, uri_key: str, prefix: str = "", others: Iterable[str] = ()
) -> Connection:
    """What a Secret tells that has the connection's URI under a key, behind a prefix such as `jdbc:`, and has
    to have something under others."""
    if secret is None:
        return Connection()
    data = secret.get("data") or {}
    try:
        text = base64.b64decode(data.get(uri_key, ""), validate=True).decode()
        uri = urlsplit(text.removeprefix(prefix))
        # The driver of Java knows the longer name alone.
        schemes = ("postgresql",) if prefix else ("postgresql", "postgres")
        is_known = text.startswith(prefix) and uri.scheme in schemes
        if not is_known or not all(data.get(key) for key in others):
            return Connection(found=True)
        return Connection(found=True, usable=True, ports=_ports(uri))
    except (binascii.Error, ValueError):
        return Connection(found=True)


def external_database_gate(part: Part, name: str, database: Connection) -> Desired:
    """The way there for all pods of a resource: where the database is, only its owner knows."""
    labels = {key: value for key, value in part.selector.items() if key != LABEL_COMPONENT}
    egress: list[Object] = [{"ports": ports(*database.ports)}]
    return network_policy(part, f"{name}-external-database", {"matchLabels": labels}, egress=egress)


def _ports(uri: SplitResult) -> tuple[int, ...]:
    """Ports of a connection URI as PostgreSQL reads it: hosts by commas, each with or without a port, and the
    parameter `port`. Raises ValueError for what is no port."""
    hosts = uri.netloc.rpartition("@")[2].split(",")
    # The colons of an address of IPv6 are in brackets.
    named = [host.rpartition("]")[2].partition(":")[2] for host in hosts]
    named += [port for ports in parse_qs(uri.query).get("port", []) for port in ports.split(",")]
    ports = {int(port) if port else POSTGRES_PORT for port in named}
    if not all(0 < port < 2**16 for port in ports):
        raise ValueError("a port is a number from 1 to 65535")
    return tuple(sorted(ports))
