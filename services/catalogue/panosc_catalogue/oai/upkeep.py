"""Keeping `oai_record` true: what is public of each record now, since when it is so, and in which sets.

Everything that changes a record for harvesters ends here: writes to it and to what belongs to it (triggers
note them in `oai_stale`), the end of an embargo (`due`), another policy or configuration (`oai_basis`). What
differs from what was last said gets the time of this look as its datestamp.

Nothing is missed by a harvester that comes back and asks `from` the time of its last answer: looks and
answers take turns by a lock, so that a look which changes what an answer said has a later time than that
answer; and a transaction counts from its commit on, whenever it began.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg
import structlog

from panosc_catalogue.database import Busy, QueryTimeout
from panosc_catalogue.datacite import reading
from panosc_catalogue.datacite.description import Kind
from panosc_catalogue.query import measure
from panosc_catalogue.query.model import CLOCK, MONTHS
from panosc_catalogue.query.settled import PUBLIC
from panosc_catalogue.site import Site

log = structlog.stdlib.get_logger(__name__)

BATCH = 2000
"""Records that one look compares; fewer where that takes longer than a statement may."""
ONE_SECONDS = 600
"""How long a look may take that compares only one record: a proposal may have a million datasets."""
PATIENCE_SECONDS = 5.0
"""How long a harvester waits for looks before it is asked to come back."""
_LOCK = 0x0A1_0A1
_MAPPING = 1
"""Version of how descriptions become XML; when it changes, every record's datestamp does."""


class Behind(Exception):
    """There is more to compare than a request waits for; the work goes on meanwhile."""


class Upkeep:
    """The looks at one catalogue's records; those that nobody asked for keep harvesters from waiting."""

    def __init__(self, site: Site, interval_seconds: float) -> None:
        self._site = site
        self._interval_seconds = interval_seconds
        self._running: asyncio.Task[datetime] | None = None
        self._halvings = 0

    @asynccontextmanager
    async def regular(self) -> AsyncIterator[None]:
        """Looking from time to time, until the context ends."""
        regular = asyncio.create_task(self._regularly())
        try:
            yield
        finally:
            for task in (regular, self._running):
                if task:
                    task.cancel()
            await asyncio.gather(regular, *filter(None, [self._running]), return_exceptions=True)

    async def now(self) -> datetime:
        """Look until nothing differs; the time (UTC, whole seconds) as of which that was so.

        Raises Behind, Busy.
        """
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._catch_up())
        try:
            return await asyncio.wait_for(asyncio.shield(self._running), PATIENCE_SECONDS)
        except TimeoutError as error:
            raise Behind from error

    async def _regularly(self) -> None:
        while True:
            await asyncio.sleep(self._interval_seconds)
            try:
                await self.now()
            except Behind:
                log.info("OAI-PMH datestamps are behind the records; catching up")
            except (Busy, psycopg.Error) as error:
                log.warning("OAI-PMH datestamps not kept up", why=str(error))

    async def _catch_up(self) -> datetime:
        while True:
            batch = max(1, BATCH >> self._halvings)
            try:
                async with self._site.database.writing() as connection:
                    look = await self._begin(connection, batch)
                    is_done = not await look.compare()
            except QueryTimeout:
                if batch == 1:
                    raise
                log.warning("a look took too long; the next ones compare fewer records", records=batch)
                self._halvings += 1
                continue
            self._halvings = max(0, self._halvings - 1)
            if is_done:
                return look.time

    async def _begin(self, connection: psycopg.AsyncConnection[Any], batch: int) -> "_Look":
        # Another process may have the lock for as long, too.
        await connection.execute("SELECT set_config('statement_timeout', %s, true)", (f"{ONE_SECONDS}s",))
        await connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
        # Not before the lock is held: answers that were given meanwhile have an earlier time.
        cursor = await connection.execute("SELECT coalesce(%s, clock_timestamp())", (self._site.clock(),))
        row = await cursor.fetchone()
        assert row is not None  # noqa: S101 -- a SELECT without FROM
        policy = self._site.policy.current()
        config = self._site.config
        said = (_MAPPING, policy.license, config.facility, config.public_url, config.ontology)
        presentation = hashlib.sha256(repr(said).encode()).digest()
        timeout = ONE_SECONDS if batch == 1 else self._site.database.timeout_seconds
        return _Look(connection, row[0].astimezone(UTC), policy.embargo.months, presentation, batch, timeout)


