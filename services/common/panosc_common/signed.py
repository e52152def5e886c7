"""Signed links: whoever has one sees one resource of one archive, as whoever signed it saw it, for a time.

They are JSON Web Tokens by a secret key that an archive shares with the catalogues that it asks, and nobody
else has: the archive decides by one what it is for, the catalogue whether that is still to be seen. A link
grants what its signer had at signing and needs for this resource, no more. A team that names them no more
ends it; what became of their groups at the login since then nobody can tell by it, so its life is bounded.
"""

import re
import time
import uuid
from pathlib import Path
from typing import Annotated, Any

import jwt
import structlog
from pydantic import Field, ValidationError

from panosc_common.access import Reason
from panosc_common.model import Document
from panosc_common.problem import Problem

PARAMETER = "link"
"""Of a query, in which a link has its signature."""
SCHEME = "Link"
"""Of the header `Authorization`, in which an archive passes a link on to a catalogue."""
DEFAULT_SECONDS = 24 * 3600
MAX_SECONDS = 7 * 24 * 3600
MAX_TOKEN = 4096
"""Characters of a signed link's token at most: a URL has to fit into what programs and proxies take."""
CURRENT, PREVIOUS = "current", "previous"
"""Names of the files with keys."""
_ALGORITHM = "HS256"
_MIN_KEY_BYTES = 32
_ARCHIVE = re.compile(r"[a-z0-9-]{1,63}")

log = structlog.stdlib.get_logger(__name__)


class Link(Document, frozen=True):
    """What a link says."""

    archive: str
    """Name of the archive that signed it."""
    subject: str
    """Who had it signed, as the login says."""
    resource: str
    """Path of the one address that it opens, decoded."""
    reasons: tuple[Reason, ...] = ()
    """Why whoever had it signed saw that; none where it was public."""
    expires: int
    """When it ends, in seconds since the epoch."""
    identifier: Annotated[str, Field(default_factory=lambda: uuid.uuid4().hex)]
    """What the audit log calls it."""


class NotTaken(Problem):
    """A link that opens nothing."""

    def __init__(self, why: str) -> None:
        super().__init__(403, f"the signed link is not taken: {why}")


class Keys:
    """The keys of one archive, in files that are read each time: `current` signs, `previous` is taken too."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def sign(self, link: Link) -> str:
        """The link's token. Raises Problem (503) without a key, (422) if it would be too long."""
        key = self._read(CURRENT)
        if key is None:
            raise Problem(
                503,
                f"signing links is switched off: there is no key of {_MIN_KEY_BYTES} bytes or more in "
                f"{self._directory / CURRENT}, which the operator puts there from the Secret <archive>-links",
            )
        claims = {
            "aud": link.archive,
            "sub": link.subject,
            "exp": link.expires,
            "iat": int(time.time()),
            "jti": link.identifier,
            "resource": link.resource,
            "reasons": [reason.model_dump(mode="json", exclude_none=True) for reason in link.reasons],
        }
        token = jwt.encode(claims, key, algorithm=_ALGORITHM)
        if len(token) > MAX_TOKEN:
            raise Problem(
                422,
                f"the link would be longer than {MAX_TOKEN} characters, as what it opens is seen for "
                f"{len(link.reasons)} reasons: ask for links to parts of it",
            )
        return token

    def verified(self, token: str, archive: str, leeway: float = 0) -> Link:
        """What a token says that was signed for the archive; `leeway` in seconds is for another clock.

        Raises NotTaken.
        """
        keys = [key for key in map(self._read, (CURRENT, PREVIOUS)) if key is not None]
        if len(token) > MAX_TOKEN:
            raise NotTaken(f"it has more than {MAX_TOKEN} characters: copy the whole address, and no more")
        for key in keys:
            try:
                claims = jwt.decode(
                    token,
                    key,
                    algorithms=[_ALGORITHM],
                    audience=archive,
                    leeway=leeway,
                    options={"require": ["exp", "aud", "sub", "jti"], "verify_iat": False},
                )
            except jwt.ExpiredSignatureError as error:
                raise NotTaken("it has expired: ask for a new one") from error
            except jwt.InvalidSignatureError:
                continue
            except jwt.InvalidTokenError as error:
                raise NotTaken("it cannot be understood: copy the whole address") from error
            return _link(claims)
        raise NotTaken(
            "its signature is wrong: it was changed, or another archive signed it, or its key was replaced; "
            "ask for a new one"
        )

    def _read(self, name: str) -> bytes | None:
        """The key of this name; None if there is none that is any good."""
        try:
            key = (self._directory / name).read_bytes().strip()
        except FileNotFoundError:
            return None
        if len(key) < _MIN_KEY_BYTES:
            log.error("key for signed links is too short", file=name, bytes=len(key), least=_MIN_KEY_BYTES)
            return None
        return key


def archive_of(token: str) -> str:
    """Which archive a token says that it is of, before anything of it is verified. Raises NotTaken."""
    try:
        claims = jwt.decode(token, options={"verify_signature": False})
    except jwt.InvalidTokenError as error:
        raise NotTaken("it cannot be understood") from error
    archive = claims.get("aud")
    if not isinstance(archive, str) or not _ARCHIVE.fullmatch(archive):
        raise NotTaken("it names no archive")
    return archive


def _link(claims: dict[str, Any]) -> Link:
    try:
        return Link.model_validate(
            {
                "archive": claims["aud"],
                "subject": claims["sub"],
                "resource": claims.get("resource"),
                "reasons": claims.get("reasons"),
                "expires": claims["exp"],
                "identifier": claims["jti"],
            }
        )
    except ValidationError as error:
        raise NotTaken("it was made by another version of the archive: ask for a new one") from error
