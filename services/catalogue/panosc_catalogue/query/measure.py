# ruff: noqa: S608 -- SQL is made here of the model's own pieces; whatever a request says is a parameter
"""Parameters whose value is asked for in a unit: compared in SI, answered in the unit that was named.

A condition that names a unit means the comparisons of `value` beside it and below it. Energies and
wavelengths are not converted into each other: a unit of another dimension than the parameter's is refused.
"""

from collections.abc import Iterator

from panosc_common.units import kind, parse_unit

from panosc_catalogue.query.errors import FilterError
from panosc_catalogue.query.model import CLOCK, MODELS, MONTHS
from panosc_catalogue.query.syntax import (
    Comparison,
    Condition,
    Filter,
    Junction,
    Measured,
    Measures,
    NamedUnit,
    Negation,
)

_PARAMETER = MODELS["Parameter"].fields
# A value that was converted to SI and one that was converted from another unit may differ by rounding.
_TOLERANCE = 1e-12


def in_units(condition: Condition) -> Condition:
    """The condition on parameters with its comparisons of values in SI wherever it names their unit.

    Raises FilterError for a unit that is not understood, and for two units of the same values.
    """
    return _converted(condition, None, ())


def units(condition: Condition | None) -> tuple[NamedUnit, ...]:
    """The units in which the condition's rows are to be answered, in the order in which they are named."""
    return tuple({measures.unit: None for measures in _walk(condition)})


def expectations(query: Filter) -> Iterator[Measures]:
    """What the filter, its includes and theirs expect parameters to measure."""
    yield from _walk(query.where)
    for include in query.includes:
        yield from expectations(include.scope)


def pairs(query: Filter) -> frozenset[tuple[str, str]]:
    """Parameter and dimension of each unit that the filter names of a certain parameter."""
    return frozenset(
        (name, measures.unit.unit.dimension) for measures in expectations(query) for name in measures.names
    )


def shown_to_fit(query: Filter) -> bool:
    """Whether any row that passes the filter shows that its units fit: it must have each of the values."""
    expected = list(expectations(query))
    return list(_demanded(query)) == expected and all(len(measures.names) <= 1 for measures in expected)


MISMATCHES = """
SELECT a.name, a.unit, a.dimension, k.si_dimension, coalesce(k.unit, '')
FROM jsonb_to_recordset(%(asked)s::jsonb) AS a(name text, dimension text, unit text)
JOIN parameter_dimension k ON k.name = a.name
WHERE NOT EXISTS (SELECT 1 FROM parameter_dimension m WHERE m.name = a.name AND m.si_dimension = a.dimension)
ORDER BY k.si_dimension = '1', a.name, k.si_dimension LIMIT 1  -- numbers without a unit explain least
"""
"""What is asked in `asked`, a JSON array of name, dimension and unit, against what the parameters of these
names have measured in public: the first of which nothing has that dimension."""


def _known(owner: str, rows: str) -> str:
    return f"""
        INSERT INTO parameter_dimension (name, si_dimension, unit)
        SELECT DISTINCT ON (p.name, p.si_dimension) p.name, p.si_dimension, p.unit
        FROM {rows} v JOIN parameter p ON p.{owner} = v.id
        WHERE v.id = ANY(%(rows)s) AND p.si_dimension IS NOT NULL AND NOT EXISTS (
            SELECT 1 FROM parameter_dimension m WHERE m.name = p.name AND m.si_dimension = p.si_dimension
        )
        ORDER BY p.name, p.si_dimension, p.unit
        ON CONFLICT DO NOTHING
    """


KNOWN = {
    "datasets": _known("dataset_id", f"visible_dataset({MONTHS}, {CLOCK})"),
    "documents": _known("document_id", f"visible_document({MONTHS})"),
}
"""Note what the parameters of these records (`rows`, their ids) measure, of those that are public."""


def refusal(name: str, asked_unit: str, asked: str, stored: str, stored_unit: str) -> FilterError:
    """The error of a row of MISMATCHES."""
    example = f", for example {stored_unit}" if stored_unit else ""
    return FilterError(
        f'"{asked_unit}" is a unit of {kind(asked)}, but {name} is stored as {kind(stored)}; '
        f"ask for {name} in a unit of {kind(stored)}{example}"
    )


