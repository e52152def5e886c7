"""Validators and conditional requests (RFC 9110, section 13), as nginx does them for the files it sends."""

import os
from collections.abc import Mapping
from datetime import UTC
from email.utils import formatdate, parsedate_to_datetime


def etag(status: os.stat_result) -> str:
    """The entity tag that nginx gives the same file, so that it does not matter who sends the bytes."""
    return f'"{int(status.st_mtime):x}-{status.st_size:x}"'


def last_modified(status: os.stat_result) -> str:
    """The value of `Last-Modified`."""
    return formatdate(int(status.st_mtime), usegmt=True)


def precondition(headers: Mapping[str, str], status: os.stat_result) -> int | None:
    """304 or 412 if the request's conditions ask for it, else None."""
    tag, modified = etag(status), int(status.st_mtime)
    if "if-match" in headers:
        if not _matches(headers["if-match"], tag):
            return 412
    elif (limit := _seconds(headers.get("if-unmodified-since"))) is not None and modified > limit:
        return 412
    if "if-none-match" in headers:
        return 304 if _matches(headers["if-none-match"], tag) else None
    since = _seconds(headers.get("if-modified-since"))
    return 304 if since is not None and modified <= since else None


def _matches(field: str, tag: str) -> bool:
    tags = [part.strip().removeprefix("W/") for part in field.split(",")]
    return "*" in tags or tag in tags


def _seconds(date: str | None) -> float | None:
    if date is None:
        return None
    try:
        instant = parsedate_to_datetime(date)
    except ValueError:
        return None  # RFC 9110: a date that cannot be read is ignored
    return (instant if instant.tzinfo else instant.replace(tzinfo=UTC)).timestamp()
