"""The reference page tells what there is, and its examples run."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from panosc_catalogue.query.model import MODELS
from panosc_catalogue.query.parse import FILTER_KEYS, OPERATORS
from panosc_catalogue.query.synonyms import SYNONYMS
from panosc_catalogue.web.app import create_app
from panosc_catalogue.web.openapi import document
from support import postgres
from unit.catalogue.service import fill, get, serving, settings

PAGE = Path(__file__).parents[4] / "docs" / "reference" / "search-api.md"
TEXT = PAGE.read_text()
EXAMPLES = [line.removeprefix("GET ") for line in TEXT.splitlines() if line.startswith("GET ")]
DATASET = {
    "pid": "d",
    "title": "Residual stress of steel",
    "isPublic": True,
    "creationDate": "2021-01-01",
    "size": 2000,
    "instrument": {"pid": "i", "name": "BM23", "facility": "ESRF"},
    "techniques": [
        {
            "pid": "t",
            "name": "small angle neutron scattering",
            "panetId": "http://purl.org/pan-science/PaNET/PaNET01189",
        }
    ],
    "samples": [{"pid": "s", "name": "weld", "description": "Fe2 O3 scale"}],
    "parameters": [{"name": "photon_energy", "value": 930, "unit": "eV"}],
    "files": [{"name": "run.nxs", "size": 2000}],
}
RECORD = {
    "kind": "Document",
    "pid": "10.1/p",
    "title": "Corrosion",
    "keywords": ["corrosion"],
    "datasets": [DATASET],
}


@pytest.fixture(scope="module")
def client(
    server: postgres.Server, template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx2.Client]:
    name = server.create(template)
    fill(server.url(name), [RECORD])
    with serving(create_app(settings(server.url(name), tmp_path_factory.mktemp("files")))) as client:
        yield client
    server.drop(name)


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_finds_something(client: httpx2.Client, example: str) -> None:
    response = client.get(example)
    assert response.status_code == 200, response.text
    assert response.json() not in ([], {"count": 0}), example


def test_there_are_examples() -> None:
    assert len(EXAMPLES) > 9


def test_the_page_names_everything() -> None:
    headers = {
        name
        for path, operations in document()["paths"].items()
        if path.startswith("/api/")
        for name in operations["get"]["responses"]["200"]["headers"]
    }
    names = {*OPERATORS, *FILTER_KEYS, *headers, *(r for model in MODELS.values() for r in model.relations)}
    assert [name for name in sorted(names) if f"`{name}`" not in TEXT] == []
    assert len(set(SYNONYMS.values())) > 70


def test_the_error_is_as_the_page_shows_it(client: httpx2.Client) -> None:
    shown = json.loads(TEXT.partition("```json\n")[2].partition("```")[0])
    assert get(client, "/api/Datasets", filter='{"where":{"colour":1}}') == shown
