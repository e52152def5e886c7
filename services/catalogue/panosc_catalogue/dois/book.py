"""The book of registrations in the database: what is to be done, and what was done."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast, get_args

import orjson

from panosc_catalogue.database import Database
from panosc_catalogue.datacite.description import Kind
from panosc_catalogue.dois.names import name
from panosc_catalogue.dois.registrar import State
from panosc_catalogue.records import PUBLICATION

BATCH = 200
"""Registrations that are taken at a time."""
EVER = datetime.min.replace(tzinfo=UTC)
"""Before all datestamps: everything has changed since."""
_NAMES = 2000
"""Names that are given or dropped in one transaction."""
_FIRST_WAIT = "1 minute"
_LONGEST_WAIT = "1 day"


@dataclass(frozen=True)
class Task:
    """A registration whose record at the registrar may have to change."""

    kind: Kind
    record: int
    pid: str
    doi: str
    state: str
    sent: bytes | None
    is_live: bool
    """Whether the public sees the record, and it has no other DOI."""
    seen: bytes | None
    """What the public sees of it, as a digest."""


@dataclass(frozen=True)
class Book:
    """The registrations of one catalogue.

    Everything here costs as much as there is to do: what has changed is found by OAI-PMH's datestamps, what
    waits by an index of its own, each in the order of its records and page by page.
    """

    database: Database
    endpoint: str | None = None
    """Of the registrar; None without one."""
    public_url: str | None = None
    """Address of the catalogue, below which DOIs lead."""

    async def now(self) -> datetime:
        """The database's time, which tells what is due."""
        ((now,),) = await self.database.rows("SELECT now()", {})
        return cast(datetime, now)

    async def intend(self, prefix: str, kind: Kind, since: datetime, *, local: bool) -> None:
        """Give names to public records that have none and changed since then.

        Where a source or somebody else gave a record its DOI, that is the one.
        """
        given = {
            "kind": kind,
            "since": since,
            "after": 0,
            "limit": _NAMES,
            "publication": PUBLICATION.pattern,
        }
        while found := await self.database.rows(_NAMELESS, given):
            rows = [{"kind": kind, "record": record, "doi": name(prefix, kind, pid)} for record, pid in found]
            arguments = {"rows": orjson.dumps(rows).decode(), "state": "local" if local else "intended"}
            await self._write((_INTEND, arguments))
            given["after"] = found[-1][0]

    async def forget(self, prefix: str, kind: Kind, since: datetime) -> None:
        """Drop names that are to be no DOI of their record any more, where that changed since then.

        That is: what another registrar had, and what this one has not published when the prefix is another
        one now, or when a source has named its own DOI. They go on leading to their records.
        """
        given: dict[str, Any] = {"kind": kind, "since": since, "after": 0, "limit": _NAMES}
        given |= {"endpoint": self.endpoint, "prefix": f"{prefix}/"}
        while found := await self.database.rows(_FORGOTTEN, given):
            records = [record for (record,) in found]
            arguments = {"kind": kind, "records": records}
            await self._write((_UNFLIP[kind], arguments), (_FORGET, arguments), _words(kind, records))
            given["after"] = records[-1]

    async def adopt_local(self) -> None:
        """Names that were local until now are to be registered."""
        await self._write(("UPDATE doi_registration SET state = 'intended' WHERE state = 'local'", {}))

    async def changed(self, kind: Kind, since: datetime) -> AsyncIterator[list[Task]]:
        """What was registered and may have to change, as its record did since then."""
        given = {"kind": kind, "since": since, "after": 0, "limit": BATCH, "public_url": self.public_url}
        while rows := await self.database.rows(_CHANGED, given):
            yield [Task(*row) for row in rows]
            given["after"] = rows[-1][1]

    async def waiting(self, kind: Kind, due: datetime, *, failed: bool) -> AsyncIterator[list[Task]]:
        """What is to be registered; or what failed or was refused until then, and is due or has changed."""
        given = {"kind": kind, "due": due, "failed": failed, "after": 0, "limit": BATCH}
        while rows := await self.database.rows(_WAITING, given):
            yield [Task(*row) for row in rows]
            given["after"] = rows[-1][1]

    async def reserved(self, task: Task) -> None:
        """The registrar has the name as a draft."""
        await self._write((_STATE, _key(task) | {"state": State.DRAFT, "endpoint": self.endpoint}))

    async def published(self, task: Task, sent: bytes) -> None:
        """The DOI is findable: only now the record has it."""
        done = _key(task) | {"state": State.FINDABLE, "sent": sent, "seen": task.seen, "public_url": None}
        await self._write((_DONE, done), (_FLIP[task.kind], _key(task)), _words(task.kind, [task.record]))

    async def compared(self, task: Task) -> None:
        """The registrar's record needs no change."""
        done = _key(task) | {"state": task.state, "sent": task.sent, "seen": task.seen, "public_url": None}
        await self._write((_DONE, done))

    async def hidden(self, task: Task) -> None:
        """The DOI is only registered; the record keeps it, as its page stays."""
        done = _key(task) | {"state": State.REGISTERED, "sent": None, "seen": task.seen}
        await self._write((_DONE, done | {"public_url": self.public_url}))

    async def refused(self, task: Task, why: str) -> None:
        """The registrar does not take the record as it is now."""
        await self._write((_REFUSED, _key(task) | {"seen": task.seen, "why": why, "patience": 0}))

    async def failed(self, task: Task, why: str) -> None:
        """Something went wrong that may be over at once: the next round tries it, and later ones wait."""
        await self._write((_REFUSED, _key(task) | {"seen": task.seen, "why": why[:1000], "patience": 1}))

    async def seen(self) -> None:
        """The worker is at work."""
        await self._write((_SEEN, {}))

    async def report(self, error: str | None) -> None:
        """What the worker can say of itself; null: the registrar did what it was asked."""
        await self._write((_REPORT, {"error": error}))

    async def _write(self, *statements: tuple[str, dict[str, Any]]) -> None:
        async with self.database.writing() as connection:
            for sql, parameters in statements:
                await connection.execute(sql, parameters)