@dataclass(frozen=True)
class _Look:
    connection: psycopg.AsyncConnection[Any]
    clock: datetime
    months: int
    presentation: bytes
    """Digest of what all descriptions have in common."""
    batch: int
    timeout_seconds: float

    @property
    def time(self) -> datetime:
        return self.clock.replace(microsecond=0)

    async def compare(self) -> bool:
        """Compare a batch of what may differ; false if there was nothing."""
        await self._execute(_BASIS, basis=f"{self.months} {self.presentation.hex()}")
        await self._execute(_DUE)
        taken = await self._execute(_TAKE)
        timeout = f"{int(self.timeout_seconds * 1000)}ms"
        await self._execute("SELECT set_config('statement_timeout', %(timeout)s, true)", timeout=timeout)
        for kind in ("datasets", "documents"):
            if rows := [row for of, row in taken if of == kind]:
                await self._compare(kind, rows)
        return bool(taken)

    async def _compare(self, kind: Kind, rows: list[int]) -> None:
        if kind == "datasets":
            await self._execute(_FORESEE, rows=rows, stamp=self.time)
        await self._execute(_COMPARE[kind], rows=rows, presentation=self.presentation, stamp=self.time)
        await self._execute(measure.KNOWN[kind], rows=rows)

    async def _execute(self, sql: str, **parameters: Any) -> list[tuple[Any, ...]]:
        given = {
            **parameters,
            **PUBLIC.parameters,  # harvests have what the public sees
            "embargo_months": self.months,
            "clock": self.clock,
            "batch": self.batch,
        }
        cursor = await self.connection.execute(sql, given)
        return await cursor.fetchall() if cursor.description else []


# While a new policy reaches one process after the other, they take turns here: each record is noted but once.
_BASIS = """
WITH known AS (
    INSERT INTO oai_basis (basis) VALUES (%(basis)s)
    ON CONFLICT (single) DO UPDATE SET basis = excluded.basis WHERE oai_basis.basis <> excluded.basis
    RETURNING 1
)
INSERT INTO oai_stale (kind, record)
SELECT kind, record FROM (
    SELECT 'datasets' AS kind, id AS record FROM dataset UNION ALL SELECT 'documents', id FROM document
) every
WHERE EXISTS (SELECT FROM known)
AND NOT EXISTS (SELECT FROM oai_stale s WHERE s.kind = every.kind AND s.record = every.record)
"""

_DUE = f"""
INSERT INTO oai_stale (kind, record) SELECT kind, record FROM oai_record WHERE due <= {CLOCK} LIMIT %(batch)s
"""  # noqa: S608

# Each record once, however often it was noted; datasets before the documents that tell of them.
_TAKE = """
WITH taken AS (SELECT DISTINCT kind, record FROM oai_stale ORDER BY kind, record LIMIT %(batch)s),
gone AS (DELETE FROM oai_stale s USING taken t WHERE s.kind = t.kind AND s.record = t.record)
SELECT kind, record FROM taken
"""


