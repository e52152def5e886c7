"""`/oai`: the verbs of OAI-PMH 2.0 (https://www.openarchives.org/OAI/openarchivesprotocol.html)."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import get_args
from urllib.parse import urlsplit

from lxml import etree
from panosc_common.problem import Problem
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from panosc_catalogue.datacite import reading
from panosc_catalogue.datacite.description import Description, Kind
from panosc_catalogue.oai import answer, records
from panosc_catalogue.oai.errors import OaiError
from panosc_catalogue.oai.formats import Format, format_of
from panosc_catalogue.oai.records import Header, Identifiers
from panosc_catalogue.oai.request import Request, Selection, read
from panosc_catalogue.oai.sets import sets
from panosc_catalogue.oai.upkeep import Behind, Upkeep
from panosc_catalogue.site import Site

MAX_FORM_BYTES = 64 * 1024
_FORM = "application/x-www-form-urlencoded"


def routes(site: Site, upkeep: Upkeep) -> list[BaseRoute]:
    """The server."""
    return [Route("/oai", _Server(site, upkeep).endpoint, methods=["GET", "POST"])]


@dataclass(frozen=True)
class _Server:
    site: Site
    upkeep: Upkeep

    async def endpoint(self, http: HttpRequest) -> Response:
        """`GET` and `POST /oai`.

        Raises Problem: 413 and 415 for what is no form, 503 while the answer has to wait.
        """
        query = await _form(http) if http.method == "POST" else http.scope["query_string"]
        try:
            time = await self.upkeep.now()
        except Behind as error:
            headers = {"Retry-After": "10"}
            message = "the records changed a lot and are compared now; come back in a moment"
            raise Problem(503, message, headers=headers) from error
        base_url = f"{self.site.config.public_url.rstrip('/')}/oai" if self.site.config.public_url else ""
        base_url = base_url or str(http.url.replace(query=""))
        arguments: dict[str, str] = {}
        try:
            request = read(query)
            arguments = {"verb": request.verb, **request.arguments}
            content = await _Answers(self.site, base_url, time).to(request)
        except OaiError as error:
            if error.code in ("badVerb", "badArgument"):
                arguments = {}
            content = answer.error(error.code, str(error))
        body = answer.envelope(time, base_url, arguments, [content])
        return Response(body, media_type="text/xml; charset=utf-8", headers={"Cache-Control": "no-cache"})


async def _form(http: HttpRequest) -> bytes:
    if http.headers.get("content-type", "").split(";")[0].strip().lower() != _FORM:
        raise Problem(415, f"the body must be of type {_FORM}")
    body = b""
    async for part in http.stream():
        body += part
        if len(body) > MAX_FORM_BYTES:
            raise Problem(413, f"the body must have at most {MAX_FORM_BYTES} bytes")
    return body


@dataclass(frozen=True)
class _Answers:
    site: Site
    base_url: str
    time: datetime

    @property
    def identifiers(self) -> Identifiers:
        return Identifiers(urlsplit(self.base_url).hostname or "localhost")

    async def to(self, request: Request) -> etree._Element:
        """The element that answers the request.

        Raises OaiError.
        """
        match request.verb:
            case "Identify":
                return await self._identify()
            case "ListMetadataFormats":
                if "identifier" in request.arguments:
                    await self._header(request.arguments["identifier"])
                return answer.formats()
            case "ListSets":
                if "resumptionToken" in request.arguments:
                    raise OaiError("badResumptionToken", "ListSets gives no tokens")
                return answer.sets(await sets(self.site))
            case "GetRecord":
                return await self._record(request.arguments)
            case "ListIdentifiers" | "ListRecords":
                return await self._list(Selection.of(request))

    async def _identify(self) -> etree._Element:
        facility = self.site.config.facility
        host = self.identifiers.host if self.identifiers.are_domain else "localhost.invalid"
        email = facility.contact_email or f"postmaster@{host}"
        earliest = await records.earliest(self.site) or self.time
        return answer.identify(facility.display_name, self.base_url, email, earliest, self.identifiers)

    async def _header(self, identifier: str) -> Header:
        named = self.identifiers.read(identifier)
        header = await records.one(self.site, *named) if named else None
        if header is None:
            raise OaiError("idDoesNotExist", "there is no record with this identifier")
        return header

    async def _record(self, arguments: Mapping[str, str]) -> etree._Element:
        form = format_of(arguments["metadataPrefix"])
        header = await self._header(arguments["identifier"])
        (record,) = await self._records([header], form)
        return answer.get_record(record)

    async def _list(self, selection: Selection) -> etree._Element:
        form = format_of(selection.prefix)
        headers, more = await records.page(self.site, selection)
        if not headers:
            raise OaiError("noRecordsMatch", "no record matches")
        if more and not selection.given:
            selection = selection.model_copy(update={"size": await records.count(self.site, selection)})
        if selection.verb == "ListRecords":
            elements = await self._records(headers, form)
        else:
            elements = [answer.header(header, self.identifiers) for header in headers]
        next_page = {"after": headers[-1].number, "given": selection.given + len(headers)}
        token = selection.model_copy(update=next_page).token() if more else None
        return answer.listed(selection, elements, token)

    async def _records(self, headers: Sequence[Header], form: Format) -> list[etree._Element]:
        described: dict[tuple[Kind, int], Description] = {}
        for kind in get_args(Kind):
            rows = [header.row for header in headers if header.kind == kind and not header.deleted]
            found = await reading.by_row(self.site, kind, rows) if rows else {}
            described |= {(kind, row): description for row, description in found.items()}
        return await asyncio.to_thread(self._written, headers, described, form)

    def _written(
        self, headers: Sequence[Header], described: Mapping[tuple[Kind, int], Description], form: Format
    ) -> list[etree._Element]:
        """The records; takes a tenth of a second for a page, which other requests should not wait for."""
        elements = []
        for header in headers:
            description = described.get((header.kind, header.row))
            # What was closed or withdrawn since the look is deleted; the next look stamps it.
            shown = replace(header, deleted=description is None)
            metadata = form.write(description) if description else None
            elements.append(answer.record(answer.header(shown, self.identifiers), metadata))
        return elements
