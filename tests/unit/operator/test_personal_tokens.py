"""Personal tokens of a real Keycloak: what they are good for, and when they end."""

import html
import re
import time
from collections.abc import Callable, Iterator

import httpx2
import pytest
from panosc_operator.clients.realm import Realm
from support import keycloak, postgres
from unit.cli.laptop import enter
from unit.operator.test_realm import OPERATOR_SECRET, decoded, keep, person, wish

CLIENT = "panosc-scripts"
DEVICE = "urn:ietf:params:oauth:grant-type:device_code"
READ, TEAMS, POLICY, LIMITED = "panosc:read", "panosc:teams", "panosc:policy", "panosc:limited"


class Login:
    """The login as somebody with a script meets it."""

    def __init__(self, server: keycloak.Server) -> None:
        self.server = server
        self.question = ""
        """The page that asked last whether a script may have a token."""

    def ask(self, what: str, **form: str) -> httpx2.Response:
        address = f"{self.server.issuer('panosc')}/protocol/openid-connect/{what}"
        return self.server.client.post(address, data={"client_id": CLIENT, **form})

    def make(self, *limits: str, who: str = "ada", client: str = CLIENT) -> str:
        """A token that somebody grants in a browser."""
        scope = " ".join(["openid", "offline_access", "facility-aurora", *limits])
        code = self.ask("auth/device", client_id=client, scope=scope).json()
        self.question = enter(code["verification_uri_complete"], who)
        answer = self.ask("token", client_id=client, grant_type=DEVICE, device_code=code["device_code"])
        assert answer.is_success, answer.text
        return str(answer.json()["refresh_token"])

    def use(self, token: str, **form: str) -> httpx2.Response:
        return self.ask("token", grant_type="refresh_token", refresh_token=token, **form)

    def access(self, token: str, **form: str) -> dict[str, object]:
        """The claims of the access token for which it is exchanged."""
        answer = self.use(token, **form)
        assert answer.is_success, answer.text
        return decoded(answer.json()["access_token"])

    def limits(self, token: str, **form: str) -> set[str]:
        """The scopes by which that is limited."""
        return {one for one in str(self.access(token, **form)["scope"]).split() if ":" in one}


@pytest.fixture(scope="module")
def server() -> Iterator[keycloak.Server]:
    with postgres.server() as database, keycloak.server(database) as running:
        running.admit("panosc-operator", OPERATOR_SECRET)
        yield running


@pytest.fixture(scope="module")
def kept(server: keycloak.Server) -> Realm:
    wanted = wish(server, "aurora")
    assert "error" not in keep(wanted)
    return wanted


@pytest.fixture(scope="module")
def ada(server: keycloak.Server, kept: Realm) -> str:
    return person(server, "ada", ["/aurora/staff"])


@pytest.fixture
def login(server: keycloak.Server, ada: str) -> Login:
    return Login(server)


@pytest.mark.parametrize("asked", [[], [READ], [READ, TEAMS], [READ, TEAMS, POLICY]], ids=" ".join)
def test_a_token_is_limited_to_what_was_asked_for(login: Login, asked: list[str]) -> None:
    token = login.make(*asked)
    assert login.limits(token) == {LIMITED, *asked}
    claims = login.access(token)
    assert claims["aud"] == "facility-aurora"
    assert claims["entitlements"] == [
        "urn:geant:panosc.example.org:group:aurora:staff#login.panosc.localhost"
    ]
    # It may give up more, and never gets more.
    assert login.limits(token, scope="openid") == {LIMITED}
    assert POLICY not in login.limits(token, scope=f"openid {POLICY}") - set(asked)


def test_people_read_what_they_grant(login: Login) -> None:
    login.make(READ, TEAMS)
    told = html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", login.question)))
    assert "a script of yours, for 90 days" in told
    assert "See and download the data that you may see" in told
    assert "See and change who is on a proposal, where you may" in told
    assert "What you may do at Aurora" in told
    assert "embargoes" not in told
    assert LIMITED not in told


def test_scripts_that_run_side_by_side_have_one_token(login: Login) -> None:
    token = login.make(READ)
    for _ in range(3):
        assert login.use(token).is_success


