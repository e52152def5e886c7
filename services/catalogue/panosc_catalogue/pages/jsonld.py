"""A record as schema.org JSON-LD, which needs no context from elsewhere: an assessor may be offline.

Properties as schema.org/Dataset has them; the measurement as an activity of the PROV ontology.
"""

from typing import Any

from panosc_catalogue.datacite.description import Description, Funding, Organisation, Person, Related
from panosc_catalogue.datacite.rights import license_url
from panosc_catalogue.pages import words
from panosc_catalogue.pages.details import Details
from panosc_catalogue.pages.render import in_bytes

CONTEXT = {"@vocab": "https://schema.org/", "prov": "http://www.w3.org/ns/prov#"}
MAX_DISTRIBUTIONS = 50
MAX_VARIABLES = 100
_PANET = "http://purl.org/pan-science/PaNET/PaNET.owl"


def document(
    description: Description, details: Details, *, catalogue_url: str, metadata_license: str
) -> dict[str, Any]:
    """The JSON-LD document."""
    publisher = _organisation(description.facility)
    identifier = words.identifier(description)
    catalogue = {
        "@type": "DataCatalog",
        "name": f"{description.facility.name} catalogue",
        "url": catalogue_url,
    }
    instruments = [{"@type": "Thing", "name": one.name} for one in description.instruments]
    found = {
        "@context": CONTEXT,
        "@type": "Dataset" if description.kind == "datasets" else ["Dataset", "Collection"],
        "@id": identifier,
        "identifier": list(dict.fromkeys([identifier, description.pid])),
        "url": description.url,
        "name": description.title,
        "description": words.summary(description),
        "additionalType": description.type,
        "creator": [_person(one) for one in description.creators] or publisher,
        "contributor": [_person(one) for one in description.people if one not in description.creators],
        "publisher": publisher,
        "provider": publisher,
        "dateCreated": _date(description.start),
        "datePublished": "-".join(f"{part:02d}" for part in words.issued(description)),
        "dateModified": _date(details.updated),
        "temporalCoverage": _interval(description),
        "license": license_url(description.license) or description.license,
        "isAccessibleForFree": description.access == "open" and description.state == "live",
        "conditionsOfAccess": words.availability(description),
        "creativeWorkStatus": "Withdrawn" if description.state == "withdrawn" else "Published",
        "funding": [_grant(one) for one in description.funding],
        "keywords": list(
            dict.fromkeys([*description.keywords, *(one.name for one in description.techniques)])
        ),
        "about": [
            *(_term(one.name, one.panet, one.iri) for one in description.techniques if one.panet),
            *(_sample(one.name, one.description) for one in description.samples),
        ],
        "measurementTechnique": [one.name for one in description.techniques],
        "variableMeasured": [
            {
                "@type": "PropertyValue",
                "name": one.name,
                "value": one.number if one.number is not None else one.value,
                "unitText": one.unit or None,
            }
            for one in details.parameters[:MAX_VARIABLES]
        ],
        "size": in_bytes(description.files.bytes),
        "distribution": _distribution(description, details),
        "isPartOf": [_related(one) for one in description.documents],
        "hasPart": [_related(one) for one in description.datasets],
        "includedInDataCatalog": catalogue,
        "sdLicense": license_url(metadata_license),
        "sdPublisher": publisher,
        "prov:wasGeneratedBy": {
            "@type": "prov:Activity",
            "name": "Measurement" + "".join(f" on {one['name']}" for one in instruments[:1]),
            "prov:startedAtTime": _instant(description.start),
            "prov:endedAtTime": _instant(description.end),
            "prov:used": instruments,
            "prov:wasAssociatedWith": publisher,
        },
    }
    return _filled(found)


def _filled(value: dict[str, Any]) -> dict[str, Any]:
    """The object, and those in it, without what is not known."""

    def clean(item: Any) -> Any:
        if isinstance(item, dict):
            return _filled(item)
        return [clean(one) for one in item] if isinstance(item, list) else item

    return {name: clean(item) for name, item in value.items() if item not in (None, "", [], {})}


def _organisation(organisation: Organisation) -> dict[str, Any]:
    return {"@type": "Organization", "@id": organisation.ror, "name": organisation.name}


def _person(person: Person) -> dict[str, Any]:
    return {
        "@type": "Person",
        "@id": person.orcid,
        "name": person.name,
        "givenName": person.given,
        "familyName": person.family,
        "affiliation": [_organisation(one) for one in person.affiliations],
    }


def _grant(funding: Funding) -> dict[str, Any]:
    return {
        "@type": "Grant",
        "identifier": funding.award_number,
        "name": funding.award_title,
        "funder": _organisation(funding.funder),
    }


def _term(name: str, code: str | None, iri: str | None) -> dict[str, Any]:
    return {
        "@type": "DefinedTerm",
        "@id": iri,
        "name": name,
        "termCode": code,
        "url": iri,
        "inDefinedTermSet": {"@type": "DefinedTermSet", "@id": _PANET, "name": "PaNET"},
    }


def _sample(name: str, description: str | None) -> dict[str, Any]:
    return {"@type": "Thing", "name": name, "description": description, "additionalType": "Sample"}


def _related(related: Related) -> dict[str, Any]:
    address = f"https://doi.org/{related.doi}" if related.doi else related.url
    return {"@type": "Dataset", "@id": address, "name": related.title, "url": related.url}


def _distribution(description: Description, details: Details) -> list[dict[str, Any]]:
    """The files, as far as they are listed, and all of them in one piece."""
    license_of_data = license_url(description.license) or description.license
    files = [
        {
            "@type": "DataDownload",
            "name": one.name,
            "contentUrl": one.url,
            "encodingFormat": one.media_type,
            "contentSize": None if one.size is None else f"{one.size} B",
            "license": license_of_data,
        }
        for one in details.files
        if one.url
    ]
    bundles = [
        {
            "@type": "DataDownload",
            "name": f"All files ({one.kind})",
            "contentUrl": one.url,
            "encodingFormat": one.media_type,
            "license": license_of_data,
        }
        for one in details.bundles
    ]
    return files[:MAX_DISTRIBUTIONS] + bundles


def _interval(description: Description) -> str | None:
    start, end = description.start, description.end
    if start and end and end > start:
        return f"{_instant(start)}/{_instant(end)}"
    return _instant(start or end)


def _date(value: Any) -> str | None:
    return value.date().isoformat() if value else None


def _instant(value: Any) -> str | None:
    return value.isoformat().replace("+00:00", "Z") if value else None
