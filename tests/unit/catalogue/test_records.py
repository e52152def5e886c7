"""Identifiers that are made of what sources say."""

import re
import unicodedata

import pytest
from panosc_catalogue.records import instrument_pid


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("ID21", "id21"),
        ("SPB/SFX", "spb-sfx"),
        ("Große Kammer", "grosse-kammer"),
        ("SANS (new)", "sans-new"),
        ("ID 21 -- Micro_focus/2", "id-21-micro-focus-2"),
        ("BL²", "bl2"),
        ("Beamline Ⅱ", "beamline-ii"),
        ("ＳＰＢ", "spb"),
        ("TEL ℡", "tel-tel"),
    ],
)
def test_the_pid_of_an_instrument_is_its_name(name: str, slug: str) -> None:
    assert instrument_pid("esrf", name) == f"esrf:{slug}"


def test_instruments_whose_names_have_more_than_ascii_letters_and_digits_are_told_apart() -> None:
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
        "Ö1",
        "Ä1",
        "1",
        "Ångström",
        "ngstr m",
        "Line ٣",
        "Line ٤",
        "x̂",
        "x",
        "BL²",
        "BL³",
        "Beamline Ⅰ",
        "Beamline Ⅱ",
    ]
    pids = [instrument_pid("jinr", name) for name in names]
    assert len(set(pids)) == len(names)
    assert all(pid.startswith("jinr:") and pid.isascii() for pid in pids)
    assert instrument_pid("jinr", "Станция 1") == "jinr:1-d3aa27de"
    assert instrument_pid("jinr", "Станция") == "jinr:instrument-be808f82"


@pytest.mark.parametrize("name", ["???", "Öl", "光束线", "Line ٣", "x̂"])
def test_a_digest_ends_the_pid_of_an_instrument_whose_name_it_does_not_show(name: str) -> None:
    assert re.fullmatch(r"jinr:[a-z0-9-]+-[0-9a-f]{8}", instrument_pid("jinr", name))


@pytest.mark.parametrize("written", ["СТАНЦИЯ Й", " станция  й ", unicodedata.normalize("NFD", "Станция Й")])
def test_an_instrument_is_the_same_however_its_name_is_written(written: str) -> None:
    assert instrument_pid("jinr", written) == instrument_pid("jinr", "Станция Й")
