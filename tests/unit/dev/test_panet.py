"""The tables of PaNET are made as the ontology's language asks."""

import json
from pathlib import Path

import pytest
from panosc_common.panet import VERSIONS
from panosc_panet.__main__ import table
from panosc_panet.classify import classify, parents
from panosc_panet.template import read

BASE = "http://purl.org/pan-science/PaNET/"
HEADER = [
    ",ID,Label,Alt,Type,Class,Parent,Parent,Definition,Definition,Super,Domain",
    ",ID,A rdfs:label,A http://www.w3.org/2004/02/skos/core#altLabel,TYPE,CLASS_TYPE,"
    "SC %,CI,EC %,EC %,SP %,DOMAIN",
]


def row(number: str, label: str, **cells: str) -> str:
    columns = ("alt", "type", "kind", "sub", "either", "define", "also", "super", "domain")
    values = ["", f"{BASE}PaNET{number}", label, *(cells.get(name, "") for name in columns)]
    return ",".join(f'"{value}"' for value in values)


SOURCE = [
    *HEADER,
    row("00001", "technique"),
    row("01012", "x-ray probe", define="('by probe' some 'x-ray')"),
    row("00100", "photon probe", define="('by probe' some 'photon')"),
    row("01124", "small angle scattering", alt="SAS", sub="technique", define="CHMO:0000204"),
    row("01188", "SAXS", define="PaNET:PaNET01124", also="x-ray probe"),
    row("01300", "scanning  SAXS", sub="small angle scattering", define="", either="x-ray probe"),
    row("01301", "the same", kind="equivalent", either="SAXS"),
    row("2000001", "photon"),
    row("2000002", "x-ray", sub="photon"),
    row("1000001", "by probe", super="by anything", domain="technique"),
    row("1000002", "by anything"),
]


def above(name: str) -> set[str]:
    entities = read(SOURCE)
    return {entities[other].label for other in classify(entities)[f"PaNET{name}"]}


def test_what_is_below_by_definition() -> None:
    assert above("01012") == {"x-ray probe", "photon probe", "technique"}, "since an x-ray is a photon"
    assert above("01188") == above("01012") | {"SAXS", "small angle scattering", "the same"}


def test_what_fits_a_definition_is_below_what_it_defines() -> None:
    assert "SAXS" in above("01300"), "both are said of it, and that is all that SAXS is"
    assert "scanning SAXS" not in above("01188")


def test_equivalent_classes_are_above_each_other() -> None:
    assert above("01188") == above("01301")


def test_parents_skip_what_another_parent_implies() -> None:
    nearest = parents(classify(read(SOURCE)))
    assert nearest["PaNET01300"] == ["PaNET01188", "PaNET01301"]
    assert nearest["PaNET01188"] == ["PaNET01012", "PaNET01124", "PaNET01301"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (row("01400", "new", sub="alchemy"), '"alchemy" is the label of nothing'),
        (row("01400", "SAXS"), '"SAXS" is the label of'),
    ],
)
def test_a_label_that_is_not_just_one(line: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read([*SOURCE, line])


def test_the_table(tmp_path: Path) -> None:
    source = tmp_path / "PaNET.csv"
    source.write_text("\n".join(SOURCE), encoding="utf-8")
    made = json.loads(table("9.9.9", source))
    assert (made["version"], made["licence"]) == ("9.9.9", "CC-BY-4.0")
    assert "9.9.9" not in VERSIONS
    assert made["terms"]["PaNET01124"] == {
        "label": "small angle scattering",
        "synonyms": ["SAS"],
        "parents": ["PaNET00001"],
    }
    assert "PaNET2000001" not in made["terms"]
