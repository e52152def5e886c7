"""The facility's data policy: until when data are under embargo, and under which licence they are open.

The operator takes the model as `Facility.spec.dataPolicy`; the services read it from a file that is mounted
into their pods and re-read when it changes. Facilities differ in every number, so each is a field
(ExPaNDS guidance, https://zenodo.org/record/6090282).
"""

import calendar
from datetime import datetime
from typing import Annotated

from pydantic import Field, StringConstraints

from panosc_common.model import Document

# `x-remedy` is what a user of the CRD reads whose value does not match the pattern.
SpdxLicense = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9.+-]*$", min_length=2, max_length=64),
    Field(json_schema_extra={"x-remedy": "an SPDX licence identifier, such as CC-BY-4.0"}),
]
HttpUrl = Annotated[
    str,
    StringConstraints(pattern=r"^https?://[^\s]+$", max_length=2048),
    Field(json_schema_extra={"x-remedy": "a URL that begins with https:// or http://"}),
]


class Embargo(Document):
    """How long data stay with their proposal before everybody may read them."""

    months: int = Field(default=36, ge=0, le=1200)
    """Calendar months from the end of the experiment to the day its data become public; 0: at its end. With
    fewer, data whose time is over become public at once; with more, data that were public are hidden
    again."""

    max_extension_months: int = Field(default=24, ge=0, le=1200)
    """Calendar months by which the facility's staff may extend the embargo of a proposal at most; 0: not at
    all. Extensions that were granted stay."""


class RawRetention(Document):
    """How long raw data are kept; metadata are kept forever."""

    years: int = Field(default=10, ge=1, le=1000)
    """Years from the end of the experiment during which raw data are kept at least. It is said in plans and
    answers; nothing deletes data when they are over."""


class DataPolicy(Document):
    """What a facility promises about its data."""

    url: HttpUrl | None = None
    """Page on which the facility publishes its data policy, to which landing pages lead."""

    embargo: Embargo = Field(default_factory=Embargo)
    """How long data stay with their proposal before everybody may read them."""

    raw_retention: RawRetention = Field(default_factory=RawRetention)
    """How long raw data are kept at least; metadata are kept forever."""

    license: SpdxLicense = "CC-BY-4.0"
    """SPDX identifier of the licence of data that are public, where neither the staff nor the source names
    one."""

    metadata_license: SpdxLicense = "CC0-1.0"
    """SPDX identifier of the licence of the metadata, such as titles and people, which harvesters may reuse
    so."""


def add_months(instant: datetime, months: int) -> datetime:
    """The same day and time `months` calendar months later, or that month's last day if it is shorter.

    PostgreSQL's `timestamptz + interval` in time zone UTC gives the same, which the catalogue relies on.
    """
    month = instant.month - 1 + months
    year, month = instant.year + month // 12, month % 12 + 1
    return instant.replace(year=year, month=month, day=min(instant.day, calendar.monthrange(year, month)[1]))


def release_instant(
    end: datetime | None,
    policy: DataPolicy,
    *,
    explicit: datetime | None = None,
    extended_until: datetime | None = None,
    released_at: datetime | None = None,
) -> datetime | None:
    """When data of an experiment that ended at `end` (UTC) become public; None: never by itself.

    An `explicit` instant, which the source names, counts instead of the policy's months. An extension delays
    until its own end, if that is later, but opens nothing; from an early release on data are public whatever
    else holds. The catalogue's SQL function of this name is its twin.
    """
    regular = explicit or (add_months(end, policy.embargo.months) if end else None)
    delayed = max(regular, extended_until) if regular and extended_until else regular
    return min(delayed, released_at) if delayed and released_at else released_at or delayed


def latest_extension(release: datetime, policy: DataPolicy) -> datetime:
    """Until when an embargo that would end at `release` (UTC) may be extended at most."""
    return add_months(release, policy.embargo.max_extension_months)


def raw_retention_end(end: datetime, policy: DataPolicy) -> datetime:
    """Until when raw data of an experiment that ended at `end` (UTC) are kept at least."""
    return add_months(end, 12 * policy.raw_retention.years)
