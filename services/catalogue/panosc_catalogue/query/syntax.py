"""The validated filter: what a request asks for, with every name resolved and every operand typed."""

from dataclasses import dataclass
from datetime import datetime

from panosc_common.units import Unit

from panosc_catalogue.query.model import SCORE, Field, Model, Relation
from panosc_catalogue.query.ranking import Term

RANKED = 200
"""Rows that a query ranks; whoever asks for more at once has more ranked."""

Scalar = str | float | bool | datetime | None


@dataclass(frozen=True)
class Comparison:
    """One operator on one field; the negative operators are `negated` positive ones."""

    field: Field
    operator: str
    operands: tuple[Scalar, ...]
    negated: bool = False
    ignore_case: bool = False


@dataclass(frozen=True)
class Contains:
    """Free text in any of the model's text fields, case-insensitively."""

    fields: tuple[Field, ...]
    text: str


@dataclass(frozen=True)
class Junction:
    """All (`every`) or any of the conditions; empty: true for all, false for any."""

    conditions: tuple["Condition", ...]
    every: bool


@dataclass(frozen=True)
class Negation:
    """What is not true of a row, be the condition false or unknown."""

    condition: "Condition"


@dataclass(frozen=True)
class NamedUnit:
    """A unit and what the request calls it."""

    text: str
    unit: Unit


@dataclass(frozen=True)
class Measures:
    """That a value has the unit's dimension; `names`: of which parameters it is said, if of certain ones."""

    unit: NamedUnit
    names: tuple[str, ...]


@dataclass(frozen=True)
class Measured:
    """A comparison (gt, gte, lt, lte, between) of a parameter's value in SI."""

    operator: str
    operands: tuple[float, ...]


@dataclass(frozen=True)
class Tagged:
    """A positive test of a technique, which the terms of the ontology pass as well."""

    test: Comparison
    terms: tuple[str, ...]


@dataclass(frozen=True)
class Techniques:
    """That a dataset has one of the techniques with these row ids."""

    ids: tuple[int, ...]


Condition = Comparison | Contains | Junction | Negation | Measures | Measured | Tagged | Techniques


@dataclass(frozen=True)
class Include:
    """A relation whose items are nested into their parent's."""

    name: str
    relation: Relation
    scope: "Filter"
    demand: Condition | None = None
    """What the parent's related rows must satisfy together, where that is more than one of them can."""

    @property
    def restricts(self) -> bool:
        """Whether a parent without such an item is left out (inner join)."""
        return self.demand is not None or self.joins

    @property
    def joins(self) -> bool:
        """Whether the parent needs one item for which all that the scope says is true."""
        if self.demand is None:
            return self.scope.restricts
        return any(include.restricts for include in self.scope.includes)


@dataclass(frozen=True)
class Order:
    """A field to sort by."""

    field: Field
    descending: bool


@dataclass(frozen=True)
class Filter:
    """A whole filter on one model.

    `limit` None means all, `fields` are those answered, `terms` must be found in the row and rank it, `after`
    is the place in the order (values of the sort keys) behind which the answer begins.
    """

    model: Model
    where: Condition | None = None
    includes: tuple[Include, ...] = ()
    order: tuple[Order, ...] = ()
    limit: int | None = None
    skip: int = 0
    fields: tuple[str, ...] = ()
    terms: tuple[Term, ...] = ()
    after: tuple[str | None, ...] = ()

    @property
    def ranks(self) -> bool:
        """Whether the order of rows depends on their score."""
        return bool(self.terms) and (not self.order or any(part.field is SCORE for part in self.order))

    @property
    def ranked(self) -> int:
        """How many rows are ranked at most, the newest of those that pass; 0 where no order depends on it."""
        return max(RANKED, self.limit or 0) if self.ranks else 0

    @property
    def restricts(self) -> bool:
        """Whether not every row passes."""
        return self.where is not None or any(include.restricts for include in self.includes)
