"""Who is logged in where: a file for each catalogue, which nobody else may read."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from pydantic import BaseModel, Field, ValidationError

from panosc_cli.failures import Failure

COMMAND_LINE = "panosc-cli"
"""The name of this program at every login."""


class Session(BaseModel, frozen=True):
    """A login by a catalogue; times are in seconds since the epoch."""

    catalogue: str
    """Empty where a token is all that is known."""
    facility: str
    issuer: str
    client_id: str = COMMAND_LINE
    """As which program it was made."""
    archives: list[str]
    access_token: str = Field(repr=False)
    refresh_token: str = Field(repr=False)
    logged_in: float
    expires: float
    """When the access token does."""
    ends: float | None = None
    """When the login does unless it is used before; None: the login does not say."""
    scopes: list[str] = []
    """What was granted, as far as the login says."""


class Sessions:
    """The logins of this account on this machine."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def of(self, catalogue: str) -> Session | None:
        """The login by a catalogue."""
        return self._read(self._file(catalogue))

    def latest(self) -> Session | None:
        """The login that was made last."""
        return max(self._all(), key=lambda one: one.logged_in, default=None)

    def taking(self, host: str) -> Session | None:
        """The login whose tokens a catalogue or archive at this origin takes."""
        return next((one for one in self._all() if host in (one.catalogue, *one.archives)), None)

    def keep(self, session: Session) -> None:
        """Write a login down, at once or not at all."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=self._folder, prefix=".")  # mode 0600
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(session.model_dump_json())
                file.flush()
                os.fsync(descriptor)
            os.replace(name, self._file(session.catalogue))
        except BaseException:
            os.unlink(name)
            raise

    def forget(self, catalogue: str) -> None:
        """Delete a login."""
        self._file(catalogue).unlink(missing_ok=True)

    def _file(self, catalogue: str) -> Path:
        return self._folder / f"{quote(catalogue, safe='')}.json"

    def _all(self) -> Iterator[Session]:
        for file in sorted(self._folder.glob("*.json")):
            if session := self._read(file):
                yield session

    def _read(self, file: Path) -> Session | None:
        try:
            return Session.model_validate_json(file.read_bytes())
        except FileNotFoundError:
            return None
        except ValidationError as error:
            raise Failure(f"{file} cannot be understood: delete it, and log in again") from error


def kept() -> Sessions:
    """Where the XDG Base Directory Specification has what a program remembers."""
    given = os.environ.get("XDG_STATE_HOME", "")
    state = Path(given) if os.path.isabs(given) else Path.home() / ".local/state"
    return Sessions(state / "panosc" / "logins")
