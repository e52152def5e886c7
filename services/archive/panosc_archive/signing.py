"""`/links`: addresses that open one file, folder or bundle for a time, for programs that cannot log in."""

import re
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated
from urllib.parse import quote, unquote, urlsplit

from panosc_common.audit import NOTHING_CLOSED, Sight
from panosc_common.model import Document
from panosc_common.problem import Problem
from panosc_common.server import OrjsonResponse
from panosc_common.signed import DEFAULT_SECONDS, MAX_SECONDS, PARAMETER, Keys, Link
from pydantic import Field, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from panosc_archive import paths
from panosc_archive.access import Access
from panosc_archive.files import MAX_PAGE
from panosc_archive.settings import Settings

MAX_PAGES = 20
"""Pages of a folder for which a link is signed at most: each is looked at for why it is seen."""
_BUNDLE = re.compile(r"/datasets/(?P<pid>.+)/bundle\.(?P<kind>zip|tar)")
_FILES = re.compile(r"/files(?:/(?P<path>.*))?")


class Wanted(Document):
    """What a link is asked for."""

    resource: Annotated[str, Field(min_length=1, max_length=8192)]
    """Address of a file, folder or bundle of this archive, whole or from its `/files` or `/datasets` on."""
    expires_in: Annotated[int, Field(ge=1, le=MAX_SECONDS, strict=True)] = DEFAULT_SECONDS
    """Seconds for which the link is to open it."""


@dataclass(frozen=True)
class _File:
    path: str

    @property
    def url(self) -> str:
        return f"/files/{paths.encode(self.path)}".rstrip("/")

    async def sight(self, access: Access) -> Sight:
        """Why whoever asks may see it, or all that they may see in it. Raises Problem."""
        async with access.open(self.path, directories=True) as located:
            if not located.is_directory:
                return located.sight
            whole, after = NOTHING_CLOSED, ""
            for _ in range(MAX_PAGES):
                page = await access.children(located.path, after, MAX_PAGE)
                whole |= page.sight
                if page.next is None:
                    return whole
                after = page.next
        raise Problem(
            422,
            f"resource: {self.path!r} has more than {MAX_PAGES * MAX_PAGE} entries; ask for links to folders "
            "or files in it",
            field="resource",
        )


@dataclass(frozen=True)
class _Bundle:
    pid: str
    kind: str

    @property
    def url(self) -> str:
        return f"/datasets/{quote(self.pid, safe='')}/bundle.{self.kind}"

    async def sight(self, access: Access) -> Sight:
        """Why whoever asks may see it. Raises Problem."""
        return (await access.dataset(self.pid)).sight


class Signing:
    """The route that signs."""

    def __init__(self, settings: Settings, access: Access, keys: Keys) -> None:
        self._settings = settings
        self._access = access
        self._keys = keys

    async def post(self, request: Request) -> Response:
        """`POST /links`."""
        if "Authorization" not in request.headers:
            raise Problem(
                401,
                "links are signed for somebody: send Authorization: Bearer <access token>",
                headers={"WWW-Authenticate": "Bearer"},
            )
        wanted = _wanted(await request.body())
        identifier = uuid.uuid4().hex
        access = self._access.asked_by(request, signing=identifier)
        resource = self._resource(wanted.resource)
        sight = await resource.sight(access)
        if sight.subject is None:
            raise Problem(
                403, "the facility has no login that could tell who asks; what is public needs no signed link"
            )
        link = Link(
            archive=self._settings.name,
            subject=sight.subject,
            resource=unquote(resource.url),
            reasons=tuple(sorted(sight.reasons, key=str)),
            expires=int(time.time()) + wanted.expires_in,
            identifier=identifier,
        )
        url = f"{self._settings.public_url}{resource.url}?{PARAMETER}={self._keys.sign(link)}"
        told = {
            "url": url,
            "resource": link.resource,
            "expires": datetime.fromtimestamp(link.expires, UTC).isoformat().replace("+00:00", "Z"),
            "reasons": list(dict.fromkeys(map(str, link.reasons))),
            "identifier": identifier,
        }
        return OrjsonResponse(told, status_code=201, headers={"Cache-Control": "no-store"})

    def _resource(self, given: str) -> _File | _Bundle:
        """What the address names. Raises Problem 422."""
        address = urlsplit(given.removeprefix(self._settings.public_url))
        if not address.netloc and (bundle := _BUNDLE.fullmatch(address.path)):
            return _Bundle(unquote(bundle["pid"]), bundle["kind"])
        if not address.netloc and (file := _FILES.fullmatch(address.path)):
            try:
                return _File(paths.decode(file["path"] or ""))
            except paths.NotBeneath as error:
                raise self._no_resource(given) from error
        raise self._no_resource(given)

    def _no_resource(self, given: str) -> Problem:
        base = self._settings.public_url
        return Problem(
            422,
            f"resource: {given[:200]!r} is no file, folder or bundle of this archive; give an address such "
            f"as {base}/files/… or {base}/datasets/…/bundle.zip",
            field="resource",
        )


def _wanted(body: bytes) -> Wanted:
    try:
        return Wanted.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(map(str, first["loc"])) or "the body"
        raise Problem(
            422,
            f"{field}: {first['msg']}, but it is {str(first['input'])[:200]!r}; give a JSON object with "
            f"`resource`, an address in this archive, and perhaps `expiresIn`, 1 to {MAX_SECONDS} seconds",
            field=field,
        ) from error
