"""The search API answers as its OpenAPI document says, whatever is asked."""

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from panosc_catalogue.web.app import create_app
from panosc_catalogue.web.openapi import document
from support import postgres
from unit.catalogue import service, universe
from unit.catalogue.conformance import NEGATIVE, POSITIVE, operations, statuses

EXAMPLES, WRONG = 30, 2
"""Requests to each path; to make one wrong takes a second."""


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


def shallow() -> dict[str, Any]:
    """The document without includes in includes: what is made wrong in them is longer than a URL may be."""
    described = document()
    for name, schema in described["components"]["schemas"].items():
        if name.endswith("Scope"):
            del schema["properties"]["include"]
    return described


@pytest.mark.parametrize("operation", list(operations(document(), "/api/")), ids=lambda one: one.path)
def test_answers_conform(client: httpx2.Client, operation: Any) -> None:
    answered = statuses(client, operation, POSITIVE, EXAMPLES)
    # If all were refused, nothing would have been shown. A random pid is hardly ever one that there is.
    assert "{pid}" in operation.path or 200 in answered, answered


@pytest.mark.parametrize("operation", list(operations(shallow(), "/api/")), ids=lambda one: one.path)
def test_what_is_not_described_is_refused(client: httpx2.Client, operation: Any) -> None:
    answered = statuses(client, operation, NEGATIVE, WRONG)
    assert {400} <= set(answered) <= {400, 404}, answered
