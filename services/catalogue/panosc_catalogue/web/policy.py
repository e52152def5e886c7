"""The interface of the facility's administrators to the data policy: `/policy`.

Decisions hold from the next request on: search, counts, files and archives all ask the same rule.
"""

from pathlib import Path
from typing import Any, get_args

import psycopg
from panosc_common import origin
from panosc_common.problem import Problem
from panosc_common.server import OrjsonResponse
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from panosc_catalogue.paging import page_limit
from panosc_catalogue.policy import ledger
from panosc_catalogue.policy.decisions import DECISION, AnyDecision, Refused
from panosc_catalogue.policy.report import report
from panosc_catalogue.policy.subject import SELECT, of_row
from panosc_catalogue.site import Site
from panosc_catalogue.web import administrator
from panosc_catalogue.web.body import body_of, first_error

MAX_BODY_BYTES = 64 * 1024
MAX_ENTRIES = 1000
_ACTIONS = [get_args(model.model_fields["action"].annotation)[0] for model in get_args(AnyDecision)]
_REMEDY = "docs/how-to/policy.md shows each decision with its fields"


def routes(site: Site, token_file: Path) -> list[BaseRoute]:
    """What the facility's staff may ask and decide."""
    answers = _Answers(site, token_file)
    return [
        Route("/policy", answers.policy),
        Route("/policy/decisions", answers.decide, methods=["POST"]),
        Route("/policy/log", answers.log),
        Route("/policy/documents/{pid:path}", answers.document),
        Route("/policy/datasets/{pid:path}", answers.dataset),
    ]


class _Answers:
    def __init__(self, site: Site, token_file: Path) -> None:
        self._site = site
        self._token_file = token_file

    async def policy(self, request: Request) -> Response:
        """`GET /policy`: the facility's data policy that is in force."""
        await self._administrator(request)
        return OrjsonResponse(self._site.policy.current().model_dump(mode="json", by_alias=True))

    async def document(self, request: Request) -> Response:
        """`GET /policy/documents/{pid}`: what holds of a proposal, and on whose word."""
        await self._administrator(request)
        return OrjsonResponse(await self._state("document", request.path_params["pid"]))

    async def dataset(self, request: Request) -> Response:
        """`GET /policy/datasets/{pid}`: what holds of a dataset, and on whose word."""
        await self._administrator(request)
        return OrjsonResponse(await self._state("dataset", request.path_params["pid"]))

    async def log(self, request: Request) -> Response:
        """`GET /policy/log?pid=&after=&limit=`: all that was ever decided, oldest first."""
        await self._administrator(request)
        query = request.query_params
        limit = page_limit(query, default=100, maximum=MAX_ENTRIES)
        after = query.get("after", "0")
        if not (after.isascii() and after.isdecimal() and len(after) <= 18):
            raise _wrong("after", after, "it is no id of an entry", "give the value of next of the last page")
        parameters = {"after": int(after), "pid": query.get("pid"), "limit": limit + 1}
        rows = await self._site.rows(ledger.LOG, parameters)
        page = [ledger.Entry(*row) for row in rows[:limit]]
        following = page[-1].id if len(rows) > len(page) else None
        return OrjsonResponse({"entries": [entry.document() for entry in page], "next": following})

    async def decide(self, request: Request) -> Response:
        """`POST /policy/decisions`: let a decision hold; the same again changes nothing."""
        decided_by = await self._administrator(request)
        decision = _decision(await body_of(request, MAX_BODY_BYTES, "a decision", "shorten the reason"))
        policy = self._site.policy.current()
        parameters = {"embargo_months": policy.embargo.months, "clock": self._site.clock()}
        kind, pid = decision.subject
        try:
            async with self._site.database.writing() as connection:
                changed = await ledger.decide(connection, decision, decided_by, policy, parameters)
        except ledger.NotThere as error:
            raise _unknown(kind, pid) from error
        except Refused as error:
            status = 409 if error.is_conflict else 422
            raise Problem(
                status, str(error), field=error.field, value=error.value, remedy=error.remedy
            ) from error
        except psycopg.DataError as error:
            raise Problem(422, f"PostgreSQL refuses a value: {error.diag.message_primary}") from error
        return OrjsonResponse({"changed": changed, "state": await self._state(kind, pid)})

    async def _administrator(self, request: Request) -> str:
        origin.check(request, self._site.config.public_url)
        return await administrator.identified(request, self._site, self._token_file)

    async def _state(self, kind: str, pid: str) -> dict[str, Any]:
        rows = await self._site.rows(SELECT[kind], {"pid": pid})
        if not rows:
            raise _unknown(kind, pid)
        latest = await self._site.rows(ledger.LATEST, {"kind": kind, "pid": pid})
        return report(of_row(rows[0], self._site.policy.current()), (ledger.Entry(*row) for row in latest))


def _decision(body: bytes) -> AnyDecision:
    if b"\\u0000" in body or b"\0" in body:
        raise Problem(422, "a NUL character is in no pid, name or reason: leave it out")
    try:
        return DECISION.validate_json(body)
    except ValidationError as error:
        location, value, why = first_error(error)
        # The first part of the place of an error within a decision is its action.
        place = ".".join(str(part) for part in location[1:] or location) or "action"
        remedy = _REMEDY if location else f"give an action, one of {', '.join(_ACTIONS)}"
        raise Problem(422, f"{place}: {why}: {remedy}", field=place, value=value, remedy=remedy) from error


def _wrong(field: str, value: str, why: str, remedy: str) -> Problem:
    return Problem(400, f"{field}: {why}: {remedy}", field=field, value=value, remedy=remedy)


def _unknown(kind: str, pid: str) -> Problem:
    remedy = "take the pid as the search API shows it"
    return Problem(
        404,
        f"{kind}: the catalogue has none with pid {pid!r}: {remedy}",
        field=kind,
        value=pid,
        remedy=remedy,
    )
