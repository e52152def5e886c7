"""A proposal or dataset as the data policy sees it, read from the database."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from panosc_common.policy import DataPolicy, release_instant

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
    explicit: datetime | None
    """When the data become public as the proposal's source says."""
    ended: datetime | None
    """End of the experiment; of a proposal that has none itself, of its last dataset."""
    first_ended: datetime | None
    """Otherwise the same, but of its first dataset."""
    extended_until: datetime | None
    """Of the proposal."""
    proposal_released_at: datetime | None
    """Of a dataset: by the staff's decision about its proposal."""
    released_at: datetime | None
    """Of this subject itself, by the staff's decision."""
    opened_by_source: bool
    """Whether the source opened it before its time; of a proposal, any of its datasets."""
    is_proprietary: bool
    """Whether it is of beamtime that was paid for; a dataset, whether any proposal that it belongs to is."""
    proprietary_decided: bool | None
    """Of the proposal, by the staff's decision."""
    license_decided: str | None
    license_in_force: str | None
    """Null: the policy's."""
    datasets: int
    """How many datasets this is about; a dataset is one."""
    public_datasets: int
    """How many of them the public sees now."""
    source: str | None
    """Where its record is from: the source's name, what it is called there, and when it was read."""
    origin_id: str | None
    fetched_at: datetime
    now: datetime
    policy: DataPolicy

    @property
    def regular(self) -> datetime | None:
        """When the data become public by source and policy alone."""
        return release_instant(self.ended, self.policy, explicit=self.explicit)

    @property
    def release_without_own(self) -> datetime | None:
        """When the data become public but for `released_at`."""
        return self._release(self.ended, self.proposal_released_at)

    @property
    def release(self) -> datetime | None:
        """When the data become public."""
        return self._release(self.ended, self._released)

    @property
    def first_release(self) -> datetime | None:
        """When the first of the data become public."""
        return self._release(self.first_ended, self._released)

    @property
    def is_public(self) -> bool:
        """Whether all the data are public, but for what is proprietary."""
        opened = self.kind == "dataset" and self.opened_by_source
        return opened or (self.release is not None and self.release <= self.now)

    @property
    def _released(self) -> datetime | None:
        return min(filter(None, (self.proposal_released_at, self.released_at)), default=None)

    def _release(self, ended: datetime | None, released_at: datetime | None) -> datetime | None:
        return release_instant(
            ended,
            self.policy,
            explicit=self.explicit,
            extended_until=self.extended_until,
            released_at=released_at,
        )


def iso(instant: datetime | None) -> str | None:
    """An instant as the interfaces write it, in UTC."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z") if instant else None


def of_row(row: tuple[Any, ...], policy: DataPolicy) -> Subject:
    """The subject of a row of SELECT."""
    values: list[Any] = [value.astimezone(UTC) if isinstance(value, datetime) else value for value in row]
    return Subject(*[*values, policy])


_VISIBLE = f"visible_dataset({MONTHS}, {CLOCK})"

SELECT = {
    "document": f"""
        SELECT p.id, 'document', p.pid, p.title, p.pid,
            p.release_date, coalesce(p.end_date, p.measured_end, s.last_ended),
            coalesce(p.end_date, p.measured_end, s.first_ended),
            p.extended_until, NULL, p.released_at, coalesce(s.opened, false),
            coalesce(p.proprietary_decided, p.proprietary), p.proprietary_decided,
            p.license_decided, coalesce(p.license_decided, p.license),
            s.datasets, (SELECT count(*) FROM {_VISIBLE} v WHERE v.document_id = p.id),
            p.source, p.origin_id, p.fetched_at, {CLOCK}
        FROM document p CROSS JOIN LATERAL (
            SELECT count(*) AS datasets, bool_or(d.released) AS opened,
                min(coalesce(d.end_date, d.creation_date)) AS first_ended,
                max(coalesce(d.end_date, d.creation_date)) AS last_ended
            FROM dataset d WHERE d.document_id = p.id AND d.deleted_at IS NULL
        ) s
        WHERE p.pid = %(pid)s
    """,  # noqa: S608 -- our own expressions
    "dataset": f"""
        SELECT d.id, 'dataset', d.pid, d.title, p.pid,
            p.release_date, e.ended, e.ended,
            p.extended_until, p.released_at, d.released_at, d.released,
            coalesce(p.proprietary_decided, p.proprietary, false) OR d.proprietary, p.proprietary_decided,
            d.license_decided, coalesce(d.license_decided, p.license_decided, d.license, p.license),
            1, (SELECT count(*) FROM {_VISIBLE} v WHERE v.id = d.id),
            d.source, d.origin_id, d.fetched_at, {CLOCK}
        FROM dataset d LEFT JOIN document p ON p.id = d.document_id
        CROSS JOIN LATERAL (
            SELECT coalesce(p.end_date, p.measured_end, d.end_date, d.creation_date) AS ended
        ) e
        WHERE d.pid = %(pid)s
    """,  # noqa: S608 -- as above
}
"""By kind; parameters `pid`, those of MONTHS and CLOCK."""

LOCK = {
    "document": "SELECT 1 FROM document WHERE pid = %(pid)s FOR UPDATE",
    "dataset": "SELECT 1 FROM dataset WHERE pid = %(pid)s FOR UPDATE",
}
"""By kind; what makes a second decision wait for the first."""
