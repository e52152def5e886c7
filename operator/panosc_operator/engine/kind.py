"""How a kind is described to the engine: what it reads, what should exist, and what that means."""

from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, TypeVar

from panosc_operator.api.meta import GROUP, VERSION, Resource
from panosc_operator.engine.cache import Cache
from panosc_operator.engine.desired import Action, Desired, Outcome
from panosc_operator.engine.health import Health, assess
from panosc_operator.engine.resources import Key, Object, ResourceType


class Services(Protocol):
    """What the services of resources say about themselves, asked for beside the passes."""

    def follow(self, key: Key, service: Any) -> None:
        """Ask this service (`Kind.service`) from now on."""

    def forget(self, key: Key) -> None:
        """The resource is gone."""

    def latest(self, key: Key) -> tuple[Object | None, bool]:
        """What the service said last (None if it never answered), and whether it still answers."""

    async def run(self) -> None:
        """Ask until cancelled."""


@dataclass(frozen=True)
class TokenIssuer:
    """Who issues the tokens of service accounts."""

    name: str
    """As the tokens have it (`iss`)."""
    keys: Object
    """Its public keys, as a JSON Web Key Set."""


class Reader(Protocol):
    """What `observe` may ask; all of it is I/O that changes nothing."""

    @property
    def cache(self) -> Cache:
        """The objects that the operator watches."""

    @property
    def services(self) -> Services:
        """What the resources' services say."""

    @property
    def now(self) -> datetime:
        """The time, by which it is judged how old news are."""

    async def read(self, kind: ResourceType, namespace: str | None, name: str) -> Object | None:
        """An object that may not be watched: from the cache, or else from the API server."""

    async def find(
        self, kind: ResourceType, namespace: str | None, labels: Mapping[str, str]
    ) -> list[Object]:
        """Objects that are not watched, with these labels, from the API server."""

    async def token_issuer(self, known: TokenIssuer | None) -> TokenIssuer | None:
        """The API server as issuer of tokens; None if it doesn't publish its keys.

        While it can't say, what is `known` of it; without that, a pass fails by it as by any other outage.
        """


@dataclass(frozen=True)
class Finding:
    """The result of judging: why the object isn't as wished."""

    reason: str
    message: str
    stalled: bool = False
    """Nothing will change without somebody's help."""


Case = TypeVar("Case")
Policy = Callable[[Case], Finding | None]
"""A small rule: None if it has nothing to object to."""


def first_finding(policies: Iterable[Policy[Case]], case: Case) -> Finding | None:
    """What the first policy that objects found."""
    return next((finding for policy in policies if (finding := policy(case))), None)


@dataclass(frozen=True)
class Assessment:
    """A condition of the kind's own, beside Ready, Reconciling and Stalled."""

    type: str
    status: str
    """True, False or Unknown."""
    reason: str
    message: str


@dataclass(frozen=True)
class Judgement:
    """What a pass found out about an object."""

    finding: Finding | None
    """Why it isn't ready; None if it is."""
    message: str
    """What is said when it is ready."""
    conditions: tuple[Assessment, ...] = ()
    status: Mapping[str, Any] = field(default_factory=dict)
    """Fields of the status beside the conditions, as JSON."""


@dataclass(frozen=True)
class Children:
    """What became of the objects that a resource should have."""

    outcomes: Mapping[Key, Outcome] = field(default_factory=dict)
    """By object, in the order of the plan; empty if the plan was to leave everything as it is."""
    live: Mapping[Key, Object] = field(default_factory=dict)

    def refused(self) -> list[Outcome]:
        """The objects that can't be had."""
        return [outcome for outcome in self.outcomes.values() if outcome.action is Action.REFUSED]

    def health(self, kind: ResourceType, name: str) -> Health:
        """Health of the wanted object of this type and name."""
        return assess(self.get(kind, name))

    def get(self, kind: ResourceType, name: str) -> Object | None:
        """The wanted object of this type and name as it is now."""
        for key, obj in self.live.items():
            if (key.group, key.kind, key.name) == (kind.group, kind.kind, name):
                return obj
        return None

    def not_current(self) -> Iterable[tuple[Key, Health]]:
        """The wanted objects that aren't (yet) what their spec says."""
        for key in self.outcomes:
            health = assess(self.live.get(key))
            if not health.current:
                yield key, health


@dataclass(frozen=True)
class Watch:
    """Objects whose change concerns objects of this kind that don't own them."""

    type: ResourceType
    map: Callable[[Object, Cache], Iterable[Key]]
    """The keys of this kind that a changed object concerns."""
    status: bool = False
    """Whether changes of the status concern them too, or only those of spec and labels."""


@dataclass(frozen=True)
class Kind:
    """A kind of resource, as the engine sees it."""

    model: type[Resource]
    children: tuple[ResourceType, ...]
    """Types of objects that it may own."""
    observe: Callable[[Any, Reader], Coroutine[Any, Any, Any]]
    """Reads what the plan depends on, beside the resource itself, into one value."""
    plan: Callable[[Any], list[Desired] | None]
    """Which objects should exist, in the order to make them; None to leave everything as it is. Pure."""
    judge: Callable[[Any, Children], Judgement]
    """What the observation and the state of the children mean. Pure."""
    invalid_reason: str
    """Reason of the Ready condition for a spec that the model doesn't accept."""
    watches: tuple[Watch, ...] = ()
    service: Callable[[Any], Any] | None = None
    """What is asked beside the passes, of the observation; it may give None while there is nothing to ask."""

    @property
    def type(self) -> ResourceType:
        """The kind as a type of the Kubernetes API."""
        info = self.model.info
        return ResourceType(GROUP, VERSION, info.kind, info.plural, info.namespaced)
