"""NeXus files as tests need them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py


def group(parent: h5py.Group, name: str, nx_class: str) -> h5py.Group:
    made = parent.create_group(name)
    made.attrs["NX_class"] = nx_class
    return made


@contextmanager
def entry(path: Path, **fields: Any) -> Iterator[h5py.Group]:
    """A file with one entry of these fields, to be filled further."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        made = group(file, "entry", "NXentry")
        for name, value in fields.items():
            made[name] = value
        yield made


def measurement(path: Path, **fields: Any) -> Path:
    """A complete small file: an X-ray SAXS measurement that ended long ago."""
    defaults: dict[str, Any] = {
        "definition": "NXsas",
        "title": "Silica",
        "start_time": "2020-01-01T10:00:00Z",
        "end_time": "2020-01-01T11:00:00Z",
    }
    with entry(path, **{**defaults, **fields}) as made:
        instrument = group(made, "instrument", "NXinstrument")
        instrument["name"] = "BM29"
        group(instrument, "source", "NXsource")["probe"] = "x-ray"
        group(made, "sample", "NXsample")["name"] = "silica"
        group(made, "user", "NXuser")["name"] = "Ada Lovelace"
    return path
