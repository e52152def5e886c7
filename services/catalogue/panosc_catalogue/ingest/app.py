"""The ingest process: a worker for each source, and what they are doing over HTTP."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from panosc_common import metrics, problem
from panosc_common.server import OrjsonResponse
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from panosc_catalogue.database import RETRY_AFTER_SECONDS, Database, DatabaseUnavailable, QueryTimeout
from panosc_catalogue.ingest.worker import Worker
from panosc_catalogue.nexus.pool import Reader
from panosc_catalogue.paging import page_limit
from panosc_catalogue.query.model import CLOCK, MONTHS
from panosc_catalogue.settings import CatalogueConfig, PolicyFile, Settings

MAX_PROBLEMS = 20
"""Problems of a source that its status names; the reports have them all."""
MAX_REPORTS = 1000


def create_app(settings: Settings, config: CatalogueConfig) -> Starlette:
    """The application; its workers run from start-up to shutdown."""
    if settings.database_url is None:
        raise ValueError("database_url is missing")
    database = Database(
        settings.database_url.get_secret_value(),
        size=2,
        statement_timeout_seconds=settings.statement_timeout_seconds,
    )
    reader = Reader(settings.read_timeout_seconds)
    workers = [
        Worker(settings, config.facility, source.name, source.nexus, reader)
        for source in config.sources
        if source.nexus
    ]
    status = Status(database, PolicyFile(settings.policy_file), workers)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(database.opened())
            await stack.enter_async_context(reader.opened())
            tasks = [asyncio.create_task(worker.run()) for worker in workers]
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def healthy(request: Request) -> Response:
        """The process answers; how its sources do is in the status."""
        return OrjsonResponse({"status": "ok"})

    return Starlette(
        lifespan=lifespan,
        exception_handlers=problem.EXCEPTION_HANDLERS,
        routes=[
            Route("/status", status.status),
            Route("/reports", status.reports),
            Route("/healthz", healthy),
            Route("/metrics", metrics.endpoint),
        ],
    )


class Status:
    """What is known about the sources, read from the database on every request."""

    def __init__(self, database: Database, policy: PolicyFile, workers: list[Worker]) -> None:
        self._database = database
        self._policy = policy
        self._workers = {worker.name: worker for worker in workers}

    async def status(self, request: Request) -> Response:
        """`GET /status`: each source's state and counts, and the catalogue's."""
        rows = await self._rows(_SOURCES, {"names": list(self._workers)})
        known = {row[0]: dict(zip(_SOURCE_KEYS, row, strict=True)) for row in rows}
        sources = []
        for name, worker in self._workers.items():
            source = known.get(name) or {**dict.fromkeys(_SOURCE_KEYS), "name": name, "state": "Scanning"}
            source = {key: source[key] or 0 if key in _COUNTS else source[key] for key in _SOURCE_KEYS}
            if worker.last_error:
                source |= {"state": "Failed", "lastError": source["lastError"] or worker.last_error}
            source["failed"] += len(worker.tree_problems)
            reports = await self._reports(name, "", MAX_PROBLEMS)
            source["problems"] = [
                {key: item[key] for key in ("path", "reason", "message")} for item in reports
            ]
            sources.append(source)
        months = self._policy.current().embargo.months
        counts = await self._rows(_COUNTS_SQL, {"embargo_months": months, "clock": None})
        datasets, documents, public = counts[0]
        return OrjsonResponse(
            {"sources": sources, "datasets": datasets, "documents": documents, "publicDatasets": public}
        )

    async def reports(self, request: Request) -> Response:
        """`GET /reports?source=&after=&limit=`: each file that is not, or not wholly, in the catalogue."""
        query = request.query_params
        name = query.get("source") or next(iter(self._workers), "")
        if name not in self._workers:
            raise problem.Problem(404, f"there is no source {name!r}; there are: {', '.join(self._workers)}")
        limit = page_limit(query, default=100, maximum=MAX_REPORTS)
        items = await self._reports(name, query.get("after", ""), limit + 1)
        page = items[:limit]
        return OrjsonResponse({"items": page, "next": page[-1]["path"] if len(items) > len(page) else None})

    async def _reports(self, name: str, after: str, limit: int) -> list[dict[str, Any]]:
        worker = self._workers[name]
        arguments = {"source": name, "after": after.replace("\0", ""), "limit": limit}
        rows = await self._rows(_REPORTS, arguments | {"prefix": worker.pid_prefix} | _WITHDRAWN)
        items = [
            {"source": name, "path": path, "reason": reason, "message": message, "seenAt": seen}
            for path, reason, message, seen in rows
        ]
        items.extend(
            {"source": name, "path": p.path, "reason": p.reason, "message": p.message, "seenAt": None}
            for p in worker.tree_problems
            if p.path > after
        )
        return sorted(items, key=lambda item: str(item["path"]))[:limit]

    async def _rows(self, sql: str, parameters: dict[str, Any]) -> list[tuple[Any, ...]]:
        try:
            return await self._database.rows(sql, parameters)
        except (DatabaseUnavailable, QueryTimeout) as error:
            raise problem.Problem(
                503, str(error), headers={"Retry-After": str(RETRY_AFTER_SECONDS)}
            ) from error


_SOURCE_KEYS = (
    "name",
    "state",
    "files",
    "ingested",
    "failed",
    "ignored",
    "withdrawn",
    "lastScan",
    "lastChange",
    "lastError",
)
_COUNTS = frozenset({"files", "ingested", "failed", "ignored", "withdrawn"})

_SOURCES = """
SELECT s.name, s.state, f.files + s.ignored, f.ingested, f.failed, s.ignored,
    (SELECT count(*) FROM dataset WHERE source = s.name AND deleted_at IS NOT NULL),
    s.last_scan, s.last_change, s.last_error
FROM ingest_source s
LEFT JOIN LATERAL (
    SELECT count(*) AS files, count(*) FILTER (WHERE outcome = 'ingested') AS ingested,
        count(*) FILTER (WHERE outcome IN ('failed', 'waiting')) AS failed
    FROM ingest_file WHERE source = s.name AND deleted_at IS NULL
) f ON true
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

_REPORTS = """
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
