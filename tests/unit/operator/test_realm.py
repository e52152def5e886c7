"""The realm of a Federation on a real Keycloak: made as declared, put back when changed, claims as EOSC's.

What is asked of Keycloak is what a program, a person or an administrator would ask of it.
"""

import asyncio
import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import httpx2
import pytest
from aarc_entitlement import G069
from panosc_operator.api import Facility, Federation
from panosc_operator.clients.keycloak import KeptRealm
from panosc_operator.clients.realm import Mail, Realm
from panosc_operator.kinds.federation.account import Account
from panosc_operator.kinds.federation.realm import Login, realm
from support import keycloak, postgres
from support.known import settings

OPERATOR_SECRET, FACILITY_SECRET = "of-the-operator", "of-the-facility"
SCOPE = "panosc.example.org"


@pytest.fixture(scope="module")
def server() -> Iterator[keycloak.Server]:
    with postgres.server() as database, keycloak.server(database) as running:
        running.admit("panosc-operator", OPERATOR_SECRET)
        yield running


def federation(**spec: Any) -> Federation:
    said = {
        "displayName": "PaNOSC",
        "identifierScope": SCOPE,
        "entitlementNamespace": "geant:panosc.example.org",
        **spec,
    }
    return Federation.model_validate({"metadata": {"name": "panosc"}, "spec": said})


def facility(name: str) -> Facility:
    return Facility.model_validate({"metadata": {"name": name}, "spec": {"displayName": name.title()}})


def wish(
    server: keycloak.Server,
    *facilities: str,
    accounts: Mapping[str, Account] | None = None,
    binders: Mapping[str, Account] | None = None,
    letters: Mail | None = None,
    **spec: Any,
) -> Realm:
    logins = {
        name: Login(facility(name), Account(FACILITY_SECRET, "1"), ("archive", "catalogue"))
        for name in facilities
    }
    own = Account(OPERATOR_SECRET, "1")
    made = realm(federation(**spec), settings(), own, logins, accounts or {}, binders or {}, letters)
    return replace(made, url=server.url)


def keep(wanted: Realm) -> dict[str, Any]:
    async def ask() -> dict[str, Any]:
        async with httpx2.AsyncClient() as client:
            return await KeptRealm(wanted).ask(client)

    return asyncio.run(ask())


def writes(server: keycloak.Server) -> int:
    """How many changes administrators have made, as Keycloak counts them."""
    return len(server.admin("GET", "/panosc/admin-events?max=10000"))


@pytest.fixture(scope="module")
def kept(server: keycloak.Server) -> Realm:
    wanted = wish(server, "aurora", "borealis")
    assert keep(wanted) == {"version": wanted.version, "identityProviders": [], "userDirectories": []}
    return wanted


def test_what_is_as_declared_is_not_written_again(server: keycloak.Server, kept: Realm) -> None:
    before = writes(server)
    assert "error" not in keep(kept)
    assert writes(server) == before


def _first_login(server: keycloak.Server, kept: Realm) -> list[dict[str, Any]]:
    flow = quote(kept.first_login)
    return list(server.admin("GET", f"/panosc/authentication/flows/{flow}/executions"))


@pytest.mark.parametrize("step", ["Account verification options", "idp-username-password-form"])
def test_first_logins_need_proof_whatever_the_console_says(
    server: keycloak.Server, kept: Realm, step: str
) -> None:
    before = _first_login(server, kept)
    (proof,) = (
        one for one in before if step in (one.get("providerId"), one["displayName"].split("login ")[-1])
    )
    path = f"/panosc/authentication/flows/{quote(kept.first_login)}/executions"
    server.admin("PUT", path, {**proof, "requirement": "DISABLED"})
    assert "error" not in keep(kept)
    assert _first_login(server, kept) == before


