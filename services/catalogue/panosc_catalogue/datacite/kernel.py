"""A description in DataCite's metadata schema 4.6: as attributes of its REST API, and as XML.

https://datacite-metadata-schema.readthedocs.io/en/4.6/. Version and language are not given: no source
that the catalogue reads names them, and a guess would be worse than nothing.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from lxml import etree
from lxml.builder import ElementMaker
from panosc_common import doi

from panosc_catalogue.datacite.description import (
    PANET,
    Description,
    Funding,
    Organisation,
    Person,
    Related,
)
from panosc_catalogue.datacite.rights import rights
from panosc_catalogue.records import PUBLICATION

NAMESPACE = "http://datacite.org/schema/kernel-4"
SCHEMA = "https://schema.datacite.org/meta/kernel-4.6/metadata.xsd"
_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_XML = "http://www.w3.org/XML/1998/namespace"
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ROR = {"scheme": "ROR", "uri": "https://ror.org"}
_ORCID = {"scheme": "ORCID", "uri": "https://orcid.org"}

Attributes = dict[str, Any]


def attributes(described: Description) -> Attributes:
    """The attributes of DataCite's REST API, without `event`; `doi` only where the record has one.

    Texts keep what XML can hold, as DataCite makes XML of them.
    """
    given: Attributes = {
        "doi": described.doi,
        "url": described.url,
        "creators": _creators(described),
        "titles": [{"title": printable(described.title).strip() or described.pid}],
        "publisher": _publisher(described.facility),
        "publicationYear": described.publication_year,
        "types": _types(described),
        "subjects": _subjects(described),
        "contributors": _contributors(described),
        "dates": _dates(described),
        "alternateIdentifiers": [
            {"alternateIdentifier": described.pid, "alternateIdentifierType": "Local accession number"}
        ],
        "relatedIdentifiers": _relations(described),
        "sizes": _sizes(described),
        "rightsList": rights(described.license, described.access),
        "descriptions": _descriptions(described),
        "fundingReferences": [_funding(one) for one in described.funding],
        "schemaVersion": NAMESPACE,
    }
    return {name: _printable(value) for name, value in given.items() if value not in (None, [])}


def _types(described: Description) -> dict[str, str]:
    """A proposal or session is cited for its data: as a collection harvesters count it among research data,
    as a project (4.6) they would not."""
    if described.kind == "datasets":
        return {"resourceTypeGeneral": "Dataset", "resourceType": "Experimental data"}
    general = "Text" if described.is_publication else "Collection"
    return {"resourceTypeGeneral": general, "resourceType": described.type.capitalize()}


def _publisher(facility: Organisation) -> dict[str, str]:
    publisher = {"name": facility.name}
    if facility.ror:
        publisher |= {
            "publisherIdentifier": facility.ror,
            "publisherIdentifierScheme": _ROR["scheme"],
            "schemeUri": _ROR["uri"],
        }
    return publisher


def _creators(described: Description) -> list[dict[str, Any]]:
    """Who is cited; where nobody is known the facility."""
    return [_person(person) for person in described.creators] or [_organisation(described.facility)]


def _contributors(described: Description) -> list[dict[str, Any]]:
    found = [{**_organisation(described.facility), "contributorType": "HostingInstitution"}]
    for person in described.people:
        if person.is_leader:
            found.append({**_person(person), "contributorType": "ProjectLeader"})
        if person.is_staff:
            found.append({**_person(person), "contributorType": "DataCollector"})
    return found


def _person(person: Person) -> dict[str, Any]:
    named: dict[str, Any] = {"name": person.name, "nameType": "Personal"}
    if person.family and person.given:
        named |= {
            "name": f"{person.family}, {person.given}",
            "givenName": person.given,
            "familyName": person.family,
        }
    if person.orcid:
        named["nameIdentifiers"] = [
            {
                "nameIdentifier": person.orcid,
                "nameIdentifierScheme": _ORCID["scheme"],
                "schemeUri": _ORCID["uri"],
            }
        ]
    if person.affiliations:
        named["affiliation"] = [_affiliation(place) for place in person.affiliations]
    return named


def _affiliation(place: Organisation) -> dict[str, str]:
    if not place.ror:
        return {"name": place.name}
    return {
        "name": place.name,
        "affiliationIdentifier": place.ror,
        "affiliationIdentifierScheme": _ROR["scheme"],
        "schemeUri": _ROR["uri"],
    }


def _organisation(facility: Organisation) -> dict[str, Any]:
    named: dict[str, Any] = {"name": facility.name, "nameType": "Organizational"}
    if facility.ror:
        identifier = {"nameIdentifier": facility.ror, "nameIdentifierScheme": _ROR["scheme"]}
        named["nameIdentifiers"] = [{**identifier, "schemeUri": _ROR["uri"]}]
    return named


def _subjects(described: Description) -> list[dict[str, str]]:
    """Techniques in the form of https://fairsharing.org/6465, which looks for PaNET; then keywords."""
    subjects: list[dict[str, str]] = []
    for technique in described.techniques:
        subject = {"subject": printable(technique.name).strip() or technique.pid}
        if technique.panet and technique.iri:
            subject |= {
                "subjectScheme": "PaNET",
                "schemeUri": f"{PANET}PaNET.owl",
                "valueUri": technique.iri,
                "classificationCode": technique.panet,
            }
        subjects.append(subject)
    return subjects + [{"subject": keyword} for keyword in described.keywords if printable(keyword).strip()]


