"""Who is in the team of a proposal: `/teams`, for the user office, principal investigators and the team.

What is changed here holds from the next request on, since who asks is looked up at each. Every change is in
the audit log before it is made. Who may not see a team is answered as if there was none.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from urllib.parse import parse_qs

from panosc_common import audit, identity, origin
from panosc_common.access import Scope
from panosc_common.problem import Problem
from panosc_common.server import OrjsonResponse
from pydantic import BaseModel, TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from panosc_catalogue.policy.subject import iso
from panosc_catalogue.site import Site
from panosc_catalogue.teams import sheet
from panosc_catalogue.teams.book import Book, Change, Member, Refused, Roster
from panosc_catalogue.teams.people import (
    REMEDIES,
    Invitation,
    Proposal,
    Team,
    named_twice,
    team_of,
)
from panosc_catalogue.web.body import body_of, first_error

MAX_TEAM_BYTES = 512 * 1024
MAX_SHEET_BYTES = 4 * 1024 * 1024
MAX_INVITATION_BYTES = 8 * 1024
MAX_TOLD = 100
"""Proposals that the record of a file names; of more it has the number."""
JSON, CSV, FORM = "application/json", "text/csv", "application/x-www-form-urlencoded"
LOCK_SECONDS = 3
"""Time after which a change is given up that another one of the same team keeps waiting."""
_PROPOSAL: TypeAdapter[str] = TypeAdapter(Proposal)
PROPOSAL_SCHEMA = _PROPOSAL.json_schema()
_ANYTHING_ELSE = "docs/how-to/user-office.md shows each request with its fields"
_M = TypeVar("_M", bound=BaseModel)


def routes(site: Site) -> list[BaseRoute]:
    """What may be asked and changed about teams."""
    teams = _Teams(site)
    one = "/teams/{proposal:path}"
    return [
        Route("/teams", teams.push_sheet, methods=["POST"]),
        Route(f"{one}/members", teams.back),
        Route(f"{one}/members", teams.invite, methods=["POST"]),
        Route(f"{one}/members/{{member}}", teams.remove, methods=["DELETE"]),
        Route(one, teams.show),
        Route(one, teams.push, methods=["PUT"]),
    ]


@dataclass(frozen=True)
class _Asked:
    """A request by somebody who is known."""

    site: Site
    request: Request
    subject: str

    @property
    def team(self) -> str:
        """The team that it is about. Raises Problem (422) for what is no proposal."""
        given = self.request.path_params["proposal"]
        try:
            return team_of(self.site.config.facility.name, _PROPOSAL.validate_python(given))
        except ValidationError as error:
            raise _wrong("proposal", given, "it is none") from error

    def book(self) -> Book:
        """The teams, to read."""
        return self.site.book(self.site.rows)

    @asynccontextmanager
    async def writing(self, *teams: str) -> AsyncIterator[Book]:
        """The same, to change these; nothing is if the block raises.

        For who may change them, since it waits for whoever else does. Raises Problem (503) if that is long.
        """
        async with self.site.database.writing() as connection:

            async def rows(sql: str, parameters: dict[str, Any]) -> list[tuple[Any, ...]]:
                return await (await connection.execute(sql, parameters)).fetchall()

            await connection.execute(f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'")
            book = self.site.book(rows)
            await book.lock(teams)
            yield book

    def for_user_office(self) -> None:
        """Raise Problem (403) unless the user office asks, or an administrator."""
        grants = self.site.viewer.grants
        if not (grants.user_office or grants.admin):
            facility = self.site.config.facility.name
            raise Problem(
                403,
                "this is for the user office: let an administrator put the account into the group "
                f"/{facility}/role=user-office",
            )

    async def roster(self, book: Book) -> Roster:
        """The team; raises Problem (404) for whom it does not concern, as if there was none."""
        roster = await book.roster(self.team)
        if roster is None:
            raise Problem(404, "there is no such team, or it is not yours to see")
        return roster

    async def led(self, book: Book) -> Roster:
        """The team of who may invite to it; raises Problem for others."""
        roster = await self.roster(book)
        if not roster.leads:
            raise Problem(403, "its principal investigators invite to a team: ask one of them")
        return roster

    async def invited(self, book: Book, given: str) -> Member:
        """Who has this id, for who may remove them; raises Problem for others."""
        roster = await self.roster(book)
        grants = self.site.viewer.grants
        present = {str(one.id): one for one in roster.members}
        if given not in present:
            raise Problem(404, "nobody in the team has this id: GET /teams/<proposal> shows who has which")
        member = present[given]
        if not member.is_invited:
            contact = self.site.config.facility.contact_email
            whom = f"the user office ({contact})" if contact else "the user office"
            raise Problem(
                409, f"{whom} named them, and decides: ask it for a new list of the team without them"
            )
        if not (roster.leads or grants.admin or grants.user_office):
            raise Problem(403, "its principal investigators remove who was invited: ask one of them")
        return member

    async def state(self, book: Book) -> dict[str, Any]:
        """The team as it is shown; raises Problem as `roster`."""
        roster = await self.roster(book)
        config = self.site.config
        return {
            "proposal": roster.proposal,
            "document": roster.document,
            "link": config.landing_url("documents", roster.document) if roster.document else None,
            "members": [_member(one) for one in roster.members],
        }

    async def told(self, action: str, *what: dict[str, Any]) -> None:
        """Write down what is about to be changed, a line each."""
        await audit.change(self.request, self.subject, *({"action": action, **one} for one in what))


class _Teams:
    def __init__(self, site: Site) -> None:
        self._site = site

    async def show(self, request: Request) -> Response:
        """`GET /teams/{proposal}`: who is in the team."""
        asked = await self._asked(request)
        return OrjsonResponse(await asked.state(asked.book()))

    async def push(self, request: Request) -> Response:
        """`PUT /teams/{proposal}`: the whole team; the same again changes nothing."""
        asked = await self._asked(request)
        asked.for_user_office()
        _of_type(request, JSON)
        team = asked.team
        said = _parsed(Team, await body_of(request, MAX_TEAM_BYTES, "a team", "leave people out"))
        for position, before, who in named_twice(said.members):
            kind, _, value = who.partition(":")
            why, remedy = f"member {before} is the same", "name everybody once"
            raise _wrong(f"members.{position}.{kind}", value, why, remedy)
        async with asked.writing(team) as book:
            changes = await book.push({team: said.members})
            await asked.told("push", {"proposal": team, **asdict(changes.get(team, Change()))})
            state = await asked.state(book)
        return OrjsonResponse({"changed": bool(changes), "team": state})

    async def push_sheet(self, request: Request) -> Response:
        """`POST /teams`: the whole teams of all proposals that a CSV file names."""
        asked = await self._asked(request)
        asked.for_user_office()
        _of_type(request, CSV)
        content = await body_of(request, MAX_SHEET_BYTES, "a file", "send it in parts, each proposal in one")
        try:
            # In a thread: a large file takes a second.
            teams = await asyncio.to_thread(sheet.read, content, self._site.config.facility.name)
        except sheet.Flawed as error:
            detail = f"nothing of the file is taken: {error.flaws[0]}"
            raise Problem(422, detail, flaws=[flaw.document() for flaw in error.flaws]) from error
        async with asked.writing(*teams) as book:
            changes = await book.push(teams)
            whole = {"proposals": sorted(teams)[:MAX_TOLD], "proposalCount": len(teams)}
            each = ({"proposal": team, **asdict(changes[team])} for team in sorted(changes))
            await asked.told("push", whole, *each)
        return OrjsonResponse({"proposals": len(teams), "changed": sorted(changes)})

    async def back(self, request: Request) -> Response:
        """`GET /teams/{proposal}/members`: to the proposal's page.

        Whose session has ended when they send the page's form comes here once they have logged in again.
        """
        asked = await self._asked(request)
        state = await asked.state(asked.book())
        if state["link"] is None:
            raise Problem(404, "its proposal is still to come, and has no page yet")
        return RedirectResponse(f"{state['link']}#team", 303)

    async def invite(self, request: Request) -> Response:
        """`POST /teams/{proposal}/members`: invite somebody; with the page's form also remove."""
        asked = await self._asked(request)
        kind = _of_type(request, JSON, FORM)
        content = await body_of(request, MAX_INVITATION_BYTES, "an invitation", "shorten the name")
        if kind == JSON:
            changed, state = await self._invited(asked, _parsed(Invitation, content))
            return OrjsonResponse({"changed": changed, "team": state})
        form = _form(content)
        if "remove" in form:
            state = await self._removed(asked, form["remove"])
        else:
            _, state = await self._invited(asked, _of_form(form))
        # The landing page, as POST is not to be repeated by loading it again.
        return RedirectResponse(f"{state['link'] or '/'}#team", 303)

    async def remove(self, request: Request) -> Response:
        """`DELETE /teams/{proposal}/members/{member}`: remove somebody who was invited."""
        asked = await self._asked(request)
        return OrjsonResponse(
            {"changed": True, "team": await self._removed(asked, request.path_params["member"])}
        )

    async def _asked(self, request: Request) -> _Asked:
        """The request by whoever sent it. Raises Problem, also where nobody can be told from anybody else."""
        origin.check(request, self._site.config.public_url)
        if self._site.login is None:
            raise Problem(404, "there are no teams here: the facility's services have no login")
        site = await self._site.asked_by(request, Scope.TEAMS)
        if site.viewer.subject is None:
            raise Problem(
                401,
                "this is for people of the proposal and the facility: log in, or send Authorization: Bearer "
                "<access token>",
                headers={"WWW-Authenticate": "Bearer"},
            )
        return _Asked(site, request, site.viewer.subject)

    async def _invited(self, asked: _Asked, invitation: Invitation) -> tuple[bool, dict[str, Any]]:
        now = self._site.clock() or datetime.now(UTC)
        if invitation.until and invitation.until <= now:
            raise _wrong("until", iso(invitation.until), "that is in the past")
        await asked.led(asked.book())
        async with asked.writing(asked.team) as book:
            roster = await asked.led(book)
            try:
                change = await book.invite(roster, invitation)
            except Refused as error:
                raise Problem(409, str(error)) from error
            if change:
                what = {"proposal": asked.team, "invited": change.added[0]["identities"]}
                what |= {"until": iso(invitation.until), "removed": change.removed}
                await asked.told("invite", what)
            return change is not None, await asked.state(book)

    async def _removed(self, asked: _Asked, given: str) -> dict[str, Any]:
        await asked.invited(asked.book(), given)
        async with asked.writing(asked.team) as book:
            member = await asked.invited(book, given)
            await asked.told("remove", {"proposal": asked.team, "removed": [member.for_log()]})
            await book.remove(member)
            return await asked.state(book)


