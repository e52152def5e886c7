"""The explorer works from the catalogue alone."""

import re
from pathlib import Path

import httpx2
import pytest
from panosc_catalogue.web.app import create_app
from unit.catalogue.service import serving, settings


@pytest.fixture
def page(database_url: str, tmp_path: Path) -> dict[str, httpx2.Response]:
    """The page and all that it names, by path."""
    with serving(create_app(settings(database_url, tmp_path))) as client:
        found = {"/docs": client.get("/docs")}
        for path in re.findall(r'(?:src|href)="([^"]*)"', found["/docs"].text):
            found[path] = client.get(path)
    return found


def test_everything_comes_from_here(page: dict[str, httpx2.Response]) -> None:
    assert len(page) == 6
    for path, response in page.items():
        assert path.startswith("/"), path
        assert (path, response.status_code) == (path, 200)
    assert "default-src 'self'" in page["/docs"].headers["Content-Security-Policy"]
    assert "/openapi.json" in page["/docs/start.js"].text
    assert len(page["/docs/swagger-ui-bundle.js"].content) > 500_000


def test_it_is_found_where_the_reference_server_has_its_own(database_url: str, tmp_path: Path) -> None:
    with serving(create_app(settings(database_url, tmp_path))) as client:
        assert client.get("/explorer", follow_redirects=False).headers["Location"] == "/docs"
