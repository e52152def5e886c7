"""How long it takes to see that a tree has not changed."""

import os
import subprocess
import time
from pathlib import Path

import pytest
from bench.conftest import Report
from panosc_common.tree import TreeScanner

DIRECTORIES, FILES_EACH = 400, 250


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("tree")
    long_ago = time.time() - 86400
    for directory in range(DIRECTORIES):
        folder = root / f"proposal-{directory:04}"
        folder.mkdir()
        for file in range(FILES_EACH):
            path = folder / f"run-{file:04}.nxs"
            path.touch()
            os.utime(path, (long_ago, long_ago))
        os.utime(folder, (long_ago, long_ago))
    return root


def test_rescan_of_an_unchanged_tree(report: Report, tree: Path) -> None:
    scanner = TreeScanner(tree, clock=lambda: time.time() + 86400)
    files = sum(1 for _ in scanner.scan())
    assert files == DIRECTORIES * FILES_EACH

    def rescan() -> float:
        started = time.perf_counter()
        assert list(scanner.scan()) == []
        return files / (time.perf_counter() - started)

    def find() -> float:
        started = time.perf_counter()
        subprocess.run(["find", tree, "-type", "f", "-size", "+1G"], check=True, capture_output=True)
        return files / (time.perf_counter() - started)

    report.compare(
        f"Scan of an unchanged tree of {files:,} files",
        "files/s",
        rescan,
        find,
        "`find -size`, one stat a file",
        f"{DIRECTORIES} directories of {FILES_EACH} files on the local disk, in the page cache.",
    )
