"""pydantic's JSON Schema rewritten to the structural schema that the API server takes."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import core_schema

from panosc_operator.api.cel import REMEDY, VALIDATIONS, Rule, quoted

Schema = dict[str, Any]

_KEPT = (
    "description",
    "type",
    "format",
    "enum",
    "default",
    "minLength",
    "maxLength",
    "minimum",
    "maximum",
    "minItems",
    "maxItems",
    "x-kubernetes-int-or-string",
    "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
    "required",
    "properties",
    "items",
    VALIDATIONS,
)
"""Keys in the order in which they are written."""

_FORMATS = (None, "date-time", "int64")

_RULE = ("rule", "message", "messageExpression", "fieldPath")

_DROPPED = {"title", "additionalProperties", "$defs", "pattern", REMEDY}


class UnsupportedSchema(ValueError):
    """A model uses something that has no form in a structural schema; the message names the field."""


class _WithFactories(GenerateJsonSchema):
    """JSON Schema in which defaults made by a factory appear too.

    They are complete, as the API server checks the rules of a default before it adds the defaults within.
    """

    def get_default_value(self, schema: core_schema.WithDefaultSchema) -> Any:
        if "default_factory" in schema:
            return schema["default_factory"]()  # type: ignore[call-arg]  # factories here take no data
        return super().get_default_value(schema)

    def encode_default(self, dft: Any) -> Any:
        if isinstance(dft, BaseModel):
            return _without_empty(dft.model_dump(mode="json", by_alias=True, exclude_none=True))
        return super().encode_default(dft)


def structural_schema(model: type[BaseModel]) -> Schema:
    """The model's structural schema, without references; the API server's own fields are left to the caller.

    Raises:
        UnsupportedSchema: a field has a type that a structural schema can't express.
    """
    raw = model.model_json_schema(by_alias=True, schema_generator=_WithFactories)
    return _rewrite(raw, raw.get("$defs", {}), model.__name__)


def _rewrite(raw: Schema, definitions: Mapping[str, Schema], path: str) -> Schema:
    schema = _resolve(raw, definitions, path)
    unknown = schema.keys() - set(_KEPT) - _DROPPED - {"const"}
    if unknown:
        raise UnsupportedSchema(f"{path}: {', '.join(sorted(unknown))} can't be expressed: use another type")
    if isinstance(schema.get("additionalProperties"), dict):
        raise UnsupportedSchema(
            f"{path}: a map; use a list of named objects, which server-side apply can merge"
        )
    if schema.get("format") not in _FORMATS:
        raise UnsupportedSchema(f"{path}: format {schema['format']} is read differently by Go: use a string")
    if "const" in schema:
        schema["enum"] = [schema.pop("const")]
    if "pattern" in schema:
        schema[VALIDATIONS] = [_pattern_rule(schema).as_validation(), *schema.get(VALIDATIONS, [])]
    if VALIDATIONS in schema:
        schema[VALIDATIONS] = [
            {key: rule[key] for key in _RULE if key in rule} for rule in schema[VALIDATIONS]
        ]
    if "description" in schema:
        # Written in lines of the source's length; rows of a table have one.
        schema["description"] = " ".join(schema["description"].split())
    if schema.get("default", ...) in (None, []):  # absent says the same
        del schema["default"]
    if "properties" in schema:
        schema["properties"] = {
            name: _rewrite(child, definitions, f"{path}.{name}")
            for name, child in schema["properties"].items()
        }
    if "items" in schema:
        schema["items"] = _rewrite(schema["items"], definitions, f"{path}[]")
    return {key: schema[key] for key in _KEPT if key in schema}


def _resolve(raw: Schema, definitions: Mapping[str, Schema], path: str) -> Schema:
    """The schema with its references and the `| None` of optional fields merged into it."""
    schema = dict(raw)
    while "$ref" in schema or "anyOf" in schema:
        if "$ref" in schema:
            inner = definitions[schema.pop("$ref").removeprefix("#/$defs/")]
        else:
            options = [option for option in schema.pop("anyOf") if option != {"type": "null"}]
            if len(options) != 1:
                raise UnsupportedSchema(
                    f"{path}: a union of types; use optional members and `exactly_one_of`"
                )
            inner = options[0]
        both = [*inner.get(VALIDATIONS, []), *schema.get(VALIDATIONS, [])]
        schema = {**inner, **schema}  # what is said of the field goes before what is said of its type
        if both:
            schema[VALIDATIONS] = both
    return schema


def _pattern_rule(schema: Schema) -> Rule:
    """A pattern as CEL rule: of a pattern itself the API server shows only the regular expression."""
    remedy = (
        f"write {schema[REMEDY]}" if REMEDY in schema else f"write a value that matches {schema['pattern']}"
    )
    return Rule(
        rule=f"self.matches({quoted(schema['pattern'])})",
        message=remedy,
        message_expression="'\\'' + self + " + quoted(f"' is not valid: {remedy}"),
    )


def _without_empty(value: Schema) -> Schema:
    nested = (
        (key, _without_empty(child) if isinstance(child, dict) else child) for key, child in value.items()
    )
    return {key: child for key, child in nested if child != []}
