"""From the metadata of harvested records, DataCite's or Dublin Core's, to the catalogue's records; no I/O.

Whatever is harvested is a document, since only that has people and a summary; a dataset is one beside.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from lxml import etree
from panosc_common.licenses import known

from panosc_catalogue.records import (
    Affiliation,
    DatasetRecord,
    DocumentHeader,
    DocumentRecord,
    Funding,
    Member,
    Person,
    Technique,
)

_DOI = re.compile(r"10\.\d{4,9}/\S+")
_DATE = re.compile(r"\d{4}(-\d\d(-\d\d(T\S+)?)?)?")
_PANET = re.compile(r"PaNET\d{5}")
_BYTES = re.compile(r"(\d+) ?(?:B|bytes?)", re.IGNORECASE)
# Access rights as OpenAIRE's guidelines write them, 2.0 and 3.0.
_CLOSED = re.compile(r"eu-repo/semantics/(?:restricted|closed)Access|coar/access_right/(?:c_16ec|c_14cb)")
_NOT_OPEN = re.compile(rf"{_CLOSED.pattern}|eu-repo/semantics/embargoedAccess|coar/access_right/c_f1cf")
_KERNEL = re.compile(r"\{http://datacite\.org/schema/kernel-[\d.]+\}resource")
_DUBLIN_CORE = "{http://www.openarchives.org/OAI/2.0/oai_dc/}dc"


@dataclass
class Description:
    """What either format says."""

    pid: str
    title: str
    type: str
    is_dataset: bool
    is_open: bool
    """Whether anybody may have the data, once they are available."""
    doi: str | None
    summary: str | None = None
    start: str | None = None
    end: str | None = None
    available: str | None = None
    license: str | None = None
    size: int | None = None
    keywords: list[str] = field(default_factory=list)
    members: list[Member] = field(default_factory=list)
    funding: list[Funding] = field(default_factory=list)
    techniques: list[Technique] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)
    """DOIs of what it says it consists of."""


def read(metadata: etree._Element | None, origin_id: str) -> Description:
    """The description in a record's metadata. Raises ValueError where it has no title, or another format."""
    for element in metadata.iter(etree.Element) if metadata is not None else ():
        if element.tag == _DUBLIN_CORE:
            return _dublin_core(element, origin_id)
        # The namespace names the kernel's version, and some repositories still that of kernel 3.
        if _KERNEL.fullmatch(str(element.tag)):
            return _datacite(element, origin_id)
    raise ValueError(
        "it has neither DataCite's nor Dublin Core's metadata; set metadataPrefix to one of them"
    )


def document(found: Description) -> DocumentRecord:
    """The document that is described."""
    return DocumentRecord(
        **_header(found).model_dump(exclude_unset=True),
        summary=found.summary,
        license=found.license,
        keywords=found.keywords,
        members=found.members,
        funding=found.funding,
        datasets=[DatasetRecord(pid=doi, title=doi) for doi in found.parts],
    )


def dataset(found: Description) -> DatasetRecord:
    """The dataset that is described."""
    return DatasetRecord(
        pid=found.pid,
        title=found.title,
        doi=found.doi,
        is_public=True if found.is_open and not found.available else None,
        creation_date=found.start,
        end_date=found.end,
        size=found.size,
        documents=[_header(found)],
        techniques=found.techniques,
    )


def _header(found: Description) -> DocumentHeader:
    return DocumentHeader(
        pid=found.pid,
        type=found.type,
        title=found.title,
        doi=found.doi,
        start_date=found.start,
        end_date=found.end,
        release_date=found.available,
    )


def _datacite(resource: etree._Element, origin_id: str) -> Description:
    identifier = resource.find("{*}identifier")
    is_doi = identifier is not None and (identifier.get("identifierType") or "").upper() == "DOI"
    doi = _doi(_text(identifier)) if is_doi else None
    titles = resource.findall("{*}titles/{*}title")
    general = (resource.find("{*}resourceType"), "resourceTypeGeneral")
    kind = (general[0].get(general[1]) if general[0] is not None else None) or "Other"
    rights = resource.findall("{*}rightsList/{*}rights")
    access = [of.get("rightsURI") or _text(of) or "" for of in rights]
    dates = {of.get("dateType"): _text(of) for of in resource.iterfind("{*}dates/{*}date")}
    start, _, end = (dates.get("Collected") or dates.get("Created") or "").partition("/")
    subjects = resource.findall("{*}subjects/{*}subject")
    return Description(
        pid=doi or origin_id,
        title=_title(next((of for of in titles if not of.get("titleType")), None)),
        type=kind.casefold(),
        is_dataset=kind == "Dataset",
        is_open=not any(_NOT_OPEN.search(text) for text in access),
        doi=doi,
        summary=next(
            (
                _text(of)
                for of in resource.iterfind("{*}descriptions/{*}description")
                if of.get("descriptionType") == "Abstract"
            ),
            None,
        ),
        start=_date(start),
        end=_date(end or start),
        available=None if any(_CLOSED.search(text) for text in access) else _date(dates.get("Available")),
        license=_license(
            text for of in rights for text in (of.get("rightsIdentifier"), of.get("rightsURI"), _text(of))
        ),
        size=_size(_text(of) for of in resource.iterfind("{*}sizes/{*}size")),
        keywords=[text for of in subjects if (text := _text(of))],
        members=[*_people(resource, "creator"), *_people(resource, "contributor")],
        funding=list(_funding(resource)),
        techniques=[of for subject in subjects if (of := _technique(subject)) is not None],
        parts=[
            doi
            for of in resource.iterfind("{*}relatedIdentifiers/{*}relatedIdentifier")
            if of.get("relationType") == "HasPart" and (doi := _doi(_text(of)))
        ],
    )


