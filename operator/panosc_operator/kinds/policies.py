"""Policies that several kinds judge by; each is made for the kind's own word for the reason."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from panosc_operator.api import Facility
from panosc_operator.engine.health import State
from panosc_operator.engine.kind import Children, Finding, Policy
from panosc_operator.engine.resources import DEPLOYMENT, HTTP_ROUTE
from panosc_operator.kinds.external_database import Connection

Observed = TypeVar("Observed")


@dataclass(frozen=True)
class Case(Generic[Observed]):
    """What is judged."""

    observed: Observed
    children: Children


class Resident(Protocol):
    """The observation of a resource that lives in the namespace of a facility."""

    @property
    def namespace(self) -> str:
        """Namespace of the resource."""

    @property
    def name(self) -> str:
        """Name of the resource, and of its service's Deployment."""

    @property
    def facility(self) -> Facility | None:
        """The facility that the namespace belongs to."""

    @property
    def failures(self) -> Mapping[str, str]:
        """By component: what a pod that fails says."""


class Keeper(Protocol):
    """The observation of a resource that keeps something in a database."""

    @property
    def external(self) -> Connection | None:
        """The database, if somebody else runs it."""

    @property
    def database_secret(self) -> str:
        """Name of the Secret that has the connection to the database."""


def no_facility(reason: str) -> Policy[Case[Any]]:
    """Host, data policy and fences come from the facility; what runs is left as it is."""

    def policy(case: Case[Resident]) -> Finding | None:
        if case.observed.facility is not None:
            return None
        namespace = case.observed.namespace
        message = f"namespace {namespace} belongs to no Facility: make one with spec.namespace: {namespace}"
        return Finding(reason, message, stalled=True)

    return policy


def refused(reason: str) -> Policy[Case[Any]]:
    """The API server said no, and will again."""

    def policy(case: Case[Any]) -> Finding | None:
        outcomes = case.children.refused()
        return Finding(reason, outcomes[0].message, stalled=True) if outcomes else None

    return policy


def no_database_secret(reason: str, where: str) -> Policy[Case[Any]]:
    """Somebody else's Secret is waited for, never made; `where`: the namespace, in words."""

    def policy(case: Case[Keeper]) -> Finding | None:
        external = case.observed.external
        if external is None or external.found:
            return None
        name = case.observed.database_secret
        message = f"Secret {name} isn't in {where}: make it, or name another in spec.database.external.secret"
        return Finding(reason, message, stalled=True)

    return policy


def wrong_database_secret(reason: str, wanted: str) -> Policy[Case[Any]]:
    """Pods with it would only crash; `wanted`: what it has to have."""

    def policy(case: Case[Keeper]) -> Finding | None:
        external = case.observed.external
        if external is None or external.usable:
            return None
        return Finding(reason, f"Secret {case.observed.database_secret} lacks {wanted}", stalled=True)

    return policy


def service_failed(reason: str, suffixes: Mapping[str, str]) -> Policy[Case[Any]]:
    """A Deployment doesn't get further; its pods say why. `suffixes`: of the Deployments, by component."""

    def policy(case: Case[Resident]) -> Finding | None:
        for component, suffix in suffixes.items():
            name = f"{case.observed.name}{suffix}"
            health = case.children.health(DEPLOYMENT, name)
            if not health.current and component in case.observed.failures:
                return Finding(reason, case.observed.failures[component], stalled=True)
            if health.state is State.FAILED:
                return Finding(reason, f"Deployment {name}: {health.message}", stalled=True)
        return None

    return policy


def route_not_accepted(reason: str) -> Policy[Case[Any]]:
    """Pods that no one reaches from outside are not a service."""

    def policy(case: Case[Any]) -> Finding | None:
        for key, health in case.children.not_current():
            if key.kind == HTTP_ROUTE.kind and health.state is State.FAILED:
                return Finding(reason, f"{key}: {health.message}", stalled=True)
        return None

    return policy


def progressing(reason: str) -> Policy[Case[Any]]:
    """Anything that isn't there or isn't current."""

    def policy(case: Case[Any]) -> Finding | None:
        for key, health in case.children.not_current():
            return Finding(reason, f"{key}: {health.message}")
        return None

    return policy
