"""`panosc put` at a real archive, over lines that break; the login is one whose keys the test has."""

import asyncio
import hashlib
import json
import os
import shutil
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import pytest
from panosc_cli import upload, web
from panosc_cli.failures import Failure, Misused
from panosc_cli.sessions import Session, Sessions
from panosc_cli.upload import Begun, Target, targets
from panosc_common.tree import UNFINISHED
from unit.archive.harness import NGINX, CatalogueDouble, Process, archive_command, free_port, wait_for
from unit.archive.receiver import ADMIN, MEMBER, Receiver, published_keys, token
from unit.cli.laptop import Laptop

HOST = "https://archive.example.org"
GATEWAY = """
daemon off;
pid {folder}/nginx.pid;
events {{}}
http {{
    access_log off;
    proxy_temp_path {folder}/proxy;
    client_body_temp_path {folder}/body;
    client_max_body_size 0;
    proxy_request_buffering off;
    proxy_http_version 1.1;
    proxy_set_header Host $http_host;
    server {{
        listen 127.0.0.1:{port};
        location / {{ proxy_pass http://127.0.0.1:{api}; }}
        location ~ ^/uploads(/|$) {{ proxy_pass http://127.0.0.1:{receive}; }}
    }}
}}
"""
"""Passes on what comes to an archive's host as its routes say."""
LARGE = 8 * 2**20


@dataclass
class Wire:
    """A line to a port, which is cut after so many bytes on their way up."""

    target: int
    port: int = field(default_factory=free_port)
    cuts: list[int] = field(default_factory=list)
    """Of the next connections."""
    damages: int = 0
    """In how many of the next large pieces a byte is another one."""
    slow: float = 0.0
    """Seconds before each piece that goes up."""
    sent: int = 0
    """Bytes that went up."""

    def serve(self) -> socket.socket:
        listening = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=(listening,), daemon=True).start()
        return listening

    def _accept(self, listening: socket.socket) -> None:
        while True:
            try:
                near, _ = listening.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self.target))
            cut = self.cuts.pop(0) if self.cuts else None
            threading.Thread(target=self._up, args=(near, far, cut), daemon=True).start()
            threading.Thread(target=self._down, args=(far, near), daemon=True).start()

    def _up(self, near: socket.socket, far: socket.socket, cut: int | None) -> None:
        left = cut
        try:
            while piece := near.recv(65536 if left is None else min(65536, left)):
                time.sleep(self.slow)
                if self.damages and len(piece) == 65536:
                    self.damages -= 1
                    piece = piece[:-1] + bytes([piece[-1] ^ 1])
                far.sendall(piece)
                self.sent += len(piece)
                if left is not None:
                    left -= len(piece)
                    if left == 0:
                        break
        except OSError:
            pass
        for one in (near, far):
            _shut(one)

    def _down(self, far: socket.socket, near: socket.socket) -> None:
        try:
            while piece := far.recv(65536):
                near.sendall(piece)
        except OSError:
            pass
        _shut(near)


def _shut(one: socket.socket) -> None:
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)


@dataclass
class Archive:
    receiver: Receiver
    wire: Wire
    catalogue: CatalogueDouble

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.wire.port}"

    @property
    def root(self) -> Path:
        return self.receiver.root


