"""Landing pages as people and programs get them."""

import json
import re
from datetime import timedelta
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree

import pytest
from panosc_catalogue.records import DatasetRecord, DocumentRecord
from unit.catalogue.pages.conftest import ARCHIVE, FILE, PROPOSAL, PUBLIC, RELEASE, RUN, Catalogue

SECOND = timedelta(seconds=1)


class _Text(HTMLParser):
    """What a page says, and its elements that load or run something."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.scripts: list[dict[str, str | None]] = []
        self.json_ld = ""
        self._inside = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside = tag
        if tag == "script":
            self.scripts.append(dict(attrs))

    def handle_data(self, data: str) -> None:
        if self._inside == "script":
            self.json_ld += data
        else:
            self.words.append(data)

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def test_a_page_tells_what_a_person_wants_to_know(site: Catalogue) -> None:
    answer = site.page(RUN)
    assert answer.status_code == 200
    text = _Text(answer.text).text
    for words in (
        "Silica at 293 K",
        "Ada Marsh",
        "University of Northgate · principal investigator",
        "Aurora Light and Neutron Source",
        "A-SAXS",
        "small angle x-ray scattering",
        "silica – 1 vol% in water",
        "3 May 2020",
        "The data are open to everybody.",
        "Licence: CC-BY-4.0",
        "sample_temperature 293 K",
        "2.15 kB in 2 files",
        "Drying of silica",
        "Marsh, A. (2023). Silica at 293 K [Dataset]. Aurora Light and Neutron Source.",
    ):
        assert words in text, words
    for address in (
        'href="https://orcid.org/0000-0002-1825-0097"',
        'href="http://purl.org/pan-science/PaNET/PaNET01188"',
        'href="https://creativecommons.org/licenses/by/4.0/legalcode"',
        f'href="{FILE}"',
        f'href="{ARCHIVE}/datasets/10.5072%2Frun%201/bundle.zip"',
        f'src="{ARCHIVE}/previews?file=P1%2Frun%201.nxs&amp;format=svg"',
        'href="/documents/10.5072/proposal"',
    ):
        assert address in answer.text, address


def test_slashes_of_a_pid_may_be_encoded(site: Catalogue) -> None:
    assert site.page("/datasets/10.5072%2Frun%201").status_code == 200


def test_nothing_of_a_page_is_loaded_from_elsewhere_and_no_script_runs(site: Catalogue) -> None:
    answer = site.page(RUN)
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert f"img-src 'self' {ARCHIVE};" in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert [script["type"] for script in _Text(answer.text).scripts] == ["application/ld+json"]
    sheets = re.findall(r'<link rel="stylesheet" href="([^"]+)"', answer.text)
    assert len(sheets) == 1
    assert site.client.get(sheets[0]).headers["Content-Type"].startswith("text/css")


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("*/*", "text/html"),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "text/html"),
        ("application/ld+json", "application/ld+json"),
        ("text/turtle, application/ld+json;q=0.5, */*;q=0.1", "application/ld+json"),
        ("application/vnd.datacite.datacite+json", "application/vnd.datacite.datacite+json"),
        ("application/vnd.datacite.datacite+xml", "application/vnd.datacite.datacite+xml"),
        ("application/x-bibtex", "application/x-bibtex"),
        ("application/vnd.citationstyles.csl+json", "application/vnd.citationstyles.csl+json"),
        ("text/x-bibliography; style=apa", "text/x-bibliography"),
        ("application/linkset+json", "application/linkset+json"),
        ("text/uri-list", "text/uri-list"),
    ],
)
def test_the_accept_header_chooses_the_form(site: Catalogue, accept: str, media_type: str) -> None:
    for path in (RUN, "/documents/10.5072/proposal"):
        answer = site.client.get(path, headers={"Accept": accept})
        assert answer.status_code == 200
        assert answer.headers["Content-Type"].split(";")[0] == media_type
        assert answer.headers["Vary"] == "Accept, Authorization"


def test_what_is_not_available_is_refused_with_what_is(site: Catalogue) -> None:
    refused = site.client.get(RUN, headers={"Accept": "application/pdf"})
    assert refused.status_code == 406
    assert "application/ld+json" in refused.json()["detail"]
    unknown = site.client.get(RUN, params={"format": "endnote"})
    assert unknown.status_code == 400
    assert "bibtex" in unknown.json()["detail"]
    assert site.client.get(RUN, params={"format": "citation", "style": "mla"}).status_code == 400
    assert site.client.get(RUN, headers={"Accept": "garbage"}).status_code == 400


def test_forms_agree_on_the_record(site: Catalogue) -> None:
    bibtex = site.client.get(RUN, params={"format": "bibtex"}).text
    assert "author = {Marsh, Ada}" in bibtex
    assert "title = {{Silica at 293 K}}" in bibtex
    datacite = site.json(RUN, "datacite-json")
    assert datacite["titles"] == [{"title": "Silica at 293 K"}]
    xml = ElementTree.fromstring(site.client.get(RUN, params={"format": "datacite-xml"}).content)
    assert xml.find(".//{*}title").text == "Silica at 293 K"  # type: ignore[union-attr]
    citation = site.client.get(RUN, params={"format": "citation", "style": "ieee"}).text
    assert citation == (
        "A. Marsh, “Silica at 293 K”. Aurora Light and Neutron Source, May 04, 2023. "
        f"[Online]. Available: {PUBLIC}{RUN}\n"
    )
    assert site.client.get(RUN, params={"format": "urls"}).text.split() == [
        f"{ARCHIVE}/files/P1/log.csv",
        FILE,
    ]
    cited = site.json("/documents/10.5072/proposal", "csl-json")
    assert cited["DOI"] == "10.5072/proposal"


def test_a_doi_leads_to_its_page(site: Catalogue) -> None:
    answer = site.client.get("/doi/10.5072/PROPOSAL", follow_redirects=False)
    assert (answer.status_code, answer.headers["Location"]) == (302, f"{PUBLIC}/documents/10.5072/proposal")
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert site.client.get("/doi/10.5072/none").status_code == 404


def seen_of_the_dataset(site: Catalogue) -> list[int | str]:
    """How its page, its metadata and its proposal's page show the dataset."""
    proposal = site.json("/documents/10.5072/proposal", "jsonld")
    return [
        site.page(RUN).status_code,
        site.client.get(RUN, headers={"Accept": "application/ld+json"}).status_code,
        str(proposal["isAccessibleForFree"]),
        len(proposal.get("hasPart", [])),
        proposal["conditionsOfAccess"],
    ]


