"""Searching by the real program in a real catalogue."""

import json

import pytest
from unit.cli.laptop import Facility, Laptop


@pytest.mark.parametrize(
    ("arguments", "titles"),
    [
        ([], ["large", "öpen"]),
        (["--limit", "1"], ["large"]),
        (["öpen"], ["öpen"]),
        (["--from", "2015-07-01", "--to", "2015-07-01"], ["large"]),
        (["--to", "2015-06-30"], ["öpen"]),
        (["--instrument", "none of this name"], []),
        (["--technique", "SAXS"], []),
    ],
    ids=str,
)
def test_what_is_looked_for_is_found(
    laptop: Laptop, facility: Facility, arguments: list[str], titles: list[str]
) -> None:
    laptop.environment["PANOSC_CATALOGUE"] = facility.catalogue
    lines = laptop.done("search", "--json", *arguments).splitlines()
    assert [json.loads(line)["title"] for line in lines] == titles
    header, *rows = laptop.done("search", *arguments).splitlines()
    assert header.split() == ["PID", "DATE", "ACCESS", "TITLE"]
    assert [row.split()[-2:] for row in rows] == [["public", title] for title in titles]


def test_what_is_not_public_is_found_by_its_people_and_said_to_be_closed(
    laptop: Laptop, facility: Facility
) -> None:
    laptop.log_in(facility)
    (row,) = laptop.done("search", "embargoed").splitlines()[1:]
    assert row.split()[-2:] == ["closed", "embargoed"]
