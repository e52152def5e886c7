"""The catalogue described for programs, as an OpenAPI document; the search API itself first."""

from collections.abc import Sequence
from typing import Any

from panosc_catalogue.query.model import MODELS, Kind, Model
from panosc_catalogue.web import grammar, openapi_policy, openapi_teams

_KINDS: dict[Kind, dict[str, Any]] = {
    Kind.TEXT: {"type": ["string", "null"]},
    Kind.NUMBER: {"type": ["number", "null"]},
    Kind.DATE: {"type": ["string", "null"], "format": "date-time"},
    Kind.BOOLEAN: {"type": "boolean"},
    Kind.TEXTS: {"type": "array", "items": {"type": "string"}},
    Kind.VALUE: {"type": ["number", "string", "null"]},
}
_SCORE = {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}
_COUNT = {
    "type": "object",
    "properties": {"count": {"type": "integer", "minimum": 0}},
    "required": ["count"],
    "additionalProperties": False,
}
_ERROR: dict[str, Any] = {
    "type": "object",
    "properties": {
        "error": {
            "type": "object",
            "properties": {
                "statusCode": {"type": "integer"},
                "name": {"type": "string"},
                "message": {"type": "string"},
                "code": {"type": "string"},
            },
            "required": ["statusCode", "name", "message"],
            "additionalProperties": False,
        }
    },
    "required": ["error"],
    "additionalProperties": False,
}
Header = tuple[str, dict[str, Any], str]
_LIMIT: Header = ("X-Limit", {"type": "integer", "minimum": 1}, "Items that this answer holds at most")
_CAPPED: Header = (
    "X-Limit-Capped",
    {"enum": ["true"]},
    "More was asked for, and there may be more than this answer holds",
)
_INCLUDED: Header = ("X-Include-Limit", {"type": "integer"}, "Items of each included list at most")
_RANKED: Header = (
    "X-Ranked-Limit",
    {"type": "integer"},
    "Of what a query finds, the latest items are ranked",
)
_TOTAL: Header = (
    "X-Total-Count",
    {"type": "integer"},
    "With total=true: items that match",
)
_CURSOR: Header = ("X-Next-Cursor", {"type": "string"}, "Where the next page begins; absent on the last")
_LINK: Header = ("Link", {"type": "string"}, 'The next page as `<…>; rel="next"`')
_TAG: Header = ("ETag", {"type": "string"}, "For If-None-Match: 304 while the answer is the same")
_FILTER = (
    "A JSON object; `filter[limit]=10` and so on is understood too. An include whose scope has a where is an "
    "inner join: items without such a relative are left out."
)
_CHALLENGE: Header = ("WWW-Authenticate", {"type": "string"}, "What is wrong with the token")
_LOGIN = {
    "login": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "An access token of the facility's login; without one the public asks",
    }
}
_DESCRIPTION = (
    "The PaNOSC search API. What is public is shown: of documents their description, of datasets everything "
    "once their embargo has ended, and before that to whom a token names as theirs. Paths ignore case; pids "
    "may be percent-encoded or not. Beside it, what the facility's staff asks and decides about embargoes "
    "and licences, teams of proposals, and data management plans."
)
_TAGS = [
    {"name": "Datasets"},
    {"name": "Documents"},
    {"name": "Instruments"},
    {"name": openapi_policy.STAFF, "description": "For the facility's staff: embargoes and licences"},
    {"name": openapi_teams.TEAMS, "description": "Who belongs to a proposal, with an access token"},
    {"name": openapi_policy.PLANS, "description": "Of public proposals, from policy and record"},
]


def document() -> dict[str, Any]:
    """The OpenAPI 3.1 document."""
    paths: dict[str, Any] = {}
    for name, model in MODELS.items():
        if model.words:
            paths |= _collection(name)
    files = "/api/Datasets/{pid}/files"
    some = _items("File")
    paths[files] = _operation(
        "findFiles",
        "A dataset's files",
        some,
        [_pid(), _filter("File", "Scope")],
        [_LIMIT, _CAPPED, _INCLUDED],
    )
    paths[f"{files}/count"] = _operation(
        "countFiles",
        "How many files a dataset has",
        _COUNT,
        [_pid(), _where("File"), _filter("File", "Scope")],
    )
    for path, item in paths.items():
        item["get"]["tags"] = [path.split("/")[2]]
    return {
        "openapi": "3.1.0",
        "info": {"title": "PaNOSC catalogue", "version": "1.0.0", "description": _DESCRIPTION},
        "tags": _TAGS,
        "paths": paths | openapi_policy.paths() | openapi_teams.paths(),
        "components": {
            "securitySchemes": _LOGIN | openapi_policy.SECURITY,
            "schemas": {
                **{name: _schema(model) for name, model in MODELS.items()},
                **grammar.schemas(),
                "Error": _ERROR,
                **openapi_policy.schemas(),
                **openapi_teams.schemas(),
            },
        },
    }


