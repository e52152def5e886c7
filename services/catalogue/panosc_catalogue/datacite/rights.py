"""Licences and access rights in the vocabularies that harvesters read."""

import re

from panosc_catalogue.datacite.description import Access

_SPDX = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]*")
_CREATIVE_COMMONS = re.compile(r"CC-(BY(?:-NC)?(?:-SA|-ND)?)-(\d\.\d)")

# Both vocabularies: the OpenAIRE guidelines for data archives 2.0 ask for the first, 3.0 for COAR's.
ACCESS_RIGHTS: dict[Access, tuple[tuple[str, str], ...]] = {
    "open": (
        ("Open Access", "info:eu-repo/semantics/openAccess"),
        ("open access", "http://purl.org/coar/access_right/c_abf2"),
    ),
    "embargoed": (
        ("Embargoed Access", "info:eu-repo/semantics/embargoedAccess"),
        ("embargoed access", "http://purl.org/coar/access_right/c_f1cf"),
    ),
    "restricted": (
        ("Restricted Access", "info:eu-repo/semantics/restrictedAccess"),
        ("restricted access", "http://purl.org/coar/access_right/c_16ec"),
    ),
}


def rights(license: str, access: Access) -> list[dict[str, str]]:
    """Entries of DataCite's rightsList: the licence of the data, then who may have them now."""
    entry = {"rights": license}
    if url := license_url(license):
        entry |= {
            "rightsUri": url,
            "rightsIdentifier": license,
            "rightsIdentifierScheme": "SPDX",
            "schemeUri": "https://spdx.org/licenses/",
        }
    return [entry, *({"rights": name, "rightsUri": uri} for name, uri in ACCESS_RIGHTS[access])]


def license_url(license: str) -> str | None:
    """Where the licence can be read; None for words that are no SPDX identifier."""
    if license == "CC0-1.0":
        return "https://creativecommons.org/publicdomain/zero/1.0/legalcode"
    if found := _CREATIVE_COMMONS.fullmatch(license):
        return f"https://creativecommons.org/licenses/{found[1].lower()}/{found[2]}/legalcode"
    return f"https://spdx.org/licenses/{license}.html" if _SPDX.fullmatch(license) else None
