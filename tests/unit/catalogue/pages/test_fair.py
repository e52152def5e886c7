"""What an automated assessor of FAIRness finds, offline: signposting, JSON-LD, formats, licence, access.

The names are those of F-UJI's metrics 0.8 (https://www.f-uji.net), each with what earned its points.
"""

import json
import re
from collections.abc import Iterable
from typing import Any

import pytest
from rdflib import RDF, Graph, Namespace, URIRef
from signposting.linkset import find_signposting_linkset
from signposting.resolver import find_signposting_http
from signposting.signpost import Signpost
from unit.catalogue.pages.conftest import ARCHIVE, FILE, PUBLIC, RUN, Catalogue

SCHEMA = Namespace("https://schema.org/")
PROV = Namespace("http://www.w3.org/ns/prov#")
PANET = "http://purl.org/pan-science/PaNET/"
PROPOSAL_PAGE = f"{PUBLIC}/documents/10.5072/proposal"


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """A context that the parser would have to fetch fails."""

    def refuse(*arguments: object, **keywords: object) -> None:
        raise AssertionError(f"fetches {arguments}")

    monkeypatch.setattr("rdflib.plugins.shared.jsonld.context.source_to_json", refuse)


def graph_of(site: Catalogue, path: str) -> tuple[Graph, URIRef]:
    """The triples in the page's script element, and the record among them."""
    (script,) = re.findall(
        r'<script type="application/ld\+json">(.*?)</script>', site.page(path).text, re.DOTALL
    )
    graph = Graph().parse(data=script, format="json-ld")
    (record,) = {
        one for one in graph.subjects(RDF.type, SCHEMA.Dataset) if (one, SCHEMA.publisher, None) in graph
    }
    assert isinstance(record, URIRef)
    return graph, record


def text(graph: Graph, record: URIRef, *path: URIRef) -> set[str]:
    """The values that a path of properties leads to."""
    found: set[Any] = {record}
    for step in path:
        found = {value for one in found for value in graph.objects(one, step)}
    return {str(value) for value in found}


@pytest.mark.usefixtures("no_network")
def test_json_ld_needs_nothing_from_elsewhere(site: Catalogue) -> None:
    graph, record = graph_of(site, RUN)
    assert record == URIRef(f"{PUBLIC}{RUN}")
    expected = {  # core metadata, F2-01M; access, A1-01M; licence, R1.1-01M; relations, I3-01M
        (SCHEMA.name,): {"Silica at 293 K"},
        (SCHEMA.creator, SCHEMA.name): {"Ada Marsh"},
        (SCHEMA.creator,): {"https://orcid.org/0000-0002-1825-0097"},
        (SCHEMA.publisher, SCHEMA.name): {"Aurora Light and Neutron Source"},
        (SCHEMA.publisher,): {"https://ror.org/02550n020"},
        (SCHEMA.datePublished,): {"2023-05-04"},
        (SCHEMA.dateCreated,): {"2020-05-03"},
        (SCHEMA.temporalCoverage,): {"2020-05-03T10:00:00Z/2020-05-03T11:00:00Z"},
        (SCHEMA.license,): {"https://creativecommons.org/licenses/by/4.0/legalcode"},
        (SCHEMA.isAccessibleForFree,): {"true"},
        (SCHEMA.conditionsOfAccess,): {"The data are open to everybody."},
        (SCHEMA.keywords,): {"silica", "small angle x-ray scattering"},
        (SCHEMA.isPartOf,): {"https://doi.org/10.5072/proposal"},
        (SCHEMA.includedInDataCatalog, SCHEMA.url): {f"{PUBLIC}/"},
        (SCHEMA.measurementTechnique,): {"small angle x-ray scattering"},
        (SCHEMA.variableMeasured, SCHEMA.name): {"sample_temperature", "sample_state"},
        (PROV.wasGeneratedBy, RDF.type): {str(PROV.Activity)},  # provenance, R1.2-01M
        (PROV.wasGeneratedBy, PROV.used, SCHEMA.name): {"A-SAXS"},
    }
    assert {path: text(graph, record, *path) for path in expected} == expected
    assert f"{PANET}PaNET01188" in text(graph, record, SCHEMA.about)  # vocabulary, I2-01M
    assert "How silica nanoparticles come together" in text(graph, record, SCHEMA.description).pop()


@pytest.mark.usefixtures("no_network")
def test_the_content_is_described_as_the_archive_serves_it(site: Catalogue) -> None:
    graph, record = graph_of(site, RUN)
    downloads = {
        str(graph.value(one, SCHEMA.contentUrl)): (
            str(graph.value(one, SCHEMA.encodingFormat)),
            graph.value(one, SCHEMA.contentSize),
        )
        for one in graph.objects(record, SCHEMA.distribution)
    }
    sizes = {url: (kind, str(size) if size else None) for url, (kind, size) in downloads.items()}
    assert sizes == {  # R1-01M, R1.3-02D, F3-01M
        FILE: ("application/x-hdf5", "2048 B"),
        f"{ARCHIVE}/files/P1/log.csv": ("text/csv", "100 B"),
        f"{ARCHIVE}/datasets/10.5072%2Frun%201/bundle.zip": ("application/zip", None),
        f"{ARCHIVE}/datasets/10.5072%2Frun%201/bundle.tar": ("application/x-tar", None),
    }


