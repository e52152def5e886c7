"""Seals on datasets that stay under embargo for a while, so that lists need not look at each of them.

The newest datasets of a facility are nearly all under embargo: without seals, a list of the newest open ones
looks at years of closed ones for each answer. A seal decides nothing: the rule (visible_dataset) is asked for
every row that is shown. It says that a dataset cannot open before an instant (`sealing.until`) under a policy
of so many months or more; triggers break it as soon as anything else could open the dataset.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import structlog

from panosc_catalogue.database import Busy, Database
from panosc_catalogue.settings import PolicyFile

log = structlog.stdlib.get_logger(__name__)

LOOK_SECONDS = 10.0
"""Time between two looks at whether the seals hold."""
HOLD = timedelta(hours=1)
"""How long seals hold; they are looked over when half of it has passed."""
STAY = timedelta(days=1)
"""What opens within this time after a look is not sealed any more: it would soon have to be unsealed."""
BATCH = 2000
"""Datasets that one transaction seals: writers wait no longer than that."""
_LOCK = 0x5EA1


@dataclass(frozen=True)
class Seals:
    """What the seals say: closed until then, under an embargo of as many months or more."""

    months: int
    until: datetime


class Sealing:
    """The seals of one catalogue, kept by whichever of its processes comes first."""

    def __init__(self, database: Database, policy: PolicyFile, clock: Callable[[], datetime | None]) -> None:
        self._database = database
        self._policy = policy
        self._clock = clock
        self._seals: Seals | None = None

    def hold(self) -> bool:
        """Whether a statement may pass over what is sealed, by the policy and the time of now."""
        return (
            self._seals is not None
            and self._seals.months <= self._policy.current().embargo.months
            and self._now() < self._seals.until
        )

    @asynccontextmanager
    async def regular(self) -> AsyncIterator[None]:
        """Looking from time to time, until the context ends."""
        task = asyncio.create_task(self._regularly())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def look(self) -> None:
        """Learn what the seals say, and look them over if that is soon too old, or another policy's.

        Raises Busy, psycopg.Error: seals that are not looked over just end to hold.
        """
        self._seals = await self._read()
        months = self._policy.current().embargo.months
        soon = self._now() + HOLD / 2
        if self._seals is None or self._seals.months != months or self._seals.until < soon:
            await self._look_over(months)
            self._seals = await self._read()

    def _now(self) -> datetime:
        return self._clock() or datetime.now(UTC)

    async def _regularly(self) -> None:
        while True:
            try:
                await self.look()
            except (Busy, psycopg.Error) as error:
                log.warning("seals of closed datasets not looked over", why=str(error))
            await asyncio.sleep(LOOK_SECONDS)

    async def _read(self) -> Seals | None:
        row = await self._database.row("SELECT months, until FROM sealing", {})
        return Seals(*row) if row else None

    async def _look_over(self, months: int) -> None:
        until = self._now() + HOLD
        said = {"months": months, "until": until, "stay": until + STAY, "batch": BATCH}
        async with self._database.writing() as connection:
            if not await _alone(connection):
                return
            await connection.execute(_UNSEAL, said)
            await connection.execute(_HOLD, said)
        after = 0
        while (last := await self._seal(said | {"after": after})) is not None:
            after = last

    async def _seal(self, said: dict[str, Any]) -> int | None:
        """Seal a batch; the row id to go on after, None after the last."""
        async with self._database.writing() as connection:
            if not await _alone(connection):
                return None
            found = await (await connection.execute(_CLOSED, said)).fetchall()
            datasets = [row for row, _ in found]
            documents = [document for _, document in found if document is not None]
            held = await (await connection.execute(_DOCUMENTS, {"documents": documents})).fetchall()
            rows = {"datasets": datasets, "documents": [document for (document,) in held]}
            await connection.execute(_SEAL, said | rows)
            return datasets[-1] if len(datasets) == BATCH else None


async def _alone(connection: psycopg.AsyncConnection[Any]) -> bool:
    """Whether no other process seals at this time; none does until the transaction ends."""
    cursor = await connection.execute("SELECT pg_try_advisory_xact_lock(%s)", (_LOCK,))
    row = await cursor.fetchone()
    return row is not None and bool(row[0])


_OPENS = "dataset_opens(d, p, %(months)s)"

_UNSEAL = f"""
UPDATE dataset SET sealed = false FROM (
    SELECT d.id FROM dataset d LEFT JOIN document p ON p.id = d.document_id
    WHERE d.sealed AND {_OPENS} <= %(until)s ORDER BY d.id
) soon WHERE dataset.id = soon.id AND dataset.sealed
"""  # noqa: S608
_HOLD = """
INSERT INTO sealing (months, until) VALUES (%(months)s, %(until)s)
ON CONFLICT (single) DO UPDATE SET months = excluded.months, until = excluded.until
"""

# Rows that somebody writes to now are left to the next look.
_CLOSED = f"""
SELECT d.id, d.document_id FROM dataset d LEFT JOIN document p ON p.id = d.document_id
WHERE NOT d.sealed AND d.id > %(after)s AND {_OPENS} > %(stay)s
ORDER BY d.id LIMIT %(batch)s FOR UPDATE OF d SKIP LOCKED
"""  # noqa: S608
# Somebody who decides on a document now would not see the seals that are made meanwhile, and leave them
# whole. So the documents are held first, and only then is it read what they say.
_DOCUMENTS = "SELECT id FROM document WHERE id = ANY(%(documents)s) FOR SHARE SKIP LOCKED"
_SEAL = f"""
UPDATE dataset SET sealed = true
FROM dataset d LEFT JOIN document p ON p.id = d.document_id
WHERE dataset.id = d.id AND d.id = ANY(%(datasets)s)
AND (d.document_id IS NULL OR d.document_id = ANY(%(documents)s)) AND {_OPENS} > %(stay)s
"""  # noqa: S608
