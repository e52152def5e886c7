"""The audit log: who saw which data before they were public, and why; who changed whose data they are; who
put files into an archive.

One JSON object a line on standard output, which services use for nothing else: it is only appended to, and
shipped by the cluster's log pipeline, out of reach of whoever could change a service's own tables. A record
is written before the first byte of an answer, so that a crash loses none of what was sent; while none can be
written, nothing is shown. What is public is not recorded, and costs nothing.
"""

import asyncio
import os
import threading
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
import structlog
from starlette.requests import Request

from panosc_common.access import Reason
from panosc_common.problem import Problem

EVENT = "access before release"
CHANGE = "team changed"
UPLOAD = "upload"
MAX_DATASETS = 100
"""Datasets that a record names; of more it has the number."""
_STANDARD_OUTPUT = 1
_MAX_REQUEST_ID = 100

log = structlog.stdlib.get_logger(__name__)
_writing = threading.Lock()


@dataclass(frozen=True)
class Sight:
    """What somebody is shown, as far as it is not public; without reasons all of it is."""

    subject: str | None = None
    """Who it is, as the login says; None where nobody said."""
    reasons: frozenset[Reason] = frozenset()
    datasets: frozenset[str] = frozenset()
    """Pids of the datasets that it is of, where they are named."""
    link: str | None = None
    """Identifier of the signed link that shows it; the subject is who signed that."""

    def __or__(self, other: "Sight") -> "Sight":
        """Both together, shown to the same."""
        return Sight(
            self.subject or other.subject,
            self.reasons | other.reasons,
            self.datasets | other.datasets,
            self.link or other.link,
        )

    def why(self) -> list[str]:
        """The reasons as a record has them."""
        signed = f"signed link of {self.subject}, " if self.link else ""
        return sorted({f"{signed}{reason}" for reason in self.reasons})


NOTHING_CLOSED = Sight()


def together(sights: Iterable[Sight]) -> Sight:
    """All that is shown."""
    whole = NOTHING_CLOSED
    for sight in sights:
        whole |= sight
    return whole


async def record(request: Request, sight: Sight, **what: Any) -> None:
    """Write down what the request is about to be shown, if not all of it is public; `what` says more of it.

    Raises Problem (503) if that is not possible: nothing may be shown then.
    """
    if not sight.reasons:
        return
    await _write(
        request,
        EVENT,
        sight.subject,
        "who sees data before their release is written down, which is not possible now; try again in a "
        "moment, or without a token for what is public",
        {
            "reasons": sight.why(),
            "datasets": sorted(sight.datasets)[:MAX_DATASETS],
            "datasetCount": len(sight.datasets),
            **({"link": sight.link} if sight.link else {}),
            **what,
        },
    )


async def change(request: Request, subject: str, *what: Mapping[str, Any]) -> None:
    """Write down that `subject` is about to change who belongs to proposals; `what` says how, a line each.

    Raises Problem (503) if that is not possible: nothing may be changed then.
    """
    refusal = "who changes a team is written down, which is not possible now; try again in a moment"
    await _write(request, CHANGE, subject, refusal, *what)


async def upload(request: Request, subject: str, **what: Any) -> None:
    """Write down that `subject` is about to begin or end putting a file into the archive; `what` says how.

    Raises Problem (503) if that is not possible: it may not be done then.
    """
    refusal = (
        "who puts files into the archive is written down, which is not possible now; try again in a moment"
    )
    await _write(request, UPLOAD, subject, refusal, what)


async def _write(
    request: Request, event: str, subject: str | None, refusal: str, *whats: Mapping[str, Any]
) -> None:
    common = {
        "timestamp": datetime.now(UTC),
        "event": event,
        "subject": subject,
        "method": request.method,
        "route": getattr(request.scope.get("route"), "path", None),
        # Without the query, which may hold a signature.
        "path": request.scope["path"],
        "requestId": request_id(request),
    }
    lines = [orjson.dumps(common | dict(what), option=orjson.OPT_APPEND_NEWLINE) for what in whats]
    try:
        # In a thread: a log pipeline that does not take it holds up nobody else.
        await asyncio.to_thread(_append, b"".join(lines))
    except OSError as error:
        log.error("audit log cannot be written", why=str(error))
        raise Problem(503, refusal, headers={"Retry-After": "10"}) from error


def request_id(request: Request) -> str:
    """What the gateway calls the request, so that its log and ours are read together."""
    return request.headers.get("X-Request-Id", "")[:_MAX_REQUEST_ID] or str(uuid.uuid4())


def _append(lines: bytes) -> None:
    left = memoryview(lines)
    with _writing:
        while left:
            left = left[os.write(_STANDARD_OUTPUT, left) :]
