"""What a NeXus file says should be plotted, thinned out to the size of a screen.

NeXus since 2014: `@default` leads from the root over an NXentry to an NXdata, whose `@signal` names the data
and `@axes` their scales. Before: a dataset in an NXdata has the attribute `signal=1`.
"""

from collections.abc import Callable
from typing import Any

import h5py
import numpy as np

MAX_POINTS = 2000
MAX_PIXELS = 256
MAX_DEPTH = 8

Find = Callable[[str], Any]
"""From a path to its group or dataset, or None if it is absent or may not be read."""


def default_plot(find: Find, path: str) -> dict[str, Any] | None:
    """The data to plot for the file or group at `path`, or None if nothing is named.

    Curves have `MAX_POINTS` points at most, images `MAX_PIXELS` along each side; of data with more dimensions
    the middle image is taken. `selection` tells what was taken of `shape`, in NumPy's notation.
    """
    group = _plottable(find, path)
    if group is None:
        return None
    signal_path = _signal(find, group)
    if signal_path is None:
        return None
    signal = find(signal_path)
    if not isinstance(signal, h5py.Dataset) or not signal.shape or signal.dtype.kind not in "iufb":
        return None
    selection = _selection(signal.shape)
    return {
        "path": signal_path,
        "shape": signal.shape,
        "selection": ",".join(_text(part) for part in selection),
        "values": np.asarray(signal[selection]),
        "units": _string(signal.attrs.get("units")),
        "title": _string(find(group).attrs.get("title")) or _title(find, group),
        "axes": _axes(find, group, signal, selection),
    }


def _plottable(find: Find, path: str) -> str | None:
    current = path.rstrip("/")
    for _ in range(MAX_DEPTH):
        group = find(current or "/")
        if not isinstance(group, h5py.Group):
            return None
        if _string(group.attrs.get("NX_class")) == "NXdata":
            return current
        name = _string(group.attrs.get("default")) or _first_of_interest(find, current, group)
        if name is None:
            return None
        current = f"{current}/{name}"
    return None


def _first_of_interest(find: Find, path: str, group: h5py.Group) -> str | None:
    """Where no default is named: the first NXdata that has a signal, else the first NXentry."""
    classes = {}
    for name in group:
        child = find(f"{path}/{name}")
        if isinstance(child, h5py.Group):
            classes[name] = _string(child.attrs.get("NX_class"))
    for name, kind in classes.items():
        if kind == "NXdata" and _signal(find, f"{path}/{name}"):
            return str(name)
    return next((name for name, kind in classes.items() if kind in ("NXentry", "NXsubentry")), None)


def _signal(find: Find, group: str) -> str | None:
    found = find(group)
    name = _string(found.attrs.get("signal"))
    if name is not None:
        return f"{group}/{name}"
    for name in found:
        child = find(f"{group}/{name}")
        if isinstance(child, h5py.Dataset) and _string(child.attrs.get("signal")) == "1":
            return f"{group}/{name}"
    return None


def _selection(shape: tuple[int, ...]) -> tuple[int | slice, ...]:
    most = MAX_POINTS if len(shape) == 1 else MAX_PIXELS
    middle = tuple(length // 2 for length in shape[:-2])
    return middle + tuple(slice(0, length, max(1, -(-length // most))) for length in shape[-2:])


def _axes(find: Find, group: str, signal: h5py.Dataset, selection: tuple[int | slice, ...]) -> list[Any]:
    """For each dimension that is left: name, units and values of its scale, or None."""
    named: Any = find(group).attrs.get("axes", signal.attrs.get("axes", ()))
    single = _string(named)
    # Before 2014 one string held all names: "[x,y]" or "x:y".
    names = single.strip("[]").replace(":", ",").split(",") if single else [_string(name) for name in named]
    axes: list[Any] = []
    for dimension, part in enumerate(selection):
        if not isinstance(part, slice):
            continue
        name = names[dimension] if dimension < len(names) else None
        scale = find(f"{group}/{name}") if name not in (None, "", ".") else None
        length = signal.shape[dimension]
        if not isinstance(scale, h5py.Dataset) or scale.shape not in ((length,), (length + 1,)):
            axes.append(None)
            continue
        values = np.asarray(scale[slice(0, length, part.step)])
        axes.append({"name": name, "units": _string(scale.attrs.get("units")), "values": values})
    return axes


def _title(find: Find, group: str) -> str | None:
    title = find(f"{group}/title")
    return _string(title[()]) if isinstance(title, h5py.Dataset) and title.shape == () else None


def _text(part: int | slice) -> str:
    return f"{part.start}:{part.stop}:{part.step}" if isinstance(part, slice) else str(part)


def _string(value: Any) -> str | None:
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.reshape(-1)[0]
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return str(value) if isinstance(value, str | int | np.integer) else None
