"""The compiled SQL and the slow evaluator agree on random filters over random catalogues."""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from panosc_catalogue.load import Tally, load
from panosc_catalogue.query import compile as sql
from panosc_catalogue.query import tags
from panosc_catalogue.query.errors import FilterError
from panosc_catalogue.query.model import MODELS
from panosc_catalogue.query.parse import parse_filter
from panosc_common.panet import IRI
from support import postgres
from unit.catalogue import oracle, universe

TECHNIQUES = ["SAXS", "small angle scattering", "x-ray probe", "GISAXS"]
# Field -> operands worth trying; identifiers of rows are left out: they are the database's own.
OPERANDS: dict[str, list[Any]] = {
    "pid": ["20.500/3", "10.5072/2", "i1", "t2", "s3", "20.500/1", 7],
    "title": [*universe.WORDS, "iron"],
    "name": [*universe.WORDS, *universe.NAMES, "silica", *TECHNIQUES],
    "summary": [*universe.WORDS, None],
    "facility": ["ESRF", "ILL", "ill"],
    "description": [*universe.WORDS, None],
    "keywords": [*universe.WORDS, None],
    "type": ["proposal", "publication"],
    "role": ["owner", "principal investigator", None],
    "fullName": ["Person 1", "Person 3"],
    "firstName": ["Ada", None],
    "city": ["Paris", None],
    "doi": ["10.5072/1", None],
    "license": ["CC-BY-4.0", "CC0-1.0", None],
    "panetId": ["P1", "P2", None, f"{IRI}PaNET01124", f"{IRI}PaNET01012", f"{IRI}PaNET01200"],
    "path": ["/3/0", "/5/1"],
    "unit": universe.UNITS,
    "size": [0, 5, 10, "7", 2**40, None],
    "value": [1, 2.5, "2.5", -3, "1000", "solid", "Liquid", None],
    "isPublic": [True, False, "true"],
    "creationDate": ["2023-01-01", "2024-06-30T12:00:00Z", "2022-02-02T00:00:00+02:00", None],
    "startDate": ["2023-01-01", "2025-06-30T12:00:00Z", None],
    "endDate": ["2023-01-01", "2025-06-30T12:00:00Z", None],
    "releaseDate": ["2026-01-01", "2027-06-30T12:00:00Z", None],
}
EXAMPLES = 150
"""Random filters per model and catalogue."""
LIKES = ["iron", "%ron%", "I%", "%a", "_ron", "Å", "å%", "50", "X-ray", "2.5", "%", "soli_", "ESR"]
REGEXPS = ["/^i/i", "/n$/", "/[xs]-?.*/", "/IRON/i", "/^$/", "/[0-9]+/"]
ORDERED = ["gt", "gte", "lt", "lte"]


def comparison(pick: random.Random, name: str) -> Any:
    """A random test of a field."""
    if pick.random() < 0.1:
        return {"not": comparison(pick, name)}
    operands = OPERANDS[name]
    present = [operand for operand in operands if operand is not None]
    kinds = ["plain", "equal", "set"]
    if name != "isPublic":
        kinds += ["ordered", "between"]
    if name not in oracle.DATES | {"size", "isPublic"}:
        kinds += ["like", "regexp"]
    match pick.choice(kinds):
        case "plain":
            return pick.choice(operands)
        case "equal":
            return {pick.choice(["eq", "neq"]): pick.choice(operands)}
        case "set":
            return {pick.choice(["inq", "nin"]): [pick.choice(operands) for _ in range(pick.randrange(4))]}
        case "ordered":
            return {pick.choice(ORDERED): pick.choice(present)}
        case "between":
            same = [p for p in present if name != "value" or isinstance(p, int | float)]
            return {"between": [pick.choice(same), pick.choice(same)]}
        case "like":
            return {pick.choice(["like", "nlike", "ilike", "nilike"]): pick.choice(LIKES)}
        case _:
            return {"regexp": pick.choice(REGEXPS)}


