"""Teams are described for programs, and answer as described."""

import re
from pathlib import Path
from typing import Any

import pytest
from panosc_catalogue.web.app import create_app
from panosc_catalogue.web.openapi import document
from unit.catalogue.conformance import NEGATIVE, POSITIVE, operations, statuses
from unit.catalogue.service import settings
from unit.catalogue.teams.conftest import LEADER, Catalogue

EXAMPLES = 30
"""Requests to each operation."""
DESCRIBED = {
    f"{method.upper()} {path}": operation
    for path, methods in document()["paths"].items()
    if path.startswith("/teams")
    for method, operation in methods.items()
}


def test_every_route_is_described(database_url: str, tmp_path: Path) -> None:
    routes: Any = create_app(settings(database_url, tmp_path)).routes
    served = {
        f"{method} {re.sub(r':[a-z]+}', '}', route.path)}"
        for route in routes
        if route.path.startswith("/teams")
        for method in route.methods - {"HEAD"}
    }
    assert set(DESCRIBED) == served


def test_where_there_is_no_login_there_are_no_teams(
    catalogue: Catalogue, database_url: str, tmp_path: Path
) -> None:
    for name in DESCRIBED:
        method, path = name.split()
        answer = catalogue.ask(None, method, path.replace("{proposal}", "doc").replace("{member}", "1"))
        assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
        assert answer.headers["Content-Type"] == "application/problem+json"


def test_its_examples_are_taken(catalogue: Catalogue) -> None:
    bodies = {
        name: next(iter(operation["requestBody"]["content"].items()))
        for name, operation in DESCRIBED.items()
        if "requestBody" in operation
    }
    for name, (kind, content) in bodies.items():
        method, path = name.split()
        catalogue.push(LEADER)
        example = content["example"]
        given = {"json": example} if kind == "application/json" else {"content": example}
        headers = {"Content-Type": kind}
        who = "pi" if "members" in path else "office"
        answer = catalogue.ask(who, method, path.replace("{proposal}", "doc"), headers=headers, **given)
        assert answer.status_code == 200, answer.text


def described(**proposal: Any) -> list[Any]:
    """The operations, without the form that a page sends; of proposals of the schema, if one is given."""
    told = document()
    for path, methods in told["paths"].items():
        for operation in methods.values() if path.startswith("/teams/") else ():
            operation["parameters"][0]["schema"] = proposal or operation["parameters"][0]["schema"]
            content = operation.get("requestBody", {"content": {}})["content"]
            content.pop("application/x-www-form-urlencoded", None)
    return list(operations(told, "/teams"))


OPERATIONS = described(enum=["doc", "none"])
NAMES = [f"{one.method} {one.path}" for one in OPERATIONS]


@pytest.mark.parametrize("who", ["office", "pi"])
@pytest.mark.parametrize("operation", OPERATIONS, ids=NAMES)
def test_answers_conform(catalogue: Catalogue, operation: Any, who: str) -> None:
    catalogue.push(LEADER)
    bearer = {"Authorization": f"Bearer {catalogue.tokens[who]}"}
    answered = statuses(catalogue.client, operation, POSITIVE, EXAMPLES, **bearer)
    assert set(answered) <= {200, 303, 403, 404, 409, 422}, answered


@pytest.mark.parametrize(
    "operation", [one for one in described() if "{" in one.path and one.body], ids=lambda one: one.path
)
def test_what_is_not_described_is_refused(catalogue: Catalogue, operation: Any) -> None:
    catalogue.push(LEADER)
    who = "pi" if "members" in operation.path else "office"
    bearer = {"Authorization": f"Bearer {catalogue.tokens[who]}"}
    answered = statuses(catalogue.client, operation, NEGATIVE, EXAMPLES, **bearer)
    assert 422 in answered, answered
