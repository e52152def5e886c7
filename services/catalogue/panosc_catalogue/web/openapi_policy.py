"""What the staff asks and decides (`/policy`) and data management plans (`/dmp`), for an OpenAPI document."""

from typing import Any

from panosc_common.policy import DataPolicy
from panosc_common.problem import MEDIA_TYPE as PROBLEM

from panosc_catalogue.policy.decisions import DECISION
from panosc_catalogue.web.policy import MAX_BODY_BYTES, MAX_ENTRIES

Schema = dict[str, Any]

STAFF = "Data policy"
PLANS = "Data management plans"
SECURITY = {
    "administrator": {
        "type": "http",
        "scheme": "bearer",
        "description": "An access token of an administrator of the facility, or the token in the Secret "
        "`<catalogue>-administrator`",
    }
}
_REFERENCES = "#/components/schemas/{model}"
_TEXT: Schema = {"type": "string"}
_TEXT_OR_NULL: Schema = {"type": ["string", "null"]}
_INSTANT: Schema = {"type": "string", "format": "date-time"}
_INSTANT_OR_NULL: Schema = {"type": ["string", "null"], "format": "date-time"}
_NUMBER: Schema = {"type": "integer", "minimum": 0}
_REFUSALS = {
    400: "A parameter is wrong",
    401: "The request has no token that is taken",
    403: "Who asks is no administrator of the facility",
    404: "The catalogue has no such record, or it is not public",
    409: "What holds now does not allow the decision",
    413: f"The decision has more than {MAX_BODY_BYTES} bytes",
    422: "The decision is not valid, or the data policy does not allow it",
    503: "Try again in a moment, or, where there is no administrator's token, let one be made",
}
_WORDS = {"requestedBy": "Ada Lovelace", "grantedBy": "User Office", "reason": "thesis not yet published"}
_EXAMPLES: dict[str, dict[str, Any]] = {
    "Extend an embargo": {"action": "extendEmbargo", "document": "pid", "until": "2028-03-01T00:00:00Z"},
    "Release a dataset at once": {"action": "release", "dataset": "pid"},
    "Give data another licence": {"action": "setLicense", "document": "pid", "license": "CC0-1.0"},
}
_CHALLENGE = {"WWW-Authenticate": {"schema": _TEXT, "required": True}}


def paths() -> Schema:
    """The paths of both."""
    of_pid = [_parameter("pid", "Pid of the record, percent-encoded or not", in_path=True, minLength=1)]
    entries = [
        _parameter("pid", "Pid of a proposal or dataset: decisions about this one only"),
        _parameter("after", "`next` of the page before", type="integer", minimum=0, maximum=10**18 - 1),
        _parameter("limit", "Entries at most", type="integer", minimum=1, maximum=MAX_ENTRIES, default=100),
    ]
    examples = {name: {"value": example | _WORDS} for name, example in _EXAMPLES.items()}
    content = {"application/json": {"schema": _reference("Decision"), "examples": examples}}
    return {
        "/policy": {"get": _asked("showPolicy", "The data policy in force", "DataPolicy", [])},
        "/policy/documents/{pid}": {
            "get": _asked("showDocument", "What holds of a proposal", "Holds", of_pid, 400, 404)
        },
        "/policy/datasets/{pid}": {
            "get": _asked("showDataset", "What holds of a dataset", "Holds", of_pid, 400, 404)
        },
        "/policy/log": {"get": _asked("showLog", "All that was decided, oldest first", "Log", entries, 400)},
        "/policy/decisions": {
            "post": {
                **_asked("decide", "Let a decision hold", "Decided", [], 404, 409, 413, 422),
                "description": "The same decision again changes nothing.",
                "requestBody": {"required": True, "content": content},
            }
        },
        "/dmp/{pid}": {"get": _plan(of_pid)},
    }


def schemas() -> dict[str, Schema]:
    """The schemas that the paths refer to."""
    decision = DECISION.json_schema(ref_template=_REFERENCES)
    policy = DataPolicy.model_json_schema(mode="serialization", ref_template=_REFERENCES)
    return {
        **decision.pop("$defs"),
        **policy.pop("$defs"),
        "Decision": decision,
        "DataPolicy": policy,
        "Holds": _HOLDS,
        "License": _object(id=_TEXT_OR_NULL, name=_TEXT, url=_TEXT_OR_NULL),
        "Log": _object(
            entries={"type": "array", "items": _reference("Entry")},
            next={"type": ["integer", "null"], "description": "What to give as `after`; null on the last"},
        ),
        "Entry": _ENTRY,
        "Decided": _object(changed={"type": "boolean"}, state=_reference("Holds")),
        "Plan": _object(dmp={"type": "object"}),
        "Problem": _PROBLEM,
    }


