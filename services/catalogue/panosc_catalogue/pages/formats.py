"""The forms in which a landing page's address answers, and which of them a request gets."""

from dataclasses import dataclass

import mimeparse
from panosc_common.problem import Problem
from starlette.requests import Request

SCHEMA_ORG = "https://schema.org"
DATACITE = "http://datacite.org/schema/kernel-4"


@dataclass(frozen=True)
class Format:
    """A form: its name in `?format=`, its media type, and the profile or schema that it follows."""

    name: str
    media_type: str
    label: str
    profile: str | None = None


HTML = Format("html", "text/html", "Page")
JSON_LD = Format("jsonld", "application/ld+json", "schema.org JSON-LD", SCHEMA_ORG)
DATACITE_JSON = Format("datacite-json", "application/vnd.datacite.datacite+json", "DataCite JSON", DATACITE)
DATACITE_XML = Format("datacite-xml", "application/vnd.datacite.datacite+xml", "DataCite XML", DATACITE)
BIBTEX = Format("bibtex", "application/x-bibtex", "BibTeX")
CSL_JSON = Format("csl-json", "application/vnd.citationstyles.csl+json", "CSL-JSON")
CITATION = Format("citation", "text/x-bibliography", "Citation")
LINKSET = Format("linkset", "application/linkset+json", "Linkset")
FILE_LIST = Format("urls", "text/uri-list", "File addresses")

METADATA = (JSON_LD, DATACITE_JSON, DATACITE_XML, BIBTEX, CSL_JSON)
"""Forms that describe the record as a whole."""
ALL = (HTML, *METADATA, CITATION, LINKSET, FILE_LIST)
# What people try first, too.
_BY_NAME = {
    "json": JSON_LD,
    "xml": DATACITE_XML,
    "bib": BIBTEX,
    "csl": CSL_JSON,
    **{form.name: form for form in ALL},
}
# From the least to the most wanted among equals, as mimeparse takes them.
_BY_TYPE = {
    "application/json": JSON_LD,
    "application/xml": DATACITE_XML,
    "text/xml": DATACITE_XML,
    **{form.media_type: form for form in reversed(ALL)},
}


def chosen(request: Request) -> Format:
    """The form that `?format=` names, else the one that the Accept header likes best.

    Raises Problem: 400 for a name that is none, 406 where the client takes none of them.
    """
    name = request.query_params.get("format")
    if name is not None:
        if name.lower() not in _BY_NAME:
            names = ", ".join(form.name for form in ALL)
            raise Problem(400, f"there is no format {name[:40]!r}; there are {names}")
        return _BY_NAME[name.lower()]
    accept = request.headers.get("accept") or "*/*"
    try:
        best = mimeparse.best_match(list(_BY_TYPE), accept)
    except mimeparse.MimeTypeParseException as error:
        raise Problem(
            400, f"the Accept header {accept[:64]!r} names no media types; give some, or ?format= instead"
        ) from error
    if not best:
        raise Problem(406, f"this is available as {', '.join(form.media_type for form in ALL)}")
    return _BY_TYPE[best]