def test_a_token_ends_however_often_it_is_used(login: Login, kept: Realm) -> None:
    begun, until = time.time(), 90 * 86400
    before = login.make(READ)
    answer = login.use(before).json()
    assert until - 60 < answer["refresh_expires_in"] <= until
    assert decoded(answer["refresh_token"])["exp"] <= begun + until + 60

    realm = login.server.admin("GET", "/panosc")
    login.server.admin("PUT", "/panosc", {**realm, "offlineSessionMaxLifespan": 4})
    try:
        token, end = login.make(READ), time.time() + 4
        while time.time() < end - 1:
            latest = login.use(token)
            assert latest.is_success, latest.text
            time.sleep(0.5)
        time.sleep(2)
        for given in (before, token, latest.json()["refresh_token"]):
            assert login.use(given).json()["error"] == "invalid_grant"
    finally:
        assert "error" not in keep(kept)
    assert login.server.admin("GET", "/panosc")["offlineSessionMaxLifespan"] == until


def test_revoking_one_ends_no_other(login: Login) -> None:
    lost, other = login.make(READ), login.make(READ)
    assert login.ask("revoke", token=lost).is_success
    assert login.use(lost).json()["error"] == "invalid_grant"
    assert login.use(other).is_success


def _disabled(login: Login, ada: str) -> None:
    account = login.server.admin("GET", f"/panosc/users/{ada}")
    login.server.admin("PUT", f"/panosc/users/{ada}", {**account, "enabled": False})


def _logged_out(login: Login, ada: str) -> None:
    time.sleep(1)  # what began in the same second goes on
    login.server.admin("POST", f"/panosc/users/{ada}/logout")


def _taken_back(login: Login, ada: str) -> None:
    login.server.admin("DELETE", f"/panosc/users/{ada}/consents/{CLIENT}")


def _removed(login: Login, ada: str) -> None:
    """By herself, on the account page."""
    console = {"clientId": "console", "secret": keycloak.SECRET, "directAccessGrantsEnabled": True}
    scopes = {"defaultClientScopes": ["panosc", "basic", "roles"]}
    login.server.admin("POST", "/panosc/clients", console | scopes)
    form = {"client_id": "console", "client_secret": keycloak.SECRET, "grant_type": "password"}
    bearer = login.server.token("panosc", username="ada", password=keycloak.PASSWORD, **form)
    answer = login.server.client.delete(
        f"{login.server.issuer('panosc')}/account/applications/{CLIENT}/consent",
        headers={"Authorization": f"Bearer {bearer}", "Accept": "application/json"},
    )
    assert answer.is_success, answer.text


@pytest.mark.parametrize("end", [_disabled, _logged_out, _taken_back, _removed])
def test_all_tokens_of_somebody_end_at_once(
    login: Login, ada: str, end: Callable[[Login, str], None]
) -> None:
    tokens = login.make(READ), login.make(TEAMS)
    end(login, ada)
    for token in tokens:
        assert login.use(token).json()["error"] == "invalid_grant"
    account = login.server.admin("GET", f"/panosc/users/{ada}")
    login.server.admin("PUT", f"/panosc/users/{ada}", {**account, "enabled": True})
    # An account that is back has its tokens again, unless it was logged out, too.
    assert login.use(tokens[0]).is_success == (end is _disabled)


def test_who_leaves_a_group_has_left_it_at_the_next_exchange(login: Login, server: keycloak.Server) -> None:
    ben = person(server, "ben", ["/aurora/staff"])
    token = login.make(READ, who="ben")
    group = server.admin("GET", "/panosc/group-by-path/aurora/staff")
    server.admin("DELETE", f"/panosc/users/{ben}/groups/{group['id']}")
    assert "entitlements" not in login.access(token)


def test_no_other_program_of_ours_has_a_token_without_limits_that_outlives_its_login(login: Login) -> None:
    made = decoded(login.make(client="panosc-cli"))
    assert made["typ"] == "Refresh"
    assert "offline_access" not in str(made["scope"])


@pytest.mark.parametrize("grant", ["password", "client_credentials"])
def test_there_is_no_token_without_a_browser(login: Login, grant: str) -> None:
    answer = login.ask("token", grant_type=grant, username="ada", password=keycloak.PASSWORD, scope="openid")
    assert answer.json()["error"] in ("unauthorized_client", "invalid_client")


def test_where_there_are_none_those_that_were_made_end(login: Login, kept: Realm) -> None:
    token = login.make(READ)
    assert "error" not in keep(wish(login.server, "aurora", personalTokenDays=0))
    try:
        assert login.use(token).json()["error"] == "invalid_client"
    finally:
        assert "error" not in keep(kept)
    assert login.use(token).json()["error"] == "invalid_grant"
