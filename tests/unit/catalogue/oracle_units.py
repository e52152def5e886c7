"""Conditions on parameters that name a unit, evaluated slowly with a few units written down here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from unit.catalogue import oracle

# What a unit measures, and how its values become those of the first unit of their kind.
UNITS = {
    "K": ("temperature", 1.0, 0.0),
    "degC": ("temperature", 1.0, 273.15),
    "eV": ("energy", 1.0, 0.0),
    "keV": ("energy", 1000.0, 0.0),
    None: ("number", 1.0, 0.0),
}
NUMERIC = {"eq", "neq", "gt", "gte", "lt", "lte", "between", "inq", "nin"}
Test = tuple[str, str, Any]


def satisfies(row: oracle.Row, where: dict[str, Any], unit: str | None = None) -> bool:
    """Whether the parameter satisfies the condition; `unit` is that of the conditions around it."""
    unit, tests = _in_unit(where, unit)
    if unit is not None and len(tests) < len(list(_tests(where))) and _kind(row) != UNITS[unit][0]:
        return False
    return all(_passes(row, test, unit) for test in tests)


def shown(row: oracle.Row, where: dict[str, Any]) -> dict[str, Any]:
    """The parameter's fields in the first unit that the condition names for what it measures."""
    for unit in _units(where, None):
        kind, scale, offset = UNITS[unit]
        if kind == _kind(row):
            value = float(f"{(_number(row) - offset) / scale:.12g}")
            return {**row.fields, "value": value, "unit": unit}
    return row.fields


def _in_unit(where: dict[str, Any], unit: str | None) -> tuple[str | None, list[Test]]:
    """The unit of the values compared in `where`, and what it says else."""
    tests = list(_tests(where))
    named = [test for test in tests if test[:2] == ("unit", "eq") and test[2] is not None]
    if not named or not any(_compares_numbers(test) for test in tests):
        return unit, tests
    return named[0][2], [test for test in tests if test not in named]


def _units(where: dict[str, Any], unit: str | None) -> Iterator[str]:
    own, tests = _in_unit(where, unit)
    if own is not None and len(tests) < len(list(_tests(where))):
        yield own
    for name, operator, operand in tests:
        for part in operand if name == "or" else [operand] if name == "not" else []:
            yield from _units(part, own)
        if operator == "not":
            yield from _units({name: operand}, own)


def _tests(where: dict[str, Any]) -> Iterator[Test]:
    """The field, operator and operand of each test that must pass."""
    for name, test in where.items():
        if name == "and":
            for part in test:
                yield from _tests(part)
        elif name in ("or", "not", "text"):
            yield name, "", test
        else:
            for pair in (test if isinstance(test, dict) else {"eq": test}).items():
                yield name, *pair


def _passes(row: oracle.Row, test: Test, unit: str | None) -> bool:
    name, operator, operand = test
    match name:
        case "or":
            return any(satisfies(row, part, unit) for part in operand)
        case "not":
            return not satisfies(row, operand, unit)
        case "text":
            return oracle.satisfies_text(row, operand)
    if operator == "not":
        return not satisfies(row, {name: operand}, unit)
    if unit is None or not _compares_numbers(test):
        return oracle.compares(name, row.fields[name], operator, operand)
    values = operand if isinstance(operand, list) else [operand]
    common = [_common(float(value), unit) for value in values]
    own = None if _kind(row) is None else _common(_number(row), row.fields["unit"])
    return oracle.compares("value", own, operator, common if isinstance(operand, list) else common[0])


def _compares_numbers(test: Test) -> bool:
    name, operator, operand = test
    if name == "or":
        return any(_compares_numbers(inner) for part in operand for inner in _tests(part))
    if name == "not" or operator == "not":
        return any(_compares_numbers(t) for t in _tests(operand if name == "not" else {name: operand}))
    values = operand if isinstance(operand, list) else [operand]
    return name == "value" and operator in NUMERIC and bool(values) and all(map(_is_number, values))


def _is_number(value: Any) -> bool:
    return isinstance(oracle.comparable("value", value), float) if value is not None else False


def _kind(row: oracle.Row) -> str | None:
    return UNITS[row.fields["unit"]][0] if _is_number(row.fields["value"]) else None


def _number(row: oracle.Row) -> float:
    return float(row.fields["value"])


def _common(value: float, unit: str | None) -> float:
    _, scale, offset = UNITS[unit]
    return round(value * scale + offset, 9)
