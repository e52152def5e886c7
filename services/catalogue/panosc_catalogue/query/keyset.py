"""Paging by keyset: where a page ended, as an opaque cursor, and the condition for what comes after it.

Unlike `skip` it costs the same however deep the page is, and a record that comes or goes meanwhile moves no
other one to another page (https://use-the-index-luke.com/no-offset).
"""

import base64
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import orjson

from panosc_catalogue.query.errors import FilterError
from panosc_catalogue.query.model import Field, Kind
from panosc_catalogue.query.syntax import Filter

NO_CURSOR = "cursor is none that this service gave; begin again without it"
_CASTS = {
    Kind.TEXT: "text",
    Kind.TEXTS: "text[]",
    Kind.NUMBER: "double precision",
    Kind.DATE: "timestamptz",
    Kind.BOOLEAN: "boolean",
    Kind.VALUE: "text",
}


@dataclass(frozen=True)
class Key:
    """One expression that rows are sorted by; rows where it is null come last in both directions."""

    sql: str
    cast: str
    descending: bool = False
    nullable: bool = True

    @property
    def order(self) -> str:
        """As it stands in ORDER BY."""
        return f"{self.sql} {'DESC' if self.descending else 'ASC'}{' NULLS LAST' if self.nullable else ''}"


def key(field: Field, alias: str, *, descending: bool) -> Key:
    """The key that sorts by a field: texts by code point, missing dates as if they never came."""
    column = field.sql.format(alias)
    if field.kind is Kind.DATE:
        # Not null, so that one range of an index holds all that follows a date.
        never = "-infinity" if descending else "infinity"
        return Key(f"coalesce({column}, '{never}')", "timestamptz", descending, nullable=False)
    if field.kind in (Kind.TEXT, Kind.VALUE):
        column += ' COLLATE "C"'
    return Key(column, _CASTS[field.kind], descending, field.nullable)


def following(keys: Sequence[Key], place: Sequence[str | None], parameter: Callable[[str, str], str]) -> str:
    """The condition on rows that come after the one whose keys have these values.

    Raises FilterError if these are not as many: then somebody made the cursor up.
    """
    if len(place) != len(keys):
        raise FilterError(NO_CURSOR)
    alternatives: list[str] = []
    equal: list[str] = []
    for one, value in zip(keys, place, strict=True):
        if value is None:
            equal.append(f"{one.sql} IS NULL")
            continue
        bound = parameter(value, one.cast)
        beyond = f"{one.sql} {'<' if one.descending else '>'} {bound}"
        beyond = f"({beyond} OR {one.sql} IS NULL)" if one.nullable else beyond
        alternatives.append(" AND ".join([*equal, beyond]))
        equal.append(f"{one.sql} = {bound}")
    condition = f"({' OR '.join(f'({part})' for part in alternatives) or 'false'})"
    first, value = keys[0], place[0]
    if len(keys) > 1 and not first.nullable and value is not None:
        # Says nothing new, but as a range that an index can begin at.
        condition += f" AND {first.sql} {'<=' if first.descending else '>='} {parameter(value, first.cast)}"
    return condition


def encode(query: Filter, place: Sequence[str | None]) -> str:
    """The cursor of the page that follows the row at `place` in the filter's order."""
    content = orjson.dumps([_order_of(query), *place])
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def decode(query: Filter, cursor: str) -> tuple[str | None, ...]:
    """The place that a cursor tells.

    Raises FilterError if it is none, or one of another order.
    """
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        order, *place = orjson.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, TypeError) as error:
        raise FilterError(NO_CURSOR) from error
    if order != _order_of(query) or not all(isinstance(value, str | None) for value in place):
        raise FilterError("cursor is of another collection, order, query or limit; begin again without it")
    if any("\0" in value for value in place if value):
        raise FilterError("cursor holds a NUL character")
    return tuple(place)


def _order_of(query: Filter) -> str:
    """A digest of what decides the order of rows."""
    order = [(part.field.sql, part.descending) for part in query.order]
    return hashlib.blake2s(
        repr((query.model.name, order, query.terms, query.ranked)).encode(), digest_size=6
    ).hexdigest()
