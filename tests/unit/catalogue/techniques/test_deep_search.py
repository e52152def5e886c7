"""Techniques as PaNET relates them: the ten queries of the search API's requirements, and what people write.

https://github.com/panosc-eu/search-api/blob/master/doc/dataset-techniques-requirements.md
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from panosc_catalogue.web.app import create_app
from panosc_common.panet import IRI, VERSIONS, ontology
from support import postgres
from unit.catalogue.service import fill, get, serving, settings

XES, SAS, MAGNETISM, PROBE = (
    "x-ray emission spectroscopy",
    "small angle scattering",
    "magnetism technique",
    "x-ray probe",
)
TAGS = {
    1: ["resonant inelastic x-ray scattering"],
    2: ["anomalous solution x-ray scattering"],
    3: ["grazing incidence small angle x-ray scattering"],
    4: ["inelastic x-ray small angle scattering"],
    5: ["soft x-ray small angle scattering"],
    6: ["magnetic x-ray tomography"],
    7: [XES],
    8: [XES, "magnetic x-ray tomography"],
    9: [XES, "grazing incidence small angle scattering"],
    10: [XES, "anomalous solution x-ray scattering"],
}
ALL = set(TAGS)
QUERIES: list[tuple[dict[str, Any], set[int]]] = [
    ({"name": XES}, {7, 8, 9, 10}),
    ({"name": SAS}, {2, 3, 4, 5, 9, 10}),
    ({"name": {"neq": XES}}, {1, 2, 3, 4, 5, 6}),
    ({"name": {"neq": SAS}}, {1, 6, 7, 8}),
    ({"and": [{"name": SAS}, {"name": MAGNETISM}]}, set()),
    ({"or": [{"name": SAS}, {"name": MAGNETISM}]}, {2, 3, 4, 5, 6, 8, 9, 10}),
    ({"and": [{"name": SAS}, {"name": PROBE}]}, {2, 3, 4, 5, 9, 10}),
    ({"or": [{"name": SAS}, {"name": PROBE}]}, ALL),
    ({"and": [{"name": SAS}, {"name": {"neq": PROBE}}]}, set()),
    ({"and": [{"name": SAS}, {"name": {"neq": MAGNETISM}}]}, {2, 3, 4, 5, 9, 10}),
]


def tag(name: str) -> dict[str, Any]:
    key = ontology("1.3.0").resolve(name)
    return {"pid": f"{IRI}{key}", "name": name, "panetId": f"{IRI}{key}"}


def dataset(pid: object, techniques: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "kind": "Dataset",
        "pid": f"{pid}",
        "title": f"Beamtime {pid}",
        "isPublic": True,
        "techniques": techniques,
    }


@pytest.fixture(scope="module", params=VERSIONS)
def client(
    request: pytest.FixtureRequest,
    server: postgres.Server,
    template: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[httpx2.Client]:
    name = server.create(template)
    fill(server.url(name), [dataset(pid, [tag(name) for name in names]) for pid, names in TAGS.items()])
    folder = tmp_path_factory.mktemp("files")
    (folder / "catalogue.json").write_text(json.dumps({"ontology": {"version": request.param}}))
    with serving(create_app(settings(server.url(name), folder))) as client:
        yield client
    server.drop(name)


def find(client: httpx2.Client, where: dict[str, Any], **more: Any) -> dict[str, list[str]]:
    """The names of the tags that are answered, by dataset; `more` is of the filter."""
    query = json.dumps({"include": [{"relation": "techniques", "scope": {"where": where}}], **more})
    items = get(client, "/api/Datasets", filter=query)
    assert isinstance(items, list), items
    count = get(client, "/api/Datasets/count", filter=query)
    assert count == {"count": len(items)}
    return {item["pid"]: [technique["name"] for technique in item["techniques"]] for item in items}


def by_iri(where: dict[str, Any], field: str) -> dict[str, Any]:
    """The query with the terms' IRIs in place of their names."""
    text = json.dumps(where).replace('"name"', f'"{field}"')
    for name in (XES, SAS, MAGNETISM, PROBE):
        text = text.replace(f'"{name}"', f'"{IRI}{ontology("1.3.0").resolve(name)}"')
    renamed: dict[str, Any] = json.loads(text)
    return renamed


def test_a_dataset_that_changes_its_tags_is_found_by_those_that_it_has(
    database_url: str, tmp_path: Path
) -> None:
    with serving(create_app(settings(database_url, tmp_path))) as client:
        for names, expected in (([SAS], {"1"}), ([XES], set()), ([XES, SAS], {"1"}), ([], set())):
            fill(database_url, [dataset(1, [tag(name) for name in names])])
            assert set(find(client, {"name": SAS}, query="beamtime")) == expected


