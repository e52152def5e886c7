"""Identifiers that are made of what sources say."""

import unicodedata

import pytest
from panosc_catalogue.records import instrument_pid


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("ID21", "id21"),
        ("SPB/SFX", "spb-sfx"),
        ("Große Kammer", "grosse-kammer"),
        ("Ångström", "ngstr-m"),
        ("BL² 3º", "bl-3"),
        ("SANS (new)", "sans-new"),
    ],
)
def test_the_pid_of_an_instrument_is_its_name_as_it_always_was(name: str, slug: str) -> None:
    assert instrument_pid("esrf", name) == f"esrf:{slug}"


def test_instruments_whose_names_are_in_other_scripts_are_told_apart() -> None:
    names = [
        "Линия 1",
        "Станция 1",
        "Станция",
        "γ-beamline",
        "β-beamline",
        "光束线",
        "線束光",
        "कि",
        "का",
        "٣",
        "٤",
    ]
    pids = [instrument_pid("jinr", name) for name in names]
    assert len(set(pids)) == len(names)
    assert all(pid.startswith("jinr:") and pid.isascii() for pid in pids)
    assert instrument_pid("jinr", "Станция 1") == "jinr:1-d3aa27de"
    assert instrument_pid("jinr", "Станция") == "jinr:instrument-be808f82"


@pytest.mark.parametrize("written", ["СТАНЦИЯ Й", " станция  й ", unicodedata.normalize("NFD", "Станция Й")])
def test_an_instrument_is_the_same_however_its_name_is_written(written: str) -> None:
    assert instrument_pid("jinr", written) == instrument_pid("jinr", "Станция Й")
