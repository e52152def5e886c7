"""Reading HDF5 files for the `/hdf5` routes: h5grove's protocol, without HDF5's own way through links.

Runs in worker processes. HDF5 by itself opens whatever file an external link, a virtual dataset or external
storage names, which would lead around the embargo. So links are walked here, one component at a time, and a
file that is reached through one is read only if it is among those that the caller has allowed; if it is not
known yet, the answer is `Foreign`, and the caller asks about it and comes again.
"""

import os
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import h5py
import numpy as np
from h5grove.content import (
    DatasetContent,
    DatatypeContent,
    ExternalLinkContent,
    GroupContent,
    SoftLinkContent,
)
from h5grove.encoders import Response, encode, orjson_default, orjson_encode
from h5grove.models import LinkResolution
from h5grove.utils import hdf_path_join, parse_link_resolution_arg, parse_slice

from panosc_archive import paths, preview

MAX_LINKS = 32
MAX_FILES = 1000
MAX_NAMES = 100_000
TEXT_GROWTH = 8
"""Times by which data may grow when they are written as text: so much less of them may be asked for."""
TEXT_FORMATS = frozenset({"json", "csv"})

Entity: TypeAlias = h5py.Group | h5py.Dataset | h5py.Datatype


@dataclass(frozen=True, slots=True)
class Query:
    """What to read. `allowed` and `denied` are real paths of other files that links may lead to."""

    root: Path
    file: str
    """Real path of the file, relative to the root; public."""
    operation: str
    """attr, data, meta, paths, stats or preview."""
    path: str
    """Path in the file."""
    max_bytes: int
    """Size of the selected data from which it is refused."""
    selection: str | None = None
    format: str = "json"
    dtype: str = "origin"
    flatten: bool = False
    resolve_links: str = LinkResolution.ONLY_VALID.value
    attribute_keys: tuple[str, ...] = ()
    allowed: frozenset[str] = frozenset()
    denied: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Encoded:
    """The answer as bytes, with headers that say what they are."""

    content: bytes
    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class Foreign:
    """Links lead to these files (real paths); say of each whether it is allowed, and ask again."""

    files: frozenset[str]


@dataclass(frozen=True, slots=True)
class Refused:
    """Why there is no answer, as an HTTP status and a sentence."""

    status: int
    detail: str


class _NotFound(Exception):
    """There is nothing: HDF5, following the same way, finds nothing either."""


class _Denied(_NotFound):
    """There is something, but not for this client."""


class _Refusal(Exception):
    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status


class _Unknown(Exception):
    """The files in `_Walk.needed` must be allowed or denied first."""


def answer(query: Query) -> Encoded | Foreign | Refused:
    """Read what is asked for."""
    try:
        with _Walk(query) as walk:
            try:
                return _OPERATIONS[query.operation](walk, query)
            except _Unknown:
                return Foreign(frozenset(walk.needed))
    except _NotFound as error:
        return Refused(404, str(error))
    except _Refusal as error:
        return Refused(error.status, str(error))
    except MemoryError:
        return Refused(413, "the selected data need too much memory: select a smaller part")
    except KeyError:
        return Refused(404, f"{query.path} has no such member or attribute")
    except (OSError, RuntimeError):
        # HDF5's own words name places on this machine.
        return Refused(422, f"{query.path} cannot be read: the file is damaged or uses an unknown filter")
    except (ValueError, TypeError, IndexError, OverflowError) as error:
        return Refused(422, f"{query.path} cannot be read so: {error}")


