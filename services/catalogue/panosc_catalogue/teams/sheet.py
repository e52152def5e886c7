"""Teams as a table: CSV (RFC 4180) with a header, a line for each person of each proposal. No I/O.

A file is right as a whole or not at all: whoever is left out of a team loses its data.
"""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError

from panosc_catalogue.teams.people import (
    MAX_MEMBERS,
    REMEDIES,
    Named,
    Proposal,
    named_twice,
    team_of,
)

COLUMNS = ("proposal", "role", "name", "orcid", "identifier", "email")
REQUIRED = ("proposal", "role")
MAX_FLAWS = 20
"""Flaws that are told at a time."""
MAX_SHOWN = 100
"""Characters of a wrong value that are told."""
_PROPOSAL: TypeAdapter[str] = TypeAdapter(Proposal)
_HEADER = (
    f"begin with a line of names of columns, separated by commas: {', '.join(COLUMNS)}; "
    f"{' and '.join(REQUIRED)} are required"
)


@dataclass(frozen=True)
class Flaw:
    """What is wrong in a line, the header being line 1; without a column the line itself is."""

    line: int
    column: str
    value: str
    remedy: str

    def __str__(self) -> str:
        place = f"line {self.line}" + (f", {self.column}" if self.column else "")
        return f"{place}: {self.value!r}: {self.remedy}"

    def document(self) -> dict[str, Any]:
        """The flaw as the interface tells it."""
        return {"line": self.line, "column": self.column, "value": self.value, "remedy": self.remedy}


class Flawed(Exception):
    """A file that is not taken, with the first MAX_FLAWS of its flaws."""

    def __init__(self, flaws: list[Flaw]) -> None:
        super().__init__("; ".join(map(str, flaws)))
        self.flaws = flaws


@dataclass(frozen=True)
class _Line:
    number: int
    cells: list[str]


def read(content: bytes, facility: str) -> dict[str, list[Named]]:
    """The teams of a file by `team_of` their proposals; raises Flawed."""
    flaws: list[Flaw] = []
    teams: dict[str, list[Named]] = {}
    places: dict[str, list[int]] = {}
    lines = _lines(_text(content))
    columns = _columns(next(lines, _Line(1, [])))
    for line in lines:
        if len(line.cells) != len(columns):
            why = f"give {len(columns)} cells, as the header has, and quotes around a cell with a comma"
            flaws.append(Flaw(line.number, "", ",".join(line.cells)[:MAX_SHOWN], why))
        else:
            given = dict(zip(columns, line.cells, strict=True))
            try:
                team = team_of(facility, _PROPOSAL.validate_python(given.pop("proposal")))
                person = Named.model_validate({name: cell for name, cell in given.items() if cell})
            except ValidationError as error:
                flaws += _flaws(error, line, dict(zip(columns, line.cells, strict=True)))
            else:
                teams.setdefault(team, []).append(person)
                places.setdefault(team, []).append(line.number)
        if len(flaws) >= MAX_FLAWS:
            break
    flaws += _of_teams(teams, places)
    if flaws:
        raise Flawed(sorted(flaws, key=lambda flaw: flaw.line)[:MAX_FLAWS])
    return teams


def _text(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        value = content[error.start : error.start + 8].hex(" ")
        raise Flawed([Flaw(line, "", value, "these bytes are no UTF-8: save the file as UTF-8")]) from error


def _lines(text: str) -> Iterator[_Line]:
    """The lines that are not empty; a cell with line breaks makes one of several, called by its first."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    number = 1
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as error:
            why = f"{error}: write quotes around a cell with a comma or quotes, and quotes in it twice"
            raise Flawed([Flaw(number, "", "", why)]) from error
        if cells is None:
            return
        if cells:
            yield _Line(number, [cell.strip(" ") for cell in cells])
        number = reader.line_num + 1


def _columns(header: _Line) -> list[str]:
    names = [name.lower() for name in header.cells]
    wrong = [name for name in names if name not in COLUMNS or names.count(name) > 1]
    missing = [name for name in REQUIRED if name not in names]
    if wrong or missing:
        value = ",".join(header.cells)[:MAX_SHOWN]
        raise Flawed([Flaw(header.number, (wrong or missing)[0][:MAX_SHOWN], value, _HEADER)])
    return names


def _flaws(error: ValidationError, line: _Line, given: dict[str, str]) -> Iterator[Flaw]:
    for one in error.errors(include_url=False, include_context=False):
        # A value of the proposal is looked at alone; who is nobody is so by all the cells together.
        is_nobody = error.title == Named.__name__ and not one["loc"]
        column = "" if is_nobody else str(one["loc"][0]) if one["loc"] else "proposal"
        value = given.get(column, "")[:MAX_SHOWN]
        yield Flaw(
            line.number, column, value, REMEDIES.get(column) or one["msg"].removeprefix("Value error, ")
        )


def _of_teams(teams: dict[str, list[Named]], places: dict[str, list[int]]) -> Iterator[Flaw]:
    for team, people in teams.items():
        lines = places[team]
        if len(people) > MAX_MEMBERS:
            why = f"a proposal has {MAX_MEMBERS} people at most: leave some out"
            yield Flaw(lines[MAX_MEMBERS], "proposal", team, why)
        for position, before, who in named_twice(people):
            kind, _, value = who.partition(":")
            why = f"line {lines[before]} names them for the same proposal: name everybody once"
            yield Flaw(lines[position], kind, value, why)
