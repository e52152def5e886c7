"""TreeScanner: what it tells must lead from the last known tree to the present one, cheaply."""

import asyncio
import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from panosc_common.tree import (
    Change,
    ChangeKind,
    FileState,
    ProblemReason,
    RootUnavailable,
    TreeScanner,
    wait_for_change,
)

NAMES = st.sampled_from(["a", "b", "Ü ber", "new\nline", "100%", "d"])
FOLDERS = st.lists(st.sampled_from(["p", "q", "r s"]), max_size=3).map("/".join)


def in_an_hour() -> float:
    """A clock that makes every file on disk look long settled."""
    return time.time() + 3600


def on_disk(root: Path) -> dict[str, FileState]:
    """The whole tree, by the plainest means."""
    found = {}
    for folder, _, names in os.walk(root):
        for name in names:
            path = Path(folder) / name
            status = path.lstat()
            found[path.relative_to(root).as_posix()] = FileState(status.st_size, status.st_mtime_ns)
    return found


def apply(files: dict[str, FileState], changes: list[Change]) -> None:
    """Follow the changes as a consumer with a database does; contradictions are errors."""
    for change in changes:
        if change.kind is ChangeKind.ADDED:
            assert change.path not in files
            files[change.path] = change.state
        elif change.kind is ChangeKind.CHANGED:
            assert files[change.path] != change.state
            files[change.path] = change.state
        else:
            assert files.pop(change.path) == change.state


class IncrementalScan(RuleBasedStateMachine):
    """Random changes of a tree between scans of every sort; a consumer's view must equal the disk."""

    @initialize()
    def start(self) -> None:
        self.base = Path(os.environ["TREE_TEST_BASE"])
        shutil.rmtree(self.base, ignore_errors=True)
        self.root = self.base / "root"
        self.root.mkdir(parents=True)
        (self.root / "always").write_text("there")
        self.scanner = TreeScanner(self.root, clock=in_an_hour)
        self.view: dict[str, FileState] = {}
        self.in_place: set[str] = set()

    @rule(folder=FOLDERS, name=NAMES, content=st.binary(max_size=20))
    def write(self, folder: str, name: str, content: bytes) -> None:
        path = self.root / folder / name
        if path.is_dir() or any((self.root / folder / "x").parents[i].is_file() for i in range(4)):
            return
        if path.exists():
            self.in_place.add(path.relative_to(self.root).as_posix())
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    @rule(folder=FOLDERS, name=NAMES)
    def remove(self, folder: str, name: str) -> None:
        path = self.root / folder / name
        if path.is_file():
            path.unlink()

    @rule(folder=FOLDERS)
    def remove_folder(self, folder: str) -> None:
        if folder:
            shutil.rmtree(self.root / folder, ignore_errors=True)

    @rule(source=FOLDERS, place=FOLDERS)
    def move_folder(self, source: str, place: str) -> None:
        old, new = self.root / source, self.root / place
        possible = old.is_dir() and not new.exists() and new.parent.is_dir() and old not in new.parents
        if source and place and possible:
            old.rename(new)

    @rule(folder=FOLDERS)
    def file_in_place_of_folder(self, folder: str) -> None:
        if folder and (self.root / folder).is_dir():
            shutil.rmtree(self.root / folder)
            (self.root / folder).write_text("a file now")

    @rule()
    def full_scan(self) -> None:
        apply(self.view, list(self.scanner.scan(full=True)))
        assert self.view == on_disk(self.root)
        self.in_place.clear()

    @rule()
    def incremental_scan(self) -> None:
        apply(self.view, list(self.scanner.scan()))
        disk = on_disk(self.root)
        # Contents that changed in place without a change of the directory are what full scans are for.
        assert self.view.keys() == disk.keys()
        assert {path for path in disk if self.view[path] != disk[path]} <= self.in_place

    @rule()
    def restart(self) -> None:
        known = list(self.scanner.files())
        assert dict(known) == self.view
        self.scanner = TreeScanner(self.root, known=known, clock=in_an_hour)

    @invariant()
    def quiet_when_nothing_happens(self) -> None:
        if hasattr(self, "scanner") and self.view == on_disk(self.root):
            assert list(self.scanner.scan()) == []


@pytest.mark.usefixtures("tree_base")
class TestIncrementalScan(IncrementalScan.TestCase):  # type: ignore[misc,valid-type]
    settings = settings(
        max_examples=60,
        stateful_step_count=25,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
    )


