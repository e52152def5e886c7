"""What the reader finds in a file, and why it may find nothing."""

from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from panosc_catalogue.records import Parameter, Technique


class Reason(StrEnum):
    """Why a file is not in the catalogue, or not completely."""

    EMPTY = "Empty"
    """The file has no bytes."""
    NOT_HDF5 = "NotHDF5"
    """The file is something else than HDF5."""
    TRUNCATED = "Truncated"
    """The file ends before its own end mark."""
    DAMAGED = "Damaged"
    """The HDF5 library cannot make sense of the file."""
    UNREADABLE = "Unreadable"
    """The operating system refuses to read it."""
    NO_ENTRY = "NoEntry"
    """HDF5, but without an NXentry of its own."""
    NO_DATE = "NoDate"
    """Neither start_time nor end_time: in the catalogue, but not public on its own."""
    TIMED_OUT = "TimedOut"
    """Reading took too long."""
    CRASHED = "Crashed"
    """The HDF5 library crashed."""
    REFUSED = "Refused"
    """The database does not take what the file says."""


class NotReadable(Exception):
    """The file gives no record; `message` names the remedy."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(reason, message)  # both, so that it survives pickling between processes
        self.reason = reason
        self.message = message


class _Found(BaseModel):
    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)


class User(_Found):
    """An NXuser."""

    name: str
    """Name."""
    role: str | None = None
    """Role."""
    affiliation: str | None = None
    """Institution."""
    orcid: str | None = None
    """ORCID iD."""
    identifier: str | None = None
    """The facility's own number of the user."""


class FoundSample(_Found):
    """An NXsample."""

    name: str
    """Name."""
    identifier: str | None = None
    """The facility's own number of the sample."""
    description: str | None = None
    """Description."""


class NexusRecord(_Found):
    """The metadata of one file, all its entries taken together."""

    title: str | None = None
    """Title of the default entry."""
    proposal: str | None = None
    """experiment_identifier."""
    proposal_title: str | None = None
    """experiment_description."""
    start: datetime | None = None
    """Earliest start_time, UTC."""
    end: datetime | None = None
    """Latest end_time, UTC."""
    instrument: str | None = None
    """Name of the instrument."""
    probe: str | None = None
    """Probe of the source: x-ray, neutron, …"""
    techniques: tuple[Technique, ...] = ()
    """PaNET techniques."""
    samples: tuple[FoundSample, ...] = ()
    """Samples."""
    users: tuple[User, ...] = ()
    """People."""
    parameters: tuple[Parameter, ...] = ()
    """Scalar quantities with their units."""