def _dates(described: Description) -> list[dict[str, str]]:
    """`Accepted` is OpenAIRE's name for the begin of an embargo, `Available` for its end."""
    dates: list[dict[str, str]] = []

    def add(kind: str, date: str, information: str = "") -> None:
        entry = {"date": date, "dateType": kind}
        dates.append({**entry, "dateInformation": information} if information else entry)

    start, end = described.start, described.end
    if start and end and start < end:
        add("Collected", f"{_second(start)}/{_second(end)}")
    elif known := start or end:
        add("Collected", _second(known))
    if described.kind == "datasets" and start:
        add("Created", _second(start))
    if described.access == "embargoed" and (begin := end or start):
        add("Accepted", _second(begin), "begin of the embargo")
    if described.available:
        information = "end of the embargo" if described.access == "embargoed" else ""
        add("Available", _second(described.available), information)
        add("Issued", f"{described.available.year:04d}")
    if described.withdrawn:
        add("Withdrawn", _second(described.withdrawn))
    return dates


def _second(instant: datetime) -> str:
    return f"{instant.replace(tzinfo=None).isoformat(timespec='seconds')}Z"


def _relations(described: Description) -> list[dict[str, str]]:
    relations = []
    for document in described.documents:
        kind = "IsReferencedBy" if PUBLICATION.search(document.type) else "IsPartOf"
        relations.append(_relation(kind, document))
    for dataset in described.datasets:
        kind = "References" if described.is_publication else "HasPart"
        relations.append({**_relation(kind, dataset), "resourceTypeGeneral": "Dataset"})
    for instrument in described.instruments:
        if (identified := _identifier_type(instrument.pid)) is not None:
            identifier, scheme = identified
            relations.append(
                {
                    "relatedIdentifier": identifier,
                    "relatedIdentifierType": scheme,
                    "relationType": "IsCollectedBy",
                    "resourceTypeGeneral": "Instrument",
                }
            )
    return relations


def _relation(kind: str, related: Related) -> dict[str, str]:
    identifier, scheme = (related.doi, "DOI") if related.doi else (related.url, "URL")
    return {"relatedIdentifier": identifier, "relatedIdentifierType": scheme, "relationType": kind}


def _identifier_type(pid: str) -> tuple[str, str] | None:
    if found := doi.bare(pid):
        return found, "DOI"
    return (pid, "URL") if pid.startswith(("https://", "http://")) else None


def _sizes(described: Description) -> list[str]:
    sizes = [f"{described.files.bytes} bytes"] if described.files.bytes is not None else []
    return [*sizes, f"{described.files.count} files"] if described.files.count else sizes


def _descriptions(described: Description) -> list[dict[str, str]]:
    found = []
    if described.summary:
        found.append({"description": described.summary, "descriptionType": "Abstract"})
    instruments = ", ".join(instrument.name for instrument in described.instruments)
    samples = "; ".join(
        f"{sample.name} ({sample.description})" if sample.description else sample.name
        for sample in described.samples
    )
    about = {"Instrument": instruments, "Sample": samples}
    technical = ". ".join(f"{name}: {value}" for name, value in about.items() if value)
    if technical:
        found.append({"description": technical, "descriptionType": "TechnicalInfo"})
    return found