@pytest.fixture
def tree_base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TREE_TEST_BASE", str(tmp_path / "machine"))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    for proposal in range(5):
        for dataset in range(4):
            folder = root / f"p{proposal}" / f"d{dataset}"
            folder.mkdir(parents=True)
            for number in range(3):
                (folder / f"{number}.h5").write_text(f"{proposal}{dataset}{number}")
    return root


def test_unchanged_tree_costs_one_look_per_directory_and_lists_none(root: Path) -> None:
    scanner = TreeScanner(root, clock=in_an_hour)
    assert len(list(scanner.scan())) == 60
    assert list(scanner.scan()) == []
    assert scanner.statistics.visited == 26
    assert scanner.statistics.listed == 0


def test_new_file_lists_its_directory_only(root: Path) -> None:
    scanner = TreeScanner(root, clock=in_an_hour)
    list(scanner.scan())
    (root / "p1/d1/new.h5").write_text("x")
    assert [(change.kind, change.path) for change in scanner.scan()] == [(ChangeKind.ADDED, "p1/d1/new.h5")]
    assert scanner.statistics.listed == 1


def test_file_written_in_place_is_seen_while_it_is_young(root: Path) -> None:
    scanner = TreeScanner(root)
    list(scanner.scan())
    with (root / "p0/d0/0.h5").open("a") as growing:
        growing.write("more")
    assert [(change.kind, change.path) for change in scanner.scan()] == [(ChangeKind.CHANGED, "p0/d0/0.h5")]


def test_old_file_changed_in_place_is_seen_by_the_full_scan(root: Path) -> None:
    scanner = TreeScanner(root, clock=in_an_hour)
    list(scanner.scan())
    (root / "p0/d0/0.h5").write_text("other content")
    assert list(scanner.scan()) == []
    assert [(change.kind, change.path) for change in scanner.scan(full=True)] == [
        (ChangeKind.CHANGED, "p0/d0/0.h5")
    ]


def test_hinted_directory_and_what_is_new_below_it_is_scanned_alone(root: Path) -> None:
    scanner = TreeScanner(root, clock=in_an_hour)
    list(scanner.scan())
    (root / "p2/new/deep").mkdir(parents=True)
    (root / "p2/new/deep/x.h5").write_text("x")
    (root / "p3/d0/y.h5").write_text("y")
    assert [change.path for change in scanner.scan(only={"p2", "no such"})] == ["p2/new/deep/x.h5"]
    assert scanner.statistics.visited == 3
    assert [change.path for change in scanner.scan()] == ["p3/d0/y.h5"]


def test_removals_are_told_even_if_the_consumer_stopped_early(root: Path) -> None:
    scanner = TreeScanner(root, clock=in_an_hour)
    list(scanner.scan())
    shutil.rmtree(root / "p0")
    next(iter(scanner.scan()))
    told = {change.path for change in scanner.scan()}
    assert len(told) >= 11
    assert all(path.startswith("p0/") for path in told)


def test_folder_that_is_back_before_its_removal_was_told_is_no_change(root: Path) -> None:
    scanner = TreeScanner(root, clock=in_an_hour)
    list(scanner.scan())
    (root / "p0").rename(root.with_name("away"))
    (root / "p1/new.h5").write_text("x")
    assert next(scanner.scan()).path == "p1/new.h5"
    root.with_name("away").rename(root / "p0")
    assert [change for change in scanner.scan() if change.path.startswith("p0")] == []
    assert dict(scanner.files()) == on_disk(root)


@pytest.mark.parametrize("loss", ["missing", "empty", "a file"])
def test_lost_root_is_an_error_and_removes_nothing(root: Path, loss: str) -> None:
    scanner = TreeScanner(root, clock=in_an_hour)
    list(scanner.scan())
    away = root.with_name("away")
    root.rename(away)
    if loss == "empty":
        root.mkdir()
    elif loss == "a file":
        root.write_text("x")
    with pytest.raises(RootUnavailable):
        list(scanner.scan())
    if loss == "empty":
        root.rmdir()
    elif loss == "a file":
        root.unlink()
    away.rename(root)
    assert [change for change in scanner.scan() if change.kind is ChangeKind.REMOVED] == []
    assert dict(scanner.files()) == on_disk(root)


