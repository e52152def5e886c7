"""HDF5 values as text, numbers and instants, whatever way a writer chose to store them."""

import math
import re
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import h5py
import numpy as np

READ_ERRORS = (
    OSError,
    RuntimeError,
    KeyError,
    ValueError,
    TypeError,
    OverflowError,
    UnicodeError,
    MemoryError,
)
"""What h5py raises for objects and values that it cannot read, or not within the memory that there is."""

MAX_TEXT = 10_000
"""Characters that are kept of a text."""
MAX_ELEMENTS = 64
"""Elements of a text array that are read."""

_FORMATS = (
    "%Y/%m/%d %H:%M:%S",
    "%d-%b-%Y %H:%M:%S",
    "%d %b %Y %H:%M:%S",
    "%d/%m/%Y %H:%M:%S",
    "%d.%m.%Y %H:%M:%S",
    "%a %b %d %H:%M:%S %Y",
    "%a %d %b %Y %H:%M:%S",
    "%b %d %Y %H:%M:%S",
    "%d-%b-%Y",
)
_ZONE = re.compile(r"\s+(Z|UTC|GMT|[+-]\d{2}:?\d{2})$")
_EARLIEST = datetime(1970, 1, 2, tzinfo=UTC)


def text(value: Any) -> str | None:
    """The text in a value as h5py returned it: str, bytes in UTF-8 or Latin-1, array of either."""
    if isinstance(value, h5py.Empty):
        return None
    if isinstance(value, np.ndarray):
        parts = dict.fromkeys(part for item in value.flat[:MAX_ELEMENTS] if (part := text(item)))
        return ", ".join(parts) or None
    if isinstance(value, str):
        # h5py keeps bytes that are no UTF-8 as lone surrogates.
        value = value.encode("utf-8", "surrogateescape")
    if not isinstance(value, bytes):
        return None
    try:
        decoded = value.decode("utf-8")
    except UnicodeDecodeError:
        decoded = value.decode("latin-1")
    return decoded.split("\0", 1)[0].strip()[:MAX_TEXT] or None


def dataset_text(dataset: h5py.Dataset) -> str | None:
    """The text that a dataset holds itself; None if it holds something else, or too much."""
    is_text = dataset.dtype.kind == "S" or h5py.check_string_dtype(dataset.dtype) is not None
    if not is_text or dataset.size is None or dataset.size > MAX_ELEMENTS or _lies_elsewhere(dataset):
        return None
    return text(dataset[()])


def dataset_number(dataset: h5py.Dataset) -> float | None:
    """The finite number that a dataset of one element holds itself."""
    if dataset.dtype.kind not in "iuf" or dataset.size != 1 or _lies_elsewhere(dataset):
        return None
    value = float(np.asarray(dataset[()]).reshape(-1)[0])
    return value if math.isfinite(value) else None


def _lies_elsewhere(dataset: h5py.Dataset) -> bool:
    """Whether the values are another file's: this one could name any that the process can read."""
    return bool(dataset.is_virtual or dataset.external)


def attribute(holder: h5py.HLObject, name: str) -> str | None:
    """The text of an attribute; None if there is none or it cannot be read."""
    try:
        return text(holder.attrs[name]) if name in holder.attrs else None
    except READ_ERRORS:
        return None


def unit(dataset: h5py.Dataset) -> str | None:
    """The unit of a number; the placeholders of the NeXus definitions are none."""
    found = attribute(dataset, "units")
    return None if found is None or found.startswith("NX_") else found


def instant(value: str | None) -> datetime | None:
    """The instant that a text in one of the usual notations names; UTC where no zone is given.

    Times before 1970 or in the future come from clocks that were not set, and are none.
    """
    if not value:
        return None
    parsed = next(iter(_readings(_ZONE.sub(r"\1", value.strip()))), None)
    if parsed is None:
        return None
    try:
        parsed = (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).astimezone(UTC)
    except OverflowError:
        return None
    return parsed if _EARLIEST <= parsed <= datetime.now(UTC) + timedelta(days=1) else None


def _readings(value: str) -> Iterable[datetime]:
    with suppress(ValueError):
        yield datetime.fromisoformat(value.replace("GMT", "Z").replace("UTC", "Z"))
    plain = value.replace(",", " ").split(".")[0] if value.count(".") == 1 else value.replace(",", " ")
    for pattern in _FORMATS:
        for zone in ("", "%z"):
            with suppress(ValueError):
                yield datetime.strptime(" ".join(plain.split()), pattern + zone)
