# ruff: noqa: S608 -- SQL is made here of the model's own pieces; whatever a request says is a parameter
"""From the validated filter to one SQL statement that answers with finished JSON.

Numbers that bound an answer, and what the catalogue's policy says, are written into the text: a statement in
which nothing else was asked for has no parameters, and PostgreSQL keeps its plan.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import orjson
from panosc_common.policy import DataPolicy

from panosc_catalogue.query import measure, tags, values
from panosc_catalogue.query.keyset import Key, following, key
from panosc_catalogue.query.model import MODELS, SCORE, Kind, Model
from panosc_catalogue.query.ranking import matching
from panosc_catalogue.query.settled import PUBLIC, Viewer, settled
from panosc_catalogue.query.syntax import (
    Comparison,
    Condition,
    Contains,
    Filter,
    Include,
    Junction,
    Measured,
    Measures,
    NamedUnit,
    Negation,
    Order,
    Scalar,
    Tagged,
    Techniques,
)

UNRANKED = 0.5
"""Every item's score where nothing ranks them: federations drop items whose score is 0 or 1."""

_ARRAY = "coalesce(json_agg(x.item), '[]'::json)"
_COMPARE = {"eq": "=", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
_CASTS = {
    Kind.TEXT: "text",
    Kind.TEXTS: "text",
    Kind.NUMBER: "double precision",
    Kind.DATE: "timestamptz",
    Kind.BOOLEAN: "boolean",
}
# ICU's rules fold case in every script, whatever locale the database was made with.
_FOLDING = ' COLLATE "und-x-icu"'
_BYTEWISE = ' COLLATE "C"'


@dataclass
class Statement:
    """SQL text, its parameters, and the names of the columns that it answers with, JSON text first."""

    sql: str
    parameters: dict[str, Any] = field(default_factory=dict)
    columns: tuple[str, ...] = ("body",)


def items(query: Filter) -> Statement:
    """The JSON array of the filter's items, as text."""
    compiler = _Compiler()
    return compiler.statement(f"SELECT {_ARRAY}::text FROM ({compiler.found(query)}) x")


def page(query: Filter) -> Statement:
    """As `items`, and where the page is full the place in the order at which it ends, for the next one."""
    compiler = _Compiler()
    names = [f"k{number}" for number in range(len(compiler.keys(query, "t")))]
    rows = compiler.found(query, names)
    last = ", ".join(f"(array_agg(x.{name}::text))[{query.limit}]" for name in names)
    sql = f"SELECT {_ARRAY}::text, CASE WHEN count(*) = {query.limit} THEN ARRAY[{last}] END FROM ({rows}) x"
    return replace(compiler.statement(sql), columns=("body", "place"))


def item(query: Filter, pid: str) -> Statement:
    """The JSON object of the row with this pid, as text; no row where the public sees none.

    The filter says what the answer holds, not whether the item exists: no include and no query restricts it.
    """
    compiler = _Compiler()
    shown = replace(query, order=(), terms=(), skip=0, limit=None)
    rows = compiler.rows(shown, "t", [f't.pid COLLATE "C" = {compiler.parameter(pid, "text")}'])
    return compiler.statement(f"SELECT x.item::text FROM ({rows}) x")


def count(query: Filter, most: int | None = None) -> Statement:
    """The number of rows that pass the filter's conditions, joins and query, whatever its limit.

    With `most` it counts so far only: what is more than a person reads need not be counted.
    """
    compiler = _Compiler()
    source, conditions, _ = compiler.matched(query)
    rows = f"SELECT 1 FROM {source} WHERE {' AND '.join(conditions)}"
    if most is not None:
        rows += f" LIMIT {most:d}"
    return compiler.statement(f"SELECT count(*) FROM ({rows}) x")


def related_items(parent: Model, relation: str, pid: str, query: Filter) -> Statement:
    """The JSON array of what `relation` leads to from the row with this pid; no row where there is none."""
    compiler = _Compiler()
    array = compiler.array(Include(relation, parent.relations[relation], query), "p")
    return compiler.statement(_of_parent(compiler, parent, pid, f"({array})::text"))


def related_count(parent: Model, relation: str, pid: str, query: Filter) -> Statement:
    """How many rows `relation` leads to from the row with this pid; no row where there is none."""
    compiler = _Compiler()
    include = Include(relation, parent.relations[relation], query)
    source, conditions = compiler.related(include, "p", "r")
    conditions.append(compiler.condition(query, "r"))
    counted = f"(SELECT count(*) FROM {source} WHERE {' AND '.join(conditions)})"
    return compiler.statement(_of_parent(compiler, parent, pid, counted))


def mismatch(query: Filter) -> Statement | None:
    """A row for `measure.refusal` where the filter names a unit that fits no public parameter of that name.

    None where the filter names no unit of a named parameter.
    """
    asked = [
        {"name": name, "dimension": expected.unit.unit.dimension, "unit": expected.unit.text}
        for expected in measure.expectations(query)
        for name in expected.names
    ]
    return Statement(measure.MISMATCHES, {"asked": orjson.dumps(asked).decode()}) if asked else None


def techniques(query: Filter) -> Statement | None:
    """One row: for each of the filter's `tags.tests` the ids of the techniques that pass it.

    None where there is no such test.
    """
    compiler = _Compiler()
    most = tags.MAX_TECHNIQUES + 1
    found = [f"ARRAY({compiler.technique_ids(test)} LIMIT {most:d})" for test in tags.tests(query)]
    return compiler.statement(f"SELECT {', '.join(found)}") if found else None


def bounded(statement: Statement, max_bytes: int) -> Statement:
    """The statement with null in place of a JSON text that is longer."""
    body, *others = statement.columns
    shown = [f"CASE WHEN octet_length({body}) <= {max_bytes:d} THEN {body} END", *others]
    sql = (
        f"WITH answer({', '.join(statement.columns)}) AS MATERIALIZED ({statement.sql}) "
        f"SELECT {', '.join(shown)} FROM answer"
    )
    return replace(statement, sql=sql)


def _of_parent(compiler: "_Compiler", parent: Model, pid: str, column: str) -> str:
    return f'SELECT {column} FROM {parent.rows} p WHERE p.pid COLLATE "C" = {compiler.parameter(pid, "text")}'


class _Compiler:
    """Numbers the parameters and aliases of one statement."""

    def __init__(self) -> None:
        self._parameters: dict[str, Any] = {}
        self._texts: dict[str, str] = {}
        self._aliases = 0

    def statement(self, sql: str) -> Statement:
        return Statement(sql, self._parameters)

    def parameter(self, value: Scalar | list[Any], cast: str) -> str:
        # Conditions come twice: for what is found, and for what of it is shown.
        text = f"{value!r}::{cast}"
        if text not in self._texts:
            name = f"p{len(self._parameters)}"
            self._parameters[name] = value
            self._texts[text] = f"%({name})s::{cast}"
        return self._texts[text]

    def _alias(self) -> str:
        self._aliases += 1
        return f"t{self._aliases}"

    def found(self, query: Filter, places: Sequence[str] = ()) -> str:
        """SELECT of the items of a whole filter; `places` name columns for the values of its sort keys."""
        source, conditions, score = self.matched(query)
        if query.ranks:
            source, conditions = f"({self.newest(query, source, conditions)}) t", ["true"]
        if query.terms:
            source = f"(SELECT t.*, {score} AS score FROM {source}) t"
        if query.after:
            conditions.append(following(self.keys(query, "t"), query.after, self.parameter))
        return self.rows(query, "t", conditions, source, places)

    def newest(self, query: Filter, source: str, conditions: list[str]) -> str:
        """SELECT of what is to be ranked: the best few of a million would take a look at each of them."""
        most = f"LIMIT {query.ranked}"
        if not query.model.blocks:
            return f"SELECT t.* FROM {source} WHERE {' AND '.join(conditions)} ORDER BY t.id DESC {most}"
        inside = [*conditions, "t.words @@ quote_literal(block_word(b.block))::tsquery"]
        block = f"SELECT t.* FROM {source} WHERE {' AND '.join(inside)} ORDER BY t.id DESC {most}"
        # A look into a block depends on it, so they are looked into in their order, until there is enough.
        return f"SELECT t.* FROM {query.model.blocks} b CROSS JOIN LATERAL ({block}) t {most}"

    def matched(self, query: Filter) -> tuple[str, list[str], str]:
        """FROM clause of the rows of a whole filter, its conditions, and the score by its query."""
        model, condition = query.model, self.condition(query, "t")
        if not query.terms:
            return f"{model.rows} t", [condition], str(UNRANKED)
        words, score = matching(query.terms, "t.words", self.parameter)
        joined = f"SELECT r.*, s.words FROM {model.rows} r JOIN {model.words} s ON s.id = r.id"
        return f"({joined}) t", [words, condition], score

    def rows(
        self,
        query: Filter,
        alias: str,
        conditions: Iterable[str],
        source: str = "",
        places: Sequence[str] = (),
    ) -> str:
        """SELECT of the finished items in order: limited first, so that only these are assembled."""
        keys = self.keys(query, alias)
        order = ", ".join(one.order for one in keys)
        limit = "" if query.limit is None else f" LIMIT {query.limit:d}"
        skip = "" if not query.skip else f" OFFSET {query.skip:d}"
        inner = (
            f"SELECT {alias}.* FROM {source or f'{query.model.rows} {alias}'} "
            f"WHERE {' AND '.join(conditions)} ORDER BY {order}{limit}{skip}"
        )
        shown = [f"{self.object(query, alias)} AS item"]
        shown += [f"{one.sql} AS {name}" for one, name in zip(keys, places, strict=False)]
        return f"SELECT {', '.join(shown)} FROM ({inner}) {alias} ORDER BY {order}"

    def keys(self, query: Filter, alias: str) -> list[Key]:
        """What rows are sorted by: the order asked for, without one the score if there is a query."""
        order = query.order or ((Order(SCORE, descending=True),) if query.terms else ())
        keys: list[Key] = []
        for part in order:
            if part.field is SCORE and not query.terms:
                continue  # every row has the same
            one = key(part.field, alias, descending=part.descending)
            if part.field.kind is Kind.VALUE:
                # Values in SI first, then numbers, then text.
                numbers = ["si_value"] if measure.units(query.where) else []
                keys += [replace(one, sql=f"{alias}.{name}") for name in (*numbers, "number_value")]
            keys.append(one)
        ties = query.model.key.format(alias).split(", ")
        return [*keys, *(Key(sql, "text", nullable=False) for sql in ties)]

    def object(self, query: Filter, alias: str) -> str:
        shown = {name: query.model.fields[name].shown.format(alias) for name in query.fields}
        if units := measure.units(query.where):
            shown |= self.in_units(shown, units, alias)
        pairs = [f"'{name}', {sql}" for name, sql in shown.items()]
        if query.model.words:
            pairs.append(f"'score', {SCORE.shown.format(alias) if query.terms else UNRANKED}")
        grouped: dict[str, list[Include]] = {}
        for include in query.includes:
            grouped.setdefault(include.name, []).append(include)
        for name, includes in grouped.items():
            if includes[0].relation.many:
                pairs.append(f"'{name}', ({self.merged(includes, alias)})")
            else:
                pairs.append(f"'{name}', ({self.single(includes, alias)})")
        return f"json_build_object({', '.join(pairs)})"

    def in_units(self, shown: dict[str, str], units: tuple[NamedUnit, ...], alias: str) -> dict[str, str]:
        """What a parameter shows instead where its value has the dimension of one of the units."""
        named = [(self.parameter(unit.unit.dimension, "text"), unit) for unit in units]
        instead = {}
        if "value" in shown:
            by_dimension = [(dimension, unit.unit) for dimension, unit in named]
            instead["value"] = values.shown_in(alias, by_dimension, shown["value"])
        if "unit" in shown:
            cases = " ".join(
                f"WHEN {dimension} THEN {self.parameter(unit.text, 'text')}" for dimension, unit in named
            )
            instead["unit"] = f"CASE {alias}.si_dimension {cases} ELSE {shown['unit']} END"
        return instead

    def related(self, include: Include, parent: str, alias: str) -> tuple[str, list[str]]:
        """FROM clause of a relation's rows and the conditions that tie them to the parent."""
        relation = include.relation
        link = f"{alias}l"
        source = f"{MODELS[relation.target].rows} {alias} {relation.link.format(parent, alias, link)}"
        return source, [relation.on.format(parent, alias, link)]

    def array(self, include: Include, parent: str, except_for: tuple[Include, ...] = ()) -> str:
        """SELECT of a to-many relation's items as one JSON array, without those that `except_for` brings."""
        alias = self._alias()
        source, conditions = self.related(include, parent, alias)
        conditions.append(self.condition(include.scope, alias))
        conditions.extend(f"({self.condition(other.scope, alias)}) IS NOT TRUE" for other in except_for)
        rows = self.rows(include.scope, alias, conditions, source)
        return f"SELECT coalesce(json_agg(x.item), '[]'::json) FROM ({rows}) x"

    def merged(self, includes: list[Include], parent: str) -> str:
        """One array of a relation that is included several times, in the order of the includes."""
        if len(includes) == 1:
            return self.array(includes[0], parent)
        parts = " UNION ALL ".join(
            f"SELECT {position} AS position, e.value AS item, e.ordinality AS place FROM "
            f"json_array_elements(({self.array(include, parent, tuple(includes[:position]))})) "
            "WITH ORDINALITY e"
            for position, include in enumerate(includes)
        )
        return f"SELECT coalesce(json_agg(u.item ORDER BY u.position, u.place), '[]'::json) FROM ({parts}) u"

    def single(self, includes: list[Include], parent: str) -> str:
        """SELECT of a to-one relation's item; several includes of it are all to be true of it."""
        alias = self._alias()
        source, conditions = self.related(includes[0], parent, alias)
        conditions.extend(self.condition(include.scope, alias) for include in includes)
        # There is one at most, so a limit or skip of the scope has nothing to say.
        return self.rows(replace(includes[0].scope, limit=None, skip=0), alias, conditions, source)

    def condition(self, query: Filter, alias: str) -> str:
        """What a row must satisfy: the filter's where, and a related row for each restricting include."""
        parts = [] if query.where is None else [self.where(query.where, alias)]
        for include in query.includes:
            if include.demand:
                parts.append(self.tagged(include.demand, alias, among_words=bool(query.terms)))
            if include.joins:
                other = self._alias()
                source, conditions = self.related(include, alias, other)
                conditions.append(self.condition(include.scope, other))
                parts.append(f"EXISTS (SELECT 1 FROM {source} WHERE {' AND '.join(conditions)})")
        return " AND ".join(parts) or "true"

    def tagged(self, demand: Condition, dataset: str, *, among_words: bool) -> str:
        """Whether the dataset's techniques together satisfy the demand."""
        match demand:
            case Junction(parts, every):
                tests = (self.tagged(part, dataset, among_words=among_words) for part in parts)
                return _joined(tests, every=every)
            case Negation(part):
                return f"NOT {self.tagged(part, dataset, among_words=among_words)}"
            case Techniques(ids) if among_words:
                # As technique_word() in schema/search.sql writes them, so that both are found with one look
                # into one index; no technique has the id 0.
                words = " | ".join(f"'#{number:d}'" for number in ids or (0,))
                return f"{dataset}.words @@ {self.parameter(words, 'tsquery')}"
            case Techniques():
                return self.where(demand, dataset)
        alias = self._alias()
        # The techniques are few: their ids are found once, so that each dataset costs one look into an index.
        return (
            f"EXISTS (SELECT 1 FROM dataset_technique {alias} WHERE {alias}.dataset_id = {dataset}.id "
            f"AND {alias}.technique_id = ANY(ARRAY({self.technique_ids(demand)})))"
        )

    def technique_ids(self, test: Condition) -> str:
        """SELECT of the techniques that pass a test."""
        alias = self._alias()
        return f"SELECT {alias}.id FROM technique {alias} WHERE {self.where(test, alias)}"

    def where(self, condition: Condition, alias: str) -> str:
        match condition:
            case Junction(conditions, every):
                return _joined((self.where(part, alias) for part in conditions), every=every)
            case Negation(denied):
                return f"({self.where(denied, alias)}) IS NOT TRUE"
            case Contains(fields, text):
                pattern = self.parameter(f"%{_escape(text)}%", "text")
                return (
                    "("
                    + " OR ".join(f"{f.sql.format(alias)}{_FOLDING} ILIKE {pattern}" for f in fields)
                    + ")"
                )
            case Measures(unit):
                return f"{alias}.si_dimension = {self.parameter(unit.unit.dimension, 'text')}"
            case Measured(operator, operands):
                numbers = [self.parameter(operand, "double precision") for operand in operands]
                return values.overlaps(operator, f"{alias}.si_value", f"{alias}.si_upper", numbers)
            case Tagged(test, terms):
                keys = self.parameter(list(terms), "text[]")
                return f"({self.comparison(test, alias)} OR {alias}.panet_key = ANY({keys}))"
            case Comparison():
                return self.comparison(condition, alias)
            case Techniques(ids):
                return f"{alias}.technique_ids && {self.parameter(list(ids), 'bigint[]')}"

    def comparison(self, test: Comparison, alias: str) -> str:
        column = test.field.sql.format(alias)
        if test.field.kind is Kind.TEXTS:
            element = self._alias()
            if test.operands == (None,):
                positive = f"cardinality({column}) = 0"
            else:
                inside = self.positive(test, Kind.TEXT, f"{element}.value", "")
                positive = f"EXISTS (SELECT 1 FROM unnest({column}) {element}(value) WHERE {inside})"
        else:
            positive = self.positive(test, test.field.kind, column, alias)
        return f"({positive}) IS NOT TRUE" if test.negated else f"({positive})"

    def positive(self, test: Comparison, kind: Kind, column: str, alias: str) -> str:
        if test.operator == "like":
            pattern = self.parameter(_like_pattern(str(test.operands[0])), "text")
            if kind is Kind.VALUE:
                column = values.text(alias)
            return f"{column}{_FOLDING} ILIKE {pattern}" if test.ignore_case else f"{column} LIKE {pattern}"
        if test.operator == "regexp":
            if kind is Kind.VALUE:
                column = values.text(alias)
            pattern = self.parameter(str(test.operands[0]), "text")
            return f"{column}{_FOLDING} ~* {pattern}" if test.ignore_case else f"{column} ~ {pattern}"
        if test.operator == "inq":
            return " OR ".join(self.one_of(kind, column, alias, test.operands)) or "false"
        if test.operands == (None,):
            return f"{column} IS NULL" + (f" AND {alias}.number_value IS NULL" if kind is Kind.VALUE else "")
        if kind is Kind.VALUE and isinstance(test.operands[0], float):
            numbers = [self.parameter(operand, "double precision") for operand in test.operands]
            return values.overlaps(test.operator, f"{alias}.number_value", f"{alias}.number_upper", numbers)
        among = ""
        if kind is Kind.VALUE:
            # What is a number is so in a text, too, and comes neither before nor behind a word.
            kind, among = Kind.TEXT, f" AND {alias}.number_value IS NULL"
        operands = [self.parameter(operand, _CASTS[kind]) for operand in test.operands]
        column = column if test.operator == "eq" else _sortable(kind, column)
        if test.operator == "between":
            return f"{column} BETWEEN {operands[0]} AND {operands[1]}{among}"
        return f"{column} {_COMPARE[test.operator]} {operands[0]}{among}"

    def one_of(self, kind: Kind, column: str, alias: str, operands: tuple[Scalar, ...]) -> list[str]:
        """The alternatives that together mean: the column has one of these values."""
        parts = []
        if None in operands:
            parts.append(
                f"{column} IS NULL" + (f" AND {alias}.number_value IS NULL" if kind is Kind.VALUE else "")
            )
        present = [operand for operand in operands if operand is not None]
        if kind is Kind.VALUE:
            numbers = [operand for operand in present if isinstance(operand, float)]
            present = [operand for operand in present if isinstance(operand, str)]
            if numbers:
                array = self.parameter(numbers, "double precision[]")
                parts.append(values.overlaps_any(f"{alias}.number_value", f"{alias}.number_upper", array))
            kind = Kind.TEXT
        if present:
            parts.append(f"{column} = ANY({self.parameter(present, _CASTS[kind] + '[]')})")
        return parts


def _joined(conditions: Iterable[str], *, every: bool) -> str:
    """All or any of the conditions; of none all are true and not any is."""
    joiner, empty = (" AND ", "true") if every else (" OR ", "false")
    return f"({joiner.join(conditions) or empty})"


def _sortable(kind: Kind, column: str) -> str:
    return column + _BYTEWISE if kind in (Kind.TEXT, Kind.VALUE) else column


def _escape(text: str) -> str:
    """`text` as a LIKE pattern that matches just it."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _like_pattern(pattern: str) -> str:
    """The pattern, matching anywhere if it has no wildcard for many; a last backslash means itself."""
    if (len(pattern) - len(pattern.rstrip("\\"))) % 2:
        pattern += "\\"
    return pattern if "%" in pattern else f"%{pattern}%"


def bind(
    statement: Statement,
    policy: DataPolicy,
    clock: datetime | None,
    *,
    past_sealed: bool = False,
    viewer: Viewer = PUBLIC,
) -> tuple[str, dict[str, Any]]:
    """The statement with the policy, its instant (None: the database's now) and who asks."""
    text = settled(statement.sql, policy, clock, past_sealed=past_sealed, viewer=viewer)
    return text, statement.parameters
