"""Benchmarks: each measures ours and a named peer in turn, in the same run, and reports the ratio."""

import os
import platform
import re
import shutil
import statistics
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"
ROUNDS = 5


@dataclass(frozen=True)
class Result:
    """Medians of ours and the peer's rates; more is better."""

    what: str
    unit: str
    ours: float
    peer: float
    peer_name: str
    method: str


@dataclass
class Report:
    """Collects results and writes the page."""

    results: list[Result] = field(default_factory=list)

    def compare(
        self,
        what: str,
        unit: str,
        ours: Callable[[], float],
        peer: Callable[[], float],
        peer_name: str,
        method: str,
    ) -> None:
        """Run both in turn, `ROUNDS` times after a warm-up, so that a machine's drift hits both alike."""
        ours(), peer()
        pairs = [(ours(), peer()) for _ in range(ROUNDS)]
        mine, theirs = (statistics.median(values) for values in zip(*pairs, strict=True))
        self.results.append(Result(what, unit, mine, theirs, peer_name, method))

    def once(
        self,
        what: str,
        unit: str,
        ours: Callable[[], float],
        peer: Callable[[], float],
        peer_name: str,
        method: str,
    ) -> None:
        """Run both once: what takes minutes drifts little."""
        self.results.append(Result(what, unit, ours(), peer(), peer_name, method))

    @staticmethod
    def _row(result: Result) -> str:
        ours, peer = (f"{rate:,.0f} {result.unit}" for rate in (result.ours, result.peer))
        ratio = f"{result.ours / result.peer:.2f}"
        return f"| {' | '.join([result.what, ours, peer, ratio, result.peer_name])} |"

    def _methods(self) -> list[str]:
        """A line for each method, with all that was measured by it."""
        measured: dict[str, list[str]] = {}
        for result in self.results:
            measured.setdefault(result.method, []).append(result.what)
        return [f"- **{'; '.join(names)}.** {method}" for method, names in measured.items()]

    def page(self) -> str:
        """The results as Markdown."""
        return "\n".join(
            [
                "# Benchmarks",
                "",
                f"Written by `make bench` on {datetime.now(UTC):%Y-%m-%d}, {machine()}. "
                f"Medians of {ROUNDS} rounds in which ours and the peer took turns.",
                "",
                "| what | ours | peer | ratio | peer |",
                "|---|---|---|---|---|",
                *(self._row(result) for result in self.results),
                "",
                "## Methods",
                "",
                *self._methods(),
                "",
            ]
        )


def machine() -> str:
    """The machine in words."""
    cpu = next(
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores ({cpu}), {memory:.0f} GiB, Python {platform.python_version()}"


@pytest.fixture(scope="session")
def report() -> Iterator[Report]:
    collected = Report()
    yield collected
    if collected.results:
        PAGE.write_text(collected.page())


def requests_per_second(url: str, connections: int = 8, seconds: int = 3) -> float:
    """Rate at which `url` answers 2xx under wrk's load; fails on any other answer."""
    wrk = shutil.which("wrk")
    assert wrk, "wrk is missing: install Debian's package wrk"
    command = [wrk, "-t1", f"-c{connections}", f"-d{seconds}s", url]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "Non-2xx" not in output, output
    assert "Socket errors" not in output, output
    rate = re.search(r"Requests/sec:\s+([\d.]+)", output)
    assert rate is not None, output
    return float(rate[1])
