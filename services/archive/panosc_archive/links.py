"""The way through the links of HDF5 files, which HDF5 would follow to whatever file they name.

External links, the sources of virtual datasets and external storage would lead around the embargo. So links
are walked here, one component at a time, and a file that is reached through one is read only if it is among
those that the caller has allowed.
"""

import os
import stat
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import h5py

from panosc_archive import paths

HDF5_FOLDER = "/proc/self/fd"
"""Where HDF5 believes that every file lies: files are opened by their descriptors."""
MAX_LINKS = 32
MAX_FILES = 1000

Entity: TypeAlias = h5py.Group | h5py.Dataset | h5py.Datatype


class NotFound(Exception):
    """There is nothing, or nothing for this client."""


class Absent(NotFound):
    """Nothing of that name is in a file that may be read: HDF5, going the same way, finds nothing either."""


class Refusal(Exception):
    """Why it is not read, as an HTTP status and a sentence."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status


class Unknown(Exception):
    """The files in `Walk.needed` must be allowed or denied first."""


@dataclass
class Walk:
    """The open files of one answer, and the way through their links."""

    root: Path
    start: str
    """Real path of the file at which it begins, relative to the root; it may be read."""
    allowed: frozenset[str]
    """Real paths of other files that may be read."""
    denied: frozenset[str]
    """Real paths of files that may not."""
    needed: set[str] = field(default_factory=set)
    """Real paths of which the caller has to say first whether they may be read."""
    _files: dict[str, h5py.File] = field(default_factory=dict)
    _stack: ExitStack = field(default_factory=ExitStack)
    _vetted: dict[tuple[str, str], h5py.Dataset] = field(default_factory=dict)
    """Kept, and so kept open with their sources, until `check_opened`."""
    _before: set[tuple[int, int]] = field(default_factory=lambda: _open_files())

    def __enter__(self) -> "Walk":
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def open(self, file: str) -> h5py.File:
        """A file of the archive by its real path, opened without following links of the file system."""
        if file not in self._files:
            if len(self._files) >= MAX_FILES:
                raise Refusal(422, f"links lead to more than {MAX_FILES} files")
            try:
                descriptor = paths.open_beneath(self.root, file)
            except (paths.NotBeneath, OSError) as error:
                raise NotFound(f"{file} cannot be opened") from error
            try:
                # Nobody writes here, and some file systems refuse locks on read-only mounts.
                opened = h5py.File(f"{HDF5_FOLDER}/{descriptor}", "r", locking=False)
            except OSError as error:
                reason = f"{file} is no HDF5 file, or is damaged"
                raise (Refusal(422, reason) if file == self.start else NotFound(reason)) from error
            finally:
                os.close(descriptor)
            self._files[file] = self._stack.enter_context(opened)
        return self._files[file]

    def find(self, path: str, file: str | None = None) -> tuple[Entity, str]:
        """The entity at `path` after all links, and the real path of the file it is in."""
        file = file or self.start
        current: Entity = self.open(file)["/"]
        rest = _components(path)
        links = 0
        while rest:
            name = rest.pop(0)
            link = link_at(current, name)
            if link is None:
                raise Absent(f"there is no {path} in the file")
            if isinstance(link, h5py.HardLink):
                current = current[name]
                continue
            links += 1
            if links > MAX_LINKS:
                raise Absent(f"{path} is a circle of links")
            rest = _components(link.path) + rest
            if isinstance(link, h5py.ExternalLink):
                file = self._meant(file, link.filename, path)
                current = self.open(file)["/"]
            elif link.path.startswith("/"):
                current = self.open(file)["/"]
        return current, file

    def vet(self, dataset: h5py.Dataset, file: str) -> None:
        """Make sure that HDF5, reading the dataset, opens no file that is not allowed.

        Raises NotFound if a source is absent, too: HDF5 leaves a gap there, but to do so only for absent and
        not for hidden ones would tell which files exist. `check_opened` completes this after the reading.
        """
        if (file, dataset.name) in self._vetted:
            return
        self._vetted[file, dataset.name] = dataset
        if dataset.external:
            raise Refusal(422, f"{dataset.name} keeps its data in files that are not HDF5: download those")
        if not dataset.is_virtual:
            return
        sources = {(source.file_name, source.dset_name) for source in dataset.virtual_sources()}
        targets: list[tuple[str, str]] = []
        for name, path in sorted(sources):
            if "%" in name:
                raise Refusal(422, f"{dataset.name} is a virtual dataset over a pattern of file names")
            if name == ".":
                targets.append((file, path))
                continue
            try:
                targets.append((self._meant(file, name, dataset.name), path))
            except Unknown:
                continue  # collect all before asking
        if self.needed:
            raise Unknown
        for source, path in targets:
            try:
                entity, where = self.find(path, source)
            except Absent:
                continue  # HDF5 fills the gap
            if isinstance(entity, h5py.Dataset):
                self.vet(entity, where)

    def check_opened(self, path: str) -> None:
        """Make sure, after reading, that HDF5 has opened no file but those that were vetted.

        HDF5 opens the sources of virtual datasets by name, and what a name means may have changed since it
        was vetted. It keeps them open as long as the dataset, so that what was read can still be seen.
        Raises NotFound.
        """
        vetted = self._before | {
            _file_identity(file.id.get_vfd_handle())  # one number, with the driver used here
            for file in self._files.values()
        }
        if not _open_files() <= vetted:
            raise _hidden(path)

    def _meant(self, file: str, name: str, path: str) -> str:
        """Real path of the file that HDF5 takes for `name` in `file`; it may be read.

        What is not there is treated as what may not be read, lest the answer tell which files exist: only a
        place outside the archive is passed over if nothing is there. Raises NotFound, or Unknown if the
        caller has to be asked first.
        """
        # HDF5's order: the folder that it was told, the working directory, the real folder of the file.
        base = os.path.basename(name) if name.startswith("/") else name
        candidates = (f"{HDF5_FOLDER}/{base}", f"/{base}", self.root / os.path.dirname(file) / base)
        root = os.path.realpath(self.root)
        for candidate in (name, *candidates) if name.startswith("/") else candidates:
            real = os.path.realpath(candidate)
            if real.startswith(f"{root}/"):
                return self._permit(real.removeprefix(f"{root}/"), path)
            if os.path.exists(real):
                break
        raise _hidden(path)

    def _permit(self, file: str, path: str) -> str:
        """`file` itself if it may be read. Raises NotFound, Unknown."""
        if file != self.start and file not in self.allowed:
            if file in self.denied or not _is_utf8(file):
                raise _hidden(path)
            self.needed.add(file)
            raise Unknown
        return file


def _hidden(path: str) -> NotFound:
    """The one answer for links to what is absent, not to be seen, or outside the archive."""
    return NotFound(f"{path} leads to a file that does not exist or that you may not see")


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _open_files() -> set[tuple[int, int]]:
    """Device and inode of every regular file that this process has open."""
    found = set()
    for descriptor in os.listdir(HDF5_FOLDER):
        with suppress(OSError):  # the descriptor of the listing itself is closed by now
            status = os.fstat(int(descriptor))
            if stat.S_ISREG(status.st_mode):
                found.add((status.st_dev, status.st_ino))
    return found


def _file_identity(descriptor: int) -> tuple[int, int]:
    status = os.fstat(descriptor)
    return status.st_dev, status.st_ino


def link_at(group: Entity, name: str) -> Any:
    """The link called `name` in a group (h5py's classes of links); None if there is none."""
    if not isinstance(group, h5py.Group):
        return None
    return group.get(name, getlink=True)


def _components(path: str) -> list[str]:
    return [part for part in path.split("/") if part not in ("", ".")]
