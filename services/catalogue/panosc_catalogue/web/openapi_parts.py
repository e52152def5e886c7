"""Pieces that several parts of the OpenAPI document are made of."""

from collections.abc import Mapping
from typing import Any

from panosc_common.problem import MEDIA_TYPE as PROBLEM

Schema = dict[str, Any]

REFERENCES = "#/components/schemas/{model}"
TEXT: Schema = {"type": "string"}
TEXT_OR_NULL: Schema = {"type": ["string", "null"]}
INSTANT: Schema = {"type": "string", "format": "date-time"}
INSTANT_OR_NULL: Schema = {"type": ["string", "null"], "format": "date-time"}
_CHALLENGES: dict[int, Schema] = {
    401: {"schema": TEXT, "required": True},
    403: {"schema": TEXT, "description": "If the token is limited: the scope that it lacks (RFC 6750)"},
}


def reference(name: str) -> Schema:
    """A reference to a schema of this name."""
    return {"$ref": REFERENCES.format(model=name)}


def object_of(**properties: Schema) -> Schema:
    """An object with all these properties and no other."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def parameter(name: str, description: str, *, in_path: bool = False, **schema: Any) -> Schema:
    """A parameter, which is text unless the schema says otherwise."""
    return {
        "name": name,
        "in": "path" if in_path else "query",
        "required": in_path,
        "description": description,
        "schema": TEXT | schema,
    }


def refused(meanings: Mapping[int, str], *statuses: int) -> dict[str, Schema]:
    """Problem documents with these statuses; of those that ask for another token, the challenge."""
    content = {PROBLEM: {"schema": reference("Problem")}}
    return {
        str(status): {
            "description": meanings[status],
            "content": content,
            **({"headers": {"WWW-Authenticate": _CHALLENGES[status]}} if status in _CHALLENGES else {}),
        }
        for status in sorted(statuses)
    }
