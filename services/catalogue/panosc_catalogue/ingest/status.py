"""What is known about the sources, read from the database: how they are now, and counts that may be older."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from panosc_common import problem
from panosc_common.server import OrjsonResponse
from starlette.requests import Request
from starlette.responses import Response

from panosc_catalogue.database import Database
from panosc_catalogue.dois import status as dois
from panosc_catalogue.ingest.kept import Kept
from panosc_catalogue.ingest.worker import Worker
from panosc_catalogue.paging import page_limit
from panosc_catalogue.query.model import CLOCK, MONTHS
from panosc_catalogue.settings import PolicyFile
from panosc_catalogue.sources.sync import Sync

MAX_PROBLEMS = 20
"""Problems of a source that its status names; the reports have them all."""
MAX_REPORTS = 1000


@dataclass(frozen=True)
class _Counts:
    """How many there are: of all records, by source, and of DOIs."""

    of_all: dict[str, int]
    of_source: dict[str, dict[str, int]]
    of_dois: dict[str, int]


class Status:
    """The answers about the sources and what of them is in the catalogue."""

    def __init__(self, database: Database, policy: PolicyFile, followers: Sequence[Worker | Sync]) -> None:
        self._database = database
        self._policy = policy
        self._followers = {follower.name: follower for follower in followers}
        self._counts = Kept(self._count)

    async def status(self, request: Request) -> Response:
        """`GET /status`: each source's state and counts, the catalogue's, and what became of its DOIs."""
        known = await self._by_source(_ARCHIVES, _CATALOGUES)
        said = await dois.health(self._database.rows)
        counts = await self._counts.get()
        sources = [
            await self._source(
                follower, known.get(follower.name, {}), counts.of_source.get(follower.name, {})
            )
            for follower in self._followers.values()
        ]
        # The DOIs' own worker is another process; whoever asks about the catalogue asks here.
        return OrjsonResponse(
            {"sources": sources, **counts.of_all, "dois": said | counts.of_dois if said else None}
        )

    async def _count(self) -> _Counts:
        months = self._policy.current().embargo.months
        rows = await self._database.rows(_COUNTS_SQL, {"embargo_months": months, "clock": None})
        return _Counts(
            dict(zip(("datasets", "documents", "publicDatasets"), rows[0], strict=True)),
            await self._by_source(_COUNTS_OF_ARCHIVES, _COUNTS_OF_CATALOGUES),
            await dois.counts(self._database.rows),
        )

    async def _by_source(self, *statements: str) -> dict[str, dict[str, Any]]:
        """What the statements say of each source: its name, and an object."""
        names = {"names": list(self._followers)}
        return {name: said for sql in statements for name, said in await self._database.rows(sql, names)}

    async def _source(
        self, follower: Worker | Sync, known: dict[str, Any], counts: dict[str, Any]
    ) -> dict[str, Any]:
        nothing = _NEW_ARCHIVE if isinstance(follower, Worker) else _NEW_CATALOGUE
        source = {"name": follower.name, **nothing, **known, **counts}
        if isinstance(follower, Worker):
            source["files"] += source["ignored"]
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


_NEW = {"state": "Scanning", "lastScan": None, "lastSuccess": None, "lastChange": None, "lastError": None}
_NEW_ARCHIVE = {**_NEW, "files": 0, "ingested": 0, "failed": 0, "ignored": 0, "records": 0, "withdrawn": 0}
_NEW_CATALOGUE = {**_NEW, "lagSeconds": None, "records": 0, "failed": 0, "withdrawn": 0}

# A source that failed has failed until a run of it ends well.
_ARCHIVES = """
SELECT name, json_build_object(
    'state', CASE WHEN last_error IS NULL THEN state ELSE 'Failed' END, 'ignored', ignored,
    'lastScan', last_scan, 'lastSuccess', last_scan, 'lastChange', last_change, 'lastError', last_error)
FROM ingest_source WHERE name = ANY(%(names)s)
"""

# Records that a listing lacked and that were not believed to be gone are for a person to look at.
_CATALOGUES = """
SELECT name, json_build_object(
    'state', CASE
        WHEN last_error IS NOT NULL OR held_back > 0 AND state = 'Idle' THEN 'Failed'
        ELSE state END,
    'lastScan', last_listing, 'lastSuccess', caught_up_at,
    'lagSeconds', extract(epoch FROM now() - caught_up_at)::bigint, 'lastChange', last_change,
    'lastError', coalesce(last_error, CASE WHEN held_back > 0 THEN
        'its last listing lacked ' || held_back || ' of the records known, more than half; they stay, and '
        'are withdrawn if its next listing lacks them too' END))
FROM source_state WHERE name = ANY(%(names)s)
"""

_COUNTS_OF_ARCHIVES = """
SELECT s.name, json_build_object(
    'files', f.files, 'ingested', f.ingested, 'failed', f.failed,
    'records', (SELECT count(*) FROM dataset WHERE source = s.name AND deleted_at IS NULL),
    'withdrawn', (SELECT count(*) FROM dataset WHERE source = s.name AND deleted_at IS NOT NULL))
FROM ingest_source s
CROSS JOIN LATERAL (
    SELECT count(*) AS files, count(*) FILTER (WHERE outcome = 'ingested') AS ingested,
        count(*) FILTER (WHERE outcome IN ('failed', 'waiting')) AS failed
    FROM ingest_file WHERE source = s.name AND deleted_at IS NULL
) f
WHERE s.name = ANY(%(names)s)
"""

_COUNTS_OF_CATALOGUES = """
SELECT source, json_build_object(
    'records', count(*) FILTER (WHERE deleted_at IS NULL AND pid IS NOT NULL),
    'failed', count(*) FILTER (WHERE deleted_at IS NULL AND refused IS NOT NULL),
    'withdrawn', count(*) FILTER (WHERE deleted_at IS NOT NULL AND pid IS NOT NULL))
FROM source_record WHERE source = ANY(%(names)s) GROUP BY source
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
