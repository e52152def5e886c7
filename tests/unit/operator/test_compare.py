"""When a live object counts as being as desired."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from panosc_operator.engine.compare import contains, parse_quantity


@pytest.mark.parametrize(
    ("live", "desired", "same"),
    [
        pytest.param({"a": 1, "b": 2}, {"a": 1}, True, id="others' fields don't count"),
        pytest.param({"a": 2}, {"a": 1}, False, id="a changed value"),
        pytest.param({}, {"a": 1}, False, id="a removed value"),
        pytest.param(
            {}, {"a": "", "b": False, "c": {}, "d": [], "e": None, "f": 0}, True, id="left out if empty"
        ),
        pytest.param({}, {"a": {"b": {}}}, True, id="left out if empty, deeply"),
        pytest.param(
            {"podSelector": {"matchLabels": {"x": "y"}}}, {"podSelector": {}}, False, id="widened selector"
        ),
        pytest.param(
            {"podSelector": {"matchLabels": {"x": "y", "z": "y"}}},
            {"podSelector": {"matchLabels": {"x": "y"}}},
            False,
            id="narrowed selector, deeply",
        ),
        pytest.param(
            {"selector": {"x": "y", "z": "y"}}, {"selector": {"x": "y"}}, False, id="narrowed selector"
        ),
        pytest.param(
            {"spec": {"ingress": [{}]}}, {"spec": {"ingress": []}}, False, id="a fence opened to everything"
        ),
        pytest.param({"spec": {}}, {"spec": {"ingress": []}}, True, id="a fence that lets nothing through"),
        pytest.param(
            {"egress": [{"ports": [{"port": 53, "endPort": 65535}]}]},
            {"egress": [{"ports": [{"port": 53}]}]},
            False,
            id="a wider gate",
        ),
        pytest.param(
            {"rules": [{"verbs": ["get"], "resourceNames": ["a"]}]},
            {"rules": [{"verbs": ["get"]}]},
            False,
            id="a rule with an addition",
        ),
        pytest.param(
            {"containers": [{"name": "sidecar"}, {"name": "api", "image": "a", "x": 1}]},
            {"containers": [{"name": "api", "image": "a"}]},
            True,
            id="an injected sidecar",
        ),
        pytest.param(
            {"containers": [{"name": "sidecar"}]}, {"containers": [{"name": "api"}]}, False, id="ours is gone"
        ),
        pytest.param(
            {"subjects": [{"name": "it"}, {"name": "eve"}]},
            {"subjects": [{"name": "it"}]},
            False,
            id="one subject more",
        ),
        pytest.param({"args": ["a", "b"]}, {"args": ["a"]}, False, id="one argument more"),
        pytest.param({"args": ["b", "a"]}, {"args": ["a", "b"]}, False, id="order matters"),
        pytest.param(
            {"parentRefs": [{"name": "g", "kind": "Gateway"}]},
            {"parentRefs": [{"name": "g"}]},
            True,
            id="defaults in items",
        ),
        pytest.param(
            {"limits": {"cpu": "1"}}, {"limits": {"cpu": "1000m"}}, True, id="a quantity written shorter"
        ),
        pytest.param(
            {"hard": {"requests.cpu": "64"}}, {"hard": {"requests.cpu": 64}}, True, id="a quantity as number"
        ),
        pytest.param({"limits": {"cpu": "2"}}, {"limits": {"cpu": "1000m"}}, False, id="another quantity"),
        pytest.param({"value": "1"}, {"value": "1000m"}, False, id="no quantity, though it looks like one"),
        pytest.param({"a": "text"}, {"a": {"b": 1}}, False, id="another shape"),
        pytest.param({"a": "text"}, {"a": ["text"]}, False, id="no list"),
    ],
)
def test_contains(live: Any, desired: Any, same: bool) -> None:
    assert contains(live, desired) is same


# No name of a field that is compared in a way of its own, such as `env`, can be made of these.
names = st.text("abc/.é", max_size=5)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
    max_leaves=20,
)


@given(json_values)
def test_everything_contains_itself(value: Any) -> None:
    assert contains(value, value)


@given(
    st.dictionaries(names, json_values, max_size=4),
    st.dictionaries(names, json_values, min_size=1, max_size=4),
)
def test_fields_of_others_do_not_matter(desired: dict[str, Any], others: dict[str, Any]) -> None:
    """But for the fields with one writer, above."""
    if desired:
        assert contains({**others, **desired}, desired)


@pytest.mark.parametrize(
    ("text", "value"),
    [("500m", 0.5), ("64", 64), (64, 64), ("20Gi", 20 * 2**30), ("10T", 10**13), ("1.5Gi", 1.5 * 2**30)],
)
def test_parse_quantity(text: str | int, value: float) -> None:
    assert float(parse_quantity(text)) == value


@pytest.mark.parametrize("text", ["", "Gi", "1Kb", "ten", "1 Gi"])
def test_parse_quantity_says_what_is_wrong(text: str) -> None:
    with pytest.raises(ValueError, match="write it like"):
        parse_quantity(text)
