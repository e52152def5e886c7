"""What the staff asks and decides (`/policy`) and data management plans (`/dmp`), for an OpenAPI document."""

from typing import Any

from panosc_common.access import Scope
from panosc_common.policy import DataPolicy

from panosc_catalogue.policy.decisions import DECISION
from panosc_catalogue.web.openapi_parts import (
    INSTANT,
    INSTANT_OR_NULL,
    REFERENCES,
    TEXT,
    TEXT_OR_NULL,
    Schema,
    object_of,
    parameter,
    reference,
    refused,
)
from panosc_catalogue.web.policy import MAX_BODY_BYTES, MAX_ENTRIES

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
_NUMBER: Schema = {"type": "integer", "minimum": 0}
_REFUSALS = {
    400: "A parameter is wrong",
    401: "The request has no token that is taken",
    403: f"Who asks is no administrator of the facility, or the token is limited and lacks {Scope.POLICY}",
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


def paths() -> Schema:
    """The paths of both."""
    of_pid = [parameter("pid", "Pid of the record, percent-encoded or not", in_path=True, minLength=1)]
    entries = [
        parameter("pid", "Pid of a proposal or dataset: decisions about this one only"),
        parameter("after", "`next` of the page before", type="integer", minimum=0, maximum=10**18 - 1),
        parameter("limit", "Entries at most", type="integer", minimum=1, maximum=MAX_ENTRIES, default=100),
    ]
    examples = {name: {"value": example | _WORDS} for name, example in _EXAMPLES.items()}
    content = {"application/json": {"schema": reference("Decision"), "examples": examples}}
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
    decision = DECISION.json_schema(ref_template=REFERENCES)
    policy = DataPolicy.model_json_schema(mode="serialization", ref_template=REFERENCES)
    return {
        **decision.pop("$defs"),
        **policy.pop("$defs"),
        "Decision": decision,
        "DataPolicy": policy,
        "Holds": _HOLDS,
        "License": object_of(id=TEXT_OR_NULL, name=TEXT, url=TEXT_OR_NULL),
        "Log": object_of(
            entries={"type": "array", "items": reference("Entry")},
            next={"type": ["integer", "null"], "description": "What to give as `after`; null on the last"},
        ),
        "Entry": _ENTRY,
        "Decided": object_of(changed={"type": "boolean"}, state=reference("Holds")),
        "Plan": object_of(dmp={"type": "object"}),
        "Problem": _PROBLEM,
    }


def _or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


_PROBLEM: Schema = {
    "type": "object",
    "description": "Problem details (RFC 9457); field, value and remedy where one value is the reason",
    "properties": {
        "type": TEXT,
        "title": TEXT,
        "status": {"type": "integer"},
        "detail": TEXT,
        "field": TEXT,
        "value": {},
        "remedy": TEXT,
    },
    "required": ["type", "title", "status", "detail"],
}
_ENTRY = {
    "type": "object",
    "properties": {
        "id": {"type": "integer"},
        "decidedAt": INSTANT,
        "document": {**TEXT, "description": "Pid of the proposal that was decided about"},
        "dataset": {**TEXT, "description": "Pid of the dataset that was decided about"},
        "aspect": {"enum": ["extension", "release", "proprietary", "license"]},
        "before": {"type": ["string", "boolean", "null"]},
        "after": {"type": ["string", "boolean", "null"]},
        "requestedBy": TEXT,
        "grantedBy": TEXT,
        "decidedBy": {
            **TEXT,
            "description": "The login's identifier of who sent it, or that it was the token",
        },
        "reason": TEXT,
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
_HOLDS = object_of(
    kind={"enum": ["document", "dataset"]},
    pid=TEXT,
    title=TEXT,
    proposal={**TEXT_OR_NULL, "description": "Pid of the proposal that decides"},
    experimentEnd=INSTANT_OR_NULL,
    embargoEnd={**INSTANT_OR_NULL, "description": "By source and policy alone"},
    extendableUntil=INSTANT_OR_NULL,
    extendedUntil=INSTANT_OR_NULL,
    releasedAt=INSTANT_OR_NULL,
    openedBySource={"type": "boolean"},
    releaseDate={**INSTANT_OR_NULL, "description": "When the data become public, all in all"},
    proprietary={"type": "boolean"},
    license=reference("License"),
    metadataLicense=reference("License"),
    rawDataKeptUntil=INSTANT_OR_NULL,
    datasets=_NUMBER,
    publicDatasets=_NUMBER,
    provenance=object_of(source=TEXT_OR_NULL, originId=TEXT_OR_NULL, fetchedAt=INSTANT),
    decisions={
        "type": "object",
        "description": "By aspect, the decision that holds",
        "additionalProperties": _or_null(reference("Entry")),
    },
)


def _asked(identifier: str, summary: str, answer: str, parameters: list[Schema], *refusals: int) -> Schema:
    """What the staff asks with its token."""
    content = {"application/json": {"schema": reference(answer)}}
    return {
        "operationId": identifier,
        "summary": summary,
        "tags": [STAFF],
        "security": [{name: []} for name in SECURITY],
        "parameters": parameters,
        "responses": {
            "200": {"description": summary, "content": content},
            **refused(_REFUSALS, *refusals, 401, 403, 503),
        },
    }


def _plan(of_pid: list[Schema]) -> Schema:
    form = parameter("format", "Absent: as `Accept` says", enum=["html", "json"])
    summary = "A public proposal's data management plan"
    plan = {"application/json": {"schema": reference("Plan")}, "text/html": {"schema": TEXT}}
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
            "200": {"description": summary, "content": plan, "headers": {"ETag": {"schema": TEXT}}},
            "304": {"description": "The client has the answer already"},
            **refused(_REFUSALS, 400, 404, 503),
        },
    }
