# ruff: noqa: S608 -- SQL is made here of our own columns and parameters
"""SQL of a parameter's value: number, text or range, as stored or in SI."""

from panosc_common.units import Unit

_COMPARE = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
# A value that went to SI and back shows no digits that rounding made.
_ROUNDED = "to_char({0}, '9.99999999999EEEE')::double precision"


def text(alias: str) -> str:
    """The value as text."""
    number = f"{alias}.number_value::text || coalesce(' to ' || {alias}.number_upper::text, '')"
    return f"coalesce({alias}.text_value, {number})"


def overlaps(operator: str, lower: str, upper: str, operands: list[str]) -> str:
    """Whether the value, or any value of the range, compares so; `upper` is null for a single value."""
    match operator:
        case "gt" | "gte":
            return (
                f"({lower} {_COMPARE[operator]} {operands[0]} OR {upper} {_COMPARE[operator]} {operands[0]})"
            )
        case "lt" | "lte":
            return f"{lower} {_COMPARE[operator]} {operands[0]}"
        case _:
            start, end = operands[0], operands[-1]
            inside = f"{lower} BETWEEN {start} AND {end}"
            around = f"{lower} < {start} AND {upper} >= {start} AND {start} <= {end}"
            return f"({inside} OR {around})"


def overlaps_any(lower: str, upper: str, numbers: str) -> str:
    """Whether the value, or any value of the range, is one of the array `numbers`."""
    inside = f"SELECT 1 FROM unnest({numbers}) e(number) WHERE e.number BETWEEN {lower} AND {upper}"
    return f"{lower} = ANY({numbers}) OR ({upper} IS NOT NULL AND EXISTS ({inside}))"


def shown_in(alias: str, units: list[tuple[str, Unit]], otherwise: str) -> str:
    """JSON of the value in the unit of its dimension, whose SQL stands beside each unit."""
    cases = []
    for dimension, unit in units:
        lower, upper = (
            _ROUNDED.format(f"({alias}.{column} - {unit.offset!r}) / {unit.scale!r}")
            for column in ("si_value", "si_upper")
        )
        number = f"WHEN {alias}.si_dimension = {dimension} AND {alias}.si_upper IS NULL THEN to_json({lower})"
        span = (
            f"WHEN {alias}.si_dimension = {dimension} THEN to_json({lower}::text || ' to ' || {upper}::text)"
        )
        cases += [number, span]
    return f"CASE {' '.join(cases)} ELSE {otherwise} END"
