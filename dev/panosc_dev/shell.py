"""Commands: run, captured or logged, always with a time limit and an error that says what to read."""

import os
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from panosc_dev.progress import StepFailed


def _environment(extra: Mapping[str, str] | None) -> dict[str, str]:
    return {**os.environ, **(extra or {})}


def output(
    arguments: Sequence[str | Path],
    *,
    seconds: float = 60,
    env: Mapping[str, str] | None = None,
    stdin: str | None = None,
    cwd: Path | None = None,
) -> str:
    """Standard output of a command; StepFailed with its standard error if it fails or takes too long."""
    words = [str(a) for a in arguments]
    try:
        done = subprocess.run(
            words,
            env=_environment(env),
            input=stdin,
            cwd=cwd,
            capture_output=True,
            text=True,
            timeout=seconds,
        )
    except subprocess.TimeoutExpired:
        raise StepFailed(f"`{shlex.join(words)}` took longer than {seconds:.0f} s") from None
    except FileNotFoundError:
        raise StepFailed(f"{words[0]} is not installed") from None
    if done.returncode:
        detail = (done.stderr or done.stdout).strip()[-2000:]
        raise StepFailed(f"`{shlex.join(words)}` failed with {done.returncode}: {detail}")
    return done.stdout


def succeeds(
    arguments: Sequence[str | Path], *, seconds: float = 60, env: Mapping[str, str] | None = None
) -> bool:
    """Whether a command ends with 0 within the time; its output is dropped."""
    try:
        output(arguments, seconds=seconds, env=env)
    except StepFailed:
        return False
    return True


def logged(
    arguments: Sequence[str | Path],
    log: Path,
    *,
    seconds: float,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> None:
    """Run a command with its output appended to `log`; StepFailed names that log if it fails."""
    words = [str(a) for a in arguments]
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a") as sink:
        sink.write(f"$ {shlex.join(words)}\n")
        sink.flush()
        try:
            done = subprocess.run(
                words,
                env=_environment(env),
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                timeout=seconds,
            )
        except subprocess.TimeoutExpired:
            raise StepFailed(f"`{words[0]}` took longer than {seconds:.0f} s", log) from None
    if done.returncode:
        raise StepFailed(f"`{shlex.join(words[:4])} …` failed with {done.returncode}", log)