def test_a_step_that_links_by_itself_is_taken_out(server: keycloak.Server, kept: Realm) -> None:
    before = _first_login(server, kept)
    within = quote(f"{kept.first_login} Handle Existing Account")
    path = f"/panosc/authentication/flows/{within}/executions"
    server.admin("POST", f"{path}/execution", {"provider": "idp-auto-link"})
    server.admin(
        "POST",
        f"{path}/flow",
        {"alias": "shortcut", "type": "basic-flow", "provider": "registration-page-form"},
    )
    assert len(_first_login(server, kept)) == len(before) + 2
    assert "error" not in keep(kept)
    assert _first_login(server, kept) == before


@pytest.mark.parametrize("step", ["idp-create-user-if-unique", "conditional-credential"])
def test_steps_of_first_logins_are_put_back_in_their_order(
    server: keycloak.Server, kept: Realm, step: str
) -> None:
    def order() -> list[tuple[int, str]]:
        return [(one["level"], one["displayName"]) for one in _first_login(server, kept)]

    before = order()
    (moved,) = (one for one in _first_login(server, kept) if one.get("providerId") == step)
    server.admin("POST", f"/panosc/authentication/executions/{moved['id']}/lower-priority")
    assert order() != before
    assert "error" not in keep(kept)
    assert order() == before
    # Steps of one priority come in any order.
    path = f"/panosc/authentication/flows/{quote(kept.first_login)}/executions"
    for one in _first_login(server, kept):
        if one["level"] == moved["level"]:
            server.admin("PUT", path, {**one, "priority": 5})
    assert "error" not in keep(kept)
    assert order() == before
    changes = writes(server)
    keep(kept)
    assert writes(server) == changes


def test_a_step_of_first_logins_in_another_place_is_told(server: keycloak.Server, kept: Realm) -> None:
    (confirm,) = (one for one in _first_login(server, kept) if one.get("providerId") == "idp-confirm-link")
    flows = "/panosc/authentication/flows"
    within = quote(f"{kept.first_login} Handle Existing Account")
    server.admin("DELETE", f"/panosc/authentication/executions/{confirm['id']}")
    server.admin(
        "POST", f"{flows}/{quote(kept.first_login)}/executions/execution", {"provider": "idp-confirm-link"}
    )
    place = "User creation or linking > Handle Existing Account > idp-confirm-link"
    assert f"lacks {place}: add it again" in keep(kept)["error"]
    # What stands in its place, if only for a while, might link accounts without a proof.
    assert "idp-confirm-link" not in [one.get("providerId") for one in _first_login(server, kept)]
    server.admin("POST", f"{flows}/{within}/executions/execution", {"provider": "idp-confirm-link"})
    assert "error" not in keep(kept)
    (confirm,) = (one for one in _first_login(server, kept) if one.get("providerId") == "idp-confirm-link")
    assert (confirm["level"], confirm["index"], confirm["requirement"]) == (2, 0, "REQUIRED")


@pytest.mark.parametrize("password", ["eleven char", "ada-lovelace", "ada@example.org"])
def test_passwords_that_are_easily_guessed_are_refused(
    server: keycloak.Server, kept: Realm, password: str
) -> None:
    credentials = [{"type": "password", "value": password, "temporary": False}]
    account = {"username": "ada-lovelace", "email": "ada@example.org", "credentials": credentials}
    with pytest.raises(AssertionError, match="assword"):
        server.admin("POST", "/panosc/users", account)


def test_a_step_of_first_logins_that_is_gone_is_told(server: keycloak.Server, kept: Realm) -> None:
    (review,) = (one for one in _first_login(server, kept) if one.get("providerId") == "idp-review-profile")
    server.admin("DELETE", f"/panosc/authentication/executions/{review['id']}")
    assert "lacks idp-review-profile: add it again" in keep(kept)["error"]
    path = f"/panosc/authentication/flows/{quote(kept.first_login)}/executions/execution"
    server.admin("POST", path, {"provider": "idp-review-profile"})
    assert "error" not in keep(kept)
    (review,) = (one for one in _first_login(server, kept) if one.get("providerId") == "idp-review-profile")
    assert review["requirement"] == "REQUIRED"