def test_the_embargo_ends_at_its_second_on_every_page(site: Catalogue) -> None:
    closed: list[Any] = [
        404,
        404,
        "False",
        0,
        "The data are under embargo until 4 May 2023, 12:00 UTC. "
        "Until then this description is all that is public.",
    ]
    opened: list[Any] = [200, 200, "True", 1, "The data are open to everybody."]
    site.now = RELEASE - SECOND
    assert seen_of_the_dataset(site) == closed
    page = site.page("/documents/10.5072/proposal")
    assert "Under embargo until" in page.text
    for hidden in ("Silica at 293 K", "A-SAXS", "1 vol% in water", "run 1", "small angle"):
        assert hidden not in page.text
    site.now = RELEASE
    assert seen_of_the_dataset(site) == opened
    site.now = RELEASE - SECOND
    assert seen_of_the_dataset(site) == closed


def test_a_withdrawn_dataset_leaves_a_tombstone(site: Catalogue) -> None:
    site.harvest()
    site.connection.execute("UPDATE dataset SET doi = '10.5072/run', deleted_at = '2024-01-02T00:00:00Z'")
    answer = site.page(RUN)
    assert answer.status_code == 410
    text = _Text(answer.text).text
    assert "Withdrawn on 2 January 2024" in text
    assert "Silica at 293 K" in text
    assert "Ada Marsh" in text
    assert "https://doi.org/10.5072/run" in answer.text
    assert "Public since" in text
    assert "CC-BY-4.0" in text
    for gone in (ARCHIVE, "run 1.nxs", "sample_temperature"):
        assert gone not in answer.text.replace(answer.headers["Content-Security-Policy"], "")
    described = site.client.get(RUN, params={"format": "jsonld"})
    assert described.status_code == 410
    assert described.json()["creativeWorkStatus"] == "Withdrawn"
    assert described.json()["isAccessibleForFree"] is False
    assert 'rel="cite-as"' in answer.headers["Link"]
    assert 'rel="item"' not in answer.headers["Link"]
    assert site.client.get("/doi/10.5072/run", follow_redirects=False).status_code == 302


