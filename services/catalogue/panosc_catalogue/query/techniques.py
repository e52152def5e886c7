"""Techniques: a test of one means all terms below it too, and is about all the tags of a dataset together.

As in the search API's requirements for techniques: `neq` means that the dataset has no such technique, `and`
that it has one of each, be it one tag or several.
"""

import re
from collections.abc import Iterator
from dataclasses import replace

from panosc_common.panet import Ontology

from panosc_catalogue.query.syntax import Comparison, Condition, Junction, Negation, Tagged


def deepened(condition: Condition, release: Ontology) -> Condition:
    """The condition on techniques with the terms of the ontology that each of its tests means."""
    match condition:
        case Junction(parts):
            return replace(condition, conditions=tuple(deepened(part, release) for part in parts))
        case Negation(part):
            return Negation(deepened(part, release))
        case Comparison(_, _, operands) if operands != (None,):
            tagged = Tagged(replace(condition, negated=False), tuple(sorted(_terms(condition, release))))
            return Negation(tagged) if condition.negated else tagged
        case _:
            return condition


def shown(condition: Condition) -> Condition | None:
    """Which tags answer the condition on a dataset: those that it asks for; None: all."""
    match condition:
        case Negation():
            return None
        case Junction(parts, every):
            answers = [shown(part) for part in parts]
            present = tuple(answer for answer in answers if answer is not None)
            complete = present if every else present * (len(present) == len(answers))
            return Junction(complete, every=False) if complete else None
        case _:
            return condition


def _terms(test: Comparison, release: Ontology) -> Iterator[str]:
    if test.operator in ("eq", "inq"):
        named = [release.resolve(str(operand)) for operand in test.operands if operand is not None]
    elif test.operator == "like":
        named = list(_like(str(test.operands[0]), release, ignore_case=test.ignore_case))
    else:
        named = []
    for name in {name for name in named if name}:
        yield from release.descendants(name)


def _like(pattern: str, release: Ontology, *, ignore_case: bool) -> Iterator[str]:
    """Terms of which a name is like the pattern."""
    inside = pattern if "%" in pattern else f"%{pattern}%"
    wildcards = {"%": ".*", "_": "."}
    regex = re.compile(
        "".join(wildcards.get(character, re.escape(character)) for character in inside),
        re.IGNORECASE if ignore_case else 0,
    )
    for name, term in release.terms.items():
        if any(regex.fullmatch(own) for own in (term.label, *term.synonyms)):
            yield name
