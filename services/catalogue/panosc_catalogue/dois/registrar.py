"""What the worker asks of a registration agency, and how it may fail. Every request may be repeated."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol


class State(StrEnum):
    """State of a DOI with its registrar (https://support.datacite.org/docs/doi-states)."""

    DRAFT = "draft"
    """Reserved, resolves nowhere, may still be deleted."""
    REGISTERED = "registered"
    """Resolves, but is found in no search of the registrar."""
    FINDABLE = "findable"
    """Resolves and is found."""


@dataclass(frozen=True)
class Registered:
    """A DOI as the registrar has it."""

    state: State
    url: str | None
    """Where it leads."""


class RegistrarError(Exception):
    """The registrar does not do what is asked of it; the message says why and what to do."""


class Unavailable(RegistrarError):
    """It does not answer, or asks to come back later: the same may work in a while."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        """Seconds."""


class NotAllowed(RegistrarError):
    """It does not take the credentials: nothing works before that changes."""


class Forbidden(RegistrarError):
    """The account may not do this, perhaps for this record only, such as one of a prefix that it has lost."""


class Refused(RegistrarError):
    """It does not take this record; others may be fine."""


class Registrar(Protocol):
    """A registration agency. All methods raise RegistrarError."""

    async def find(self, doi: str) -> Registered | None:
        """The DOI as it is there; None if there is none that this account may see."""

    async def reserve(self, doi: str, attributes: Mapping[str, Any]) -> None:
        """Make it a draft. Raises Refused if it is there already, or if the attributes are not valid."""

    async def publish(self, doi: str, attributes: Mapping[str, Any]) -> None:
        """Give a DOI that is there these attributes, and make it findable."""

    async def hide(self, doi: str, url: str) -> None:
        """Make a findable DOI only registered: it goes on leading to its page, which is there."""