@pytest.fixture(scope="module")
def running() -> Iterator[Archive]:
    base = Path(tempfile.mkdtemp(prefix="panosc-put-"))
    base.chmod(0o755)
    with ExitStack() as cleanup:
        cleanup.callback(shutil.rmtree, base)
        receiver = Receiver(base, cleanup.enter_context(published_keys()))
        receiver.root.mkdir()
        gateway, api, index = (free_port() for _ in range(3))
        wire = Wire(gateway)
        cleanup.enter_context(wire.serve())
        catalogue = cleanup.enter_context(CatalogueDouble("archive"))
        environment = receiver.environment | {
            "PANOSC_ARCHIVE_PUBLIC_URL": f"http://127.0.0.1:{wire.port}",
            "PANOSC_ARCHIVE_STATE_DIRECTORY": str(base / "state"),
            "PANOSC_ARCHIVE_CATALOGUE_URLS": json.dumps([catalogue.url]),
            "PANOSC_ARCHIVE_SCAN_SECONDS": "0.3",
            "PANOSC_ARCHIVE_HASH_SETTLE_SECONDS": "0",
        }
        for command, port in (
            (["receive"], receiver.port),
            (["serve"], api),
            (["index", "--host", "127.0.0.1"], index),
        ):
            log = base / f"{command[0]}.log"
            process = Process(archive_command(*command, "--port", str(port)), environment, log)
            cleanup.enter_context(process)
            wait_for(f"http://127.0.0.1:{port}/healthz", process.process, log)
        configuration, log = base / "nginx.conf", base / "nginx.log"
        configuration.write_text(GATEWAY.format(folder=base, port=gateway, api=api, receive=receiver.port))
        nginx = cleanup.enter_context(Process([NGINX, "-c", str(configuration)], {}, log))
        wait_for(f"http://127.0.0.1:{gateway}/healthz", nginx.process, log)
        yield Archive(receiver, wire, catalogue)


@pytest.fixture
def archive(running: Archive) -> Archive:
    for entry in running.root.iterdir():
        shutil.rmtree(entry)
    running.wire.cuts, running.wire.slow, running.wire.sent = [], 0.0, 0
    return running


def log_in(laptop: Laptop, archive: Archive, *groups: str) -> None:
    now = time.time()
    session = Session(
        catalogue="https://catalogue.example.org",
        facility="ESRF",
        issuer="https://login.example.org",
        archives=[archive.url],
        access_token=token(*groups),
        refresh_token="none",
        logged_in=now,
        expires=now + 600,
    )
    Sessions(laptop.state).keep(session)


@pytest.fixture
def home(tmp_path: Path, archive: Archive) -> Laptop:
    """Where an administrator is logged in."""
    laptop = Laptop(tmp_path)
    log_in(laptop, archive, ADMIN)
    return laptop


def made(laptop: Laptop, name: str, size: int = LARGE) -> bytes:
    content = os.urandom(size)
    file = laptop.home / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    return content


def uploads(laptop: Laptop) -> list[Path]:
    return list((laptop.home / ".cache/panosc/uploads").glob("*"))


def test_files_are_put_into_a_folder(home: Laptop, archive: Archive) -> None:
    contents = {name: made(home, name, size) for name, size in (("a.h5", 1000), ("ü b.h5", 0))}
    ended = home.run("put", *contents, f"{archive.url}/files/hc1/raw/")
    assert (ended.returncode, ended.stderr) == (0, "panosc: 2 sent\n")
    assert ended.stdout.splitlines() == [
        f"{archive.url}/files/hc1/raw/a.h5",
        f"{archive.url}/files/hc1/raw/%C3%BC%20b.h5",
    ]
    for name, content in contents.items():
        assert (archive.root / "hc1/raw" / name).read_bytes() == content
    assert uploads(home) == []


def test_a_folder_is_put_with_all_that_is_in_it(home: Laptop, archive: Archive) -> None:
    contents = {name: made(home, name, 10) for name in ("scan/a", "scan/deep/b")}
    refused = home.run("put", "scan", f"{archive.url}/files/hc1/")
    assert (refused.returncode, "scan is a folder: with --recursive" in refused.stderr) == (2, True)
    home.done("put", "-r", "scan", f"{archive.url}/files/hc1/")
    for name, content in contents.items():
        assert (archive.root / "hc1" / name).read_bytes() == content


def test_a_line_that_breaks_is_gone_on_with(home: Laptop, archive: Archive) -> None:
    content = made(home, "x")
    archive.wire.cuts = [1_500_000] * 4
    home.done("put", "x", f"{archive.url}/files/hc1/x.h5")
    assert (archive.root / "hc1/x.h5").read_bytes() == content
    assert archive.wire.sent < LARGE + 4 * 1_500_000
    assert archive.wire.cuts == []


