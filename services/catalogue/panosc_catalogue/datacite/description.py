"""What the public may know of a document or dataset: the one read model behind pages, DOIs and OAI-PMH."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from panosc_catalogue.records import PUBLICATION

Kind = Literal["documents", "datasets"]
Access = Literal["open", "embargoed", "restricted"]
State = Literal["live", "withdrawn"]

PANET = "http://purl.org/pan-science/PaNET/"


@dataclass(frozen=True)
class Organisation:
    """A facility or an institution."""

    name: str
    ror: str | None = None
    """URL of its ROR entry."""
    country: str | None = None


@dataclass(frozen=True)
class Person:
    """A person with all the parts that they have in the record."""

    name: str
    """As it is written in full."""
    given: str | None
    family: str | None
    orcid: str | None
    """URL of the ORCID record."""
    affiliations: tuple[Organisation, ...]
    roles: tuple[str, ...]
    """As the source calls them, for example `principal investigator`."""

    @property
    def is_leader(self) -> bool:
        """Whether the person leads the experiment."""
        return any(word in _role(self.roles) for word in ("principal investigator", "main proposer", "pi"))

    @property
    def is_staff(self) -> bool:
        """Whether the person only took part as the facility's local contact."""
        return bool(self.roles) and all(
            any(word in role for word in ("local contact", "instrument scientist", "beamline scientist"))
            for role in _role(self.roles)
        )


def _role(roles: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(" ".join(role.lower().replace("_", " ").split()) for role in roles)


@dataclass(frozen=True)
class Technique:
    """An experimental technique."""

    name: str
    pid: str
    panet: str | None
    """Code of the term in the PaNET ontology, for example `PaNET01012`."""

    @property
    def iri(self) -> str | None:
        """IRI of the PaNET term."""
        return PANET + self.panet if self.panet else None


@dataclass(frozen=True)
class Sample:
    """What was measured."""

    name: str
    description: str | None


@dataclass(frozen=True)
class Instrument:
    """Where it was measured."""

    name: str
    pid: str


@dataclass(frozen=True)
class Funding:
    """Who paid for the work, and by which award."""

    funder: Organisation
    award_number: str | None
    award_title: str | None

    @property
    def award(self) -> str:
        """The award in words; empty where none is named."""
        return " ".join(
            filter(None, (self.award_title, f"({self.award_number})" if self.award_number else ""))
        )


@dataclass(frozen=True)
class Related:
    """Another public record that this one belongs to or has as a part."""

    kind: Kind
    pid: str
    doi: str | None
    title: str
    type: str
    """A document's type; `dataset` for a dataset."""
    url: str
    """Its landing page."""


@dataclass(frozen=True)
class Files:
    """How much data there is."""

    count: int
    bytes: int | None


@dataclass(frozen=True)
class Description:
    """A public record. Instants are in UTC."""

    kind: Kind
    pid: str
    doi: str | None
    url: str
    """Its landing page."""
    state: State
    """`withdrawn`: it was public once, its source has it no more."""
    access: Access
    """Of the data: `restricted` where no date is known from which on they are open."""
    type: str
    """A document's type as its source says, for example `proposal`, or `experimental data` where it does not;
    `dataset` for a dataset."""
    title: str
    summary: str | None
    people: tuple[Person, ...]
    facility: Organisation
    instruments: tuple[Instrument, ...]
    techniques: tuple[Technique, ...]
    samples: tuple[Sample, ...]
    keywords: tuple[str, ...]
    funding: tuple[Funding, ...]
    """Of a document and its datasets."""
    start: datetime | None
    """When the measurement began; of a dataset when its data were taken."""
    end: datetime | None
    available: datetime | None
    """When the data become or became open; null where no date is known, or the staff opened them before."""
    publication_year: int
    """When the data become or became public; else the year of the measurement, or of its record here."""
    withdrawn: datetime | None
    license: str
    """SPDX identifier of the data's licence, or the source's own words."""
    files: Files
    documents: tuple[Related, ...]
    """Of a dataset: the documents it belongs to, first the one that decides its embargo."""
    datasets: tuple[Related, ...]
    """Of a document: its public datasets, at most MAX_PARTS."""
    dataset_count: int
    """Of a document: how many public datasets it has."""
    is_public: bool = True
    """Of what is not, whoever asks sees it because of who they are."""

    @property
    def is_publication(self) -> bool:
        """Whether it tells of data rather than to be their proposal."""
        return PUBLICATION.search(self.type) is not None

    @property
    def creators(self) -> tuple[Person, ...]:
        """Who is cited, the leader first; the facility's own people only where there is nobody else."""
        team = [person for person in self.people if not person.is_staff] or self.people
        return tuple(sorted(team, key=lambda person: not person.is_leader))


MAX_PARTS = 500
"""Datasets that a document's description names; each of them names its document in turn."""
