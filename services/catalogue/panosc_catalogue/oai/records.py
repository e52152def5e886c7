"""Headers of the records that are or were public, from `oai_record`."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, get_args
from urllib.parse import quote, unquote

from panosc_catalogue.datacite.description import Kind
from panosc_catalogue.oai.request import Selection
from panosc_catalogue.oai.sets import with_terms_above, with_terms_below
from panosc_catalogue.site import Site

PAGE = 200
"""Records in one answer."""
_EXPOSED = "FROM oai_record o WHERE o.state <> 'hidden'"
_COLUMNS = "o.id, o.kind, o.record, o.pid, o.state = 'deleted', o.datestamp, o.sets"
# As sets of which every record, or every one of a kind, is a member.
_WHOLE = {"openaire_data": "true", **{kind: f"o.kind = '{kind}'" for kind in get_args(Kind)}}
_UNESCAPED = "-_.!~*'();/?:@&=+$,"
_DOMAIN = re.compile(r"[a-z][a-z0-9-]*(\.[a-z][a-z0-9-]*)+", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True)
class Header:
    """A record's header."""

    number: int
    """Its place in the order of every harvest."""
    kind: Kind
    row: int
    pid: str
    deleted: bool
    datestamp: datetime
    sets: tuple[str, ...]


@dataclass(frozen=True)
class Identifiers:
    """Identifiers as the OAI's guidelines want them: `oai:<host>:<kind>/<pid>`.

    A document and a dataset may have the same pid, so the kind is a part of them.
    """

    host: str

    @property
    def are_domain(self) -> bool:
        """Whether the host is one as the guidelines want: a domain name."""
        return _DOMAIN.fullmatch(self.host) is not None

    def of(self, kind: Kind, pid: str) -> str:
        """The record's identifier."""
        return f"oai:{self.host}:{kind}/{quote(pid, safe=_UNESCAPED)}"

    def read(self, identifier: str) -> tuple[Kind, str] | None:
        """Kind and pid of the record with this identifier; None if it is none of ours."""
        for kind in get_args(Kind):
            prefix = self.of(kind, "")
            if identifier.startswith(prefix):
                pid = unquote(identifier.removeprefix(prefix))
                return (kind, pid) if self.of(kind, pid) == identifier and "\0" not in pid else None
        return None


async def one(site: Site, kind: Kind, pid: str) -> Header | None:
    """The header of a record; None if there is none, or was never a public one."""
    sql = f"SELECT {_COLUMNS} {_EXPOSED} AND o.kind = %(kind)s AND o.pid = %(pid)s"
    rows = await site.rows(sql, {"kind": kind, "pid": pid})
    return _header(site, rows[0]) if rows else None


async def page(site: Site, selection: Selection) -> tuple[list[Header], bool]:
    """The next headers of the list, at most PAGE, and whether there are more."""
    condition, parameters = _condition(site, selection)
    sql = f"SELECT {_COLUMNS} {_EXPOSED} AND {condition} AND o.id > %(after)s ORDER BY o.id LIMIT %(limit)s"
    rows = await site.rows(sql, {**parameters, "after": selection.after, "limit": PAGE + 1})
    return [_header(site, row) for row in rows[:PAGE]], len(rows) > PAGE


async def count(site: Site, selection: Selection) -> int:
    """How many records the list has."""
    condition, parameters = _condition(site, selection)
    ((size,),) = await site.rows(f"SELECT count(*) {_EXPOSED} AND {condition}", parameters)
    return int(size)


async def earliest(site: Site) -> datetime | None:
    """The earliest datestamp of all."""
    ((datestamp,),) = await site.rows(f"SELECT min(o.datestamp) {_EXPOSED}", {})
    return datestamp.astimezone(UTC) if datestamp else None


def _condition(site: Site, selection: Selection) -> tuple[str, dict[str, Any]]:
    since, before = selection.window()
    conditions = ["true"]
    if since:
        conditions.append("o.datestamp >= %(since)s")
    if before:
        conditions.append("o.datestamp < %(before)s")
    if selection.set:
        conditions.append(_WHOLE.get(selection.set, "o.sets && %(sets)s"))
    members = with_terms_below(site.panet, selection.set) if selection.set else []
    return " AND ".join(conditions), {"since": since, "before": before, "sets": members}


def _header(site: Site, row: tuple[Any, ...]) -> Header:
    number, kind, record, pid, deleted, datestamp, sets = row
    names = with_terms_above(site.panet, sets)
    return Header(number, kind, record, pid, deleted, datestamp.astimezone(UTC), names)
