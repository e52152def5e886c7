"""Teams in the database: who is in them, who may say so, and what changes them.

Whoever changes a team holds its row, in the order of names where there are several: two pushes at once are
one after the other, and an invitation is before a push or after it.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import orjson
from panosc_common import identity

from panosc_catalogue.query.model import CLOCK
from panosc_catalogue.query.settled import Viewer
from panosc_catalogue.records import PUBLICATION
from panosc_catalogue.teams.people import INVITED, MAX_INVITED, Invitation, Named, TeamRole

Rows = Callable[[str, dict[str, Any]], Awaitable[list[tuple[Any, ...]]]]
"""Gives the rows of a statement; `clock` in its parameters is None for the database's now."""

_HOLDS = f"""(
    (m.until > {CLOCK}) IS NOT FALSE
    AND (m.role <> '{INVITED}' OR leads_team(%(facility)s, m.proposal, m.invited_by, %(publication)s))
)"""
_STANDING = f"""
SELECT (SELECT pid FROM document WHERE id = team_document(%(facility)s, %(team)s)),
    team_document(%(facility)s, %(team)s) = ANY(%(documents)s::bigint[])
    OR %(team)s IN (
        SELECT proposal FROM teams_of(%(facility)s, %(identities)s::text[], %(publication)s, {CLOCK})
    ),
    leads_team(%(facility)s, %(team)s, %(identities)s::text[], %(publication)s)
"""  # noqa: S608 -- our own expressions, here and below
_MEMBERS = f"""
SELECT m.id, m.role, m.name, m.identities, m.invited_at, m.until FROM team_member m
WHERE m.proposal = %(team)s AND {_HOLDS}
ORDER BY array_position(%(roles)s::text[], m.role), m.id
"""  # noqa: S608
_LOCK = """
INSERT INTO team (proposal) SELECT one FROM unnest(%(teams)s::text[]) one ORDER BY one COLLATE "C"
ON CONFLICT (proposal) DO UPDATE SET proposal = excluded.proposal RETURNING proposal
"""
_PRESENT = """
SELECT id, proposal, role, name, identities FROM team_member
WHERE proposal = ANY(%(teams)s::text[]) ORDER BY id
"""
_JOIN = """
INSERT INTO team_member (proposal, role, name, identities)
SELECT proposal, role, name, identities
FROM jsonb_to_recordset(%(rows)s::jsonb) AS r(proposal text, role text, name text, identities text[])
RETURNING id
"""
_LEAVE = "DELETE FROM team_member WHERE id = ANY(%(ids)s::bigint[]) RETURNING id"
# Else they would wake unseen once whoever gave them leads again.
_LAPSE = f"""
DELETE FROM team_member m WHERE m.proposal = ANY(%(teams)s::text[]) AND m.role = '{INVITED}' AND NOT {_HOLDS}
RETURNING proposal, role, identities
"""  # noqa: S608
# With them goes who was invited by the same identity before, and whose time is over.
_UNINVITE = f"""
DELETE FROM team_member m WHERE m.proposal = %(team)s AND m.role = '{INVITED}'
AND (m.identities && %(those)s::text[] OR NOT {_HOLDS}) RETURNING role, identities
"""  # noqa: S608
# Who is invited by two stays while one of them leads.
_JOIN_IN = """
UPDATE team_member SET invited_by = ARRAY(SELECT DISTINCT unnest(invited_by || %(identities)s::text[]))
WHERE id = %(id)s AND NOT invited_by @> %(identities)s::text[] RETURNING id
"""
_INVITE = f"""
INSERT INTO team_member (proposal, role, name, identities, invited_by, invited_at, until)
VALUES (%(team)s, '{INVITED}', %(name)s, %(those)s::text[], %(identities)s::text[], {CLOCK}, %(until)s)
RETURNING id
"""  # noqa: S608


@dataclass(frozen=True)
class Member:
    """Somebody in a team."""

    id: int
    role: str
    name: str | None
    identities: list[str]
    invited_at: datetime | None
    until: datetime | None

    @property
    def is_invited(self) -> bool:
        """Whether they are in it on the word of a principal investigator."""
        return self.role == INVITED

    @property
    def known_by(self) -> dict[str, str]:
        """By what they are known, by its kind."""
        return dict(one.split(":", 1) for one in self.identities)

    def for_log(self) -> dict[str, Any]:
        """Who it is, as the audit log has it."""
        return _for_log(self.role, self.identities)

    def for_the_rest(self) -> "Member":
        """What others of the team read: a name, or where there is none one identity, an ORCID iD first."""
        known = [f"{kind}:{self.known_by[kind]}" for kind in identity.KINDS if kind in self.known_by]
        shown = [] if self.name else known[:1]
        return replace(self, identities=shown, invited_at=None, until=None)


@dataclass(frozen=True)
class Roster:
    """A team as somebody sees it who may."""

    proposal: str
    document: str | None
    """Pid of its proposal, which may be still to come."""
    members: list[Member]
    leads: bool
    """Whether they are a principal investigator of it."""


