"""From a path in a URL to a file below the root, and nowhere else.

Two steps, because links inside the tree are legitimate and links out of it are not: `resolve` finds the real
path, whose visibility is then asked; `open_beneath` opens exactly that path without following any link, so
that a link swapped in between leads to an error and never to another file.
"""

import os
import stat
from pathlib import Path
from urllib.parse import quote, unquote_to_bytes


class NotBeneath(Exception):
    """The path names nothing that may be served: outside the root, malformed, or not there."""


def decode(raw: str) -> str:
    """The archive path that a percent-encoded URL path means; '' is the root.

    Raises NotBeneath for what no file of the archive is called: `.` and `..`, empty components, encoded
    slashes, NUL, bytes that are no UTF-8.
    """
    components = []
    for part in raw.removesuffix("/").split("/") if raw not in ("", "/") else []:
        try:
            component = unquote_to_bytes(part).decode()
        except UnicodeDecodeError as error:
            raise NotBeneath("the path is not UTF-8") from error
        components.append(component)
    for component in components:
        if component in ("", ".", "..") or "/" in component or "\0" in component:
            raise NotBeneath("the path is malformed")
    return "/".join(components)


def check(path: str) -> str:
    """`path` itself if it is a well-formed archive path as `decode` gives; NotBeneath otherwise."""
    if path and any(part in ("", ".", "..") or "\0" in part for part in path.split("/")):
        raise NotBeneath("the path is malformed")
    return path


def encode(path: str) -> str:
    """The archive path as a percent-encoded URL path."""
    return quote(path, safe="/")


def resolve(root: Path, path: str) -> str:
    """The real path of `path`, relative to the root, after all links.

    Raises NotBeneath if it does not exist, cannot be reached, or lies outside the root.
    """
    base = os.path.realpath(root)
    try:
        real = os.path.realpath(os.path.join(base, path), strict=True)
    except (OSError, ValueError) as error:
        raise NotBeneath("there is no such file") from error
    if real == base:
        return ""
    if not real.startswith(base + "/"):
        raise NotBeneath("the path leads out of the archive")
    relative = real[len(base) + 1 :]
    try:
        relative.encode()
    except UnicodeEncodeError as error:
        raise NotBeneath("the name is not UTF-8") from error
    return relative


def open_beneath(root: Path, path: str) -> int:
    """A descriptor of the regular file or directory at the real path `path`; no link is followed.

    Raises NotBeneath if it went away, was replaced by a link, or is a pipe, socket or device; PermissionError
    or another OSError if it is there and cannot be read.
    """
    check(path)
    current = os.open(root, os.O_PATH | os.O_DIRECTORY)
    try:
        *parents, name = path.split("/") if path else ["."]
        for parent in parents:
            child = os.open(parent, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=current)
            os.close(current)
            current = child
        # O_NONBLOCK: opening a pipe must not wait for its writer.
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=current)
    except PermissionError:
        raise
    except OSError as error:
        raise NotBeneath("there is no such file") from error
    finally:
        os.close(current)
    mode = os.fstat(descriptor).st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        os.close(descriptor)
        raise NotBeneath("this is neither a file nor a directory")
    return descriptor
