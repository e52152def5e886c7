"""A preview as a picture: an SVG of fixed size, for pages that show data without running a script."""

import base64
import struct
import zlib
from collections.abc import Mapping
from typing import Any, NamedTuple
from xml.sax.saxutils import escape

import numpy as np
from numpy.typing import NDArray

MEDIA_TYPE = "image/svg+xml"
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
"""The Content-Security-Policy of a picture that is opened by itself."""
WIDTH, HEIGHT = 640, 400
_LEFT, _RIGHT, _TOP, _BOTTOM = 76, 16, 34, 50
_SLENDER = 4
"""How many times longer than wide an image may be and still be drawn true to scale."""
_TICKS = 6
# Viridis at five places: https://bids.github.io/colormap/
_COLOURS = np.array([[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]], dtype=float)
_OUTLIERS = (1, 99)
"""Percentiles between which an image's colours run: single hot pixels would leave the rest dark."""


class _Box(NamedTuple):
    """Edges of the area in which the data are drawn."""

    left: float = _LEFT
    top: float = _TOP
    right: float = WIDTH - _RIGHT
    bottom: float = HEIGHT - _BOTTOM


def svg(plot: Mapping[str, Any]) -> str:
    """The picture of what `preview.default_plot` gives: a curve, or an image with its first row on top."""
    values = _numbers(plot["values"])
    axes = plot["axes"]
    name = _label(str(plot["path"]).rpartition("/")[2], plot["units"])
    box = _Box()
    if values.ndim == 1:
        across = _scale(axes[0], values.shape[0])
        body = _curve(across, values)
        labels = (_axis_label(axes[0]), name)
        x, y = _range(across), _range(values)
    else:
        labels = (_axis_label(axes[1]), _axis_label(axes[0]))
        x, y = (_span(_scale(axes[n], values.shape[n])) for n in (1, 0))
        box = _true_to_scale(plot, x, y)
        body = _image(values, box)
        y = (y[1], y[0])
    title = plot["title"] or name
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'width="{WIDTH}" height="{HEIGHT}" font-family="sans-serif" font-size="13" fill="#1b2330">'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>'
        f'<text x="{WIDTH / 2}" y="22" text-anchor="middle" font-weight="bold">{_text(title, 70)}</text>'
        f"{body}{_frame(x, y, box)}"
        f'<text x="{(box.left + box.right) / 2:.1f}" y="{box.bottom + 40:.1f}" text-anchor="middle">'
        f"{_text(labels[0], 60)}</text>"
        f'<text transform="translate({box.left - 60:.1f} {(box.top + box.bottom) / 2:.1f}) rotate(-90)" '
        'text-anchor="middle">'
        f"{_text(labels[1], 40)}</text></svg>"
    )


def _numbers(values: Any) -> NDArray[np.float64]:
    """The values as numbers; those of which differences would overflow are unknown."""
    numbers = np.asarray(values, dtype=float)
    return np.where(np.abs(numbers) < 1e300, numbers, np.nan)


def _scale(axis: Mapping[str, Any] | None, length: int) -> NDArray[np.float64]:
    """Positions along a dimension: those of its axis, the middles of its bins, else the numbers from 0."""
    if axis is None or np.asarray(axis["values"]).dtype.kind not in "iuf":
        return np.arange(length, dtype=float)
    values = _numbers(axis["values"])
    return values if len(values) == length else (values[:-1] + values[1:])[:length] / 2


def _curve(across: NDArray[np.float64], values: NDArray[np.float64]) -> str:
    known = np.isfinite(across) & np.isfinite(values)
    x = _placed(across[known], _range(across), _LEFT, WIDTH - _RIGHT)
    y = _placed(values[known], _range(values), HEIGHT - _BOTTOM, _TOP)
    points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
    return f'<polyline fill="none" stroke="#0b5c8a" stroke-width="1.5" points="{points}"/>'