def _client(server: keycloak.Server, name: str) -> dict[str, Any]:
    (found,) = server.admin("GET", f"/panosc/clients?clientId={name}")
    return dict(found)


def _unordered(client: dict[str, Any]) -> dict[str, Any]:
    """The client with its lists sorted, which Keycloak gives in any order."""
    return {name: sorted(value) if isinstance(value, list) else value for name, value in client.items()}


DRIFT: dict[str, tuple[str, dict[str, Any]]] = {
    "people may register themselves": ("", {"registrationAllowed": True}),
    "tokens live for a day": ("", {"accessTokenLifespan": 86400}),
    "guessing passwords is not slowed down": ("", {"bruteForceProtected": False}),
    "first logins are linked by Keycloak's own flow": ("", {"firstBrokerLoginFlow": "first broker login"}),
}


@pytest.mark.parametrize("what", DRIFT)
def test_settings_changed_by_hand_are_put_back(server: keycloak.Server, kept: Realm, what: str) -> None:
    path, changes = DRIFT[what]
    before = server.admin("GET", f"/panosc{path}")
    server.admin("PUT", f"/panosc{path}", {**before, **changes})
    keep(kept)
    after = server.admin("GET", f"/panosc{path}")
    assert {name: after[name] for name in changes} == {name: before[name] for name in changes}


def test_a_client_changed_by_hand_is_put_back(server: keycloak.Server, kept: Realm) -> None:
    client = _client(server, "facility-aurora")
    opened = {
        **client,
        "redirectUris": ["https://evil.example.org/*"],
        "secret": "known",
        "publicClient": True,
    }
    server.admin("PUT", f"/panosc/clients/{client['id']}", opened)
    keep(kept)
    after = _client(server, "facility-aurora")
    assert sorted(after["redirectUris"]) == [
        "http://archive.aurora.panosc.localhost/oauth2/callback",
        "http://catalogue.aurora.panosc.localhost/oauth2/callback",
    ]
    assert (after["secret"], after["publicClient"]) == (FACILITY_SECRET, False)


def test_nobody_is_put_into_groups_who_only_comes(server: keycloak.Server, kept: Realm) -> None:
    staff = server.admin("GET", "/panosc/group-by-path/aurora/staff")
    server.admin("PUT", f"/panosc/default-groups/{staff['id']}")
    keep(kept)
    assert server.admin("GET", "/panosc/default-groups") == []


def test_nobody_administers_accounts_who_only_comes(server: keycloak.Server, kept: Realm) -> None:
    everybody = server.admin("GET", "/panosc")["defaultRole"]["id"]
    before = server.admin("GET", f"/panosc/roles-by-id/{everybody}/composites")
    administrator = _administrator(server)
    server.admin("POST", f"/panosc/roles-by-id/{everybody}/composites", [administrator])
    keep(kept)
    after = server.admin("GET", f"/panosc/roles-by-id/{everybody}/composites")
    assert {one["name"] for one in after} == {one["name"] for one in before}


def test_groups_have_no_roles_but_the_administrators(server: keycloak.Server, kept: Realm) -> None:
    server.admin("POST", "/panosc/roles", {"name": "forged"})
    forged = server.admin("GET", "/panosc/roles/forged")
    administrator = _administrator(server)
    before = {}
    for path in ("/aurora/staff", "/federation/role=admin"):
        group = server.admin("GET", f"/panosc/group-by-path{path}")
        before[path] = group
        where = f"/panosc/groups/{group['id']}/role-mappings"
        server.admin("POST", f"{where}/realm", [forged])
        server.admin("POST", f"{where}/clients/{administrator['containerId']}", [administrator])
    assert "error" not in keep(kept)
    assert {path: server.admin("GET", f"/panosc/group-by-path{path}") for path in before} == before


