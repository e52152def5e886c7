"""Teams as a CSV file: what spreadsheets write is read, and nothing is guessed."""

import csv
import io
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from panosc_catalogue.teams import sheet
from panosc_catalogue.teams.people import MAX_MEMBERS, Named, TeamRole, team_of

ADA = "0000-0002-1825-0097"
HEADER = "proposal,role,name,orcid,identifier,email"


def read(text: str) -> dict[str, list[Named]]:
    return sheet.read(text.encode(), "esrf")


def flaws(content: bytes | str) -> list[tuple[int, str, str]]:
    given = content.encode() if isinstance(content, str) else content
    with pytest.raises(sheet.Flawed) as caught:
        sheet.read(given, "esrf")
    assert all(flaw.remedy for flaw in caught.value.flaws)
    return [(flaw.line, flaw.column, flaw.value) for flaw in caught.value.flaws]


@pytest.mark.parametrize("begin", ["", "\N{BYTE ORDER MARK}"], ids=["bare", "BOM"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=repr)
def test_a_file_as_spreadsheets_write_it(begin: str, end: str) -> None:
    lines = [
        HEADER,
        f'HC-1,principal investigator,"Marsh, Ada ""the Beam""",https://orcid.org/{ADA},,Ada@Example.org',
        "",
        "esrf:HC-1, co-investigator ,,,8f2c@panosc.example,",
        "10.15151/ESRF-ES-1,local contact,Øye,,,kai@example.org",
    ]
    teams = read(begin + end.join(lines) + end)
    assert {
        team: [(one.role, one.name, one.identities) for one in people] for team, people in teams.items()
    } == {
        "HC-1": [
            ("principal investigator", 'Marsh, Ada "the Beam"', ["email:ada@example.org", f"orcid:{ADA}"]),
            ("co-investigator", None, ["identifier:8f2c@panosc.example"]),
        ],
        "10.15151/ESRF-ES-1": [("local contact", "Øye", ["email:kai@example.org"])],
    }


def test_columns_are_found_by_their_names() -> None:
    teams = read(f"ORCID,Proposal,Role\n{ADA},HC-1,co-investigator")
    assert [one.identities for one in teams["HC-1"]] == [[f"orcid:{ADA}"]]


def test_a_header_alone_names_nobody() -> None:
    assert read(HEADER) == {}


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("", 1, "proposal"),
        ("HC-1,co-investigator,,,,a@example.org", 1, "hc-1"),
        ("proposal,role,e-mail\n", 1, "e-mail"),
        ("proposal;role;email\nHC-1;co-investigator;a@example.org", 1, "proposal;role;email"),
        ("proposal,role,email,email\n", 1, "email"),
        ("proposal,email\n", 1, "role"),
        ("\n\nproposal,email\n", 3, "role"),
    ],
)
def test_a_header_is_required(text: str, line: int, column: str) -> None:
    assert [flaw[:2] for flaw in flaws(text)] == [(line, column)]


@pytest.mark.parametrize(
    ("line", "column", "value"),
    [
        (f"HC-1,boss,,{ADA},,", "role", "boss"),
        (f"HC-1,,,{ADA},,", "role", ""),
        (f",co-investigator,,{ADA},,", "proposal", ""),
        (f"HC 1\t,co-investigator,,{ADA},,", "proposal", "HC 1\t"),
        (f"{'x' * 301},co-investigator,,{ADA},,", "proposal", "x" * 100),
        ("HC-1,co-investigator,,0000-0002-1825-0098,,", "orcid", "0000-0002-1825-0098"),
        ("HC-1,co-investigator,,,a b,", "identifier", "a b"),
        ("HC-1,co-investigator,,,,ada", "email", "ada"),
        ("HC-1,co-investigator,,,,\N{KELVIN SIGN}ai@example.org", "email", "\N{KELVIN SIGN}ai@example.org"),
        (f'HC-1,co-investigator,"A\nB",{ADA},,', "name", "A\nB"),
        (f"HC-1,co-investigator,a\0b,{ADA},,", "name", "a\0b"),
        ("HC-1,co-investigator,Ada,,,", "", ""),
        (f"HC-1,co-investigator,{ADA},,", "", f"HC-1,co-investigator,{ADA},,"),
        (f"HC-1,co-investigator,,{ADA},,,", "", f"HC-1,co-investigator,,{ADA},,,"),
        (f'HC-1,co-investigator,"Ada"x,{ADA},,', "", ""),
        (f'HC-1,co-investigator,"Ada,{ADA},,', "", ""),
    ],
)
def test_what_is_wrong_is_told_with_its_line(line: str, column: str, value: str) -> None:
    good = "HC-2,co-investigator,,,,ada@example.org"
    assert flaws(f"{HEADER}\n{good}\n{line}\n") == [(3, column, value)]