def where(pick: random.Random, model: str, depth: int = 0) -> dict[str, Any]:
    """A random condition on a model's rows."""
    if depth < 2 and pick.random() < 0.3:
        key = pick.choice(["and", "or"])
        parts = pick.randint(1, 3)
        return {key: [{} if pick.random() < 0.1 else where(pick, model, depth + 1) for _ in range(parts)]}
    if depth < 2 and pick.random() < 0.1:
        return {"not": where(pick, model, depth + 1)}
    if pick.random() < 0.15:
        return {"text": pick.choice(["iron", "ÅLAND", "50%", "il", "_", "son 1", "PARIS"])}
    if model == "Parameter" and pick.random() < 0.4:
        return {"value": comparison(pick, "value"), "unit": pick.choice(["K", "degC", "eV", "keV"])}
    names = [name for name in MODELS[model].fields if name in OPERANDS]
    return {
        name: comparison(pick, name)
        for name in pick.sample(names, min(len(names), pick.choice([1, 1, 1, 2])))
    }


def random_filter(pick: random.Random, model: str, depth: int = 0) -> dict[str, Any]:
    """A random filter on a model, with includes up to three levels deep."""
    query: dict[str, Any] = {}
    names = [name for name in MODELS[model].fields if name in OPERANDS]
    if pick.random() < 0.6:
        query["where"] = where(pick, model)
    # Beyond what the oracle's rows are related to, a relation leads back to where it came from.
    relations = [name for name in MODELS[model].relations if (model, name) not in UNRELATED]
    if depth < 3 and relations and pick.random() < 0.8 / (depth + 1):
        query["include"] = [
            {"relation": name, "scope": random_filter(pick, MODELS[model].relations[name].target, depth + 1)}
            for name in pick.choices(relations, k=pick.choice([1, 1, 2, 3]))
        ]
    if pick.random() < 0.4:
        order = [name for name in pick.sample(names, min(2, len(names))) if name != "value"]
        query["order"] = [f"{name} {pick.choice(['ASC', 'DESC'])}" for name in order]
    if pick.random() < 0.25:
        query |= {"limit": pick.randint(1, 5), "skip": pick.randrange(3)}
    query["fields"] = pick.sample(names, pick.randint(1, len(names)))
    return query


UNRELATED = {
    ("Parameter", "dataset"),
    ("Parameter", "document"),
    ("Member", "document"),
    ("Person", "members"),
    ("Affiliation", "members"),
}


@dataclass(repr=False)
class Loaded:
    connection: psycopg.Connection[Any]
    rows: dict[str, list[oracle.Row]]

    def row(self, statement: sql.Statement) -> tuple[Any, ...]:
        bound = sql.bind(statement, universe.POLICY, universe.NOW)
        row: tuple[Any, ...] | None = self.connection.execute(*bound).fetchone()
        assert row is not None
        return row

    def ask(self, statement: sql.Statement) -> Any:
        return self.row(statement)[0]


def ignore(*_: object) -> None:
    return None


def loaded_tally(connection: psycopg.Connection[Any], records: list[dict[str, Any]]) -> Tally:
    return load(connection, [json.dumps(record).encode() for record in records], ignore, ignore)


@pytest.fixture(scope="module", params=[1, 2, 3])
def loaded(request: pytest.FixtureRequest, server: postgres.Server, template: str) -> Iterator[Loaded]:
    name = server.create(template)
    records = universe.make(request.param)
    with psycopg.connect(server.url(name), autocommit=True) as connection:
        assert loaded_tally(connection, records) == Tally(loaded=len(records))
        yield Loaded(connection, universe.rows(records))
    server.drop(name)


def without_ids(items: Any) -> Any:
    """The answer without the database's own ids and the scores, which the oracle does not know."""
    if isinstance(items, list):
        return [without_ids(item) for item in items]
    if isinstance(items, dict):
        return {name: without_ids(value) for name, value in items.items() if name not in ("id", "score")}
    return items


def agree(loaded: Loaded, model: str, query: dict[str, Any]) -> bool:
    """Whether something passes the filter; fails unless the oracle answers and counts the same."""
    parsed = parse_filter(MODELS[model], json.loads(json.dumps(query)), universe.PANET)
    answer = json.loads(loaded.ask(sql.items(parsed)))
    expected = oracle.find(loaded.rows[model], query)
    # Compared apart from the assertion: pytest's explanation of deep differences takes minutes.
    agrees = without_ids(answer) == expected
    assert agrees, f"{query}\nanswer: {without_ids(answer)}\nexpected: {expected}"
    assert loaded.ask(sql.count(parsed)) == oracle.count(loaded.rows[model], query), query
    return bool(answer)