def _administrator(server: keycloak.Server) -> dict[str, Any]:
    management = _client(server, "realm-management")
    return dict(server.admin("GET", f"/panosc/clients/{management['id']}/roles/realm-admin"))


@pytest.mark.parametrize("kind", ["default", "optional"])
def test_clients_have_the_scopes_that_are_declared(server: keycloak.Server, kept: Realm, kind: str) -> None:
    server.admin("POST", "/panosc/client-scopes", {"name": f"forged-{kind}", "protocol": "openid-connect"})
    ids = {one["name"]: one["id"] for one in server.admin("GET", "/panosc/client-scopes")}
    where = f"/panosc/clients/{_client(server, 'facility-aurora')['id']}"
    server.admin("DELETE", f"{where}/default-client-scopes/{ids['profile']}")
    server.admin("PUT", f"{where}/{kind}-client-scopes/{ids[f'forged-{kind}']}")
    keep(kept)
    names = {one["name"] for one in server.admin("GET", f"{where}/default-client-scopes")}
    assert names == {
        *("basic", "acr", "profile", "email", "roles", "web-origins"),
        "panosc",
        "facility-aurora",
    }
    assert server.admin("GET", f"{where}/optional-client-scopes") == []


def test_a_claim_added_by_hand_is_taken_away(server: keycloak.Server, kept: Realm) -> None:
    (scope,) = [one for one in server.admin("GET", "/panosc/client-scopes") if one["name"] == "panosc"]
    path = f"/panosc/client-scopes/{scope['id']}/protocol-mappers/models"
    forged = {
        "name": "everybody is an administrator",
        "protocol": "openid-connect",
        "protocolMapper": "oidc-hardcoded-claim-mapper",
        "config": {"claim.name": "entitlements", "claim.value": "urn:x:y:group:aurora:role=admin"},
    }
    server.admin("POST", path, forged)
    keep(kept)
    assert forged["name"] not in {one["name"] for one in server.admin("GET", path)}


def test_foreign_clients_scopes_and_members_of_groups_are_left_alone(
    server: keycloak.Server, kept: Realm
) -> None:
    server.admin(
        "POST", "/panosc/clients", {"clientId": "elab", "redirectUris": ["https://elab.example.org/"]}
    )
    server.admin("POST", "/panosc/client-scopes", {"name": "elab", "protocol": "openid-connect"})
    grace = person(server, "grace", ["/borealis/staff"])
    before = _unordered(_client(server, "elab"))
    keep(kept)
    assert _unordered(_client(server, "elab")) == before
    assert "elab" in {one["name"] for one in server.admin("GET", "/panosc/client-scopes")}
    assert [one["path"] for one in server.admin("GET", f"/panosc/users/{grace}/groups")] == [
        "/borealis/staff"
    ]


def test_a_facility_that_leaves_loses_its_client_and_keeps_its_groups(
    server: keycloak.Server, kept: Realm
) -> None:
    keep(wish(server, "aurora"))
    assert server.admin("GET", "/panosc/clients?clientId=facility-borealis") == []
    assert "facility-borealis" not in {one["name"] for one in server.admin("GET", "/panosc/client-scopes")}
    assert server.admin("GET", "/panosc/group-by-path/borealis/staff")["name"] == "staff"
    keep(kept)
    assert _client(server, "facility-borealis")["enabled"] is True


def person(server: keycloak.Server, name: str, groups: list[str], **attributes: str) -> str:
    """Make an account, and return its id."""
    server.admin(
        "POST",
        "/panosc/users",
        {
            "username": name,
            "enabled": True,
            "email": f"{name}@example.org",
            "firstName": name.title(),
            "lastName": "Example",
            "credentials": [{"type": "password", "value": keycloak.PASSWORD, "temporary": False}],
            "attributes": {key: [value] for key, value in attributes.items()},
        },
    )
    (found,) = server.admin("GET", f"/panosc/users?username={name}&exact=true")
    for path in groups:
        group = server.admin("GET", f"/panosc/group-by-path{path}")
        server.admin("PUT", f"/panosc/users/{found['id']}/groups/{group['id']}")
    return str(found["id"])


