"""Which levels `make test` runs, and what it takes for a result."""

from pathlib import Path

import pytest
from panosc_dev import testing
from panosc_dev.progress import StepFailed


@pytest.fixture
def tests(tmp_path: Path) -> Path:
    for level in testing.LEVELS:
        (tmp_path / level.name).mkdir()
    return tmp_path


def test_all_levels_run_unless_some_are_named(tests: Path) -> None:
    assert testing.choose([], tests) == list(testing.LEVELS)
    assert [level.name for level in testing.choose(["cluster", "unit"], tests)] == ["unit", "cluster"]


def test_a_level_without_its_folder_is_no_success(tests: Path) -> None:
    (tests / "faults").rmdir()
    with pytest.raises(StepFailed, match="the tests of level faults are missing"):
        testing.choose([], tests)


def test_counts_come_from_the_report(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    assert testing.counts(report) == (0, 0, 0)
    report.write_text('<testsuites><testsuite tests="9" failures="2" errors="1" skipped="1"/></testsuites>')
    assert testing.counts(report) == (5, 3, 1)
