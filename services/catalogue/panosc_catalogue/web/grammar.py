"""The filter language as JSON Schema, made of the same model and operators that the parser uses."""

from collections.abc import Mapping
from typing import Any

from panosc_catalogue.query.model import MODELS, Kind, Model
from panosc_catalogue.query.parse import MAX_OPERANDS, OPERATORS
from panosc_catalogue.query.ranking import MAX_TERMS

Schema = dict[str, Any]

_TEXT: Schema = {"type": ["string", "number", "boolean"]}
_OPERANDS: Mapping[Kind, Schema] = {
    Kind.TEXT: _TEXT,
    Kind.TEXTS: _TEXT,
    Kind.NUMBER: {"anyOf": [{"type": "number"}, {"type": "string", "pattern": "^[0-9]{1,15}$"}]},
    Kind.DATE: {
        "type": "string",
        "format": "date-time",
        "description": "ISO 8601; UTC where no zone is named",
    },
    Kind.BOOLEAN: {"enum": [True, False, "true", "false"]},
    Kind.VALUE: {"type": ["number", "string"]},
}
_WITH_PATTERNS = (Kind.TEXT, Kind.TEXTS, Kind.VALUE)
_COUNT: Schema = {
    "anyOf": [
        {"type": "integer", "minimum": 0},
        {"type": "string", "pattern": "^[0-9]{1,15}$"},
        {"type": "null"},
    ]
}


def schemas() -> dict[str, Schema]:
    """Every model's conditions, includes and scopes, and the filters of those that are listed."""
    found: dict[str, Schema] = {f"Test{kind.name.title()}": _test(kind) for kind in Kind}
    for name, model in MODELS.items():
        found[f"{name}Where"] = _where(model)
        found[f"{name}Include"] = _include(model)
        found[f"{name}Scope"] = _filter(model, {})
    for name, model in MODELS.items():
        if model.words:
            words = f"Words that are to be found, best first; {MAX_TERMS} at most"
            found[f"{name}Filter"] = _filter(model, {"query": {"type": "string", "description": words}})
    return found


def _reference(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def _test(kind: Kind) -> Schema:
    """What may stand behind a property of this kind: a value, or an object of operators."""
    operand = _OPERANDS[kind]
    nullable = _or_null(operand)
    by_operator: dict[str, Schema] = {
        "eq": nullable,
        "neq": nullable,
        "between": {"type": "array", "prefixItems": [operand, operand], "minItems": 2, "maxItems": 2},
        "inq": {"type": "array", "items": nullable, "maxItems": MAX_OPERANDS},
        "nin": {"type": "array", "items": nullable, "maxItems": MAX_OPERANDS},
        **dict.fromkeys(("gt", "gte", "lt", "lte"), operand),
    }
    if kind in _WITH_PATTERNS:
        patterns = [name for name, (operator, _, _) in OPERATORS.items() if operator in ("like", "regexp")]
        by_operator |= {name: {"type": "string"} for name in patterns}
    by_operator["not"] = _reference(f"Test{kind.name.title()}")
    operators = {
        "type": "object",
        "properties": by_operator,
        "additionalProperties": False,
        "minProperties": 1,
    }
    return {"anyOf": [nullable, operators]}


def _where(model: Model) -> Schema:
    own = _reference(f"{model.name}Where")
    return {
        "type": "object",
        "properties": {
            **{name: _reference(f"Test{field.kind.name.title()}") for name, field in model.fields.items()},
            "text": {
                "type": "string",
                "description": f"Contained in {' or '.join(model.text)}, whatever case",
            },
            "and": {"type": "array", "items": own, "minItems": 1},
            "or": {"type": "array", "items": own, "minItems": 1},
            "not": {"allOf": [own], "minProperties": 1},
        },
        "additionalProperties": False,
    }


def _include(model: Model) -> Schema:
    """A relation by name, or with a scope; a scope that restricts makes an inner join of it."""
    alternatives: list[Schema] = [{"enum": list(model.relations)}]
    for name, relation in model.relations.items():
        scope = _or_null(_reference(f"{relation.target}Scope"))
        alternatives.append(
            {
                "type": "object",
                "properties": {"relation": {"const": name}, "scope": scope},
                "required": ["relation"],
                "additionalProperties": False,
            }
        )
    return {"anyOf": alternatives}


def _filter(model: Model, more: Mapping[str, Schema]) -> Schema:
    include = _reference(f"{model.name}Include")
    names = [*model.fields, *(["score"] if model.words else [])]
    order = {"type": "string", "pattern": f"^({'|'.join(names)})( (ASC|DESC|asc|desc))?$"}
    chosen = {"enum": names}
    return {
        "type": "object",
        "properties": {
            "where": _or_null(_reference(f"{model.name}Where")),
            "include": {"anyOf": [include, {"type": "array", "items": include}, {"type": "null"}]},
            "order": {"anyOf": [order, {"type": "array", "items": order}, {"enum": ["", None]}]},
            "limit": {**_COUNT, "description": "Items at most; 0: as many as the server allows"},
            "skip": {**_COUNT, "description": "Items to leave out at the beginning"},
            "offset": {**_COUNT, "description": "The same as skip"},
            "fields": {
                "anyOf": [
                    {"type": "array", "items": chosen},
                    {"type": "object", "propertyNames": chosen, "additionalProperties": {"type": "boolean"}},
                    {"type": "null"},
                ],
                "description": "Properties to answer; false: all but these",
            },
            **more,
        },
        "additionalProperties": False,
    }
