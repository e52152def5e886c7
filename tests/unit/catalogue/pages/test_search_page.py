"""The search page as a person uses it: forms, links and what they lead to."""

import csv
import io
import json
import re
import time
from datetime import timedelta
from html import unescape
from types import SimpleNamespace
from urllib.parse import unquote

import pytest
from panosc_catalogue.pages import choices
from panosc_catalogue.query import syntax
from panosc_catalogue.records import DatasetRecord, DocumentRecord
from unit.catalogue.pages.conftest import PUBLIC, RELEASE, SAXS, Catalogue

TOMO = {
    "pid": "http://purl.org/pan-science/PaNET/PaNET01207",
    "name": "x-ray tomography",
    "panetId": "http://purl.org/pan-science/PaNET/PaNET01207",
}


def titles(site: Catalogue, **query: str) -> list[str]:
    """Titles of the hits, in order."""
    answer = site.page("/search", **query)
    assert answer.status_code == 200
    return [unescape(title) for title in re.findall(r"<h3><a [^>]*>(.*?)</a></h3>", answer.text)]


def fill(site: Catalogue) -> None:
    """Another open proposal, of tomography, and one under embargo."""
    tomo = {"pid": "aurora/A-TOMO", "name": "A-TOMO", "facility": "Aurora"}
    datasets = [
        {
            "pid": f"ammonite/{n}",
            "title": f"Ammonite slice {n:02}",
            "creationDate": f"2019-03-{n + 1:02}T00:00:00Z",
            "instrument": tomo,
            "techniques": [TOMO],
            "samples": [{"pid": "s/2", "name": "ammonite"}],
        }
        for n in range(25)
    ]
    fossils = {"pid": "p2", "title": "Growth of ammonites", "endDate": "2019-03-30T00:00:00Z"}
    secret = {"pid": "p3", "title": "Ageing of cathodes", "endDate": "2022-01-01T00:00:00Z"}
    site.add(
        DocumentRecord.model_validate({**fossils, "datasets": datasets}),
        DocumentRecord.model_validate(
            {**secret, "datasets": [{"pid": "d3", "title": "Cathode 1", "techniques": [SAXS]}]}
        ),
    )


def test_the_front_page_lists_what_is_open_the_newest_first(site: Catalogue) -> None:
    fill(site)
    answer = site.page("/")
    assert "26 datasets" in answer.text
    assert titles(site)[:2] == ["Silica at 293 K", "Ammonite slice 24"]
    assert "Cathode 1" not in titles(site, size="100")
    assert titles(site, sort="oldest")[0] == "Ammonite slice 00"


def test_a_hit_shows_what_people_choose_by(site: Catalogue) -> None:
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", site.page("/search").text))
    for words in (
        "Open",
        "3 May 2020",
        "Instrument A-SAXS",
        "Technique small angle x-ray scattering",
        "Sample silica",
        "Size 2.15 kB",
        "Drying of silica",
    ):
        assert words in text, words


def test_each_field_narrows_the_list(site: Catalogue) -> None:
    fill(site)
    silica = ["Silica at 293 K"]
    assert titles(site, q="293 silica") == silica
    assert titles(site, q="SAXS Marsh") == silica
    assert titles(site, technique="small angle x-ray scattering") == silica
    assert titles(site, technique=SAXS["pid"]) == silica
    assert titles(site, technique="SAXS") == silica
    assert titles(site, technique="small angle scattering") == silica  # the term above it
    assert titles(site, instrument="aurora/A-SAXS") == silica
    assert titles(site, **{"from": "2020-05-03", "to": "2020-05-03"}) == silica
    assert titles(site, **{"from": "2020-05-04"}) == []
    assert titles(site, to="2019-03-02", sort="oldest") == ["Ammonite slice 00", "Ammonite slice 01"]
    assert titles(site, q="silica", instrument="aurora/A-TOMO") == []


def offered(site: Catalogue) -> set[str]:
    """Techniques that the form offers."""
    return set(re.findall(r'<option value="([^"]+)"></option>', site.page("/search").text))


def test_techniques_are_offered_with_those_above_them(site: Catalogue) -> None:
    found = offered(site)
    assert {"small angle x-ray scattering", "small angle scattering"} <= found
    assert "x-ray tomography" not in found