def _key(task: Task) -> dict[str, Any]:
    return {"kind": task.kind, "record": task.record, "doi": task.doi}


def _words(kind: Kind, records: list[int]) -> tuple[str, dict[str, Any]]:
    """A record is found by its DOI, too; the words of others can wait for the writers."""
    given = {other: records if other == kind else [] for other in get_args(Kind)}
    return "SELECT refresh_search(%(datasets)s::bigint[], %(documents)s::bigint[], '{}', 0)", given


_OF_RECORD = """(
    SELECT d.doi FROM document d WHERE o.kind = 'documents' AND d.id = o.record
    UNION ALL SELECT d.doi FROM dataset d WHERE o.kind = 'datasets' AND d.id = o.record
)"""
# Whether the record has a DOI that is not the registration's: of its source, or decided by somebody else.
_HAS_ANOTHER = f"coalesce(lower({_OF_RECORD}) <> r.doi, false)"

_SINCE = (
    "o.kind = %(kind)s AND o.record > %(after)s AND o.state <> 'hidden' AND o.datestamp >= %(since)s "
    "ORDER BY o.record LIMIT %(limit)s"
)
# The other side of each by its key, and no join of the whole tables, whatever the planner expects.
_REGISTRATION = """LATERAL (
    SELECT * FROM doi_registration r WHERE r.kind = o.kind AND r.record = o.record OFFSET 0
) r"""
_PUBLISHED = """LATERAL (
    SELECT * FROM oai_record o WHERE o.kind = r.kind AND o.record = r.record OFFSET 0
) o"""

_NAMELESS = f"""
SELECT o.record, o.pid FROM oai_record o LEFT JOIN {_REGISTRATION} ON true
WHERE o.state = 'live' AND r.record IS NULL AND CASE o.kind
    -- What is published elsewhere has its DOI from there, whether the source names it or not.
    WHEN 'documents' THEN (
        SELECT p.doi IS NULL AND p.type !~* %(publication)s FROM document p WHERE p.id = o.record
    )
    ELSE (SELECT d.doi IS NULL FROM dataset d WHERE d.id = o.record)
END
AND {_SINCE}
"""  # noqa: S608 -- our own constants, here and below

