"""A program is compiled again exactly when something that decides it changed."""

from dataclasses import replace

import pytest
from panosc_dev import toolchain
from panosc_dev.progress import StepFailed
from panosc_dev.toolchain import Build, build_key

BUILD = Build("tool", ("tool",), 1, packages=("example.org/tool@v1.0.0",), tags="a b")
MODULE = {"go.mod": b"module x\n", "main.go": b"package main\n"}


def test_the_key_is_the_same_for_the_same_inputs() -> None:
    assert build_key(BUILD, "go1.26.8", MODULE) == build_key(
        BUILD, "go1.26.8", dict(reversed(MODULE.items()))
    )


@pytest.mark.parametrize(
    ("build", "go", "files"),
    [
        pytest.param(replace(BUILD, packages=("example.org/tool@v1.0.1",)), "go1.26.8", MODULE, id="version"),
        pytest.param(replace(BUILD, tags="a"), "go1.26.8", MODULE, id="tags"),
        pytest.param(replace(BUILD, linker="-s"), "go1.26.8", MODULE, id="linker flags"),
        pytest.param(BUILD, "go1.27.0", MODULE, id="compiler"),
        pytest.param(BUILD, "go1.26.8", {**MODULE, "main.go": b"package other\n"}, id="source"),
        pytest.param(BUILD, "go1.26.8", {**MODULE, "go.sum": b""}, id="another file"),
    ],
)
def test_the_key_changes_with_each_input(build: Build, go: str, files: dict[str, bytes]) -> None:
    assert build_key(build, go, files) != build_key(BUILD, "go1.26.8", MODULE)


def test_every_program_comes_from_one_build() -> None:
    names = [name for build in toolchain.BUILDS for name in build.binaries]
    assert len(names) == len(set(names))


def test_an_unknown_program_is_named() -> None:
    with pytest.raises(StepFailed, match="'kubeadm'"):
        toolchain.binary("kubeadm")
