"""How the DOIs are: read from the database, so that every process of the catalogue can tell."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

Rows = Callable[[str, dict[str, Any]], Awaitable[list[tuple[Any, ...]]]]
"""How statements are asked, such as `Database.rows`."""

MAX_PROBLEMS = 20
"""Refused records that the status names."""


async def status(ask: Rows) -> dict[str, Any] | None:
    """How the worker does, and how many DOIs there are; None before it ran for the first time."""
    said = await health(ask)
    return said | await counts(ask) if said else None


async def health(ask: Rows) -> dict[str, Any] | None:
    """How the worker does; None before it ran for the first time."""
    rows = await ask("SELECT seen_at, last_success, last_error FROM doi_worker", {})
    if not rows:
        return None
    seen, success, error = rows[0]
    problems = await ask(_PROBLEMS, {"limit": MAX_PROBLEMS})
    return {
        "lastSeen": _iso(seen),
        "lastSuccess": _iso(success),
        "lastError": error,
        "problems": [{"pid": pid, "doi": doi, "message": message} for pid, doi, message in problems],
    }


async def counts(ask: Rows) -> dict[str, int]:
    """How many records wait, have a name of each state, and were refused."""
    names = ("pending", "findable", "registered", "local", "refused")
    return dict(zip(names, (await ask(_COUNTS, {}))[0], strict=True))


def _iso(instant: datetime | None) -> str | None:
    return instant.isoformat() if instant else None


_COUNTS = """
SELECT
    count(*) FILTER (WHERE r.state IN ('intended', 'draft') AND r.last_error IS NULL AND EXISTS (
        SELECT FROM oai_record o WHERE o.kind = r.kind AND o.record = r.record AND o.state = 'live'
    )),
    count(*) FILTER (WHERE r.state = 'findable'),
    count(*) FILTER (WHERE r.state = 'registered'),
    count(*) FILTER (WHERE r.state = 'local'),
    count(*) FILTER (WHERE r.last_error IS NOT NULL)
FROM doi_registration r
"""

_PROBLEMS = """
SELECT coalesce(d.pid, p.pid), r.doi, r.last_error FROM doi_registration r
LEFT JOIN document p ON r.kind = 'documents' AND p.id = r.record
LEFT JOIN dataset d ON r.kind = 'datasets' AND d.id = r.record
WHERE r.last_error IS NOT NULL ORDER BY r.kind, r.record LIMIT %(limit)s
"""
