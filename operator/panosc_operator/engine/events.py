"""Kubernetes Events: few, for what a person should notice, with stable reasons."""

import logging
import os
import socket
from collections import OrderedDict
from datetime import UTC, datetime
from typing import Literal

from panosc_operator.api.meta import FIELD_MANAGER
from panosc_operator.engine.client import ApiError, Client
from panosc_operator.engine.resources import EVENT, Object

log = logging.getLogger(__name__)
REPEAT_SECONDS = 3600.0
REMEMBERED = 4096
MESSAGE_LIMIT = 1024


class Recorder:
    """Posts Events about objects; the same about the same object at most once an hour."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._posted: OrderedDict[tuple[str, str, str], datetime] = OrderedDict()
        self._instance = os.environ.get("HOSTNAME") or socket.gethostname()

    async def record(
        self, obj: Object, kind: Literal["Normal", "Warning"], reason: str, message: str
    ) -> None:
        """Post an Event; that it can't be posted is logged and stops nothing."""
        metadata, now = obj["metadata"], datetime.now(UTC)
        what = (metadata["uid"], reason, message)
        last = self._posted.get(what)
        if last is not None and (now - last).total_seconds() < REPEAT_SECONDS:
            return
        # Events live in a namespace; those about objects without one are by convention in `default`.
        namespace = metadata.get("namespace") or "default"
        stamp = now.strftime("%Y-%m-%dT%H:%M:%SZ")
        event: Object = {
            "apiVersion": EVENT.api_version,
            "kind": EVENT.kind,
            "metadata": {"generateName": f"{metadata['name']}.", "namespace": namespace},
            "involvedObject": {
                "apiVersion": obj["apiVersion"],
                "kind": obj["kind"],
                "name": metadata["name"],
                "namespace": metadata.get("namespace"),
                "uid": metadata["uid"],
                "resourceVersion": metadata["resourceVersion"],
            },
            "type": kind,
            "reason": reason,
            "message": message[:MESSAGE_LIMIT],
            "firstTimestamp": stamp,
            "lastTimestamp": stamp,
            "count": 1,
            "source": {"component": FIELD_MANAGER},
            "reportingComponent": FIELD_MANAGER,
            "reportingInstance": self._instance,
        }
        try:
            await self._client.create(EVENT, event)
        except ApiError as error:
            log.warning("an Event could not be posted", extra={"reason": reason, "error": str(error)})
            return
        self._posted[what] = now
        self._posted.move_to_end(what)
        if len(self._posted) > REMEMBERED:
            self._posted.popitem(last=False)