@dataclass
class _Walk:
    """The open files of one answer, and the way through their links."""

    query: Query
    needed: set[str] = field(default_factory=set)
    _files: dict[str, h5py.File] = field(default_factory=dict)
    _stack: ExitStack = field(default_factory=ExitStack)
    _vetted: set[tuple[str, str]] = field(default_factory=set)

    def __enter__(self) -> "_Walk":
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def open(self, file: str) -> h5py.File:
        """A file of the archive by its real path, opened without following links of the file system."""
        if file not in self._files:
            if len(self._files) >= MAX_FILES:
                raise _Refusal(422, f"links lead to more than {MAX_FILES} files")
            try:
                descriptor = paths.open_beneath(self.query.root, file)
            except (paths.NotBeneath, OSError) as error:
                raise _NotFound(f"{file} cannot be opened") from error
            try:
                # Nobody writes here, and some file systems refuse locks on read-only mounts.
                opened = h5py.File(f"/proc/self/fd/{descriptor}", "r", locking=False)
            except OSError as error:
                raise _Refusal(422, f"{file} is no HDF5 file, or is damaged") from error
            finally:
                os.close(descriptor)
            self._files[file] = self._stack.enter_context(opened)
        return self._files[file]

    def find(self, path: str, file: str | None = None) -> tuple[Entity, str]:
        """The entity at `path` after all links, and the real path of the file it is in."""
        file = file or self.query.file
        current: Entity = self.open(file)["/"]
        rest = _components(path)
        links = 0
        while rest:
            name = rest.pop(0)
            link = _link(current, name)
            if link is None:
                raise _NotFound(f"there is no {path} in the file")
            if isinstance(link, h5py.HardLink):
                current = current[name]
                continue
            links += 1
            if links > MAX_LINKS:
                raise _NotFound(f"{path} is a circle of links")
            rest = _components(link.path) + rest
            if isinstance(link, h5py.ExternalLink):
                meant = self._meant(file, link.filename)
                if not meant:
                    raise _NotFound(f"{path} leads to a file that is absent")
                file = self._permit(meant, path)
                current = self.open(file)["/"]
            elif link.path.startswith("/"):
                current = self.open(file)["/"]
        return current, file

    def vet(self, dataset: h5py.Dataset, file: str) -> None:
        """Make sure that HDF5, reading the dataset, opens no file that is not allowed."""
        if (file, dataset.name) in self._vetted:
            return
        self._vetted.add((file, dataset.name))
        if dataset.external:
            raise _Refusal(422, f"{dataset.name} keeps its data in files that are not HDF5: download those")
        if not dataset.is_virtual:
            return
        sources = {(source.file_name, source.dset_name) for source in dataset.virtual_sources()}
        targets: list[tuple[str, str]] = []
        for name, path in sorted(sources):
            if "%" in name:
                raise _Refusal(422, f"{dataset.name} is a virtual dataset over a pattern of file names")
            try:
                meant = [file] if name == "." else self._meant(file, name)
                if meant:
                    self._permit(meant, dataset.name)
                targets += [(found, path) for found in meant]
            except _Unknown:
                continue  # collect all before asking
        if self.needed:
            raise _Unknown
        for source, path in targets:
            try:
                entity, where = self.find(path, source)
            except _Denied:
                raise
            except _NotFound:
                continue  # HDF5 fills the gap
            if isinstance(entity, h5py.Dataset):
                self.vet(entity, where)

    def _permit(self, candidates: list[str], path: str) -> str:
        """The first candidate, if all may be read: which one HDF5 takes is its affair.

        Raises _Denied, or _Unknown if that has to be asked first.
        """
        for candidate in candidates:
            if candidate in self.query.denied:
                raise _Denied(f"{path} leads to a file that is not public")
            if candidate != self.query.file and candidate not in self.query.allowed:
                self.needed.add(candidate)
        if self.needed:
            raise _Unknown
        return candidates[0]

    def _meant(self, file: str, name: str) -> list[str]:
        """Real paths of existing files that HDF5 could mean by `name` in `file`, in the order that it tries.

        Raises _Denied if one of them lies outside the archive.
        """
        folder = os.path.dirname(file)
        # Beside the file, beside it without its folders, and in the working directory of the process.
        candidates = (os.path.join(folder, name), os.path.join(folder, os.path.basename(name)), f"/{name}")
        found = []
        for candidate in candidates:
            if not os.path.exists(os.path.join(self.query.root, candidate)):
                continue
            try:
                found.append(paths.resolve(self.query.root, candidate))
            except paths.NotBeneath as error:
                raise _Denied(f"a link to {name} leads out of the archive") from error
        return list(dict.fromkeys(found))


def _attr(walk: _Walk, query: Query) -> Encoded:
    entity, _ = walk.find(query.path)
    return _encoded(_content(query.path, entity).attributes(query.attribute_keys or None), "json", query)


def _data(walk: _Walk, query: Query) -> Encoded:
    limit = query.max_bytes // TEXT_GROWTH if query.format in TEXT_FORMATS else query.max_bytes
    content = DatasetContent(query.path, _dataset(walk, query, limit))
    return _encoded(content.data(query.selection, query.flatten, query.dtype), query.format, query)


def _stats(walk: _Walk, query: Query) -> Encoded:
    content = DatasetContent(query.path, _dataset(walk, query, query.max_bytes))
    return _encoded(content.data_stats(query.selection), "json", query)


def _paths(walk: _Walk, query: Query) -> Encoded:
    entity, _ = walk.find(query.path)
    if not isinstance(entity, h5py.Group):
        raise _Refusal(422, f"{query.path} is no group")
    names = [query.path]

    def take(name: bytes) -> None:
        if len(names) >= MAX_NAMES:
            raise _Refusal(413, f"{query.path} has more than {MAX_NAMES} members: ask for a group in it")
        names.append(hdf_path_join(query.path, name.decode()))

    entity.id.links.visit(take)
    return _encoded(names, "json", query)