def _collection(name: str) -> dict[str, Any]:
    """The paths of a model that is listed."""
    words = _parameter("query", "Words that are to be found, best first", {"type": "string"})
    cursor = _parameter("cursor", "X-Next-Cursor of the page before, in place of skip", {"type": "string"})
    total = _parameter("total", "Whether to count all pages", {"type": "boolean", "default": False})
    filtered = _filter(name, "Filter")
    headers = [_LIMIT, _CAPPED, _INCLUDED, _RANKED, _TOTAL, _CURSOR, _LINK]
    return {
        f"/api/{name}s": _operation(
            f"find{name}s",
            f"{name}s that match the filter",
            _items(name),
            [filtered, words, cursor, total],
            headers,
        ),
        f"/api/{name}s/count": _operation(
            f"count{name}s", f"How many {name}s match", _COUNT, [_where(name), filtered, words]
        ),
        f"/api/{name}s/{{pid}}": _operation(
            f"find{name}",
            f"One {name}",
            {"$ref": f"#/components/schemas/{name}"},
            [_pid(), filtered],
            [_CAPPED, _INCLUDED],
        ),
    }


def _items(name: str) -> dict[str, Any]:
    return {"type": "array", "items": {"$ref": f"#/components/schemas/{name}"}}


def _schema(model: Model) -> dict[str, Any]:
    properties: dict[str, Any] = {name: _KINDS[field.kind] for name, field in model.fields.items()}
    if model.words:
        properties["score"] = _SCORE
    for name, relation in model.relations.items():
        reference = {"$ref": f"#/components/schemas/{relation.target}"}
        properties[name] = (
            {"type": "array", "items": reference}
            if relation.many
            else {"anyOf": [reference, {"type": "null"}]}
        )
    required = {"required": ["score"]} if model.words else {}
    return {"type": "object", "properties": properties, "additionalProperties": False, **required}


def _parameter(name: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "description": description, "schema": schema}


def _json_parameter(name: str, description: str, schema: str, example: object) -> dict[str, Any]:
    content = {"schema": {"$ref": f"#/components/schemas/{schema}"}, "example": example}
    return {
        "name": name,
        "in": "query",
        "description": description,
        "content": {"application/json": content},
    }


def _filter(name: str, kind: str) -> dict[str, Any]:
    return _json_parameter("filter", _FILTER, f"{name}{kind}", {"limit": 10})


def _where(name: str) -> dict[str, Any]:
    return _json_parameter("where", "The condition alone", f"{name}Where", {})


def _pid() -> dict[str, Any]:
    return {"name": "pid", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}


def _operation(
    identifier: str,
    summary: str,
    schema: dict[str, Any],
    parameters: list[dict[str, Any]],
    headers: Sequence[Header] = (),
) -> dict[str, Any]:
    refusal = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}}
    told = _headers(*headers, _TAG)
    answer = {
        "description": summary,
        "headers": told,
        "content": {"application/json": {"schema": schema}},
    }
    by_pid = any(parameter["in"] == "path" for parameter in parameters)
    return {
        "get": {
            "operationId": identifier,
            "summary": summary,
            "security": [{}, *({name: []} for name in _LOGIN)],
            "parameters": parameters,
            "responses": {
                "200": answer,
                "304": {"description": "The client has the answer already"},
                "400": {"description": "The filter is not valid, or its answer too large", **refusal},
                "401": {
                    "description": "The access token is not taken, never as if there was none",
                    "headers": _headers(_CHALLENGE),
                    **refusal,
                },
                **({"404": {"description": "No such public record", **refusal}} if by_pid else {}),
                "503": {"description": "Try again in a moment", **refusal},
            },
        }
    }


def _headers(*headers: Header) -> dict[str, Any]:
    return {name: {"schema": kind, "description": meaning} for name, kind, meaning in headers}
