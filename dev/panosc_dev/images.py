"""Container images: built by buildah when their inputs changed, kept as archives, imported once a cluster."""

import fnmatch
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from panosc_dev import downloads, mounts, shell, toolchain
from panosc_dev.downloads import KEYCLOAK, Download
from panosc_dev.paths import REPOSITORY, cache_directory
from panosc_dev.progress import StepFailed, step

LOCAL_PREFIX = "panosc.local"
BASE = "docker.io/library/debian:trixie-slim"

_IGNORED = ("__pycache__", "*.pyc")
_HOST_CA = Path("/etc/ssl/certs/ca-certificates.crt")
_BUILD_CA = "/run/build-ca.crt"


@dataclass(frozen=True)
class Image:
    """An image of this repository.

    `inputs` are files and folders, relative to the repository, that decide what it holds, and so do
    `arguments`, the values of the Containerfile's ARGs. With `binary`, the build context is just that
    compiled program beside the Containerfile's folder; else it is the repository.
    """

    name: str
    containerfile: str
    inputs: tuple[str, ...]
    arguments: tuple[str, ...] = ()
    binary: str = ""
    distribution: Download | None = None
    """A program that is fetched, mounted while the image is built."""
    own_context: bool = False
    on_base: bool = True


def _service(name: str, folder: str, debian_packages: str = "") -> Image:
    members = ("operator", "services/archive", "services/catalogue", "cli")
    lock = ("pyproject.toml", "uv.lock", *(f"{member}/pyproject.toml" for member in members))
    return Image(
        name,
        "images/service/Containerfile",
        (*lock, "services/common", folder),
        (f"PACKAGE=panosc-{name}", f"FOLDER={folder}", f"DEBIAN_PACKAGES={debian_packages}"),
    )


def _program(name: str) -> Image:
    return Image(name, f"images/{name}/Containerfile", (f"images/{name}",), binary=name, on_base=False)


PRODUCT = (
    _service("operator", "operator"),
    _service("catalogue", "services/catalogue"),
    _service("archive", "services/archive", "nginx-light"),
    Image("postgres", "images/postgres/Containerfile", ("images/postgres",)),
    Image(
        "keycloak",
        "images/keycloak/Containerfile",
        ("images/keycloak", "services/login"),
        distribution=KEYCLOAK,
    ),
)
CLUSTER = (
    _program("pause"),
    _program("coredns"),
    _program("local-path-provisioner"),
    _program("envoy-gateway"),
    _program("cert-manager"),
    Image("envoy", "images/envoy/Containerfile", ("images/envoy",), own_context=True),
)


def files_below(root: Path, inputs: Iterable[str]) -> list[Path]:
    """All files that `inputs` (relative to `root`) name or hold, sorted, without caches."""
    found: set[Path] = set()
    for entry in inputs:
        path = root / entry
        candidates = [path] if path.is_file() else path.rglob("*")
        found.update(
            c
            for c in candidates
            if c.is_file() and not any(fnmatch.fnmatch(part, i) for part in c.parts for i in _IGNORED)
        )
    return sorted(found)


