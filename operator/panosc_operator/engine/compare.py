"""Whether a live object already is as desired, given that the API server fills in and rewrites fields."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

_SUFFIXES = {
    "n": Decimal("1e-9"), "u": Decimal("1e-6"), "m": Decimal("1e-3"), "": Decimal(1),
    "k": Decimal(10) ** 3, "M": Decimal(10) ** 6, "G": Decimal(10) ** 9,
    "T": Decimal(10) ** 12, "P": Decimal(10) ** 15, "E": Decimal(10) ** 18,
    "Ki": Decimal(2) ** 10, "Mi": Decimal(2) ** 20, "Gi": Decimal(2) ** 30,
    "Ti": Decimal(2) ** 40, "Pi": Decimal(2) ** 50, "Ei": Decimal(2) ** 60,
}  # fmt: skip
_QUANTITY = re.compile(r"([+-]?[0-9]*\.?[0-9]+)(" + "|".join(_SUFFIXES) + ")")
_QUANTITIES = frozenset({"requests", "limits", "hard", "default", "defaultRequest", "max", "min"})
"""Fields whose values are quantities, which the API server writes in a shorter form if there is one."""
_KEYED_LISTS = {
    "conditions": "type",
    "containers": "name",
    "env": "name",
    "listeners": "name",
    "ownerReferences": "uid",
    "volumeMounts": "mountPath",
    "volumes": "name",
}
"""Lists to which other writers may add items of their own, with the field that tells the items apart. In
all others, such as the subjects of a role binding, an item more is a change."""
_ATOMIC = frozenset(
    {"egress", "ingress", "labelSelector", "namespaceSelector", "podSelector", "rules", "selector"}
)
"""Fields that have one writer as a whole: what is in them beyond the desired, however deep, is a change.
Rules of roles, routes and network policies are among them, as an addition there opens what was closed; they
are planned with all the defaults that the API server would fill in."""


def parse_quantity(text: str | int) -> Decimal:
    """The number a Kubernetes quantity such as `500m` or `20Gi` stands for; raises ValueError for others."""
    match = _QUANTITY.fullmatch(str(text))
    if match is None:
        raise ValueError(f"{text!r} is not a quantity; write it like 500m, 64 or 20Gi")
    return Decimal(match[1]) * _SUFFIXES[match[2]]


def contains(live: Any, desired: Any, *, field: str = "", quantities: bool = False) -> bool:
    """Whether every desired field has its value in the live object; what others added doesn't count.

    `field` is the name of the field that has the value; `quantities`: whether the value is a quantity, or
    has some.
    """
    quantities = quantities or field in _QUANTITIES
    if field in _ATOMIC:
        return (live or None) == (desired or None)
    if isinstance(desired, Mapping):
        return _contains_fields(live, desired, quantities)
    if isinstance(desired, list):
        return _contains_items(live, desired, field)
    if live == desired:
        return True
    if live is None:
        return not desired  # the API server leaves out empty strings, false and zero
    return quantities and _same_quantity(live, desired)


def _contains_fields(live: Any, desired: Mapping[str, Any], quantities: bool) -> bool:
    if live is None:
        live = {}
    if not isinstance(live, Mapping):
        return False
    if not desired:
        return not live
    return all(
        contains(live.get(name), value, field=name, quantities=quantities) for name, value in desired.items()
    )


def _contains_items(live: Any, desired: list[Any], field: str) -> bool:
    live = live or []
    if not isinstance(live, list):
        return False
    name = _KEYED_LISTS.get(field)
    if name and desired:
        by_name = {item.get(name): item for item in live}
        return all(contains(by_name.get(item[name]), item) for item in desired)
    return len(live) == len(desired) and all(map(contains, live, desired))


def _same_quantity(live: Any, desired: Any) -> bool:
    try:
        return parse_quantity(live) == parse_quantity(desired)
    except ValueError:
        return False