def decoded(token: str) -> dict[str, Any]:
    payload = token.split(".")[1]
    return dict(json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))))


@pytest.fixture(scope="module")
def said(server: keycloak.Server, kept: Realm) -> dict[str, dict[str, Any]]:
    """What the login says about Ada, by where it says so."""
    groups = ["/aurora/role=admin", "/aurora/instruments", "/borealis/staff", "/federation/role=admin"]
    ada = person(server, "ada", groups, orcid="0000-0002-1825-0097", schac_home_organization="example.org")
    # A program that takes passwords, which none of ours does: the claims are those of any login.
    server.admin(
        "POST",
        "/panosc/clients",
        {
            "clientId": "try",
            "secret": keycloak.SECRET,
            "directAccessGrantsEnabled": True,
            "defaultClientScopes": ["panosc", "basic", "profile", "email", "facility-aurora"],
        },
    )
    login = {"client_id": "try", "client_secret": keycloak.SECRET, "scope": "openid"}
    ada_herself = {"grant_type": "password", "username": "ada", "password": keycloak.PASSWORD}
    where = f"{server.issuer('panosc')}/protocol/openid-connect"
    tokens = server.client.post(f"{where}/token", data=login | ada_herself).json()
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    asked = {"token": tokens["access_token"]}
    introspected = server.client.post(
        f"{where}/token/introspect", data=asked, auth=("facility-aurora", FACILITY_SECRET)
    )
    return {
        "account": {"id": ada},
        "access token": decoded(tokens["access_token"]),
        "ID token": decoded(tokens["id_token"]),
        "userinfo": server.client.get(f"{where}/userinfo", headers=bearer).json(),
        "introspection": introspected.json(),
    }


EVERYWHERE = ("access token", "ID token", "userinfo", "introspection")


@pytest.mark.parametrize("where", EVERYWHERE)
def test_people_are_known_by_a_scoped_opaque_identifier(
    said: Mapping[str, Mapping[str, Any]], where: str
) -> None:
    expected = f"{said['account']['id']}@{SCOPE}"
    assert (said[where]["sub"], said[where]["voperson_id"]) == (expected, expected)


@pytest.mark.parametrize(
    ("claim", "where"),
    [
        *(("entitlements", where) for where in EVERYWHERE),
        *(("eduperson_entitlement", where) for where in ("userinfo", "introspection")),
    ],
)
def test_groups_are_entitlements(said: Mapping[str, Mapping[str, Any]], where: str, claim: str) -> None:
    before, after = "urn:geant:panosc.example.org:group", "#login.panosc.localhost"
    # Tokens are as large as a cookie at most; who is what elsewhere is none of a facility's business either.
    elsewhere = [f"{before}:borealis:staff{after}"] if where in ("userinfo", "introspection") else []
    assert said[where][claim] == [
        f"{before}:aurora:instruments{after}",
        f"{before}:aurora:role=admin{after}",
        *elsewhere,
        f"{before}:federation:role=admin{after}",
    ]


def test_entitlements_are_what_the_community_s_package_reads(said: Mapping[str, Mapping[str, Any]]) -> None:
    given = [G069(one) for one in said["access token"]["entitlements"]]
    administrator = G069("urn:geant:panosc.example.org:group:aurora:role=admin")
    assert any(one.satisfies(administrator) for one in given)
    assert not any(
        one.satisfies(G069("urn:geant:panosc.example.org:group:borealis:role=admin")) for one in given
    )


@pytest.mark.parametrize("where", EVERYWHERE)
def test_who_has_a_token_learns_where_it_may_go(said: Mapping[str, Mapping[str, Any]], where: str) -> None:
    hosts = ["http://archive.aurora.panosc.localhost", "http://catalogue.aurora.panosc.localhost"]
    assert said[where].get("panosc_services") == (hosts if where == "userinfo" else None)


