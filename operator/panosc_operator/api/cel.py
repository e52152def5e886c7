"""What a model says to the API server beyond JSON Schema: CEL rules, list keys, quantities.

Markers are put into `Annotated[...]` or, for a whole model, into `model_config` by `rules(...)`. They travel
through pydantic's JSON Schema to the CRD under the names the API server knows, so that a model, its CRD and
its reference page can't disagree. A message names what is wrong, the value and the remedy; the API server
puts the field's path in front of it.
"""

from dataclasses import dataclass
from typing import Any

from pydantic import ConfigDict, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

VALIDATIONS = "x-kubernetes-validations"
REMEDY = "x-remedy"
"""Key under which a `Remedy` waits in the JSON Schema until the generator turns the pattern into a rule."""


def quoted(text: str) -> str:
    """The text as a CEL string literal."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


@dataclass(frozen=True)
class Rule:
    """One CEL rule; with `oldSelf` in it, it is checked on updates only."""

    rule: str
    """CEL expression that is true for a valid value."""
    message: str
    """What a user reads, unless `message_expression` can be computed."""
    message_expression: str | None = None
    """CEL expression that makes the message, to show the offending value."""
    field_path: str | None = None
    """Path below this value that the error is about, such as `.spec.namespace`."""

    def as_validation(self) -> dict[str, str]:
        """The rule as an entry of `x-kubernetes-validations`."""
        entry = {"rule": self.rule, "message": self.message}
        if self.message_expression:
            entry["messageExpression"] = self.message_expression
        if self.field_path:
            entry["fieldPath"] = self.field_path
        return entry

    def __get_pydantic_json_schema__(
        self, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        schema = handler(core)
        # A rule on one use of a model must not reach the other uses: keep it beside the reference.
        return {**schema, VALIDATIONS: [*schema.get(VALIDATIONS, []), self.as_validation()]}


@dataclass(frozen=True)
class Remedy:
    """Says what a string with a pattern should be; the pattern's violation is then reported so."""

    text: str

    def __get_pydantic_json_schema__(
        self, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {**handler(core), REMEDY: self.text}


@dataclass(frozen=True)
class ListMap:
    """A list of objects that server-side apply merges by these fields, which together are unique."""

    keys: tuple[str, ...]

    def __get_pydantic_json_schema__(
        self, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {
            **handler(core),
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": list(self.keys),
        }


@dataclass(frozen=True)
class ListSet:
    """A list of scalars without duplicates that server-side apply merges by value."""

    def __get_pydantic_json_schema__(
        self, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {**handler(core), "x-kubernetes-list-type": "set"}


def rules(*model_rules: Rule) -> ConfigDict:
    """A `model_config` that carries rules about several fields of the model."""

    def extend(schema: dict[str, Any]) -> None:
        schema[VALIDATIONS] = [rule.as_validation() for rule in model_rules]

    return ConfigDict(json_schema_extra=extend)


def exactly_one_of(*members: str) -> Rule:
    """The model is a union: one of its optional members is set, as in Kubernetes' own APIs."""
    listed = ", ".join(members)
    count = " + ".join(f"(has(self.{member}) ? 1 : 0)" for member in members)
    present = " + ".join(f"(has(self.{member}) ? ' {member}' : '')" for member in members)
    return Rule(
        rule=f"{count} == 1",
        message=f"set exactly one of: {listed}",
        message_expression=f"'set exactly one of: {listed}; set now:' + ({count} == 0 ? ' none' : {present})",
    )


def immutable(field: str, remedy: str) -> Rule:
    """An optional string of the model that keeps its value, or its absence, for the life of the object."""
    shown = f"(has({{}}.{field}) ? {{}}.{field} : 'unset')"
    old, new = shown.format("oldSelf", "oldSelf"), shown.format("self", "self")
    return Rule(
        rule=(
            f"has(self.{field}) == has(oldSelf.{field}) && "
            f"(!has(self.{field}) || self.{field} == oldSelf.{field})"
        ),
        message=f"{field} can't be changed: {remedy}",
        message_expression=(
            f"'{field} can\\'t be changed from ' + {old} + ' to ' + {new} + {quoted(': ' + remedy)}"
        ),
        field_path=f".{field}",
    )


def encrypted(field: str) -> Rule:
    """An address of the model to which the credentials in the Secret `credentialsSecret` are sent."""
    return Rule(
        rule=f"!has(self.credentialsSecret) || self.{field}.startsWith('https://')",
        message=f"{field} begins with http://, which sends the credentials in the clear: give one with https://",
        message_expression=(
            f"'{field} ' + self.{field} + ' sends the credentials of Secret ' + self.credentialsSecret + "
            "' in the clear: give an address that begins with https://, or no credentialsSecret'"
        ),
        field_path=f".{field}",
    )


def grows_only(field: str, remedy: str) -> Rule:
    """A quantity of the model that may become larger, never smaller."""
    return Rule(
        rule=(
            f"!isQuantity(string(self.{field})) || !isQuantity(string(oldSelf.{field})) || "
            f"quantity(string(self.{field})).compareTo(quantity(string(oldSelf.{field}))) >= 0"
        ),
        message=f"{field} can't shrink: {remedy}",
        message_expression=(
            f"'{field} can\\'t shrink from ' + string(oldSelf.{field}) + ' to ' + string(self.{field})"
            f" + {quoted(': ' + remedy)}"
        ),
        field_path=f".{field}",
    )
