"""Long-running processes of a cluster: start, recognise, stop. A reused pid is never taken for ours."""

import os
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Identity:
    """What tells one process from a later one with the same pid: its start time and the machine's boot."""

    pid: int
    started: int
    boot: str

    def text(self) -> str:
        """The one line of a pid file."""
        return f"{self.pid} {self.started} {self.boot}\n"

    @classmethod
    def parse(cls, text: str) -> "Identity | None":
        """Read a pid file's text; None if it is not one (a half-written file)."""
        parts = text.split()
        if len(parts) != 3 or not parts[0].isdigit() or not parts[1].isdigit():
            return None
        return cls(int(parts[0]), int(parts[1]), parts[2])


def start_time(stat: str) -> tuple[int, str]:
    """Start time (clock ticks since boot) and state letter from the text of /proc/PID/stat.

    The command's name in it may hold blanks and parentheses, so counting begins behind the last one.
    """
    fields = stat.rpartition(")")[2].split()
    return int(fields[19]), fields[0]


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def identify(pid: int) -> Identity | None:
    """Identity of a living process; None if there is none (a zombie counts as dead)."""
    try:
        started, state = start_time(Path(f"/proc/{pid}/stat").read_text())
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if state in "ZX" else Identity(pid, started, _boot())


def running(pid_file: Path) -> Identity | None:
    """The process that `pid_file` names, if it is still that one."""
    try:
        recorded = Identity.parse(pid_file.read_text())
    except FileNotFoundError:
        return None
    return recorded if recorded and identify(recorded.pid) == recorded else None


def start(
    arguments: Sequence[str | Path],
    pid_file: Path,
    log: Path,
    *,
    env: Mapping[str, str] | None = None,
) -> None:
    """Start a process in a session of its own and record it; the former log is kept beside the new one."""
    log.parent.mkdir(parents=True, exist_ok=True)
    pid_file.parent.mkdir(parents=True, exist_ok=True)
    if log.exists():
        log.replace(log.with_suffix(".previous.log"))
    with log.open("w") as sink:
        child = subprocess.Popen(
            [str(a) for a in arguments],
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd="/",
            env={**os.environ, **(env or {})},
        )
    identity = identify(child.pid)
    if identity:
        pid_file.write_text(identity.text())


def end(identities: Iterable[Identity], patience: float) -> None:
    """Ask processes to end, wait up to `patience` seconds, then end those that remain."""
    targets = list(identities)

    def alive() -> list[Identity]:
        return [t for t in targets if identify(t.pid) == t]

    def send(number: signal.Signals) -> None:
        for target in alive():
            try:
                os.kill(target.pid, number)
            except ProcessLookupError:
                continue

    if patience > 0:
        send(signal.SIGTERM)
        deadline = time.monotonic() + patience
        while alive() and time.monotonic() < deadline:
            time.sleep(0.1)
    send(signal.SIGKILL)
    deadline = time.monotonic() + 5
    while alive() and time.monotonic() < deadline:
        time.sleep(0.05)