def test_what_was_never_public_leaves_nothing(site: Catalogue) -> None:
    site.now = RELEASE - SECOND
    site.connection.execute("UPDATE dataset SET deleted_at = now()")
    assert site.page(RUN).status_code == 404


@pytest.mark.parametrize("was_public", [False, True])
def test_a_dataset_under_embargo_leaves_nothing_whatever_its_doi(site: Catalogue, was_public: bool) -> None:
    """Where it was public once, its identifiers lead to a page, which says no more than that."""
    status = 410 if was_public else 404
    if was_public:
        site.harvest()
    site.now = RELEASE - SECOND
    site.harvest()
    site.connection.execute("UPDATE dataset SET doi = '10.5072/run', deleted_at = now()")
    assert site.page(RUN).status_code == status
    for form in ("jsonld", "datacite-xml", "datacite-json", "bibtex", "csl-json", "citation"):
        answer = site.client.get(RUN, params={"format": form})
        assert answer.status_code == status
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.json().keys() == {"type", "title", "status", "detail"}
    answer = site.client.get("/doi/10.5072/run", follow_redirects=False)
    assert answer.status_code == (302 if was_public else 404)
    assert not was_public or answer.headers["location"].endswith(RUN)


def test_proprietary_beamtime_is_nowhere(site: Catalogue) -> None:
    site.connection.execute("UPDATE document SET proprietary = true")
    for path in (RUN, "/documents/10.5072/proposal", "/doi/10.5072/proposal"):
        assert site.page(path).status_code == 404
    for query in ({}, {"show": "proposals"}):
        assert "silica" not in site.page("/search", **query).text.lower().replace("formula", "")


def test_errors_are_pages_for_browsers_and_problems_for_programs(site: Catalogue) -> None:
    for path in ("/datasets/none", "/nothing/here"):
        page = site.page(path)
        assert (page.status_code, page.headers["Content-Type"]) == (404, "text/html; charset=utf-8")
        assert "Not found" in page.text
        program = site.client.get(path, headers={"Accept": "application/json"} if "here" in path else {})
        assert program.status_code == 404
        assert program.headers["Content-Type"] == "application/problem+json"
    assert site.page("/datasets/a%00b").status_code == 400


NASTY = '"><script>alert(1)</script>&amp;\u2028</title>${7*7}{{7*7}} Å–日本語‮'


def test_markup_in_records_is_text(site: Catalogue) -> None:
    record = {
        **PROPOSAL,
        "pid": 'x/<"&>',
        "doi": None,
        "title": NASTY,
        "summary": NASTY,
        "type": NASTY,
        "keywords": [NASTY],
        "license": NASTY,
        "members": [{"role": NASTY, "person": {"fullName": NASTY}, "affiliation": {"name": NASTY}}],
        "datasets": [
            {
                "pid": NASTY,
                "title": NASTY,
                "isPublic": True,
                "instrument": {"pid": NASTY, "name": NASTY, "facility": NASTY},
                "techniques": [{"pid": NASTY, "name": NASTY}],
                "samples": [{"pid": NASTY, "name": NASTY, "description": NASTY}],
                "parameters": [{"name": NASTY, "value": NASTY, "unit": NASTY}],
                "files": [{"name": NASTY, "path": NASTY}],
            }
        ],
    }
    site.add(DocumentRecord.model_validate(record))
    (dataset,) = (one for one in site.client.get("/api/Datasets").json() if one["pid"] == NASTY)
    assert dataset["title"] == NASTY
    searched = site.page("/search", q=NASTY, technique=NASTY, instrument=NASTY, show="proposals")
    hits = re.findall(r'<h3><a href="([^"]+)"', site.page("/search").text)
    pages = [site.page(hit) for hit in hits]
    assert len(pages) == 2
    for answer in (site.page("/documents/x/%3C%22&%3E"), *pages, searched, site.page("/search")):
        assert answer.status_code == 200
        page = _Text(answer.text)
        assert all(script == {"type": "application/ld+json"} for script in page.scripts)
        assert "<script>alert" not in answer.text
        assert "49" not in re.sub(r"\d{3,}", "", page.text)
    described = _Text(site.page("/documents/x/%3C%22&%3E").text)
    assert json.loads(described.json_ld)["name"] == NASTY


