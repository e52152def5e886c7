"""The axioms of PaNET's source, a table for ROBOT (https://robot.obolibrary.org/template).

The second row says what a column holds: `SC %` superclasses; `EC %` parts of one definition, of which ROBOT
takes the intersection; `CI` either of the two, as the column CLASS_TYPE says. A cell names a class by label
or CURIE, or holds `('property' some 'class')` or an intersection of such.
"""

import csv
import re
from collections import ChainMap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

Atom = str | tuple[str, str]
"""A class, or a property and the class that some value of it has."""

TECHNIQUE = re.compile(r"PaNET\d{5}")
"""Local names of techniques; longer ones are of what defines them."""

_ID = re.compile(r"(?:/|PaNET:)(PaNET\d+)$")
_SOME = re.compile(r"(\S+|'[^']+') some (.+)")


@dataclass
class Entity:
    """A class or property and what is said of it."""

    label: str
    synonyms: list[str] = field(default_factory=list)
    superclasses: list[Atom] = field(default_factory=list)
    definition: list[Atom] = field(default_factory=list)
    superproperty: str | None = None
    domain: str | None = None


@dataclass(frozen=True)
class _Names:
    """Local names by label: of classes, and of what a property's value is."""

    classes: Mapping[str, str]
    values: Mapping[str, str]


def read(lines: Iterable[str]) -> dict[str, Entity]:
    """The entities of a source table by local name.

    Raises ValueError for a label that is nothing's or several entities'.
    """
    rows = csv.reader(lines)
    next(rows)
    columns = next(rows)
    described = [(match[1], row) for row in rows if len(row) > 1 and (match := _ID.search(row[1]))]
    entities: dict[str, Entity] = {}
    for name, row in described:
        entities.setdefault(name, Entity(_words(row[2])))
    named = {True: dict[str, str](), False: dict[str, str]()}
    for name, entity in entities.items():
        if (
            named[bool(TECHNIQUE.fullmatch(name))].setdefault(entity.label.lower(), name) != name
            and entity.label
        ):
            raise ValueError(f'"{entity.label}" is the label of {name} and of another entity of its sort')
    # What defines a technique may have the technique's label, and is not meant where a technique stands.
    names = _Names(ChainMap(named[True], named[False]), ChainMap(named[False], named[True]))
    for name, row in described:
        _describe(entities[name], list(zip(columns, row, strict=False)), names)
    return entities


def _describe(entity: Entity, cells: list[tuple[str, str]], names: _Names) -> None:
    defines = ("CLASS_TYPE", "equivalent") in cells
    for column, cell in cells:
        if not cell or cell == "owl:Thing":
            continue
        if column.startswith("A ") and column.endswith("#altLabel"):
            entity.synonyms.append(_words(cell))
        elif column == "SC %" or (column == "CI" and not defines):
            entity.superclasses.extend(_atoms(cell, names))
        elif column in ("EC %", "CI"):
            entity.definition.extend(_atoms(cell, names))
        elif column == "SP %" and not cell.startswith("owl:"):
            entity.superproperty = _reference(cell, names.values)
        elif column == "DOMAIN":
            entity.domain = _reference(cell, names.classes)


def _atoms(cell: str, names: _Names) -> Iterator[Atom]:
    if re.match(r"https?://(?!purl\.org/pan-science)|CHMO:", cell):
        return  # the same thing in another ontology
    for part in re.split(r"\s+and\s+(?=['P(])", cell.strip().removeprefix("(").removesuffix(")")):
        if some := _SOME.fullmatch(part.strip()):
            yield _reference(some[1], names.values), _reference(some[2], names.values)
        else:
            yield _reference(part, names.classes)


def _reference(text: str, names: Mapping[str, str]) -> str:
    text = _words(text.strip().strip("'"))
    if match := _ID.search(text):
        return match[1]
    if text.lower() not in names:
        raise ValueError(f'"{text}" is the label of nothing in the table')
    return names[text.lower()]


def _words(text: str) -> str:
    return " ".join(text.split())
