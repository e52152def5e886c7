"""Any OAI-PMH 2.0 repository.

Pages are parsed strictly: a page cut short must not pass for a list's last one, as it would with clients that
repair what they read.
"""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from lxml import etree

from panosc_catalogue.settings import OaiPmhSource
from panosc_catalogue.sources.base import (
    Adapter,
    BadAnswer,
    Cursor,
    Deleted,
    Fetched,
    Kind,
    Page,
    Refused,
    parsed,
)
from panosc_catalogue.sources.credentials import Credentials
from panosc_catalogue.sources.http import FIRST_WAIT_SECONDS, TIMEOUT_SECONDS, Answer, Client
from panosc_catalogue.sources.oaipmh_records import Description, dataset, document, read

OVERLAP = timedelta(minutes=10)
"""How far behind the last harvest's begin one goes back, for repositories that index late."""
MAX_RESTARTS = 3
"""Of a list whose resumption tokens the repository forgets, in one run."""
_REMEDIES = {
    "cannotDisseminateFormat": "set metadataPrefix to a format that ListMetadataFormats names",
    "noSetHierarchy": "remove set: the repository has no sets",
    "badArgument": "check metadataPrefix and set",
}


class _Refusal(Exception):
    """An error of the protocol."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


class OaiPmh(Adapter):
    """One repository, or one set of it."""

    def __init__(
        self,
        source: OaiPmhSource,
        *,
        timeout_seconds: float = TIMEOUT_SECONDS,
        first_wait_seconds: float = FIRST_WAIT_SECONDS,
    ) -> None:
        self._source = source
        self._http = Client(
            source.url,
            requests_per_second=source.requests_per_second,
            headers={"Accept": "text/xml, application/xml"},
            ca_file=Credentials(source.credentials).ca_file,
            timeout_seconds=timeout_seconds,
            first_wait_seconds=first_wait_seconds,
        )

    async def changes(self, since: Cursor | None) -> AsyncGenerator[Page, None]:
        """All pages; a cursor holds when the last harvest began by the repository's clock, or a token."""
        async with self._http.opened():
            is_resumed = since is not None and "token" in since
            cursor = since if since and is_resumed else await self._begin(since)
            restarts = 0
            while "token" in cursor:
                try:
                    page = await self._list(cursor)
                except _Refusal as refusal:
                    if refusal.code != "badResumptionToken" or restarts == MAX_RESTARTS:
                        raise self._error(refusal) from refusal
                    restarts += 1
                    cursor = {**cursor, "token": None}
                    continue
                cursor = page.cursor
                yield page

    async def _begin(self, since: Cursor | None) -> Cursor:
        """A list from its start: of everything, or of what changed since a harvest."""
        try:
            root = await self._ask({"verb": "Identify"})
        except _Refusal as refusal:
            raise self._error(refusal) from refusal
        granularity = _required(root, "Identify/granularity")
        begun = _required(root, "responseDate")
        if since is None:
            return {"token": None, "from": None, "begun": begun}
        moment = datetime.fromisoformat(since["begun"]) - OVERLAP
        form = "%Y-%m-%dT%H:%M:%SZ" if granularity.endswith("Z") else "%Y-%m-%d"
        return {"token": None, "from": moment.astimezone(UTC).strftime(form), "begun": begun}

    async def _list(self, cursor: Cursor) -> Page:
        """The page at a cursor."""
        query = {"verb": "ListRecords"}
        if cursor["token"] is not None:
            query["resumptionToken"] = cursor["token"]
        else:
            query["metadataPrefix"] = self._source.metadata_prefix
            query |= {"from": cursor["from"]} if cursor["from"] else {}
            query |= {"set": self._source.set} if self._source.set else {}
        behind = {"begun": cursor["begun"]}
        try:
            root = await self._ask(query)
        except _Refusal as refusal:
            if refusal.code == "noRecordsMatch":
                return Page(behind, complete=cursor["from"] is None)
            raise
        taken = _Taken([], [], [])
        for element in root.iterfind("{*}ListRecords/{*}record"):
            self._take(element, taken)
        token = root.findtext("{*}ListRecords/{*}resumptionToken")
        is_last = not (token and token.strip())
        return Page(
            behind if is_last else {**cursor, "token": token},
            taken.records,
            taken.refused,
            taken.deleted,
            complete=is_last and cursor["from"] is None,
        )

    def _take(self, element: etree._Element, taken: "_Taken") -> None:
        """A record of the repository: a document, and a dataset if that is what it describes."""
        origin = (element.findtext("{*}header/{*}identifier") or "").strip()
        header = element.find("{*}header")
        if header is not None and header.get("status") == "deleted":
            taken.deleted += [Deleted(Kind.DOCUMENT, origin), Deleted(Kind.DATASET, origin)]
            return
        described: list[Description] = []

        def make_document() -> Any:
            described.append(read(element.find("{*}metadata"), origin))
            return document(described[0])

        found = parsed(Kind.DOCUMENT, origin, make_document)
        taken.add(found)
        if isinstance(found, Refused):
            return
        if described[0].is_dataset:
            taken.add(parsed(Kind.DATASET, origin, lambda: dataset(described[0])))
        else:
            taken.deleted.append(Deleted(Kind.DATASET, origin))

    async def _ask(self, query: dict[str, str]) -> etree._Element:
        """The answer to a request. Raises _Refusal with the code of the protocol's error."""
        root = await self._http.request("GET", self._source.url, _parse, params=query)
        error = root.find("{*}error")
        if error is not None:
            raise _Refusal(error.get("code", ""), (error.text or "").strip())
        return root

    def _error(self, refusal: _Refusal) -> BadAnswer:
        remedy = _REMEDIES.get(refusal.code, "check url")
        return BadAnswer(f"the repository refuses to list its records ({refusal}); {remedy}")


@dataclass
class _Taken:
    """What was found in a page."""

    records: list[Fetched]
    refused: list[Refused]
    deleted: list[Deleted]

    def add(self, item: Fetched | Refused) -> None:
        if isinstance(item, Fetched):
            self.records.append(item)
        else:
            self.refused.append(item)


def _parse(answer: Answer) -> etree._Element:
    """The document; ValueError if it is not well-formed, has a document type, or is no OAI-PMH."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(answer.content, parser)
    except etree.XMLSyntaxError as error:
        raise ValueError(str(error)) from error
    if root.getroottree().docinfo.doctype:
        raise ValueError("it has a document type, which OAI-PMH does not")
    if etree.QName(root).localname != "OAI-PMH":
        raise ValueError(f"it is {etree.QName(root).localname}, not OAI-PMH")
    return root


def _required(root: etree._Element, path: str) -> str:
    found = root.findtext("/".join(f"{{*}}{name}" for name in path.split("/")))
    if not found:
        raise BadAnswer(f"the repository's Identify lacks {path}; check url")
    return found.strip()
