"""An OAI-PMH 2.0 repository that keeps to the protocol: arguments, errors, tokens, deleted records.

Records are given by tests as the XML of their metadata.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape, quoteattr

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

ARGUMENTS = {
    "Identify": (set(), set()),
    "ListRecords": ({"metadataPrefix"}, {"from", "until", "set"}),
}
"""Of each verb: required, optional."""


class OaiError(Exception):
    """An error of the protocol."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass
class Record:
    """A record; without metadata it is a deleted one."""

    datestamp: datetime
    metadata: str | None
    sets: tuple[str, ...] = ()


@dataclass
class Repository:
    """The repository; its clock is set by the test."""

    prefix: str = "oai_datacite"
    page: int = 50
    granularity: str = "YYYY-MM-DDThh:mm:ssZ"
    sets: tuple[str, ...] = ("openaire_data",)
    now: datetime = datetime(2026, 3, 1, 12, tzinfo=UTC)
    records: dict[str, Record] = field(default_factory=dict)
    queries: list[dict[str, str]] = field(default_factory=list)
    rewrite: Callable[[str], str] = lambda text: text
    """What becomes of each answer."""
    _tokens: dict[str, tuple[list[str], int]] = field(default_factory=dict)

    @property
    def app(self) -> Starlette:
        """The repository as an application."""
        return Starlette(routes=[Route("/oai", self._serve)])

    def put(self, identifier: str, metadata: str, sets: tuple[str, ...] = ()) -> None:
        """Add or change a record."""
        self.records[identifier] = Record(self.now, metadata, sets)

    def delete(self, identifier: str) -> None:
        """Delete a record; the repository goes on to say so."""
        self.records[identifier] = Record(self.now, None, self.records[identifier].sets)

    def forget_tokens(self) -> None:
        """Forget all lists that were begun."""
        self._tokens.clear()

    async def _serve(self, request: Request) -> Response:
        pairs = parse_qsl(request.url.query, keep_blank_values=True)
        query = dict(pairs)
        self.queries.append(query)
        try:
            if len(query) != len(pairs):
                raise OaiError("badArgument", "an argument is repeated")
            body = self._answer(query)
        except OaiError as error:
            body = f"<error code={quoteattr(error.code)}>{escape(str(error))}</error>"
        text = (
            '<?xml version="1.0" encoding="UTF-8"?>'
            '<OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/">'
            f"<responseDate>{_stamp(self.now)}</responseDate><request>http://repository.example/oai</request>"
            f"{body}</OAI-PMH>"
        )
        return Response(self.rewrite(text), media_type="text/xml; charset=utf-8")

    def _answer(self, query: dict[str, str]) -> str:
        verb = query.get("verb")
        if verb not in ARGUMENTS:
            raise OaiError("badVerb", f"illegal verb {verb}")
        given = query.keys() - {"verb"}
        if "resumptionToken" in given:
            if given != {"resumptionToken"} or verb != "ListRecords":
                raise OaiError("badArgument", "resumptionToken is an exclusive argument")
            if query["resumptionToken"] not in self._tokens:
                raise OaiError("badResumptionToken", "the token is unknown or has expired")
            return self._page(*self._tokens[query["resumptionToken"]])
        required, optional = ARGUMENTS[verb]
        if required - given or given - required - optional:
            raise OaiError("badArgument", f"illegal or missing {sorted(given ^ required)}")
        if verb == "Identify":
            return (
                "<Identify><repositoryName>Double</repositoryName>"
                "<baseURL>http://repository.example/oai</baseURL><protocolVersion>2.0</protocolVersion>"
                "<adminEmail>admin@repository.example</adminEmail>"
                "<earliestDatestamp>2000-01-01T00:00:00Z</earliestDatestamp>"
                f"<deletedRecord>persistent</deletedRecord><granularity>{self.granularity}</granularity></Identify>"
            )
        return self._list(query)

    def _list(self, query: dict[str, str]) -> str:
        if query["metadataPrefix"] != self.prefix:
            raise OaiError("cannotDisseminateFormat", f"no format {query['metadataPrefix']}")
        if "set" in query and query["set"] not in self.sets:
            code = "badArgument" if self.sets else "noSetHierarchy"
            raise OaiError(code, f"no set {query['set']}")
        since = self._moment(query["from"]) if "from" in query else None
        found = [
            identifier
            for identifier, record in sorted(self.records.items(), key=lambda item: item[1].datestamp)
            if (since is None or record.datestamp >= since)
            and ("set" not in query or query["set"] in record.sets)
        ]
        if not found:
            raise OaiError("noRecordsMatch", "nothing matches")
        return self._page(found, 0)

    def _moment(self, text: str) -> datetime:
        form = "%Y-%m-%dT%H:%M:%SZ" if self.granularity.endswith("Z") else "%Y-%m-%d"
        try:
            return datetime.strptime(text, form).replace(tzinfo=UTC)
        except ValueError:
            raise OaiError("badArgument", f"{text} has not the granularity {self.granularity}") from None

    def _page(self, identifiers: list[str], start: int) -> str:
        end = start + self.page
        count = f'cursor="{start}" completeListSize="{len(identifiers)}"'
        token = ""
        if end < len(identifiers):
            name = secrets.token_hex(8)
            self._tokens[name] = (identifiers, end)
            token = f"<resumptionToken {count}>{name}</resumptionToken>"
        elif start:
            token = f"<resumptionToken {count}/>"
        records = "".join(self._record(identifier) for identifier in identifiers[start:end])
        return f"<ListRecords>{records}{token}</ListRecords>"

    def _record(self, identifier: str) -> str:
        record = self.records[identifier]
        stamp = _stamp(record.datestamp)[: len(self.granularity)]
        status = ' status="deleted"' if record.metadata is None else ""
        sets = "".join(f"<setSpec>{escape(of)}</setSpec>" for of in record.sets)
        header = (
            f"<header{status}><identifier>{escape(identifier)}</identifier>"
            f"<datestamp>{stamp}</datestamp>{sets}</header>"
        )
        metadata = f"<metadata>{record.metadata}</metadata>" if record.metadata else ""
        return f"<record>{header}{metadata}</record>"


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def datacite(
    doi: str, title: str, *, kind: str = "Dataset", rights: str = "", extra: str = "", version: int = 4
) -> str:
    """The oai_datacite form of a record, around a resource of DataCite's kernel."""
    return (
        '<oai_datacite xmlns="http://schema.datacite.org/oai/oai-1.1/"><schemaVersion>4.6</schemaVersion>'
        f'<payload><resource xmlns="http://datacite.org/schema/kernel-{version}">'
        f'<identifier identifierType="DOI">{doi}</identifier>'
        '<creators><creator><creatorName nameType="Personal">Curie, Marie</creatorName>'
        "<givenName>Marie</givenName><familyName>Curie</familyName>"
        '<nameIdentifier nameIdentifierScheme="ORCID" schemeURI="https://orcid.org">'
        "https://orcid.org/0000-0002-1825-0097</nameIdentifier>"
        '<affiliation affiliationIdentifier="https://ror.org/02550n020">ESRF</affiliation></creator></creators>'
        f"<titles><title>{escape(title)}</title></titles><publisher>ESRF</publisher>"
        "<publicationYear>2024</publicationYear>"
        f'<resourceType resourceTypeGeneral="{kind}">{kind}</resourceType>'
        f"{rights}{extra}</resource></payload></oai_datacite>"
    )


def dublin_core(title: str, *fields: tuple[str, str]) -> str:
    """The oai_dc form of a record."""
    lines = "".join(f"<dc:{name}>{escape(text)}</dc:{name}>" for name, text in fields)
    return (
        '<oai_dc:dc xmlns:oai_dc="http://www.openarchives.org/OAI/2.0/oai_dc/" '
        f'xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>{escape(title)}</dc:title>{lines}</oai_dc:dc>'
    )
