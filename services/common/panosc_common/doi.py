"""DOIs as people and catalogues write them: `10.5072/X`, `doi:10.5072/x`, `https://doi.org/10.5072/x`."""

import re
from urllib.parse import unquote

_WRITTEN = re.compile(
    r"\s*(?P<address>https?://(?:dx\.|www\.)?doi\.org/)?(?:(?:info:doi/|doi:)\s*)?(?P<doi>10\.\d[\d.]*(?:/|%2f)\S+)\s*",
    re.ASCII | re.IGNORECASE,
)


def bare(text: str) -> str | None:
    """The DOI that the text is, without what is written around it; None if it is none.

    Its case stays as its registrant writes it, but means nothing: compare by `key`.
    """
    found = _WRITTEN.fullmatch(text)
    if found is None:
        return None
    doi = unquote(found["doi"]) if found["address"] else found["doi"]
    return doi if "/" in doi else None


def key(text: str) -> str | None:
    """The same for every way in which a DOI is written, as PostgreSQL's `lower` makes it of a bare one."""
    doi = bare(text)
    return doi.lower() if doi else None
