"""The API answers as its OpenAPI document says, whatever is asked."""

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from panosc_catalogue.web.app import create_app
from panosc_catalogue.web.openapi import document
from schemathesis import checks
from schemathesis.core.result import Ok
from schemathesis.specs.openapi import checks as conformance
from support import postgres
from unit.catalogue import service, universe

EXAMPLES = 30
"""Requests to each path."""


def operations() -> Iterator[Any]:
    """Those of the search API."""
    for result in schemathesis.openapi.from_dict(document()).get_all_operations():
        assert isinstance(result, Ok), result
        operation = result.ok()
        if operation.path.startswith("/api/"):
            yield operation


CHECKS = [
    checks.not_a_server_error,
    conformance.status_code_conformance,
    conformance.content_type_conformance,
    conformance.response_headers_conformance,
    conformance.response_schema_conformance,
]


@pytest.fixture(scope="module")
def client(
    server: postgres.Server, template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx2.Client]:
    name = server.create(template)
    service.fill(server.url(name), universe.make(1))
    app = create_app(service.settings(server.url(name), tmp_path_factory.mktemp("files")))
    with service.serving(app) as client:
        yield client
    server.drop(name)


@pytest.mark.parametrize("operation", list(operations()), ids=lambda operation: operation.path)
def test_answers_conform(client: httpx2.Client, operation: Any) -> None:
    statuses: list[int] = []

    # Not by schemathesis' own parametrize: its coverage phase counts up what a recursive grammar allows.
    @given(case=operation.as_strategy())
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def ask(case: schemathesis.Case[Any]) -> None:
        response = case.call_and_validate(base_url=str(client.base_url), checks=CHECKS)
        statuses.append(response.status_code)

    ask()
    # If all were refused, nothing would have been shown. A random pid is hardly ever one that there is.
    assert "{pid}" in operation.path or 200 in statuses, statuses
