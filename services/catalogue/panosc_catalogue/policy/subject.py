"""A proposal or dataset as the data policy sees it, read from the database."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from panosc_catalogue.query.model import CLOCK, MONTHS


@dataclass(frozen=True)
class Subject:
    """What a decision is about, and what holds of it at the instant `now`. Instants are in UTC."""

    id: int
    kind: str
    pid: str
    title: str
    document: str | None
    """Pid of the proposal that decides; of a proposal its own."""
    ended: datetime | None
    """End of the experiment."""
    regular: datetime | None
    """When the data become public by source and policy alone."""
    extended_until: datetime | None
    """Of the proposal."""
    released_at: datetime | None
    """Of this subject itself, by the staff's decision."""
    release_without_own: datetime | None
    """When the data become public but for `released_at`."""
    release: datetime | None
    """When the data become public."""
    proprietary: bool
    """By the source's word."""
    proprietary_decided: bool | None
    license: str | None
    """By the source's word."""
    license_decided: str | None
    license_in_force: str | None
    """Null: the policy's."""
    datasets: int
    """How many datasets this is about; a dataset is one."""
    public_datasets: int
    """How many of them the public sees now."""
    now: datetime


def iso(instant: datetime | None) -> str | None:
    """An instant as the interfaces write it, in UTC."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z") if instant else None


def of_row(row: tuple[Any, ...]) -> Subject:
    """The subject of a row of SELECT."""
    values: list[Any] = [value.astimezone(UTC) if isinstance(value, datetime) else value for value in row]
    return Subject(*values)


_ENDED = "coalesce(p.end_date, p.measured_end)"
_DATASET_ENDED = "coalesce(p.end_date, p.measured_end, d.end_date, d.creation_date)"

SELECT = {
    "document": f"""
        SELECT p.id, 'document', p.pid, p.title, p.pid, {_ENDED},
            release_instant(p.release_date, {_ENDED}, {MONTHS}, NULL, NULL),
            p.extended_until, p.released_at,
            release_instant(p.release_date, {_ENDED}, {MONTHS}, p.extended_until, NULL),
            release_instant(p.release_date, {_ENDED}, {MONTHS}, p.extended_until, p.released_at),
            p.proprietary, p.proprietary_decided,
            p.license, p.license_decided, coalesce(p.license_decided, p.license),
            (SELECT count(*) FROM dataset d WHERE d.document_id = p.id AND d.deleted_at IS NULL),
            (SELECT count(*) FROM visible_dataset({MONTHS}, {CLOCK}) v WHERE v.document_id = p.id),
            {CLOCK}
        FROM document p WHERE p.pid = %(pid)s
    """,  # noqa: S608 -- our own expressions
    "dataset": f"""
        SELECT d.id, 'dataset', d.pid, d.title, p.pid, {_DATASET_ENDED},
            release_instant(p.release_date, {_DATASET_ENDED}, {MONTHS}, NULL, NULL),
            p.extended_until, d.released_at,
            release_instant(p.release_date, {_DATASET_ENDED}, {MONTHS}, p.extended_until, p.released_at),
            release_instant(
                p.release_date, {_DATASET_ENDED}, {MONTHS},
                p.extended_until, least(p.released_at, d.released_at)
            ),
            coalesce(p.proprietary, false), p.proprietary_decided,
            d.license, d.license_decided,
            coalesce(d.license_decided, p.license_decided, d.license, p.license),
            1,
            (SELECT count(*) FROM visible_dataset({MONTHS}, {CLOCK}) v WHERE v.id = d.id),
            {CLOCK}
        FROM dataset d LEFT JOIN document p ON p.id = d.document_id WHERE d.pid = %(pid)s
    """,  # noqa: S608 -- as above
}
"""By kind; parameters `pid`, those of MONTHS and CLOCK."""

LOCK = {
    "document": "SELECT 1 FROM document WHERE pid = %(pid)s FOR UPDATE",
    "dataset": "SELECT 1 FROM dataset WHERE pid = %(pid)s FOR UPDATE",
}
"""By kind; what makes a second decision wait for the first."""
