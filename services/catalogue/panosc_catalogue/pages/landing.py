"""Landing pages: `/documents/{pid}`, `/datasets/{pid}` in many forms, and `/doi/{doi}` that leads to them."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import orjson
from lxml import etree
from panosc_common.access import Scope
from panosc_common.problem import Problem
from panosc_common.tokens import NotFor
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from panosc_catalogue.datacite import kernel, reading
from panosc_catalogue.datacite.description import Description, Kind
from panosc_catalogue.pages import citation, details, formats, jsonld, signposting, words
from panosc_catalogue.pages.archives import Archives
from panosc_catalogue.pages.details import Details
from panosc_catalogue.pages.formats import Format
from panosc_catalogue.pages.render import Pages, visit
from panosc_catalogue.query import compile as sql
from panosc_catalogue.query.early import early
from panosc_catalogue.query.model import MODELS
from panosc_catalogue.query.syntax import Filter
from panosc_catalogue.site import Site
from panosc_catalogue.teams.book import Roster
from panosc_catalogue.teams.people import team_of

GONE = 410


@dataclass(frozen=True)
class Landing:
    """The landing pages of one catalogue."""

    site: Site
    pages: Pages
    archives: Archives

    async def document(self, request: Request) -> Response:
        """`GET /documents/{pid}`."""
        return await self._answer(request, "documents")

    async def dataset(self, request: Request) -> Response:
        """`GET /datasets/{pid}`."""
        return await self._answer(request, "datasets")

    async def doi(self, request: Request) -> Response:
        """`GET /doi/{doi}`."""
        address = await reading.address_of(self.site, request.path_params["doi"])
        if address is None:
            raise Problem(404, "there is no public record with this DOI")
        # For programs in portals' pages, as the forms that it leads to.
        return RedirectResponse(address, 302, headers={"Access-Control-Allow-Origin": "*"})

    async def _answer(self, request: Request, kind: Kind) -> Response:
        asked = replace(self, site=await self.site.asked_by(request, Scope.READ))
        return await asked._answered(request, kind)

    async def _answered(self, request: Request, kind: Kind) -> Response:
        form = formats.chosen(request)
        pid = request.path_params["pid"]
        description = await reading.find(self.site, kind, pid)
        if description is None and await reading.was_public(self.site, kind, pid):
            raise Problem(
                GONE, "this record was public, and the facility has closed it again; ask the facility for it"
            )
        if description is None:
            raise Problem(
                404,
                "there is no public record under this address; data under embargo are shown to their own "
                "people alone, who log in for that",
            )
        found = Details()
        if description.state == "live":
            await self.site.record(request, lambda: _shown(kind, pid))
            found = await details.find(self.site, self.archives, description)
        if form is formats.HTML:
            return self._page(request, description, found, await self._team(request, description))
        return await self._machine(request, form, description, found)

    async def _team(self, request: Request, description: Description) -> Roster | None:
        """The proposal's team, for whom it concerns."""
        if description.kind != "documents" or self.site.viewer.subject is None:
            return None
        try:
            site = await self.site.asked_by(request, Scope.TEAMS)
        except NotFor:
            return None
        team = team_of(site.config.facility.name, description.pid)
        roster = await site.book(site.rows).roster(team)
        return roster if roster and roster.document == description.pid else None

    def _page(
        self, request: Request, description: Description, found: Details, team: Roster | None
    ) -> Response:
        item = words.csl_item(description)
        withdrawn = description.state == "withdrawn"
        return self.pages.page(
            "tombstone.html" if withdrawn else "landing.html",
            visit(request, self.site.viewer),
            GONE if withdrawn else 200,
            {"Link": signposting.header(description, found)},
            record=description,
            details=found,
            identifier=words.identifier(description),
            summary=words.summary(description),
            availability=words.availability(description),
            citations={label: citation.cite(item, style) for style, label in citation.STYLES.items()},
            bibtex=citation.bibtex(item),
            formats=[(form, signposting.form_url(description, form)) for form in formats.METADATA],
            address_list=signposting.form_url(description, formats.FILE_LIST),
            json_ld=self._json_ld(description, found),
            team=team,
        )

    def _json_ld(self, description: Description, found: Details) -> dict[str, Any]:
        return jsonld.document(
            description,
            found,
            catalogue_url=f"{self.site.config.public_url or ''}/",
            metadata_license=self.site.policy.current().metadata_license,
        )

    async def _machine(
        self, request: Request, form: Format, description: Description, found: Details
    ) -> Response:
        item = words.csl_item(description)
        attributes = kernel.attributes(description)
        makers: dict[Format, Callable[[], bytes | str]] = {
            formats.JSON_LD: lambda: orjson.dumps(self._json_ld(description, found)),
            formats.DATACITE_JSON: lambda: orjson.dumps(attributes),
            formats.DATACITE_XML: lambda: etree.tostring(
                kernel.xml(attributes), xml_declaration=True, encoding="UTF-8"
            ),
            formats.BIBTEX: lambda: citation.bibtex(item),
            formats.CSL_JSON: lambda: orjson.dumps(item),
            formats.CITATION: lambda: citation.cite(item, _style(request)) + "\n",
            formats.LINKSET: lambda: orjson.dumps(signposting.linkset(description, found)),
        }
        if form is formats.FILE_LIST:
            lines = await details.addresses(self.site, self.archives, description.pid)
            content: bytes | str = "".join(f"{line}\r\n" for line in lines)
        else:
            content = makers[form]()
        return Response(
            content,
            GONE if description.state == "withdrawn" else 200,
            media_type=form.media_type,
            headers={
                "Link": signposting.header_of_metadata(description),
                "Vary": "Accept",
                "Cache-Control": "no-cache",
                "X-Content-Type-Options": "nosniff",
                "Access-Control-Allow-Origin": "*",
            },
        )


def _shown(kind: Kind, pid: str) -> list[sql.Statement]:
    """What a record's page shows, for the audit log."""
    datasets, document = early(Filter(MODELS["Dataset"])), MODELS["Document"]
    if kind == "datasets":
        return [sql.item(datasets, pid)]
    return [sql.item(early(Filter(document)), pid), sql.related_items(document, "datasets", pid, datasets)]


def _style(request: Request) -> str:
    style = request.query_params.get("style", "apa")
    if style not in citation.STYLES:
        raise Problem(
            400, f"there is no citation style {style[:40]!r}; there are {', '.join(citation.STYLES)}"
        )
    return style
