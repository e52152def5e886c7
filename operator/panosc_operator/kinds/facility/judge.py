"""What the state of a Facility means."""

from typing import Any

from panosc_operator.api.conditions import FacilityReason
from panosc_operator.engine.health import State
from panosc_operator.engine.kind import Children, Finding, Judgement, first_finding
from panosc_operator.engine.resources import GATEWAY, SECURITY_POLICY
from panosc_operator.kinds import policies
from panosc_operator.kinds.building import GATEWAY_NAME
from panosc_operator.kinds.facility.login import authority_objection, client_objection
from panosc_operator.kinds.facility.observe import Observation
from panosc_operator.kinds.facility.plan import is_terminating, namespace_objection
from panosc_operator.kinds.policies import Case
from panosc_operator.kinds.trust import bundle_objection

ENDPOINTS_SHOWN = 256
TLS_SECRET = "kubernetes.io/tls"  # noqa: S105 - a type of Secrets, which the Gateway API asks for


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


def _trust(case: Case[Observation]) -> Finding | None:
    # Services would not start, or not reach what has a certificate of these authorities.
    objection = bundle_objection(case.observed.settings, case.observed.trust_bundle)
    return Finding(FacilityReason.TRUST_MISSING, objection, stalled=True) if objection else None


def _certificate(case: Case[Observation]) -> Finding | None:
    # Without it, the hosts don't answer; and gateways don't say what to do about that.
    observed, settings = case.observed, case.observed.settings
    if not settings.gateway_tls or observed.certificate_type == TLS_SECRET:
        return None
    name, namespace, issuer = (
        observed.certificate_name,
        observed.namespace_name,
        settings.gateway_cluster_issuer,
    )
    secret = f"Secret {namespace}/{name} with the certificate for *.{observed.domain}"
    make = f"kubectl create secret tls {name} --namespace={namespace} --cert=FILE --key=FILE"
    if observed.certificate_type is not None:
        message = (
            f"{secret} is of type {observed.certificate_type}, not {TLS_SECRET}: delete it, then `{make}`"
        )
    elif issuer:
        why = f"`kubectl describe certificate {name} --namespace={namespace}` says why"
        message = f"{secret} isn't there yet; cert-manager makes it by ClusterIssuer {issuer}: {why}"
    else:
        message = f"{secret} isn't there: `{make}`, or have cert-manager make it (gateway.clusterIssuer)"
    waits = issuer is not None and observed.certificate_type is None
    return Finding(FacilityReason.CERTIFICATE_MISSING, message, stalled=not waits)


def _gateway(case: Case[Observation]) -> Finding | None:
    # Without it, the hosts don't answer.
    health = case.children.health(GATEWAY, GATEWAY_NAME)
    if health.current:
        return None
    message = f"Gateway {case.observed.namespace_name}/{GATEWAY_NAME}: {health.message}"
    return Finding(FacilityReason.GATEWAY_PROGRESSING, message)


def _login_authority(case: Case[Observation]) -> Finding | None:
    # The gateway would trust nobody, and says less well why.
    objection = authority_objection(case.observed)
    return Finding(FacilityReason.TRUST_MISSING, objection, stalled=True) if objection else None


def _login_secret(case: Case[Observation]) -> Finding | None:
    # Pages go on for the public, without a way to log in.
    objection = client_objection(case.observed)
    return Finding(FacilityReason.LOGIN_SECRET_INVALID, objection, stalled=True) if objection else None


def _login_refused(case: Case[Observation]) -> Finding | None:
    # Whoever comes to log in is answered with an error; all others have their pages.
    for key, health in case.children.not_current():
        if key.kind == SECURITY_POLICY.kind and health.state is State.FAILED:
            return Finding(FacilityReason.LOGIN_REFUSED, f"{key}: {health.message}", stalled=True)
    return None


_POLICIES = (
    _namespace_taken,
    _domain_taken,
    _namespace_terminating,
    policies.refused(FacilityReason.APPLY_FAILED),
    _trust,
    _certificate,
    _gateway,
    _login_authority,
    _login_secret,
    _login_refused,
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
