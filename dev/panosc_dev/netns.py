"""The cluster's network namespace and the one link that joins it to the host."""

import hashlib
import ipaddress
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from panosc_dev import shell
from panosc_dev.progress import StepFailed

_POOL = ipaddress.IPv4Network("10.201.0.0/16")
POD_NETWORK = "10.244.0.0/16"
SERVICE_NETWORK = "10.96.0.0/16"


@dataclass(frozen=True)
class Link:
    """The pair of interfaces between the host (`outer`) and the namespace (`inner`), a /24 of its own."""

    namespace: str
    network: str

    @property
    def outer(self) -> str:
        """The host's address."""
        return str(ipaddress.ip_network(self.network)[1])

    @property
    def inner(self) -> str:
        """The node's address."""
        return str(ipaddress.ip_network(self.network)[2])

    @property
    def outer_interface(self) -> str:
        """Name of the host's interface; a hash, since Linux allows 15 characters."""
        return "pan-" + hashlib.sha256(self.namespace.encode()).hexdigest()[:8]


def choose_network(name: str, taken: Iterable[str]) -> str:
    """A /24 for the cluster called `name` that overlaps none of `taken` (networks or addresses).

    The same name starts at the same place, so an address rarely changes between two runs.
    """
    others = [ipaddress.IPv4Network(t, strict=False) for t in taken]
    candidates = list(_POOL.subnets(new_prefix=24))
    first = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4]) % len(candidates)
    for candidate in candidates[first:] + candidates[:first]:
        if not any(candidate.overlaps(o) for o in others):
            return str(candidate)
    raise StepFailed(f"no free network in {_POOL}: `ip -4 address` shows what takes it")


def networks_in_use() -> list[str]:
    """Networks that the host's interfaces and routes take, the default route left out."""
    routes = json.loads(shell.output(["ip", "-4", "-json", "route", "show", "table", "all"]))
    return [r["dst"] for r in routes if r["dst"] != "default" and not r["dst"].startswith("127.")]


def exists(namespace: str) -> bool:
    """Whether the namespace is there and alive (a plain file is left over from a crash or a reboot)."""
    return shell.succeeds(["nsenter", f"--net=/run/netns/{namespace}", "true"])


def create(link: Link) -> None:
    """Make the namespace, the pair of interfaces, addresses and the default route."""

    def inside(*arguments: str) -> None:
        shell.output(["ip", "-netns", link.namespace, *arguments])

    shell.output(["ip", "netns", "add", link.namespace])
    shell.output(
        ["ip", "link", "add", link.outer_interface, "type", "veth", "peer", "eth0", "netns", link.namespace]
    )
    shell.output(["ip", "address", "add", f"{link.outer}/24", "dev", link.outer_interface])
    shell.output(["ip", "link", "set", link.outer_interface, "up"])
    inside("link", "set", "lo", "up")
    inside("address", "add", f"{link.inner}/24", "dev", "eth0")
    inside("link", "set", "eth0", "up")
    inside("route", "add", "default", "via", link.outer)
    shell.output([*entering(link.namespace), "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"])


def remove(link: Link) -> None:
    """Remove the namespace and with it everything in it; harmless if parts of it are gone."""
    shell.succeeds(["ip", "link", "delete", link.outer_interface])
    path = Path("/run/netns") / link.namespace
    if path.exists():
        shell.succeeds(["ip", "netns", "delete", link.namespace])
        path.unlink(missing_ok=True)


def entering(namespace: str) -> list[str]:
    """Prefix of a command that runs in the namespace.

    Not `ip netns exec`, which mounts a new /sys and so hides the cgroups.
    """
    return ["nsenter", f"--net=/run/netns/{namespace}", "--"]
