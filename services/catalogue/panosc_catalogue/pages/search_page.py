"""`/` and `/search`: the catalogue for people, over the same engine as the search API."""

import csv
import io
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal
from urllib.parse import quote

import orjson
from panosc_common.access import Scope
from panosc_common.problem import Problem
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from panosc_catalogue.pages import search_form
from panosc_catalogue.pages.choices import Choices
from panosc_catalogue.pages.render import Pages, visit
from panosc_catalogue.pages.search_form import Form
from panosc_catalogue.query import compile as sql
from panosc_catalogue.query import tags
from panosc_catalogue.query.early import early
from panosc_catalogue.query.errors import FilterError
from panosc_catalogue.query.model import MODELS
from panosc_catalogue.query.parse import parse_filter
from panosc_catalogue.query.syntax import Filter
from panosc_catalogue.site import Site

_FORMATS = ("html", "csv", "json")
_COLUMNS = (
    "pid",
    "title",
    "address",
    "access",
    "embargo end",
    "begin",
    "end",
    "instrument",
    "techniques",
    "samples",
    "people",
    "proposal",
    "bytes",
    "license",
)


@dataclass(frozen=True)
class Row:
    """One hit, as the result list and the CSV file show it."""

    kind: Literal["documents", "datasets"]
    pid: str
    title: str
    instrument: str
    techniques: tuple[str, ...]
    samples: tuple[str, ...]
    people: tuple[str, ...]
    proposal: str
    begin: datetime | None
    end: datetime | None
    release: datetime | None
    size: int | None
    license: str
    is_open: bool


@dataclass(frozen=True)
class SearchPage:
    """The search page of one catalogue."""

    site: Site
    pages: Pages
    choices: Choices

    async def get(self, request: Request) -> Response:
        """`GET /search`."""
        asked = replace(self, site=await self.site.asked_by(request, Scope.READ))
        return await asked._got(request)

    async def _got(self, request: Request) -> Response:
        form = search_form.read(request.query_params)
        now = self.site.clock() or datetime.now(UTC)
        asked = request.query_params.get("format", "html")
        if asked not in _FORMATS:
            raise Problem(400, f"there is no format {asked[:40]!r}; there are {', '.join(_FORMATS)}")
        if asked == "csv":
            return await self._csv(request, form, now)
        skip = (form.page - 1) * form.size
        api = self._api(form, now, skip)
        if asked == "json":
            return RedirectResponse(api, 302)
        rows: list[Row] = []
        total = listed = 0
        try:
            query = self._query(form, now, limit=form.size, skip=skip)
        except FilterError as error:
            form = replace(form, problems=(*form.problems, f"{error}."))
        else:
            query = await self._tagged(query)
            rows = await self._rows(request, form, query, now)
            # A page that is not full tells the number by itself.
            ends = len(rows) < form.size and (rows or not skip)
            total = skip + len(rows) if ends else await self._count(query)
            listed = min(total, query.ranked or total)
        return self.pages.page(
            "search.html",
            visit(request, self.site.viewer),
            form=form,
            rows=rows,
            total=total,
            listed=listed,
            pages=min(max(1, -(-listed // form.size)), form.last_page),
            first=skip + 1,
            sorts=search_form.SORTS,
            sizes=search_form.PAGE_SIZES,
            most=search_form.MAX_HITS,
            instruments=await self.choices.instruments(),
            techniques=await self.choices.techniques(),
            api=api,
        )

    def _api(self, form: Form, now: datetime, skip: int) -> str:
        """Address of the same search in the search API."""
        asked = search_form.filter_of(form, self.site.panet, now, limit=form.size, skip=skip)
        return f"/api/{form.model}s?filter={quote(orjson.dumps(asked).decode())}"

    async def _csv(self, request: Request, form: Form, now: datetime) -> Response:
        try:
            query = self._query(form, now, limit=search_form.MAX_HITS)
        except FilterError as error:
            raise Problem(400, str(error)) from error
        return _csv(await self._rows(request, form, await self._tagged(query), now), self.site)

    def _query(self, form: Form, now: datetime, *, limit: int, skip: int = 0) -> Filter:
        wanted = search_form.filter_of(form, self.site.panet, now, limit=limit, skip=skip)
        return parse_filter(MODELS[form.model], wanted, self.site.panet)

    async def _tagged(self, query: Filter) -> Filter:
        """The filter with the techniques that its tests mean."""
        asked = sql.techniques(query)
        if asked is None:
            return query
        (found,) = await self.site.rows(asked.sql, asked.parameters)
        return tags.known(query, found)

    async def _rows(self, request: Request, form: Form, query: Filter, now: datetime) -> list[Row]:
        found = sql.items(query)
        ((text,),) = await self.site.rows(found.sql, found.parameters)
        await self.site.record(request, lambda: [sql.items(early(query))])
        return [_row(form, item, now) for item in orjson.loads(text)]

    async def _count(self, query: Filter) -> int:
        found = sql.count(query, search_form.MAX_HITS + 1)
        ((total,),) = await self.site.rows(found.sql, found.parameters)
        return int(total)


def _row(form: Form, item: dict[str, Any], now: datetime) -> Row:
    documents = item.get("documents", [])
    document = documents[0] if documents else item if form.model == "Document" else {}
    dataset = form.model == "Dataset"
    release = _instant(item.get("releaseDate") or document.get("releaseDate"))
    is_released = release is not None and release <= now
    is_open = item["isPublic"] and (dataset or is_released)
    # A proposal is public from the start, or never; a dataset's row cannot tell whether its date opens it.
    is_closed_for_good = not dataset and not item["isPublic"]
    return Row(
        kind="datasets" if dataset else "documents",
        pid=item["pid"],
        title=item["title"],
        instrument=(item.get("instrument") or {}).get("name", ""),
        techniques=tuple(technique["name"] for technique in item.get("techniques", [])),
        samples=tuple(sample["name"] for sample in item.get("samples", [])),
        people=tuple(
            member["person"]["fullName"] for member in item.get("members", []) if member.get("person")
        ),
        proposal=document.get("title", "") if dataset else "",
        begin=_instant(item.get("creationDate") or item.get("startDate")),
        end=_instant(item.get("endDate")),
        # What stays closed after its date, as proprietary beamtime does, does not open by it.
        release=release if is_open or not (is_released or is_closed_for_good) else None,
        size=item.get("size"),
        license=item.get("license") or document.get("license") or "",
        is_open=is_open,
    )


def _instant(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _csv(rows: list[Row], site: Site) -> Response:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(_COLUMNS)
    for row in rows:
        cells = (
            row.pid,
            row.title,
            site.config.landing_url(row.kind, row.pid),
            "open" if row.is_open else "under embargo" if row.release else "not public",
            *(value.isoformat() if value else "" for value in (row.release, row.begin, row.end)),
            row.instrument,
            *("; ".join(names) for names in (row.techniques, row.samples, row.people)),
            row.proposal,
            "" if row.size is None else str(row.size),
            row.license,
        )
        writer.writerow([_harmless(cell) for cell in cells])
    headers = {
        "Content-Disposition": 'attachment; filename="search.csv"',
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-cache",
    }
    return Response(out.getvalue(), headers=headers, media_type="text/csv; charset=utf-8; header=present")


def _harmless(cell: str) -> str:
    """The cell, quoted where a spreadsheet would run it as a formula."""
    return f"'{cell}" if cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell
