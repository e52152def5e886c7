"""`index` and `verify` as processes: what is hashed, and how damage, change and loss are told."""

import asyncio
import contextlib
import hashlib
import json
import os
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from panosc_archive import manifest
from panosc_archive.indexer import Indexer
from panosc_archive.manifest import Fact, Manifest
from panosc_archive.settings import Settings
from panosc_common import tree
from panosc_common.tree import Change, ChangeKind, FileState
from unit.archive.harness import Process, archive_command, free_port, wait_for


class Index:
    """A running `panosc-archive index` over a tree of its own."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "data"
        self.folder = folder
        self.environment = {
            "PANOSC_ARCHIVE_DATA_DIRECTORY": str(self.root),
            "PANOSC_ARCHIVE_STATE_DIRECTORY": str(folder / "state"),
            "PANOSC_ARCHIVE_SCAN_SECONDS": "0.3",
            "PANOSC_ARCHIVE_HASH_SETTLE_SECONDS": "0",
        }
        self.root.mkdir()
        self.port = free_port()

    @contextlib.contextmanager
    def running(self) -> Iterator[Process]:
        log = self.folder / "index.log"
        command = archive_command("index", "--host", "127.0.0.1", "--port", str(self.port))
        with Process(command, self.environment, log) as process:
            wait_for(f"http://127.0.0.1:{self.port}/healthz", process.process, log)
            yield process

    def status(self) -> dict[str, Any]:
        response = httpx2.get(f"http://127.0.0.1:{self.port}/status", trust_env=False)
        assert response.status_code == 200, response.text
        found: dict[str, Any] = response.json()
        return found

    def until(self, condition: Callable[[dict[str, Any]], bool], seconds: float = 15) -> dict[str, Any]:
        deadline = time.monotonic() + seconds
        while not condition(status := self.status()):
            assert time.monotonic() < deadline, f"still {status}"
            time.sleep(0.05)
        return status

    def settled(self, files: int) -> dict[str, Any]:
        return self.until(
            lambda status: (
                status["files"] == files
                and status["fixity"]["known"] == files
                and status["fixity"]["pending"] == 0
            )
        )

    def verify(self) -> dict[str, Any]:
        done = subprocess.run(
            archive_command("verify"), env={**os.environ, **self.environment}, capture_output=True, timeout=30
        )
        assert done.returncode == 0, done.stderr.decode()
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def hashes(self) -> dict[str, str | None]:
        with contextlib.closing(Manifest.open_readonly(self.folder / "state/manifest.sqlite")) as opened:
            return {path: entry.sha256 for path, entry in opened.find(self.paths()).items()}

    def fact(self, name: Fact) -> str | None:
        with contextlib.closing(Manifest.open_readonly(self.folder / "state/manifest.sqlite")) as opened:
            return opened.fact(name)

    def paths(self) -> list[str]:
        return [path.relative_to(self.root).as_posix() for path in self.root.rglob("*") if path.is_file()]


@pytest.fixture
def index(tmp_path: Path) -> Index:
    return Index(tmp_path)


def damage(file: Path) -> None:
    """Flip one bit as a failing disk does: nothing but the content changes."""
    before = file.stat()
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_new_files_are_hashed_within_seconds(index: Index) -> None:
    with index.running():
        assert index.until(lambda status: status["lastScan"])["files"] == 0
        content = {f"p1/Ü {number}\n.h5": os.urandom(2_000_000) for number in range(3)}
        (index.root / "p1").mkdir()
        for path, data in content.items():
            (index.root / path).write_bytes(data)
        status = index.settled(3)
        assert status["bytes"] == 6_000_000
        assert status["unreadable"] == []
        assert status["scanError"] is None
        assert index.hashes() == {path: hashlib.sha256(data).hexdigest() for path, data in content.items()}
        metrics = httpx2.get(f"http://127.0.0.1:{index.port}/metrics", trust_env=False).text
        assert "panosc_archive_files 3.0" in metrics


def test_damage_is_found_by_verify_told_by_status_and_ends_with_repair(index: Index) -> None:
    file = index.root / "scan.h5"
    file.write_bytes(original := os.urandom(100_000))
    (index.root / "other.h5").write_bytes(b"other")
    with index.running():
        index.settled(2)
        modified = file.stat().st_mtime_ns
        damage(file)
        found = index.verify()
        assert (found["damaged"], found["missing"], found["readBytes"]) == (1, 0, 100_005)
        status = index.status()
        assert status["fixity"]["damaged"] == 1
        (told,) = status["fixity"]["damagedFiles"]
        assert told["path"] == "scan.h5"
        assert told["expected"] == hashlib.sha256(original).hexdigest()
        assert told["actual"] == hashlib.sha256(file.read_bytes()).hexdigest()
        assert told["detectedAt"] is not None
        assert status["fixity"]["lastCheck"] is not None
        first = told["detectedAt"]
        index.verify()
        assert index.status()["fixity"]["damagedFiles"][0]["detectedAt"] == first

        file.write_bytes(original)
        os.utime(file, ns=(modified, modified))
        assert index.verify()["damaged"] == 0
        assert index.status()["fixity"]["damagedFiles"] == []


def test_file_cut_short_with_its_time_kept_is_damaged_at_once(index: Index) -> None:
    file = index.root / "scan.h5"
    file.write_bytes(os.urandom(100_000))
    with index.running():
        index.settled(1)
        before = file.stat()
        os.truncate(file, 50_000)
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
        status = index.until(lambda status: status["fixity"]["damaged"] == 1)
        assert status["fixity"]["damagedFiles"][0]["path"] == "scan.h5"


def test_modified_file_is_hashed_anew_and_no_damage(index: Index) -> None:
    file = index.root / "scan.h5"
    file.write_bytes(b"first")
    with index.running():
        index.settled(1)
        file.write_bytes(b"again")
        expected = hashlib.sha256(b"again").hexdigest()
        index.until(lambda _: index.hashes() == {"scan.h5": expected})
        assert index.verify()["damaged"] == 0
        assert index.status()["fixity"]["damaged"] == 0


def test_missing_file_is_told_until_it_is_back(index: Index) -> None:
    file = index.root / "p1/scan.h5"
    file.parent.mkdir()
    file.write_bytes(b"content")
    (index.root / "stays").write_bytes(b"x")
    with index.running():
        index.settled(2)
        file.unlink()
        status = index.until(lambda status: status["fixity"]["missing"] == 1)
        (told,) = status["fixity"]["missingFiles"]
        assert (told["path"], told["expected"]) == ("p1/scan.h5", hashlib.sha256(b"content").hexdigest())
        assert (status["files"], status["bytes"]) == (1, 1)
        assert index.verify()["missing"] == 1
        file.write_bytes(b"content")
        assert index.settled(2)["fixity"]["missing"] == 0


def test_files_removed_on_purpose_are_forgotten(index: Index) -> None:
    for path in ("p1/a.h5", "p1/deep/b.h5", "p10/c.h5", "p2/d.h5"):
        (index.root / path).parent.mkdir(parents=True, exist_ok=True)
        (index.root / path).write_bytes(path.encode())
    with index.running():
        index.settled(4)
        for path in ("p1/a.h5", "p1/deep/b.h5", "p10/c.h5"):
            (index.root / path).unlink()
        index.until(lambda status: status["fixity"]["missing"] == 3)
        done = subprocess.run(
            archive_command("forget", "p1/", "p2/d.h5"),
            env={**os.environ, **index.environment},
            capture_output=True,
            timeout=30,
        )
        assert done.stdout.decode().splitlines() == [
            "2 missing files forgotten: p1/",
            "0 missing files forgotten: p2/d.h5",
        ]
        status = index.status()
        assert (status["files"], status["fixity"]["missing"]) == (1, 1)
        assert status["fixity"]["missingFiles"][0]["path"] == "p10/c.h5"


@pytest.mark.parametrize(("mtime_ns", "missing"), [(1, 0), (2, 1)])
def test_a_file_seen_at_its_new_place_first_is_moved_if_its_time_is_the_same(
    tmp_path: Path, mtime_ns: int, missing: int
) -> None:
    with contextlib.closing(Manifest.open(tmp_path / "manifest.sqlite")) as opened:
        for path, state in (("old", FileState(7, 1)), ("new", FileState(7, mtime_ns))):
            opened.record(Change(ChangeKind.ADDED, path, state))
            opened.accept(opened.find([path])[path], state, "a" * 64)
        opened.record(Change(ChangeKind.REMOVED, "old", FileState(7, 1)))
        assert opened.summary().missing == missing


def test_moved_file_is_not_missing(index: Index) -> None:
    (index.root / "old.h5").write_bytes(b"content")
    (index.root / "stays").write_bytes(b"x")
    with index.running():
        index.settled(2)
        (index.root / "new").mkdir()
        (index.root / "old.h5").rename(index.root / "new/name.h5")
        index.until(lambda status: "new/name.h5" in index.hashes() and status["fixity"]["pending"] == 0)
        status = index.until(lambda status: status["fixity"]["missing"] == 0)
        assert status["fixity"]["known"] == 2


def test_lost_volume_is_an_error_and_no_missing_files(index: Index) -> None:
    for number in range(3):
        (index.root / f"{number}.h5").write_bytes(b"content")
    with index.running():
        index.settled(3)
        index.root.rename(index.folder / "away")
        index.root.mkdir()
        status = index.until(lambda status: status["scanError"])
        assert status["fixity"]["missing"] == 0
        assert status["files"] == 3


@pytest.mark.parametrize("empty", [True, False])
def test_verify_without_the_volume_fails_and_damages_nothing(index: Index, empty: bool) -> None:
    (index.root / "scan.h5").write_bytes(b"content")
    with index.running():
        index.settled(1)
    index.root.rename(index.folder / "away")
    if empty:
        index.root.mkdir()
    environment = {**os.environ, **index.environment}
    done = subprocess.run(archive_command("verify"), env=environment, capture_output=True, timeout=30)
    assert (done.returncode, str(index.root) in done.stderr.decode()) == (1, True)
    assert index.fact(Fact.LAST_CHECK) is None
    if empty:
        index.root.rmdir()
    (index.folder / "away").rename(index.root)
    found = index.verify()
    assert (found["missing"], found["known"], found["readBytes"]) == (0, 1, 7)


def test_constant_writing_in_one_place_hides_no_file_in_another(
    index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the root is watched here, as of a million directories only some thousands are."""
    (index.root / "quiet").mkdir()
    monkeypatch.setattr(tree, "MAX_WATCHED", 1)
    settings = Settings(data_directory=index.root, state_directory=index.folder / "state", scan_seconds=0.5)
    indexer = Indexer(settings)

    async def write() -> int:
        watching = asyncio.create_task(indexer.watch())
        for number in range(100):
            with (index.root / "daq.log").open("a") as log:
                log.write("x")
            if number == 10:
                (index.root / "quiet/new.h5").write_bytes(b"x")
            await asyncio.sleep(0.1)
            if "quiet/new.h5" in index.hashes():
                break
        indexer.stop()
        watching.cancel()
        return number

    assert asyncio.run(write()) < 99