def content_tag(root: Path, files: Sequence[Path], base: str, arguments: Sequence[str] = ()) -> str:
    """Tag from the files' names, modes and contents, what lies below (`base`), and the ARGs' values."""
    digest = hashlib.sha256("\0".join([base, *arguments]).encode())
    for path in files:
        executable = bool(path.stat().st_mode & 0o100)
        digest.update(f"{path.relative_to(root)}\0{executable}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def _builder(*arguments: str | Path) -> list[str | Path]:
    store = cache_directory() / "buildah"
    return [
        "buildah",
        "--root",
        store,
        "--runroot",
        "/run/panosc/buildah",
        "--storage-driver",
        "overlay",
        *arguments,
    ]


def _builder_environment() -> dict[str, str]:
    scratch = cache_directory() / "tmp"  # cache mounts live here, so they belong on disk, beside the store
    scratch.mkdir(parents=True, exist_ok=True)
    return {"BUILDAH_ISOLATION": "chroot", "TMPDIR": str(scratch)}


@contextmanager
def _builder_alone(*, wait: bool = True) -> Iterator[None]:
    """Use the builder alone, and leave neither containers nor mounts, not even a killed build's."""
    with toolchain.locked(cache_directory() / ".builder.lock", wait=wait):
        try:
            yield
        finally:
            shell.succeeds(_builder("rm", "--all"))
            mounts.undo(cache_directory() / "buildah")


def release() -> None:
    """Undo what a killed build left; a build that is under way does so itself."""
    with suppress(BlockingIOError), _builder_alone(wait=False):
        pass


def _log(name: str) -> Path:
    return cache_directory() / "logs" / f"image-{name}.log"


def _has_image(reference: str) -> bool:
    return shell.succeeds(_builder("inspect", "--type", "image", reference))


def ensure_base() -> str:
    """Have the Debian base image in the builder's store, from its registry or made here; return its id."""
    recipe = f"{LOCAL_PREFIX}/base:{hashlib.sha256(repr(_BOOTSTRAP).encode()).hexdigest()[:16]}"
    if not _has_image(recipe):
        with _builder_alone():
            if not _has_image(recipe):
                _make_base()
                shell.output(_builder("tag", BASE, recipe))
    return shell.output(_builder("images", "--quiet", "--no-trunc", recipe)).strip()


# As slim as the public image: no documentation, no translations, no packages kept after their installation.
_BOOTSTRAP = (
    "mmdebstrap",
    "--variant=minbase",
    *(
        f"--dpkgopt=path-exclude=/usr/share/{kind}/*"
        for kind in ("doc", "doc-base", "groff", "info", "linda", "lintian", "locale", "man")
    ),
    "--dpkgopt=path-include=/usr/share/doc/*/copyright",
    '--aptopt=APT::Install-Recommends "false"',
    # Written at the end: while it works, mmdebstrap itself needs the packages it downloaded.
    "--customize-hook=printf '%s\\n' 'APT::Keep-Downloaded-Packages \"false\";' 'Dir::Cache::pkgcache \"\";'"
    ' \'Dir::Cache::srcpkgcache "";\' > "$1/etc/apt/apt.conf.d/slim"; rm -f "$1"/var/cache/apt/*.bin',
    "trixie",
)


def _make_base() -> None:
    env = _builder_environment()
    if shell.succeeds(_builder("pull", "--quiet", "--policy", "always", BASE), seconds=60, env=env):
        return
    log = _log("base")
    with (
        step("Making the Debian base image: no registry has it (about 1 min)"),
        tempfile.TemporaryDirectory(dir=env["TMPDIR"]) as scratch,
    ):
        root = f"{scratch}/root.tar"
        shell.logged([*_BOOTSTRAP, root], log, seconds=900)
        container = shell.output(_builder("from", "scratch"), env=env).strip()
        shell.logged(_builder("add", container, root, "/"), log, seconds=300, env=env)
        shell.logged(_builder("config", "--cmd", "bash", container), log, seconds=60, env=env)
        shell.logged(_builder("commit", "--rm", container, BASE), log, seconds=300, env=env)


@dataclass(frozen=True)
class Built:
    """An image that stands ready: its reference (name and content tag) and its archive."""

    image: Image
    reference: str
    archive: Path


def build(image: Image) -> Built:
    """Build `image` unless an archive with the same content tag exists."""
    files = files_below(REPOSITORY, [*image.inputs, image.containerfile])
    if image.binary:
        below = toolchain.binary(image.binary).parent.name
    else:
        below = ensure_base() if image.on_base else ""
    if image.distribution:
        below += image.distribution.sha256
    reference = f"{LOCAL_PREFIX}/{image.name}:{content_tag(REPOSITORY, files, below, image.arguments)}"
    archives = cache_directory() / "images"
    archives.mkdir(parents=True, exist_ok=True)
    archive = archives / f"{reference.rpartition('/')[2].replace(':', '-')}.tar"
    built = Built(image, reference, archive)
    if archive.exists():
        return built
    with _builder_alone():
        if not archive.exists():
            with step(f"Building image {image.name}"):
                _build(image, reference, archive)
    return built


def _build(image: Image, reference: str, archive: Path) -> None:
    log = _log(image.name)
    log.unlink(missing_ok=True)
    env = _builder_environment()
    options: list[str | Path] = [
        "--layers",
        "--force-rm",
        "--pull-never",
        "--file",
        REPOSITORY / image.containerfile,
        *(f"--build-arg={argument}" for argument in image.arguments),
    ]
    if image.distribution:
        options += ["--volume", f"{downloads.directory_of(image.distribution)}:/build/distribution:ro"]
    if _HOST_CA.exists():
        options += ["--volume", f"{_HOST_CA}:{_BUILD_CA}:ro", "--build-arg", f"BUILD_CA={_BUILD_CA}"]
    with tempfile.TemporaryDirectory(dir=env["TMPDIR"]) as scratch:
        context = REPOSITORY
        if image.own_context:
            context = (REPOSITORY / image.containerfile).parent
        if image.binary:
            context = Path(scratch)
            shutil.copy2(toolchain.binary(image.binary), context / image.binary)
        shell.logged(_builder("bud", *options, "--tag", reference, context), log, seconds=1800, env=env)
        partial = archive.with_suffix(".partial")
        partial.unlink(missing_ok=True)
        # Uncompressed: compressing and expanding again costs more than the disk it saves.
        shell.logged(
            _builder("push", "--disable-compression", reference, f"docker-archive:{partial}:{reference}"),
            log,
            seconds=600,
            env=env,
        )
    os.rename(partial, archive)
    _forget_older(image, reference, archive)


def _forget_older(image: Image, reference: str, archive: Path) -> None:
    """Remove former builds of an image; layers that the present one shares stay in the builder's store."""
    for old in archive.parent.glob(f"{image.name}-" + "?" * 16 + ".tar"):
        if old != archive:
            old.unlink()
    listing = shell.output(
        _builder(
            "images", "--format", "{{.Name}}:{{.Tag}}", "--filter", f"reference={LOCAL_PREFIX}/{image.name}"
        )
    )
    for former in set(listing.split()) - {reference}:
        shell.succeeds(_builder("rmi", former))


def build_all(images: Sequence[Image]) -> dict[str, Built]:
    """Build each image if its inputs changed; the result by image name."""
    return {image.name: build(image) for image in images}


def import_into(socket: Path, built: Iterable[Built], log: Path) -> None:
    """Give the container runtime at `socket` the images that it does not have yet."""
    ctr = [str(toolchain.binary("ctr")), "--address", str(socket), "--namespace", "k8s.io", "images"]
    present = set(shell.output([*ctr, "list", "--quiet"]).split())
    missing = [b for b in built if b.reference not in present]
    for item in missing:
        with step(f"Importing image {item.image.name}"):
            shell.logged([*ctr, "import", item.archive], log, seconds=300)


def push(built: Built, registry: str) -> str:
    """Push an image to `registry` (host and path) and return the reference it has there."""
    target = f"{registry.rstrip('/')}/{built.reference.partition('/')[2]}"
    with step(f"Pushing {target}"):
        if not _has_image(built.reference):
            shell.logged(
                _builder("pull", f"docker-archive:{built.archive}"), _log(built.image.name), seconds=600
            )
        try:
            shell.output(_builder("push", "--quiet", built.reference, target), seconds=1800)
        except StepFailed as failure:
            host = registry.partition("/")[0]
            if remedy := push_remedy(host, str(failure)):
                raise StepFailed(f"{host} does not take {target}: {remedy}") from None
            raise
    return target


def push_remedy(host: str, error: str) -> str | None:
    """What to do about a registry's refusal, from what buildah says; None if that is not known."""
    remedies = {
        "unauthorized": f"log in by `buildah login {host}`",
        "denied": f"log in by `buildah login {host}` as one who may push there",
        "certificate signed by unknown authority": (
            f"put the certificate of its authority into /etc/containers/certs.d/{host}/ca.crt"
        ),
        "server gave HTTP response to HTTPS client": (
            "it has no TLS; if that is meant, say so in /etc/containers/registries.conf.d/plain.conf: "
            f'[[registry]], location = "{host}", insecure = true'
        ),
    }
    return next((remedy for symptom, remedy in remedies.items() if symptom in error), None)
