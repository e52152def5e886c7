"""What all kinds have in common: metadata, conditions, labels, and how kubectl names and lists them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal, Self

from panosc_common.model import Document
from pydantic import BeforeValidator, ConfigDict, Field, StringConstraints, WithJsonSchema

from panosc_operator.api.cel import VALIDATIONS, ListMap, Remedy, Rule
from panosc_operator.api.conditions import ConditionType, Described

GROUP = "panosc.eu"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
CATEGORY = "panosc"
FIELD_MANAGER = "panosc-operator"
FINALIZER = f"{GROUP}/cleanup"

LABEL_MANAGED_BY = "app.kubernetes.io/managed-by"
LABEL_PART_OF = "app.kubernetes.io/part-of"
LABEL_NAME = "app.kubernetes.io/name"
LABEL_INSTANCE = "app.kubernetes.io/instance"
LABEL_COMPONENT = "app.kubernetes.io/component"
LABEL_FACILITY = f"{GROUP}/facility"
LABEL_OWNER_KIND = f"{GROUP}/owner-kind"
LABEL_OWNER_NAME = f"{GROUP}/owner-name"

_LABEL = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"

DnsLabel = Annotated[
    str,
    StringConstraints(pattern=f"^{_LABEL}$", max_length=63),
    Remedy("a DNS label: at most 63 lower-case letters, digits and '-', with a letter or digit at both ends"),
]
DnsName = Annotated[
    str,
    StringConstraints(pattern=rf"^{_LABEL}(\.{_LABEL})*$", max_length=190),
    Remedy("a DNS name of lower-case labels, such as esrf.panosc.eu"),
]
ObjectName = Annotated[
    str,
    StringConstraints(pattern=rf"^{_LABEL}(\.{_LABEL})*$", max_length=253),
    Remedy("the name of a Kubernetes object: lower-case letters, digits, '-' and '.'"),
]
WebAddress = Annotated[
    str,
    StringConstraints(pattern=r"^https?://[^\s]+$", max_length=2048),
    Remedy("a web address that begins with https:// or http://"),
]
_QUANTITY_RULE = Rule(
    rule="isQuantity(string(self)) && quantity(string(self)).isGreaterThan(quantity('0'))",
    message="give a positive Kubernetes quantity, such as 20Gi or 10Ti",
    message_expression=(
        "'\\'' + string(self) + '\\' is not a positive Kubernetes quantity: write 500m, 64, 20Gi or 10Ti'"
    ),
)
Quantity = Annotated[
    str,
    # YAML reads `cpu: 64` as a number; Kubernetes takes both, so do we.
    BeforeValidator(lambda value: str(value) if isinstance(value, int) else value),
    StringConstraints(min_length=1, max_length=40),
    WithJsonSchema(
        {"x-kubernetes-int-or-string": True, "maxLength": 40, VALIDATIONS: [_QUANTITY_RULE.as_validation()]}
    ),
]
"""An amount in Kubernetes' notation: `500m`, `64`, `20Gi`."""

Count = Annotated[int, Field(ge=0, json_schema_extra={"format": "int64"})]

DeletionPolicy = Literal["Retain", "Delete"]


class ObjectMeta(Document):
    """The part of an object's metadata that the operator reads."""

    model_config = ConfigDict(extra="ignore")

    name: str
    """Name of the object."""

    namespace: str | None = None
    """Namespace of the object, if its kind has one."""

    uid: str = ""
    """Identity of the object over its life, made by the API server."""

    creation_timestamp: datetime | None = None
    """When the object was made."""


class Condition(Document):
    """One aspect of the object's state, in the form that kubectl, Pulumi and Argo CD understand."""

    model_config = ConfigDict(extra="ignore")

    type: Annotated[str, StringConstraints(min_length=1, max_length=316)]
    """Aspect that the condition is about, such as Ready."""

    status: Literal["True", "False", "Unknown"]
    """Whether the aspect holds."""

    reason: Annotated[str, StringConstraints(min_length=1, max_length=1024)]
    """Cause of the status in one word; the reference page of the kind lists all."""

    message: Annotated[str, StringConstraints(max_length=32768)] = ""
    """Cause of the status in a sentence that names the object and the remedy."""

    last_transition_time: datetime
    """When the status last changed."""

    observed_generation: Annotated[int, Field(ge=0, json_schema_extra={"format": "int64"})] = 0
    """Generation of the spec that the condition was computed from."""


