"""What requests say, by the resumable upload protocol tus 1.0.0: pure."""

import base64
import binascii
import hashlib
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

from panosc_common.problem import Problem

from panosc_archive import paths

VERSION = "1.0.0"
EXTENSIONS = "creation,checksum,expiration,termination"
ALGORITHMS = ("sha1", "sha256")
"""Of the checksum that a request may have; the protocol demands the first."""
METHODS = ("HEAD", "OPTIONS", "PATCH", "POST", "DELETE")
CONTENT_TYPE = "application/offset+octet-stream"
MAX_LENGTH = 2**63 - 1
MAX_NAMES = 32
"""Folders of a path, and its file."""
_UNSEEN = {"Cc", "Cf", "Zl", "Zp"}
MAX_NAME_BYTES, MAX_PATH_BYTES = 255, 4095
"""What Linux takes."""
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_REMEDY = "`path` (where in the archive it goes) and `sha256` (in hexadecimal), each value in Base64"


class Mismatch(Problem):
    """Bytes that are others than announced; the protocol's own status."""

    def __init__(self, detail: str) -> None:
        super().__init__(460, detail, title="Checksum Mismatch")


@dataclass(frozen=True)
class Announced:
    """A file that somebody wants to send."""

    path: str
    length: int
    sha256: str
    metadata: str
    """As it was given, for the client to have back."""


def check_version(headers: Mapping[str, str]) -> None:
    """Raise Problem (412) for another version of the protocol."""
    given = headers.get("tus-resumable")
    if given != VERSION:
        raise Problem(
            412,
            f"Tus-Resumable is {given!r}, but must be {VERSION}: use a client of that, as `panosc put` is",
            headers={"Tus-Version": VERSION},
        )


def announced(headers: Mapping[str, str], proposal_directory: int, max_bytes: int) -> Announced:
    """The file that a request wants to create. Raises Problem."""
    length = _number(headers, "Upload-Length")
    if length > max_bytes:
        raise Problem(
            413,
            f"Upload-Length is {length}, but a file may have {max_bytes} bytes at most: send it in parts, or "
            "have whoever runs the archive raise spec.uploads.maxFileSize",
        )
    metadata = headers.get("upload-metadata", "")
    given = _metadata(metadata)
    if not {"path", "sha256"} <= given.keys():
        raise Problem(400, f"Upload-Metadata must have {_REMEDY}")
    if not _SHA256.fullmatch(given["sha256"]):
        raise Problem(
            400, "sha256 in Upload-Metadata must be 64 hexadecimal digits, as sha256sum prints them"
        )
    path = _path(given["path"], proposal_directory)
    return Announced(path, length, given["sha256"].lower(), metadata)


def offset(headers: Mapping[str, str]) -> int:
    """Where the bytes of a request belong. Raises Problem (400)."""
    return _number(headers, "Upload-Offset")


@dataclass(frozen=True)
class Checksum:
    """What the bytes of a request should have."""

    algorithm: str
    value: bytes

    def of_nothing(self) -> "hashlib._Hash":
        """The sum before the first byte."""
        return hashlib.new(self.algorithm, usedforsecurity=False)


def checksum(headers: Mapping[str, str]) -> Checksum | None:
    """The checksum that a request has. Raises Problem (400)."""
    given = headers.get("upload-checksum")
    if given is None:
        return None
    algorithm, _, value = given.partition(" ")
    decoded = _decoded(value)
    if algorithm not in ALGORITHMS or decoded is None:
        raise Problem(
            400, f"Upload-Checksum must be {' or '.join(ALGORITHMS)}, a space and the digest in Base64"
        )
    return Checksum(algorithm, decoded)


def digest(sha256: str) -> str:
    """A SHA-256 (hexadecimal) as `Repr-Digest` has it (RFC 9530)."""
    return f"sha-256=:{base64.b64encode(bytes.fromhex(sha256)).decode()}:"


def _number(headers: Mapping[str, str], name: str) -> int:
    given = headers.get(name.lower(), "")
    if not re.fullmatch("[0-9]{1,19}", given) or int(given) > MAX_LENGTH:
        raise Problem(400, f"{name} is {given[:40]!r}, but must be a whole number of bytes")
    return int(given)


def _metadata(given: str) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for pair in filter(None, map(str.strip, given.split(","))):
        name, _, value = pair.partition(" ")
        decoded = _decoded(value)
        try:
            text = None if decoded is None else decoded.decode()
        except UnicodeDecodeError:
            text = None
        if text is None or name in pairs:
            raise Problem(
                400, f"{name[:40]!r} in Upload-Metadata is there twice, or no UTF-8 in Base64: {_REMEDY}"
            )
        pairs[name] = text
    return pairs


def _decoded(value: str) -> bytes | None:
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return None


def _path(path: str, proposal_directory: int) -> str:
    """The path if a file may have it. Raises Problem (400)."""
    try:
        paths.check(path or "/")
    except paths.NotBeneath as error:
        raise Problem(
            400,
            f"path is {path[:200]!r}, but must be like proposal/scan/file.nxs, without a slash at its ends",
        ) from error
    names = path.split("/")
    if len(names) <= proposal_directory:
        raise Problem(
            400,
            f"path is {path[:200]!r}, but folder {proposal_directory} of each path here is a proposal: put "
            f"it into {'/'.join(['…'] * (proposal_directory - 1) + ['<proposal>', '<file>'])}",
        )
    if any(name.startswith(".") for name in names):
        raise Problem(400, f"path is {path[:200]!r}: names must not begin with a dot, as these are hidden")
    # Two names that look alike would be two files, and a proposal's folder another proposal's.
    if (
        unicodedata.normalize("NFC", path) != path
        or any(unicodedata.category(character) in _UNSEEN for character in path)
        or any(name != name.strip() for name in names)
    ):
        raise Problem(
            400,
            f"path is {path[:200]!r}: write names in Unicode's form NFC, without control or format "
            "characters, and without spaces at their ends",
        )
    if len(names) > MAX_NAMES:
        raise Problem(400, f"path has {len(names)} names, but {MAX_NAMES} at most: leave out folders")
    if len(path.encode()) > MAX_PATH_BYTES or any(len(name.encode()) > MAX_NAME_BYTES for name in names):
        raise Problem(400, f"a name has {MAX_NAME_BYTES} bytes at most, a path {MAX_PATH_BYTES}")
    return path
