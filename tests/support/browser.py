"""What people do in the demonstration's pages, by Chromium."""

import re

from panosc_dev import accounts
from playwright.sync_api import Page

CATALOGUE = "https://catalogue.aurora.panosc.localhost"
ARCHIVE = "https://archive.aurora.panosc.localhost"
LOGIN = "https://login.panosc.localhost"


def log_in(page: Page, who: str) -> None:
    """From a page of the catalogue to the login and back, with an account of the demonstration."""
    page.get_by_role("link", name="Log in").click()
    sign_in(page, who, accounts.PASSWORD)
    page.wait_for_url(f"{CATALOGUE}/**")


def sign_in(page: Page, who: str, password: str) -> None:
    """On a Keycloak's page that asks for both."""
    page.get_by_label("Username").fill(who)
    page.locator("#password").fill(password)
    page.get_by_role("button", name="Sign In").click()


def hits(page: Page) -> int:
    """How many datasets the search page says there are."""
    found = re.search(r"\d+", page.locator("#hits").inner_text())
    assert found
    return int(found[0])
