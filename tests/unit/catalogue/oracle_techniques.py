"""Conditions on a dataset's techniques, evaluated slowly: over all its tags, each with what is above it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import cache, partial
from importlib import resources
from typing import Any

from unit.catalogue import oracle

IRI = "http://purl.org/pan-science/PaNET/"
TERMS = json.loads(resources.files("panosc_common.panet").joinpath("1.3.0.json").read_text())["terms"]


def satisfied(tags: list[oracle.Row], where: dict[str, Any]) -> bool:
    """Whether the tags of one dataset satisfy the condition together."""
    return all(_holds(tags, name, test) for name, test in where.items())


def asked_for(where: dict[str, Any]) -> Callable[[oracle.Row], bool]:
    """Which tags are shown: those that the condition asks for, or all where it only excludes."""
    tests = _tests(where)
    return lambda tag: tests is None or any(test(tag) for test in tests)


def _holds(tags: list[oracle.Row], name: str, test: Any) -> bool:
    match name:
        case "and":
            return all(satisfied(tags, part) for part in test)
        case "or":
            return any(satisfied(tags, part) for part in test)
        case "not":
            return not satisfied(tags, test)
        case "text":
            return any(oracle.satisfies(tag, {"text": test}) for tag in tags)
    return all(_passes(tags, name, *pair) for pair in _pairs(test))


def _passes(tags: list[oracle.Row], name: str, operator: str, operand: Any) -> bool:
    if operator == "not":
        return not all(_passes(tags, name, *pair) for pair in _pairs(operand))
    if operator in oracle.NEGATIVE and operand not in (None, [None]):
        return not _passes(tags, name, oracle.NEGATIVE[operator], operand)
    return any(_deep(tag, name, operator, operand) for tag in tags)


def _deep(tag: oracle.Row, name: str, operator: str, operand: Any) -> bool:
    if oracle.compares(name, tag.fields[name], operator, operand):
        return True
    lineage = _lineage(tag.fields["panetId"] or tag.fields["name"])
    if operator in ("like", "ilike"):
        names = [own for term in lineage for own in (TERMS[term]["label"], *TERMS[term]["synonyms"])]
        return any(oracle.compares("name", own, operator, operand) for own in names)
    operands = operand if operator == "inq" else [operand] if operator == "eq" else []
    return any(_meant(str(item)) in lineage for item in operands if item is not None)


def _tests(where: dict[str, Any]) -> list[Callable[[oracle.Row], bool]] | None:
    found: list[list[Callable[[oracle.Row], bool]]] = []
    for name, test in where.items():
        if name == "and":
            found += [tests for part in test if (tests := _tests(part)) is not None]
        elif name == "or":
            parts = [_tests(part) for part in test]
            found += [] if None in parts else [[one for part in parts for one in part or ()]]
        elif name == "text":
            found.append([partial(oracle.satisfies, where={"text": test})])
        elif name != "not":
            found += [
                [partial(_deep, name=name, operator=pair[0], operand=pair[1])]
                for pair in _pairs(test)
                if pair[0] != "not" and (pair[0] not in oracle.NEGATIVE or pair[1] in (None, [None]))
            ]
    return [one for tests in found for one in tests] if found else None


def _pairs(test: Any) -> Iterator[tuple[str, Any]]:
    yield from (test if isinstance(test, dict) else {"eq": test}).items()


def _lineage(text: str) -> set[str]:
    """The term that the text means and all above it."""
    name = _meant(text)
    return {name}.union(*(_lineage(parent) for parent in _above(name))) if name else set()


@cache
def _above(name: str) -> tuple[str, ...]:
    # Two equivalent terms are each other's parents: the second need not lead back.
    return tuple(parent for parent in TERMS[name]["parents"] if name not in TERMS[parent]["parents"])


@cache
def _meant(text: str) -> str | None:
    if text.removeprefix(IRI) in TERMS:
        return text.removeprefix(IRI)
    own = {text.lower(), text}
    return next((name for name, term in TERMS.items() if own & {term["label"], *term["synonyms"]}), None)