def test_root_lost_in_the_middle_of_a_scan_removes_nothing(root: Path) -> None:
    scanner = TreeScanner(root, clock=in_an_hour)
    list(scanner.scan())
    for proposal in range(5):
        (root / f"p{proposal}/new").write_text("x")
    changes = scanner.scan()
    assert next(changes).kind is ChangeKind.ADDED
    root.rename(root.with_name("away"))
    with pytest.raises(RootUnavailable):
        list(changes)
    root.with_name("away").rename(root)
    later = [(change.kind, change.path.rpartition("/")[2]) for change in scanner.scan()]
    assert later == [(ChangeKind.ADDED, "new")] * len(later)


def test_links_are_not_followed_and_bad_ones_are_reported(root: Path, tmp_path: Path) -> None:
    outside = tmp_path / "secret"
    outside.mkdir()
    (outside / "key").write_text("secret")
    (root / "p0/cycle").symlink_to(root / "p0")
    (root / "p0/self").symlink_to("self")
    (root / "p0/dangling").symlink_to("nowhere")
    (root / "p0/outside").symlink_to(outside)
    (root / "p0/inside.h5").symlink_to("d0/0.h5")
    scanner = TreeScanner(root)
    assert len(list(scanner.scan())) == 60
    assert {(problem.path, problem.reason) for problem in scanner.problems()} == {
        ("p0/self", ProblemReason.BROKEN_LINK),
        ("p0/dangling", ProblemReason.BROKEN_LINK),
        ("p0/outside", ProblemReason.LINK_LEAVES_TREE),
    }


def test_names_that_are_no_utf8_and_special_files_are_left_out(root: Path) -> None:
    with open(os.fsencode(root) + b"/p0/caf\xe9.h5", "w") as file:
        file.write("latin-1")
    os.mkfifo(root / "p0/pipe")
    (root / "p0/new\nline ü 100%").write_text("odd but fine")
    scanner = TreeScanner(root)
    paths = {change.path for change in scanner.scan()}
    assert "p0/new\nline ü 100%" in paths
    assert len(paths) == 61
    assert [(problem.path, problem.reason) for problem in scanner.problems()] == [
        (r"p0/caf\xe9.h5", ProblemReason.NAME_NOT_UTF8)
    ]


@contextlib.contextmanager
def without_privileges() -> Iterator[None]:
    """Root reads everything; the files' permissions are for another user."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)


@pytest.mark.parametrize(("mode", "told"), [(0, "p1"), (0o444, "p1/0.h5")])
def test_unreadable_directory_is_reported_and_its_files_stay_known(mode: int, told: str) -> None:
    with tempfile.TemporaryDirectory() as base:  # tmp_path is closed to other users
        os.chmod(base, 0o755)
        closed = Path(base, "p1")
        (closed / "d0").mkdir(parents=True)
        (closed / "d0/0.h5").write_text("x")
        (closed / "0.h5").write_text("x")
        scanner = TreeScanner(Path(base), clock=in_an_hour)
        list(scanner.scan())
        closed.chmod(mode)
        with without_privileges():
            assert list(scanner.scan()) == []
        reported = {(problem.path, problem.reason) for problem in scanner.problems()}
        assert (told, ProblemReason.UNREADABLE) in reported
        closed.chmod(0o755)
        assert list(scanner.scan()) == []
        assert list(scanner.problems()) == []
        assert {path for path, _ in scanner.files()} == {"p1/0.h5", "p1/d0/0.h5"}


def test_inotify_hint_names_the_directory(root: Path) -> None:
    scanner = TreeScanner(root, clock=in_an_hour)
    list(scanner.scan())

    async def write_and_wait() -> set[str]:
        waiting = asyncio.create_task(wait_for_change(scanner, 30))
        # inotify tells what happens after it was asked, which nobody tells the moment of.
        for number in range(100):
            if waiting.done():
                break
            await asyncio.sleep(0.2)
            (root / f"p4/d3/{number}.h5").write_text("x")
        return await waiting

    started = time.monotonic()
    assert asyncio.run(write_and_wait()) == {"p4/d3"}
    assert time.monotonic() - started < 20


def test_wait_ends_without_hint_when_nothing_happens(root: Path) -> None:
    scanner = TreeScanner(root)
    list(scanner.scan())
    assert asyncio.run(wait_for_change(scanner, 0.3)) == set()
