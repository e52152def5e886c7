"""What an adapter gives to the synchronisation, and what can go wrong with its source."""

import reprlib
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable, Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar

from pydantic import TypeAdapter, ValidationError

from panosc_catalogue.records import DatasetRecord, Identifier, Instrument, made_identifier
from panosc_catalogue.settings import Facility
from panosc_catalogue.store import AnyRecord

Cursor = dict[str, Any]
"""Where an adapter goes on, in JSON; only the adapter that made it reads it."""


class Kind(StrEnum):
    """What a record is."""

    DOCUMENT = "document"
    DATASET = "dataset"
    INSTRUMENT = "instrument"


@dataclass(frozen=True)
class Fetched:
    """A whole record as its source has it now.

    Fields that are set, empty ones too, replace what the catalogue has; those not set stay. What is nested in
    it (an instrument, documents of a dataset, datasets of a document) is a reference and describes nothing
    that is there already. Instruments and documents are made if the catalogue lacks them; datasets of a
    document are linked as soon as they are there. Each thing is given as a record of its own.
    """

    record: AnyRecord
    origin_id: str
    """What the source calls it; unique among the source's records of this kind."""

    @property
    def kind(self) -> Kind:
        """What the record is."""
        if isinstance(self.record, DatasetRecord):
            return Kind.DATASET
        return Kind.INSTRUMENT if isinstance(self.record, Instrument) else Kind.DOCUMENT


@dataclass(frozen=True)
class Refused:
    """A record that makes no sense as it is; it is reported, and the one known before stays."""

    kind: Kind
    origin_id: str
    message: str


@dataclass(frozen=True)
class Deleted:
    """A record that its source says is gone."""

    kind: Kind
    origin_id: str


@dataclass(frozen=True)
class Page:
    """A piece of what changed; it is written in one transaction with the cursor that leads to the next."""

    cursor: Cursor
    """What `changes` goes on from when this page is the last one written."""
    records: Sequence[Fetched] = ()
    refused: Sequence[Refused] = ()
    deleted: Sequence[Deleted] = ()
    complete: bool = False
    """Whether with this page a listing of everything has ended: what was not in it is gone."""


UNNAMED = "(unnamed)"
"""Stands for the source's name of what has none; all that is such of a kind is reported as one."""
_NAME: TypeAdapter[str] = TypeAdapter(Identifier)


class SourceError(Exception):
    """The source cannot be read at present; what is known of it stays.

    The message is shown to everybody who may read the Catalogue's status: it holds no credentials.
    """

    retry_after: float | None = None
    """Seconds for which the source wants to be left alone, where it says so."""


class Unreachable(SourceError):
    """It does not answer, not in time, or only with errors of its own."""


class NotAllowed(SourceError):
    """It refuses the credentials, or asks for some."""


class BadAnswer(SourceError):
    """It answers what its interface does not allow, such as half a page."""


class Adapter(ABC):
    """Reads one source; made anew for each run."""

    is_incremental: ClassVar[bool] = True
    """Whether it can tell what changed; where not, everything is listed each time that it is due."""

    @abstractmethod
    def changes(self, since: Cursor | None) -> AsyncGenerator[Page, None]:
        """All pages from a cursor on: everything if `since` is None.

        A cursor may lie in the middle of a listing of everything, which then goes on; the listing's last page
        is `complete`. From a cursor behind it only what changed comes. Ends when the source has no more for
        now. Raises SourceError.
        """

    async def gone(self, kind: Kind, origin_ids: Sequence[str]) -> Collection[str]:
        """Those of the records, none of which a whole listing had, that the source really has no longer.

        To be overridden where a listing may miss records because others come or go while it is read (pages
        by offset). Called while `changes` waits behind the listing's last page. Raises SourceError.
        """
        return origin_ids


def named(kind: Kind, item: Any, key: str, prefix: str = "") -> str | Refused:
    """What a source calls an object of a list, by its field `key`, after the prefix; or why it is refused."""
    if not isinstance(item, dict):
        return Refused(kind, f"{prefix}{UNNAMED}", f"{item!r:.100} is no object")
    try:
        return prefix + _NAME.validate_python(item.get(key))
    except ValidationError:
        return Refused(kind, f"{prefix}{UNNAMED}", f"{key}: {item.get(key)!r:.100} is no identifier")


def parsed(kind: Kind, origin_id: str, make: Callable[[], AnyRecord]) -> Fetched | Refused:
    """The record, or why it makes no sense (ValueError, KeyError and TypeError of `make`)."""
    try:
        return Fetched(make(), origin_id)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        # Of what is missing the input is all around it.
        shown = "" if first["type"] == "missing" else f"; it is {reprlib.repr(first['input'])}"
        said = f"{first['msg']}{shown}"
        return Refused(kind, origin_id, f"{place}: {said}" if place else said)
    except KeyError as error:
        return Refused(kind, origin_id, f"{error.args[0]}: is missing")
    except (ValueError, TypeError, AttributeError) as error:
        return Refused(kind, origin_id, f"is not of the form that the source's interface promises: {error}")


def page_of(items: Sequence[Fetched | Refused], cursor: Cursor, *, complete: bool = False) -> Page:
    """A page of what `parsed` gave."""
    return Page(
        cursor,
        records=[item for item in items if isinstance(item, Fetched)],
        refused=[item for item in items if isinstance(item, Refused)],
        complete=complete,
    )


def local_pid(facility: Facility, *parts: str) -> str:
    """The pid of what has no persistent identifier of its own: the facility's name and the parts.

    A proposal's is `<facility>:<proposal>`, the same as the ingest of NeXus files makes, so that both speak
    of the same thing; an instrument's is `records.instrument_pid`.
    """
    return made_identifier(f"{facility.name}:{'/'.join(parts)}")