def _demanded(query: Filter) -> Iterator[Measures]:
    """Of `expectations` those that whatever passes has met."""
    if query.where:
        yield from (part for part in _conjuncts(query.where) if isinstance(part, Measures))
    for include in query.includes:
        if include.joins:
            yield from _demanded(include.scope)


def _walk(condition: Condition | None) -> Iterator[Measures]:
    match condition:
        case Measures():
            yield condition
        case Junction(conditions):
            for part in conditions:
                yield from _walk(part)
        case Negation(part):
            yield from _walk(part)


def _converted(condition: Condition, unit: NamedUnit | None, names: tuple[str, ...]) -> Condition:
    """The condition in SI; `unit` and `names` are what those around it say of unit and name."""
    match condition:
        case Comparison() if unit and _compares_numbers(condition):
            return _in_si(condition, unit)
        case Negation(part):
            return Negation(_converted(part, unit, names))
        case Junction(parts, every=False):
            return Junction(tuple(_converted(part, unit, names) for part in parts), every=False)
        case Junction():
            conjuncts = list(_conjuncts(condition))
            names = next((_texts(part) for part in conjuncts if _names(part, "name", "eq", "inq")), names)
            named = [part for part in conjuncts if _names(part, "unit", "eq")]
            if not named or not any(_compares_numbers(part) for part in conjuncts):
                return Junction(tuple(_converted(part, unit, names) for part in conjuncts), every=True)
            unit = _understood({_texts(part)[0] for part in named})
            others = (_converted(part, unit, names) for part in conjuncts if part not in named)
            return Junction((Measures(unit, names), *others), every=True)
        case _:
            return condition


def _conjuncts(condition: Condition) -> Iterator[Condition]:
    match condition:
        case Junction(parts, every=True):
            for part in parts:
                yield from _conjuncts(part)
        case _:
            yield condition


def _names(condition: Condition, field: str, *operators: str) -> bool:
    """Whether the condition says which texts the field is."""
    match condition:
        case Comparison(tested, operator, operands, negated=False):
            return tested == _PARAMETER[field] and operator in operators and None not in operands
        case _:
            return False


def _texts(condition: Condition) -> tuple[str, ...]:
    return tuple(map(str, condition.operands)) if isinstance(condition, Comparison) else ()


def _compares_numbers(condition: Condition) -> bool:
    """Whether a value is compared with numbers here or below."""
    match condition:
        case Comparison(tested, _, operands):
            numbers = [operand for operand in operands if isinstance(operand, float)]
            return tested == _PARAMETER["value"] and len(numbers) == len(operands) > 0
        case Junction(parts):
            return any(_compares_numbers(part) for part in parts)
        case Negation(part):
            return _compares_numbers(part)
        case _:
            return False


def _understood(texts: set[str]) -> NamedUnit:
    if len(texts) > 1:
        named = " and ".join(sorted(texts))
        raise FilterError(
            f"A value has one unit, but the filter names {named}; put each beside its own value, in an or"
        )
    [text] = texts
    unit = parse_unit(text)
    if unit is None:
        shown = text if len(text) <= 64 else text[:63] + "…"
        raise FilterError(
            f'unknown unit "{shown}"; known are those of mathjs, for example keV, angstrom, 1/angstrom, '
            f'degC, mbar, with prefixes; to compare the text of the unit, use {{"unit": {{"like": …}}}}'
        )
    return NamedUnit(text, unit)


def _in_si(test: Comparison, unit: NamedUnit) -> Condition:
    """The comparison in SI, wide enough for the rounding of a conversion."""
    bounds = [_around(operand, unit) for operand in test.operands if isinstance(operand, float)]
    match test.operator:
        case "gt" | "lte":
            condition: Condition = Measured(test.operator, (bounds[0][1],))
        case "gte" | "lt":
            condition = Measured(test.operator, (bounds[0][0],))
        case "between":
            condition = Measured("between", (bounds[0][0], bounds[1][1]))
        case _:
            condition = Junction(tuple(Measured("between", around) for around in bounds), every=False)
    return Negation(condition) if test.negated else condition


def _around(value: float, unit: NamedUnit) -> tuple[float, float]:
    si = unit.unit.to_si(value)
    if si is None:
        raise FilterError(
            f"{value:g} {unit.text} is too large to compare; its value in SI must be below 1e308"
        )
    return si - abs(si) * _TOLERANCE, si + abs(si) * _TOLERANCE
