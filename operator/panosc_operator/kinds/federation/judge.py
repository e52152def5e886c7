"""What the state of a Federation means."""

from typing import Any

from panosc_operator.api.conditions import ConditionType, FederationReason
from panosc_operator.engine.kind import Assessment, Children, Finding, Judgement, first_finding
from panosc_operator.engine.resources import GATEWAY, STATEFUL_SET
from panosc_operator.kinds import policies
from panosc_operator.kinds.federation.observe import CLIENT_SECRET_KEY, Observation
from panosc_operator.kinds.federation.plan import DATABASE_NAME
from panosc_operator.kinds.policies import Case
from panosc_operator.kinds.relations import LOGIN, REALM, issuer

LINE = 1024
FACILITIES_SHOWN = 256
"""More have their login all the same; without a limit, a status could become too large to be written."""


def judge(observed: Observation, children: Children) -> Judgement:
    """Readiness of the login, state of its providers, and status of the federation."""
    has_providers = bool(observed.federation.spec.identity_providers)
    return Judgement(
        first_finding(_POLICIES, Case(observed, children)),
        f"people log in at {_account_page(observed)}",
        conditions=(_providers_ready(observed),) if has_providers and not observed.rival else (),
        status=_status(observed),
    )


def _taken(case: Case[Observation]) -> Finding | None:
    # Two logins would give everybody two identifiers.
    rival = case.observed.rival
    if rival is None:
        return None
    message = f"Federation {rival} has the login of this cluster: change that one, or delete it first"
    return Finding(FederationReason.LOGIN_TAKEN, message, stalled=True)


def _database(case: Case[Observation]) -> Finding | None:
    # Keycloak waits for it.
    health = case.children.health(STATEFUL_SET, DATABASE_NAME)
    if health.current:
        return None
    failure = case.observed.failures.get("database")
    if failure:
        return Finding(FederationReason.DATABASE_FAILED, failure, stalled=True)
    return Finding(FederationReason.DATABASE_PROGRESSING, f"StatefulSet {DATABASE_NAME}: {health.message}")


def _gateway(case: Case[Observation]) -> Finding | None:
    # Without it, the host doesn't answer.
    health = case.children.health(GATEWAY, LOGIN)
    if health.current:
        return None
    return Finding(FederationReason.GATEWAY_PROGRESSING, f"Gateway {LOGIN}: {health.message}")


def _realm(case: Case[Observation]) -> Finding | None:
    # Without its clients and claims nobody gets a token that opens anything.
    wish, report = case.observed.realm, case.observed.report
    if report is not None and not case.observed.report_is_current:
        return Finding(FederationReason.REALM_PROGRESSING, "Keycloak doesn't answer the operator at present")
    if report and report.get("error"):
        return Finding(FederationReason.REALM_FAILED, f"realm {REALM}: {report['error']}")
    if wish is None or report is None or report.get("version") != wish.version:
        return Finding(FederationReason.REALM_PROGRESSING, f"realm {REALM} is being made as the spec says")
    return None


_POLICIES = (
    _taken,
    policies.refused(FederationReason.APPLY_FAILED),
    _database,
    policies.service_failed(FederationReason.SERVICE_FAILED, {"login": ""}),
    policies.route_not_accepted(FederationReason.ROUTE_NOT_ACCEPTED),
    _gateway,
    policies.progressing(FederationReason.PROGRESSING),
    _realm,
)


def _providers_ready(observed: Observation) -> Assessment:
    """Whether people can log in through every provider. One that can't be used is no matter of the others."""
    kind = ConditionType.IDENTITY_PROVIDERS_READY
    for name, secret in observed.missing_secrets.items():
        message = (
            f"no Secret {secret} with a key {CLIENT_SECRET_KEY} for identity provider {name} is in namespace "
            f"{observed.namespace}: make it, or name another"
        )
        return Assessment(kind, "False", FederationReason.PROVIDER_SECRET_NOT_FOUND, message)
    told = _told(observed)
    if told is None:
        message = "the login wasn't looked at yet"
        return Assessment(kind, "Unknown", FederationReason.REALM_PROGRESSING, message)
    for one in told:
        if one["message"]:
            message = f"identity provider {one['name']}: {one['message']}"[:LINE]
            return Assessment(kind, "False", FederationReason.PROVIDER_FAILED, message)
    return Assessment(kind, "True", FederationReason.PROVIDERS_OFFERED, "all identity providers are offered")


def _told(observed: Observation) -> list[dict[str, Any]] | None:
    """What was last found out about the identity providers that are declared now."""
    declared = {one.name for one in observed.federation.spec.identity_providers}
    told = (observed.report or {}).get("identityProviders", observed.former.get("identityProviders"))
    return (
        None
        if told is None
        else [one for one in told if one["name"] in declared - observed.missing_secrets.keys()]
    )


def _account_page(observed: Observation) -> str:
    return f"{issuer(observed.federation, observed.settings)}/account"


def _status(observed: Observation) -> dict[str, Any]:
    if observed.rival:
        return {}
    told = _told(observed) or []
    missing = [
        {"name": name, "offered": False, "message": f"no Secret {secret}"}
        for name, secret in observed.missing_secrets.items()
    ]
    return {
        "url": _account_page(observed),
        "issuer": issuer(observed.federation, observed.settings),
        "facilities": list(observed.facilities[:FACILITIES_SHOWN]),
        "identityProviders": [*told, *missing],
    }
