"""How the DOIs are: read from the database, so that every process of the catalogue can tell."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

Rows = Callable[[str, dict[str, Any]], Awaitable[list[tuple[Any, ...]]]]
"""How statements are asked, such as `Database.rows`."""

MAX_PROBLEMS = 20
"""Refused records that the status names."""


async def status(ask: Rows) -> dict[str, Any] | None:
    """What the worker did and what it waits for; None before it ran for the first time."""
    rows = await ask(_STATUS, {})
    if not rows:
        return None
    seen, success, error, pending, findable, registered, local, refused = rows[0]
    problems = await ask(_PROBLEMS, {"limit": MAX_PROBLEMS}) if refused else []
    return {
        "lastSeen": _iso(seen),
        "lastSuccess": _iso(success),
        "lastError": error,
        "pending": pending,
        "findable": findable,
        "registered": registered,
        "local": local,
        "refused": refused,
        "problems": [{"pid": pid, "doi": doi, "message": message} for pid, doi, message in problems],
    }


def _iso(instant: datetime | None) -> str | None:
    return instant.isoformat() if instant else None


_STATUS = """
SELECT w.seen_at, w.last_success, w.last_error,
    count(*) FILTER (WHERE r.state IN ('intended', 'draft') AND r.last_error IS NULL AND EXISTS (
        SELECT FROM oai_record o WHERE o.kind = r.kind AND o.record = r.record AND o.state = 'live'
    )),
    count(*) FILTER (WHERE r.state = 'findable'),
    count(*) FILTER (WHERE r.state = 'registered'),
    count(*) FILTER (WHERE r.state = 'local'),
    count(*) FILTER (WHERE r.last_error IS NOT NULL)
FROM doi_worker w LEFT JOIN doi_registration r ON true
GROUP BY w.single
"""

_PROBLEMS = """
SELECT coalesce(d.pid, p.pid), r.doi, r.last_error FROM doi_registration r
LEFT JOIN document p ON r.kind = 'documents' AND p.id = r.record
LEFT JOIN dataset d ON r.kind = 'datasets' AND d.id = r.record
WHERE r.last_error IS NOT NULL ORDER BY r.kind, r.record LIMIT %(limit)s
"""
