"""Filters as they come in a URL: JSON, or LoopBack's `filter[where][title]=x`."""

import re
from typing import Any
from urllib.parse import unquote_to_bytes

import orjson
from starlette.datastructures import QueryParams

from panosc_catalogue.query.errors import FilterError

MAX_LENGTH = 65536
"""Characters of one filter."""
MAX_PARTS = 32
"""Brackets behind one name."""
MAX_LEVELS = 64
"""Objects and lists within each other; what reads them goes as deep."""

_PATH = re.compile(r"\[([^\[\]]*)\]")


def read(query: QueryParams, name: str) -> Any:
    """The value of parameter `name` (None if it is absent).

    Raises FilterError.
    """
    tree: dict[str, Any] | None = None
    for key, text in query.multi_items():
        if len(text) > MAX_LENGTH:
            raise FilterError(
                f"{key[:64]} has {len(text)} characters, but may have {MAX_LENGTH}: split the request"
            )
        if key == name and text.strip():
            return decode(text, name)
        if key.startswith(f"{name}["):
            path = _PATH.findall(key[len(name) :])
            if "".join(f"[{part}]" for part in path) != key[len(name) :] or len(path) > MAX_PARTS:
                raise FilterError(f'the parameter "{key[:64]}" is not of the form {name}[key]=value')
            tree = {} if tree is None else tree
            _insert(tree, path, _leaf(text, name), key)
    return None if tree is None else _lists(tree)


def check_encoding(raw: bytes) -> None:
    """Refuse a query string that is no UTF-8: what a lenient decoder makes of it was never meant.

    Raises FilterError.
    """
    try:
        unquote_to_bytes(raw).decode()
    except UnicodeDecodeError as error:
        wrong = raw.decode("ascii", "backslashreplace")[:64]
        raise FilterError(
            f'the query string "{wrong}" is not UTF-8 from byte {error.start} of what it says on: '
            "percent-encode it as UTF-8"
        ) from error


def decode(text: str, name: str) -> Any:
    """The JSON document `text`."""
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        shown = text if len(text) <= 64 else text[:63] + "…"
        raise FilterError(
            f'{name} is no JSON: {error}; it is {shown!r}, and should be as {{"limit": 10}}'
        ) from error
    _check_depth(document, name)
    return document


def _check_depth(document: Any, name: str) -> None:
    level = [document]
    for _ in range(MAX_LEVELS):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
    if level:
        raise FilterError(f"{name} is nested more than {MAX_LEVELS} levels deep: nest less")


def _leaf(text: str, name: str) -> Any:
    return decode(text, name) if text[:1] in ("{", "[") else text


def _insert(tree: dict[str, Any], path: list[str], value: Any, key: str) -> None:
    for part in path[:-1]:
        tree = tree.setdefault(part, {})
        if not isinstance(tree, dict):
            raise FilterError(f'the parameter "{key[:64]}" contradicts another one: give each once')
    last = path[-1] or str(len(tree))
    if last in tree:
        raise FilterError(f'the parameter "{key[:64]}" contradicts another one: give each once')
    tree[last] = value


def _lists(tree: Any) -> Any:
    """The tree with objects whose keys are 0, 1, 2 … as lists."""
    if not isinstance(tree, dict):
        return tree
    values = {key: _lists(value) for key, value in tree.items()}
    if values and sorted(values) == sorted(str(index) for index in range(len(values))):
        return [values[str(index)] for index in range(len(values))]
    return values
