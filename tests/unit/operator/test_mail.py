"""Letters of the login: a real Keycloak sends them to a mail server with TLS and a password."""

import html
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from queue import Empty
from typing import Any

import httpx2
import pytest
from panosc_operator.api.federation import MailServer
from panosc_operator.clients.realm import Realm
from panosc_operator.kinds.federation.account import Account
from panosc_operator.kinds.federation.mail import mail
from support import keycloak, postgres, smtp
from unit.operator.test_realm import OPERATOR_SECRET, keep, person, wish, writes


@pytest.fixture(scope="module")
def post(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[smtp.Server, Path]]:
    """The mail server, and the certificate that is to be trusted for it."""
    folder = tmp_path_factory.mktemp("smtp")
    make = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc"]
    named = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    subprocess.run(
        [*make, *named, "-keyout", folder / "key", "-out", folder / "certificate"],
        check=True,
        capture_output=True,
    )
    with smtp.server(folder / "certificate", folder / "key") as running:
        yield running, folder / "certificate"


@pytest.fixture(scope="module")
def server(post: tuple[smtp.Server, Path]) -> Iterator[keycloak.Server]:
    with postgres.server() as database, keycloak.server(database, post[1]) as running:
        running.admit("panosc-operator", OPERATOR_SECRET)
        assert "error" not in keep(wish(running, "aurora"))
        person(running, "ada", [])
        yield running


def declared(server: keycloak.Server, post: smtp.Server, password: str = smtp.PASSWORD) -> Realm:
    spec = {
        "host": "localhost",
        "port": post.port,
        "sender": "login@aurora.example",
        "credentialsSecret": "x",
    }
    account = Account(password, password)
    letters = mail(MailServer.model_validate(spec), "PaNOSC", smtp.USERNAME, account)
    return wish(server, "aurora", letters=letters, mail=spec)


def forgot(server: keycloak.Server, name: str) -> None:
    """Ask for a new password in a browser, as who forgot it."""

    def as_if_secure(_: httpx2.Response) -> None:
        for cookie in browser.cookies.jar:
            cookie.secure = False  # this Keycloak speaks HTTP, on the loopback, where browsers don't mind

    hooks = {"response": [as_if_secure]}
    with httpx2.Client(follow_redirects=True, timeout=60, event_hooks=hooks) as browser:
        page = browser.get(f"{server.issuer('panosc')}/login-actions/reset-credentials?client_id=account")
        if form := re.search(r'<form[^>]* action="([^"]+)"', page.text):
            browser.post(html.unescape(form[1]), data={"username": name})


def test_who_forgot_the_password_gets_a_letter(
    server: keycloak.Server, post: tuple[smtp.Server, Path]
) -> None:
    assert "error" not in keep(declared(server, post[0]))
    forgot(server, "ada")
    letter = post[0].letters.get(timeout=30)
    assert letter["To"] == "ada@example.org"
    assert letter["From"] == "PaNOSC <login@aurora.example>"
    text = letter.get_body(("plain",))
    assert text is not None
    assert f"{server.issuer('panosc')}/login-actions/action-token" in text.get_content()


def test_the_password_stays_when_something_else_is_put_back(
    server: keycloak.Server, post: tuple[smtp.Server, Path]
) -> None:
    wanted = declared(server, post[0])
    keep(wanted)
    before = server.admin("GET", "/panosc")
    server.admin("PUT", "/panosc", {**before, "accessTokenLifespan": 86400})
    keep(wanted)
    forgot(server, "ada")
    assert post[0].letters.get(timeout=30)["To"] == "ada@example.org"
    changes = writes(server)
    keep(wanted)
    assert writes(server) == changes


@pytest.mark.parametrize("changes", [{"host": "mail.evil.example"}, {"ssl": "false"}])
def test_a_mail_server_changed_by_hand_is_put_back(
    server: keycloak.Server, post: tuple[smtp.Server, Path], changes: dict[str, Any]
) -> None:
    wanted = declared(server, post[0])
    keep(wanted)
    before = server.admin("GET", "/panosc")
    server.admin("PUT", "/panosc", {**before, "smtpServer": {**before["smtpServer"], **changes}})
    keep(wanted)
    assert server.admin("GET", "/panosc")["smtpServer"] == before["smtpServer"]


@pytest.mark.parametrize("verifies", [True, False])
def test_whose_address_no_letter_can_verify_is_not_asked(
    server: keycloak.Server, post: tuple[smtp.Server, Path], verifies: bool
) -> None:
    letters = declared(server, post[0]).mail
    hr = {
        "name": "hr",
        "url": "ldaps://ldap.x.eu",
        "bindDn": "cn=r",
        "usersDn": "dc=x",
        "credentialsSecret": "x",
    }
    wanted = wish(server, letters=letters, userDirectories=[{**hr, "verifiesEmail": verifies}])
    assert wanted.settings["verifyEmail"] is verifies


def test_without_a_mail_server_no_letter_is_offered(
    server: keycloak.Server, post: tuple[smtp.Server, Path]
) -> None:
    keep(declared(server, post[0]))
    keep(wish(server, "aurora"))
    realm = server.admin("GET", "/panosc")
    assert (realm["smtpServer"], realm["resetPasswordAllowed"], realm["verifyEmail"]) == ({}, False, False)
    forgot(server, "ada")
    with pytest.raises(Empty):
        post[0].letters.get(timeout=2)
