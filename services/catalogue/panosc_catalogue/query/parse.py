"""From the JSON of a filter to the validated filter; every refusal says what would be allowed."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from panosc_common.panet import Ontology

from panosc_catalogue.query import techniques
from panosc_catalogue.query.errors import FilterError
from panosc_catalogue.query.measure import in_units
from panosc_catalogue.query.model import MODELS, SCORE, Field, Kind, Model
from panosc_catalogue.query.ranking import Term, parse_query
from panosc_catalogue.query.syntax import (
    Comparison,
    Condition,
    Contains,
    Filter,
    Include,
    Junction,
    Negation,
    Order,
    Scalar,
)

MAX_DEPTH = 20
"""Levels of and/or, and of include, in one another."""
MAX_TERMS = 500
"""Conditions and includes in one filter."""
MAX_OPERANDS = 1000
"""Values in one inq or nin."""
MAX_SKIP = 2**62

FILTER_KEYS = ("where", "include", "limit", "skip", "offset", "order", "fields", "query")
SCOPE_KEYS = ("where", "include", "limit", "skip", "offset", "order", "fields")

# Name in the grammar -> (positive operator, negated, case is ignored)
OPERATORS: Mapping[str, tuple[str, bool, bool]] = {
    "eq": ("eq", False, False),
    "neq": ("eq", True, False),
    "gt": ("gt", False, False),
    "gte": ("gte", False, False),
    "lt": ("lt", False, False),
    "lte": ("lte", False, False),
    "between": ("between", False, False),
    "inq": ("inq", False, False),
    "nin": ("inq", True, False),
    "like": ("like", False, False),
    "nlike": ("like", True, False),
    "ilike": ("like", False, True),
    "nilike": ("like", True, True),
    "regexp": ("regexp", False, False),
}
_TEXTUAL = ("like", "regexp")
# What follows a digit is certain at each step: a long text is refused in one pass.
_NUMBER = re.compile(r"\s*[+-]?(\d+(?:\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?\s*")
_ORDER = re.compile(r"\s*(\w+)(?:\s+(asc|desc))?\s*", re.IGNORECASE)
_REGEXP = re.compile(r"/(.*)/([a-z]*)", re.DOTALL)


def number(text: str) -> float | None:
    """The finite number that `text` is, if it is one."""
    return float(text) if _NUMBER.fullmatch(text) and abs(float(text)) != float("inf") else None


def instant(text: str) -> datetime | None:
    """The instant that an ISO 8601 text names, UTC where it names no zone."""
    try:
        value = datetime.fromisoformat(text.strip())
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def parse_filter(model: Model, data: object, release: Ontology) -> Filter:
    """The filter on `model` that `data` (decoded JSON; None: no filter) describes.

    `release` tells which techniques are below which. Raises FilterError.
    """
    return _Parser(release).filter(model, {} if data is None else data, FILTER_KEYS, "filter", 0)


def parse_where(model: Model, data: object, release: Ontology) -> Condition | None:
    """The condition on `model`'s rows that `data` (decoded JSON) describes; None if every row passes.

    Raises FilterError.
    """
    return None if data is None else _Parser(release).condition(model, data, "where", 0)


class _Parser:
    """Counts what it has seen, so that no filter grows beyond what one statement should hold."""

    def __init__(self, release: Ontology) -> None:
        self._release = release
        self._terms = 0

    def _count(self, depth: int) -> None:
        self._terms += 1
        if self._terms > MAX_TERMS:
            raise FilterError(
                f"The filter has more than {MAX_TERMS} conditions and includes; split the request"
            )
        if depth > MAX_DEPTH:
            raise FilterError(f"The filter is nested more than {MAX_DEPTH} levels deep; nest less")

    def filter(self, model: Model, data: object, keys: tuple[str, ...], at: str, depth: int) -> Filter:
        if not isinstance(data, Mapping):
            # The first sentence is what the search API's reference says.
            known = "Value is not an object. " if at == "filter" else ""
            raise FilterError(f"{known}{_is(at, data)}, but must be an object of {', '.join(keys)}")
        for key in data:
            if key not in keys:
                raise FilterError(f'{at} has an unknown key "{_short(key)}"; allowed: {", ".join(keys)}')
        where = data.get("where")
        # Two names of one thing; also the one that does not count has to make sense.
        skips = [_count_of("skip", data[name]) for name in ("skip", "offset") if data.get(name) is not None]
        return Filter(
            model=model,
            where=None if where is None else self.condition(model, where, f"{at}.where", depth),
            includes=self.includes(model, data.get("include"), f"{at}.include", depth),
            order=_order(model, data.get("order"), f"{at}.order"),
            limit=_count_of("limit", data.get("limit")) or None,
            skip=skips[0] if skips else 0,
            fields=_fields(model, data.get("fields"), f"{at}.fields"),
            terms=_terms(model, data.get("query"), f"{at}.query"),
        )

    def condition(self, model: Model, data: object, at: str, depth: int) -> Condition | None:
        """A whole `where`, whose parts may bear on each other."""
        condition = self.where(model, data, at, depth)
        if condition and model.name == "Parameter":
            return in_units(condition)
        if condition and model.name == "Technique":
            return techniques.deepened(condition, self._release)
        return condition

    def where(self, model: Model, data: object, at: str, depth: int) -> Condition | None:
        self._count(depth)
        if not isinstance(data, Mapping):
            raise FilterError(f'{_is(at, data)}, but must be an object such as {{"pid": "x"}}')
        conditions: list[Condition] = []
        for key, value in data.items():
            inside = f"{at}.{_short(key)}"
            if key in ("and", "or"):
                conditions.append(self.junction(model, key, value, inside, depth))
            elif key == "not":
                conditions.append(self.negation(model, value, inside, depth))
            elif key == "text":
                conditions.append(_contains(model, value, inside))
            elif field := model.fields.get(key):
                conditions.extend(self.property(field, value, inside, depth))
            else:
                raise FilterError(
                    f'{model.name} has no property "{_short(key)}" ({at}); '
                    f"it has: {', '.join(model.fields)}, text, and, or, not"
                )
        return (
            None
            if not conditions
            else conditions[0]
            if len(conditions) == 1
            else Junction(tuple(conditions), every=True)
        )

    def junction(self, model: Model, key: str, data: object, at: str, depth: int) -> Condition:
        if not isinstance(data, list) or not data:
            raise FilterError(f"{_is(at, data)}, but must be a list of one condition or more")
        parts = (self.where(model, part, at, depth + 1) for part in data)
        return Junction(
            tuple(part if part is not None else Junction((), every=True) for part in parts), key == "and"
        )

    def negation(self, model: Model, data: object, at: str, depth: int) -> Condition:
        condition = self.where(model, data, at, depth + 1)
        if condition is None:
            raise FilterError(f'{_is(at, data)}, but must be a condition such as {{"pid": "x"}}')
        return Negation(condition)

    def property(self, field: Field, data: object, at: str, depth: int) -> Iterable[Condition]:
        if isinstance(data, list):
            raise FilterError(f'{at} is a list; use {{"inq": […]}} for any of several values')
        operators = data if isinstance(data, Mapping) else {"eq": data}
        if not operators:
            raise FilterError(f"{at} names no operator; allowed: {', '.join(OPERATORS)}, not")
        options = _regexp_options(operators)
        for name, value in operators.items():
            if name == "options" and "regexp" in operators:
                continue
            self._count(depth)
            if name == "not":
                inside = tuple(self.property(field, value, f"{at}.not", depth + 1))
                yield Negation(Junction(inside, every=True))
                continue
            if name not in OPERATORS:
                raise FilterError(
                    f'unknown operator "{_short(name)}" ({at}); allowed: {", ".join(OPERATORS)}, not'
                )
            yield _comparison(field, name, value, f"{at}.{name}", options)

    def includes(self, model: Model, data: object, at: str, depth: int) -> tuple[Include, ...]:
        if data is None:
            return ()
        if isinstance(data, str | Mapping):
            data = [data]
        if not isinstance(data, list):
            raise FilterError(f"{_is(at, data)}, but must be {_an_include(model)}, or a list of these")
        return tuple(self.include(model, part, at, depth + 1) for part in data)

    def include(self, model: Model, data: object, at: str, depth: int) -> Include:
        self._count(depth)
        if isinstance(data, str):
            data = {"relation": data}
        if not isinstance(data, Mapping) or not isinstance(data.get("relation"), str):
            raise FilterError(f"{_is(f'an item of {at}', data)}, but must be {_an_include(model)}")
        for key in data:
            if key not in ("relation", "scope"):
                raise FilterError(f'{at} has an unknown key "{_short(key)}"; allowed: relation, scope')
        name = data["relation"]
        relation = model.relations.get(name)
        if relation is None:
            raise FilterError(
                f'{model.name} has no relation "{_short(name)}" ({at}); it has: {", ".join(model.relations)}'
            )
        scope = data.get("scope")
        target = MODELS[relation.target]
        query = self.filter(target, {} if scope is None else scope, SCOPE_KEYS, f"{at}.{name}", depth)
        if target.name == "Technique" and query.where:
            return Include(name, relation, replace(query, where=techniques.shown(query.where)), query.where)
        return Include(name, relation, query)


def _comparison(field: Field, name: str, value: object, at: str, options: str) -> Comparison:
    operator, negated, ignore_case = OPERATORS[name]
    if operator in _TEXTUAL:
        if field.kind not in (Kind.TEXT, Kind.TEXTS, Kind.VALUE):
            allowed = ", ".join(other for other, (kind, _, _) in OPERATORS.items() if kind not in _TEXTUAL)
            raise FilterError(
                f"{at}: the property is a {field.kind.value}, {name} compares text; use one of {allowed}"
            )
        if not isinstance(value, str):
            raise FilterError(f"{_is(at, value)}, but must be text")
        if operator == "regexp":
            pattern, ignore_case = _pattern(value, options, at)
            return Comparison(field, operator, (_clean(pattern, at),), negated, ignore_case)
        return Comparison(field, operator, (_clean(value, at),), negated, ignore_case)
    if operator == "inq":
        if not isinstance(value, list) or len(value) > MAX_OPERANDS:
            raise FilterError(f"{_is(at, value)}, but must be a list of {MAX_OPERANDS} values at most")
        return Comparison(field, operator, tuple(_operand(field, item, at) for item in value), negated)
    if operator == "between":
        if not isinstance(value, list) or len(value) != 2:
            raise FilterError(f"{_is(at, value)}, but must be a list of two values")
        low, high = (_operand(field, item, at) for item in value)
        if low is None or high is None or type(low) is not type(high):
            shown = " and ".join(map(_given, value))
            raise FilterError(f"{at} is {shown}, but must be two numbers, two dates or two texts")
        return Comparison(field, operator, (low, high), negated)
    operand = _operand(field, value, at)
    if operand is None and operator != "eq":
        raise FilterError(f"{at} must not be null; only eq and neq compare with null")
    return Comparison(field, operator, (operand,), negated)


def _operand(field: Field, value: object, at: str) -> Scalar:
    """`value` as the field compares it; text stands for numbers, dates and booleans too."""
    if value is None:
        return None
    if isinstance(value, list | Mapping):
        raise FilterError(f"{_is(at, value)}, but must be a single value; inq takes several")
    text = str(value).lower() if isinstance(value, bool) else str(value)
    kind = field.kind
    if kind in (Kind.TEXT, Kind.TEXTS):
        return _clean(text, at)
    if kind is Kind.BOOLEAN:
        if text.lower() not in ("true", "false"):
            raise FilterError(f"{_is(at, value)}, but must be true or false")
        return text.lower() == "true"
    if kind is Kind.DATE:
        date = instant(text)
        if date is None:
            raise FilterError(f'{at}: "{_short(text)}" is no date; use ISO 8601 as in 2024-05-31T12:00:00Z')
        return date
    parsed = None if isinstance(value, bool) else number(text)
    if kind is Kind.VALUE:
        return _clean(text, at) if parsed is None else parsed
    if parsed is None:
        raise FilterError(f'{at}: "{_short(text)}" is no number; give one such as 1500 or 1.5e3')
    return parsed


def _contains(model: Model, value: object, at: str) -> Contains:
    if isinstance(value, list | Mapping) or value is None:
        raise FilterError(f"{_is(at, value)}, but must be text")
    return Contains(tuple(model.fields[name] for name in model.text), _clean(str(value), at))


def _regexp_options(operators: Mapping[str, object]) -> str:
    options = operators.get("options")
    return options if isinstance(options, str) else ""


def _pattern(value: str, options: str, at: str) -> tuple[str, bool]:
    """A regular expression's pattern and whether case is ignored, of `/pattern/flags` or `pattern`."""
    pattern, flags = value, options
    if literal := _REGEXP.fullmatch(value):
        pattern, flags = literal[1], literal[2] + options
    if unknown := set(flags) - set("igmsu"):
        raise FilterError(f'{at}: unknown flag "{_short("".join(sorted(unknown)))}"; allowed: i, g, m, s, u')
    return pattern, "i" in flags


