"""Entitlements say the same here as in the AARC's own package."""

import pytest
from aarc_entitlement import G069
from hypothesis import given
from hypothesis import strategies as st
from panosc_common.entitlements import Entitlement, parse

# Where a group is called "group", the AARC package takes it for the word that groups begin with.
NAMES = st.text(min_size=1, max_size=12).filter(lambda text: text.lower() != "group")
ENTITLEMENTS = st.builds(
    Entitlement,
    namespace=st.sampled_from(["geant:panosc.eu", "mace:example.org:aai"]),
    groups=st.lists(NAMES | st.sampled_from(["a b", "é:#", "role=x"]), min_size=1, max_size=4).map(tuple),
    role=st.none() | st.sampled_from(["admin", "principal investigator"]),
    authority=st.none() | st.just("login.example.org"),
)
HELD = "urn:geant:panosc.eu:group:panosc:esrf:role=admin#aai.x"


@given(ENTITLEMENTS)
def test_what_is_written_is_read_again(entitlement: Entitlement) -> None:
    assert parse(str(entitlement)) == entitlement


@given(ENTITLEMENTS, ENTITLEMENTS)
def test_satisfaction_is_that_of_the_aarc_package(held: Entitlement, required: Entitlement) -> None:
    assert held.satisfies(required) == G069(str(held)).satisfies(G069(str(required)))


@given(ENTITLEMENTS, st.data())
def test_so_it_is_for_what_is_required_of_the_same_groups(held: Entitlement, data: st.DataObject) -> None:
    depth = data.draw(st.integers(1, len(held.groups)))
    role = data.draw(st.sampled_from([None, held.role, "guest"]))
    required = Entitlement(held.namespace, held.groups[:depth], role)
    assert held.satisfies(required) == G069(str(held)).satisfies(G069(str(required)))


@pytest.mark.parametrize(
    ("required", "expected"),
    [
        ("urn:geant:panosc.eu:group:panosc", True),
        ("urn:GEANT:PaNOSC.eu:group:panosc:esrf", True),
        ("urn:geant:panosc.eu:group:panosc:esrf#other.org", True),
        ("urn:geant:panosc.eu:group:panosc:esrf:role=admin", True),
        ("urn:geant:panosc.eu:group:panosc:role=admin", False),
        ("urn:geant:panosc.eu:group:panosc:ill", False),
        ("urn:geant:panosc.eu:group:PaNOSC", False),
        ("urn:geant:other.eu:group:panosc", False),
    ],
)
def test_examples(required: str, expected: bool) -> None:
    held, wanted = parse(HELD), parse(required)
    assert held is not None
    assert wanted is not None
    assert held.satisfies(wanted) is expected


@pytest.mark.parametrize(
    "text", ["", "admin", "urn:geant:panosc.eu:res:archive:act:read", "urn:geant:group:x", f"{HELD} or so"]
)
def test_other_values_are_no_entitlements(text: str) -> None:
    assert parse(text) is None
