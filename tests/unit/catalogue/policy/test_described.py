"""The staff's interface and data management plans are described for programs, and answer as described."""

import re
from pathlib import Path
from typing import Any

import pytest
from panosc_catalogue.web.app import create_app
from panosc_catalogue.web.openapi import document
from unit.catalogue.conformance import NEGATIVE, POSITIVE, operations, statuses
from unit.catalogue.service import get, settings
from unit.catalogue.visibility import TOKEN, Catalogue

AUTHORISED = {"Authorization": f"Bearer {TOKEN}"}
EXAMPLES = 40
"""Requests to each path."""


@pytest.fixture
def described(catalogue: Catalogue) -> dict[str, Any]:
    """What the document says of each of their paths and methods."""
    paths = get(catalogue.client, "/openapi.json")["paths"]
    return {
        f"{method.upper()} {path}": operation
        for path, operations in paths.items()
        if path.startswith(("/policy", "/dmp"))
        for method, operation in operations.items()
    }


def test_every_route_is_described(described: dict[str, Any], database_url: str, tmp_path: Path) -> None:
    routes: Any = create_app(settings(database_url, tmp_path)).routes
    served = {
        f"{method} {re.sub(r':[a-z]+}', '}', route.path)}"
        for route in routes
        if route.path.startswith(("/policy", "/dmp"))
        for method in route.methods - {"HEAD"}
    }
    assert set(described) == served


def test_the_token_is_asked_for_where_the_description_says(
    described: dict[str, Any], catalogue: Catalogue
) -> None:
    assert len(described) == 6
    for name, operation in described.items():
        method, path = name.split()
        status = catalogue.client.request(method, path.replace("{pid}", "doc")).status_code
        assert (status == 401) == ("401" in operation["responses"]) == ("security" in operation), name


def test_its_examples_are_decisions(described: dict[str, Any], catalogue: Catalogue) -> None:
    content = described["POST /policy/decisions"]["requestBody"]["content"]["application/json"]
    for name, example in content["examples"].items():
        answer = catalogue.client.post("/policy/decisions", json=example["value"], headers=AUTHORISED)
        assert answer.status_code == 404, f"{name}: {answer.text}"
        assert "none with pid 'pid'" in answer.json()["detail"]


def of_what_there_is() -> dict[str, Any]:
    """The document with pids of records that there are: hardly any other request would come that far."""
    described = document()
    for schema in described["components"]["schemas"].values():
        if "requestedBy" in schema.get("properties", {}) and "action" in schema["properties"]:
            for kind, pid in (("document", "doc"), ("dataset", "d/1")):
                if kind in schema["properties"]:
                    schema["properties"][kind] = {"enum": [pid]}
    for path, pid in (("/policy/documents", "doc"), ("/policy/datasets", "d/1"), ("/dmp", "doc")):
        described["paths"][f"{path}/{{pid}}"]["get"]["parameters"][0]["schema"] = {"enum": [pid, "none"]}
    return described


OPERATIONS = list(operations(of_what_there_is(), "/policy", "/dmp"))


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.path)
def test_answers_conform(catalogue: Catalogue, operation: Any) -> None:
    answered = statuses(catalogue.client, operation, POSITIVE, EXAMPLES, **AUTHORISED)
    assert set(answered) <= {200, 404, 409, 422}, answered
    # It asks for no pid with a slash, and there is no contact that a plan would name.
    assert 200 in answered or operation.path in ("/policy/datasets/{pid}", "/dmp/{pid}"), answered


# A parameter that they do not know they pass over; test_decisions has wrong values of those of the log.
@pytest.mark.parametrize(
    "operation", [one for one in OPERATIONS[1:] if one.path != "/policy/log"], ids=lambda one: one.path
)
def test_what_is_not_described_is_refused(catalogue: Catalogue, operation: Any) -> None:
    answered = statuses(catalogue.client, operation, NEGATIVE, EXAMPLES, **AUTHORISED)
    assert {400, 404, 422} & set(answered), answered
