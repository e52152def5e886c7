"""Records as they are imported: the search API's own model, related things nested into one another.

Tolerant where real catalogues are untidy (empty dates, null lists, numbers as identifiers, foreign-key fields
that nobody asked for, dates at the end of time), strict where a record would be useless: without its pid and
title. What a record does not name stays as an earlier one said; so does what a document that is nested in a
dataset leaves empty.
"""

import hashlib
import re
import unicodedata
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from panosc_common import doi, identity
from panosc_common.licenses import normalised
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, Strict, TypeAdapter
from pydantic.alias_generators import to_camel


def _text(value: object) -> object:
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _storable(value: str) -> str:
    if "\0" in value:
        raise ValueError("holds a NUL character")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise ValueError("holds half of a surrogate pair, which is no character") from error
    return value


def _nothing(value: object) -> object:
    """Empty text as it stands for an absent value."""
    return None if isinstance(value, str) and not value.strip() else value


_LATEST = datetime(2500, 12, 31, 23, 59, 59, tzinfo=UTC)


def _utc(value: datetime) -> datetime | None:
    """In UTC; None after the year 2500: such dates, as 9999-12-31, stand for one that is not known."""
    try:
        found = (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC)
    except OverflowError as error:
        if value.year > _LATEST.year:
            return None
        raise ValueError("lies before the year 1") from error
    return found if found <= _LATEST else None


def _release(value: datetime) -> datetime:
    """In UTC; the end of the year 2500 for what is later: such dates stand for never, and open nothing."""
    return _utc(value) or _LATEST


def _truth(value: object) -> object:
    return str(value).lower() if isinstance(value, bool) else value


def _list(value: object) -> object:
    return [] if value is None else value


Text = Annotated[str, BeforeValidator(_text, json_schema_input_type=str | float), AfterValidator(_storable)]
# As long as a dataset's pid gets that is made of its path; an index of the database takes little more.
Identifier = Annotated[Text, Field(min_length=1, max_length=2200)]
OptionalText = Annotated[Text | None, BeforeValidator(_nothing, json_schema_input_type=str | float | None)]
# What is no DOI, such as "pending", is taken for none.
Doi = Annotated[OptionalText, AfterValidator(lambda value: doi.bare(value) if value else None)]
License = Annotated[OptionalText, AfterValidator(normalised)]
# What is no address is taken for none, before anything looks at it: what is refused is shown.
Email = Annotated[
    str | None,
    BeforeValidator(lambda value: identity.email(value) if isinstance(value, str) else None),
]
Date = Annotated[
    Annotated[datetime, AfterValidator(_utc)] | None,
    BeforeValidator(_nothing, json_schema_input_type=datetime | Literal[""] | None),
]
Release = Annotated[
    Annotated[datetime, AfterValidator(_release)] | None,
    BeforeValidator(_nothing, json_schema_input_type=datetime | Literal[""] | None),
]
Value = Annotated[
    Annotated[float, Strict(), Field(allow_inf_nan=False)]
    | Annotated[str, Strict(), AfterValidator(_storable)]
    | None,
    BeforeValidator(_truth, json_schema_input_type=float | str | bool | None),
]
End = Annotated[float, Field(allow_inf_nan=False)]
Range = Annotated[tuple[End, End], AfterValidator(lambda ends: (min(ends), max(ends)))]
Size = Annotated[int, Field(ge=0, le=2**63 - 1)]


MAX_MADE_IDENTIFIER = 500
"""Characters of an identifier that is made here of what a source says."""
PUBLICATION = re.compile("publication|article|paper|thesis", re.IGNORECASE)
"""In the type of a document that is a publication; as PostgreSQL understands it, too."""


def made_identifier(text: str) -> str:
    """The text as an identifier; a longer one than MAX_MADE_IDENTIFIER ends in a digest of itself."""
    if len(text) <= MAX_MADE_IDENTIFIER:
        return text
    digest = hashlib.sha256(text.encode()).hexdigest()
    return f"{text[: MAX_MADE_IDENTIFIER - len(digest) - 1]}-{digest}"