def test_a_dataset_of_ten_thousand_files_has_a_page_of_bounded_size(site: Catalogue) -> None:
    files = [{"name": f"f{n}.h5", "path": f"big/f{n:05}.h5", "size": n} for n in range(10_000)]
    parameters = [{"name": f"p{n}", "value": float(n)} for n in range(1000)]
    big = {"pid": "big", "title": "Big", "isPublic": True, "files": files, "parameters": parameters}
    site.add(DatasetRecord.model_validate(big))
    answer = site.page("/datasets/big")
    assert len(answer.content) < 120_000
    assert "The first 100 of 10,000" in _Text(answer.text).text
    assert "The first 200 of 1,000" in _Text(answer.text).text
    assert len(answer.headers["Link"]) < 8000
    listed = site.client.get("/datasets/big", params={"format": "urls"}).text.split()
    assert len(listed) == 10_000
    assert listed[-1] == f"{ARCHIVE}/files/big/f09999.h5"


def test_a_record_without_anything_but_a_title_has_a_page(site: Catalogue) -> None:
    site.add(DocumentRecord(pid="bare", title="Bare"), DatasetRecord(pid="d", title="D", is_public=True))
    for path in ("/documents/bare", "/datasets/d"):
        assert site.page(path).status_code == 200
        for form in ("jsonld", "bibtex", "datacite-xml", "citation", "linkset", "csl-json", "urls"):
            assert site.client.get(path, params={"format": form}).status_code == 200, form
    assert "not public, and no date is known" in site.page("/documents/bare").text


def test_further_data_are_announced_only_if_they_will_be_public(site: Catalogue) -> None:
    def announced() -> bool:
        return "Further data are not public yet" in site.page("/documents/10.5072/proposal").text

    def add(dataset: str, **values: Any) -> None:
        """A dataset of another proposal that belongs to this one too."""
        site.add(DocumentRecord.model_validate({**values, "datasets": [{"pid": dataset, "title": dataset}]}))
        site.connection.execute(
            "INSERT INTO document_dataset (document_id, dataset_id) "
            "SELECT p.id, d.id FROM document p, dataset d WHERE p.pid = '10.5072/proposal' AND d.pid = %s",
            (dataset,),
        )

    assert not announced()
    add("paid for", pid="paid", title="Paid", endDate="2023-01-01", proprietary=True)
    assert not announced()
    add("young", pid="young", title="Young", endDate="2023-01-01")
    assert announced()


@pytest.mark.parametrize(
    ("asked", "media_type"),
    [
        ("json", "ld+json"),
        ("JSON", "ld+json"),
        ("xml", "datacite+xml"),
        ("bib", "bibtex"),
        ("csl", "csl+json"),
    ],
)
def test_forms_have_the_names_that_people_try(site: Catalogue, asked: str, media_type: str) -> None:
    answer = site.client.get(RUN, params={"format": asked})
    assert (answer.status_code, media_type in answer.headers["Content-Type"]) == (200, True)


def test_plain_json_and_xml_are_answered_in_the_form_that_is_one(site: Catalogue) -> None:
    for asked, given in {
        "application/json": "application/ld+json",
        "application/xml": "application/vnd.datacite.datacite+xml",
        "text/xml": "application/vnd.datacite.datacite+xml",
        "application/json, */*": "application/ld+json",
        "*/*": "text/html",
    }.items():
        answer = site.client.get(RUN, headers={"Accept": asked})
        assert answer.headers["Content-Type"].split(";")[0] == given, asked


def test_who_paid_is_named_on_the_proposal_and_on_its_datasets(site: Catalogue) -> None:
    proposal = {"pid": "10.5072/proposal", "title": "Proposal"}
    award = {
        "funder": "European Commission",
        "ror": "00k4n6c32",
        "awardNumber": "823852",
        "awardTitle": "PaNOSC",
    }
    site.add(DocumentRecord.model_validate({**proposal, "funding": [award, {"funder": "A foundation"}]}))
    site.add(DocumentRecord.model_validate(proposal))  # says nothing of it, and takes nothing away
    for path in ("/documents/10.5072/proposal", RUN):
        page = site.page(path).text
        assert '<a href="https://ror.org/00k4n6c32">European Commission</a>: PaNOSC (823852)' in page
        assert "A foundation" in page
        first, second = site.client.get(path, params={"format": "jsonld"}).json()["funding"]
        assert first == {
            "@type": "Grant",
            "identifier": "823852",
            "name": "PaNOSC",
            "funder": {
                "@type": "Organization",
                "@id": "https://ror.org/00k4n6c32",
                "name": "European Commission",
            },
        }
        assert second["funder"]["name"] == "A foundation"