def test_lines_are_counted_as_an_editor_does() -> None:
    cell = '"one\r\ntwo"'
    assert [
        flaw[0]
        for flaw in flaws(f"{HEADER}\r\nHC-1,boss,{cell},,,a@example.org\r\n\r\nHC-1,boss,,,,b@example.org")
    ] == [
        2,
        2,
        5,
    ]


def test_other_encodings_are_refused() -> None:
    latin = f"{HEADER}\nHC-1,co-investigator,Øye,,,kai@example.org".encode("latin-1")
    assert flaws(latin) == [(2, "", "d8 79 65 2c 2c 2c 6b 61")]
    assert flaws(HEADER.encode("utf-16"))[0][0] == 1


def test_who_is_named_twice_is_told() -> None:
    lines = [
        HEADER,
        f"HC-1,co-investigator,,{ADA},,",
        f"HC-2,co-investigator,,{ADA},,",
        f"esrf:HC-1,local contact,,https://orcid.org/{ADA},,",
    ]
    assert flaws("\n".join(lines)) == [(4, "orcid", ADA)]


def test_a_team_is_bounded() -> None:
    lines = [f"HC-1,co-investigator,,,,p{number}@example.org" for number in range(MAX_MEMBERS + 1)]
    assert flaws("\n".join([HEADER, *lines])) == [(MAX_MEMBERS + 2, "proposal", "HC-1")]
    assert len(read("\n".join([HEADER, *lines[1:]]))["HC-1"]) == MAX_MEMBERS


def test_many_flaws_are_cut_off() -> None:
    assert len(flaws("\n".join([HEADER, *["HC-1,boss,,,,a"] * 1000]))) == sheet.MAX_FLAWS


@pytest.mark.parametrize(
    ("given", "team"),
    [
        ("HC-1", "HC-1"),
        ("esrf:HC-1", "HC-1"),
        ("esrf:esrf:HC-1", "HC-1"),
        ("ill:HC-1", "ill:HC-1"),
        ("esrf:", "esrf:"),
    ],
)
def test_a_proposal_has_one_team(given: str, team: str) -> None:
    assert team_of("esrf", given) == team


cells = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1, max_size=20)
people = st.fixed_dictionaries(
    {
        "proposal": st.from_regex(r"[A-Z]{2}-[0-9]{1,3}", fullmatch=True),
        "role": st.sampled_from([str(role) for role in TeamRole]),
        "name": cells.map(lambda name: name.strip(" ")),
        "email": st.from_regex(r"[a-z]{3,12}@[a-z]{2,9}\.org", fullmatch=True),
    }
)


@settings(max_examples=60, deadline=None)
@given(st.lists(people, max_size=20, unique_by=lambda one: (one["proposal"], one["email"])))
def test_what_is_written_is_read_again(rows: list[dict[str, str]]) -> None:
    written = io.StringIO(newline="")
    writer = csv.DictWriter(written, ["proposal", "role", "name", "email"])
    writer.writeheader()
    writer.writerows(rows)
    found = [
        (team, str(one.role), one.name or "", one.email)
        for team, members in read(written.getvalue()).items()
        for one in members
    ]
    assert sorted(found) == sorted((row["proposal"], row["role"], row["name"], row["email"]) for row in rows)


@settings(max_examples=100, deadline=None)
@given(
    st.one_of(
        st.binary(max_size=200),
        st.text(max_size=200).map(lambda text: f"{HEADER}\n{text}".encode("utf-8", "ignore")),
    )
)
def test_nothing_breaks_it(content: bytes) -> None:
    with suppress(sheet.Flawed):
        sheet.read(content, "esrf")