def instrument_pid(facility_name: str, name: str) -> str:
    """The pid of an instrument that has none of its own: the same, whichever source names it.

    A name is seen in it whose letters and digits, in Unicode's compatible form, are all a to z and 0 to 9;
    the pid of any other ends in a digest of the name, which tells it from others.
    """
    plain = " ".join(unicodedata.normalize("NFKC", name).casefold().split())
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")
    if slug and not any(map(_is_lost, plain)):
        return made_identifier(f"{facility_name}:{slug}")
    digest = hashlib.sha256(plain.encode()).hexdigest()[:8]
    return made_identifier(f"{facility_name}:{slug or 'instrument'}-{digest}")


def _is_lost(character: str) -> bool:
    """Whether a slug lacks this letter, number or mark, which tells names apart."""
    return not character.isascii() and unicodedata.category(character)[0] in "LMN"


class Record(BaseModel):
    """A record; what it does not know it passes over."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="ignore", use_attribute_docstrings=True
    )


class Person(Record):
    """A person."""

    id: OptionalText = None
    """Identifier in the catalogue that the record is from."""
    full_name: Text
    """Name as it is written in full."""
    orcid: OptionalText = None
    """ORCID iD, as number or as URL."""
    researcher_id: OptionalText = None
    """Another researcher identifier."""
    first_name: OptionalText = None
    """Given name."""
    last_name: OptionalText = None
    """Family name."""


class Affiliation(Record):
    """The institution of a member at the time."""

    id: OptionalText = None
    """Identifier, ROR where there is one."""
    name: OptionalText = None
    """Name."""
    address: OptionalText = None
    """Postal address."""
    city: OptionalText = None
    """City."""
    country: OptionalText = None
    """Country."""


class Member(Record):
    """A person's part in a document."""

    role: OptionalText = None
    """For example `principal investigator`."""
    person: Person | None = None
    """Who."""
    affiliation: Affiliation | None = None
    """From where."""
    email: Email = None
    """E-mail address: whoever logs in with it, verified, is this member of the proposal. Never shown."""


class Parameter(Record):
    """A measured or set quantity."""

    name: Annotated[Text, Field(min_length=1, max_length=500)]
    """Name, for example `sample_temperature`."""
    value: Value | Range = None
    """Number or text, or the lower and upper end of a range."""
    unit: OptionalText = None
    """Unit of a number."""


class Sample(Record):
    """What was measured."""

    pid: Identifier
    """Persistent identifier."""
    name: Text
    """Name."""
    description: OptionalText = None
    """Description."""


class Technique(Record):
    """An experimental technique."""

    pid: Identifier
    """Persistent identifier."""
    name: Text
    """Name."""
    panet_id: OptionalText = None
    """IRI of the term in the PaNET ontology."""


class File(Record):
    """A file of a dataset."""

    name: Text
    """Name."""
    path: OptionalText = None
    """Path; the name where it is absent."""
    size: Size | None = None
    """Bytes."""


class Instrument(Record):
    """A beamline or instrument."""

    pid: Identifier
    """Persistent identifier."""
    name: Text
    """Name."""
    facility: Text
    """Facility that it belongs to."""


class Funding(Record):
    """Who paid for the work, and by which award."""

    funder: Annotated[Text, Field(min_length=1)]
    """Name of the funder."""
    ror: OptionalText = None
    """The funder's ROR, bare or as its address."""
    award_number: OptionalText = None
    """Number that the funder gave the award, for example of a grant agreement."""
    award_title: OptionalText = None
    """Title of the award."""


