"""From what was read in the files of a dataset to the records of the catalogue; no I/O."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from panosc_catalogue.nexus.record import FoundSample, NexusRecord, User
from panosc_catalogue.records import (
    Affiliation,
    DatasetRecord,
    DocumentHeader,
    Instrument,
    Member,
    Person,
    Sample,
    instrument_pid,
    made_identifier,
)
from panosc_catalogue.settings import Facility


@dataclass(frozen=True)
class Assembled:
    """A dataset, its proposal if one is known, and the people that its files name."""

    dataset: DatasetRecord
    document: DocumentHeader | None
    members: list[Member]


def dataset_pid(facility: Facility, archive: str, dataset: str) -> str:
    """The pid of the dataset at this path of an archive: stable as long as the file stays where it is."""
    return f"{facility.name}:{archive}/{dataset}"


def assemble(
    facility: Facility, archive: str, dataset: str, proposal: str | None, records: Sequence[NexusRecord]
) -> Assembled:
    """The records of the dataset whose files, in the order of their paths, say this; without its dates."""
    proposal = proposal or _first(record.proposal for record in records)
    parameters = {p.name: p for record in reversed(records) for p in reversed(record.parameters)}
    techniques = {t.pid: t for record in records for t in record.techniques}
    instrument = _first(record.instrument for record in records)
    return Assembled(
        dataset=DatasetRecord(
            pid=dataset_pid(facility, archive, dataset),
            title=_first(record.title for record in records) or dataset.rsplit("/", 1)[-1],
            instrument=_instrument(facility, instrument) if instrument else None,
            techniques=list(techniques.values()),
            samples=list(_samples(f"{facility.name}:{proposal or dataset}", records)),
            parameters=list(reversed(parameters.values())),
        ),
        document=_document(facility, proposal, records) if proposal else None,
        members=[_member(facility, user) for record in records for user in record.users],
    )


def _instrument(facility: Facility, name: str) -> Instrument:
    return Instrument(pid=instrument_pid(facility.name, name), name=name, facility=facility.label)


def _document(facility: Facility, proposal: str, records: Iterable[NexusRecord]) -> DocumentHeader:
    described = _first(record.proposal_title for record in records)
    return DocumentHeader(
        pid=made_identifier(f"{facility.name}:{proposal}"),
        type="proposal",
        title=described or f"Proposal {proposal}",
    )


def _samples(scope: str, records: Iterable[NexusRecord]) -> Iterable[Sample]:
    """The samples, told apart by their identifier or name within the proposal.

    Numbers such as 1 are used by everybody, and another proposal's sample may be a secret.
    """
    found: dict[str, FoundSample] = {}
    for record in records:
        for sample in record.samples:
            found.setdefault(made_identifier(f"{scope}/{sample.identifier or sample.name}"), sample)
    return (Sample(pid=key, name=s.name, description=s.description) for key, s in found.items())


def _member(facility: Facility, user: User) -> Member:
    return Member(
        role=user.role,
        person=Person(
            id=f"{facility.name}:{user.identifier}" if user.identifier else None,
            full_name=user.name,
            orcid=user.orcid,
            researcher_id=user.identifier,
        ),
        affiliation=Affiliation(name=user.affiliation) if user.affiliation else None,
    )


def _first(values: Iterable[str | None]) -> str | None:
    return next((value for value in values if value), None)
