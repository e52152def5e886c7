"""The pages in Chromium: rules of accessibility, keyboard, narrow screens, dark mode, no script, no error."""

from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from panosc_catalogue.records import DocumentRecord
from playwright.sync_api import Browser, Page, Route
from support.browser import chromium
from unit.catalogue.pages.conftest import PROPOSAL, RUN, Catalogue

PLOT = '<svg xmlns="http://www.w3.org/2000/svg" width="640" height="400"/>'
PATHS = {
    "search": ("/search?q=silica", 200),
    "search for proposals": ("/search?show=proposals&from=yesterday", 200),
    "no hit": ("/search?q=nothing", 200),
    "dataset": (RUN, 200),
    "proposal": ("/documents/10.5072/proposal", 200),
    "proposal under embargo": ("/documents/embargoed", 200),
    "tombstone": ("/datasets/gone", 410),
    "not found": ("/datasets/none", 404),
    "plan": ("/dmp/10.5072/proposal", 200),
    "dataset of extremes": ("/datasets/extreme", 200),
    "proposal of extremes": ("/documents/extremes", 200),
    "plan of extremes": ("/dmp/extremes", 200),
}
LONG = "Donaudampfschifffahrtsgesellschaftskapitänsmützenhypothese_über_die_同步辐射小角X射线散射_" * 3
EXTREMES: dict[str, Any] = {
    "pid": "extremes",
    "title": LONG,
    "summary": LONG,
    "keywords": [LONG],
    "members": [
        {"role": LONG, "person": {"fullName": f"Παπαδόπουλος {n}"}, "affiliation": {"name": LONG}}
        for n in range(500)
    ],
    "datasets": [
        {
            "pid": "extreme",
            "title": LONG,
            "isPublic": True,
            "samples": [{"pid": LONG, "name": LONG}],
            "parameters": [
                {"name": LONG, "value": LONG, "unit": "mm"},
                {"name": "state", "value": LONG},
                {"name": "q", "value": 1e-300, "unit": "1/angstrom"},
            ],
            "files": [{"name": "x.nxs", "path": f"{LONG}/{n}.nxs", "size": 2**60} for n in range(120)],
        }
    ],
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture
def site(site: Catalogue) -> Catalogue:
    """With a proposal under embargo and a dataset that was withdrawn."""
    gone: dict[str, Any] = {"pid": "gone", "title": "Gone", "isPublic": True}
    site.add(
        DocumentRecord.model_validate(
            {**PROPOSAL, "pid": "embargoed", "doi": None, "endDate": "2022-06-01", "datasets": [gone]}
        )
    )
    site.add(DocumentRecord.model_validate(EXTREMES))
    site.harvest()
    site.connection.execute("UPDATE dataset SET doi = '10.5072/gone', deleted_at = now() WHERE pid = 'gone'")
    return site


def opened(
    browser: Browser, site: Catalogue, path: str, status: int, **context: Any
) -> tuple[Page, list[str]]:
    """The page in a tab of its own, and what its console says; previews come, all else foreign does not."""
    page = browser.new_context(base_url=str(site.client.base_url), **context).new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))

    def elsewhere(route: Route) -> None:
        assert "/previews?" in route.request.url, f"the page loads {route.request.url}"
        route.fulfill(content_type="image/svg+xml", body=PLOT)

    page.route(lambda url: not url.startswith(str(site.client.base_url)), elsewhere)
    answer = page.goto(path)
    assert answer is not None
    assert answer.status == status
    return page, [line for line in said if f"status of {status}" not in line]


@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS.keys())
def test_every_page_passes_axe_on_every_screen(
    browser: Browser, site: Catalogue, path: tuple[str, int]
) -> None:
    for width, scheme in ((1280, "light"), (1280, "dark"), (320, "light"), (320, "dark")):
        screen: dict[str, Any] = {"viewport": {"width": width, "height": 800}, "color_scheme": scheme}
        page, said = opened(browser, site, *path, java_script_enabled=True, **screen)
        found = Axe().run(page).response["violations"]
        assert [(one["id"], one["nodes"][0]["html"]) for one in found] == []
        wider = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert page.evaluate(wider) == 0, f"the page is wider than a screen of {width} pixels"
        assert said == []
        page.context.close()


def test_many_people_are_there_but_out_of_the_way(browser: Browser, site: Catalogue) -> None:
    page, _ = opened(browser, site, "/documents/extremes", 200)
    assert page.get_by_text("Παπαδόπουλος 9", exact=True).is_visible()
    assert not page.get_by_text("Παπαδόπουλος 499", exact=True).is_visible()
    page.get_by_text("and 490 more").click()
    page.get_by_text("Παπαδόπουλος 499", exact=True).scroll_into_view_if_needed()
    assert page.get_by_text("Παπαδόπουλος 499", exact=True).is_visible()


def test_facts_stand_beside_their_names(browser: Browser, site: Catalogue) -> None:
    for path in (RUN, "/dmp/10.5072/proposal"):
        page, _ = opened(browser, site, path, 200, viewport={"width": 1280, "height": 800})
        name, fact = page.locator("dt").first.bounding_box(), page.locator("dd").first.bounding_box()
        assert name
        assert fact
        assert abs(name["y"] - fact["y"]) < 5
        assert fact["x"] > name["x"]


def test_a_search_needs_no_mouse_and_no_script(browser: Browser, site: Catalogue) -> None:
    page, _ = opened(browser, site, "/", 200, java_script_enabled=False)
    page.keyboard.press("Tab")
    assert page.locator(":focus").inner_text() == "Skip to the content"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.type("silica")
    page.keyboard.press("Enter")
    page.wait_for_url("**/search?q=silica**")
    hit = page.get_by_role("link", name="Silica at 293 K")
    hit.focus()
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{RUN}")
    assert page.get_by_role("heading", level=1).inner_text() == "Silica at 293 K"
    assert page.get_by_role("link", name="Download zip").is_visible()
    assert not page.get_by_text("@dataset").is_visible()
    page.get_by_text("BibTeX").first.focus()
    page.keyboard.press("Enter")
    assert page.get_by_text("@dataset").is_visible()
