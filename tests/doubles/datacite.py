"""DataCite's REST API for one repository account, as strict as the real one (lupo): states, events, 422s.

What it refuses follows https://support.datacite.org/docs/api and the validations of datacite/lupo.
"""

import base64
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

MEDIA_TYPE = "application/vnd.api+json"
_DOI = re.compile(r"10\.\d{4,5}/[-._;()/:a-zA-Z0-9*~$=]+")
_GENERAL_TYPES = {
    "Audiovisual", "Award", "Book", "BookChapter", "Collection", "ComputationalNotebook", "ConferencePaper",
    "ConferenceProceeding", "DataPaper", "Dataset", "Dissertation", "Event", "Image", "Instrument",
    "InteractiveResource", "Journal", "JournalArticle", "Model", "OutputManagementPlan", "PeerReview",
    "PhysicalObject", "Preprint", "Project", "Report", "Service", "Software", "Sound", "Standard",
    "StudyRegistration", "Text", "Workflow", "Other",
}  # fmt: skip
_EVENTS = {"publish", "register", "hide", "show"}
_ATTRIBUTES = {
    "doi", "prefix", "suffix", "event", "url", "identifiers", "creators", "titles", "publisher", "container",
    "publicationYear", "subjects", "contributors", "dates", "language", "types", "relatedIdentifiers",
    "relatedItems", "sizes", "formats", "version", "rightsList", "descriptions", "geoLocations",
    "fundingReferences", "alternateIdentifiers", "schemaVersion", "contentUrl", "xml",
}  # fmt: skip


