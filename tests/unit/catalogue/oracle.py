"""The filter language evaluated slowly and obviously over records in memory: what SQL must agree with."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from unit.catalogue import oracle_techniques as techniques
from unit.catalogue import oracle_units as units

TEXT_SEARCH = {
    "Dataset": ["title"],
    "Document": ["title", "summary"],
    "Instrument": ["name", "facility"],
    "File": ["name"],
    "Sample": ["name", "description"],
    "Technique": ["name"],
    "Parameter": ["name", "value"],
    "Member": ["role"],
    "person": ["fullName"],
    "affiliation": ["name", "city", "country"],
}
DATES = {"creationDate", "startDate", "endDate", "releaseDate"}
TO_ONE = {"instrument", "person", "affiliation", "dataset", "document"}


@dataclass
class Row:
    model: str
    key: Any
    fields: dict[str, Any]
    relations: dict[str, list["Row"]] = field(default_factory=dict)


def find(rows: Iterable[Row], query: dict[str, Any]) -> list[dict[str, Any]]:
    return [show(row, query) for row in select(rows, query)]


def count(rows: Iterable[Row], query: dict[str, Any]) -> int:
    return sum(accepts(row, query) for row in rows)


def select(rows: Iterable[Row], query: dict[str, Any]) -> list[Row]:
    found = sorted((row for row in rows if accepts(row, query)), key=lambda row: row.key)
    for item in reversed(query.get("order", [])):
        name, direction = item.split()
        present = [row for row in found if row.fields[name] is not None]
        present.sort(key=lambda row: comparable(name, row.fields[name]), reverse=direction == "DESC")
        found = present + [row for row in found if row.fields[name] is None]
    skip, limit = query.get("skip", 0), query.get("limit", 0)
    return found[skip : skip + limit] if limit else found[skip:]


def accepts(row: Row, query: dict[str, Any]) -> bool:
    where = query.get("where", {})
    if row.model == "Technique":
        fits = techniques.asked_for(where)(row)
    elif row.model == "Parameter":
        fits = units.satisfies(row, where)
    else:
        fits = satisfies(row, where)
    return fits and all(
        joins(row.relations[include["relation"]], include)
        for include in query.get("include", [])
        if restricts(include["scope"])
    )


def joins(others: list[Row], include: dict[str, Any]) -> bool:
    scope = include["scope"]
    if include["relation"] == "techniques" and scope.get("where"):
        nested = scope.get("include", [])
        if not techniques.satisfied(others, scope["where"]):
            return False
        if not any(restricts(inner["scope"]) for inner in nested):
            return True
    return any(accepts(other, scope) for other in others)


def restricts(scope: dict[str, Any]) -> bool:
    return bool(scope.get("where")) or any(
        restricts(include["scope"]) for include in scope.get("include", [])
    )


def show(row: Row, query: dict[str, Any]) -> dict[str, Any]:
    names = query.get("fields") or list(row.fields)
    fields = units.shown(row, query.get("where", {})) if row.model == "Parameter" else row.fields
    shown = {name: fields[name] for name in fields if name in names}
    includes: dict[str, list[dict[str, Any]]] = {}
    for include in query.get("include", []):
        includes.setdefault(include["relation"], []).append(include["scope"])
    for relation, scopes in includes.items():
        if relation in TO_ONE:
            rows = [row for row in row.relations[relation] if all(accepts(row, scope) for scope in scopes)]
            shown[relation] = show(rows[0], scopes[0]) if rows else None
            continue
        shown[relation] = []
        for position, scope in enumerate(scopes):
            fresh = [
                other
                for other in row.relations[relation]
                if not any(accepts(other, earlier) for earlier in scopes[:position])
            ]
            shown[relation].extend(show(other, scope) for other in select(fresh, scope))
    return shown


def satisfies(row: Row, where: dict[str, Any]) -> bool:
    for name, test in where.items():
        if name == "and":
            good = all(satisfies(row, part) for part in test)
        elif name == "or":
            good = any(satisfies(row, part) for part in test)
        elif name == "not":
            good = not satisfies(row, test)
        elif name == "text":
            good = satisfies_text(row, test)
        else:
            tests = test if isinstance(test, dict) else {"eq": test}
            good = all(
                compares(name, row.fields[name], operator, operand) for operator, operand in tests.items()
            )
        if not good:
            return False
    return True


def satisfies_text(row: Row, text: str) -> bool:
    values = [row.fields[key] for key in TEXT_SEARCH[row.model]]
    return any(isinstance(value, str) and text.lower() in value.lower() for value in values)


NEGATIVE = {"neq": "eq", "nin": "inq", "nlike": "like", "nilike": "ilike"}
ORDERED: dict[str, Callable[[Any, Any], bool]] = {
    "eq": lambda value, operand: value == operand,
    "gt": lambda value, operand: value > operand,
    "gte": lambda value, operand: value >= operand,
    "lt": lambda value, operand: value < operand,
    "lte": lambda value, operand: value <= operand,
}


def compares(name: str, value: Any, operator: str, operand: Any) -> bool:
    if operator == "not":
        tests = operand if isinstance(operand, dict) else {"eq": operand}
        return not all(compares(name, value, inner, tests[inner]) for inner in tests)
    if operator in NEGATIVE:
        return not compares(name, value, NEGATIVE[operator], operand)
    if isinstance(value, list):  # keywords
        if operand is None:
            return not value
        return any(compares(name, item, operator, operand) for item in value)
    if operator == "inq":
        return any(compares(name, value, "eq", item) for item in operand)
    if operator == "between":
        return compares(name, value, "gte", operand[0]) and compares(name, value, "lte", operand[1])
    if operator == "eq" and operand is None:
        return value is None
    if value is None:
        return False
    if operator in ("like", "ilike", "regexp"):
        flags = re.IGNORECASE if operator == "ilike" else 0
        pattern = operand
        if operator == "regexp":
            slashed = re.fullmatch(r"/(.*)/(i?)", operand)
            assert slashed is not None
            pattern, options = slashed.groups()
            flags = re.IGNORECASE if options else 0
        else:
            pattern = operand if "%" in operand else f"%{operand}%"
            pattern = "^" + "".join({"%": ".*", "_": "."}.get(c, re.escape(c)) for c in pattern) + "$"
        return re.search(pattern, written(value), flags) is not None
    left, right = comparable(name, value), comparable(name, operand)
    return type(left) is type(right) and ORDERED[operator](left, right)


def written(value: Any) -> str:
    return f"{value:g}" if isinstance(value, int | float) else value


def comparable(name: str, value: Any) -> Any:
    """The value as it is ordered: dates as instants, numbers and numeric text of parameters as numbers."""
    if name == "isPublic":
        return str(value).lower()
    if name in DATES:
        instant = datetime.fromisoformat(value)
        return instant if instant.tzinfo else instant.replace(tzinfo=UTC)
    if name in ("value", "size"):
        try:
            return float(value)
        except ValueError:
            return value
    return value if isinstance(value, list) else str(value)