def _compare(kind: Kind, table: str, described: str, released: str, affected: str) -> str:
    """What the rows' records say now against what was last said of them; notes what follows for others.

    Nobody else changes oai_record meanwhile, so what `compared` reads is what is replaced.
    """
    return f"""
    WITH said AS MATERIALIZED ({described} WHERE v.id = ANY(%(rows)s)),
    compared AS (
        SELECT a.record, coalesce(t.pid, o.pid) AS pid, r.due, o.state AS old_state,
            o.inherited AS old_inherited, o.datestamp,
            CASE WHEN s.id IS NOT NULL THEN 'live' WHEN o.state <> 'hidden' THEN 'deleted' ELSE 'hidden' END
                AS state,
            CASE WHEN s.id IS NOT NULL THEN sha256(%(presentation)s || convert_to(s.record::text, 'UTF8'))
                ELSE o.digest END AS digest,
            CASE WHEN s.id IS NOT NULL THEN oai_sets('{kind}', s.record) ELSE coalesce(o.sets, '{{}}') END
                AS sets,
            {_INHERITED[kind]} AS inherited,
            o.digest AS old_digest, o.sets AS old_sets, o.due AS old_due
        FROM unnest(%(rows)s::bigint[]) AS a(record)
        LEFT JOIN {table} t ON t.id = a.record
        LEFT JOIN oai_record o ON o.kind = '{kind}' AND o.record = a.record
        LEFT JOIN said s ON s.id = a.record
        LEFT JOIN LATERAL (
            SELECT v.release_date AS due FROM {released} v
            WHERE v.id = a.record AND v.release_date > {CLOCK}
        ) r ON true
        WHERE num_nonnulls(t.id, o.id) > 0
    ),
    kept AS (
        INSERT INTO oai_record (kind, record, pid, state, digest, inherited, sets, datestamp, due)
        SELECT '{kind}', record, pid, state, digest, inherited, sets,
            CASE WHEN (state, digest, sets) IS DISTINCT FROM (old_state, old_digest, old_sets)
                THEN %(stamp)s ELSE datestamp END,
            due
        FROM compared
        WHERE (state, digest, sets, inherited, due)
            IS DISTINCT FROM (old_state, old_digest, old_sets, old_inherited, old_due)
        ORDER BY record
        ON CONFLICT (kind, record) DO UPDATE SET
            state = excluded.state, digest = excluded.digest, inherited = excluded.inherited,
            sets = excluded.sets, datestamp = excluded.datestamp, due = excluded.due
    )
    INSERT INTO oai_stale (kind, record) {affected}
    """  # noqa: S608


_OWN_PEOPLE = reading.PEOPLE.format(
    members="(SELECT * FROM member WHERE document_id = t.id AND dataset_id IS NULL)"
)
# What datasets say after their document: its people, and whatever its row has.
_INHERITED: dict[Kind, str] = {
    "datasets": "NULL::bytea",
    "documents": f"""sha256(convert_to(
        concat(to_jsonb(t) - '{{updated_at,fetched_at,groups}}'::text[], {_OWN_PEOPLE}), 'UTF8'
    ))""",
}

# What datasets are about to take from documents at which nobody looked yet: when somebody does, it is known
# whether it changed meanwhile.
_FORESEE = f"""
INSERT INTO oai_record (kind, record, pid, state, inherited, datestamp)
SELECT 'documents', t.id, t.pid, 'hidden', {_INHERITED["documents"]}, %(stamp)s
FROM document t
WHERE t.id IN (SELECT l.document_id FROM document_dataset l WHERE l.dataset_id = ANY(%(rows)s))
AND NOT EXISTS (SELECT FROM oai_record o WHERE o.kind = 'documents' AND o.record = t.id)
"""  # noqa: S608

_COMPARE: dict[Kind, str] = {
    "datasets": _compare(
        "datasets",
        "dataset",
        reading.DATASET.format(rows=f"visible_dataset({MONTHS}, {CLOCK})"),
        f"visible_dataset({MONTHS}, 'infinity')",
        """
        SELECT DISTINCT 'documents', l.document_id
        FROM compared c JOIN document_dataset l ON l.dataset_id = c.record
        WHERE (c.state, c.digest) IS DISTINCT FROM (c.old_state, c.old_digest)
        AND (c.state <> 'hidden' OR c.old_state <> 'hidden')
        """,
    ),
    "documents": _compare(
        "documents",
        "document",
        reading.DOCUMENT.format(rows=f"visible_document({MONTHS})"),
        f"visible_document({MONTHS})",
        """
        SELECT DISTINCT 'datasets', l.dataset_id
        FROM compared c JOIN document_dataset l ON l.document_id = c.record
        WHERE c.old_state IS NOT NULL AND c.inherited IS DISTINCT FROM c.old_inherited
        """,
    ),
}