@dataclass
class Repository:
    """The account's DOIs; a test may look at them and change what the account may do."""

    username: str = "PANOSC.TEST"
    password: str = "s3cret"
    prefixes: set[str] = field(default_factory=lambda: {"10.5072"})
    domains: set[str] = field(default_factory=lambda: {"data.example.org"})
    dois: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Attributes with `state`, by DOI in lower case."""
    history: list[tuple[str, str]] = field(default_factory=list)
    """Every change that was carried out: DOI and its new state, `deleted`, or `updated`."""


class Invalid(Exception):
    """422 with the error of one attribute."""

    def __init__(self, source: str, title: str, *, uid: str | None = None) -> None:
        super().__init__(title)
        self.error = {"source": source, "title": title} | ({"uid": uid} if uid else {})


def app(repository: Repository) -> Starlette:
    """The API under the given repository."""

    async def collection(request: Request) -> Response:
        attributes = await _attributes(request)
        doi = _name(repository, attributes)
        if doi in repository.dois:
            raise Invalid("doi", "This DOI has already been taken", uid=doi)
        return _change(repository, doi, {}, attributes, 201)

    async def item(request: Request) -> Response:
        doi = unquote(request.path_params["doi"]).lower()
        known = repository.dois.get(doi)
        if request.method == "GET":
            # A draft exists for its own account only.
            if known is None or (known["state"] == "draft" and not _authorised(repository, request)):
                return _error(404, "The resource you are looking for doesn't exist.")
            return _shown(doi, known)
        if request.method == "DELETE":
            if known is None:
                return _error(404, "The resource you are looking for doesn't exist.")
            if known["state"] != "draft":
                return _error(405, "Method not allowed")
            del repository.dois[doi]
            repository.history.append((doi, "deleted"))
            return Response(status_code=204)
        attributes = await _attributes(request)
        if attributes.get("doi", doi).lower() != doi:
            raise Invalid("doi", "DOI does not match the URL")
        _name(repository, {"doi": doi})
        return _change(repository, doi, known or {}, attributes, 200 if known else 201)

    async def guarded(request: Request) -> Response:
        if request.method != "GET" and not _authorised(repository, request):
            return _error(401, "Bad credentials.")
        try:
            return await (item if "doi" in request.path_params else collection)(request)
        except Invalid as error:
            return JSONResponse({"errors": [error.error]}, 422, media_type=MEDIA_TYPE)

    return Starlette(
        routes=[
            Route("/dois", guarded, methods=["POST"]),
            Route("/dois/{doi:path}", guarded, methods=["GET", "PUT", "DELETE"]),
        ]
    )


def _authorised(repository: Repository, request: Request) -> bool:
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    expected = base64.b64encode(f"{repository.username}:{repository.password}".encode()).decode()
    return scheme == "Basic" and given == expected


async def _attributes(request: Request) -> dict[str, Any]:
    if request.headers.get("content-type") != MEDIA_TYPE:
        raise Invalid("base", f"The Content-Type has to be {MEDIA_TYPE}")
    try:
        data = orjson.loads(await request.body())["data"]
        attributes = data["attributes"]
    except (ValueError, KeyError, TypeError) as error:
        raise Invalid("base", "You need to provide a payload following the JSONAPI spec") from error
    if data.get("type") != "dois":
        raise Invalid("type", "has to be dois")
    if unknown := sorted(attributes.keys() - _ATTRIBUTES):
        raise Invalid(unknown[0], "found unpermitted parameter")
    return dict(attributes)


def _name(repository: Repository, attributes: dict[str, Any]) -> str:
    doi = attributes.get("doi")
    if not isinstance(doi, str) or not _DOI.fullmatch(doi):
        raise Invalid("doi", "is invalid")
    if doi.partition("/")[0] not in repository.prefixes:
        raise Invalid("doi", "is not in the prefixes of this repository")
    return doi.lower()


def _change(
    repository: Repository, doi: str, known: dict[str, Any], attributes: dict[str, Any], status: int
) -> Response:
    event = attributes.pop("event", None)
    if event is not None and event not in _EVENTS:
        raise Invalid("event", f"{event} is no event")
    state = known.get("state", "draft")
    state = {
        ("draft", "publish"): "findable",
        ("draft", "register"): "registered",
        ("registered", "publish"): "findable",
        ("registered", "show"): "findable",
        ("findable", "hide"): "registered",
    }.get((state, event), state)
    attributes.pop("doi", None)
    latest = {**known, **attributes, "state": state}
    if state != "draft":
        _check(repository, latest)
    repository.dois[doi] = latest
    repository.history.append((doi, state if state != known.get("state") else "updated"))
    return _shown(doi, latest, status)


def _check(repository: Repository, latest: dict[str, Any]) -> None:
    """What a DOI needs that resolves."""
    for name, title in (
        ("url", "can't be blank"),
        ("titles", "can't be blank"),
        ("creators", "can't be blank"),
        ("publisher", "can't be blank"),
        ("publicationYear", "can't be blank"),
    ):
        if not latest.get(name):
            raise Invalid(name, title)
    address = urlsplit(latest["url"])
    if address.scheme not in ("http", "https", "ftp") or not address.hostname:
        raise Invalid("url", "URL is not valid")
    if address.hostname not in repository.domains:
        raise Invalid("url", f"URL is not allowed by repository domain settings: {address.hostname}")
    if not all(title.get("title") for title in latest["titles"]):
        raise Invalid("titles", "Missing child element title")
    if not all(creator.get("name") for creator in latest["creators"]):
        raise Invalid("creators", "Missing child element creatorName")
    if not 1000 <= int(latest["publicationYear"]) <= 9999:
        raise Invalid("publicationYear", "is not a year")
    if latest.get("types", {}).get("resourceTypeGeneral") not in _GENERAL_TYPES:
        raise Invalid("types", "resourceTypeGeneral is not in the controlled list")
    if (
        latest.get("schemaVersion", "http://datacite.org/schema/kernel-4")
        != "http://datacite.org/schema/kernel-4"
    ):
        raise Invalid("schemaVersion", "Schema is not supported")


def _shown(doi: str, attributes: dict[str, Any], status: int = 200) -> Response:
    data = {"id": doi, "type": "dois", "attributes": {"doi": doi, **attributes}}
    return JSONResponse({"data": data}, status, media_type=MEDIA_TYPE)


def _error(status: int, title: str) -> Response:
    return JSONResponse({"errors": [{"status": str(status), "title": title}]}, status, media_type=MEDIA_TYPE)
