"""What a person types finds what it means, best first."""

import json
from collections.abc import Iterator
from typing import Any

import httpx2
import psycopg
import pytest
from panosc_catalogue import store
from panosc_catalogue.query.errors import FilterError
from panosc_catalogue.query.ranking import Term, formula, parse_query
from panosc_catalogue.query.synonyms import SYNONYMS
from panosc_catalogue.records import Member
from panosc_catalogue.web.app import create_app
from support import postgres
from unit.catalogue.service import fill, get, serving, settings

PUBLIC = {"isPublic": True, "creationDate": "2020-01-01"}


def instrument(name: str) -> dict[str, str]:
    return {"pid": f"i/{sum(name.encode())}", "name": name, "facility": "ESRF"}


def technique(name: str) -> dict[str, str]:
    return {"pid": f"t/{name}", "name": name}


DATASETS: list[dict[str, Any]] = [
    {
        "pid": "steel",
        "title": "Residual stress",
        "instrument": instrument("BM23"),
        "techniques": [technique("small angle neutron scattering")],
        "samples": [{"pid": "s1", "name": "weld", "description": "Fe2 O3 scale"}],
    },
    {
        "pid": "protein",
        "title": "SANS of a protein in D2O",
        "instrument": instrument("D 22"),
        "techniques": [technique("SANS")],
        "samples": [],
    },
    {
        "pid": "film",
        "title": "Reflectivity of a film",
        "instrument": instrument("id03"),
        "techniques": [technique("X-ray reflectivity")],
        "samples": [{"pid": "s2", "name": "La0.67Sr0.33MnO3 on SrTiO3"}],
        "parameters": [{"name": "chemical_formula", "value": "O3 Ti Sr"}],
    },
    {
        "pid": "rust",
        "title": "Fe₂O₃ nanoparticles",
        "instrument": instrument("BM 01"),
        "techniques": [technique("powder x-ray diffraction")],
        "samples": [],
    },
]
DOCUMENTS: list[dict[str, Any]] = [
    {
        "kind": "Document",
        "pid": "10.1/oxide",
        "doi": "10.1/oxide",
        "title": "Oxides of the Åland islands",
        "summary": "Neutron reflectometry of corrosion layers",
        "keywords": ["corrosion"],
        "members": [{"role": "principal investigator", "person": {"fullName": "Zoë Müller"}}],
        "datasets": [{**PUBLIC, **dataset} for dataset in DATASETS],
    },
    {"kind": "Document", "pid": "10.1/other", "title": "Corrosion of steel", "keywords": []},
]


@pytest.fixture(scope="module")
def url(server: postgres.Server, template: str) -> Iterator[str]:
    name = server.create(template)
    fill(server.url(name), DOCUMENTS)
    yield server.url(name)
    server.drop(name)


@pytest.fixture(scope="module")
def client(url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx2.Client]:
    with serving(create_app(settings(url, tmp_path_factory.mktemp("files")))) as client:
        yield client


def found(client: httpx2.Client, words: str, path: str = "/api/Datasets", **more: Any) -> list[str]:
    items = get(client, path, filter=json.dumps({"query": words, **more}))
    assert all(0 < item["score"] < 1 for item in items), items
    return [item["pid"] for item in items]


