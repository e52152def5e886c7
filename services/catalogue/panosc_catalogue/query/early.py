"""What of an answer is not public, and on which grounds it is seen: for the audit log."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from panosc_catalogue.query.model import Field, Kind
from panosc_catalogue.query.syntax import Filter

_NAME = "early"
_GROUNDS = {
    "Dataset": "json_build_array({0}.pid, {0}.grounds)",
    # Records name datasets alone.
    **dict.fromkeys(("Document", "Member"), "json_build_array(NULL, {0}.grounds)"),
}
"""Models that may show what is not public, and what tells of it."""

Found = tuple[str | None, list[str | None]]
"""Pid of what is not public if it is a dataset, and its column `grounds`, as `access.reason` takes it."""


def early(query: Filter) -> Filter:
    """The filter, answering with nothing but what `found` reads, on every level."""
    includes = tuple(
        replace(include, scope=early(include.scope))
        for include in query.includes
        if include.restricts or _may_show(include.scope)
    )
    grounds = _GROUNDS.get(query.model.name)
    if grounds is None:
        return replace(query, fields=(), includes=includes)
    told = Field(Kind.TEXT, "NULL", f"CASE WHEN NOT {{0}}.is_public THEN {grounds} END")
    model = replace(query.model, fields={**query.model.fields, _NAME: told})
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


def _may_show(query: Filter) -> bool:
    return query.model.name in _GROUNDS or any(_may_show(include.scope) for include in query.includes)