def _reference(name: str) -> Schema:
    return {"$ref": _REFERENCES.format(model=name)}


def _or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def _object(**properties: Schema) -> Schema:
    """An object with all these properties and no other."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


_PROBLEM: Schema = {
    "type": "object",
    "description": "Problem details (RFC 9457); field, value and remedy where one value is the reason",
    "properties": {
        "type": _TEXT,
        "title": _TEXT,
        "status": {"type": "integer"},
        "detail": _TEXT,
        "field": _TEXT,
        "value": {},
        "remedy": _TEXT,
    },
    "required": ["type", "title", "status", "detail"],
}
_ENTRY = {
    "type": "object",
    "properties": {
        "id": {"type": "integer"},
        "decidedAt": _INSTANT,
        "document": {**_TEXT, "description": "Pid of the proposal that was decided about"},
        "dataset": {**_TEXT, "description": "Pid of the dataset that was decided about"},
        "aspect": {"enum": ["extension", "release", "proprietary", "license"]},
        "before": {"type": ["string", "boolean", "null"]},
        "after": {"type": ["string", "boolean", "null"]},
        "requestedBy": _TEXT,
        "grantedBy": _TEXT,
        "decidedBy": {
            **_TEXT,
            "description": "The login's identifier of who sent it, or that it was the token",
        },
        "reason": _TEXT,
    },
    "required": [
        "id",
        "decidedAt",
        "aspect",
        "before",
        "after",
        "requestedBy",
        "grantedBy",
        "decidedBy",
        "reason",
    ],
    "oneOf": [{"required": ["document"]}, {"required": ["dataset"]}],
    "additionalProperties": False,
}
_HOLDS = _object(
    kind={"enum": ["document", "dataset"]},
    pid=_TEXT,
    title=_TEXT,
    proposal={**_TEXT_OR_NULL, "description": "Pid of the proposal that decides"},
    experimentEnd=_INSTANT_OR_NULL,
    embargoEnd={**_INSTANT_OR_NULL, "description": "By source and policy alone"},
    extendableUntil=_INSTANT_OR_NULL,
    extendedUntil=_INSTANT_OR_NULL,
    releasedAt=_INSTANT_OR_NULL,
    openedBySource={"type": "boolean"},
    releaseDate={**_INSTANT_OR_NULL, "description": "When the data become public, all in all"},
    proprietary={"type": "boolean"},
    license=_reference("License"),
    metadataLicense=_reference("License"),
    rawDataKeptUntil=_INSTANT_OR_NULL,
    datasets=_NUMBER,
    publicDatasets=_NUMBER,
    provenance=_object(source=_TEXT_OR_NULL, originId=_TEXT_OR_NULL, fetchedAt=_INSTANT),
    decisions={
        "type": "object",
        "description": "By aspect, the decision that holds",
        "additionalProperties": _or_null(_reference("Entry")),
    },
)


def _parameter(name: str, description: str, *, in_path: bool = False, **schema: Any) -> Schema:
    return {
        "name": name,
        "in": "path" if in_path else "query",
        "required": in_path,
        "description": description,
        "schema": _TEXT | schema,
    }


def _asked(identifier: str, summary: str, answer: str, parameters: list[Schema], *refusals: int) -> Schema:
    """What the staff asks with its token."""
    content = {"application/json": {"schema": _reference(answer)}}
    refused = _refused(*refusals, 401, 403, 503)
    refused["401"]["headers"] = _CHALLENGE
    return {
        "operationId": identifier,
        "summary": summary,
        "tags": [STAFF],
        "security": [{name: []} for name in SECURITY],
        "parameters": parameters,
        "responses": {"200": {"description": summary, "content": content}, **refused},
    }


def _plan(of_pid: list[Schema]) -> Schema:
    form = _parameter("format", "Absent: as `Accept` says", enum=["html", "json"])
    summary = "A public proposal's data management plan"
    plan = {"application/json": {"schema": _reference("Plan")}, "text/html": {"schema": _TEXT}}
    standard = "https://github.com/RDA-DMP-Common/RDA-DMP-Common-Standard"
    return {
        "operationId": "showPlan",
        "summary": summary,
        "externalDocs": {
            "description": "The RDA common standard 1.2, which the JSON follows",
            "url": standard,
        },
        "tags": [PLANS],
        "parameters": [*of_pid, form],
        "responses": {
            "200": {"description": summary, "content": plan, "headers": {"ETag": {"schema": _TEXT}}},
            "304": {"description": "The client has the answer already"},
            **_refused(400, 404, 503),
        },
    }


def _refused(*statuses: int) -> dict[str, Schema]:
    content = {PROBLEM: {"schema": _reference("Problem")}}
    return {
        str(status): {"description": _REFUSALS[status], "content": content} for status in sorted(statuses)
    }
