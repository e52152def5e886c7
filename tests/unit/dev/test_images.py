"""An image's tag changes with its inputs and with nothing else."""

import os
from pathlib import Path

import pytest
from panosc_dev.images import content_tag, files_below


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "service" / "__pycache__").mkdir(parents=True)
    (tmp_path / "service" / "app.py").write_text("print(1)\n")
    (tmp_path / "service" / "__pycache__" / "app.pyc").write_bytes(b"\0")
    (tmp_path / "uv.lock").write_text("lock\n")
    return tmp_path


def tag(tree: Path, base: str = "sha256:1", arguments: tuple[str, ...] = ()) -> str:
    return content_tag(tree, files_below(tree, ["service", "uv.lock"]), base, arguments)


def test_caches_are_no_input(tree: Path) -> None:
    before = tag(tree)
    (tree / "service" / "__pycache__" / "other.pyc").write_bytes(b"\1")
    assert tag(tree) == before


def test_times_are_no_input(tree: Path) -> None:
    before = tag(tree)
    os.utime(tree / "service" / "app.py", (0, 0))
    assert tag(tree) == before


def test_the_place_of_the_checkout_is_no_input(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "checkout"
    before = tag(tree)
    tree.rename(elsewhere)
    assert tag(elsewhere) == before


@pytest.mark.parametrize("change", ["content", "name", "mode", "new file", "lock"])
def test_every_input_counts(tree: Path, change: str) -> None:
    before = tag(tree)
    app = tree / "service" / "app.py"
    match change:
        case "content":
            app.write_text("print(2)\n")
        case "name":
            app.rename(app.with_name("main.py"))
        case "mode":
            app.chmod(0o755)
        case "new file":
            (tree / "service" / "empty.py").touch()
        case "lock":
            (tree / "uv.lock").write_text("another\n")
    assert tag(tree) != before


def test_what_lies_below_counts(tree: Path) -> None:
    assert tag(tree, "sha256:1") != tag(tree, "sha256:2")


def test_arguments_of_the_build_count(tree: Path) -> None:
    tags = [tag(tree, arguments=a) for a in ((), ("PACKAGE=a",), ("PACKAGE=b",), ("PACKAGE=a", "MORE="))]
    assert len(set(tags)) == len(tags)