def test_techniques_are_not_looked_for_on_every_view(
    site: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    offered(site)
    fill(site)
    assert "x-ray tomography" not in offered(site)
    later = time.monotonic() + choices.KEPT_SECONDS
    monkeypatch.setattr(choices, "time", SimpleNamespace(monotonic=lambda: later))
    assert "x-ray tomography" in offered(site)


def test_a_technique_of_hidden_data_alone_is_not_offered(site: Catalogue) -> None:
    site.now = RELEASE - timedelta(seconds=1)
    assert offered(site) == set()


def test_proposals_under_embargo_are_found_with_the_day_it_ends(site: Catalogue) -> None:
    fill(site)
    assert titles(site, show="embargoed") == ["Ageing of cathodes"]
    assert "1 January 2025" in site.page("/search", show="embargoed").text
    assert titles(site, show="embargoed", q="silica") == []
    assert len(titles(site, show="proposals")) == 3
    assert titles(site, show="proposals", technique="x-ray tomography") == ["Growth of ammonites"]
    # What is measured there is not public: the criterion is left aside, and the page says so.
    hidden = site.page("/search", show="embargoed", technique="small angle x-ray scattering")
    assert "are not public, so they do not narrow this list" in hidden.text
    assert "Ageing of cathodes" in hidden.text


def test_the_search_page_follows_the_clock(site: Catalogue) -> None:
    site.now = RELEASE - timedelta(seconds=1)
    assert titles(site) == []
    assert titles(site, show="embargoed") == ["Drying of silica"]
    assert "small angle" not in site.page("/").text
    site.now = RELEASE
    assert titles(site) == ["Silica at 293 K"]
    assert titles(site, show="embargoed") == []


def test_pages_lead_on_and_back_and_meet(site: Catalogue) -> None:
    fill(site)
    seen: list[str] = []
    path: str | None = "/search?size=10&sort=title"
    while path:
        page = site.page(path)
        seen += re.findall(r"<h3><a [^>]*>(.*?)</a></h3>", page.text)
        following = re.search(r'<a href="([^"]+)" rel="next"', page.text)
        path = unescape(following[1]) if following else None
    assert seen == [f"Ammonite slice {n:02}" for n in range(25)] + ["Silica at 293 K"]
    assert 'rel="prev"' in page.text
    assert "Page 3 of 3" in page.text


def test_behind_the_last_page_a_link_leads_back(site: Catalogue) -> None:
    fill(site)
    page = site.page("/search", size="10", page="7").text
    assert "The list has no page 7" in page
    back = re.search(r'<a href="([^"]+)">go to its last one', page)
    assert back
    assert "Page 3 of 3" in site.page(unescape(back[1])).text


def test_of_very_many_the_best_of_the_last_are_listed_and_a_link_leads_to_all(
    site: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(site)
    monkeypatch.setattr(syntax, "RANKED", 10)
    page = site.page("/search", q="ammonite", size="10").text
    assert "25 datasets" in page
    assert "the 10 that came last" in page
    assert 'rel="next"' not in page
    everything = re.search(r'<a href="([^"]+)">List all by date', page)
    assert everything
    assert "Page 1 of 3" in site.page(unescape(everything[1])).text


def test_the_list_is_had_as_csv_that_no_spreadsheet_runs(site: Catalogue) -> None:
    site.add(DatasetRecord(pid="f", title='=HYPERLINK("http://evil")', is_public=True))
    answer = site.client.get("/search", params={"format": "csv"})
    assert answer.headers["Content-Type"].startswith("text/csv")
    rows = {row["pid"]: row for row in csv.DictReader(io.StringIO(answer.text))}
    run = rows["10.5072/run 1"]
    assert run["title"] == "Silica at 293 K"
    assert run["address"] == f"{PUBLIC}/datasets/10.5072/run%201"
    assert run["access"] == "open"
    assert run["techniques"] == "small angle x-ray scattering"
    assert run["embargo end"].startswith("2023-05-04T12:00:00")
    assert rows["f"]["title"].startswith("'=")


def test_the_page_tells_the_same_question_to_the_api(site: Catalogue) -> None:
    fill(site)
    page = site.page("/search", technique="x-ray tomography", size="10", sort="title").text
    found = re.search(r'href="(/api/Datasets\?filter=[^"]+)">The same in the API', page)
    assert found
    address = unescape(found[1])
    assert [item["title"] for item in site.client.get(address).json()] == titles(
        site, technique="x-ray tomography", size="10", sort="title"
    )
    assert json.loads(unquote(address.partition("filter=")[2]))["limit"] == 10


def test_nonsense_is_answered_with_what_is_wrong(site: Catalogue) -> None:
    page = site.page("/search", **{"from": "yesterday", "page": "x", "size": "7", "show": "all", "sort": "?"})
    assert page.status_code == 200
    assert "“yesterday” is no date" in page.text
    assert "“x” is no number of a page" in page.text
    assert "“7” is none of what “size” can be: 10, 20, 50, 100" in page.text
    assert "“all” is none of what “show” can be: open, embargoed, proposals" in page.text
    assert "“?” is none of what “sort” can be: relevance, newest, oldest, title" in page.text
    assert (
        "lies after the last one" in site.page("/search", **{"from": "2021-01-01", "to": "2020-01-01"}).text
    )
    for query in ({"page": "999999999"}, {"q": "a" * 5000}, {"q": "%_\\'\"; DROP TABLE"}, {"q": "\0"}):
        assert site.page("/search", **query).status_code == 200
    assert site.page("/search", to="9999-12-31").status_code == 200
    assert "more than 32 words" in site.page("/search", q="a b " * 40).text
    assert site.client.get("/search", params={"q": "a b " * 40, "format": "csv"}).status_code == 400


def test_other_forms_of_the_list(site: Catalogue) -> None:
    asked = site.client.get("/search", params={"q": "silica", "format": "json"})
    assert asked.status_code == 302
    assert [item["title"] for item in site.client.get(asked.headers["Location"]).json()] == [
        "Silica at 293 K"
    ]
    wrong = site.client.get("/search", params={"format": "pdf"})
    assert wrong.status_code == 400
    assert wrong.json()["detail"] == "there is no format 'pdf'; there are html, csv, json"
