"""The virtual environment with all packages of the repository, made by uv."""

import os
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

from panosc_dev import packages, shell, toolchain
from panosc_dev.paths import REPOSITORY, cache_directory
from panosc_dev.progress import step

_UV = "0.13.9"
_PYTHON = REPOSITORY / ".venv" / "bin" / "python"


def _uv() -> Path:
    """uv in its pinned version, from PyPI if it is not on PATH."""
    found = shutil.which("uv")
    if found and _UV in shell.output([found, "--version"]):
        return Path(found)
    target = cache_directory() / "tools" / f"uv-{_UV}"
    program = target / "bin" / "uv"
    if not program.exists():
        with toolchain.locked(target.with_name(".uv.lock")):
            if find_spec("ensurepip") is None:  # Debian keeps it in a package of its own
                packages.install(["python3-venv"])
            log = cache_directory() / "logs" / "uv.log"
            with step("Installing uv"):
                shell.logged([sys.executable, "-m", "venv", "--clear", target], log, seconds=120)
                shell.logged([target / "bin" / "pip", "install", f"uv=={_UV}"], log, seconds=300)
    return program


def ensure() -> Path:
    """Have `.venv` as the lock file says; return its Python."""
    log = cache_directory() / "logs" / "venv.log"
    with step("Bringing .venv up to date"):
        shell.logged(
            [_uv(), "sync", "--frozen"],
            log,
            seconds=900,
            cwd=REPOSITORY,
            env={"UV_PYTHON_DOWNLOADS": "never"},
        )
    return _PYTHON


def python() -> Path:
    """The environment's Python, made first if it is not there."""
    return _PYTHON if os.access(_PYTHON, os.X_OK) else ensure()