def test_a_command_that_was_interrupted_is_gone_on_with(home: Laptop, archive: Archive) -> None:
    content = made(home, "x")
    archive.wire.slow = 0.05
    with home.start("put", "x", f"{archive.url}/files/hc1/x") as process:
        deadline = time.monotonic() + 30
        while archive.wire.sent < 3 * 2**20:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (130, "panosc: interrupted; the same command goes on\n")
    (kept,) = uploads(home)
    assert kept.stat().st_mode & 0o777 == 0o600
    assert not (archive.root / "hc1").exists()
    archive.wire.slow, archive.wire.sent = 0.0, 0
    home.done("put", "x", f"{archive.url}/files/hc1/x")
    assert archive.wire.sent < LARGE - 2**20
    assert (archive.root / "hc1/x").read_bytes() == content
    assert uploads(home) == []


def test_a_file_that_was_damaged_on_its_way_is_not_taken(home: Laptop, archive: Archive) -> None:
    content = made(home, "x")
    archive.wire.damages = 1
    ended = home.run("put", "x", f"{archive.url}/files/hc1/x")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert f"but {hashlib.sha256(content).hexdigest()} was announced; send it again" in ended.stderr
    assert not (archive.root / "hc1").exists()
    assert uploads(home) == []
    home.done("put", "x", f"{archive.url}/files/hc1/x")
    assert (archive.root / "hc1/x").read_bytes() == content


def test_an_upload_that_is_gone_is_begun_again(home: Laptop, archive: Archive) -> None:
    content = made(home, "x", 1000)
    target = Target(archive.url, "hc1/x")
    kept = Begun(home.home / ".cache/panosc/uploads")
    kept.keep(target, hashlib.sha256(content).hexdigest(), f"{archive.url}/uploads/{'0' * 32}")
    home.done("put", "x", f"{archive.url}/files/hc1/x")
    assert (archive.root / "hc1/x").read_bytes() == content


def test_a_file_that_is_there_is_not_sent_again_and_another_is_left_alone(
    home: Laptop, archive: Archive
) -> None:
    content = made(home, "x", 1000)
    destination = f"{archive.url}/files/hc1/x"
    home.done("put", "x", destination)
    archive.catalogue.visible.add("hc1/x")
    deadline = time.monotonic() + 20
    while (
        "Repr-Digest"
        not in httpx2.head(destination, headers={"Want-Repr-Digest": "sha-256=1"}, trust_env=False).headers
    ):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    again = home.run("put", "x", destination)
    assert (again.returncode, again.stderr) == (0, "panosc: 1 there already\n")
    made(home, "x", 1000)
    other = home.run("put", "x", destination)
    assert (other.returncode, other.stdout) == (1, "")
    assert "is there already, and files are never replaced" in other.stderr
    assert (archive.root / "hc1/x").read_bytes() == content


def test_one_that_fails_does_not_hold_up_the_others(home: Laptop, archive: Archive) -> None:
    made(home, ".hidden", 10)
    made(home, "x", 10)
    ended = home.run("put", ".hidden", "x", f"{archive.url}/files/hc1/")
    assert (ended.returncode, ended.stdout) == (1, f"{archive.url}/files/hc1/x\n")
    assert "panosc: 1 sent, 1 failed" in ended.stderr
    assert "names must not begin with a dot" in ended.stderr