def _member(member: Member) -> dict[str, Any]:
    return {
        "id": member.id,
        "role": member.role,
        "name": member.name,
        **{kind: member.known_by.get(kind) for kind in identity.KINDS},
        "invitedAt": iso(member.invited_at),
        "until": iso(member.until),
    }


def _of_type(request: Request, *types: str) -> str:
    """The type of what was sent; raises Problem (415) for another one, as any page may send some of them."""
    given = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if given not in types:
        raise Problem(415, f"what is sent must be {' or '.join(types)}: say so as Content-Type")
    return given


def _parsed(model: type[_M], content: bytes) -> _M:
    try:
        return model.model_validate_json(content)
    except ValidationError as error:
        raise _invalid(error) from error


def _form(content: bytes) -> dict[str, str]:
    try:
        fields = parse_qs(content.decode(), max_num_fields=20, errors="strict")
    except ValueError as error:
        raise Problem(422, "the form cannot be read: send it from the proposal's page") from error
    return {name: values[-1].strip() for name, values in fields.items()}


def _of_form(form: dict[str, str]) -> Invitation:
    """The invitation of the page's form, which has one identity and the last day, in UTC."""
    given: dict[str, Any] = {"name": form.get("name"), form.get("kind", "email"): form.get("who")}
    try:
        if day := form.get("until"):
            given["until"] = datetime.fromisoformat(day).replace(tzinfo=UTC) + timedelta(days=1)
        return Invitation.model_validate(given)
    except ValidationError as error:
        raise _invalid(error) from error
    except (ValueError, OverflowError) as error:
        raise _wrong("until", form["until"], "it is no day", "write it as 2027-01-31") from error


def _invalid(error: ValidationError) -> Problem:
    location, value, why = first_error(error)
    field = next((name for name in reversed(location) if isinstance(name, str)), "")
    return _wrong(".".join(map(str, location)), value, why, REMEDIES.get(field, _ANYTHING_ELSE))


def _wrong(field: str, value: object, why: str, remedy: str | None = None) -> Problem:
    told = remedy or REMEDIES[field]
    detail = ": ".join(filter(None, (field, why, told)))
    return Problem(422, detail, field=field, value=value, remedy=told)