def _order(model: Model, data: object, at: str) -> tuple[Order, ...]:
    if data is None or data == "":
        return ()
    items: list[Any] = data if isinstance(data, list) else [data]
    orders = []
    for item in items:
        match = _ORDER.fullmatch(item) if isinstance(item, str) else None
        if match is None:
            example = next(iter(model.fields))
            raise FilterError(
                f'{_is(at, item)}, but must be as "{example} ASC" or "{example} DESC", or a list of these'
            )
        name, direction = match[1], match[2] or "asc"
        if name == "score" and model.words:
            orders.append(Order(SCORE, direction.lower() == "desc"))
            continue
        if name not in model.fields:
            raise FilterError(
                f'{model.name} has no property "{_short(name)}" ({at}); it has: {", ".join(model.fields)}'
            )
        orders.append(Order(model.fields[name], direction.lower() == "desc"))
    if len(orders) > len(model.fields) + 1:
        raise FilterError(f"{at} names properties more than once; name each once")
    return tuple(orders)


def _terms(model: Model, query: object, at: str) -> tuple[Term, ...]:
    if query is None:
        return ()
    if not model.words:
        raise FilterError(f"{at}: {model.name} is not ranked; use where.text")
    if isinstance(query, list | Mapping):
        raise FilterError(f"{_is(at, query)}, but must be text")
    return parse_query(_clean(str(query), at), at)


