"""A team on its proposal's page: who sees it, what the form does, and who else cannot send it."""

import re
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import httpx2
import pytest
from axe_playwright_python.sync_playwright import Axe
from panosc_common.origin import check
from panosc_common.problem import Problem
from playwright.sync_api import Browser
from starlette.requests import Request
from support.browser import chromium
from unit.catalogue.teams.conftest import DOCUMENT, LEADER, Catalogue

BEN = {"role": "co-investigator", "email": "ben@example.org", "name": "Ben <b>Okri</b>"}
HTML = {"Accept": "text/html"}


def sent(
    catalogue: Catalogue, sender: str, headers: dict[str, str] | None = None, /, **fields: str
) -> httpx2.Response:
    """The answer to the page's form, as a browser sends it that says no more than all do."""
    own = {"Origin": str(catalogue.client.base_url).rstrip("/"), **HTML}
    return catalogue.ask(sender, "POST", "/teams/doc/members", headers=own | (headers or {}), data=fields)


def page(catalogue: Catalogue, who: str | None) -> str:
    return catalogue.ask(who, "GET", "/documents/doc", headers=HTML).text


def test_who_leads_invites_and_removes_by_the_form(catalogue: Catalogue) -> None:
    catalogue.push(LEADER)
    answer = sent(catalogue, "pi", kind="email", who="Ben@example.org", name="", until="2028-05-31")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/documents/doc#team")
    shown = page(catalogue, "pi")
    assert "until 1 June 2028, 00:00 UTC" in shown
    assert catalogue.sees("ben")
    (button,) = re.findall(r'name="remove" value="(\d+)" aria-label="Remove ben@example.org"', shown)
    assert sent(catalogue, "pi", remove=button).status_code == 303
    assert "ben@example.org" not in page(catalogue, "pi")
    assert not catalogue.sees("ben")


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"kind": "email", "who": "ben"}, "Email: it is none"),
        ({"kind": "orcid", "who": "0000-0002-1825-0098"}, "check digit"),
        ({"kind": "name", "who": "Ben"}, "who it is"),
        ({"kind": "role", "who": "principal investigator"}, "Role"),
        ({"kind": "email", "who": "ben@example.org", "until": "soon"}, "no day"),
        ({"kind": "email", "who": "ben@example.org", "until": "9999-12-31"}, "no day"),
        ({"kind": "email", "who": "ben@example.org", "until": "2020-01-01"}, "in the past"),
        ({"remove": "7; DROP TABLE team"}, "has this id"),
        ({"name": "Ben"}, "who it is"),
    ],
    ids=str,
)
def test_what_is_wrong_is_told_on_a_page(catalogue: Catalogue, fields: dict[str, str], told: str) -> None:
    catalogue.push(LEADER)
    answer = sent(catalogue, "pi", **fields)
    assert answer.status_code in (404, 422)
    assert told in answer.text
    assert len(catalogue.people()) == 1


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, 303),
        # As the page of an archive of the facility would, in which there may be anybody's file.
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "none"}, 403),
        ({"Origin": "https://archive.facility.example"}, 403),
        ({"Origin": "https://catalogue.facility.example.evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": ""}, 403),
        ({"Origin": "http://["}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Origin": ""}, 403),
    ],
    ids=str,
)
def test_pages_of_other_hosts_change_nothing(
    catalogue: Catalogue, headers: dict[str, str], status: int
) -> None:
    catalogue.push(LEADER)
    assert sent(catalogue, "pi", headers, kind="email", who="ben@example.org").status_code == status
    assert catalogue.sees("ben") == (status == 303)
    (member, *_) = catalogue.people()
    removal = catalogue.ask("pi", "DELETE", f"/teams/doc/members/{member['id']}", headers=headers)
    assert (removal.status_code == 403) == (status == 403)


@pytest.mark.parametrize(
    ("public_url", "origin", "is_ours"),
    [
        ("https://catalogue.example", "https://catalogue.example", True),
        ("https://catalogue.example/", "http://catalogue.example", False),
        (None, "http://catalogue.example", True),
        (None, "http://catalogue.example:8080", False),
    ],
)
def test_a_page_of_ours_is_of_the_scheme_that_is_known(
    public_url: str | None, origin: str, is_ours: bool
) -> None:
    headers = [(b"host", b"catalogue.example"), (b"origin", origin.encode())]
    request = Request({"type": "http", "method": "POST", "headers": headers})
    with nullcontext() if is_ours else pytest.raises(Problem):
        check(request, public_url)