def operators(pick: random.Random, name: str) -> dict[str, Any]:
    """Every test that a field knows, by operator."""
    operands = OPERANDS[name]
    present = [operand for operand in operands if operand is not None]
    same = [one for one in present if name != "value" or isinstance(one, int | float)]
    tests = {"plain": pick.choice(operands), "not": {"not": {"eq": pick.choice(present)}}}
    tests |= {name: {name: pick.choice(operands)} for name in ("eq", "neq")}
    tests |= {name: {name: pick.sample(operands, 2)} for name in ("inq", "nin")}
    if name != "isPublic":
        tests |= {operator: {operator: pick.choice(present)} for operator in ORDERED}
        tests["between"] = {"between": [pick.choice(same), pick.choice(same)]}
    if name not in oracle.DATES | {"size", "isPublic"}:
        tests |= {
            operator: {operator: pick.choice(LIKES)} for operator in ("like", "nlike", "ilike", "nilike")
        }
        tests["regexp"] = {"regexp": pick.choice(REGEXPS)}
    return tests


def paths(model: str, depth: int = 2) -> Iterator[tuple[str, ...]]:
    """Every chain of relations from a model, the empty one first."""
    yield ()
    for name, relation in MODELS[model].relations.items():
        if depth and (model, name) not in UNRELATED:
            yield from ((name, *rest) for rest in paths(relation.target, depth - 1))


def at_the_end(model: str, path: tuple[str, ...]) -> str:
    return at_the_end(MODELS[model].relations[path[0]].target, path[1:]) if path else model


@pytest.mark.parametrize("model", ["Dataset", "Document", "Instrument"])
def test_every_operator_on_every_field_of_every_relation(loaded: Loaded, model: str) -> None:
    pick = random.Random(model)
    asked: set[tuple[tuple[str, ...], str, str]] = set()
    passed = 0
    for path in paths(model):
        target = at_the_end(model, path)
        for name in [name for name in MODELS[target].fields if name in OPERANDS]:
            for operator, test in operators(pick, name).items():
                query: dict[str, Any] = {"where": {name: test}}
                for level in range(len(path), 0, -1):
                    shown = next(
                        one for one in MODELS[at_the_end(model, path[: level - 1])].fields if one in OPERANDS
                    )
                    query = {"include": [{"relation": path[level - 1], "scope": query}], "fields": [shown]}
                passed += agree(loaded, model, query)
                asked.add((path, name, operator))
    assert len({operator for _, _, operator in asked}) == 16
    assert len({path for path, _, _ in asked}) > len(MODELS[model].relations)
    # Filters that nothing passes prove little.
    assert passed > len(asked) / 5, (passed, len(asked))


@pytest.mark.parametrize("model", ["Dataset", "Document", "Instrument"])
def test_same_items_and_same_count(loaded: Loaded, model: str) -> None:
    answered = 0
    for seed in range(EXAMPLES):
        query = random_filter(random.Random(seed), model)
        try:
            answered += agree(loaded, model, query)
        except FilterError as error:
            if "one unit" not in str(error):
                raise
    # Filters that nothing passes prove little.
    assert answered > EXAMPLES / 5


@pytest.mark.parametrize("beside", ["", "iron", "iron oxide", "x-ray", "silica OR iron"])
def test_techniques_that_are_known_before(loaded: Loaded, beside: str) -> None:
    words = {"query": beside} if beside else {}
    named = parse_filter(MODELS["Dataset"], words, universe.PANET)
    with_words = {item["pid"] for item in json.loads(loaded.ask(sql.items(named)))}
    answered = 0
    for seed in range(EXAMPLES // 5):
        pick = random.Random(f"{beside} {seed}")
        tagged = {"relation": "techniques", "scope": {"where": where(pick, "Technique"), "fields": ["pid"]}}
        narrowed = {"fields": ["pid"], "include": [tagged], "limit": 100}
        query = parse_filter(MODELS["Dataset"], narrowed | words | {"order": "pid ASC"}, universe.PANET)
        techniques = sql.techniques(query)
        both = tags.known(query, loaded.row(techniques)) if techniques else query

        answer = without_ids(json.loads(loaded.ask(sql.items(both))))
        expected = [
            item for item in oracle.find(loaded.rows["Dataset"], narrowed) if item["pid"] in with_words
        ]
        # Compared apart from the assertion, as above.
        agrees = answer == expected and loaded.ask(sql.count(both)) == len(expected)
        assert agrees, f"{narrowed}\nanswer: {answer}\nexpected: {expected}"
        answered += bool(expected)
    assert answered > EXAMPLES // 5 / 5