def _fields(model: Model, data: object, at: str) -> tuple[str, ...]:
    """Names of the fields to answer, in the model's order."""
    if data is None:
        return tuple(model.fields)
    if isinstance(data, str):
        data = [data]
    chosen: dict[str, bool] = {}
    if isinstance(data, list):
        chosen = {str(name): True for name in data}
    elif isinstance(data, Mapping):
        for name, value in data.items():
            if str(value).lower() not in ("true", "false", "1", "0"):
                raise FilterError(f"{_is(f'{at}.{_short(name)}', value)}, but must be true or false")
            chosen[str(name)] = str(value).lower() in ("true", "1")
    else:
        raise FilterError(
            f"{_is(at, data)}, but must be a list of properties or an object of them with true or false"
        )
    for name in chosen:
        if name not in model.fields and name not in model.relations and name != "score":
            raise FilterError(
                f'{model.name} has no property "{_short(name)}" ({at}); it has: {", ".join(model.fields)}'
            )
    if any(chosen.values()):
        return tuple(name for name in model.fields if chosen.get(name))
    return tuple(name for name in model.fields if chosen.get(name, True))


def _count_of(name: str, value: object) -> int:
    """A limit or skip; 0 where none is given."""
    if value is None or value == "":
        return 0
    parsed = (
        number(str(value)) if isinstance(value, str | int | float) and not isinstance(value, bool) else None
    )
    if parsed is None or parsed < 0 or parsed != int(parsed):
        raise FilterError(f"The {name} parameter {_short(value)} is not valid; give a whole number from 0 on")
    return min(int(parsed), MAX_SKIP)


def _clean(text: str, at: str) -> str:
    """`text`, if PostgreSQL can hold it."""
    if "\0" in text:
        raise FilterError(f"{at} holds a NUL character; leave it out")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise FilterError(f"{at} is no valid Unicode text; it has half of a surrogate pair") from error
    return text


def _short(value: object) -> str:
    """A stranger's text as a message can hold it."""
    text = str(value).encode("utf-8", "replace").decode()
    return text if len(text) <= 64 else text[:63] + "…"


def _is(at: str, value: object) -> str:
    """What the part of the filter is, as the beginning of a sentence."""
    return f"{at} is {_given(value)}"


def _given(value: object) -> str:
    """A value in words."""
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case list():
            return f"a list of {len(value)}" if value else "an empty list"
        case Mapping():
            return "an object" if value else "an empty object"
        case str():
            return f'"{_short(value)}"'
        case _:
            return _short(value)


def _an_include(model: Model) -> str:
    return f'a relation ({", ".join(model.relations)}) or {{"relation": …, "scope": …}}'
