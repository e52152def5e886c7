"""Reading HDF5 files for the `/hdf5` routes: h5grove's protocol, without HDF5's own way through links.

Runs in worker processes. A file that is reached through a link is read only if it is among those that the
caller has allowed; if it is not known yet, the answer is `Foreign`, and the caller asks about it and comes
again.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

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

from panosc_archive import picture, preview
from panosc_archive.links import Entity, NotFound, Refusal, Unknown, Walk, link_at

MAX_NAMES = 100_000
TEXT_GROWTH = 8
"""Times by which data may grow when they are written as text: so much less of them may be asked for."""
TEXT_FORMATS = frozenset({"json", "csv"})


@dataclass(frozen=True, slots=True)
class Query:
    """What to read. `allowed` and `denied` are real paths of other files that links may lead to."""

    root: Path
    file: str
    """Real path of the file, relative to the root; it may be read."""
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


def answer(query: Query) -> Encoded | Foreign | Refused:
    """Read what is asked for."""
    try:
        with Walk(query.root, query.file, query.allowed, query.denied) as walk:
            try:
                encoded = _OPERATIONS[query.operation](walk, query)
                walk.check_opened(query.path)
                return encoded
            except Unknown:
                return Foreign(frozenset(walk.needed))
    except NotFound as error:
        return Refused(404, str(error))
    except Refusal as error:
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


def _attr(walk: Walk, query: Query) -> Encoded:
    entity, _ = walk.find(query.path)
    return _encoded(_content(query.path, entity).attributes(query.attribute_keys or None), "json", query)


def _data(walk: Walk, query: Query) -> Encoded:
    limit = query.max_bytes // TEXT_GROWTH if query.format in TEXT_FORMATS else query.max_bytes
    content = DatasetContent(query.path, _dataset(walk, query, limit))
    return _encoded(content.data(query.selection, query.flatten, query.dtype), query.format, query)


def _stats(walk: Walk, query: Query) -> Encoded:
    content = DatasetContent(query.path, _dataset(walk, query, query.max_bytes))
    return _encoded(content.data_stats(query.selection), "json", query)


def _paths(walk: Walk, query: Query) -> Encoded:
    entity, _ = walk.find(query.path)
    if not isinstance(entity, h5py.Group):
        raise Refusal(422, f"{query.path} is no group")
    names = [query.path]

    def take(name: bytes) -> None:
        if len(names) >= MAX_NAMES:
            raise Refusal(413, f"{query.path} has more than {MAX_NAMES} members: ask for a group in it")
        names.append(hdf_path_join(query.path, name.decode()))

    entity.id.links.visit(take)
    return _encoded(names, "json", query)


def _meta(walk: Walk, query: Query) -> Encoded:
    mode = parse_link_resolution_arg(query.resolve_links, LinkResolution.ONLY_VALID)
    found, file = _described(walk, query.path, mode)
    if isinstance(found, h5py.Group):
        metadata = dict(GroupContent(query.path, found, None).metadata(depth=0))
        names = list(found)
        if len(names) > MAX_NAMES:
            raise Refusal(413, f"{query.path} has more than {MAX_NAMES} members")
        children = []
        for name in names:
            child = hdf_path_join(query.path, name)
            try:
                # Straight to the member, where no link has to be followed: groups have thousands of them.
                plain = isinstance(link_at(found, name), h5py.HardLink)
                member, place = (
                    (found[name], file) if plain else _described(walk, child, LinkResolution.ONLY_VALID)
                )
                children.append(_metadata(walk, child, member, place))
            except Unknown:
                continue  # collect all before asking
            except NotFound:
                continue  # a virtual dataset of unknown shape
        if walk.needed:
            raise Unknown
        return _encoded({**metadata, "children": children}, "json", query)
    return _encoded(_metadata(walk, query.path, found, file), "json", query)


def _preview(walk: Walk, query: Query) -> Encoded:
    def find(path: str) -> Any:
        try:
            entity, file = walk.find(path)
            if isinstance(entity, h5py.Dataset):
                walk.vet(entity, file)
        except NotFound:
            return None
        return entity

    plot = preview.default_plot(find, query.path)
    if plot is None:
        raise NotFound("the file names nothing to plot (NeXus: @default, @signal)")
    if query.format == "svg":
        headers = {"Content-Type": picture.MEDIA_TYPE, "Content-Security-Policy": picture.POLICY}
        return Encoded(picture.svg(plot).encode(), headers)
    return _encoded(plot, "json", query)


_OPERATIONS = {
    "attr": _attr,
    "data": _data,
    "meta": _meta,
    "paths": _paths,
    "preview": _preview,
    "stats": _stats,
}


def _described(
    walk: Walk, path: str, mode: LinkResolution
) -> tuple[Entity | h5py.SoftLink | h5py.ExternalLink, str]:
    """The entity at `path`, or its link if that is not to be, or cannot be, followed; and its file."""
    parent, _, name = path.rstrip("/").rpartition("/")
    group, file = walk.find(parent)
    link = link_at(group, name) if name else None
    followed = isinstance(link, h5py.SoftLink | h5py.ExternalLink)
    if followed and mode is LinkResolution.NONE:
        return link, file
    try:
        return walk.find(path)
    except NotFound:
        if followed and mode is LinkResolution.ONLY_VALID:
            return link, file
        raise


def _metadata(
    walk: Walk, path: str, found: Entity | h5py.SoftLink | h5py.ExternalLink, file: str
) -> dict[str, Any]:
    if isinstance(found, h5py.ExternalLink):
        return dict(ExternalLinkContent(path, found).metadata())
    if isinstance(found, h5py.SoftLink):
        return dict(SoftLinkContent(path, found).metadata())
    if isinstance(found, h5py.Dataset) and _grows_with_sources(found):
        walk.vet(found, file)
    return dict(_content(path, found).metadata(depth=0))


def _grows_with_sources(dataset: h5py.Dataset) -> bool:
    """Whether HDF5 opens the sources of a virtual dataset to tell its shape."""
    return dataset.is_virtual and any(
        h5py.h5s.UNLIMITED in source.vspace.get_simple_extent_dims(True)
        for source in dataset.virtual_sources()
    )


def _content(path: str, entity: Entity) -> Any:
    if isinstance(entity, h5py.Dataset):
        return DatasetContent(path, entity)
    if isinstance(entity, h5py.Group):
        return GroupContent(path, entity, None)
    return DatatypeContent(path, entity)


def _dataset(walk: Walk, query: Query, max_bytes: int) -> h5py.Dataset:
    dataset, file = walk.find(query.path)
    if not isinstance(dataset, h5py.Dataset):
        raise Refusal(422, f"{query.path} is no dataset")
    walk.vet(dataset, file)
    size = _selected_items(dataset, query.selection) * dataset.dtype.itemsize
    if size > max_bytes:
        raise Refusal(
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
        raise Refusal(422, f"selection={selection}: the dataset has {dataset.ndim} dimensions")
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
        raise Refusal(413, f"the answer has {len(response.content)} bytes: select a smaller part")
    return Encoded(response.content, response.headers)


def _jsonable(value: Any) -> Any:
    """What h5grove makes of a value, but strings of older files are Latin-1, mostly in units: °C, Å."""
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return value.decode("latin-1")
    return orjson_default(value)
