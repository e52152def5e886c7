"""Techniques by their row ids: which ones a test means is asked before the statement is made.

So PostgreSQL knows when it plans how many datasets have them: whether to look at one dataset after the other
until a page is full, or to begin with the few that have the technique.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from panosc_catalogue.query.syntax import Condition, Filter, Junction, Negation, Techniques

MAX_TECHNIQUES = 256
"""Techniques that one test looks for by their ids: more of them narrow too little to be worth it."""


def tests(query: Filter) -> tuple[Condition, ...]:
    """The tests of techniques that datasets have to pass; those of nested relations are not among them."""
    return tuple(test for include in query.includes if include.demand for test in _tests(include.demand))


def known(query: Filter, techniques: Sequence[Sequence[int]]) -> Filter:
    """The filter with the techniques (row ids) that its `tests` mean, in their order."""
    meant = dict(zip(tests(query), techniques, strict=True))

    def by_id(test: Condition) -> Condition:
        ids = meant[test]
        return Techniques(tuple(ids)) if len(ids) <= MAX_TECHNIQUES else test

    includes = (
        replace(include, demand=_mapped(include.demand, by_id)) if include.demand else include
        for include in query.includes
    )
    return replace(query, includes=tuple(includes))


def _tests(demand: Condition) -> Iterator[Condition]:
    match demand:
        case Junction(parts):
            for part in parts:
                yield from _tests(part)
        case Negation(part):
            yield from _tests(part)
        case _:
            yield demand


def _mapped(demand: Condition, change: Callable[[Condition], Condition]) -> Condition:
    match demand:
        case Junction(parts):
            return replace(demand, conditions=tuple(_mapped(part, change) for part in parts))
        case Negation(part):
            return Negation(_mapped(part, change))
        case _:
            return change(demand)
