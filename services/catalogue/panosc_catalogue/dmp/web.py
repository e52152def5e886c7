"""`/dmp/{pid of a document}`: its data management plan, as a page and as JSON by the RDA common standard."""

from datetime import UTC

from panosc_common.licenses import known
from panosc_common.problem import Problem
from panosc_common.server import OrjsonResponse
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from panosc_catalogue.datacite import reading
from panosc_catalogue.dmp.plan import Proposal, document
from panosc_catalogue.pages.render import Pages, visit, wants_page
from panosc_catalogue.revalidation import revalidated
from panosc_catalogue.site import Site

_MODIFIED = """
SELECT greatest(
    p.updated_at,
    (SELECT max(l.decided_at) FROM policy_log l WHERE l.kind = 'document' AND l.pid = p.pid)
)
FROM document p WHERE p.pid = %(pid)s
"""
_JSON = "application/json"
_FORMATS = ("html", "json")


def routes(site: Site, pages: Pages) -> list[BaseRoute]:
    """The plans of one catalogue's proposals."""
    return [Route("/dmp/{pid:path}", revalidated(_Plans(site, pages).get))]


class _Plans:
    def __init__(self, site: Site, pages: Pages) -> None:
        self._site = site
        self._pages = pages

    async def get(self, request: Request) -> Response:
        """`GET /dmp/{pid}?format=`: for a browser the page, for programs JSON."""
        is_page = _is_page(request)
        proposal = await self._proposal(request.path_params["pid"])
        if is_page:
            return self._pages.page(
                "dmp.html",
                visit(request),
                headers={"Link": f'<{proposal.address}?format=json>; rel="alternate"; type="{_JSON}"'},
                record=proposal.description,
                plan=proposal,
                license=known(proposal.description.license),
                metadata_license=known(proposal.policy.metadata_license),
            )
        email = self._site.config.facility.contact_email
        if not self._site.config.public_url or not email:
            raise Problem(
                404,
                "a plan by the standard names a contact and its own address, and this catalogue has none: "
                "give spec.contacts of the Facility",
            )
        headers = {"Vary": "Accept", "Cache-Control": "no-cache", "Access-Control-Allow-Origin": "*"}
        return OrjsonResponse(document(proposal, email), headers=headers)

    async def _proposal(self, pid: str) -> Proposal:
        description = await reading.find(self._site, "documents", pid)
        modified = await self._site.rows(_MODIFIED, {"pid": pid})
        if description is None or description.state != "live" or description.is_publication or not modified:
            raise Problem(
                404, "there is no public proposal with this pid: take it as the search API shows it"
            )
        ((instant,),) = modified
        return Proposal(description, instant.astimezone(UTC), self._site.policy.current(), self._site.config)


def _is_page(request: Request) -> bool:
    form = request.query_params.get("format")
    if form is None:
        return wants_page(request.headers.get("accept", ""))
    if form not in _FORMATS:
        raise Problem(400, f"there is no format {form[:40]!r}; there are {', '.join(_FORMATS)}")
    return form == "html"