def _true_to_scale(plot: Mapping[str, Any], x: tuple[float, float], y: tuple[float, float]) -> _Box:
    """Where an image is drawn: a detector's pixels as squares, two axes of one unit to one scale."""
    whole, axes = _Box(), plot["axes"]
    if axes[0] is None and axes[1] is None:
        height, width = plot["shape"][-2:]
    elif axes[0] and axes[1] and axes[0]["units"] and axes[0]["units"] == axes[1]["units"]:
        width, height = abs(x[1] - x[0]), abs(y[1] - y[0])
    else:
        return whole
    if not 1 / _SLENDER <= width / height <= _SLENDER:
        return whole
    scale = min((whole.right - whole.left) / width, (whole.bottom - whole.top) / height)
    left = (whole.left + whole.right - width * scale) / 2
    return _Box(left, whole.top, left + width * scale, whole.top + height * scale)


def _image(values: NDArray[np.float64], box: _Box) -> str:
    known = values[np.isfinite(values)]
    low, high = np.percentile(known, _OUTLIERS) if known.size else (0.0, 1.0)
    level = np.nan_to_num((values - low) / ((high - low) or 1.0)).clip(0, 1)
    places = np.linspace(0, 1, len(_COLOURS))
    colours = np.stack([np.interp(level, places, channel) for channel in _COLOURS.T], axis=-1).astype(
        np.uint8
    )
    data = base64.b64encode(_png(colours)).decode()
    return (
        f'<image x="{box.left:.1f}" y="{box.top:.1f}" width="{box.right - box.left:.1f}" '
        f'height="{box.bottom - box.top:.1f}" preserveAspectRatio="none" '
        f'style="image-rendering:pixelated" href="data:image/png;base64,{data}"/>'
    )


def _png(pixels: NDArray[np.uint8]) -> bytes:
    """8-bit RGB as PNG, every row unfiltered (https://www.w3.org/TR/png-3/)."""
    height, width, _ = pixels.shape

    def chunk(kind: bytes, content: bytes) -> bytes:
        checksum = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)

    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def _frame(x: tuple[float, float], y: tuple[float, float], box: _Box) -> str:
    left, top, right, bottom = box
    parts = [
        f'<rect x="{left:.1f}" y="{top:.1f}" width="{right - left:.1f}" height="{bottom - top:.1f}" '
        'fill="none" stroke="#566074"/>'
    ]
    for value in _ticks(x):
        (place,) = _placed(np.array([value]), x, left, right)
        parts.append(f'<path d="M{place:.1f} {bottom:.1f}v5" stroke="#566074"/>')
        parts.append(f'<text x="{place:.1f}" y="{bottom + 18:.1f}" text-anchor="middle">{value:.4g}</text>')
    for value in _ticks(y):
        (place,) = _placed(np.array([value]), y, bottom, top)
        parts.append(f'<path d="M{left:.1f} {place:.1f}h-5" stroke="#566074"/>')
        parts.append(f'<text x="{left - 8:.1f}" y="{place + 4:.1f}" text-anchor="end">{value:.4g}</text>')
    return "".join(parts)


def _ticks(span: tuple[float, float]) -> list[float]:
    """Round numbers within the span, `_TICKS` at most."""
    low, high = min(span), max(span)
    rough = (high - low) / _TICKS
    power = 10.0 ** np.floor(np.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)
    first = np.ceil(low / step) * step
    return [float(first + number * step) + 0.0 for number in range(int((high - first) / step + 1e-9) + 1)]


def _range(values: NDArray[np.float64]) -> tuple[float, float]:
    """Least and greatest known value, some way apart in any case."""
    known = values[np.isfinite(values)]
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
    if high - low <= abs(low) * 1e-12:
        gap = abs(low) / 2 or 0.5
        return low - gap, high + gap
    return low, high


def _span(scale: NDArray[np.float64]) -> tuple[float, float]:
    """First and last position, in this order, some way apart."""
    first, last = float(scale[0]), float(scale[-1])
    return (first, last) if np.isfinite([first, last]).all() and first != last else (0.0, float(len(scale)))


def _placed(
    values: NDArray[np.float64], span: tuple[float, float], begin: float, end: float
) -> NDArray[np.float64]:
    return begin + (values - span[0]) / (span[1] - span[0]) * (end - begin)


def _axis_label(axis: Mapping[str, Any] | None) -> str:
    return _label(axis["name"], axis["units"]) if axis else ""


def _label(name: str, units: str | None) -> str:
    return f"{name} ({units})" if units else name


def _text(text: str, most: int) -> str:
    """The text as SVG can hold it."""
    shown = "".join(one for one in text if one.isprintable())
    return escape(shown if len(shown) <= most else f"{shown[: most - 1]}…")
