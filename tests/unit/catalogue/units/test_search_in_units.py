"""Parameters asked for in a unit: compared in SI, answered in that unit, wherever the comparison stands."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from panosc_catalogue import store
from panosc_catalogue.records import DatasetRecord, Parameter
from panosc_catalogue.web.app import create_app
from support import postgres
from unit.catalogue.service import fill, get, serving, settings
from unit.catalogue.visibility import RELEASE, Catalogue

STORED: dict[str, list[tuple[str, Any, str | None]]] = {
    "soft": [("photon_energy", 930, "eV"), ("temperature", 20, "celsius")],
    "hard": [("photon_energy", "12.4", "keV"), ("temperature", 293.15, "K")],
    "text": [("photon_energy", "1.34E+4", "eV"), ("temperature", 68, "degF"), ("state", "solid", None)],
    "cold": [("temperature", -196, "°C"), ("wavelength", 1.8, "Å"), ("rate", 1e6, "s^-1")],
    "q": [("momentum_transfer", 0.5, "1/Ang"), ("angle", 180, "deg"), ("i0", 5, "arb. units")],
    "scan": [("photon_energy", [7000, 8000], "eV"), ("angle", [0.1, 0.2], "rad")],
    "bare": [("photon_energy", 930, None)],
}
RECORDS = [
    {
        "kind": "Dataset",
        "pid": pid,
        "title": pid,
        "isPublic": True,
        "parameters": [{"name": name, "value": value, "unit": unit} for name, value, unit in parameters],
    }
    for pid, parameters in STORED.items()
]
EMBARGOED = {
    "kind": "Dataset",
    "pid": "secret",
    "title": "secret",
    "parameters": [
        {"name": "stress", "value": 5, "unit": "MPa"},
        {"name": "photon_energy", "value": 5, "unit": "meV"},
        {"name": "photon_energy", "value": 5, "unit": "angstrom"},
    ],
}


@pytest.fixture(scope="module")
def client(
    server: postgres.Server, template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx2.Client]:
    name = server.create(template)
    fill(server.url(name), [EMBARGOED, *RECORDS])
    folder: Path = tmp_path_factory.mktemp("files")
    with serving(create_app(settings(server.url(name), folder))) as client:
        look(client)
        yield client
    server.drop(name)


def look(client: httpx2.Client) -> None:
    """Let the catalogue notice what is public now."""
    client.get("/oai?verb=ListIdentifiers&metadataPrefix=oai_dc").raise_for_status()


def ask(client: httpx2.Client, where: dict[str, Any], **scope: Any) -> dict[str, list[tuple[Any, Any]]]:
    """Value and unit of the parameters that match, by dataset."""
    include = {"relation": "parameters", "scope": {"where": where, **scope}}
    items = get(client, "/api/Datasets", filter=json.dumps({"include": [include]}))
    assert isinstance(items, list), items
    return {item["pid"]: [(p["value"], p["unit"]) for p in item["parameters"]] for item in items}


def test_energies_in_another_prefix(client: httpx2.Client) -> None:
    where = {"name": "photon_energy", "value": {"between": [0.88, 0.99]}, "unit": "keV"}
    assert ask(client, where) == {"soft": [(0.93, "keV")]}
    wide = {"and": [{"name": "photon_energy"}, {"value": {"gt": 10_000}}, {"unit": "eV"}]}
    assert ask(client, wide) == {"hard": [(12400, "eV")], "text": [(13400, "eV")]}


@pytest.mark.parametrize(
    ("unit", "value"), [("degC", 20), ("K", 293.15), ("fahrenheit", 68), ("mK", 293150), ("°C", 20)]
)
def test_one_temperature_in_every_unit(client: httpx2.Client, unit: str, value: float) -> None:
    where = {"name": "temperature", "value": value, "unit": unit}
    assert ask(client, where) == {pid: [(value, unit)] for pid in ("hard", "soft", "text")}


def test_bounds_belong_to_gte_and_lte_but_not_to_gt_and_lt(client: httpx2.Client) -> None:
    def at_bound(operator: str) -> set[str]:
        return set(ask(client, {"name": "temperature", "value": {operator: 68}, "unit": "degF"}))

    room = {"soft", "hard", "text"}
    assert (at_bound("gte"), at_bound("gt")) == (room, set())
    assert (at_bound("lte"), at_bound("lt")) == (room | {"cold"}, {"cold"})


def test_below_freezing_in_celsius_is_not_below_zero_in_kelvin(client: httpx2.Client) -> None:
    assert ask(client, {"name": "temperature", "value": {"lt": 0}, "unit": "degC"}) == {
        "cold": [(-196, "degC")]
    }
    assert ask(client, {"name": "temperature", "value": {"lt": 0}, "unit": "K"}) == {}


@pytest.mark.parametrize(
    ("name", "value", "unit", "pid"),
    [
        ("wavelength", 0.18, "nm", "cold"),
        ("momentum_transfer", 5, "nm^-1", "q"),
        ("momentum_transfer", 0.5, "1/angstrom", "q"),
        ("rate", 1, "MHz", "cold"),
        ("angle", 3.14159265359, "rad", "q"),
    ],
)
def test_spellings_and_products(client: httpx2.Client, name: str, value: float, unit: str, pid: str) -> None:
    near = {"between": [value * (1 - 1e-9), value * (1 + 1e-9)]}
    assert ask(client, {"name": name, "value": near, "unit": unit}) == {pid: [(value, unit)]}


def test_neq_and_nin_say_nothing_of_other_dimensions(client: httpx2.Client) -> None:
    where = {"name": "temperature", "value": {"neq": 20}, "unit": "degC"}
    assert ask(client, where) == {"cold": [(-196, "degC")]}
    where["value"] = {"nin": [-196, 5]}
    assert set(ask(client, where)) == {"soft", "hard", "text"}


def test_alternatives_below_a_unit(client: httpx2.Client) -> None:
    either = {"or": [{"value": {"lt": 1}}, {"value": {"gt": 13}}]}
    where = {"and": [{"name": "photon_energy"}, {"unit": "keV"}, either]}
    assert ask(client, where) == {"soft": [(0.93, "keV")], "text": [(13.4, "keV")]}
    assert set(ask(client, {"and": [{"name": "photon_energy"}, {"unit": "keV"}, {"not": either}]})) == {
        "hard",
        "scan",
    }


def test_alternatives_each_in_its_unit(client: httpx2.Client) -> None:
    hot = {"name": "temperature", "value": {"gt": 19}, "unit": "degC"}
    soft = {"name": "photon_energy", "value": {"lt": 1}, "unit": "keV"}
    found = ask(client, {"or": [hot, soft]})
    assert found["soft"] == [(0.93, "keV"), (20, "degC")]
    assert found["hard"] == [(20, "degC")]


def test_order_is_that_of_the_quantity(client: httpx2.Client) -> None:
    where = {"value": {"gt": 0}, "unit": "degC"}
    include = {"relation": "parameters", "scope": {"where": where, "order": "value DESC", "limit": 1}}
    items = get(client, "/api/Datasets", filter=json.dumps({"include": [include]}))
    assert [item["parameters"][0]["value"] for item in items] == [20, 20, 20]


def test_a_range_overlaps(client: httpx2.Client) -> None:
    def found(test: Any, unit: str = "keV") -> bool:
        return "scan" in ask(client, {"name": "photon_energy", "value": test, "unit": unit})

    assert all(map(found, [7.5, 7, 8, {"between": [7.9, 9]}, {"between": [6, 7]}, {"between": [7.1, 7.2]}]))
    assert all(map(found, [{"gt": 7.5}, {"lt": 7.5}, {"gte": 8}, {"lte": 7}, {"inq": [1, 7.2]}]))
    assert not any(map(found, [6.9, 8.1, {"between": [8.1, 9]}, {"between": [9, 6]}, {"gt": 8}, {"lt": 7}]))
    assert not any(map(found, [{"neq": 7.5}, {"inq": [1, 9]}, {"nin": [7.5]}]))
    where = {"name": "photon_energy", "value": {"between": [7.4, 7.6]}, "unit": "keV"}
    assert ask(client, where) == {"scan": [("7 to 8", "keV")]}


def test_a_range_overlaps_without_units_too(client: httpx2.Client) -> None:
    def found(test: Any) -> bool:
        return "scan" in ask(client, {"name": "photon_energy", "value": test})

    assert all(map(found, [7500, {"between": [7900, 9000]}, {"gt": 7500}, {"lt": 7500}, {"inq": [1, 7200]}]))
    assert not any(map(found, [6900, {"between": [9000, 6000]}, {"gt": 8000}, {"neq": 7500}]))
    assert ask(client, {"name": "photon_energy", "value": 7500}) == {"scan": [("7000 to 8000", "eV")]}


def test_a_unit_without_a_value_is_text(client: httpx2.Client) -> None:
    assert ask(client, {"unit": "arb. units"}) == {"q": [(5, "arb. units")]}
    assert ask(client, {"name": "temperature", "unit": "K"}) == {"hard": [(293.15, "K")]}


def test_no_unit_is_a_plain_number(client: httpx2.Client) -> None:
    assert set(ask(client, {"name": "photon_energy", "value": 930, "unit": ""})) == {"bare"}


def refused(client: httpx2.Client, where: dict[str, Any], path: str = "/api/Datasets") -> str:
    include = {"relation": "parameters", "scope": {"where": where}}
    answer = client.get(path, params={"filter": json.dumps({"include": [include]})})
    assert answer.status_code == 400, answer.text
    return str(answer.json()["error"]["message"])


@pytest.mark.parametrize("path", ["/api/Datasets", "/api/Datasets/count", "/api/Documents"])
def test_another_dimension_is_refused(client: httpx2.Client, path: str) -> None:
    where = {"name": "photon_energy", "value": {"lt": 5}, "unit": "angstrom"}
    assert refused(client, where, path) == (
        '"angstrom" is a unit of length, but photon_energy is stored as energy; '
        "ask for photon_energy in a unit of energy, for example eV"
    )


@pytest.mark.parametrize("path", ["/api/Datasets/hard/files", "/api/Datasets/hard/files/count"])
def test_another_dimension_is_refused_beside_files_too(client: httpx2.Client, path: str) -> None:
    where = {"name": "photon_energy", "value": {"lt": 5}, "unit": "angstrom"}
    parameters = {"relation": "parameters", "scope": {"where": where}}
    asked = {"include": [{"relation": "dataset", "scope": {"include": [parameters]}}]}
    answer = client.get(path, params={"filter": json.dumps(asked)})
    assert answer.status_code == 400, answer.text


def test_none_of_no_values_is_any(client: httpx2.Client) -> None:
    assert ask(client, {"name": "photon_energy", "value": {"inq": []}, "unit": "keV"}) == {}


def test_what_another_alternative_finds_excuses_no_unit(client: httpx2.Client) -> None:
    hot = {"name": "temperature", "value": {"gt": 19}, "unit": "degC"}
    wrong = {"name": "photon_energy", "value": {"lt": 1}, "unit": "angstrom"}
    either = {"name": {"inq": ["temperature", "photon_energy"]}, "value": {"gt": 0}, "unit": "K"}
    for where in ({"or": [hot, wrong]}, {"and": [hot, {"not": wrong}]}, either):
        assert "stored as energy" in refused(client, where), where


def test_the_refusal_tells_nothing_of_what_is_under_embargo(client: httpx2.Client) -> None:
    assert ask(client, {"name": "stress", "value": {"lt": 5}, "unit": "angstrom"}) == {}


def test_a_dimension_counts_once_public(catalogue: Catalogue) -> None:
    def write(*parameters: Parameter) -> None:
        record = DatasetRecord(pid="d/1", title="Run", parameters=list(parameters))
        with catalogue.connection.transaction():
            store.write(catalogue.connection, [record], store.Origin("beamlines", "a"))
        look(catalogue.client)

    def status(name: str) -> int:
        where = {"name": name, "value": {"lt": 5}, "unit": "angstrom"}
        include = {"relation": "parameters", "scope": {"where": where}}
        asked = {"filter": json.dumps({"include": [include]})}
        return catalogue.client.get("/api/Datasets", params=asked).status_code

    stress = Parameter(name="stress", value=5, unit="MPa")
    catalogue.now = RELEASE - timedelta(seconds=1)
    write(stress)
    assert status("stress") == 200
    catalogue.now = RELEASE
    look(catalogue.client)
    assert status("stress") == 400
    # A parameter that was added to a public dataset, of which nothing else changed.
    write(stress, Parameter(name="strain", value=5, unit="mm"), Parameter(name="load", value=5, unit="N"))
    assert (status("load"), status("strain")) == (400, 200)


def test_an_unknown_unit_is_refused(client: httpx2.Client) -> None:
    message = refused(client, {"name": "photon_energy", "value": 5, "unit": "furlongs per fortnight?"})
    assert message.startswith('unknown unit "furlongs per fortnight?"; known are')
    assert '"like"' in message


def test_two_units_of_one_value_are_refused(client: httpx2.Client) -> None:
    where = {"and": [{"value": 5}, {"unit": "eV"}, {"unit": "keV"}]}
    assert refused(client, where) == (
        "A value has one unit, but the filter names eV and keV; put each beside its own value, in an or"
    )


def test_a_value_that_is_too_large_is_refused(client: httpx2.Client) -> None:
    assert "too large" in refused(client, {"value": {"gt": 1e300}, "unit": "Ym"})
