"""Licences and access rights in the vocabularies that harvesters read."""

from panosc_common.licenses import known

from panosc_catalogue.datacite.description import Access

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
    if found := known(license):
        entry = {
            "rights": found.name,
            "rightsUri": found.url,
            "rightsIdentifier": found.id,
            "rightsIdentifierScheme": "SPDX",
            "schemeUri": "https://spdx.org/licenses/",
        }
    return [entry, *({"rights": name, "rightsUri": uri} for name, uri in ACCESS_RIGHTS[access])]


def license_url(license: str) -> str | None:
    """Where the licence can be read; None for words that name none."""
    found = known(license)
    return found.url if found else None
