"""Membership of groups, and roles in them, as AARC-G069 writes it.

`urn:<NID>:<namespace>:group:<group>[:<subgroup>…][:role=<role>][#<authority>]`: segments are percent-encoded,
NID and namespace ignore case, groups do not; who belongs to a subgroup belongs to what is above it, but has
its role nowhere else. https://aarc-community.org/guidelines/aarc-g069
"""

import re
from dataclasses import dataclass
from urllib.parse import quote, unquote

MAX_LENGTH = 1024
"""Characters of an entitlement at most."""
_SEGMENT = re.compile(r"[^:#?\s]+")
# RFC 8141's characters of a segment that need no encoding, but those that part segments and begin roles.
_PLAIN = "-._~!$&'()*+,;@"


@dataclass(frozen=True)
class Entitlement:
    """Membership of the last of `groups`, which lie in one another; `namespace` is what follows `urn:`."""

    namespace: str
    groups: tuple[str, ...]
    role: str | None = None
    authority: str | None = None

    def __str__(self) -> str:
        path = ":".join(quote(group, safe=_PLAIN) for group in self.groups)
        role = f":role={quote(self.role, safe=_PLAIN)}" if self.role else ""
        authority = f"#{self.authority}" if self.authority else ""
        return f"urn:{self.namespace}:group:{path}{role}{authority}"

    def satisfies(self, required: "Entitlement") -> bool:
        """Whether whoever has this one has `required`, whoever says so."""
        if self.namespace != required.namespace or self.groups[: len(required.groups)] != required.groups:
            return False
        return required.role is None or (self.groups, self.role) == (required.groups, required.role)


def path(text: str) -> tuple[str, ...]:
    """The groups that `text` names as entitlements do, the outermost first."""
    return tuple(map(unquote, text.split(":")))


def parse(text: str) -> Entitlement | None:
    """The entitlement that `text` is; None for every other URN: capabilities, other communities' forms."""
    urn, named, authority = text.partition("#")
    namespace, _, rest = urn.partition(":group:")
    group, marked, role = rest.partition(":role=")
    scheme, *spaces = namespace.split(":")
    segments = [*spaces, *group.split(":"), *([role] if marked else [])]
    if scheme.lower() != "urn" or len(spaces) < 2 or not all(map(_SEGMENT.fullmatch, segments)):
        return None
    if len(text) > MAX_LENGTH or (named and not re.fullmatch(r"\S+", authority)):
        return None
    lower = re.sub("%[0-9a-f]{2}", lambda code: code[0].upper(), ":".join(spaces).lower())
    return Entitlement(lower, path(group), unquote(role) or None, authority or None)
