"""A refused filter's author is told the place, what stands there, and what should."""

from typing import Any

import pytest
from panosc_catalogue.query.errors import FilterError
from panosc_catalogue.query.model import MODELS
from panosc_catalogue.query.parse import parse_filter
from panosc_common.panet import LATEST, ontology

KEYS = "where, include, limit, skip, offset, order, fields, query"
RELATIONS = "documents, techniques, instrument, files, parameters, samples"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([1], f"Value is not an object. filter is a list of 1, but must be an object of {KEYS}"),
        ({"skip": 1, "offset": -1}, "The skip parameter -1 is not valid; give a whole number from 0 on"),
        ({"where": "x"}, 'filter.where is "x", but must be an object such as {"pid": "x"}'),
        (
            {"where": {"or": {}}},
            "filter.where.or is an empty object, but must be a list of one condition or more",
        ),
        (
            {"where": {"not": {}}},
            'filter.where.not is an empty object, but must be a condition such as {"pid": "x"}',
        ),
        (
            {"include": 5},
            f'filter.include is 5, but must be a relation ({RELATIONS}) or {{"relation": …, "scope": …}}, '
            "or a list of these",
        ),
        (
            {"include": [None]},
            f"an item of filter.include is null, but must be a relation ({RELATIONS}) or "
            '{"relation": …, "scope": …}',
        ),
        (
            {"where": {"size": {"like": "5"}}},
            "filter.where.size.like: the property is a number, like compares text; use one of "
            "eq, neq, gt, gte, lt, lte, between, inq, nin",
        ),
        ({"where": {"title": {"like": 5}}}, "filter.where.title.like is 5, but must be text"),
        (
            {"where": {"title": {"inq": "a"}}},
            'filter.where.title.inq is "a", but must be a list of 1000 values at most',
        ),
        (
            {"where": {"title": {"inq": ["a"] * 1001}}},
            "filter.where.title.inq is a list of 1001, but must be a list of 1000 values at most",
        ),
        (
            {"where": {"size": {"between": [1, 2, 3]}}},
            "filter.where.size.between is a list of 3, but must be a list of two values",
        ),
        (
            {"where": {"size": {"between": [1, None]}}},
            "filter.where.size.between is 1 and null, but must be two numbers, two dates or two texts",
        ),
        (
            {"where": {"size": {"gt": None}}},
            "filter.where.size.gt must not be null; only eq and neq compare with null",
        ),
        (
            {"where": {"size": {"eq": [1]}}},
            "filter.where.size.eq is a list of 1, but must be a single value; inq takes several",
        ),
        (
            {"where": {"isPublic": "maybe"}},
            'filter.where.isPublic.eq is "maybe", but must be true or false',
        ),
        (
            {"where": {"size": "many"}},
            'filter.where.size.eq: "many" is no number; give one such as 1500 or 1.5e3',
        ),
        ({"where": {"text": None}}, "filter.where.text is null, but must be text"),
        (
            {"order": "pid up"},
            'filter.order is "pid up", but must be as "pid ASC" or "pid DESC", or a list of these',
        ),
        ({"order": ["pid"] * 10}, "filter.order names properties more than once; name each once"),
        ({"fields": {"pid": "yes"}}, 'filter.fields.pid is "yes", but must be true or false'),
        (
            {"fields": 5},
            "filter.fields is 5, but must be a list of properties or an object of them with true or false",
        ),
        ({"limit": True}, "The limit parameter True is not valid; give a whole number from 0 on"),
        ({"query": ["a"]}, "filter.query is a list of 1, but must be text"),
        ({"where": {"title": "a\0"}}, "filter.where.title.eq holds a NUL character; leave it out"),
    ],
)
def test_place_value_and_remedy(given: Any, message: str) -> None:
    with pytest.raises(FilterError) as refused:
        parse_filter(MODELS["Dataset"], given, ontology(LATEST))
    assert str(refused.value) == message
