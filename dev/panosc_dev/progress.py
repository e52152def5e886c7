"""What a person sees while long steps run: the step, the elapsed time, and on failure the log to read."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_HEARTBEAT_SECONDS = 15
_started = time.monotonic()


class StepFailed(Exception):
    """A step failed; the message says what, and `log` (if any) where to read more."""

    def __init__(self, message: str, log: Path | None = None) -> None:
        super().__init__(message)
        self.log = log


def elapsed(seconds: float) -> str:
    """Seconds as a person writes them: `7 s`, `2 min 05 s`."""
    whole = round(seconds)
    return f"{whole} s" if whole < 60 else f"{whole // 60} min {whole % 60:02d} s"


def say(message: str) -> None:
    """Print one line with the time since the command started."""
    print(f"[{elapsed(time.monotonic() - _started):>12}] {message}", file=sys.stderr, flush=True)


@contextmanager
def step(title: str) -> Iterator[None]:
    """Announce a step, repeat it with its elapsed time while it lasts, and say when it is done."""
    begin = time.monotonic()
    done = threading.Event()

    def beat() -> None:
        while not done.wait(_HEARTBEAT_SECONDS):
            say(f"{title}: still working after {elapsed(time.monotonic() - begin)}")

    say(f"{title} …")
    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
    say(f"{title}: done in {elapsed(time.monotonic() - begin)}")


def wait_until(ready: Callable[[], bool], what: str, seconds: float, log: Path | None = None) -> None:
    """Poll `ready` until it is true; raise StepFailed naming `what` and `log` after `seconds`."""
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            raise StepFailed(f"{what} did not happen within {elapsed(seconds)}", log)
        time.sleep(0.2)
