"""Decisions in the database: what holds now, and the log of all that was ever decided."""

from dataclasses import dataclass
from typing import Any

import psycopg
from panosc_common.policy import DataPolicy
from psycopg.types.json import Jsonb

from panosc_catalogue.policy.decisions import AnyDecision, Aspect, Value, held
from panosc_catalogue.policy.subject import LOCK, SELECT, iso, of_row

_COLUMNS: dict[Aspect, tuple[str, str]] = {
    "extension": ("extended_until", "timestamptz"),
    "release": ("released_at", "timestamptz"),
    "proprietary": ("proprietary_decided", "boolean"),
    "license": ("license_decided", "text"),
}

_UPDATE = {
    (kind, aspect): f"UPDATE {kind} SET {column} = %(value)s::{type_}, updated_at = now() WHERE id = %(id)s"  # noqa: S608
    for kind in ("document", "dataset")
    for aspect, (column, type_) in _COLUMNS.items()
}

_RECORD = """
INSERT INTO policy_log (kind, pid, aspect, before, after, requested_by, granted_by, decided_by,
    reason)
VALUES (%(kind)s, %(pid)s, %(aspect)s, %(before)s, %(after)s, %(requested_by)s, %(granted_by)s,
    %(decided_by)s, %(reason)s)
"""

_ENTRY = "id, decided_at, kind, pid, aspect, before, after, requested_by, granted_by, decided_by, reason"

LOG = f"""
SELECT {_ENTRY} FROM policy_log
WHERE id > %(after)s AND (%(pid)s::text IS NULL OR pid = %(pid)s) ORDER BY id LIMIT %(limit)s
"""  # noqa: S608 -- our own columns
"""Parameters `after` (id), `pid` (null: of all), `limit`."""

LATEST = f"""
SELECT DISTINCT ON (aspect) {_ENTRY} FROM policy_log
WHERE kind = %(kind)s AND pid = %(pid)s ORDER BY aspect, id DESC
"""  # noqa: S608 -- as above
"""The last decision about each aspect; parameters `kind`, `pid`."""


class NotThere(Exception):
    """The catalogue has no such proposal or dataset."""


@dataclass(frozen=True)
class Entry:
    """A row of the log."""

    id: int
    decided_at: Any
    kind: str
    pid: str
    aspect: Aspect
    before: Value
    after: Value
    requested_by: str
    granted_by: str
    decided_by: str
    reason: str

    def document(self) -> dict[str, Any]:
        """The entry as the interface shows it."""
        return {
            "id": self.id,
            "decidedAt": iso(self.decided_at),
            self.kind: self.pid,
            "aspect": self.aspect,
            "before": self.before,
            "after": self.after,
            "requestedBy": self.requested_by,
            "grantedBy": self.granted_by,
            "decidedBy": self.decided_by,
            "reason": self.reason,
        }


async def decide(
    connection: psycopg.AsyncConnection[Any],
    decision: AnyDecision,
    decided_by: str,
    policy: DataPolicy,
    parameters: dict[str, Any],
) -> bool:
    """Let a decision hold, within the caller's transaction; returns whether that changed anything.

    `decided_by` is who sent it, as `web.administrator` knows them. The same decision again changes nothing
    and is not logged again. `parameters` are those of MONTHS and CLOCK.
    Raises NotThere, Refused.
    """
    kind, pid = decision.subject
    arguments = {**parameters, "pid": pid}
    # Two statements: the second must see what the transaction that the first waited for has committed.
    await connection.execute(LOCK[kind], arguments)
    row = await (await connection.execute(SELECT[kind], arguments)).fetchone()
    if row is None:
        raise NotThere(pid)
    subject = of_row(row, policy)
    aspect, value = decision.outcome(subject, policy)
    before = held(subject, aspect)
    if value == before:
        return False
    await connection.execute(_UPDATE[kind, aspect], {"value": value, "id": subject.id})
    await connection.execute(
        _RECORD,
        {
            "kind": kind,
            "pid": pid,
            "aspect": aspect,
            "before": _json(before),
            "after": _json(value),
            "decided_by": decided_by,
            **decision.model_dump(include={"requested_by", "granted_by", "reason"}),
        },
    )
    return True


def _json(value: Value) -> Jsonb | None:
    return None if value is None else Jsonb(value)