@pytest.mark.parametrize(
    ("claim", "expected"),
    [("name", "Ada Example"), ("given_name", "Ada"), ("email", "ada@example.org"), ("email_verified", False)],
)
@pytest.mark.parametrize("where", EVERYWHERE)
def test_names_and_addresses_are_said_everywhere(
    said: Mapping[str, Mapping[str, Any]], where: str, claim: str, expected: object
) -> None:
    assert said[where][claim] == expected


def test_whoever_changes_their_address_proves_it_anew(server: keycloak.Server, kept: Realm) -> None:
    """Teams name people by addresses that are verified: nobody makes somebody else's their own."""
    ben = person(server, "ben", [])
    known = server.admin("GET", f"/panosc/users/{ben}")
    server.admin("PUT", f"/panosc/users/{ben}", {**known, "emailVerified": True})
    console = {"clientId": "console", "secret": keycloak.SECRET, "directAccessGrantsEnabled": True}
    scopes = {"defaultClientScopes": ["panosc", "basic", "roles", "email"]}
    server.admin("POST", "/panosc/clients", console | scopes)
    form = {"client_id": "console", "client_secret": keycloak.SECRET, "scope": "openid"}
    form |= {"grant_type": "password", "username": "ben", "password": keycloak.PASSWORD}
    before = server.token("panosc", **form)
    answer = server.client.post(
        f"{server.issuer('panosc')}/account",
        json={"username": "ben", "firstName": "Ben", "lastName": "Example", "email": "pi@example.org"},
        headers={"Authorization": f"Bearer {before}", "Accept": "application/json"},
    )
    assert answer.is_success, answer.text
    after = decoded(server.token("panosc", **form))
    assert decoded(before)["email_verified"] is True
    assert (after["email"], after["email_verified"]) == ("pi@example.org", False)


def test_the_home_organisation_is_said_to_who_asks_with_the_token(
    said: Mapping[str, Mapping[str, Any]],
) -> None:
    shown = {where for where in EVERYWHERE if "schac_home_organization" in said[where]}
    assert shown == {"userinfo", "introspection"}


def test_a_token_is_for_the_facility_whose_scope_was_asked_for(
    said: Mapping[str, Mapping[str, Any]],
) -> None:
    assert said["access token"]["aud"] == "facility-aurora"


def test_nobody_acts_as_somebody_else(server: keycloak.Server, kept: Realm) -> None:
    """The audit log would name the wrong one."""
    mallory = person(server, "mallory", [])
    with pytest.raises(AssertionError, match="impersonation"):
        server.admin("POST", f"/panosc/users/{mallory}/impersonation")


def test_people_cannot_say_themselves_who_they_are(server: keycloak.Server, kept: Realm) -> None:
    """What opens data, such as an ORCID iD, is nobody's own word."""
    profile = server.admin("GET", "/panosc/users/profile")
    editors = {one["name"]: one["permissions"]["edit"] for one in profile["attributes"]}
    for name in ("orcid", "schac_home_organization", "voperson_external_affiliation", "eduperson_assurance"):
        assert editors[name] == ["admin"]
    assert profile.get("unmanagedAttributePolicy", "DISABLED") == "DISABLED"


UPSTREAM = {
    "name": "institute",
    "displayName": "The institute",
    "clientId": "panosc",
    "credentialsSecret": "institute-client",
}


def test_an_upstream_provider_that_is_not_there_hinders_nothing_else(
    server: keycloak.Server, kept: Realm
) -> None:
    gone = {**UPSTREAM, "issuer": "https://login.nowhere.invalid"}
    wanted = wish(
        server, "aurora", "borealis", accounts={"institute": Account("x", "1")}, identityProviders=[gone]
    )
    report = keep(wanted)
    assert report["version"] == wanted.version
    (institute,) = report["identityProviders"]
    assert institute["offered"] is False
    assert institute["message"].startswith("https://login.nowhere.invalid/.well-known/openid-configuration")
    assert _client(server, "facility-aurora")["enabled"] is True
    keep(kept)