_INTEND = """
WITH given AS (
    SELECT kind, record, doi FROM jsonb_to_recordset(%(rows)s::jsonb) AS r(kind text, record bigint, doi text)
), named AS (
    INSERT INTO doi_name (doi, kind, record) SELECT doi, kind, record FROM given ON CONFLICT DO NOTHING
)
INSERT INTO doi_registration (kind, record, doi, state) SELECT kind, record, doi, %(state)s FROM given
ON CONFLICT DO NOTHING
"""

_FORGOTTEN = f"""
SELECT o.record FROM oai_record o CROSS JOIN {_REGISTRATION}
WHERE (
    r.endpoint <> %(endpoint)s
    OR r.state IN ('intended', 'draft') AND (NOT starts_with(r.doi, %(prefix)s) OR {_HAS_ANOTHER})
)
AND {_SINCE}
"""  # noqa: S608

_UNFLIP = {
    kind: f"""
    UPDATE {table} d SET doi = NULL FROM doi_registration r
    WHERE r.kind = %(kind)s AND r.record = ANY(%(records)s) AND d.id = r.record AND d.doi = r.doi
    """  # noqa: S608
    for kind, table in (("documents", "document"), ("datasets", "dataset"))
}
_FORGET = "DELETE FROM doi_registration WHERE kind = %(kind)s AND record = ANY(%(records)s)"

_TASK = "SELECT o.kind, o.record, o.pid, r.doi, r.state, r.sent, live.live, o.digest FROM"
_LIVE = f"LATERAL (SELECT o.state = 'live' AND NOT {_HAS_ANOTHER} AS live) live"

_CHANGED = f"""
{_TASK} oai_record o CROSS JOIN {_REGISTRATION} CROSS JOIN {_LIVE}
WHERE r.state IN ('findable', 'registered') AND r.last_error IS NULL
AND CASE
    WHEN live.live THEN r.state = 'registered' OR r.seen IS DISTINCT FROM o.digest
    ELSE r.state = 'findable' OR r.public_url IS DISTINCT FROM %(public_url)s
END
AND {_SINCE}
"""

_WAITING = f"""
{_TASK} doi_registration r CROSS JOIN {_PUBLISHED} CROSS JOIN {_LIVE}
WHERE r.kind = %(kind)s AND r.record > %(after)s
AND (r.state IN ('intended', 'draft') OR r.last_error IS NOT NULL) AND (r.failures > 0) = %(failed)s
AND (
    r.not_before IS NULL OR r.not_before <= %(due)s
    OR r.seen IS DISTINCT FROM o.digest AND r.updated_at <= %(due)s
)
AND CASE WHEN live.live THEN r.state <> 'local' ELSE r.state IN ('findable', 'registered') END
ORDER BY r.record LIMIT %(limit)s
"""

_STATE = """
UPDATE doi_registration SET state = %(state)s, endpoint = %(endpoint)s, updated_at = now()
WHERE kind = %(kind)s AND record = %(record)s
"""

_DONE = """
UPDATE doi_registration SET state = %(state)s, sent = %(sent)s, seen = %(seen)s, public_url = %(public_url)s,
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

_SEEN = """
INSERT INTO doi_worker (seen_at) VALUES (now()) ON CONFLICT (single) DO UPDATE SET seen_at = excluded.seen_at
"""

_REPORT = """
INSERT INTO doi_worker (seen_at, last_success, last_error)
VALUES (now(), CASE WHEN %(error)s::text IS NULL THEN now() END, %(error)s)
ON CONFLICT (single) DO UPDATE SET seen_at = excluded.seen_at, last_error = excluded.last_error,
    last_success = coalesce(excluded.last_success, doi_worker.last_success)
"""
