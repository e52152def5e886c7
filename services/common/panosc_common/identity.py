"""By what people are known for certain: their ORCID iD, the login's identifier, a verified e-mail address.

An identity is text that begins with its kind, `orcid:0000-0002-1825-0097`, in one form however it is written,
so that two are the same if their texts are.
"""

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

MAX_IDENTIFIER = 255
"""Characters of a login's identifier at most, as OpenID Connect has it."""
MAX_EMAIL = 254
_ORCID = re.compile(r"(?:https?://(?:www\.)?orcid\.org/)?(\d{4}-\d{4}-\d{4}-\d{3}[\dXx])", re.ASCII)
_IDENTIFIER = re.compile(rf"[!-~]{{1,{MAX_IDENTIFIER}}}")
# As browsers take one. ASCII alone: there are letters that look like others, or become them in lower case.
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_EMAIL = re.compile(rf"[a-z0-9.!#$%&'*+/=?^_`{{|}}~-]+@{_LABEL}(?:\.{_LABEL})+", re.ASCII | re.IGNORECASE)


def orcid(text: str) -> str | None:
    """The ORCID iD that the text is, bare or as its address; None if it is none, by its check digit too."""
    found = _ORCID.fullmatch(text.strip())
    if found is None:
        return None
    known = found[1].upper()
    total = 0
    for digit in known[:-1].replace("-", ""):
        total = (total + int(digit)) * 2
    # ISO 7064 MOD 11-2
    return known if "0123456789X"[(12 - total % 11) % 11] == known[-1] else None


def identifier(text: str) -> str | None:
    """The login's identifier (`sub`) that the text is, letter by letter; None if it can be none."""
    given = text.strip(" ")
    return given if _IDENTIFIER.fullmatch(given) else None


def email(text: str) -> str | None:
    """The e-mail address that the text is, in small letters; None if it is none, or not of ASCII alone."""
    given = text.strip(" ")
    return given.lower() if len(given) <= MAX_EMAIL and _EMAIL.fullmatch(given) else None


KINDS: Mapping[str, Callable[[str], str | None]] = {
    "orcid": orcid,
    "identifier": identifier,
    "email": email,
}
"""What gives each kind of identity its one form."""


def identities(claims: Mapping[str, Any]) -> frozenset[str]:
    """All identities of who has a token with these claims; an address that was not verified is none."""
    return frozenset(_identities(claims))


def _identities(claims: Mapping[str, Any]) -> Iterator[str]:
    said = {"orcid": claims.get("orcid"), "identifier": claims.get("sub")}
    # No other value will do: "false" is true to many a program.
    if claims.get("email_verified") is True:
        said["email"] = claims.get("email")
    for kind, value in said.items():
        if isinstance(value, str) and (known := KINDS[kind](value)):
            yield f"{kind}:{known}"


def for_log(identity: str) -> str:
    """The identity as logs have it: of an address its SHA-256, by which it is found but not read."""
    kind, _, value = identity.partition(":")
    return f"email:sha256:{hashlib.sha256(value.encode()).hexdigest()}" if kind == "email" else identity
