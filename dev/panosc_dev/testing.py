"""`make test`: every level of tests, one after the other, and a summary of what ran."""

import subprocess
import time
import xml.etree.ElementTree as xml
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from panosc_dev import environment, packages, privileges, toolchain
from panosc_dev.paths import REPOSITORY, cache_directory
from panosc_dev.progress import StepFailed, elapsed, say


@dataclass(frozen=True)
class Level:
    """A folder below tests/, pytest's options for it and whether it starts a cluster (and so needs root)."""

    name: str
    options: tuple[str, ...] = ()
    root: bool = False


LEVELS = (
    # By files: their fixtures are servers that take long to start.
    Level("unit", ("-n", "2", "--dist", "loadfile")),
    Level("apiserver"),
    Level("cluster", root=True),
    Level("faults", root=True),
)

# Folders that pytest and its plugins leave behind.
_KEEP_NOTHING = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest")


@dataclass(frozen=True)
class Result:
    """What ran of one level."""

    level: str
    passed: int
    failed: int
    skipped: int
    seconds: float
    code: int

    def line(self) -> str:
        """The level's line of the summary."""
        verdict = "ok    " if self.code == 0 else "FAILED"
        counts = f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"
        return f"  {verdict} {self.level:<10} {counts} in {elapsed(self.seconds)}"


def counts(report: Path) -> tuple[int, int, int]:
    """Passed, failed and skipped tests in a JUnit report; nothing ran if there is none."""
    if not report.exists():
        return 0, 0, 0
    suite = xml.parse(report).getroot().find("testsuite")
    if suite is None:
        return 0, 0, 0
    total, failures, errors, skipped = (
        int(suite.get(k, "0")) for k in ("tests", "failures", "errors", "skipped")
    )
    return total - failures - errors - skipped, failures + errors, skipped


def choose(names: Sequence[str], tests: Path) -> list[Level]:
    """The levels called `names`, all if none is given; StepFailed if the folder of one is not in `tests`."""
    chosen = [level for level in LEVELS if not names or level.name in names]
    for level in chosen:
        if not (tests / level.name).is_dir():
            raise StepFailed(f"the tests of level {level.name} are missing: there is no {tests / level.name}")
    return chosen


def run(names: Sequence[str]) -> bool:
    """Run the levels called `names` (all if none is given); True if every test of every level passed."""
    chosen = choose(names, REPOSITORY / "tests")
    packages.ensure(packages.FOR_TESTS)
    toolchain.ensure_all()
    environment.ensure()
    results = [_run(level) for level in chosen]
    say("What ran:")
    for result in results:
        print(result.line())
    return all(r.code == 0 for r in results)


def _run(level: Level) -> Result:
    report = cache_directory() / "logs" / f"tests-{level.name}.xml"
    report.unlink(missing_ok=True)
    begin = time.monotonic()
    say(f"Tests of level {level.name} …")
    pytest = str(REPOSITORY / ".venv/bin/pytest")
    # What root kept in the checkout, the user's own runs could not write to.
    command = [*privileges.prefix(), pytest, *_KEEP_NOTHING] if level.root else [pytest]
    done = subprocess.run(
        [*command, f"tests/{level.name}", *level.options, f"--junitxml={report}"], cwd=REPOSITORY, check=False
    )
    return Result(level.name, *counts(report), time.monotonic() - begin, done.returncode)
