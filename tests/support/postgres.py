"""A real PostgreSQL for tests: a server of one's own in a temporary directory, reached on the loopback."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

DEBIAN = Path("/usr/lib/postgresql")


def _binaries() -> Path:
    """Directory of the newest installed server's programs."""
    found = sorted(DEBIAN.glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    on_path = shutil.which("postgres")
    if on_path:
        return Path(on_path).resolve().parent
    raise RuntimeError(
        "PostgreSQL is not installed: `apt-get install postgresql` (its server programs are used)"
    )


def _user() -> str | None:
    """The server refuses to run as root; then it runs as Debian's user for it, or as nobody."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Server:
    """A running server; `stop` and `start` let a test take it away and bring it back."""

    directory: Path
    port: int
    user: str | None
    settings: Mapping[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    def url(self, database: str = "postgres") -> str:
        """Connection URL of a database."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start and wait until it answers."""
        # Without durability: nothing here outlives the test.
        options = {
            "port": str(self.port),
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "fsync": "off",
            "synchronous_commit": "off",
            "full_page_writes": "off",
            "max_connections": "100",
            **self.settings,
        }
        arguments = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        with (self.directory / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [_binaries() / "postgres", "-D", self.directory / "data", *arguments],
                stdout=log,
                stderr=log,
                cwd="/",
                user=self.user,
            )
        self._wait()

    def _wait(self) -> None:
        # The eighth line of postmaster.pid says when the server is ready; pg_ctl -w reads it too.
        status = self.directory / "data" / "postmaster.pid"
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            if self.process is None or self.process.poll() is not None:
                break
            if status.exists() and status.read_text().split("\n")[7:8] == ["ready   "]:
                return
            time.sleep(0.02)
        raise RuntimeError(f"PostgreSQL did not start:\n{(self.directory / 'log').read_text()[-2000:]}")

    def stop(self) -> None:
        """Stop at once; connections break."""
        if self.process is not None:
            self.process.send_signal(2)  # SIGINT: fast shutdown
            self.process.wait(30)
            self.process = None

    def create(self, template: str = "template1") -> str:
        """Make a database and return its name."""
        name = f"test_{uuid.uuid4().hex}"
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return name

    def drop(self, name: str) -> None:
        """Remove a database, whoever is connected to it."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


@contextmanager
def server(settings: Mapping[str, str] | None = None) -> Iterator[Server]:
    """A server for as long as the context lasts, with `settings` of PostgreSQL; a missing one is an error."""
    binaries, user = _binaries(), _user()
    directory = Path(tempfile.mkdtemp(prefix="panosc-postgres-"))
    try:
        if user is not None:
            shutil.chown(directory, user)
        subprocess.run(
            [
                *(binaries / "initdb", "-D", directory / "data", "--username=postgres", "--auth=trust"),
                *("--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"),
            ],
            check=True,
            capture_output=True,
            user=user,
            cwd="/",
        )
        running = Server(directory, free_port(), user, settings or {})
        running.start()
        try:
            yield running
        finally:
            running.stop()
    finally:
        shutil.rmtree(directory, ignore_errors=True)