def _funding(resource: etree._Element) -> Iterator[Funding]:
    for element in resource.iterfind("{*}fundingReferences/{*}fundingReference"):
        funder = _text(element.find("{*}funderName"))
        identifier = element.find("{*}funderIdentifier")
        is_ror = identifier is not None and identifier.get("funderIdentifierType") == "ROR"
        if funder is not None:
            yield Funding(
                funder=funder,
                ror=_text(identifier) if is_ror else None,
                award_number=_text(element.find("{*}awardNumber")),
                award_title=_text(element.find("{*}awardTitle")),
            )


def _people(resource: etree._Element, kind: str) -> Iterator[Member]:
    for element in resource.iterfind(f"{{*}}{kind}s/{{*}}{kind}"):
        name = element.find(f"{{*}}{kind}Name")
        said = _text(name)
        if name is None or said is None or name.get("nameType") == "Organizational":
            continue
        identifiers = element.findall("{*}nameIdentifier")
        orcids = [of for of in identifiers if (of.get("nameIdentifierScheme") or "").upper() == "ORCID"]
        place = element.find("{*}affiliation")
        where = _text(place)
        yield Member(
            role=element.get("contributorType") or kind,
            person=Person(
                full_name=said,
                orcid=_text(orcids[0]) if orcids else None,
                first_name=_text(element.find("{*}givenName")),
                last_name=_text(element.find("{*}familyName")),
            ),
            affiliation=(
                Affiliation(id=place.get("affiliationIdentifier"), name=where)
                if place is not None and where
                else None
            ),
        )


def _technique(subject: etree._Element) -> Technique | None:
    """The technique that a subject of PaNET is; the form that FAIRsharing's metric 6465 looks for."""
    where = " ".join(subject.get(name) or "" for name in ("valueURI", "classificationCode", "schemeURI"))
    term, name = _PANET.search(where), _text(subject)
    if term is None or name is None:
        return None
    iri = f"http://purl.org/pan-science/PaNET/{term[0]}"
    return Technique(pid=iri, name=name, panet_id=iri)


def _dublin_core(core: etree._Element, origin_id: str) -> Description:
    def all_of(name: str) -> list[str]:
        return [text for of in core.iterfind(f"{{*}}{name}") if (text := _text(of))]

    doi = next((doi for text in all_of("identifier") if (doi := _doi(text))), None)
    titles, rights, dates = all_of("title"), all_of("rights"), [_date(text) for text in all_of("date")]
    is_dataset = any(text.casefold().rsplit("/", 1)[-1] == "dataset" for text in all_of("type"))
    embargo = [text.rsplit("/", 1)[-1] for text in all_of("date") if "semantics/embargoEnd/" in text]
    if not titles:
        raise ValueError("it has no title")
    return Description(
        pid=doi or origin_id,
        title=titles[0],
        type="dataset" if is_dataset else "other",
        is_dataset=is_dataset,
        is_open=not any(_NOT_OPEN.search(text) for text in rights),
        doi=doi,
        summary=next(iter(all_of("description")), None),
        start=next((date for date in dates if date), None),
        available=_date(embargo[0]) if embargo else None,
        license=_license(rights),
        keywords=all_of("subject"),
        members=[
            Member(role=role, person=Person(full_name=name))
            for role in ("creator", "contributor")
            for name in all_of(role)
        ],
    )


def _title(element: etree._Element | None) -> str:
    said = _text(element)
    if said is None:
        raise ValueError("it has no title")
    return said


def _text(element: etree._Element | None) -> str | None:
    """The text of an element; None for none, and for what DataCite lets one write instead (`:unav`)."""
    said = " ".join("".join(element.itertext()).split()) if element is not None else ""
    return None if not said or said.startswith((":un", ":null", ":tba", ":none")) else said


def _doi(text: str | None) -> str | None:
    found = _DOI.search(text or "")
    return found[0] if found else None


def _date(text: str | None) -> str | None:
    """A date as far as DataCite lets it be given: a year, a month, a day or a moment; its begin."""
    found = _DATE.fullmatch((text or "").strip())
    if found is None:
        return None
    whole = found[0]
    return f"{whole}-01-01" if len(whole) == 4 else f"{whole}-01" if len(whole) == 7 else whole


def _license(texts: Iterable[str | None]) -> str | None:
    return next((license.id for text in texts if text and (license := known(text))), None)


def _size(texts: Iterable[str | None]) -> int | None:
    found = [match for text in texts if text and (match := _BYTES.fullmatch(text))]
    return int(found[0][1]) if found else None