def _funding(given: Funding) -> dict[str, str]:
    named = {"funderName": given.funder.name}
    if given.funder.ror:
        named |= {
            "funderIdentifier": given.funder.ror,
            "funderIdentifierType": _ROR["scheme"],
            "schemeUri": _ROR["uri"],
        }
    award = {"awardNumber": given.award_number, "awardTitle": given.award_title}
    return named | {name: text for name, text in award.items() if text}


_E = ElementMaker(namespace=NAMESPACE, nsmap={None: NAMESPACE, "xsi": _XSI})
# The REST API's names of what are attributes in XML.
_XML_NAMES = {
    "schemeUri": "schemeURI",
    "valueUri": "valueURI",
    "rightsUri": "rightsURI",
    "lang": f"{{{_XML}}}lang",
}


def xml(given: Attributes) -> etree._Element:
    """The attributes as a `resource` element that kernel 4.6 describes."""
    resource = _E.resource(
        _text(
            "identifier", given.get("doi") or given["url"], identifierType="DOI" if "doi" in given else "URL"
        ),
        _E.creators(*(_named("creator", "creatorName", creator) for creator in given["creators"])),
        _E.titles(*(_text("title", title["title"]) for title in given["titles"])),
        _entry("publisher", given["publisher"], "name"),
        _text("publicationYear", f"{given['publicationYear']:04d}"),
        _entry("resourceType", given["types"], "resourceType"),
    )
    resource.set(f"{{{_XSI}}}schemaLocation", f"{NAMESPACE} {SCHEMA}")
    lists = {
        "subjects": ("subject", "subject"),
        "contributors": ("contributor", ""),
        "dates": ("date", "date"),
        "alternateIdentifiers": ("alternateIdentifier", "alternateIdentifier"),
        "relatedIdentifiers": ("relatedIdentifier", "relatedIdentifier"),
        "sizes": ("size", ""),
        "rightsList": ("rights", "rights"),
        "descriptions": ("description", "description"),
        "fundingReferences": ("fundingReference", ""),
    }
    for name, (element, content) in lists.items():
        entries = given.get(name, [])
        if not entries:
            continue
        if name == "contributors":
            children = [_named(element, "contributorName", entry) for entry in entries]
        elif name == "fundingReferences":
            children = [_funded(element, entry) for entry in entries]
        elif name == "sizes":
            children = [_text(element, entry) for entry in entries]
        else:
            children = [_entry(element, entry, content) for entry in entries]
        resource.append(_E(name, *children))
    return resource


def _named(element: str, name: str, given: Mapping[str, Any]) -> etree._Element:
    """A creator or contributor, its parts in the order that the schema wants."""
    parts = [_text(name, given["name"], nameType=given["nameType"])]
    parts += [_text(part, given[part]) for part in ("givenName", "familyName") if part in given]
    parts += [_entry("nameIdentifier", entry, "nameIdentifier") for entry in given.get("nameIdentifiers", [])]
    parts += [_entry("affiliation", entry, "name") for entry in given.get("affiliation", [])]
    made = _E(element, *parts)
    if "contributorType" in given:
        made.set("contributorType", given["contributorType"])
    return made


def _funded(element: str, given: Mapping[str, str]) -> etree._Element:
    parts = [_text("funderName", given["funderName"])]
    if "funderIdentifier" in given:
        of_funder = ("funderIdentifier", "funderIdentifierType", "schemeUri")
        identifier = {name: given[name] for name in of_funder}
        parts.append(_entry("funderIdentifier", identifier, "funderIdentifier"))
    parts += [_text(name, given[name]) for name in ("awardNumber", "awardTitle") if name in given]
    return _E(element, *parts)


def _entry(element: str, given: Mapping[str, str], content: str) -> etree._Element:
    """An element whose text is `given[content]` and whose attributes are the rest."""
    rest = {_XML_NAMES.get(name, name): value for name, value in given.items() if name != content}
    return _text(element, given[content], **rest)


def _text(element: str, text: str, **attributes: str) -> etree._Element:
    made = _E(element, text)
    for name, value in attributes.items():
        made.set(name, value)
    return made


def printable(text: str) -> str:
    """The text without the characters that XML 1.0 cannot hold, such as form feeds from pasted abstracts."""
    return _UNPRINTABLE.sub("", text)


def _printable(value: Any) -> Any:
    """The same with all texts printable."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, list):
        return [_printable(one) for one in value]
    return {name: _printable(one) for name, one in value.items()} if isinstance(value, dict) else value
