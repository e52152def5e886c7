"""What people see who log in by their browser, and that their session holds where it should and ends."""

import json

import pytest
from playwright.sync_api import BrowserContext, expect
from support.browser import ARCHIVE, CATALOGUE, LOGIN, hits, log_in, sign_in
from support.cluster import Demo

CLOSED = "CH-2301"
"""Ada's proposal, under embargo."""


def test_a_member_logs_in_sees_their_data_downloads_it_and_logs_out(context: BrowserContext) -> None:
    page = context.new_page()
    page.goto(f"{CATALOGUE}/search?sort=title")
    public = hits(page)
    log_in(page, "ada")
    assert page.url == f"{CATALOGUE}/search?sort=title", "they are where they were before"
    expect(page.get_by_text("Ada Marsh")).to_be_visible()
    assert hits(page) == public + 2

    page.goto(f"{CATALOGUE}/search?q=electrode")
    page.locator("ol.hits a").first.click()
    expect(page.get_by_text("you see them because you are logged in").first).to_be_visible()
    closed = page.url

    # The archive is another host of the facility: the session is the same, and nobody is asked again.
    with page.expect_download() as downloading:
        page.locator(f'a[href^="{ARCHIVE}/files/{CLOSED}/"]').first.click()
    assert downloading.value.path().read_bytes()[:4] == b"\x89HDF"
    listed = page.goto(f"{ARCHIVE}/files/{CLOSED}/")
    assert listed
    assert listed.status == 200

    page.goto(CATALOGUE)
    page.get_by_role("link", name="Log out").click()
    page.wait_for_load_state()
    page.goto(closed)
    expect(page.get_by_role("heading", name="Not found")).to_be_visible()
    hidden = page.goto(f"{ARCHIVE}/files/{CLOSED}/")
    assert hidden
    assert hidden.status == 404
    # At the login, too: whoever comes next has to say who they are.
    page.goto(CATALOGUE)
    page.get_by_role("link", name="Log in").click()
    expect(page.get_by_label("Username")).to_be_visible()


def test_cookies_are_for_the_facility_alone_and_out_of_reach_of_scripts(context: BrowserContext) -> None:
    page = context.new_page()
    page.goto(CATALOGUE)
    log_in(page, "chiara")
    cookies = [one for one in context.cookies() if "Token-" in one["name"] or "Oauth" in one["name"]]
    assert cookies
    for cookie in cookies:
        assert cookie["httpOnly"]
        assert cookie["secure"]
        assert cookie["sameSite"] == "Lax"
        assert cookie["domain"].lstrip(".").endswith("aurora.panosc.localhost")
        assert "eyJ" not in cookie["value"], "tokens are encrypted in cookies"


def test_a_wrong_password_opens_nothing(context: BrowserContext) -> None:
    page = context.new_page()
    page.goto(CATALOGUE)
    page.get_by_role("link", name="Log in").click()
    sign_in(page, "ada", "wrong")
    expect(page.get_by_text("Invalid username or password").first).to_be_visible()


def test_a_session_that_was_made_up_is_no_session(demo: Demo) -> None:
    forged = {"Cookie": "AccessToken-0=eyJhbGciOiJub25lIn0.e30.; OauthHMAC-0=x; OauthExpires-0=9999999999"}
    answer = demo.get(f"{CATALOGUE}/api/Datasets/count", headers=forged)
    assert answer.status_code == 401


@pytest.mark.parametrize("path", ["/admin/master/console/", "/realms/master", "/metrics", "/health"])
def test_what_is_keycloak_s_own_is_not_reached_from_outside(demo: Demo, path: str) -> None:
    assert demo.get(f"{LOGIN}{path}").status_code == 404


def test_what_is_changed_by_hand_is_put_back(demo: Demo) -> None:
    """By an administrator with the console, who means well."""
    demo.kcadm("update", "realms/panosc", "--set", "registrationAllowed=true")
    settings = demo.eventually(
        lambda: json.loads(demo.kcadm("get", "realms/panosc")),
        until=lambda found: not found["registrationAllowed"],
        seconds=120,
    )
    assert settings["registrationAllowed"] is False
    ready = demo.kubectl(
        "get", "federation", "panosc", "-o", "jsonpath={.status.conditions[?(@.type=='Ready')].status}"
    )
    assert ready == "True"
