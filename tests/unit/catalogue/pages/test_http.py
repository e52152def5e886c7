"""The pages as HTTP: copies that are asked about, methods, errors that nobody keeps."""

from datetime import timedelta

import pytest
from panosc_catalogue.records import DatasetRecord
from unit.catalogue.pages.conftest import RELEASE, RUN, Catalogue

PATHS = [
    "/",
    "/search?q=silica",
    "/search?format=csv",
    RUN,
    f"{RUN}?format=linkset",
    f"{RUN}?format=jsonld",
    f"{RUN}?format=urls",
    "/documents/10.5072/proposal",
    "/dmp/10.5072/proposal?format=html",
]


@pytest.mark.parametrize("path", PATHS)
def test_a_copy_is_asked_about_and_not_sent_again(site: Catalogue, path: str) -> None:
    first = site.page(path)
    assert (first.status_code, first.headers["Cache-Control"]) == (200, "no-cache")
    tag = first.headers["ETag"]
    again = site.client.get(path, headers={"Accept": "text/html", "If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["ETag"] == tag
    assert again.headers["Cache-Control"] == "no-cache"
    assert again.headers.get("Vary") == first.headers.get("Vary")


@pytest.mark.parametrize("path", ["/search", RUN])
def test_what_changed_is_sent(site: Catalogue, path: str) -> None:
    tag = site.page(path).headers["ETag"]
    site.add(DatasetRecord(pid="10.5072/run 1", title="Silica at 294 K"))
    again = site.client.get(path, headers={"Accept": "text/html", "If-None-Match": tag})
    assert again.status_code == 200
    assert "Silica at 294 K" in again.text


def test_the_end_and_the_return_of_an_embargo_hold_for_copies_too(site: Catalogue) -> None:
    site.now = RELEASE - timedelta(seconds=1)
    hidden = site.page(RUN)
    assert (hidden.status_code, hidden.headers["Cache-Control"]) == (404, "no-cache")
    assert "ETag" not in hidden.headers
    assert site.client.get(RUN, headers={"Accept": "application/json"}).headers["Cache-Control"] == "no-cache"
    site.now = RELEASE
    tag = site.page(RUN).headers["ETag"]
    site.now = RELEASE - timedelta(seconds=1)
    assert site.client.get(RUN, headers={"Accept": "text/html", "If-None-Match": tag}).status_code == 404


def test_each_form_has_a_tag_of_its_own(site: Catalogue) -> None:
    forms = ("text/html", "application/ld+json", "application/linkset+json", "application/x-bibtex")
    answers = [site.client.get(RUN, headers={"Accept": form}) for form in forms]
    assert len({answer.headers["ETag"] for answer in answers}) == len(forms)
    assert {answer.headers["Vary"] for answer in answers} == {"Accept, Authorization"}


@pytest.mark.parametrize("path", [*PATHS, "/doi/10.5072/proposal", "/static/catalogue.css", "/docs"])
def test_head_answers_as_get_without_a_body(site: Catalogue, path: str) -> None:
    head, get = site.client.head(path), site.client.get(path)
    assert (head.status_code, head.content) == (get.status_code, b"")
    assert head.headers["Content-Length"] == get.headers["Content-Length"]
