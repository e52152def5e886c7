"""The API described: for programs as an OpenAPI document, for people as a page."""

from html import escape
from typing import Any

from panosc_catalogue.query.model import MODELS, Kind, Model
from panosc_catalogue.query.parse import OPERATORS

_SCHEMAS: dict[Kind, dict[str, Any]] = {
    Kind.TEXT: {"type": ["string", "null"]},
    Kind.NUMBER: {"type": ["number", "null"]},
    Kind.DATE: {"type": ["string", "null"], "format": "date-time"},
    Kind.BOOLEAN: {"type": "boolean"},
    Kind.TEXTS: {"type": "array", "items": {"type": "string"}},
    Kind.VALUE: {"type": ["number", "string", "null"]},
}
_FILTER = (
    "JSON object of where, include, limit, skip, order, fields, query. Operators: "
    f"{', '.join(OPERATORS)}, and, or, text. An include whose scope has a where is an inner join. "
    "Lists are limited, whatever is asked for: the headers X-Limit and X-Include-Limit (of each list of "
    "related items) tell how."
)
_COUNT_SCHEMA = {
    "type": "object",
    "properties": {"count": {"type": "integer", "minimum": 0}},
    "required": ["count"],
}


def document() -> dict[str, Any]:
    """The OpenAPI 3.1 document."""
    paths: dict[str, Any] = {}
    for name in ("Dataset", "Document", "Instrument"):
        items = {"type": "array", "items": {"$ref": f"#/components/schemas/{name}"}}
        item = {"$ref": f"#/components/schemas/{name}"}
        paths[f"/api/{name}s"] = _operation(
            f"find{name}s", f"{name}s that match the filter", items, ["filter"]
        )
        paths[f"/api/{name}s/count"] = _operation(
            f"count{name}s", f"How many {name}s match", _COUNT_SCHEMA, ["where", "filter"]
        )
        paths[f"/api/{name}s/{{pid}}"] = _operation(f"find{name}", f"One {name}", item, ["filter"], pid=True)
    files = {"type": "array", "items": {"$ref": "#/components/schemas/File"}}
    paths["/api/Datasets/{pid}/files"] = _operation(
        "findFiles", "A dataset's files", files, ["filter"], pid=True
    )
    paths["/api/Datasets/{pid}/files/count"] = _operation(
        "countFiles", "How many files a dataset has", _COUNT_SCHEMA, ["where", "filter"], pid=True
    )
    return {
        "openapi": "3.1.0",
        "info": {"title": "PaNOSC search API", "version": "1.0.0"},
        "paths": paths,
        "components": {
            "schemas": {**{name: _schema(model) for name, model in MODELS.items()}, "Error": _ERROR}
        },
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
        }
    },
    "required": ["error"],
}


def _schema(model: Model) -> dict[str, Any]:
    properties: dict[str, Any] = {name: _SCHEMAS[field.kind] for name, field in model.fields.items()}
    if model.words:
        properties["score"] = {"type": "number"}
    for name, relation in model.relations.items():
        reference = {"$ref": f"#/components/schemas/{relation.target}"}
        properties[name] = (
            {"type": "array", "items": reference}
            if relation.many
            else {"anyOf": [reference, {"type": "null"}]}
        )
    return {"type": "object", "properties": properties}


def _operation(
    identifier: str, summary: str, schema: dict[str, Any], queries: list[str], *, pid: bool = False
) -> dict[str, Any]:
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "query", "description": _FILTER, "schema": {"type": "string"}}
        for name in queries
    ]
    if pid:
        parameters.append({"name": "pid", "in": "path", "required": True, "schema": {"type": "string"}})
    refusal = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}}
    return {
        "get": {
            "operationId": identifier,
            "summary": summary,
            "parameters": parameters,
            "responses": {
                "200": {"description": summary, "content": {"application/json": {"schema": schema}}},
                "400": {"description": "The filter is not valid, or its answer too large", **refusal},
                **({"404": {"description": "No such public record", **refusal}} if pid else {}),
                "503": {"description": "Try again in a moment", **refusal},
            },
        }
    }


def page(facility: str) -> str:
    """The page for people: what can be asked, of which model, with one example each."""
    rows = "".join(
        f"<tr><th scope=row>{name}</th><td>{', '.join(model.fields)}</td>"
        f"<td>{', '.join(model.relations)}</td></tr>"
        for name, model in MODELS.items()
    )
    where = '{"where":{"name":{"ilike":"%scattering%"}}}'
    example = f'{{"include":[{{"relation":"techniques","scope":{where}}}],"limit":10}}'
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{escape(facility)}: search API</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>body{{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}}
th,td{{text-align:left;vertical-align:top;padding:.25rem .75rem .25rem 0}}
code{{overflow-wrap:anywhere}}</style>
</head><body><main><h1>{escape(facility)}: search API</h1>
<p>The PaNOSC search API: <a href="/api/Datasets">/api/Datasets</a>,
<a href="/api/Documents">/api/Documents</a>, <a href="/api/Instruments">/api/Instruments</a>, each with
<code>/{{pid}}</code> and <code>/count</code>; <code>/api/Datasets/{{pid}}/files</code>.
Described for programs in <a href="/openapi.json">/openapi.json</a>.</p>
<p>A <code>filter</code> is a {escape(_FILTER)} For example:
<a href="/api/Datasets?filter={escape(example)}"><code>/api/Datasets?filter={escape(example)}</code></a></p>
<table><thead><tr><th scope=col>Model</th><th scope=col>Fields</th><th scope=col>Relations</th></tr></thead>
<tbody>{rows}</tbody></table></main></body></html>"""
