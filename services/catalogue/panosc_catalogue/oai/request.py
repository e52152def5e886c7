"""Requests: the six verbs with their arguments, and the tokens with which lists go on."""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal, Self, cast
from urllib.parse import parse_qsl

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from panosc_catalogue.oai.errors import OaiError

Verb = Literal["Identify", "ListMetadataFormats", "ListSets", "GetRecord", "ListIdentifiers", "ListRecords"]
_LIST = ({"metadataPrefix"}, {"from", "until", "set", "resumptionToken"})
# Of each verb the arguments that it needs, and those that it may have beside.
_ARGUMENTS: Mapping[Verb, tuple[set[str], set[str]]] = {
    "Identify": (set(), set()),
    "ListMetadataFormats": (set(), {"identifier"}),
    "ListSets": (set(), {"resumptionToken"}),
    "GetRecord": ({"identifier", "metadataPrefix"}, set()),
    "ListIdentifiers": _LIST,
    "ListRecords": _LIST,
}
_PREFIX = re.compile(r"[A-Za-z0-9\-_.!~*'()]+", re.ASCII)
_SET = re.compile(f"{_PREFIX.pattern}(:{_PREFIX.pattern})*", re.ASCII)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_SECOND = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z", re.ASCII)


@dataclass(frozen=True)
class Request:
    """A verb with arguments that it may have; those that it needs are there."""

    verb: Verb
    arguments: Mapping[str, str]


def read(query: bytes) -> Request:
    """The request in a query string or form.

    Raises OaiError: badVerb, badArgument.
    """
    try:
        pairs = parse_qsl(query.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=32)
    except ValueError as error:
        raise OaiError("badArgument", "the arguments are not percent-encoded UTF-8") from error
    verbs = [value for name, value in pairs if name == "verb"]
    if len(verbs) != 1 or verbs[0] not in _ARGUMENTS:
        raise OaiError("badVerb", f"give one verb, of {', '.join(_ARGUMENTS)}")
    verb = cast(Verb, verbs[0])
    arguments = {name: value for name, value in pairs if name != "verb"}
    if len(arguments) < len(pairs) - 1:
        raise OaiError("badArgument", "an argument is given twice")
    if any(character < " " for value in arguments.values() for character in value):
        raise OaiError("badArgument", "an argument holds a control character")
    needed, optional = _ARGUMENTS[verb]
    if unknown := set(arguments) - needed - optional:
        raise OaiError("badArgument", f"{verb} has no argument {min(unknown)[:64]!r}")
    if not _PREFIX.fullmatch(arguments.get("metadataPrefix", "x")):
        raise OaiError("badArgument", "metadataPrefix is not the name of a format")
    if "resumptionToken" in arguments:
        if len(arguments) > 1:
            raise OaiError("badArgument", "a resumptionToken is given alone: it holds the other arguments")
    elif missing := needed - set(arguments):
        raise OaiError("badArgument", f"{verb} needs the argument {min(missing)!r}")
    return Request(verb, arguments)


class Selection(BaseModel):
    """What a list is of, and how much of it was given; as JSON the content of a resumption token.

    The token holds all there is to know, so it stays good for as long as the service speaks this protocol,
    on every replica. `after` is the order number of the last record given, which never changes: records that
    change meanwhile are neither left out nor given twice.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    verb: Literal["ListIdentifiers", "ListRecords"]
    prefix: str
    set: Annotated[str, Field(pattern=f"^{_SET.pattern}$", max_length=500)] | None = None
    since: str | None = None
    until: str | None = None
    after: Annotated[int, Field(ge=0, lt=2**63)] = 0
    given: Annotated[int, Field(ge=0, lt=2**63)] = 0
    """Records given up to now."""
    size: Annotated[int, Field(ge=0, lt=2**63)] = 0
    """Records that the list had when it began."""

    @classmethod
    def of(cls, request: Request) -> Self:
        """The selection that the request begins or goes on with.

        Raises OaiError: badArgument, badResumptionToken.
        """
        if "resumptionToken" in request.arguments:
            return cls._resumed(request)
        given = request.arguments
        if "set" in given and not _SET.fullmatch(given["set"]):
            raise OaiError("badArgument", "set is not the name of a set")
        selection = cls(
            verb=cast(Literal["ListIdentifiers", "ListRecords"], request.verb),
            prefix=given["metadataPrefix"],
            set=given.get("set"),
            since=given.get("from"),
            until=given.get("until"),
        )
        selection.window()
        return selection

    @classmethod
    def _resumed(cls, request: Request) -> Self:
        try:
            text = request.arguments["resumptionToken"].encode("ascii")
            selection = cls.model_validate_json(base64.b64decode(text, altchars=b"-_", validate=True))
            selection.window()
        except (binascii.Error, UnicodeEncodeError, ValidationError, OaiError) as error:
            raise OaiError("badResumptionToken", "this is no token of this service") from error
        if selection.verb != request.verb:
            raise OaiError("badResumptionToken", f"the token is one of {selection.verb}")
        return selection

    def token(self) -> str:
        """The resumption token."""
        return base64.urlsafe_b64encode(self.model_dump_json(exclude_defaults=True).encode()).decode()

    def window(self) -> tuple[datetime | None, datetime | None]:
        """The first second, and the one behind the last second, of the datestamps that are asked for.

        Raises OaiError badArgument.
        """
        if self.since and self.until and len(self.since) != len(self.until):
            raise OaiError("badArgument", "from and until are not of the same granularity")
        since = _instant("from", self.since) if self.since is not None else None
        until = _instant("until", self.until) if self.until is not None else None
        if since and until and since > until:
            raise OaiError("badArgument", "from lies behind until")
        if until is None or self.until is None:
            return since, None
        unit = timedelta(days=1) if _DAY.fullmatch(self.until) else timedelta(seconds=1)
        return since, until + unit if until < datetime.max.replace(tzinfo=UTC) - unit else None


def _instant(name: str, text: str) -> datetime:
    form = "%Y-%m-%d" if _DAY.fullmatch(text) else "%Y-%m-%dT%H:%M:%SZ" if _SECOND.fullmatch(text) else ""
    try:
        if form:
            return datetime.strptime(text, form).replace(tzinfo=UTC)
    except ValueError:
        pass
    raise OaiError("badArgument", f"{name} is no date: write YYYY-MM-DD or YYYY-MM-DDThh:mm:ssZ, in UTC")
