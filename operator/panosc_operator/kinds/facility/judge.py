"""What the state of a Facility means."""

from typing import Any

from panosc_operator.api.conditions import FacilityReason
from panosc_operator.engine.kind import Children, Finding, Judgement, first_finding
from panosc_operator.engine.resources import GATEWAY
from panosc_operator.kinds import policies
from panosc_operator.kinds.building import GATEWAY_NAME
from panosc_operator.kinds.facility.observe import Observation
from panosc_operator.kinds.facility.plan import is_terminating, namespace_objection
from panosc_operator.kinds.policies import Case

ENDPOINTS_SHOWN = 256


def judge(observed: Observation, children: Children) -> Judgement:
    """Readiness and status of the facility."""
    finding = first_finding(_POLICIES, Case(observed, children))
    return Judgement(
        finding,
        f"namespace {observed.namespace_name} and the hosts below {observed.domain} are ready",
        status=_status(observed),
    )


def _namespace_taken(case: Case[Observation]) -> Finding | None:
    # Somebody else's namespace is never touched.
    objection = namespace_objection(case.observed)
    if objection is None:
        return None
    return Finding(FacilityReason.NAMESPACE_TAKEN, objection, stalled=True)


def _domain_taken(case: Case[Observation]) -> Finding | None:
    # Two facilities under one host name would answer for each other.
    rival = case.observed.domain_rival
    if rival is None:
        return None
    message = f"domain {case.observed.domain} belongs to facility {rival}: choose another in spec.domain"
    return Finding(FacilityReason.DOMAIN_TAKEN, message, stalled=True)


def _namespace_terminating(case: Case[Observation]) -> Finding | None:
    # Nothing can be made in it; it is made again when it is gone.
    if not is_terminating(case.observed):
        return None
    message = f"namespace {case.observed.namespace_name} is being deleted; it is made again when it is gone"
    return Finding(FacilityReason.NAMESPACE_TERMINATING, message)


def _gateway(case: Case[Observation]) -> Finding | None:
    # Without it, the hosts don't answer.
    health = case.children.health(GATEWAY, GATEWAY_NAME)
    if health.current:
        return None
    message = f"Gateway {case.observed.namespace_name}/{GATEWAY_NAME}: {health.message}"
    return Finding(FacilityReason.GATEWAY_PROGRESSING, message)


_POLICIES = (
    _namespace_taken,
    _domain_taken,
    _namespace_terminating,
    policies.refused(FacilityReason.APPLY_FAILED),
    _gateway,
    policies.progressing(FacilityReason.PROGRESSING),
)


def _status(observed: Observation) -> dict[str, Any]:
    endpoints = [
        {"kind": obj["kind"], "name": obj["metadata"]["name"], "url": obj["status"]["url"]}
        for obj in observed.residents
        if (obj.get("status") or {}).get("url")
    ]
    status: dict[str, Any] = {
        "namespace": observed.namespace_name,
        "archives": _count(observed, "DataArchive"),
        "catalogues": _count(observed, "Catalogue"),
        "endpoints": endpoints[:ENDPOINTS_SHOWN],
    }
    if not (namespace_objection(observed) or observed.domain_rival):
        status["domain"] = observed.domain  # by this, it is known who has it
    if endpoints:
        # Sorted by kind: where there is a catalogue, that is where people begin.
        status["url"] = endpoints[0]["url"]
    return status


def _count(observed: Observation, kind: str) -> int:
    return sum(obj["kind"] == kind for obj in observed.residents)
