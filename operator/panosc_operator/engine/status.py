"""Conditions and status: written only when they say something new."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from panosc_operator.api.conditions import ConditionType
from panosc_operator.engine.compare import contains
from panosc_operator.engine.kind import Assessment, Judgement
from panosc_operator.engine.resources import Object, ResourceType

MESSAGE_LIMIT = 4096


def readiness(judgement: Judgement, available_reason: str) -> list[Assessment]:
    """Ready, and kstatus' Reconciling and Stalled, which are there only while they are true."""
    finding = judgement.finding
    if finding is None:
        return [Assessment(ConditionType.READY, "True", available_reason, judgement.message)]
    also = ConditionType.STALLED if finding.stalled else ConditionType.RECONCILING
    return [
        Assessment(ConditionType.READY, "False", finding.reason, finding.message),
        Assessment(also, "True", finding.reason, finding.message),
    ]


def merged_conditions(
    former: Iterable[Mapping[str, Any]], assessments: Iterable[Assessment], generation: int, now: datetime
) -> list[Object]:
    """The conditions as they are to be written; a time changes only where a status does."""
    before = {condition["type"]: condition for condition in former}
    return [
        {
            "type": str(new.type),
            "status": new.status,
            "reason": str(new.reason),
            "message": new.message[:MESSAGE_LIMIT],
            "lastTransitionTime": _since(before.get(new.type), new.status, now),
            "observedGeneration": generation,
        }
        for new in assessments
    ]


def _since(former: Mapping[str, Any] | None, status: str, now: datetime) -> str:
    if former is not None and former.get("status") == status:
        return str(former["lastTransitionTime"])
    return now.strftime("%Y-%m-%dT%H:%M:%SZ")


def is_news(live: Mapping[str, Any], status: Mapping[str, Any]) -> bool:
    """Whether a status says something that the live one doesn't, or no longer says something that it does."""
    return not contains(live, status) or not contains(status, live)


def status_patch(kind: ResourceType, obj: Object, status: Mapping[str, Any]) -> Object:
    """The server-side apply of a status to exactly this object: fields that it lacks are removed."""
    metadata = {
        name: obj["metadata"][name] for name in ("name", "namespace", "uid") if name in obj["metadata"]
    }
    return {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata, "status": dict(status)}