class Status(Document):
    """The part of the status that all kinds share."""

    # A newer operator may have written fields that this one doesn't know.
    model_config = ConfigDict(extra="ignore")

    observed_generation: Count = 0
    """Generation of the spec that this status was computed from."""

    conditions: Annotated[list[Condition], ListMap(("type",)), Field(max_length=16)] = Field(
        default_factory=list
    )
    """State of the object aspect by aspect; `Ready` is the one to wait for."""


@dataclass(frozen=True)
class PrinterColumn:
    """A column of `kubectl get`; `priority` 1 shows it with `-o wide` only."""

    name: str
    json_path: str
    type: Literal["string", "integer", "date"] = "string"
    description: str = ""
    priority: int = 0


READY = PrinterColumn(
    "Ready", '.status.conditions[?(@.type=="Ready")].status', description="Whether it works."
)
REASON = PrinterColumn(
    "Reason", '.status.conditions[?(@.type=="Ready")].reason', description="Why, in one word."
)
URL = PrinterColumn("URL", ".status.url", description="Where it is reached.")
AGE = PrinterColumn("Age", ".metadata.creationTimestamp", "date", description="Time since it was made.")


@dataclass(frozen=True)
class KindInfo:
    """How the API server and kubectl name and list a kind."""

    kind: str
    plural: str
    short_name: str
    namespaced: bool
    reasons: type[Described]
    """Reasons of all conditions of the kind."""
    columns: tuple[PrinterColumn, ...] = field(default_factory=tuple)
    """Columns of this kind alone, shown between URL and Age."""
    conditions: tuple[ConditionType, ...] = ()
    """Condition types of this kind beside those of all kinds."""
    category: str = CATEGORY

    @property
    def crd_name(self) -> str:
        """Name of the CustomResourceDefinition."""
        return f"{self.plural}.{GROUP}"

    @property
    def condition_types(self) -> tuple[ConditionType, ...]:
        """All condition types of the kind."""
        return (ConditionType.READY, ConditionType.RECONCILING, ConditionType.STALLED, *self.conditions)

    @property
    def printer_columns(self) -> tuple[PrinterColumn, ...]:
        """All columns in the order in which kubectl shows them."""
        return (READY, REASON, URL, *self.columns, AGE)


class Resource(Document):
    """An object of one of the kinds as it is read from the API server; kinds add `spec` and `status`."""

    model_config = ConfigDict(extra="ignore")

    info: ClassVar[KindInfo]

    api_version: str = API_VERSION
    """Version of the API that the object is written in."""

    metadata: Annotated[ObjectMeta, WithJsonSchema({"type": "object"})]  # the API server describes it itself
    """Name, labels and the like."""

    @classmethod
    def wish(cls, obj: Mapping[str, Any]) -> Self:
        """Metadata and spec of an object of the API server; raises ValidationError if they can't be used.

        Its status is left out: a newer operator may have written values that this one's models don't know.
        """
        return cls.model_validate({name: value for name, value in obj.items() if name != "status"})


def name_rule(max_length: int, purpose: str) -> Rule:
    """The object's own name is used in other names and must leave room there."""
    return Rule(
        rule=(
            f"self.metadata.name.size() <= {max_length} && "
            "self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')"
        ),
        message=f"the name is used as {purpose}: at most {max_length} letters a-z, digits and '-'",
        message_expression=(
            f"'\\'' + self.metadata.name + '\\' is used as {purpose}: choose a name of at most "
            f"{max_length} lower-case letters, digits and \\'-\\' that begins with a letter'"
        ),
        field_path=".metadata.name",
    )