@pytest.mark.parametrize(
    ("words", "pids"),
    [
        ("SANS", {"steel", "protein"}),
        ("sans", {"steel", "protein"}),
        ("small-angle neutron scattering", {"steel", "protein"}),
        ("Small Angle Neutron Scattering protein", {"protein"}),
        ("XRR", {"film"}),
        ("x-ray reflectometry", {"film"}),
        ("PXRD", {"rust"}),
        ("xray", {"film", "rust"}),
        ("BM23", {"steel"}),
        ("BM 23", {"steel"}),
        ("bm-23", {"steel"}),
        ("beamline BM23", {"steel"}),
        ("instrument D22", {"protein"}),
        ("D 22", {"protein"}),
        ("BM01", {"rust"}),
        ("ID03", {"film"}),
        ("Fe2O3", {"steel", "rust"}),
        ("Fe2 O3", {"steel", "rust"}),
        ("Fe₂O₃", {"steel", "rust"}),
        ("O3Fe2", {"steel", "rust"}),
        ("fe2o3", {"steel", "rust"}),
        ("La0.67Sr0.33MnO3", {"film"}),
        ("MnO3La0.67Sr0.33", {"film"}),
        ("La0.67 Sr0.33 Mn O3", {"film"}),
        ("SrTiO3", {"film"}),
        ("D2O", {"protein"}),
        ("nanoparticle", {"rust"}),
        ("Muller", {"steel", "protein", "film", "rust"}),
        ("zoë müller", {"steel", "protein", "film", "rust"}),
        ("aland", {"steel", "protein", "film", "rust"}),
        ("ESRF SANS", {"steel", "protein"}),
        ("SANS -protein", {"steel"}),
        ("-SANS", {"film", "rust"}),
        ("XRR OR PXRD", {"film", "rust"}),
        ('"residual stress"', {"steel"}),
        ('"stress residual"', set()),
        ("SANS XRR", set()),
        ("the", {"steel", "protein", "film", "rust"}),
        ("", {"steel", "protein", "film", "rust"}),
        ("'; DROP TABLE dataset; -- & | ! <-> :* \\", set()),
        ('"', {"steel", "protein", "film", "rust"}),
        ("- OR -", {"steel", "protein", "film", "rust"}),
    ],
)
def test_words_find_what_they_mean(client: httpx2.Client, words: str, pids: set[str]) -> None:
    assert set(found(client, words)) == pids
    assert get(client, "/api/Datasets/count", filter=json.dumps({"query": words})) == {"count": len(pids)}


def test_the_best_comes_first_and_an_order_is_kept(client: httpx2.Client) -> None:
    assert found(client, "SANS") == ["protein", "steel"]  # in the title
    assert found(client, "SANS", order="pid DESC") == ["steel", "protein"]
    assert found(client, "SANS", order="score ASC") == ["steel", "protein"]
    assert found(client, "SANS", limit=1, skip=1) == ["steel"]
    assert found(client, "corrosion", "/api/Documents") == ["10.1/other", "10.1/oxide"]


def test_how_many_are_ranked_is_said(client: httpx2.Client) -> None:
    for query, told in (
        ({"query": "SANS"}, "10000"),
        ({"query": "SANS", "limit": 20}, "200"),
        ({"query": "SANS", "limit": 300}, "300"),
        ({"query": "SANS", "limit": 20, "order": "score DESC"}, "200"),
        ({"query": "SANS", "limit": 20, "order": "pid"}, None),
        ({}, None),
    ):
        response = client.get("/api/Datasets", params={"filter": json.dumps(query)})
        assert response.headers.get("X-Ranked-Limit") == told


def test_a_query_joins_with_everything_else(client: httpx2.Client) -> None:
    bm23 = {"relation": "instrument", "scope": {"where": {"name": "BM23"}}}
    assert found(client, "SANS", include=[bm23]) == ["steel"]
    assert found(client, "SANS", where={"title": {"like": "protein"}}) == ["protein"]
    assert found(client, "NR", "/api/Documents") == ["10.1/oxide"]
    assert found(client, "BM 23", "/api/Instruments") == ["i/244"]


def test_the_query_may_be_a_parameter_of_its_own(client: httpx2.Client) -> None:
    assert [item["pid"] for item in get(client, "/api/Datasets", query="SANS")] == ["protein", "steel"]
    assert get(client, "/api/Datasets/count", query="SANS") == {"count": 2}


def test_one_item_is_found_whatever_the_query(client: httpx2.Client) -> None:
    item = get(client, "/api/Datasets/film", filter='{"query":"SANS","order":"score DESC"}')
    assert (item["pid"], 0 < item["score"] < 1) == ("film", True)


def test_files_are_not_ranked(client: httpx2.Client) -> None:
    response = client.get("/api/Datasets/film/files", params={"filter": '{"query":"SANS"}'})
    assert response.status_code == 400
    assert "filter.query: File is not ranked" in response.json()["error"]["message"]


