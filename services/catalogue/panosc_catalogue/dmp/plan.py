"""A proposal's data management plan by the RDA common standard 1.2, from policy and proposal alone. No I/O.

https://github.com/RDA-DMP-Common/RDA-DMP-Common-Standard. What nobody has said is `unknown`, not guessed.
"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from urllib.parse import quote

from panosc_common.licenses import known
from panosc_common.policy import DataPolicy, raw_retention_end

from panosc_catalogue.datacite.description import Description, Person
from panosc_catalogue.datacite.kernel import SCHEMA as DATACITE_SCHEMA
from panosc_catalogue.settings import CatalogueConfig

NEXUS = "https://www.nexusformat.org/"


@dataclass(frozen=True)
class Proposal:
    """A public proposal and the policy under which its data are."""

    description: Description
    modified: datetime
    """When anything of it last changed (UTC)."""
    policy: DataPolicy
    config: CatalogueConfig

    @property
    def address(self) -> str:
        """Address of the plan."""
        return f"{(self.config.public_url or '').rstrip('/')}/dmp/{quote(self.description.pid, safe='/:')}"

    @property
    def retention_end(self) -> date | None:
        """Until when raw data are kept at least."""
        end = self.description.end
        return raw_retention_end(end, self.policy).date() if end else None


def document(proposal: Proposal, contact_email: str) -> dict[str, Any]:
    """The plan as JSON by the standard's JSON Schema."""
    described = proposal.description
    created = min(described.start or proposal.modified, proposal.modified)
    plan = {
        "title": f"Data management plan: {described.title}",
        "description": (
            "Made from the facility's data policy and the proposal's record; it changes when they do."
        ),
        "language": "eng",
        "created": created.isoformat(),
        "modified": proposal.modified.isoformat(),
        "dmp_id": {"identifier": proposal.address, "type": "url"},
        "contact": _contact(proposal, contact_email),
        "contributor": [_contributor(person) for person in described.people],
        "project": [_project(described)],
        "ethical_issues_exist": "unknown",
        "dataset": [_data(proposal), _metadata(proposal)],
    }
    return {"dmp": _without_nothing(plan)}


def _contact(proposal: Proposal, email: str) -> dict[str, Any]:
    facility = proposal.description.facility
    return {
        "name": facility.name,
        "mbox": email,
        "contact_id": {"identifier": facility.ror or f"mailto:{email}", "type": "other"},
    }


def _contributor(person: Person) -> dict[str, Any]:
    """Roles as DataCite's contributor types, as the standard recommends."""
    role = "ProjectLeader" if person.is_leader else "ContactPerson" if person.is_staff else "Researcher"
    identifier = (
        {"identifier": person.orcid, "type": "orcid"}
        if person.orcid
        else {"identifier": person.name, "type": "other"}
    )
    affiliations = [
        {"name": place.name, "affiliation_id": {"identifier": place.ror, "type": "ror"}}
        for place in person.affiliations
        if place.ror
    ]
    return {"name": person.name, "contributor_id": identifier, "role": [role], "affiliation": affiliations}


def _project(described: Description) -> dict[str, Any]:
    return {
        "title": described.title,
        "description": described.summary,
        "start": _day(described.start),
        "end": _day(described.end),
        "project_id": [_identifier(described)],
    }


def _identifier(described: Description) -> dict[str, str]:
    if described.doi:
        return {"identifier": f"https://doi.org/{described.doi}", "type": "doi"}
    return {"identifier": described.url, "type": "url"}


def _data(proposal: Proposal) -> dict[str, Any]:
    described, policy = proposal.description, proposal.policy
    is_open = described.access == "open"
    license = known(described.license)
    years = policy.raw_retention.years
    distribution = {
        "title": "Data in the facility's archive",
        "data_access": "open" if is_open else "shared",
        "description": (
            "Open to everybody." if is_open else "Under embargo: for the team of the proposal only."
        ),
        "access_url": described.url,
        "available_until": _day(proposal.retention_end),
        "byte_size": described.files.bytes if is_open else None,
        "format": ["application/x-hdf5"] if _is_nexus(proposal.config) else None,
        "license": [{"license_ref": license.url, "start_date": _day(described.available)}]
        if license and described.available
        else None,
        "host": _host(proposal),
    }
    return {
        "title": f"Data of {described.title}",
        "type": "experimental data",
        "dataset_id": _identifier(described),
        "keyword": [*described.keywords, *(technique.name for technique in described.techniques)],
        "issued": _day(described.available),
        "personal_data": "unknown",
        "sensitive_data": "unknown",
        "rights": described.license,
        "preservation_statement": (
            f"Raw data are kept for at least {years} years from the end of the experiment, metadata for ever."
        ),
        "technical_resource": [
            {"name": one.name, "technical_resource_id": [{"identifier": one.pid, "type": "other"}]}
            for one in described.instruments
        ],
        "metadata": [_standard(NEXUS, "NeXus, in the files")] if _is_nexus(proposal.config) else None,
        "distribution": [distribution],
    }


def _metadata(proposal: Proposal) -> dict[str, Any]:
    described = proposal.description
    license = known(proposal.policy.metadata_license)
    opened = _day(described.start or proposal.modified)
    distribution = {
        "title": "Record in the facility's catalogue",
        "data_access": "open",
        "access_url": described.url,
        "format": ["application/vnd.datacite.datacite+json", "application/ld+json"],
        "license": [{"license_ref": license.url, "start_date": opened}] if license else None,
        "host": _host(proposal),
    }
    return {
        "title": f"Metadata of {described.title}",
        "type": "metadata",
        "dataset_id": {"identifier": described.url, "type": "url"},
        "personal_data": "yes" if described.people else "no",
        "sensitive_data": "no",
        "preservation_statement": "Metadata are public from the start and are kept for ever.",
        "metadata": [_standard(DATACITE_SCHEMA, "DataCite metadata schema 4.6")],
        "distribution": [distribution],
    }


def _host(proposal: Proposal) -> dict[str, Any]:
    config = proposal.config
    doi = config.identifiers.doi
    return {
        "title": f"{config.facility.display_name}: open data",
        "url": config.public_url,
        "geo_location": config.facility.country,
        "pid_system": ["doi"] if doi and doi.registrar.data_cite else ["url"],
    }


def _standard(identifier: str, description: str) -> dict[str, Any]:
    return {
        "language": "eng",
        "description": description,
        "metadata_standard_id": {"identifier": identifier, "type": "url"},
    }


def _is_nexus(config: CatalogueConfig) -> bool:
    return any(source.nexus for source in config.sources)


def _day(value: date | None) -> str | None:
    return (value.date() if isinstance(value, datetime) else value).isoformat() if value else None


def _without_nothing(value: Any) -> Any:
    """The same without members that are null or empty: the standard's fields are left out, never null."""
    if isinstance(value, dict):
        kept = {name: _without_nothing(inner) for name, inner in value.items()}
        return {name: inner for name, inner in kept.items() if inner not in (None, [], {})}
    if isinstance(value, list):
        return [_without_nothing(inner) for inner in value]
    return value
