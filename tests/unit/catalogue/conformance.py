"""Requests made from the OpenAPI document: such as it allows, and such as it does not."""

import random
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import httpx2
import schemathesis
from hypothesis import HealthCheck, Phase, assume, given, settings
from schemathesis import GenerationMode, checks
from schemathesis.core.result import Ok
from schemathesis.specs.openapi import checks as conformance

POSITIVE, NEGATIVE = GenerationMode.POSITIVE, GenerationMode.NEGATIVE
MAX_QUERY = 32_000
CHECKS = [
    checks.not_a_server_error,
    conformance.status_code_conformance,
    conformance.content_type_conformance,
    conformance.response_headers_conformance,
    conformance.response_schema_conformance,
    conformance.negative_data_rejection,
]


def operations(document: dict[str, Any], *prefixes: str) -> Iterator[Any]:
    """The operations whose paths begin so."""
    for result in schemathesis.openapi.from_dict(document).get_all_operations():
        assert isinstance(result, Ok), result
        operation = result.ok()
        if operation.path.startswith(prefixes):
            yield operation


def statuses(
    client: httpx2.Client, operation: Any, mode: GenerationMode, examples: int, **headers: str
) -> list[int]:
    """Statuses of the answers to so many requests, each of which was as described."""
    found: list[int] = []
    described = {parameter.name for parameter in operation.query}
    random.seed(operation.path)  # schemathesis draws from it, too

    # Not by schemathesis' own parametrize: its coverage phase counts up what a recursive grammar allows.
    @given(case=operation.as_strategy(mode))
    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def ask(case: schemathesis.Case[Any]) -> None:
        # Longer ones the HTTP server refuses by itself; parameters that are not described it may ignore.
        query = case.query or {}
        assume(described.issuperset(query) and len(urlencode(query, doseq=True)) < MAX_QUERY)
        response = case.call_and_validate(
            base_url=str(client.base_url), headers=headers, checks=CHECKS, allow_redirects=False
        )
        found.append(response.status_code)

    ask()
    return found