def test_who_logs_in_again_instead_of_sending_the_form_comes_to_the_page(catalogue: Catalogue) -> None:
    """As the gateway leads them back to the address that the form was sent to."""
    catalogue.push(LEADER)
    answer = catalogue.ask("pi", "GET", "/teams/doc/members", headers=HTML)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/documents/doc#team")
    assert catalogue.ask("nobody", "GET", "/teams/doc/members", headers=HTML).status_code == 404
    # Its proposal is still to come.
    catalogue.push(LEADER, proposal="none")
    assert catalogue.ask("pi", "GET", "/teams/none/members", headers=HTML).status_code == 404


@pytest.mark.parametrize("kind", ["text/plain", "multipart/form-data; boundary=x", ""])
def test_what_a_page_can_send_as_another_type_is_refused(catalogue: Catalogue, kind: str) -> None:
    catalogue.push(LEADER)
    content = b'{"email": "ben@example.org"}'
    headers = {"Content-Type": kind}
    for method, path, who in (
        ("POST", "/teams/doc/members", "pi"),
        ("PUT", "/teams/doc", "office"),
        ("POST", "/teams", "office"),
    ):
        assert catalogue.ask(who, method, path, content=content, headers=headers).status_code == 415


def test_no_page_of_another_origin_may_read_or_send(catalogue: Catalogue) -> None:
    asks = {"Origin": "https://evil.example", "Access-Control-Request-Method": "DELETE"}
    answer = catalogue.ask(None, "OPTIONS", "/teams/doc", headers=asks)
    assert "Access-Control-Allow-Origin" not in answer.headers
    answer = catalogue.ask("pi", "GET", "/documents/doc", headers=HTML | asks)
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert answer.headers["Cache-Control"] == "no-store"


def test_others_of_the_team_see_it_without_a_form(catalogue: Catalogue) -> None:
    catalogue.push(LEADER, BEN)
    for who in ("ben", "member", "staff", "admin", "office"):
        shown = page(catalogue, who)
        assert "Ben &lt;b&gt;Okri&lt;/b&gt;" in shown
        assert 'method="post"' not in shown
        assert ("ben@example.org" in shown) == (who not in ("ben", "member"))
    for stranger in (None, "nobody", "other pi", "instrument", "elsewhere"):
        assert "Okri" not in page(catalogue, stranger)
    # Whom the user office named, the page removes by nobody's word but its own.
    shown = page(catalogue, "pi")
    assert "Invite somebody" in shown
    assert 'name="remove"' not in shown
    assert "mailto:users@facility.example" in shown


def test_a_document_that_another_stands_before_has_no_team(catalogue: Catalogue) -> None:
    catalogue.push(LEADER)
    assert 'id="team"' in page(catalogue, "pi")
    catalogue.add({**DOCUMENT, "pid": "facility:doc", "datasets": []})
    assert 'id="team"' not in page(catalogue, "pi")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


def test_a_browser_sends_the_form_and_passes_axe(catalogue: Catalogue, browser: Browser) -> None:
    catalogue.push(LEADER, {**BEN, "name": "Donaudampfschifffahrtsgesellschaftskapitän" * 4})
    catalogue.invite(identifier="i" * 255, until="2028-01-01T00:00:00Z")
    for width, scheme in ((1280, "light"), (320, "dark")):
        screen: dict[str, Any] = {"viewport": {"width": width, "height": 800}, "color_scheme": scheme}
        bearer = {"Authorization": f"Bearer {catalogue.tokens['pi']}"}
        context = browser.new_context(
            base_url=str(catalogue.client.base_url), extra_http_headers=bearer, **screen
        )
        tab = context.new_page()
        tab.goto("/documents/doc")
        found = Axe().run(tab).response["violations"]
        assert [(one["id"], one["nodes"][0]["html"]) for one in found] == []
        wider = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert tab.evaluate(wider) == 0
        tab.get_by_label("Which is").fill(f"kai{width}@example.org")
        tab.get_by_role("button", name="Invite").click()
        tab.get_by_role("button", name=f"Remove kai{width}@example.org").click()
        tab.wait_for_url("**/documents/doc#team")
        assert tab.get_by_text(f"kai{width}@example.org").count() == 0
        context.close()
