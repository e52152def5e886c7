"""What somebody may see, by the claims of their token."""

from dataclasses import replace
from typing import Any

import pytest
from panosc_common import access
from panosc_common.access import Aai, Grants, Role, Scope, grants, principal, reason
from panosc_common.entitlements import Entitlement

NAMESPACE = "geant:panosc.eu"
NUMBER = frozenset({"HC-4123"})
ROOT = Entitlement(NAMESPACE, ("esrf",))


def granted(*groups: str, claim: str = "entitlements", **claims: Any) -> Grants:
    said = {"sub": "x", claim: [f"urn:{NAMESPACE}:group:{group}" for group in groups], **claims}
    return by_groups(said)


def by_groups(claims: dict[str, Any]) -> Grants:
    """What these claims grant, but for who it is."""
    return replace(grants(principal(claims), ROOT), identities=frozenset())


@pytest.mark.parametrize(
    ("group", "expected"),
    [
        ("esrf:role=admin", Grants(admin=True)),
        ("esrf:role=admin#login.example.org", Grants(admin=True)),
        ("esrf:role=user-office", Grants(user_office=True)),
        ("esrf:staff", Grants(staff=True)),
        ("esrf:staff:detectors", Grants(staff=True)),
        ("esrf:instruments:BM%2018", Grants(instruments=frozenset({"BM 18"}))),
        ("esrf:proposals:HC-4123", Grants(proposals=NUMBER, groups=NUMBER)),
        ("esrf:proposals:HC-4123:role=pi", Grants(proposals=NUMBER, groups=NUMBER)),
        # Not so far down, not so high up, not here.
        ("esrf", Grants()),
        ("esrf:proposals", Grants()),
        ("esrf:users:role=admin", Grants()),
        ("esrf:users:role=user-office", Grants()),
        ("esrf:user-office", Grants()),
        ("ill:role=user-office", Grants()),
        ("esrf:role=guest", Grants()),
        ("ill:role=admin", Grants()),
        ("ESRF:role=admin", Grants()),
        ("federation:role=admin", Grants()),
    ],
)
def test_groups(group: str, expected: Grants) -> None:
    assert granted(group) == expected
    assert granted(group, claim="eduperson_entitlement") == expected


@pytest.mark.parametrize(
    ("scope", "may"),
    [
        (None, {*Scope}),
        ("", {*Scope}),
        ("openid panosc facility-esrf offline_access", {*Scope}),
        ("openid panosc:limited", set()),
        ("panosc:read", {Scope.READ}),
        ("openid panosc:limited panosc:read panosc:policy", {Scope.READ, Scope.POLICY}),
        ("panosc:", set()),
        ("panosc:read:all", set()),
        (["openid", "panosc:teams"], {Scope.TEAMS}),
    ],
)
def test_scopes_limit_a_token(scope: object, may: set[Scope]) -> None:
    asking = principal({"sub": "x", "scope": scope})
    assert {one for one in Scope if asking.may(one)} == may


def test_another_namespace_says_nothing() -> None:
    said = {"sub": "x", "entitlements": ["urn:geant:other.eu:group:esrf:role=admin"]}
    assert by_groups(said) == Grants()


@pytest.mark.parametrize(
    ("group", "expected"),
    [
        ("vo.esrf.eu:sub%20group:staff:role=member#aai.egi.eu", Grants(staff=True)),
        ("vo.esrf.eu:sub%20group:role=admin", Grants(admin=True)),
        ("vo.esrf.eu:sub%20group:proposals:HC-4123", Grants(proposals=NUMBER, groups=NUMBER)),
        ("vo.esrf.eu:role=admin", Grants()),
        ("vo.esrf.eu:staff", Grants()),
        ("vo.esrf.eu:sub%20group:beamlines:staff", Grants()),
        ("esrf:role=admin", Grants()),
    ],
)
def test_the_facilitys_group_may_be_called_otherwise(group: str, expected: Grants) -> None:
    root = Aai.model_validate(
        {
            "issuer": "https://aai.egi.eu/auth/realms/egi",
            "audience": "esrf-data",
            "entitlementNamespace": "mace:egi.eu",
            "group": "vo.esrf.eu:sub%20group",
        }
    ).root("esrf")
    asking = principal({"sub": "x", "eduperson_entitlement": [f"urn:mace:egi.eu:group:{group}"]})
    assert replace(grants(asking, root), identities=frozenset()) == expected


