"""Chromium, and what people do by it in the demonstration's pages."""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from panosc_dev import accounts
from panosc_dev.paths import cache_directory
from playwright.sync_api import Browser, Page, sync_playwright

CATALOGUE = "https://catalogue.aurora.panosc.localhost"
ARCHIVE = "https://archive.aurora.panosc.localhost"
LOGIN = "https://login.panosc.localhost"


@contextmanager
def chromium(*arguments: str) -> Iterator[Browser]:
    """A browser without windows, gone afterwards."""
    program = shutil.which("chromium")
    assert program, "Chromium is not installed: `make test` installs it, or apt-get install chromium"
    # Chromium's own sandbox does not work for root.
    own = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=program, args=[*own, *arguments])
        yield running
        running.close()


def picture(page: Page, name: str) -> None:
    """Keep what the page looks like beside the logs, for whoever wants to see what people saw."""
    page.screenshot(path=cache_directory() / "logs" / "screenshots" / f"{name}.png", full_page=True)


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
