"""`panosc-catalogue load`: JSON Lines in the search API's model into the database."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import psycopg
from pydantic import ValidationError

from panosc_catalogue import store
from panosc_catalogue.records import LINE, Line

BATCH = 500
"""Lines that are written in one transaction."""

ORIGIN = store.Origin("load")


@dataclass(frozen=True)
class BadLine:
    """A line that was left out: its number from 1, the field and what is wrong with it."""

    number: int
    field: str
    message: str

    def __str__(self) -> str:
        return (
            f"line {self.number}: {self.field}: {self.message}"
            if self.field
            else f"line {self.number}: {self.message}"
        )


@dataclass
class Tally:
    """How many lines were written and left out."""

    loaded: int = 0
    refused: int = 0


def load(
    connection: psycopg.Connection[Any],
    lines: Iterable[bytes],
    report: Callable[[BadLine], None],
    progress: Callable[[Tally], None],
) -> Tally:
    """Write all good lines, a batch in a transaction, and report the others.

    Loading the same lines again changes nothing. `connection` must be in autocommit mode.
    """
    tally = Tally()

    def refuse(bad: BadLine) -> None:
        tally.refused += 1
        report(bad)

    records = _parsed(lines, refuse)
    while batch := list(islice(records, BATCH)):
        tally.loaded += _write(connection, batch, refuse)
        progress(tally)
    store.settle_words(connection)
    return tally


def _parsed(lines: Iterable[bytes], refuse: Callable[[BadLine], None]) -> Iterator[tuple[int, Line]]:
    for number, line in enumerate(lines, start=1):
        if line.isspace() or not line:
            continue
        try:
            yield number, LINE.validate_json(line.removeprefix(b"\xef\xbb\xbf"))
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            # The first part of the place is the kind, which the line itself says.
            place = ".".join(str(part) for part in first["loc"][1:])
            refuse(BadLine(number, place, first["msg"]))


def _write(
    connection: psycopg.Connection[Any], batch: list[tuple[int, Line]], refuse: Callable[[BadLine], None]
) -> int:
    """Write the batch; if the database refuses it, line by line, so that only the bad ones are left out."""
    try:
        with connection.transaction():
            store.write(connection, (record for _, record in batch), ORIGIN)
        return len(batch)
    except (psycopg.DataError, psycopg.errors.ProgramLimitExceeded) as error:
        if len(batch) == 1:
            refuse(BadLine(batch[0][0], "", error.diag.message_primary or str(error)))
            return 0
    return sum(_write(connection, [one], refuse) for one in batch)