@pytest.mark.parametrize("number", range(1, 11))
def test_the_ten_queries(client: httpx2.Client, number: int) -> None:
    where, expected = QUERIES[number - 1]
    for query in (where, by_iri(where, "pid"), by_iri(where, "panetId")):
        assert set(map(int, find(client, query))) == expected, query
        # Beside words, too.
        assert set(map(int, find(client, query, query="beamtime"))) == expected, query
        assert find(client, query, query="elsewhere") == {}


def test_the_tags_asked_for_are_answered(client: httpx2.Client) -> None:
    assert find(client, {"name": SAS})["10"] == ["anomalous solution x-ray scattering"]
    both = find(client, {"and": [{"name": SAS}, {"name": XES}]})
    assert sorted(both["10"]) == ["anomalous solution x-ray scattering", XES]
    assert find(client, {"name": {"neq": SAS}})["8"] == find(client, {})["8"]
    assert find(client, {"and": [{"name": XES}, {"name": {"neq": SAS}}]})["8"] == [XES]


def test_sets_are_deep(client: httpx2.Client) -> None:
    inside = {"name": {"inq": ["XES", "magnetism", "no such thing"]}}
    assert set(map(int, find(client, inside))) == {6, 7, 8, 9, 10}
    assert set(find(client, {"name": {"nin": [XES, SAS]}})) == {"1", "6"}


def test_patterns_are_deep(client: httpx2.Client) -> None:
    assert set(find(client, {"name": {"like": "small angle scatt%"}})) == set(find(client, {"name": SAS}))
    assert set(find(client, {"name": {"ilike": "X-RAY EMISSION SPEC"}})) == {"7", "8", "9", "10"}
    assert set(find(client, {"name": {"nilike": "x-ray emission spec"}})) == {*"123456"}


def test_not_of_a_combination(client: httpx2.Client) -> None:
    where = {"not": {"or": [{"name": SAS}, {"name": XES}]}}
    assert set(find(client, where)) == {"1", "6"}


@pytest.mark.parametrize(
    "text",
    [
        *("PaNET01124", "PaNET:PaNET01124", "https://purl.org/pan-science/PaNET/PaNET01124"),
        *("https://w3id.org/PaN/PaNET/PaNET01124", "Small-Angle Scattering", "SAS"),
    ],
)
def test_every_way_to_write_a_term(client: httpx2.Client, text: str) -> None:
    expected = set(find(client, {"name": SAS}))
    assert all(set(find(client, {field: text})) == expected for field in ("name", "pid", "panetId"))


def test_renamed_terms(client: httpx2.Client) -> None:
    assert len(find(client, {"name": "x-ray probe technique"})) == len(ALL)


def test_with_other_conditions(client: httpx2.Client) -> None:
    techniques = {"relation": "techniques", "scope": {"where": {"name": SAS}}}
    query = {"where": {"title": {"gt": "2"}}, "include": [techniques], "limit": 2, "order": "title DESC"}
    items = get(client, "/api/Datasets", filter=json.dumps(query))
    assert [item["pid"] for item in items] == ["9", "5"]
    two = [techniques, {"relation": "techniques", "scope": {"where": {"name": XES}}}]
    items = get(client, "/api/Datasets", filter=json.dumps({"include": two}))
    assert [item["pid"] for item in items] == ["10", "9"]
    assert all(len(item["techniques"]) == 2 for item in items)


def test_tags_that_facilities_really_write(
    server: postgres.Server, template: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    written = {
        "esrf": {"pid": "https://w3id.org/PaN/ESRFET/v0.1.0/#GISAXS", "name": "GISAXS"},
        "biosaxs": {"pid": "https://w3id.org/PaN/ESRFET#BioSAXS", "name": "BioSAXS"},
        "curie": {"pid": "1", "name": "?", "panetId": "PaNET:PaNET01188"},
        "https": {"pid": "https://purl.org/pan-science/PaNET/PaNET01188", "name": "?"},
        "named": {"pid": "4711", "name": "Small-angle X-ray scattering"},
        "neutron": {"pid": "0815", "name": "SANS"},
        "other": {"pid": "42", "name": "Alchemy"},
    }
    name = server.create(template)
    fill(server.url(name), [dataset(pid, [technique]) for pid, technique in written.items()])
    fill(server.url(name), [dataset("none", [])])
    with serving(create_app(settings(server.url(name), tmp_path_factory.mktemp("files")))) as client:
        assert set(find(client, {"name": "SAXS"})) == {"esrf", "biosaxs", "curie", "https", "named"}
        assert set(find(client, {"name": "small angle scattering"})) == {*written} - {"other"}
        assert set(find(client, {"name": {"neq": "small angle scattering"}})) == {"other", "none"}
        assert set(find(client, {"name": "Alchemy"})) == {"other"}
        assert set(find(client, {"panetId": None})) == {*written} - {"curie"}
    server.drop(name)