@pytest.mark.parametrize(
    ("groups", "status", "said"), [(None, 3, "log in"), ((MEMBER,), 3, "you are none of them")]
)
def test_who_may_not_is_told_why(
    tmp_path: Path, archive: Archive, groups: tuple[str, ...] | None, status: int, said: str
) -> None:
    laptop = Laptop(tmp_path)
    if groups is not None:
        log_in(laptop, archive, *groups)
    made(laptop, "x", 10)
    ended = laptop.run("put", "x", f"{archive.url}/files/hc1/")
    assert (ended.returncode, ended.stdout) == (status, "")
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr
    assert list(archive.root.glob(f"{UNFINISHED}/*")) == []


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["x"], 2, "Missing argument"),
        (["x", "ftp://x/y"], 2, "must begin with https://"),
        (["x", "{archive}/hc1/"], 2, "is no address in an archive"),
        (["x", "x", "{archive}/files/hc1/"], 0, "1 sent"),
        (["nothing", "{archive}/files/hc1/"], 1, "nothing: No such file"),
        (["x", "{archive}/files/"], 1, "put it into <proposal>/<file>"),
        (["x", "y", "{archive}/files/hc1/z"], 2, "end it by a slash"),
        (["x", "d/x", "{archive}/files/hc1/"], 2, "have the same name"),
        (["x", "http://127.0.0.1:1/files/hc1/"], 1, "does not answer"),
    ],
)
def test_what_went_wrong_is_said_and_programs_are_told(
    home: Laptop, archive: Archive, arguments: list[str], status: int, said: str
) -> None:
    for name in ("x", "y", "d/x"):
        made(home, name, 10)
    ended = home.run("put", *(one.format(archive=archive.url) for one in arguments))
    assert ended.returncode == status, ended.stderr
    assert said in ended.stderr


def test_names_go_as_they_are_called_here(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"")
    (tmp_path / "link").symlink_to("a")
    placed = targets([tmp_path / "a", tmp_path / "link"], f"{HOST}/files/hc%201/", recursive=False)
    assert [one.path for one in placed.values()] == ["hc 1/a", "hc 1/link"]
    assert next(iter(placed.values())).url == f"{HOST}/files/hc%201/a"
    odd = tmp_path / os.fsdecode(b"\xff")
    odd.write_bytes(b"")
    with pytest.raises(Misused, match="no UTF-8"):
        targets([odd], f"{HOST}/files/hc1/", recursive=False)


@pytest.mark.parametrize("kept", ["", "http", "https://elsewhere.example.org/uploads/1"])
def test_what_is_kept_of_an_upload_is_taken_only_if_it_is_whole(tmp_path: Path, kept: str) -> None:
    target, begun = Target("https://archive.example.org", "hc1/a.nxs"), Begun(tmp_path)
    url = "https://archive.example.org/uploads/1"
    begun.keep(target, "5a", url)
    [file] = tmp_path.iterdir()
    assert (begun.of(target, "5a"), file.stat().st_mode & 0o777) == (url, 0o600)
    file.write_text(kept)
    assert begun.of(target, "5a") is None


@pytest.mark.parametrize(("begins", "said"), [(201, "forgets"), (404, "takes no files: .* spec.uploads")])
def test_an_archive_that_forgets_what_is_begun_or_takes_nothing_is_given_up(
    tmp_path: Path, begins: int, said: str
) -> None:
    file = tmp_path / "a.nxs"
    file.write_bytes(b"counts")

    def forgetful(request: httpx2.Request) -> httpx2.Response:
        if request.method == "POST":
            return httpx2.Response(begins, headers={"Location": "/uploads/1"})
        return httpx2.Response(404, headers={"Tus-Resumable": "1.0.0"})

    with pytest.raises(Failure, match=said):
        asyncio.run(put_to(forgetful, file, Begun(tmp_path / "kept")))


async def put_to(archive: Callable[[httpx2.Request], httpx2.Response], file: Path, kept: Begun) -> None:
    target = Target("https://archive.example.org", "hc1/a.nxs")
    async with httpx2.AsyncClient(transport=httpx2.MockTransport(archive)) as client:
        await upload.put(client, file, target, kept, lambda _: None, lambda _: None)


def test_what_is_begun_is_kept_while_the_archive_takes_no_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web, "ATTEMPTS", 1)
    file = tmp_path / "a.nxs"
    file.write_bytes(b"counts")
    sent: list[str] = []

    def without_uploads(request: httpx2.Request) -> httpx2.Response:
        """Until it begins again: the archive's other pods answer in place of those that take files."""
        sent.append(request.method)
        if request.method == "POST":
            return httpx2.Response(201, headers={"Location": "/uploads/1"})
        return httpx2.Response(404)

    with pytest.raises(Failure, match="takes no files for now; the same command goes on with"):
        asyncio.run(put_to(without_uploads, file, Begun(tmp_path / "kept")))
    assert sent.count("POST") == 1
    assert list((tmp_path / "kept").iterdir())
