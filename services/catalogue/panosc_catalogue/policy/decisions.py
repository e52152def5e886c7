"""What the facility's staff may decide, and whether the data policy allows it. No I/O."""

from datetime import datetime
from typing import Annotated, Literal

from panosc_common.licenses import known
from panosc_common.model import Document
from panosc_common.policy import DataPolicy, latest_extension
from pydantic import AwareDatetime, Field, StringConstraints, TypeAdapter, model_validator

from panosc_catalogue.policy.subject import Subject, iso

Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Pid = Annotated[str, StringConstraints(min_length=1, max_length=2200)]
Kind = Literal["document", "dataset"]
Aspect = Literal["extension", "release", "proprietary", "license"]
Value = str | bool | None


class Refused(Exception):
    """The decision is not allowed; names the field, its value and the remedy.

    `is_conflict`: by what holds now, rather than by the decision itself.
    """

    def __init__(
        self, field: str, value: object, why: str, remedy: str, *, is_conflict: bool = False
    ) -> None:
        super().__init__(f"{field}: {why}: {remedy}")
        self.field = field
        self.value = value
        self.remedy = remedy
        self.is_conflict = is_conflict


class Decision(Document):
    """On whose word something is decided, and why; the log keeps it for ever."""

    requested_by: Words
    """Who asked for it."""
    granted_by: Words
    """Who of the staff granted it."""
    reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000)]
    """Why."""


class OfDocument(Decision):
    """A decision about a proposal."""

    document: Pid
    """Pid of the proposal."""

    @property
    def subject(self) -> tuple[Kind, str]:
        """Kind and pid of what is decided about."""
        return "document", self.document


class OfEither(Decision):
    """A decision about a proposal with all its datasets, or about one dataset."""

    document: Pid | None = None
    """Pid of the proposal; exactly one of `document` and `dataset`."""
    dataset: Pid | None = None
    """Pid of the dataset; exactly one of `document` and `dataset`."""

    @property
    def subject(self) -> tuple[Kind, str]:
        """Kind and pid of what is decided about."""
        return ("document", self.document) if self.document else ("dataset", self.dataset or "")

    @model_validator(mode="after")
    def _is_one(self) -> "OfEither":
        if (self.document is None) == (self.dataset is None):
            raise ValueError("give exactly one of document and dataset")
        return self


class ExtendEmbargo(OfDocument):
    """The embargo of a proposal ends later."""

    action: Literal["extendEmbargo"]
    """What is decided."""
    until: AwareDatetime
    """When it is to end, with its time zone."""

    def outcome(self, subject: Subject, policy: DataPolicy) -> tuple[Aspect, Value]:
        """What is to hold; raises Refused."""
        if self.until == subject.extended_until:
            return "extension", iso(self.until)
        if subject.regular is None:
            raise Refused(
                "document",
                self.document,
                "no end of its experiment is known, so it has no embargo yet",
                "let its source name the end, or load it with an endDate",
                is_conflict=True,
            )
        if subject.first_release is not None and subject.first_release <= subject.now:
            raise Refused(
                "document",
                self.document,
                f"its data, or the first of them, are public since {iso(subject.first_release)}",
                "what is public stays so; where a release was a mistake, revoke that first",
                is_conflict=True,
            )
        latest = latest_extension(subject.regular, policy)
        if not subject.regular < self.until <= latest:
            months = policy.embargo.max_extension_months
            raise Refused(
                "until",
                iso(self.until),
                f"the embargo ends at {iso(subject.regular)} and may be extended by {months} months",
                f"give an instant after that and not after {iso(latest)}",
            )
        return "extension", iso(self.until)


class RevokeExtension(OfDocument):
    """The embargo of a proposal ends as the policy says."""

    action: Literal["revokeExtension"]
    """What is decided."""

    def outcome(self, subject: Subject, policy: DataPolicy) -> tuple[Aspect, Value]:
        """What is to hold."""
        return "extension", None


class Release(OfEither):
    """Data become public before their embargo ends."""

    action: Literal["release"]
    """What is decided."""
    at: AwareDatetime | None = None
    """From when on, with its time zone; absent: at once."""

    def outcome(self, subject: Subject, policy: DataPolicy) -> tuple[Aspect, Value]:
        """What is to hold; raises Refused."""
        held = subject.released_at
        if (self.at is None and subject.is_public) or (self.at is not None and self.at == held):
            return "release", iso(held)
        if self.at is not None and self.at < subject.now:
            raise Refused(
                "at",
                iso(self.at),
                "that is in the past",
                "leave it out to release at once, or give a later one",
            )
        if subject.kind == "dataset" and subject.opened_by_source:
            raise Refused(
                "dataset",
                subject.pid,
                "it is public, as its source has opened it",
                "nothing is to be decided",
                is_conflict=True,
            )
        # A release may be put off again, but not beyond what would hold without it.
        otherwise = subject.release_without_own
        if self.at is not None and otherwise is not None and self.at >= otherwise:
            raise Refused(
                "at",
                iso(self.at),
                f"the data are public from {iso(otherwise)} on anyway",
                "give an earlier instant, or extend the embargo",
            )
        return "release", iso(self.at or subject.now)


class RevokeRelease(OfEither):
    """Data are public as the policy says, and until then not any more."""

    action: Literal["revokeRelease"]
    """What is decided."""

    def outcome(self, subject: Subject, policy: DataPolicy) -> tuple[Aspect, Value]:
        """What is to hold."""
        return "release", None


class SetProprietary(OfDocument):
    """A proposal is, or is not, of beamtime that was paid for."""

    action: Literal["setProprietary"]
    """What is decided."""
    proprietary: bool | None
    """True: it and its datasets are never public; null: as its source says."""

    def outcome(self, subject: Subject, policy: DataPolicy) -> tuple[Aspect, Value]:
        """What is to hold."""
        return "proprietary", self.proprietary


class SetLicense(OfEither):
    """Data are under another licence than the source and the policy say."""

    action: Literal["setLicense"]
    """What is decided."""
    license: Annotated[str, StringConstraints(max_length=500)] | None
    """SPDX identifier, or what is understood as one; null: as the source and the policy say."""

    def outcome(self, subject: Subject, policy: DataPolicy) -> tuple[Aspect, Value]:
        """What is to hold; raises Refused."""
        if self.license is None:
            return "license", None
        license = known(self.license)
        if license is None:
            raise Refused(
                "license",
                self.license,
                "it is no licence of the SPDX list",
                "give an identifier of https://spdx.org/licenses/, such as CC-BY-4.0",
            )
        return "license", license.id


AnyDecision = ExtendEmbargo | RevokeExtension | Release | RevokeRelease | SetProprietary | SetLicense
DECISION: TypeAdapter[AnyDecision] = TypeAdapter(Annotated[AnyDecision, Field(discriminator="action")])


def held(subject: Subject, aspect: Aspect) -> Value:
    """What the staff's last decision about an aspect says; null: nothing."""
    instants: dict[Aspect, datetime | None] = {
        "extension": subject.extended_until,
        "release": subject.released_at,
    }
    if aspect in instants:
        return iso(instants[aspect])
    return subject.proprietary_decided if aspect == "proprietary" else subject.license_decided