def test_one_entitlement_may_come_without_a_list() -> None:
    said = {"sub": "x", "entitlements": f"urn:{NAMESPACE}:group:esrf:staff"}
    assert grants(principal(said), ROOT).everything


@pytest.mark.parametrize("orcid", ["0000-0002-1825-0097", "https://orcid.org/0000-0002-1825-0097"])
def test_who_it_is(orcid: str) -> None:
    said = principal({"sub": "x@example.org", "orcid": orcid})
    assert said.subject == "x@example.org"
    assert said.identities == {"identifier:x@example.org", "orcid:0000-0002-1825-0097"}
    assert grants(said, ROOT).identities == said.identities


@pytest.mark.parametrize("value", [None, 1, {"a": 1}, ["nonsense", 7, "urn:x"]])
def test_claims_of_another_form_grant_nothing(value: Any) -> None:
    assert by_groups({"sub": "x", "entitlements": value}) == Grants()


@pytest.mark.parametrize(
    ("grounds", "everything", "text"),
    [
        (["HC-4123", "ID01", "beamline"], Role.ADMIN, "member of proposal HC-4123"),
        ([None, "ID01", "beamline"], Role.STAFF, "member of group beamline"),
        ([None, "ID01", None], Role.STAFF, "staff of instrument ID01"),
        ([None, None, None], Role.STAFF, "staff of the facility"),
        ([None, None, None], Role.ADMIN, "administrator of the facility"),
    ],
)
def test_the_narrowest_ground_is_the_reason(
    grounds: list[str | None], everything: Role | None, text: str
) -> None:
    assert str(reason(grounds, everything)) == text


def test_a_reason_tells_on_whose_word() -> None:
    told = reason(["HC-4123", None, None], None, "user office")
    assert str(told) == "member of proposal HC-4123 (user office)"
    # Without its entry nobody could tell whether the team still says so.
    assert access.granted([told]) == Grants()
    entered = told.model_copy(update={"entry": "7f0c"})
    assert str(entered) == str(told)
    # An archive's catalogues have their own entries, and a link is for all of them.
    elsewhere = told.model_copy(update={"entry": "9a1d"})
    assert access.granted([entered, elsewhere]) == Grants(entries=frozenset({"7f0c", "9a1d"}))


def test_who_names_the_people_of_proposals_sees_no_data() -> None:
    assert granted("esrf:role=user-office").everything is None


def test_nothing_is_seen_without_a_reason() -> None:
    with pytest.raises(ValueError, match="nothing lets them"):
        reason([None, None, None], None)


def test_reasons_grant_what_they_say_and_no_more() -> None:
    assert access.granted([]) == Grants()
    assert access.granted([reason(["HC-1", None, None], None), reason(["HC-2", None, None], None)]) == Grants(
        proposals=frozenset({"HC-1", "HC-2"})
    )
    assert access.granted([reason([None, None, "beamline"], None)]) == Grants(groups=frozenset({"beamline"}))
    assert access.granted([reason([None, "ID01", None], Role.ADMIN)]) == Grants(
        instruments=frozenset({"ID01"})
    )
    assert access.granted([reason([None, None, None], Role.STAFF)]) == Grants(staff=True)
    assert access.granted([reason([None, None, None], Role.ADMIN)]) == Grants(admin=True)


@pytest.mark.parametrize(
    ("groups", "role"),
    [
        (["esrf:role=admin", "esrf:instruments:id01"], "administrator of the facility"),
        (["esrf:staff"], "staff of the facility"),
        (["esrf:instruments:id02", "esrf:instruments:id01"], "staff of instrument id01, id02"),
        (["esrf:proposals:hc1"], "None"),
        (["esrf:role=user-office"], "None"),
        (["soleil:role=admin"], "None"),
        (["federation:role=admin"], "None"),
        ([], "None"),
    ],
)
def test_staff_puts_files_into_archives(groups: list[str], role: str) -> None:
    assert str(access.uploader(granted(*groups))) == role
