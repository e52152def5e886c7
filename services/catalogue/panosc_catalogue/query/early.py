"""Which datasets of an answer are not public, and on which grounds they are seen: for the audit log."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from panosc_catalogue.query.model import Field, Kind
from panosc_catalogue.query.syntax import Filter

_NAME = "early"
_GROUNDS = "json_build_array({0}.pid, {0}.member_of, {0}.staff_of)"
_FIELD = Field(Kind.TEXT, "NULL", f"CASE WHEN NOT {{0}}.is_public THEN {_GROUNDS} END")

Found = tuple[str, str | None, str | None]
"""Pid of a dataset that is not public, and its columns `member_of` and `staff_of`."""


def early(query: Filter) -> Filter:
    """The filter, answering with nothing but what `found` reads of its datasets, on every level."""
    includes = tuple(
        replace(include, scope=early(include.scope))
        for include in query.includes
        if include.restricts or _shows_datasets(include.scope)
    )
    if query.model.name != "Dataset":
        return replace(query, fields=(), includes=includes)
    model = replace(query.model, fields={**query.model.fields, _NAME: _FIELD})
    return replace(query, model=model, fields=(_NAME,), includes=includes)


def found(answer: Any) -> Iterator[Found]:
    """What is not public in an answer to such a filter."""
    if isinstance(answer, list):
        for item in answer:
            yield from found(item)
    elif isinstance(answer, dict):
        for name, value in answer.items():
            if name != _NAME:
                yield from found(value)
            elif value is not None:
                yield tuple(value)


def _shows_datasets(query: Filter) -> bool:
    return query.model.name == "Dataset" or any(_shows_datasets(include.scope) for include in query.includes)