class DocumentHeader(Record):
    """A document (proposal, session, publication) without its datasets."""

    pid: Identifier
    """Persistent identifier, a DOI where there is one."""
    is_public: bool | None = None
    """Ignored: the metadata of a document are public from the start."""
    type: Annotated[Text, BeforeValidator(lambda value: "unknown" if _nothing(value) is None else value)] = (
        "unknown"
    )
    """For example `proposal` or `publication`."""
    title: Text
    """Title."""
    summary: OptionalText = None
    """Abstract."""
    doi: Doi = None
    """DOI, bare or as its address."""
    start_date: Date = None
    """Start of the experiment; UTC where no zone is given."""
    end_date: Date = None
    """End of the experiment: with the facility's data policy it decides when the datasets become public."""
    release_date: Release = None
    """When the datasets become public, where that is known better than the data policy knows."""
    license: License = None
    """SPDX identifier of the licence."""
    proprietary: bool | None = None
    """Whether the beamtime was paid for: neither it nor its datasets are then shown anywhere."""
    keywords: Annotated[list[Text], BeforeValidator(_list, json_schema_input_type=list[Text] | None)] = []
    """Keywords."""
    funding: Annotated[
        list[Funding], BeforeValidator(_list, json_schema_input_type=list[Funding] | None)
    ] = []
    """Who paid for the work, beside the facility."""
    groups: Annotated[
        list[Identifier], BeforeValidator(_list, json_schema_input_type=list[Identifier] | None)
    ] = []
    """Groups whose people see the datasets before their time, as those of the proposal do. Never shown."""
    members: list[Member] | None = None
    """The people; absent: those known stay."""
    parameters: list[Parameter] | None = None
    """Quantities; absent: those known stay."""


class DatasetRecord(Record):
    """A dataset with what belongs to it."""

    pid: Identifier
    """Persistent identifier."""
    title: Text
    """Title."""
    is_public: bool | None = None
    """True: public now, whatever the data policy says. False is no lock: the dataset becomes public when the
    document's `releaseDate` is there or else the data policy's months since its end have passed; give the
    document a `releaseDate` to keep it closed for longer."""
    creation_date: Date = None
    """When the data were taken; UTC where no zone is given."""
    end_date: Date = None
    """When the measurement ended; counts for the embargo where no document tells the end."""
    size: Size | None = None
    """Bytes; where absent the sum of the files."""
    doi: Doi = None
    """DOI of its own, bare or as its address."""
    license: License = None
    """SPDX identifier of its licence, where it differs from its document's."""
    keywords: list[Text] | None = None
    """Keywords beside those of its document; absent: those known stay."""
    groups: list[Identifier] | None = None
    """Groups whose people see it before its time, beside those of its document; absent: those known stay.
    Never shown."""
    members: list[Member] | None = None
    """The people, shown where its document names none; absent: those known stay."""
    instrument: Instrument | None = None
    """Where it was measured; absent: the one known stays."""
    documents: list[DocumentHeader] | None = None
    """Documents that it belongs to; the first decides its embargo, unless another did so before."""
    techniques: list[Technique] | None = None
    """Techniques; absent: those known stay."""
    samples: list[Sample] | None = None
    """Samples; absent: those known stay."""
    parameters: list[Parameter] | None = None
    """Quantities; absent: those known stay."""
    files: list[File] | None = None
    """Files; absent: those known stay. Files that a later record lacks are hidden, not removed."""


class DocumentRecord(DocumentHeader):
    """A document with its datasets."""

    datasets: list[DatasetRecord] | None = None
    """Datasets that belong to it; they are added to those known."""


class DocumentLine(DocumentRecord):
    """A Document in a file to load."""

    kind: Literal["Document"]
    """What the line describes."""


class DatasetLine(DatasetRecord):
    """A Dataset in a file to load."""

    kind: Literal["Dataset"]
    """What the line describes."""


class InstrumentLine(Instrument):
    """An Instrument in a file to load."""

    kind: Literal["Instrument"]
    """What the line describes."""


Line = DocumentLine | DatasetLine | InstrumentLine
LINE: TypeAdapter[Line] = TypeAdapter(Annotated[Line, Field(discriminator="kind")])


def schema() -> dict[str, Any]:
    """JSON Schema of one line of a file to load."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A line of a file that `panosc-catalogue load` takes",
        **LINE.json_schema(by_alias=True),
    }
