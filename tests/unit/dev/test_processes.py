"""Only processes that a cluster started itself are ever ended."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from panosc_dev import processes
from panosc_dev.processes import Identity, start_time
from panosc_dev.progress import wait_until

Sleeper = subprocess.Popen[bytes]


def identified(process: subprocess.Popen[Any]) -> Identity:
    identity = processes.identify(process.pid)
    assert identity is not None
    return identity


@pytest.fixture
def sleeper() -> Iterator[Sleeper]:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    yield process
    process.kill()
    process.wait()


def test_a_name_with_blanks_and_parentheses_does_not_confuse() -> None:
    fields = "S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20"
    assert start_time(f"42 (a) (b c) {fields}") == (4711, "S")


def test_a_recorded_process_is_recognised(tmp_path: Path, sleeper: Sleeper) -> None:
    record = tmp_path / "x.pid"
    record.write_text(identified(sleeper).text())
    found = processes.running(record)
    assert found is not None
    assert found.pid == sleeper.pid


@pytest.mark.parametrize("field", ["started", "boot"])
def test_a_reused_pid_is_not_ours(tmp_path: Path, sleeper: Sleeper, field: str) -> None:
    real = identified(sleeper)
    former = Identity(
        real.pid, real.started - (field == "started"), "another" if field == "boot" else real.boot
    )
    record = tmp_path / "x.pid"
    record.write_text(former.text())
    assert processes.running(record) is None
    processes.end([former], patience=0)
    assert sleeper.poll() is None


@pytest.mark.parametrize("text", ["", "12", "12 34", "x 1 boot", "1 2 3 4"])
def test_a_half_written_record_names_nobody(tmp_path: Path, text: str) -> None:
    record = tmp_path / "x.pid"
    record.write_text(text)
    assert processes.running(record) is None


def test_a_missing_record_names_nobody(tmp_path: Path) -> None:
    assert processes.running(tmp_path / "absent.pid") is None


def test_a_zombie_counts_as_dead() -> None:
    child = subprocess.Popen(["true"])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert processes.identify(child.pid) is None
    child.wait()


def test_a_stubborn_process_is_ended_after_the_patience() -> None:
    script = "trap '' TERM; echo on; while :; do sleep 0.1; done"
    child = subprocess.Popen(["sh", "-c", script], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    with child.stdout as said:
        assert said.readline() == "on\n"
        processes.end([identified(child)], patience=0.3)
    assert child.wait(5) == -signal.SIGKILL


def test_starting_records_the_process_and_keeps_the_former_log(tmp_path: Path) -> None:
    log, record = tmp_path / "logs" / "x.log", tmp_path / "pids" / "x.pid"
    log.parent.mkdir()
    log.write_text("before\n")
    processes.start(["sh", "-c", "echo $WORD; exec sleep 60"], record, log, env={"WORD": "now"})
    started = processes.running(record)
    assert started is not None
    wait_until(lambda: log.read_text() == "now\n", "the process's word", 5)
    processes.end([started], patience=2)
    os.waitpid(started.pid, 0)
    assert (tmp_path / "logs" / "x.previous.log").read_text() == "before\n"
