"""The book of registrations in the database: what is to be done, and what was done."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from panosc_catalogue.database import Database
from panosc_catalogue.datacite.description import Kind
from panosc_catalogue.dois.names import name
from panosc_catalogue.dois.registrar import State

BATCH = 200
"""Registrations that are taken at a time."""
_FIRST_WAIT = "1 minute"
_LONGEST_WAIT = "1 day"


@dataclass(frozen=True)
class Task:
    """A registration whose record at the registrar may have to change."""

    kind: Kind
    record: int
    doi: str
    state: str
    sent: bytes | None
    is_live: bool
    """Whether the public sees the record, and it has no other DOI."""
    seen: bytes | None
    """What the public sees of it, as a digest."""


@dataclass(frozen=True)
class Book:
    """The registrations of one catalogue."""

    database: Database
    endpoint: str | None = None
    """Of the registrar; None without one."""

    async def intend(self, prefix: str, kinds: Sequence[Kind], *, local: bool) -> int:
        """Give names to public records that have none; returns to how many.

        Where a source or somebody else gave a record its DOI, that is the one.
        """
        parameters = {"kinds": list(kinds), "limit": BATCH * 10}
        rows = [
            {"kind": kind, "record": record, "doi": name(prefix, kind, pid)}
            for kind, record, pid in await self.database.rows(_NAMELESS, parameters)
        ]
        state = "local" if local else "intended"
        arguments = {"rows": orjson.dumps(rows).decode(), "state": state}
        async with self.database.writing() as connection:
            return (await connection.execute(_INTEND, arguments)).rowcount

    async def forget(self, prefix: str) -> int:
        """Drop names that are to be no DOI of their record any more; returns how many.

        That is: what another registrar had, and what this one has not published when the prefix is another
        one now, or when a source has named its own DOI.
        """
        parameters = {"endpoint": self.endpoint, "prefix": f"{prefix}/", "limit": BATCH * 10}
        async with self.database.writing() as connection:
            return (await connection.execute(_FORGET, parameters)).rowcount

    async def adopt_local(self) -> None:
        """Names that were local until now are to be registered."""
        await self._write(("UPDATE doi_registration SET state = 'intended' WHERE state = 'local'", {}))

    async def is_settled(self, since: datetime) -> bool:
        """Whether nothing public has changed since then and nothing is to be tried again: cheap to ask."""
        return (await self.database.rows(_IS_SETTLED, {"since": since})) == [(True,)]

    async def tasks(self, kind: Kind, after: int) -> list[Task]:
        """What may have to be done now with rows after this one."""
        parameters = {"kind": kind, "after": after, "limit": BATCH}
        return [Task(*row) for row in await self.database.rows(_TASKS, parameters)]

    async def reserved(self, task: Task) -> None:
        """The registrar has the name as a draft."""
        await self._write((_STATE, _key(task) | {"state": State.DRAFT, "endpoint": self.endpoint}))

    async def published(self, task: Task, sent: bytes) -> None:
        """The DOI is findable: only now the record has it."""
        done = _key(task) | {"state": State.FINDABLE, "sent": sent, "seen": task.seen}
        await self._write((_DONE, done), (_FLIP[task.kind], _key(task)))

    async def compared(self, task: Task) -> None:
        """The registrar's record needs no change."""
        await self._write((_DONE, _key(task) | {"state": task.state, "sent": task.sent, "seen": task.seen}))

    async def hidden(self, task: Task) -> None:
        """The DOI is only registered; the record keeps it, as its page stays."""
        done = _key(task) | {"state": State.REGISTERED, "sent": None, "seen": task.seen}
        await self._write((_DONE, done))

    async def refused(self, task: Task, why: str) -> None:
        """The registrar does not take the record as it is now."""
        await self._write((_REFUSED, _key(task) | {"seen": task.seen, "why": why, "patience": 0}))

    async def failed(self, task: Task, why: str) -> None:
        """Something went wrong that may be over at once: the next round tries it, and later ones wait."""
        await self._write((_REFUSED, _key(task) | {"seen": task.seen, "why": why[:1000], "patience": 1}))

    async def report(self, error: str | None) -> None:
        """What the worker can say of itself; null: the registrar did what it was asked."""
        await self._write((_REPORT, {"error": error}))

    async def _write(self, *statements: tuple[str, dict[str, Any]]) -> None:
        async with self.database.writing() as connection:
            for sql, parameters in statements:
                await connection.execute(sql, parameters)


def _key(task: Task) -> dict[str, Any]:
    return {"kind": task.kind, "record": task.record, "doi": task.doi}


_IS_SETTLED = """
SELECT NOT EXISTS (SELECT FROM oai_record WHERE state <> 'hidden' AND datestamp >= %(since)s)
AND NOT EXISTS (
    SELECT FROM doi_registration r WHERE (r.state IN ('intended', 'draft') OR r.last_error IS NOT NULL)
    AND (r.not_before IS NULL OR r.not_before <= now())
    AND (r.state = 'findable' OR EXISTS (
        SELECT FROM oai_record o WHERE o.kind = r.kind AND o.record = r.record AND o.state = 'live'
    ))
)
"""