def test_what_changes_is_found_by_its_new_words(
    server: postgres.Server, template: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    name = server.create(template)
    url = server.url(name)
    fill(url, DOCUMENTS)
    with serving(create_app(settings(url, tmp_path_factory.mktemp("files")))) as client:
        fill(url, [{"kind": "Instrument", **instrument("BM23"), "name": "Colossus"}])
        assert found(client, "colossus") == ["steel"]
        assert found(client, "BM23") == []
        fill(url, [{"kind": "Document", "pid": "10.1/oxide", "title": "Nitrides"}])
        assert set(found(client, "nitride")) == {"steel", "protein", "film", "rust"}
        assert found(client, "aland") == []
        fill(url, [{"kind": "Dataset", "pid": "film", "title": "A mirror"}])
        assert found(client, "mirror") == ["film"]
    server.drop(name)


@pytest.fixture
def changing(
    server: postgres.Server, template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, httpx2.Client]]:
    name = server.create(template)
    url = server.url(name)
    with serving(create_app(settings(url, tmp_path_factory.mktemp("files")))) as client:
        yield url, client
    server.drop(name)


def part_of(name: str, **person: str) -> dict[str, Any]:
    return {"role": "owner", "person": {"fullName": name, **person}}


def test_people_of_a_dataset_are_found_where_they_are_shown(changing: tuple[str, httpx2.Client]) -> None:
    url, client = changing
    owned = {"pid": "owned", "title": "Run", "isPublic": True, "members": [part_of("Otto Frisch")]}

    def write(*members: dict[str, Any]) -> list[str]:
        fill(url, [{"kind": "Document", "pid": "p", "title": "Fission", "members": members}])
        return found(client, "Frisch")

    def by_files(*members: dict[str, Any]) -> list[str]:
        named = [Member.model_validate(member) for member in members]
        with psycopg.connect(url) as connection:
            store.write_dataset_members(connection, "owned", named, store.Origin("files"))
        return found(client, "Frisch")

    fill(url, [{"kind": "Document", "pid": "p", "title": "Fission", "datasets": [owned]}])
    assert found(client, "Frisch") == ["owned"]
    assert write(part_of("Lise Meitner")) == []
    assert write() == ["owned"]
    assert by_files(part_of("Ida Noddack")) == []
    assert by_files() == ["owned"]


def test_who_has_another_name_now_is_found_by_it_alone(changing: tuple[str, httpx2.Client]) -> None:
    url, client = changing
    orcid = "0000-0002-1825-0097"
    before, now = (part_of(name, orcid=orcid) for name in ("Ada Byron", "Ada Lovelace"))
    measured = {"pid": "measured", "title": "Run", "isPublic": True}
    fill(
        url,
        [
            {"kind": "Document", "pid": "first", "title": "P", "members": [before], "datasets": [measured]},
            {"kind": "Dataset", "pid": "alone", "title": "Run", "isPublic": True, "members": [before]},
        ],
    )

    fill(url, [{"kind": "Document", "pid": "second", "title": "Q", "members": [now]}])

    assert set(found(client, "Lovelace", "/api/Documents")) == {"first", "second"}
    assert set(found(client, "Lovelace")) == {"measured", "alone"}
    assert [found(client, "Byron", path) for path in ("/api/Documents", "/api/Datasets")] == [[], []]


@pytest.mark.parametrize(
    "word", ["Fe2O3", "La0.67Sr0.33MnO3", "GaAs", "NaCl", "C60", "SrTiO3", "SANS", "Run", "H2O"]
)
def test_formulas_are_indexed_as_they_are_asked_for(url: str, word: str) -> None:
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT formulas(plain_text(%s))", (f"({word}) film",)).fetchone()
    assert row is not None
    expected = formula(word)
    assert (row[0].split() if row[0] else None) == ([word, expected] if expected else None)


def test_terms() -> None:
    assert parse_query('XRR -"a b" or', "q") == (
        Term(SYNONYMS["xrr"]),
        Term(("a b",), excluded=True),
        Term(("or",)),
    )
    assert parse_query("a OR b c", "q") == (Term(("a", "b")), Term(("c",)))
    assert parse_query("BM23 or ID 1", "q")[0] == Term(("bm23", "bm 23"))
    with pytest.raises(FilterError, match="more than 32 words"):
        parse_query("x " * 33, "q")


def test_no_phrase_is_the_synonym_of_two_groups() -> None:
    phrases = [phrase.lower() for group in set(SYNONYMS.values()) for phrase in group]
    assert len(phrases) == len(set(phrases)) == len(SYNONYMS)
