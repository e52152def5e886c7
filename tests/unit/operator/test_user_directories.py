"""People of an LDAP server at the login: a real OpenLDAP, and a real Keycloak with a realm as declared."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx2
import pytest
from panosc_operator.clients.realm import Realm
from panosc_operator.kinds.federation.account import Account
from support import keycloak, ldap, postgres
from unit.operator.test_realm import OPERATOR_SECRET, SCOPE, decoded, keep, person, wish, writes

STORAGE = "org.keycloak.storage.UserStorageProvider"


@pytest.fixture(scope="module")
def directory() -> Iterator[ldap.Server]:
    with ldap.server() as running:
        for name in ("lise", "otto", "fritz", "mallory"):
            running.add(name)
        yield running


@pytest.fixture(scope="module")
def server(directory: ldap.Server) -> Iterator[keycloak.Server]:
    with postgres.server() as database, keycloak.server(database, directory.authority) as running:
        running.admit("panosc-operator", OPERATOR_SECRET)
        assert "error" not in keep(wish(running, "aurora"))
        running.admin(
            "POST",
            "/panosc/clients",
            {
                "clientId": "try",
                "secret": keycloak.SECRET,
                "directAccessGrantsEnabled": True,
                "defaultClientScopes": ["panosc", "basic", "profile", "email", "facility-aurora"],
            },
        )
        yield running


class Login:
    """The login, and the directories that a federation declares there."""

    def __init__(self, server: keycloak.Server, directory: ldap.Server) -> None:
        self.server, self.directory = server, directory

    def declared(self, password: str = ldap.BIND_PASSWORD, **changes: Any) -> Realm:
        spec = {
            "name": "aurora",
            "url": self.directory.url,
            "bindDn": ldap.BINDER,
            "credentialsSecret": "aurora-reader",
            "usersDn": ldap.SUFFIX,
            **changes,
        }
        binders = {"aurora": Account(password, password)}
        made = wish(self.server, "aurora", binders=binders, userDirectories=[spec])
        # What the login knows of somebody for a minute, a test does not wait for.
        known = made.directories["aurora"]
        hasty = replace(known, settings={**known.settings, "maxLifespan": "1"})
        return replace(made, directories={"aurora": hasty})

    def keep(self, **changes: Any) -> dict[str, Any]:
        """What is found out about the directory."""
        report = keep(self.declared(**changes))
        assert "error" not in report
        (told,) = report["userDirectories"]
        return dict(told)

    def ask(self, **form: str) -> httpx2.Response:
        form |= {"client_id": "try", "client_secret": keycloak.SECRET, "scope": "openid"}
        where = f"{self.server.issuer('panosc')}/protocol/openid-connect/token"
        return self.server.client.post(where, data=form)

    def enter(self, who: str, password: str = ldap.PASSWORD) -> httpx2.Response:
        return self.ask(grant_type="password", username=who, password=password)

    def claims(self, who: str) -> dict[str, Any]:
        answer = self.enter(who)
        assert answer.is_success, answer.text
        return decoded(answer.json()["access_token"])

    def present(self, name: str = "aurora") -> dict[str, Any]:
        found = self.server.admin("GET", f"/panosc/components?type={STORAGE}&name={name}")
        (made,) = (one for one in found if one["providerId"] == "ldap")
        return dict(made)

    def mappers(self) -> dict[str, Any]:
        found = self.server.admin("GET", f"/panosc/components?parent={self.present()['id']}")
        return {one["name"]: one for one in found}

    def join(self, who: str, path: str) -> None:
        (found,) = self.server.admin("GET", f"/panosc/users?username={who}&exact=true")
        group = self.server.admin("GET", f"/panosc/group-by-path{path}")
        self.server.admin("PUT", f"/panosc/users/{found['id']}/groups/{group['id']}")


def refused(answer: httpx2.Response) -> bool:
    """Whether no token is given to this person."""
    return bool(answer.json().get("error") == "invalid_grant")


@pytest.fixture
def login(server: keycloak.Server, directory: ldap.Server) -> Login:
    made = Login(server, directory)
    assert made.keep() == {"name": "aurora", "connected": True, "message": ""}
    return made


def test_people_of_the_directory_log_in_and_have_an_identifier_of_the_federation_s(login: Login) -> None:
    claims = login.claims("lise")
    assert {name: claims[name] for name in ("name", "given_name", "email", "email_verified")} == {
        "name": "Lise Example",
        "given_name": "Lise",
        "email": "lise@aurora.example",
        "email_verified": False,
    }
    account, _, scope = claims["sub"].partition("@")
    assert (len(account), scope) == (36, SCOPE), "says nothing of who has it there"
    assert claims["voperson_id"] == claims["sub"] == login.claims("lise")["sub"]
    assert "entitlements" not in claims, "who comes from a directory belongs to nothing yet"
    assert refused(login.enter("lise", "another password"))


def test_groups_are_given_here(login: Login) -> None:
    login.claims("lise")
    login.join("lise", "/aurora/staff")
    (entitlement,) = login.claims("lise")["entitlements"]
    assert entitlement.startswith("urn:geant:panosc.example.org:group:aurora:staff#")


def test_connections_may_begin_tls_by_starttls(login: Login, directory: ldap.Server) -> None:
    before = login.claims("lise")["sub"]
    assert login.keep(url=directory.plain_url, startTls=True)["connected"]
    assert login.claims("lise")["sub"] == before


def test_addresses_are_verified_where_the_directory_s_word_counts(login: Login) -> None:
    """Also those that change afterwards; and no more when its word counts no more."""
    verified = []
    for word in (True, False):
        login.keep(verifiesEmail=word)
        verified.append(login.claims("otto")["email_verified"])
    assert verified == [True, False]


def test_what_the_directory_says_about_somebody_is_said_at_once(login: Login, directory: ldap.Server) -> None:
    before = login.claims("otto")
    directory.replace("otto", "mail", "hahn@aurora.example")
    directory.replace("otto", "sn", "Hahn")
    after = login.claims("otto")
    assert (after["name"], after["email"]) == ("Otto Hahn", "hahn@aurora.example")
    assert after["sub"] == before["sub"]


def test_whom_the_directory_shuts_out_the_login_does_too(login: Login, directory: ldap.Server) -> None:
    former = login.claims("fritz")["sub"]
    login.join("fritz", "/aurora/role=admin")
    tokens = login.enter("fritz").json()
    directory.remove("fritz")
    assert refused(login.enter("fritz"))
    assert refused(login.ask(grant_type="refresh_token", refresh_token=tokens["refresh_token"]))
    # Somebody else gets the name: of what the first one could, they can nothing.
    directory.add("fritz")
    assert refused(login.enter("fritz"))
    login.server.admin("DELETE", f"/panosc/users/{former.partition('@')[0]}")
    latter = login.claims("fritz")
    assert latter["sub"] != former
    assert "entitlements" not in latter


def test_a_filter_says_who_may_log_in(login: Login) -> None:
    login.keep(userFilter="(!(uid=mallory))")
    assert refused(login.enter("mallory"))
    assert login.enter("lise").is_success
    login.keep()
    assert login.enter("mallory").is_success


def test_a_password_that_the_directory_does_not_take_is_told(login: Login) -> None:
    report = login.keep(password="outdated")
    assert report["connected"] is False
    assert report["message"].startswith(f"{ldap.BINDER} can't bind to {login.directory.url}: ")
    assert "AuthenticationFailure" in report["message"]
    assert "outdated" not in report["message"]
    assert login.keep()["connected"]


def test_local_accounts_log_in_while_a_directory_is_away(login: Login, directory: ldap.Server) -> None:
    person(login.server, "local", [])
    directory.stop()
    try:
        assert login.keep()["connected"] is False
        assert login.enter("local", keycloak.PASSWORD).is_success
        assert not login.enter("lise").is_success
    finally:
        directory.start()
    assert login.enter("lise").is_success


def test_a_directory_as_declared_is_not_written_again(login: Login) -> None:
    before = writes(login.server)
    login.keep()
    assert writes(login.server) == before


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("connectionUrl", "ldaps://evil.example.org"),
        ("editMode", "WRITABLE"),
        ("useTruststoreSpi", "never"),
        ("removeInvalidUsersEnabled", "true"),
        ("customUserSearchFilter", "(uid=mallory)"),
    ],
)
def test_a_directory_changed_by_hand_is_put_back(login: Login, field: str, value: str) -> None:
    before = login.present()
    forged = {**before, "config": {**before["config"], field: [value]}}
    login.server.admin("PUT", f"/panosc/components/{before['id']}", forged)
    login.keep()
    assert login.present() == before
    assert login.enter("lise").is_success, "the password is kept"


def test_a_mapper_that_makes_everybody_staff_is_taken_away(login: Login) -> None:
    before = login.mappers()
    forged = {
        "name": "everybody is staff",
        "providerId": "hardcoded-ldap-group-mapper",
        "providerType": "org.keycloak.storage.ldap.mappers.LDAPStorageMapper",
        "parentId": login.present()["id"],
        "config": {"group": ["/aurora/staff"]},
    }
    login.server.admin("POST", "/panosc/components", forged)
    login.keep()
    assert login.mappers() == before


def test_people_of_a_directory_that_is_taken_out_are_known_again_when_it_is_back(login: Login) -> None:
    before = login.claims("otto")["sub"]
    keep(wish(login.server, "aurora"))
    assert not login.enter("otto").is_success
    login.keep()
    assert login.claims("otto")["sub"] == before


def test_directories_that_others_made_are_left_alone(login: Login) -> None:
    made = login.present()
    foreign = {name: made[name] for name in ("providerId", "providerType", "parentId", "config")}
    login.server.admin("POST", "/panosc/components", {**foreign, "name": "foreign"})
    before = login.present("foreign")
    login.keep()
    keep(wish(login.server, "aurora"))
    assert login.present("foreign") == before
    login.server.admin("DELETE", f"/panosc/components/{before['id']}")
