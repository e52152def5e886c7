"""What is known about the sources, read from the database on every request."""

from collections.abc import Sequence
from typing import Any

from panosc_common import problem
from panosc_common.server import OrjsonResponse
from starlette.requests import Request
from starlette.responses import Response

from panosc_catalogue.database import Database
from panosc_catalogue.dois.status import status as dois_status
from panosc_catalogue.ingest.worker import Worker
from panosc_catalogue.paging import page_limit
from panosc_catalogue.query.model import CLOCK, MONTHS
from panosc_catalogue.settings import PolicyFile
from panosc_catalogue.sources.sync import Sync

MAX_PROBLEMS = 20
"""Problems of a source that its status names; the reports have them all."""
MAX_REPORTS = 1000


class Status:
    """The answers about the sources and what of them is in the catalogue."""

    def __init__(self, database: Database, policy: PolicyFile, followers: Sequence[Worker | Sync]) -> None:
        self._database = database
        self._policy = policy
        self._followers = {follower.name: follower for follower in followers}

    async def status(self, request: Request) -> Response:
        """`GET /status`: each source's state and counts, the catalogue's, and what became of its DOIs."""
        names = {"names": list(self._followers)}
        known = {}
        for keys, sql in ((_ARCHIVE_KEYS, _ARCHIVES), (_CATALOGUE_KEYS, _CATALOGUES)):
            for row in await self._database.rows(sql, names):
                known[row[0]] = dict(zip(keys, row, strict=True))
        sources = [await self._source(follower, known) for follower in self._followers.values()]
        months = self._policy.current().embargo.months
        counts = await self._database.rows(_COUNTS_SQL, {"embargo_months": months, "clock": None})
        datasets, documents, public = counts[0]
        # The DOIs' own worker is another process; whoever asks about the catalogue asks here.
        dois = await dois_status(self._database.rows)
        counted = {"datasets": datasets, "documents": documents, "publicDatasets": public}
        return OrjsonResponse({"sources": sources, **counted, "dois": dois})

    async def _source(self, follower: Worker | Sync, known: dict[str, dict[str, Any]]) -> dict[str, Any]:
        keys = _ARCHIVE_KEYS if isinstance(follower, Worker) else _CATALOGUE_KEYS
        new = {**{key: 0 if key in _COUNTS else None for key in keys}, "state": "Scanning"}
        source = new | known.get(follower.name, {}) | {"name": follower.name}
        if follower.last_error:
            source |= {"state": "Failed", "lastError": source["lastError"] or follower.last_error}
        if isinstance(follower, Worker):
            source["failed"] += len(follower.tree_problems)
        reports = await self._reports(follower, "", MAX_PROBLEMS)
        source["problems"] = [{key: item[key] for key in ("path", "reason", "message")} for item in reports]
        return source

    async def reports(self, request: Request) -> Response:
        """`GET /reports?source=&after=&limit=`: what is not, or not wholly, catalogued."""
        query = request.query_params
        name = query.get("source") or next(iter(self._followers), "")
        if name not in self._followers:
            there = ", ".join(self._followers)
            raise problem.Problem(404, f"there is no source {name!r}; there are: {there}")
        limit = page_limit(query, default=100, maximum=MAX_REPORTS)
        items = await self._reports(self._followers[name], query.get("after", ""), limit + 1)
        page = items[:limit]
        return OrjsonResponse({"items": page, "next": page[-1]["path"] if len(items) > len(page) else None})

    async def _reports(self, follower: Worker | Sync, after: str, limit: int) -> list[dict[str, Any]]:
        name = follower.name
        arguments = {"source": name, "after": after.replace("\0", ""), "limit": limit}
        if isinstance(follower, Worker):
            rows = await self._database.rows(
                _FILE_REPORTS, arguments | {"prefix": follower.pid_prefix} | _WITHDRAWN
            )
            found = [(p.path, p.reason, p.message, None) for p in follower.tree_problems if p.path > after]
        else:
            rows, found = await self._database.rows(_RECORD_REPORTS, arguments), []
        items = [
            {"source": name, "path": path, "reason": reason, "message": message, "seenAt": seen}
            for path, reason, message, seen in [*rows, *found]
        ]
        return sorted(items, key=lambda item: str(item["path"]))[:limit]


