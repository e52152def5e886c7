"""Reference pages of the kinds, in Markdown."""

from collections.abc import Iterable, Iterator
from importlib import resources

from panosc_operator.api import KINDS
from panosc_operator.api.cel import VALIDATIONS
from panosc_operator.api.conditions import Described
from panosc_operator.api.meta import Resource
from panosc_operator.generate.crd import object_schema
from panosc_operator.generate.schema import Schema

_NOTE = "<!-- Generated from operator/panosc_operator/api by `make generate`; do not edit. -->\n"


def example(kind: type[Resource]) -> str:
    """A complete object of the kind as YAML, which the API server's tests accept."""
    file = resources.files("panosc_operator.generate") / "examples" / f"{kind.info.kind.lower()}.yaml"
    return file.read_text()


def page(kind: type[Resource]) -> str:
    """The reference page of a kind."""
    info = kind.info
    schema = object_schema(kind)
    spec, status = schema["properties"]["spec"], schema["properties"]["status"]
    where = "in the namespace of a facility" if info.namespaced else "for the whole cluster"
    sections = [
        f"{_NOTE}\n# {info.kind}\n",
        f"{schema['description']}\n",
        f"A {info.kind} exists {where}. kubectl calls it `{info.plural}`, short `{info.short_name}`, and "
        f"lists it with `kubectl get {info.category}`. What this page says is also said by "
        f"`kubectl explain {info.kind.lower()}.spec`.\n",
        f"## Example\n\n```yaml\n{example(kind)}```\n",
        f"## spec\n\n{_spec_fields(spec)}",
        "## Rules over several fields and over changes\n\n"
        f"The API server refuses what breaks them.\n\n{_rules(schema)}",
        "## status\n\n"
        f"Written by the operator alone. What it doesn't know is absent.\n\n{_status_fields(status)}",
        "## Conditions\n\n" + _described("Type", info.condition_types),
        "## Reasons\n\nThe `reason` of a condition; its `message` names the object and the remedy.\n\n"
        + _described("Reason", info.reasons),
    ]
    return "\n".join(sections)


def index() -> str:
    """The page that leads to the others."""
    rows = ["| Kind | What it is |", "|---|---|"]
    rows += [
        f"| [{kind.info.kind}]({kind.info.kind.lower()}.md) | {object_schema(kind)['description']} |"
        for kind in KINDS
    ]
    return f"{_NOTE}\n# Reference of the kinds\n\n" + "\n".join(rows) + "\n"


def _status_fields(root: Schema) -> str:
    rows = ["| Field | Type | Meaning |", "|---|---|---|"]
    rows += [
        f"| `{path}` | {_type(schema)} | {schema['description']} |" for path, schema, _ in _walk(root, "")
    ]
    return "\n".join(rows) + "\n"


def _spec_fields(root: Schema) -> str:
    rows = ["| Field | Type | Default | Meaning |", "|---|---|---|---|"]
    rows += [
        f"| `{path}` | {_type(schema)} | {_default(schema, required)} | {_meaning(schema)} |"
        for path, schema, required in _walk(root, "")
    ]
    return "\n".join(rows) + "\n"


def _walk(schema: Schema, prefix: str) -> Iterator[tuple[str, Schema, bool]]:
    """Path, schema and necessity of every field, depth first."""
    for name, child in schema.get("properties", {}).items():
        path = f"{prefix}{name}"
        yield path, child, name in schema.get("required", ())
        if child.get("type") == "array":
            yield from _walk(child["items"], f"{path}[].")
        else:
            yield from _walk(child, f"{path}.")


def _type(schema: Schema) -> str:
    if "x-kubernetes-int-or-string" in schema:
        return "quantity"
    if "enum" in schema:
        return "one of " + ", ".join(f"`{value}`" for value in schema["enum"])
    if schema["type"] == "array":
        items = "objects" if schema["items"]["type"] == "object" else _type(schema["items"])
        keys = ", ".join(f"`{key}`" for key in schema.get("x-kubernetes-list-map-keys", ()))
        return f"list of {items}" + (f", one for each {keys}" if keys else "")
    return "time" if schema.get("format") == "date-time" else str(schema["type"])


def _default(schema: Schema, required: bool) -> str:
    if required:
        return "*required*"
    default = schema.get("default")
    if default is None or isinstance(default, dict):
        return ""
    values = default if isinstance(default, list) else [default]
    return ", ".join(f"`{str(value).lower() if isinstance(value, bool) else value}`" for value in values)


def _meaning(schema: Schema) -> str:
    parts = [schema["description"], *_bounds(schema)]
    if schema.get("type") == "string":
        messages = (rule["message"] for rule in schema.get(VALIDATIONS, ()))
        parts += [f"{message[0].upper()}{message[1:]}." for message in messages]
    return " ".join(parts)


def _bounds(schema: Schema) -> Iterator[str]:
    low, high = schema.get("minimum"), schema.get("maximum")
    if high is not None:
        yield f"From {low} to {high}."
    if "maxLength" in schema and VALIDATIONS not in schema:
        yield f"At most {schema['maxLength']} characters."
    if "maxItems" in schema:
        yield f"At most {schema['maxItems']}."


def _rules(root: Schema) -> str:
    rows = ["| Field | Rule |", "|---|---|"]
    objects = [("", root), *((path, schema) for path, schema, _ in _walk(root, ""))]
    for path, schema in objects:
        one, place = (schema["items"], f"{path}[]") if schema.get("type") == "array" else (schema, path)
        for rule in one.get(VALIDATIONS, ()) if one.get("type") == "object" else ():
            field = f"{place}{rule.get('fieldPath', '')}".removeprefix(".") or "metadata.name"
            rows.append(f"| `{field}` | {rule['message']} |")
    return "\n".join(rows) + "\n"


def _described(heading: str, members: Iterable[Described]) -> str:
    rows = [f"| {heading} | Meaning |", "|---|---|"]
    rows += [f"| `{member}` | {member.description} |" for member in members]
    return "\n".join(rows) + "\n"
