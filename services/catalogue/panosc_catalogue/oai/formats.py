"""Metadata formats: how a description is written for harvesters."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import chain

from lxml import etree
from lxml.builder import ElementMaker

from panosc_catalogue.datacite import kernel
from panosc_catalogue.datacite.description import Description
from panosc_catalogue.datacite.kernel import printable
from panosc_catalogue.datacite.rights import ACCESS_RIGHTS, license_url
from panosc_catalogue.oai.errors import OaiError

XSI = "http://www.w3.org/2001/XMLSchema-instance"
_OAI_DC = "http://www.openarchives.org/OAI/2.0/oai_dc/"
_OAI_DATACITE = "http://schema.datacite.org/oai/oai-1.1/"
_DC = "http://purl.org/dc/elements/1.1/"


@dataclass(frozen=True)
class Format:
    """A metadata format."""

    namespace: str
    schema: str
    element: Callable[[Description], etree._Element]

    def write(self, described: Description) -> etree._Element:
        """The record in this format, with the address of its schema."""
        element = self.element(described)
        element.set(f"{{{XSI}}}schemaLocation", f"{self.namespace} {self.schema}")
        return element


def format_of(prefix: str) -> Format:
    """The format with this prefix.

    Raises OaiError cannotDisseminateFormat.
    """
    if prefix not in FORMATS:
        raise OaiError("cannotDisseminateFormat", f"metadataPrefix is one of {', '.join(FORMATS)}")
    return FORMATS[prefix]


def _datacite(described: Description) -> etree._Element:
    return kernel.xml(kernel.attributes(described))


_WRAPPER = ElementMaker(namespace=_OAI_DATACITE, nsmap={None: _OAI_DATACITE, "xsi": XSI})


def _oai_datacite(described: Description) -> etree._Element:
    return _WRAPPER.oai_datacite(
        _WRAPPER.schemaVersion("4.6"),
        _WRAPPER.datacentreSymbol(printable(described.facility.name)),
        _WRAPPER.payload(_datacite(described)),
    )


_E = ElementMaker(namespace=_DC, nsmap={"oai_dc": _OAI_DC, "dc": _DC, "xsi": XSI})


def _oai_dc(described: Description) -> etree._Element:
    """Dublin Core with OpenAIRE's terms for access rights and the embargo's end."""
    given = kernel.attributes(described)
    identifiers = [f"https://doi.org/{described.doi}"] if described.doi else []
    dates = [str(described.publication_year)]
    if described.access == "embargoed" and described.available:
        dates.append(f"info:eu-repo/date/embargoEnd/{described.available:%Y-%m-%d}")
    relations = (
        f"https://doi.org/{related.doi}" if related.doi else related.url
        for related in chain(described.documents, described.datasets)
    )
    values = {
        "title": [described.title],
        "creator": [creator["name"] for creator in given["creators"]],
        "subject": [subject["subject"] for subject in given.get("subjects", [])]
        + [technique.iri for technique in described.techniques if technique.iri],
        "description": [entry["description"] for entry in given.get("descriptions", [])],
        "publisher": [described.facility.name],
        "contributor": [contributor["name"] for contributor in given["contributors"]],
        "date": dates,
        "type": [given["types"]["resourceTypeGeneral"], given["types"]["resourceType"]],
        "identifier": [*identifiers, described.url],
        "relation": relations,
        "rights": [uri for _, uri in ACCESS_RIGHTS[described.access]]
        + [license_url(described.license) or described.license],
    }
    root = etree.Element(f"{{{_OAI_DC}}}dc", nsmap={"oai_dc": _OAI_DC, "dc": _DC, "xsi": XSI})
    for name, texts in values.items():
        root.extend(_E(name, printable(text)) for text in dict.fromkeys(texts))
    return root


FORMATS: Mapping[str, Format] = {
    "oai_dc": Format(_OAI_DC, "http://www.openarchives.org/OAI/2.0/oai_dc.xsd", _oai_dc),
    "oai_datacite": Format(_OAI_DATACITE, "http://schema.datacite.org/oai/oai-1.1/oai.xsd", _oai_datacite),
    "datacite": Format(kernel.NAMESPACE, kernel.SCHEMA, _datacite),
}
"""By metadataPrefix."""