@pytest.mark.parametrize("failing", ["root", "manifest"])
def test_nothing_that_was_seen_before_a_failure_is_forgotten(
    index: Index, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    """The root is another one at the end of the scan; the manifest refuses in the middle."""
    settings = Settings(data_directory=index.root, state_directory=index.folder / "state")
    indexer = Indexer(settings)
    for number in range(5):
        (index.root / f"{number}.h5").write_bytes(b"x")
    with monkeypatch.context() as broken:
        if failing == "root":
            identities = iter([(1, 1), (1, 2)])
            broken.setattr(tree.TreeScanner, "_root_identity", lambda _: next(identities))
            with pytest.raises(tree.RootUnavailable):
                indexer._scan(True, None)
        else:
            broken.setattr(manifest, "BUSY_SECONDS", 0.1)
            with contextlib.closing(sqlite3.connect(settings.manifest_path)) as other:
                other.execute("BEGIN IMMEDIATE")
                with pytest.raises(sqlite3.OperationalError):
                    indexer._scan(True, None)
    indexer._scan(False, None)
    assert len(index.hashes()) == 5


def test_file_that_cannot_be_read_is_tried_again_the_later_the_larger_it_is(tmp_path: Path) -> None:
    rate = 200 * 2**20
    with contextlib.closing(Manifest.open(path := tmp_path / "manifest.sqlite")) as opened:
        for name, size in (("small", 1), ("large", 10**12), ("good", 1)):
            opened.record(Change(ChangeKind.ADDED, name, FileState(size, 1)))

        def pending() -> set[str]:
            return {entry.path for entry in opened.pending("", 10, rate)}

        def wait(seconds: int) -> None:
            with contextlib.closing(sqlite3.connect(path)) as other, other:
                other.execute(
                    "UPDATE file SET checked_at = strftime('%Y-%m-%dT%H:%M:%fZ', checked_at, ?)",
                    (f"-{seconds} seconds",),
                )

        for entry in opened.pending("", 10, rate):
            if entry.path != "good":
                opened.fail(entry, "Input/output error")
        assert pending() == {"good"}
        wait(590)
        assert pending() == {"good"}
        wait(20)
        assert pending() == {"good", "small"}
        wait(20 * 4000)
        assert pending() == {"good", "small"}
        wait(20 * 1000)
        assert pending() == {"good", "small", "large"}


def test_file_that_could_not_be_read_is_tried_at_once_when_it_changes(tmp_path: Path) -> None:
    with contextlib.closing(Manifest.open(tmp_path / "manifest.sqlite")) as opened:
        opened.record(Change(ChangeKind.ADDED, "a", FileState(1, 1)))
        (entry,) = opened.pending("", 10, 1e6)
        opened.fail(entry, "Input/output error")
        assert opened.pending("", 10, 1e6) == []
        assert opened.unreadable(10) == [("a", "Input/output error")]
        opened.record(Change(ChangeKind.CHANGED, "a", FileState(1, 2)))
        assert [entry.path for entry in opened.pending("", 10, 1e6)] == ["a"]
        assert opened.unreadable(10) == []


def test_killed_in_the_middle_goes_on_where_it_was(index: Index) -> None:
    for number in range(40):
        (index.root / f"{number:02}.h5").write_bytes(os.urandom(1_000_000))
    index.environment["PANOSC_ARCHIVE_HASH_MIB_PER_SECOND"] = "8"
    with index.running() as process:
        index.until(lambda status: status["fixity"]["known"] > 0)
        process.process.send_signal(signal.SIGKILL)
        process.process.wait()
    done = sum(sha256 is not None for sha256 in index.hashes().values())
    assert 0 < done < 40
    index.environment["PANOSC_ARCHIVE_HASH_MIB_PER_SECOND"] = "1000"
    with index.running():
        index.settled(40)
        metrics = httpx2.get(f"http://127.0.0.1:{index.port}/metrics", trust_env=False).text
        (read,) = (line for line in metrics.splitlines() if line.startswith("panosc_archive_hashed_bytes "))
        assert float(read.split()[1]) == (40 - done) * 1_000_000
    assert None not in index.hashes().values()


def test_verify_that_is_stopped_goes_on_where_it_was(index: Index) -> None:
    for number in range(10):
        (index.root / f"{number}.h5").write_bytes(os.urandom(1_000_000))
    with index.running():
        index.settled(10)
    index.environment["PANOSC_ARCHIVE_HASH_MIB_PER_SECOND"] = "2"
    environment = {**os.environ, **index.environment}
    with subprocess.Popen(archive_command("verify"), env=environment, stderr=subprocess.PIPE) as verify:
        deadline = time.monotonic() + 15
        while not index.fact(Fact.CHECK_STARTED):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        time.sleep(1.2)
        verify.send_signal(signal.SIGTERM)
        assert verify.wait(10) == 143
    index.environment["PANOSC_ARCHIVE_HASH_MIB_PER_SECOND"] = "1000"
    assert 0 < index.verify()["readBytes"] < 10_000_000
    assert index.verify()["readBytes"] == 10_000_000


def test_unreadable_things_are_told(index: Index) -> None:
    with open(os.fsencode(index.root) + b"/caf\xe9", "w") as file:
        file.write("latin-1")
    (index.root / "link").symlink_to("/etc")
    (index.root / "good").write_text("good")
    with index.running():
        status = index.settled(1)
        assert {problem["path"] for problem in status["unreadable"]} == {r"caf\xe9", "link"}


def test_manifest_locked_by_another_does_not_end_the_index(index: Index) -> None:
    (index.root / "first").write_text("first")
    with index.running():
        index.settled(1)
        with contextlib.closing(sqlite3.connect(index.folder / "state/manifest.sqlite")) as other:
            other.execute("BEGIN EXCLUSIVE")
            (index.root / "second").write_text("second")
            time.sleep(1)
            other.rollback()
        index.settled(2)
