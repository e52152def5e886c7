"""cgroup v1 and v2 are told apart, and a command enters all hierarchies under its own pid."""

import errno
import subprocess
from pathlib import Path

import pytest
from panosc_dev import cgroups
from panosc_dev.progress import StepFailed


def hierarchy(path: Path, *files: str) -> None:
    path.mkdir()
    for name in ("cgroup.procs", *files):
        (path / name).touch()


def test_v2_has_one_hierarchy(tmp_path: Path) -> None:
    root = tmp_path / "cgroup"
    hierarchy(root, "cgroup.controllers")
    assert cgroups.hierarchies(root) == [root]


def test_v1_has_one_a_controller_without_its_links(tmp_path: Path) -> None:
    for name in ("cpu", "memory"):
        hierarchy(tmp_path / name)
    (tmp_path / "cpuacct").symlink_to(tmp_path / "cpu")
    (tmp_path / "empty").mkdir()
    assert cgroups.hierarchies(tmp_path) == [tmp_path / "cpu", tmp_path / "memory"]


@pytest.fixture
def two(tmp_path: Path) -> list[Path]:
    folders = [tmp_path / "cpu", tmp_path / "memory"]
    for folder in folders:
        (folder / "c" / "system").mkdir(parents=True)
    return folders


def test_a_command_enters_every_hierarchy_and_keeps_its_arguments(two: list[Path]) -> None:
    command = [*cgroups.entering("c", two), "sh", "-c", 'echo "$$|$1"', "sh", "two words --"]
    pid, _, argument = subprocess.run(command, capture_output=True, text=True, check=True).stdout.partition(
        "|"
    )
    assert argument == "two words --\n"
    for folder in two:
        assert (folder / "c" / "system" / "cgroup.procs").read_text() == f"{pid}\n"


def test_a_command_does_not_run_outside_its_group(two: list[Path]) -> None:
    command = [*cgroups.entering("absent", two), "echo", "ran"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert done.stdout == ""


def test_on_v2_the_controllers_are_handed_down(tmp_path: Path) -> None:
    root = tmp_path / "cgroup"
    hierarchy(root)
    (root / "cgroup.controllers").write_text("cpu memory pids\n")
    (root / "c").mkdir()
    (root / "c" / "cgroup.controllers").write_text("cpu memory pids\n")
    cgroups.create("c", root)
    for group in (root, root / "c"):
        assert (group / "cgroup.subtree_control").read_text() == "+cpu +memory +pids"
    assert (root / "c" / "system").is_dir()


def test_a_v2_hierarchy_beside_those_of_v1_hands_nothing_down(tmp_path: Path) -> None:
    hierarchy(tmp_path / "memory")
    hierarchy(tmp_path / "unified")
    (tmp_path / "unified" / "cgroup.controllers").write_text("hugetlb\n")
    cgroups.create("c", tmp_path)
    assert (tmp_path / "unified" / "c" / "system").is_dir()
    assert not (tmp_path / "unified" / "cgroup.subtree_control").exists()


def test_a_container_as_the_machine_is_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hierarchy(tmp_path / "cgroup")
    (tmp_path / "cgroup" / "cgroup.controllers").write_text("cpu\n")

    def busy(*_: object) -> None:
        raise OSError(errno.EBUSY, "Device or resource busy")

    monkeypatch.setattr("pathlib.Path.write_text", busy)
    with pytest.raises(StepFailed, match="seems to be a container"):
        cgroups.create("c", tmp_path / "cgroup")
