"""The program `panosc` on somebody's machine, and what they do in their browser."""

import html
import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import httpx2
from support import keycloak
from support.federation import PASSWORD

MEMBER, OTHER = "ada", "otto"


def _listen_to_interrupts() -> None:
    """As programs of a terminal do: those that a shell starts in the background ignore them."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@dataclass(frozen=True)
class Facility:
    catalogue: str
    archive: str
    root: Path
    """Of the archive's files."""
    login: keycloak.Server


@dataclass
class Laptop:
    """A machine with nothing on it but the program."""

    home: Path
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def state(self) -> Path:
        return self.home / "state/panosc/logins"

    def start(self, *arguments: str, **more: str) -> subprocess.Popen[str]:
        program = Path(sys.executable).with_name("panosc")
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PANOSC_")}
        environment |= {"HOME": str(self.home), "XDG_STATE_HOME": str(self.home / "state"), "NO_PROXY": "*"}
        return subprocess.Popen(
            [program, *arguments],
            cwd=self.home,
            env=environment | self.environment | more,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=_listen_to_interrupts,
        )

    def run(self, *arguments: str, given: str = "", **more: str) -> subprocess.CompletedProcess[str]:
        with self.start(*arguments, **more) as process:
            out, err = process.communicate(given, timeout=120)
            assert "Traceback" not in err, err
            return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def done(self, *arguments: str, **more: str) -> str:
        """What it prints, where it has to go well."""
        ended = self.run(*arguments, **more)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    def log_in(self, facility: Facility, who: str = MEMBER) -> str:
        with self.start("login", facility.catalogue) as process:
            assert process.stdout
            told = _entered(process, process.stdout, who)
            out, err = process.communicate(timeout=60)
            assert process.returncode == 0, err
            return told + out

    def make_token(self, facility: Facility, *options: str, who: str = MEMBER) -> tuple[str, str]:
        """What `token create` writes to standard output, and what it says."""
        with self.start("token", "create", "-c", facility.catalogue, *options) as process:
            assert process.stderr
            _entered(process, process.stderr, who)
            out, err = process.communicate(timeout=60)
            assert process.returncode == 0, err
            return out, err


def _entered(process: subprocess.Popen[str], out: IO[str], who: str) -> str:
    """Enter the code that the program shows there; what it said."""
    told = "".join(out.readline() for _ in range(3))
    try:
        (address,) = re.findall(r"open (http\S+user_code=\S+)", told)
        enter(address, who)
    except BaseException:
        process.kill()
        raise
    return told


def enter(address: str, who: str, *, button: str = "accept") -> str:
    """What somebody does in a browser at the address: log in, and let the program have its way.

    Returns the page that asks them whether it may.
    """

    def as_if_secure(_: httpx2.Response) -> None:
        for cookie in browser.cookies.jar:
            cookie.secure = False  # this Keycloak speaks HTTP, on the loopback, where browsers don't mind

    hooks = {"response": [as_if_secure]}
    with httpx2.Client(follow_redirects=True, timeout=60, trust_env=False, event_hooks=hooks) as browser:
        page = browser.get(address)
        page = _submit(browser, page, {"username": who, "password": PASSWORD})
        question = page.text
        page = _submit(browser, page, {button: "1"})
        assert page.is_success, page.text
        return question


def _submit(browser: httpx2.Client, page: httpx2.Response, fields: Mapping[str, str]) -> httpx2.Response:
    """Send the page's form."""
    target = re.search(r'<form[^>]* action="([^"]+)"', page.text)
    assert target, page.text
    hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page.text))
    return browser.post(page.url.join(html.unescape(target[1])), data={**hidden, **fields})