_ARCHIVE_KEYS = (
    "name",
    "state",
    "files",
    "ingested",
    "failed",
    "ignored",
    "records",
    "withdrawn",
    "lastScan",
    "lastSuccess",
    "lastChange",
    "lastError",
)
_CATALOGUE_KEYS = (
    "name",
    "state",
    "records",
    "failed",
    "withdrawn",
    "lastScan",
    "lastSuccess",
    "lagSeconds",
    "lastChange",
    "lastError",
)
_COUNTS = frozenset({"files", "ingested", "failed", "ignored", "records", "withdrawn"})

_ARCHIVES = """
SELECT s.name, s.state, f.files + s.ignored, f.ingested, f.failed, s.ignored,
    (SELECT count(*) FROM dataset WHERE source = s.name AND deleted_at IS NULL),
    (SELECT count(*) FROM dataset WHERE source = s.name AND deleted_at IS NOT NULL),
    s.last_scan, s.last_scan, s.last_change, s.last_error
FROM ingest_source s
LEFT JOIN LATERAL (
    SELECT count(*) AS files, count(*) FILTER (WHERE outcome = 'ingested') AS ingested,
        count(*) FILTER (WHERE outcome IN ('failed', 'waiting')) AS failed
    FROM ingest_file WHERE source = s.name AND deleted_at IS NULL
) f ON true
WHERE s.name = ANY(%(names)s)
"""

# Records that a listing lacked and that were not believed to be gone are for a person to look at.
_CATALOGUES = """
SELECT s.name, CASE WHEN s.held_back > 0 AND s.state = 'Idle' THEN 'Failed' ELSE s.state END,
    r.records, r.refused, r.withdrawn, s.last_listing, s.caught_up_at,
    extract(epoch FROM now() - s.caught_up_at)::bigint, s.last_change,
    coalesce(s.last_error, CASE WHEN s.held_back > 0 THEN
        'its last listing lacked ' || s.held_back || ' of the records known, more than half; they stay, and '
        'are withdrawn if its next listing lacks them too' END)
FROM source_state s
LEFT JOIN LATERAL (
    SELECT count(*) FILTER (WHERE deleted_at IS NULL AND pid IS NOT NULL) AS records,
        count(*) FILTER (WHERE deleted_at IS NULL AND refused IS NOT NULL) AS refused,
        count(*) FILTER (WHERE deleted_at IS NOT NULL AND pid IS NOT NULL) AS withdrawn
    FROM source_record WHERE source = s.name
) r ON true
WHERE s.name = ANY(%(names)s)
"""

_COUNTS_SQL = f"""
SELECT (SELECT count(*) FROM dataset WHERE deleted_at IS NULL),
    (SELECT count(*) FROM document WHERE deleted_at IS NULL),
    (SELECT count(*) FROM visible_dataset({MONTHS}, {CLOCK}))
"""  # noqa: S608

_WITHDRAWN = {
    "reason": "Withdrawn",
    "message": "no file makes up this dataset any more; it is kept, and shown again when its files come back",
}

_FILE_REPORTS = """
SELECT path, reason, message, seen_at FROM (
    (
        SELECT path, reason, message, seen_at FROM ingest_file
        WHERE source = %(source)s AND deleted_at IS NULL AND reason IS NOT NULL AND path > %(after)s
        ORDER BY path LIMIT %(limit)s
    ) UNION ALL (
        SELECT substr(pid, length(%(prefix)s) + 1), %(reason)s, %(message)s, deleted_at FROM dataset
        WHERE source = %(source)s AND deleted_at IS NOT NULL AND starts_with(pid, %(prefix)s)
        AND pid > %(prefix)s || %(after)s
        ORDER BY pid LIMIT %(limit)s
    )
) reports
ORDER BY path COLLATE "C" LIMIT %(limit)s
"""

_RECORD_REPORTS = """
SELECT kind || ' ' || origin_id, 'Refused', refused, seen_at FROM source_record
WHERE source = %(source)s AND refused IS NOT NULL AND deleted_at IS NULL
AND kind || ' ' || origin_id > %(after)s
ORDER BY kind || ' ' || origin_id LIMIT %(limit)s
"""
