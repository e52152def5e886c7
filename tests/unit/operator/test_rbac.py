"""The operator has the rights that it uses or gives to others, and no more."""

from collections.abc import Iterable
from itertools import product

from panosc_operator.engine.resources import EVENT, POD, Object, ResourceType
from panosc_operator.kinds import discover
from panosc_operator.rbac import RULES
from support.known import settings

from .test_golden import planned

Right = tuple[str, str, str]
APPLY = ("get", "list", "watch", "create", "patch", "delete")


def rights(rules: Iterable[Object]) -> set[Right]:
    return {right for rule in rules for right in product(rule["apiGroups"], rule["resources"], rule["verbs"])}


def of(kind: ResourceType, *verbs: str, part: str = "") -> set[Right]:
    return {(kind.group, kind.plural + part, verb) for verb in verbs}


def test_every_right_is_used_or_given_to_administrators() -> None:
    needed = of(EVENT, "create") | of(POD, "list")
    for kind in discover(settings()):
        needed |= of(kind.type, "get", "list", "watch", "patch") | of(kind.type, "patch", part="/status")
        for child in kind.children:
            needed |= of(child, *APPLY)
    _, plan = planned("facility-full")
    for desired in plan:
        if desired.type.kind in ("Role", "ClusterRole"):
            needed |= rights(desired.manifest["rules"])
    # kopf looks for kinds that are installed later.
    needed |= {("apiextensions.k8s.io", "customresourcedefinitions", verb) for verb in ("list", "watch")}
    assert rights(RULES) == needed
