"""What should exist: the result of planning, and how an object is marked as its owner's."""

import hashlib
import json
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from panosc_operator.api.meta import (
    API_VERSION,
    FIELD_MANAGER,
    GROUP,
    LABEL_MANAGED_BY,
    LABEL_OWNER_KIND,
    LABEL_OWNER_NAME,
    Resource,
)
from panosc_operator.engine.resources import Key, Object, ResourceType

APPLIED = f"{GROUP}/applied"
"""Annotation with the hash of what was last applied to the object."""
RETAIN = f"{GROUP}/retain"
"""Annotation, naming the owner, of objects that outlive it and the plan that no longer has them."""
KEEP = f"{GROUP}/keep"
"""Annotation of objects that stay even with deletionPolicy Delete, such as a namespace that was there before
us."""
SECRETS = f"{GROUP}/secrets"
"""Annotation of pods with the hash of the Secrets they were started with."""


@dataclass(frozen=True)
class Desired:
    """One object that should exist."""

    type: ResourceType
    manifest: Object
    """The fields that matter; all others are left to their defaults and to other writers."""

    retain: bool = False
    """The object holds what can't be made again: it is never pruned and has no owner reference, so it stays
    when its owner is deleted, unless the owner's deletionPolicy is Delete."""

    create_only: bool = False
    """Once the object is there, its content is no longer the plan's business."""

    random: Mapping[str, int] = field(default_factory=dict)
    """Length of random values by name; `{name}` in a create-only Secret's `stringData` stands for one."""

    replace: bool = False
    """A change of what Kubernetes can't change in place deletes the object and makes it anew; otherwise the
    change is refused."""

    adopt: bool = False
    """An object of this name that is nobody's may be taken; the plan has looked at it."""

    restart_on: tuple[str, ...] = ()
    """Names of Secrets in the namespace; the pods of this workload restart when one of them changes."""

    @property
    def key(self) -> Key:
        """Key of the object."""
        metadata = self.manifest["metadata"]
        return Key(self.type.group, self.type.kind, metadata.get("namespace"), metadata["name"])


class Action(StrEnum):
    """What came of the wish that an object be as desired."""

    UNCHANGED = "unchanged"
    CREATED = "created"
    UPDATED = "updated"
    CORRECTED = "corrected"
    """Somebody else had changed fields of ours; they are set back."""
    REPLACED = "replaced"
    """It is deleted, and made anew when it is gone."""
    WAITING = "waiting"
    """It, or its namespace, is being deleted; it is made anew when that is gone."""
    REFUSED = "refused"
    """It can't be had; the message says why."""


@dataclass(frozen=True)
class Outcome:
    """What came of one desired object."""

    key: Key
    action: Action
    message: str = ""
    """Why it was refused."""


def marked(desired: Desired, owner: Resource) -> Object:
    """A copy of the manifest that names its owner, in labels and (unless retained) for garbage collection."""
    manifest = deepcopy(desired.manifest)
    manifest["apiVersion"], manifest["kind"] = desired.type.api_version, desired.type.kind
    metadata = manifest["metadata"]
    metadata["labels"] = {
        **metadata.get("labels", {}),
        LABEL_MANAGED_BY: FIELD_MANAGER,
        LABEL_OWNER_KIND: owner.info.kind,
        LABEL_OWNER_NAME: owner.metadata.name,
    }
    if desired.retain:
        metadata["annotations"] = {**metadata.get("annotations", {}), RETAIN: retainer(owner)}
    else:
        metadata["ownerReferences"] = [
            {
                "apiVersion": API_VERSION,
                "kind": owner.info.kind,
                "name": owner.metadata.name,
                "uid": owner.metadata.uid,
                "controller": True,
            }
        ]
    return manifest


def retainer(owner: Resource) -> str:
    """How a retained object names its owner, beside its labels, which somebody may have taken off."""
    return f"{owner.info.kind}/{owner.metadata.name}"


def digest(value: Any) -> str:
    """A short hash of a JSON value, the same for equal values."""
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:20]
