"""One cluster with the demonstration facility for all tests of a session."""

from collections.abc import Iterator

import pytest
from panosc_dev import addons
from playwright.sync_api import Browser, BrowserContext
from support.browser import chromium
from support.cluster import GATEWAY_PORT, Demo, running_demo


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # The first test that needs the cluster also waits for it, and a cold machine builds it from nothing.
    for item in items:
        if "demo" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.timeout(2400))
            return


@pytest.fixture(scope="session")
def demo() -> Iterator[Demo]:
    with running_demo() as running:
        yield running


@pytest.fixture(scope="session")
def browser(demo: Demo) -> Iterator[Browser]:
    gateway = f"{demo.cluster.link.inner}:{addons.node_ports(GATEWAY_PORT)[GATEWAY_PORT]}"
    with chromium(f"--host-resolver-rules=MAP *.panosc.localhost {gateway}") as running:
        yield running


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A browser without cookies."""
    # That the certificates are by the authority is tested elsewhere; Chromium has a store of its own.
    made = browser.new_context(ignore_https_errors=True)
    made.set_default_timeout(60_000)
    yield made
    made.close()