def test_an_upstream_provider_is_kept_as_it_says_about_itself_and_never_forgotten(
    server: keycloak.Server, kept: Realm
) -> None:
    server.admin("POST", "", {"realm": "institute", "enabled": True, "sslRequired": "none"})
    issuer = server.issuer("institute")
    declared = {**UPSTREAM, "issuer": "https://login.institute.example.org"}
    account = {"institute": Account("x", "1")}
    wanted = wish(server, "aurora", "borealis", accounts=account, identityProviders=[declared])
    institute = wanted.upstreams["institute"]
    assert set(institute.mappers) == {
        *("schac_home_organization", "voperson_external_affiliation", "eduperson_assurance")
    }, "an ORCID iD is nobody's own word"
    # In the test, it answers without TLS.
    settings = {**institute.settings, "config": {**institute.settings["config"], "issuer": issuer}}
    wanted = replace(wanted, upstreams={"institute": replace(institute, issuer=issuer, settings=settings)})

    def provider() -> dict[str, Any]:
        return dict(server.admin("GET", "/panosc/identity-provider/instances/institute"))

    assert keep(wanted)["identityProviders"] == [{"name": "institute", "offered": True, "message": ""}]
    before, made = writes(server), provider()
    assert made["config"]["jwksUrl"] == f"{issuer}/protocol/openid-connect/certs"
    assert made["firstBrokerLoginFlowAlias"] == "panosc first broker login"
    keep(wanted)
    assert writes(server) == before

    forged = {**made["config"], "jwksUrl": "https://evil.example.org/keys", "validateSignature": "false"}
    server.admin("PUT", "/panosc/identity-provider/instances/institute", {**made, "config": forged})
    keep(wanted)
    assert provider()["config"] == made["config"]

    keep(kept)
    assert provider()["enabled"] is False, "with it would go who is who there"
    keep(wanted)
    assert provider()["enabled"] is True
    keep(kept)


def test_claims_put_on_a_client_are_taken_away(server: keycloak.Server, kept: Realm) -> None:
    client = _client(server, "facility-aurora")
    path = f"/panosc/clients/{client['id']}/protocol-mappers/models"
    forged = {
        "name": "everybody is staff",
        "protocol": "openid-connect",
        "protocolMapper": "oidc-hardcoded-claim-mapper",
        "config": {"claim.name": "entitlements", "claim.value": "urn:x:y:group:aurora:staff"},
    }
    server.admin("POST", path, forged)
    keep(kept)
    assert server.admin("GET", path) == []


def test_an_account_that_keycloak_does_not_know_is_told(server: keycloak.Server, kept: Realm) -> None:
    report = keep(replace(kept, client_secret="another"))
    assert "does not take the operator's account panosc-operator" in report["error"]
    assert "another" not in json.dumps(report)


def test_nothing_secret_is_shown() -> None:
    hidden = Account("hidden", "1")
    login = Login(facility("aurora"), hidden, ("catalogue",))
    provider = {**UPSTREAM, "issuer": "https://login.institute.example.org"}
    directory = {"name": "hr", "url": "ldaps://ldap.example.org", "credentialsSecret": "hr-reader"}
    directory |= {"bindDn": "cn=reader,dc=example,dc=org", "usersDn": "dc=example,dc=org"}
    declared = federation(identityProviders=[provider], userDirectories=[directory])
    made = realm(declared, settings(), hidden, {"aurora": login}, {"institute": hidden}, {"hr": hidden})
    for part in (made, login, *made.clients.values(), *made.upstreams.values(), *made.directories.values()):
        assert "hidden" not in repr(part)
    assert made.clients["facility-aurora"].settings["secret"] == "hidden"
    assert made.upstreams["institute"].settings["config"]["clientSecret"] == "hidden"
    assert made.directories["hr"].password == "hidden"
