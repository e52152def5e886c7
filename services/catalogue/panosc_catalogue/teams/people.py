"""The people of a team as they are named from outside. No I/O."""

from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Annotated

from panosc_common import identity
from panosc_common.model import Document
from pydantic import (
    AfterValidator,
    AwareDatetime,
    ConfigDict,
    Field,
    Strict,
    StringConstraints,
    model_validator,
)

MAX_MEMBERS = 500
"""People whom the user office names for one proposal at most."""
MAX_INVITED = 50
"""People who are invited to one proposal at a time at most."""
MAX_PROPOSAL = 300
_ONE_LINE = r"^[^\u0000-\u001f\u007f]+$"


def _is_no_address_of_people(proposal: str) -> str:
    """Below `/members` of its address a team has its people: a proposal called so could not be told apart."""
    if "/members/" in f"{proposal}/":
        raise ValueError("it has /members in it")
    return proposal


Proposal = Annotated[
    str,
    StringConstraints(pattern=r"^[!-~]+( [!-~]+)*$", min_length=1, max_length=MAX_PROPOSAL),
    AfterValidator(_is_no_address_of_people),
]


class TeamRole(StrEnum):
    """What somebody is in a team on the word of the user office."""

    PRINCIPAL_INVESTIGATOR = "principal investigator"
    CO_INVESTIGATOR = "co-investigator"
    LOCAL_CONTACT = "local contact"


INVITED = "invited"
"""What everybody else in a team is."""
REMEDIES = {
    "proposal": f"give its number or pid, ASCII on one line, {MAX_PROPOSAL} characters at most, without "
    "/members as a part",
    "role": f"give one of {', '.join(TeamRole)}",
    "name": "give it on one line, 200 characters at most, or leave it out",
    "orcid": "give an ORCID iD such as 0000-0002-1825-0097, whose last character is a check digit",
    "identifier": "give what the login's tokens have as sub, 255 characters of ASCII at most, without spaces",
    "email": "give one address of ASCII alone, or name who has another by ORCID iD or identifier",
    "until": "give an instant to come with its time zone, such as 2027-01-31T00:00:00Z, or leave it out",
    "members": f"give a list of {MAX_MEMBERS} at most",
}
"""What to do about a wrong value, by field."""


def _known(kind: str) -> AfterValidator:
    def known(value: str) -> str:
        found = identity.KINDS[kind](value)
        if found is None:
            raise ValueError("it is none")
        return found

    return AfterValidator(known)


_TO_SAY_WHO = [{"required": [kind], "properties": {kind: {"type": "string"}}} for kind in identity.KINDS]


class Person(Document):
    """Somebody, by one or more of what they are known by; who logs in with any of it is meant."""

    model_config = ConfigDict(json_schema_extra={"anyOf": _TO_SAY_WHO})  # type: ignore[dict-item]

    orcid: Annotated[str, Field(max_length=64), _known("orcid")] | None = None
    """ORCID iD, bare or as its address; its check digit has to be right."""
    identifier: Annotated[str, Field(max_length=identity.MAX_IDENTIFIER), _known("identifier")] | None = None
    """What the login calls them, letter by letter: `sub`, which is `voperson_id` in a Federation."""
    email: Annotated[str, Field(max_length=identity.MAX_EMAIL), _known("email")] | None = None
    """E-mail address; counts for whom the login says that it verified it. Its case means nothing."""
    name: Annotated[str, StringConstraints(pattern=_ONE_LINE, max_length=200)] | None = None
    """What they are called, for the team to read."""

    @property
    def identities(self) -> list[str]:
        """By what they are known, sorted."""
        return sorted(f"{kind}:{value}" for kind in identity.KINDS if (value := getattr(self, kind)))

    @model_validator(mode="after")
    def _is_somebody(self) -> "Person":
        if not self.identities:
            raise ValueError(f"say who it is: give one of {', '.join(identity.KINDS)}")
        return self


class Named(Person):
    """Somebody whom the user office names."""

    role: TeamRole
    """What they are in the team."""


class Team(Document):
    """All whom the user office names for a proposal."""

    members: Annotated[list[Named], Field(max_length=MAX_MEMBERS)]
    """Everybody once; who is not among them is no longer in the team."""


class Invitation(Person):
    """Somebody whom a principal investigator invites."""

    until: Annotated[AwareDatetime, Strict()] | None = None
    """When it ends, with its time zone; absent: with the team."""


def team_of(facility: str, proposal: str) -> str:
    """The one name of a proposal's team: its pid without the facility's name at its begin, however given."""
    while proposal.startswith(f"{facility}:") and len(proposal) > len(facility) + 1:
        proposal = proposal.removeprefix(f"{facility}:")
    return proposal


def named_twice(people: Iterable[Person]) -> Iterator[tuple[int, int, str]]:
    """Who is named again: where, where before, and by which identity."""
    seen: dict[str, int] = {}
    for position, person in enumerate(people):
        for one in person.identities:
            if one in seen:
                yield position, seen[one], one
            seen.setdefault(one, position)