def _meta(walk: _Walk, query: Query) -> Encoded:
    mode = parse_link_resolution_arg(query.resolve_links, LinkResolution.ONLY_VALID)
    found = _described(walk, query.path, mode)
    if isinstance(found, h5py.Group):
        metadata = dict(GroupContent(query.path, found, None).metadata(depth=0))
        names = list(found)
        if len(names) > MAX_NAMES:
            raise _Refusal(413, f"{query.path} has more than {MAX_NAMES} members")
        children = []
        for name in names:
            child = hdf_path_join(query.path, name)
            try:
                # Straight to the member, where no link has to be followed: groups have thousands of them.
                plain = isinstance(_link(found, name), h5py.HardLink)
                member = found[name] if plain else _described(walk, child, LinkResolution.ONLY_VALID)
                children.append(_metadata(child, member))
            except _Unknown:
                continue  # collect all before asking
        if walk.needed:
            raise _Unknown
        return _encoded({**metadata, "children": children}, "json", query)
    return _encoded(_metadata(query.path, found), "json", query)


def _preview(walk: _Walk, query: Query) -> Encoded:
    def find(path: str) -> Any:
        try:
            entity, file = walk.find(path)
            if isinstance(entity, h5py.Dataset):
                walk.vet(entity, file)
        except _NotFound:
            return None
        return entity

    plot = preview.default_plot(find, query.path)
    if plot is None:
        raise _NotFound("the file names nothing to plot (NeXus: @default, @signal)")
    return _encoded(plot, "json", query)


_OPERATIONS = {
    "attr": _attr,
    "data": _data,
    "meta": _meta,
    "paths": _paths,
    "preview": _preview,
    "stats": _stats,
}


def _described(walk: _Walk, path: str, mode: LinkResolution) -> Entity | h5py.SoftLink | h5py.ExternalLink:
    """The entity at `path`, or its link if that is not to be, or cannot be, followed."""
    parent, _, name = path.rstrip("/").rpartition("/")
    link = _link(walk.find(parent)[0], name) if name else None
    followed = isinstance(link, h5py.SoftLink | h5py.ExternalLink)
    if followed and mode is LinkResolution.NONE:
        return link
    try:
        return walk.find(path)[0]
    except _NotFound:
        if followed and mode is LinkResolution.ONLY_VALID:
            return link
        raise


def _metadata(path: str, found: Entity | h5py.SoftLink | h5py.ExternalLink) -> dict[str, Any]:
    if isinstance(found, h5py.ExternalLink):
        return dict(ExternalLinkContent(path, found).metadata())
    if isinstance(found, h5py.SoftLink):
        return dict(SoftLinkContent(path, found).metadata())
    return dict(_content(path, found).metadata(depth=0))


def _content(path: str, entity: Entity) -> Any:
    if isinstance(entity, h5py.Dataset):
        return DatasetContent(path, entity)
    if isinstance(entity, h5py.Group):
        return GroupContent(path, entity, None)
    return DatatypeContent(path, entity)


def _dataset(walk: _Walk, query: Query, max_bytes: int) -> h5py.Dataset:
    dataset, file = walk.find(query.path)
    if not isinstance(dataset, h5py.Dataset):
        raise _Refusal(422, f"{query.path} is no dataset")
    walk.vet(dataset, file)
    size = _selected_items(dataset, query.selection) * dataset.dtype.itemsize
    if size > max_bytes:
        raise _Refusal(
            413,
            f"the selection has {size} bytes, the most is {max_bytes} (more as format=bin than as text):"
            " select a smaller part with `selection`, or download the file",
        )
    return dataset


def _selected_items(dataset: h5py.Dataset, selection: str | None) -> int:
    if dataset.shape is None:
        return 0
    members = parse_slice(selection) if selection else ()
    if len(members) > dataset.ndim:
        raise _Refusal(422, f"selection={selection}: the dataset has {dataset.ndim} dimensions")
    counts = [
        len(range(*member.indices(length))) if isinstance(member, slice) else 1
        for member, length in zip(members, dataset.shape, strict=False)
    ]
    return int(np.prod([*counts, *dataset.shape[len(members) :]], dtype=object))


def _encoded(content: Any, encoding: str, query: Query) -> Encoded:
    if encoding == "json":
        body = orjson_encode(content, _jsonable)
        response = Response(body, headers={"Content-Type": "application/json"})
    else:
        response = encode(content, encoding)
    if len(response.content) > query.max_bytes:
        raise _Refusal(413, f"the answer has {len(response.content)} bytes: select a smaller part")
    return Encoded(response.content, response.headers)


def _jsonable(value: Any) -> Any:
    """What h5grove makes of a value, but strings of older files are Latin-1, mostly in units: °C, Å."""
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return value.decode("latin-1")
    return orjson_default(value)


def _link(group: Entity, name: str) -> Any:
    if not isinstance(group, h5py.Group):
        return None
    return group.get(name, getlink=True)


def _components(path: str) -> list[str]:
    return [part for part in path.split("/") if part not in ("", ".")]
