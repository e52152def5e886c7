"""From ICAT's entities to the catalogue's records; no I/O.

Identifiers are made of ICAT's own ids: names change, and a DOI comes late.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from panosc_catalogue.records import (
    Affiliation,
    DatasetRecord,
    DocumentHeader,
    DocumentRecord,
    File,
    Funding,
    Instrument,
    Member,
    Parameter,
    Person,
    Sample,
    Technique,
    instrument_pid,
)
from panosc_catalogue.settings import Facility
from panosc_catalogue.sources.base import local_pid


class Mapping:
    """Makes records of the entities of one ICAT."""

    def __init__(self, source: str, facility: Facility) -> None:
        self._source = source
        self._facility = facility

    def _pid(self, kind: str, entity: Any) -> str:
        return local_pid(self._facility, self._source, kind, str(entity.id))

    def instrument(self, entity: Any) -> Instrument:
        """An Instrument."""
        return Instrument(
            pid=_text(entity.pid) or instrument_pid(self._facility.name, str(entity.name)),
            name=_text(entity.fullName) or str(entity.name),
            facility=self._facility.label,
        )

    def investigation(self, entity: Any) -> DocumentRecord:
        """An Investigation with what belongs to it but its datasets."""
        header = self._header(entity)
        return DocumentRecord(
            **header.model_dump(exclude_unset=True),
            summary=_text(entity.summary),
            keywords=[str(keyword.name) for keyword in entity.keywords],
            members=[self._member(user) for user in entity.investigationUsers],
            parameters=_parameters(entity.parameters),
            funding=_fundings(entity.fundingReferences),
        )

    def _header(self, entity: Any) -> DocumentHeader:
        return DocumentHeader(
            pid=self._pid("investigation", entity),
            type=_text(entity.type.name) if entity.type else None,
            title=_text(entity.title) or str(entity.name),
            doi=_text(entity.doi),
            start_date=entity.startDate,
            end_date=entity.endDate,
            release_date=entity.releaseDate,
        )

    def publication(self, entity: Any) -> DocumentRecord:
        """A DataPublication; its pid is the one it was published with."""
        pid = str(entity.pid)
        users = sorted(entity.users, key=lambda user: str(user.orderKey or ""))
        return DocumentRecord(
            pid=pid,
            type="publication",
            title=str(entity.title),
            summary=_text(entity.description),
            doi=pid if pid.startswith("10.") else None,
            release_date=entity.publicationDate,
            keywords=[word.strip() for word in str(entity.subject or "").split(",") if word.strip()],
            members=[self._author(user) for user in users],
            funding=_fundings(entity.fundingReferences),
        )

    def dataset(self, entity: Any, parameters: Iterable[Any], datafiles: Iterable[Any]) -> DatasetRecord:
        """A Dataset with its parameters and files; its investigation is the first of its documents."""
        given = _parameters(parameters)
        investigation = entity.investigation
        collections = [
            *(of.dataCollection for of in entity.dataCollectionDatasets),
            *(of.dataCollection for of in investigation.dataCollectionInvestigations),
        ]
        publications = {
            str(publication.pid): DocumentHeader(
                pid=str(publication.pid), type="publication", title=str(publication.title)
            )
            for collection in collections
            for publication in collection.dataPublications
        }
        instruments = [
            *(of.instrument for of in entity.datasetInstruments),
            *(of.instrument for of in investigation.investigationInstruments),
        ]
        return DatasetRecord(
            pid=self._pid("dataset", entity),
            title=str(entity.name),
            doi=_text(entity.doi),
            creation_date=entity.startDate or entity.createTime,
            end_date=entity.endDate,
            size=entity.fileSize,
            instrument=self.instrument(instruments[0]) if instruments else None,
            documents=[self._header(investigation), *publications.values()],
            techniques=[
                *(self._technique(of.technique) for of in entity.datasetTechniques),
                *_techniques(given),
            ],
            samples=[self._sample(entity.sample)] if entity.sample else [],
            parameters=given,
            files=[
                File(name=str(file.name), path=_text(file.location), size=file.fileSize) for file in datafiles
            ],
        )

    def _technique(self, entity: Any) -> Technique:
        pid = _text(entity.pid)
        return Technique(
            pid=pid or self._pid("technique", entity),
            name=str(entity.name),
            panet_id=pid if pid and "PaNET" in pid else None,
        )

    def _sample(self, entity: Any) -> Sample:
        return Sample(pid=_text(entity.pid) or self._pid("sample", entity), name=str(entity.name))

    def _member(self, entity: Any) -> Member:
        place = _text(entity.user.affiliation)
        return Member(
            role=_text(entity.role),
            person=self._person(entity.user),
            affiliation=Affiliation(name=place) if place else None,
            email=_text(entity.user.email),
        )

    def _author(self, entity: Any) -> Member:
        places = list(entity.affiliations)
        person = self._person(entity.user)
        named = {
            "full_name": _text(entity.fullName),
            "first_name": _text(entity.givenName),
            "last_name": _text(entity.familyName),
        }
        return Member(
            role=_text(entity.contributorType),
            person=person.model_copy(update={key: value for key, value in named.items() if value}),
            affiliation=Affiliation(id=_text(places[0].pid), name=str(places[0].name)) if places else None,
        )

    def _person(self, user: Any) -> Person:
        # A login's name is nobody's business; a person without another name is shown by it all the same.
        return Person(
            id=self._pid("user", user),
            full_name=_text(user.fullName) or str(user.name),
            orcid=_text(user.orcidId),
            first_name=_text(user.givenName),
            last_name=_text(user.familyName),
        )


def _fundings(entities: Iterable[Any]) -> list[Funding]:
    return [_funding(of.funding) for of in entities if of.funding]


def _funding(entity: Any) -> Funding:
    # ICAT knows no award without a number: what has none is given as one of DataCite's codes.
    number, identifier = _text(entity.awardNumber), _text(entity.funderIdentifier)
    return Funding(
        funder=str(entity.funderName),
        ror=identifier if identifier and "ror.org/" in identifier else None,
        award_number=None if number and number.startswith(":") else number,
        award_title=_text(entity.awardTitle),
    )


def _parameters(entities: Iterable[Any]) -> list[Parameter]:
    return [_parameter(entity) for entity in entities]


def _techniques(parameters: Iterable[Parameter]) -> Iterator[Technique]:
    """The techniques that the ESRF's ingest names in a parameter: IRIs with spaces between them."""
    for parameter in parameters:
        if parameter.name == "technique_pid":
            for iri in str(parameter.value or "").split():
                yield Technique(pid=iri, name=re.split("[#/]", iri)[-1] or iri)


def _parameter(entity: Any) -> Parameter:
    # Units are never null in ICAT; what has none is often given as one of these.
    unit = _text(entity.type.units)
    return Parameter(
        name=str(entity.type.name),
        value=_value(entity),
        unit=None if unit and unit.casefold() in ("n/a", "none", "unitless") else unit,
    )


def _value(entity: Any) -> float | str | tuple[float, float] | None:
    if entity.numericValue is not None:
        return float(entity.numericValue)
    if entity.rangeBottom is not None and entity.rangeTop is not None:
        return float(entity.rangeBottom), float(entity.rangeTop)
    if entity.dateTimeValue is not None:
        return str(entity.dateTimeValue.isoformat())
    return _text(entity.stringValue)


def _text(value: Any) -> str | None:
    """Plain text; suds gives a class of its own."""
    return str(value).strip() or None if value is not None else None
