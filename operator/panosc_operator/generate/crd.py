"""CustomResourceDefinitions of the kinds."""

from typing import Any

from panosc_operator.api.cel import VALIDATIONS
from panosc_operator.api.meta import GROUP, VERSION, PrinterColumn, Resource
from panosc_operator.generate.schema import Schema, structural_schema

_API_VERSION = "Version of the API in which the object is written: panosc.eu/v1alpha1."
_KIND = "Kind of the object."


def definition(kind: type[Resource]) -> dict[str, Any]:
    """The CustomResourceDefinition of a kind."""
    info = kind.info
    scope = "Namespaced" if info.namespaced else "Cluster"
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": info.crd_name, "labels": {"app.kubernetes.io/part-of": "panosc"}},
        "spec": {
            "group": GROUP,
            "scope": scope,
            "names": {
                "kind": info.kind,
                "listKind": f"{info.kind}List",
                "plural": info.plural,
                "singular": info.kind.lower(),
                "shortNames": [info.short_name],
                "categories": [info.category],
            },
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": [_column(column) for column in info.printer_columns],
                    "schema": {"openAPIV3Schema": _with_spoken_defaults(object_schema(kind))},
                }
            ],
        },
    }


def object_schema(kind: type[Resource]) -> Schema:
    """The structural schema of a whole object; the API server adds what it knows of metadata itself."""
    schema = structural_schema(kind)
    properties = schema["properties"]
    status = _without_defaults(properties["status"])
    spec = properties["spec"]
    result: Schema = {
        "description": schema["description"],
        "type": "object",
        "required": [name for name in schema["required"] if name == "spec"],
        "properties": {
            "apiVersion": {"description": _API_VERSION, "type": "string"},
            "kind": {"description": _KIND, "type": "string"},
            # What a rule's error points at has to be named, and more than the name must not be.
            "metadata": {"type": "object", "properties": {"name": {"type": "string"}}},
            "spec": spec,
            "status": status,
        },
        VALIDATIONS: schema.get(VALIDATIONS, []),
    }
    return {key: value for key, value in result.items() if value}


def _without_defaults(schema: Schema) -> Schema:
    """The schema of the status: what the operator hasn't found out yet is absent instead of 0."""
    result = {key: value for key, value in schema.items() if key != "default"}
    if "properties" in result:
        result["properties"] = {
            name: _without_defaults(child) for name, child in result["properties"].items()
        }
    if "items" in result:
        result["items"] = _without_defaults(result["items"])
    return result


def _with_spoken_defaults(schema: Schema) -> Schema:
    """The schema with single defaults in the descriptions, as `kubectl explain` doesn't show them else."""
    result = dict(schema)
    default = result.get("default")
    if default is not None and not isinstance(default, dict | list):
        spoken = str(default).lower() if isinstance(default, bool) else default
        result["description"] = f"{result['description']} Default: {spoken}."
    if "properties" in result:
        result["properties"] = {
            name: _with_spoken_defaults(child) for name, child in result["properties"].items()
        }
    if "items" in result:
        result["items"] = _with_spoken_defaults(result["items"])
    return result


def _column(column: PrinterColumn) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": column.name, "type": column.type, "jsonPath": column.json_path}
    if column.description:
        entry["description"] = column.description
    if column.priority:
        entry["priority"] = column.priority
    return entry
