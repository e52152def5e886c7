"""What the state of a Federation means."""

from collections.abc import Mapping, Set
from dataclasses import dataclass
from typing import Any

from panosc_operator.api.conditions import ConditionType, FederationReason
from panosc_operator.api.federation import FACILITIES_SHOWN
from panosc_operator.engine.kind import Assessment, Children, Finding, Judgement, first_finding
from panosc_operator.engine.resources import GATEWAY, STATEFUL_SET
from panosc_operator.kinds import policies
from panosc_operator.kinds.federation.observe import (
    BIND_PASSWORD_KEY,
    CLIENT_SECRET_KEY,
    DATABASE_NAME,
    JDBC_URI_KEY,
    Observation,
)
from panosc_operator.kinds.policies import Case
from panosc_operator.kinds.relations import LOGIN, REALM, issuer

LINE = 1024


def judge(observed: Observation, children: Children) -> Judgement:
    """Readiness of the login, state of its providers and directories, and status of the federation."""
    sources = [one for one in (_providers(observed), _directories(observed)) if one.declared]
    return Judgement(
        first_finding(_POLICIES, Case(observed, children)),
        f"people log in at {_account_page(observed)}",
        conditions=() if observed.rival else tuple(one.ready(observed.namespace) for one in sources),
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
    if case.observed.external:
        return None
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


def _mail(case: Case[Observation]) -> Finding | None:
    wish, declared = case.observed.realm, case.observed.federation.spec.mail
    if wish is None or wish.mail or declared is None:
        return None
    message = (
        f"no Secret {declared.credentials_secret} with keys username and password for spec.mail is in "
        f"namespace {case.observed.namespace}: make it, or name another"
    )
    return Finding(FederationReason.MAIL_SECRET_NOT_FOUND, message, stalled=True)


_POLICIES = (
    _taken,
    policies.no_database_secret(FederationReason.DATABASE_SECRET_NOT_FOUND, "the operator's namespace"),
    policies.wrong_database_secret(
        FederationReason.DATABASE_SECRET_INVALID,
        f"username, password, or a key {JDBC_URI_KEY} with an address such as "
        "jdbc:postgresql://host:5432/keycloak",
    ),
    policies.refused(FederationReason.APPLY_FAILED),
    _database,
    policies.service_failed(FederationReason.SERVICE_FAILED, {"login": ""}),
    policies.route_not_accepted(FederationReason.ROUTE_NOT_ACCEPTED),
    _gateway,
    policies.progressing(FederationReason.PROGRESSING),
    _realm,
    _mail,
)


@dataclass(frozen=True)
class _Sources:
    """Where people have their accounts, of one kind: what was declared, and what became of it."""

    condition: ConditionType
    what: str
    key: str
    """Of the Secret of each."""
    declared: frozenset[str]
    missing: Mapping[str, str]
    """By name: the Secret that is not there, or lacks its key."""
    told: list[dict[str, Any]] | None
    """What was last found out about those that are declared now and have their Secret."""
    usable: str
    """Field of `told` that says whether people can log in."""
    fine: tuple[FederationReason, str]
    secret_not_found: FederationReason
    failed: FederationReason

    def status(self) -> list[dict[str, Any]]:
        missing = [
            {"name": name, self.usable: False, "message": f"no Secret {secret}"}
            for name, secret in self.missing.items()
        ]
        return [*(self.told or []), *missing]

    def ready(self, namespace: str) -> Assessment:
        """Whether people can log in through each. One that can't be used is no matter of the others."""
        for name, secret in self.missing.items():
            message = (
                f"no Secret {secret} with a key {self.key} for {self.what} {name} is in namespace "
                f"{namespace}: make it, or name another"
            )
            return Assessment(self.condition, "False", self.secret_not_found, message)
        if self.told is None:
            message = "the login wasn't looked at yet"
            return Assessment(self.condition, "Unknown", FederationReason.REALM_PROGRESSING, message)
        for one in self.told:
            if one["message"]:
                message = f"{self.what} {one['name']}: {one['message']}"[:LINE]
                return Assessment(self.condition, "False", self.failed, message)
        return Assessment(self.condition, "True", *self.fine)


def _providers(observed: Observation) -> _Sources:
    declared = frozenset(one.name for one in observed.federation.spec.identity_providers)
    return _Sources(
        ConditionType.IDENTITY_PROVIDERS_READY,
        "identity provider",
        CLIENT_SECRET_KEY,
        declared,
        observed.missing_secrets,
        _told(observed, "identityProviders", declared - observed.missing_secrets.keys()),
        "offered",
        (FederationReason.PROVIDERS_OFFERED, "all identity providers are offered"),
        FederationReason.PROVIDER_SECRET_NOT_FOUND,
        FederationReason.PROVIDER_FAILED,
    )


def _directories(observed: Observation) -> _Sources:
    declared = frozenset(one.name for one in observed.federation.spec.user_directories)
    return _Sources(
        ConditionType.USER_DIRECTORIES_READY,
        "user directory",
        BIND_PASSWORD_KEY,
        declared,
        observed.missing_passwords,
        _told(observed, "userDirectories", declared - observed.missing_passwords.keys()),
        "connected",
        (FederationReason.DIRECTORIES_CONNECTED, "all user directories are connected"),
        FederationReason.DIRECTORY_SECRET_NOT_FOUND,
        FederationReason.DIRECTORY_FAILED,
    )


def _told(observed: Observation, field: str, names: Set[str]) -> list[dict[str, Any]] | None:
    told = (observed.report or {}).get(field, observed.former.get(field))
    return None if told is None else [one for one in told if one["name"] in names]


def _account_page(observed: Observation) -> str:
    return f"{issuer(observed.federation, observed.settings)}/account"


def _status(observed: Observation) -> dict[str, Any]:
    if observed.rival:
        return {}
    return {
        "url": _account_page(observed),
        "issuer": issuer(observed.federation, observed.settings),
        "facilities": list(observed.facilities[:FACILITIES_SHOWN]),
        "identityProviders": _providers(observed).status(),
        "userDirectories": _directories(observed).status(),
    }