_NAMELESS = """
SELECT o.kind, o.record, o.pid FROM oai_record o
LEFT JOIN doi_registration r ON r.kind = o.kind AND r.record = o.record
WHERE o.state = 'live' AND r.record IS NULL AND o.kind = ANY(%(kinds)s) AND CASE o.kind
    WHEN 'documents' THEN EXISTS (
        SELECT FROM document p WHERE p.id = o.record AND p.doi IS NULL
        -- What is published elsewhere has its DOI from there, whether the source names it or not.
        AND p.type !~* 'publication|article|paper|thesis'
    )
    ELSE EXISTS (SELECT FROM dataset d WHERE d.id = o.record AND d.doi IS NULL)
END
ORDER BY o.kind DESC, o.id LIMIT %(limit)s
"""

_INTEND = """
INSERT INTO doi_registration (kind, record, doi, state)
SELECT kind, record, doi, %(state)s
FROM jsonb_to_recordset(%(rows)s::jsonb) AS r(kind text, record bigint, doi text)
ON CONFLICT DO NOTHING
"""

_OF_RECORD = """(
    SELECT d.doi FROM document d WHERE r.kind = 'documents' AND d.id = r.record
    UNION ALL SELECT d.doi FROM dataset d WHERE r.kind = 'datasets' AND d.id = r.record
)"""
# Whether the record has a DOI that is not the registration's: of its source, or decided by somebody else.
_HAS_ANOTHER = f"coalesce(lower({_OF_RECORD}) <> r.doi, false)"

_FORGET = f"""
WITH gone AS (
    DELETE FROM doi_registration WHERE (kind, record) IN (
        SELECT r.kind, r.record FROM doi_registration r
        WHERE r.endpoint <> %(endpoint)s OR r.state IN ('intended', 'draft')
        AND (NOT starts_with(r.doi, %(prefix)s) OR {_HAS_ANOTHER})
        LIMIT %(limit)s
    ) RETURNING kind, record, doi
), documents AS (
    UPDATE document d SET doi = NULL FROM gone g
    WHERE g.kind = 'documents' AND d.id = g.record AND d.doi = g.doi
), datasets AS (
    UPDATE dataset d SET doi = NULL FROM gone g
    WHERE g.kind = 'datasets' AND d.id = g.record AND d.doi = g.doi
)
SELECT FROM gone
"""  # noqa: S608 -- our own constants

_TASKS = f"""
SELECT r.kind, r.record, r.doi, r.state, r.sent, live.live, o.digest
FROM doi_registration r LEFT JOIN oai_record o ON o.kind = r.kind AND o.record = r.record
CROSS JOIN LATERAL (SELECT coalesce(o.state = 'live', false) AND NOT {_HAS_ANOTHER} AS live) live
WHERE r.kind = %(kind)s AND r.record > %(after)s
AND (r.not_before IS NULL OR r.not_before <= now() OR r.seen IS DISTINCT FROM o.digest)
AND CASE
    WHEN r.state = 'local' THEN false
    WHEN live.live THEN
        r.state <> 'findable' OR r.last_error IS NOT NULL OR r.seen IS DISTINCT FROM o.digest
    ELSE r.state = 'findable'
END
ORDER BY r.record LIMIT %(limit)s
"""  # noqa: S608 -- our own constants

_STATE = """
UPDATE doi_registration SET state = %(state)s, endpoint = %(endpoint)s, updated_at = now()
WHERE kind = %(kind)s AND record = %(record)s
"""

_DONE = """
UPDATE doi_registration SET state = %(state)s, sent = %(sent)s, seen = %(seen)s,
    failures = 0, not_before = NULL, last_error = NULL, updated_at = now()
WHERE kind = %(kind)s AND record = %(record)s
"""

_FLIP: dict[Kind, str] = {
    "documents": "UPDATE document SET doi = %(doi)s WHERE id = %(record)s AND doi IS NULL",
    "datasets": "UPDATE dataset SET doi = %(doi)s WHERE id = %(record)s AND doi IS NULL",
}

_REFUSED = f"""
UPDATE doi_registration SET seen = %(seen)s, failures = failures + 1, last_error = %(why)s,
    updated_at = now(),
    not_before = now() + least(
        interval '{_FIRST_WAIT}' * (2 ^ least(failures, 20) - %(patience)s), interval '{_LONGEST_WAIT}'
    )
WHERE kind = %(kind)s AND record = %(record)s
"""  # noqa: S608 -- our own constants

_REPORT = """
INSERT INTO doi_worker (seen_at, last_success, last_error)
VALUES (now(), CASE WHEN %(error)s::text IS NULL THEN now() END, %(error)s)
ON CONFLICT (single) DO UPDATE SET seen_at = excluded.seen_at, last_error = excluded.last_error,
    last_success = coalesce(excluded.last_success, doi_worker.last_success)
"""
