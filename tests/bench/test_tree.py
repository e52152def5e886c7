"""How long it takes to see that a tree has not changed."""

import os
import subprocess
import time

import pytest
from panosc_common.tree import TreeScanner

DIRECTORIES, FILES_EACH = 400, 250


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
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


def test_rescan_of_an_unchanged_tree(report, tree):
    scanner = TreeScanner(tree, clock=lambda: time.time() + 86400)
    files = sum(1 for _ in scanner.scan())
    assert files == DIRECTORIES * FILES_EACH

    def rescan():
        started = time.perf_counter()
        assert list(scanner.scan()) == []
        return files / (time.perf_counter() - started)

    def find():
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