@pytest.mark.usefixtures("no_network")
def test_a_proposal_is_a_collection_identified_by_its_doi(site: Catalogue) -> None:
    graph, record = graph_of(site, "/documents/10.5072/proposal")
    assert record == URIRef("https://doi.org/10.5072/proposal")
    assert text(graph, record, SCHEMA.hasPart) == {f"{PUBLIC}{RUN}"}
    assert str(SCHEMA.Collection) in text(graph, record, RDF.type)
    assert text(graph, record, SCHEMA.contributor, SCHEMA.name) == {"Chiara Lindqvist"}


def links(found: Iterable[Signpost]) -> dict[str, set[tuple[str, str | None]]]:
    """Target and type of the links by relation."""
    grouped: dict[str, set[tuple[str, str | None]]] = {}
    for link in found:
        grouped.setdefault(str(link.rel), set()).add(
            (str(link.target), str(link.type) if link.type else None)
        )
    return grouped


def test_signposting_level_1_is_in_the_header(site: Catalogue) -> None:
    found = links(find_signposting_http(f"{site.client.base_url}{RUN}").signposts)
    described_by = found.pop("describedby")
    assert found == {
        "cite-as": {(f"{PUBLIC}{RUN}", None)},
        "type": {("https://schema.org/AboutPage", None), ("https://schema.org/Dataset", None)},
        "license": {("https://creativecommons.org/licenses/by/4.0/legalcode", None)},
        "author": {("https://orcid.org/0000-0002-1825-0097", None)},
        "collection": {(PROPOSAL_PAGE, "text/html")},
        "item": {
            (FILE, "application/x-hdf5"),
            (f"{ARCHIVE}/files/P1/log.csv", "text/csv"),
            (f"{ARCHIVE}/datasets/10.5072%2Frun%201/bundle.zip", "application/zip"),
            (f"{ARCHIVE}/datasets/10.5072%2Frun%201/bundle.tar", "application/x-tar"),
        },
        "linkset": {(f"{PUBLIC}{RUN}?format=linkset", "application/linkset+json")},
    }
    assert {kind for _, kind in described_by} == {
        "application/ld+json",
        "application/vnd.datacite.datacite+json",
        "application/vnd.datacite.datacite+xml",
        "application/x-bibtex",
        "application/vnd.citationstyles.csl+json",
    }
    for target, kind in described_by:
        answer = site.client.get(target.removeprefix(PUBLIC))
        assert answer.headers["Content-Type"].split(";")[0] == kind
        assert answer.headers["Link"] == f'<{PUBLIC}{RUN}>; rel="describes"; type="text/html"'


def test_signposting_level_2_says_the_same_and_links_back(site: Catalogue) -> None:
    header = links(find_signposting_http(f"{site.client.base_url}{RUN}").signposts)
    linkset = find_signposting_linkset(f"{site.client.base_url}{RUN}?format=linkset")
    del header["linkset"]
    assert links(linkset.for_context(f"{PUBLIC}{RUN}")) == header
    document = json.loads(site.client.get(RUN, params={"format": "linkset"}).text)
    back = {context["anchor"]: context for context in document["linkset"]}
    page = [{"href": f"{PUBLIC}{RUN}", "type": "text/html"}]
    assert back[FILE]["collection"] == page
    assert back[f"{PUBLIC}{RUN}?format=jsonld"]["describes"] == page


def test_the_doi_is_what_to_cite(site: Catalogue) -> None:
    found = find_signposting_http(f"{site.client.base_url}/documents/10.5072/proposal")
    assert str(found.citeAs.target) == "https://doi.org/10.5072/proposal"
    assert {str(link.target) for link in found.items} == {f"{PUBLIC}{RUN}"}


def test_search_engines_find_the_citation_in_the_head(site: Catalogue) -> None:
    page = site.page("/documents/10.5072/proposal").text
    meta = dict(re.findall(r'<meta name="([^"]+)" content="([^"]*)">', page))
    assert meta["citation_title"] == meta["DC.title"] == "Drying of silica"
    assert meta["citation_author"] == meta["DC.creator"] == "Ada Marsh"
    assert meta["citation_doi"] == "10.5072/proposal"
    assert meta["citation_publication_date"] == "2023"
    assert meta["DC.identifier"] == "https://doi.org/10.5072/proposal"
    assert meta["DCTERMS.available"] == "2023-05-04"
