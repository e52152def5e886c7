"""The cluster's programs, compiled from their pinned Go modules into a cache keyed by their inputs."""

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from panosc_dev import shell
from panosc_dev.paths import REPOSITORY, cache_directory
from panosc_dev.progress import StepFailed, step

KUBERNETES_VERSION = "1.36.3"
ENVOY_GATEWAY_MODULE = "github.com/envoyproxy/gateway@v1.9.1"

_MINOR = KUBERNETES_VERSION.split(".")[1]
# Without these, API discovery and kubectl take the server for version 0.0.
_KUBERNETES_VERSION_FLAGS = (
    f"-X k8s.io/component-base/version.gitVersion=v{KUBERNETES_VERSION}"
    f" -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor={_MINOR}"
    f" -X k8s.io/client-go/pkg/version.gitVersion=v{KUBERNETES_VERSION}"
)


@dataclass(frozen=True)
class Build:
    """One `go build`/`go install` that makes `binaries`.

    `packages` are versioned import paths, or empty for the module in `directory` of the repository.
    """

    name: str
    binaries: tuple[str, ...]
    minutes: float
    packages: tuple[str, ...] = ()
    directory: str = ""
    tags: str = ""
    linker: str = "-s -w"


BUILDS = (
    Build(
        "kubernetes",
        ("kube",),
        5.5,
        directory="dev/go/kubernetes",
        linker=f"-s -w {_KUBERNETES_VERSION_FLAGS}",
    ),
    Build(
        "containerd",
        ("containerd", "containerd-shim-runc-v2", "ctr"),
        1.5,
        packages=tuple(
            f"github.com/containerd/containerd/v2/cmd/{name}@v2.4.2"
            for name in ("containerd", "containerd-shim-runc-v2", "ctr")
        ),
        tags="no_btrfs no_devmapper no_zfs",
    ),
    Build("helm", ("helm",), 1.5, packages=("helm.sh/helm/v4/cmd/helm@v4.3.1",)),
    Build(
        "envoy-gateway",
        ("envoy-gateway",),
        3.5,
        packages=(ENVOY_GATEWAY_MODULE.replace("@", "/cmd/envoy-gateway@"),),
    ),
    Build("cert-manager", ("cert-manager",), 2.5, directory="dev/go/cert-manager"),
    Build("coredns", ("coredns",), 1.5, packages=("github.com/coredns/coredns@v1.15.0",)),
    Build(
        "kube-router",
        ("kube-router",),
        1,
        packages=("github.com/cloudnativelabs/kube-router/v2/cmd/kube-router@v2.1.0",),
    ),
    Build(
        "local-path-provisioner",
        ("local-path-provisioner",),
        1,
        packages=("github.com/rancher/local-path-provisioner@v0.0.30",),
    ),
    Build("pause", ("pause",), 0.1, directory="dev/go/pause"),
)


def build_key(build: Build, go_version: str, module_files: dict[str, bytes]) -> str:
    """Hash of all that decides what `build` makes: compiler, packages, flags and the module's files."""
    digest = hashlib.sha256()
    for part in (go_version, build.name, *build.binaries, *build.packages, build.tags, build.linker):
        digest.update(part.encode() + b"\0")
    for name, content in sorted(module_files.items()):
        digest.update(name.encode() + b"\0" + hashlib.sha256(content).digest())
    return digest.hexdigest()[:16]


def _module_files(build: Build) -> dict[str, bytes]:
    if not build.directory:
        return {}
    return {
        path.name: path.read_bytes() for path in (REPOSITORY / build.directory).iterdir() if path.is_file()
    }


@cache
def _go() -> tuple[str, str]:
    program = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin:/usr/lib/go/bin")
    if program is None:
        raise StepFailed(
            "Go is not installed: install Go 1.26 or later (https://go.dev/dl) and put it on PATH"
        )
    return program, shell.output([program, "env", "GOVERSION"], env={"GOTOOLCHAIN": "auto"}).strip()


@contextmanager
def locked(path: Path, *, wait: bool = True) -> Iterator[None]:
    """Hold an exclusive lock on `path`, so that two commands do not make the same thing at once.

    Raises BlockingIOError if another holds it and `wait` is false.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield


def directory_of(build: Build) -> Path:
    """The folder with the binaries of `build`, compiled first if the cache does not hold them."""
    go, version = _go()
    tools = cache_directory() / "tools"
    target = tools / f"{build.name}-{build_key(build, version, _module_files(build))}"
    if target.is_dir():
        return target
    with locked(tools / f".{build.name}.lock"):
        if target.is_dir():
            return target
        log = cache_directory() / "logs" / f"build-{build.name}.log"
        log.unlink(missing_ok=True)
        with (
            step(f"Compiling {build.name} (about {build.minutes:g} min on two cores when nothing is cached)"),
            tempfile.TemporaryDirectory(dir=tools, prefix=f".{build.name}-") as scratch,
        ):
            flags = ["-trimpath", "-ldflags", build.linker, "-tags", build.tags]
            env = {"CGO_ENABLED": "0", "GOBIN": scratch}
            if build.directory:
                arguments = [go, "build", *flags, "-o", f"{scratch}/{build.binaries[0]}", "."]
            else:
                arguments = [go, "install", *flags, *build.packages]
            where = REPOSITORY / build.directory if build.directory else tools
            shell.logged(arguments, log, seconds=3600, env=env, cwd=where)
            finished = Path(scratch)
            finished.chmod(0o755)
            os.rename(finished, target)
            finished.mkdir()  # the context manager removes it
        for old in tools.glob(f"{build.name}-" + "?" * 16):
            if old != target and old.is_dir():
                shutil.rmtree(old)
    return target


def binary(name: str) -> Path:
    """Path of the program called `name` (`kube`, `containerd`, `helm`, …), compiled first if need be."""
    for build in BUILDS:
        if name in build.binaries:
            return directory_of(build) / name
    raise StepFailed(f"no build makes a program called {name!r}")


def ensure_all() -> None:
    """Compile every program that is not in the cache."""
    for build in BUILDS:
        directory_of(build)


def envoy_gateway_charts() -> Path:
    """The folder with Envoy Gateway's Helm charts, which lie in its Go module."""
    return _module(ENVOY_GATEWAY_MODULE, cache_directory()) / "charts"


def cert_manager_definitions() -> list[Path]:
    """The definitions of cert-manager's kinds; ACME's are left out like the program's part for it."""
    module = _module("github.com/cert-manager/cert-manager", REPOSITORY / "dev/go/cert-manager")
    return sorted((module / "deploy" / "crds").glob("cert-manager.io_*.yaml"))


def _module(name: str, where: Path) -> Path:
    """The folder of a Go module's source, of the version in its name or in the go.mod in `where`."""
    answer = shell.output([_go()[0], "mod", "download", "-json", name], seconds=300, cwd=where)
    return Path(json.loads(answer)["Dir"])