@dataclass(frozen=True)
class Change:
    """Who joined and left a team, as the audit log has them."""

    added: list[dict[str, Any]] = field(default_factory=list)
    removed: list[dict[str, Any]] = field(default_factory=list)


class Refused(Exception):
    """What is asked is not possible as the team is; the message says why and what to do."""


@dataclass(frozen=True)
class Book:
    """The teams of a facility, as whoever asks meets them."""

    rows: Rows
    facility: str
    viewer: Viewer
    clock: datetime | None

    async def roster(self, team: str) -> Roster | None:
        """A team, which may have nobody yet; None for whom it does not concern."""
        parameters = self._with(team=team)
        ((document, belongs, leads),) = await self.rows(_STANDING, parameters)
        if not (belongs or leads or self.viewer.everything or self.viewer.grants.user_office):
            return None
        members = [Member(*row) for row in await self.rows(_MEMBERS, parameters)]
        if not (leads or self.viewer.everything or self.viewer.grants.user_office):
            members = [one.for_the_rest() for one in members]
        return Roster(team, document, members, leads)

    async def lock(self, teams: Iterable[str]) -> None:
        """Keep others from changing these teams until the transaction ends."""
        await self.rows(_LOCK, {"teams": list(teams)})

    async def push(self, teams: Mapping[str, list[Named]]) -> dict[str, Change]:
        """Make the teams, which are locked, as the user office says; what changed, by team."""
        present = await self.rows(_PRESENT, {"teams": list(teams)})
        ids, rows, changes = _planned(teams, present)
        if ids:
            await self.rows(_LEAVE, {"ids": ids})
        if rows:
            await self.rows(_JOIN, {"rows": orjson.dumps(rows).decode()})
        for team, role, identities in await self.rows(_LAPSE, self._with(teams=list(teams))):
            changes.setdefault(team, Change()).removed.append(_for_log(role, identities))
        return changes

    async def invite(self, roster: Roster, invitation: Invitation) -> Change | None:
        """Invite somebody to a team, which is locked; None if that changes nothing. Raises Refused."""
        those = set(invitation.identities)
        if any(not one.is_invited and those & set(one.identities) for one in roster.members):
            raise Refused("they are in the team already, as the user office says: nothing is to be done")
        invited = [one for one in roster.members if one.is_invited]
        told = (invitation.identities, invitation.name, invitation.until)
        added = [_for_log(INVITED, invitation.identities)]
        for one in invited:
            if (one.identities, one.name, one.until) == told:
                is_new = await self.rows(_JOIN_IN, self._with(id=one.id))
                return Change(added) if is_new else None
        others = [one for one in invited if not those & set(one.identities)]
        if len(others) >= MAX_INVITED:
            raise Refused(f"{MAX_INVITED} people are invited already: remove one who needs it no longer")
        parameters = self._with(
            team=roster.proposal, those=invitation.identities, name=invitation.name, until=invitation.until
        )
        removed = [_for_log(*row) for row in await self.rows(_UNINVITE, parameters)]
        await self.rows(_INVITE, parameters)
        return Change(added, removed)

    async def remove(self, member: Member) -> None:
        """Take somebody out of a team, which is locked."""
        await self.rows(_LEAVE, {"ids": [member.id]})

    def _with(self, **values: Any) -> dict[str, Any]:
        return {
            "facility": self.facility,
            "identities": sorted(self.viewer.grants.identities),
            "documents": list(self.viewer.documents),
            "publication": PUBLICATION.pattern,
            "roles": [*TeamRole, INVITED],
            "clock": self.clock,
            **values,
        }


def _planned(
    teams: Mapping[str, list[Named]], present: Iterable[tuple[Any, ...]]
) -> tuple[list[int], list[dict[str, Any]], dict[str, Change]]:
    """Which rows go, which come, and what that changes.

    Compared here: PostgreSQL cannot know how many the given rows are, and may compare each with each.

    Who is named needs no invitation any more, and is out with the user office's next word.
    """
    named = {team: {one for person in people for one in person.identities} for team, people in teams.items()}
    wanted = {
        (team, str(one.role), one.name, tuple(one.identities)): None
        for team, people in teams.items()
        for one in people
    }
    ids: list[int] = []
    changes: dict[str, Change] = {}
    for row, team, role, name, identities in present:
        key = (team, role, name, tuple(identities))
        if role == INVITED and not named[team] & set(identities):
            continue
        if key in wanted:
            del wanted[key]
            continue
        ids.append(row)
        changes.setdefault(team, Change()).removed.append(_for_log(role, identities))
    rows = []
    for team, role, name, known_by in wanted:
        rows.append({"proposal": team, "role": role, "name": name, "identities": known_by})
        changes.setdefault(team, Change()).added.append(_for_log(role, known_by))
    return ids, rows, changes


def _for_log(role: str, identities: Iterable[str]) -> dict[str, Any]:
    return {"role": role, "identities": [identity.for_log(one) for one in identities]}
