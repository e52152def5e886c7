"""A cluster that is known by heart: what observing reads when a test says what there is."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from panosc_operator.api import KINDS
from panosc_operator.engine.cache import Cache
from panosc_operator.engine.kind import Kind, TokenIssuer
from panosc_operator.engine.resources import Key, Object, ResourceType, labels_of
from panosc_operator.kinds import discover
from panosc_operator.settings import Settings

IMAGES: dict[str, str] = {
    "image_catalogue": "example.org/catalogue:1",
    "image_archive": "example.org/archive:1",
    "image_postgres": "example.org/postgres:1",
    "image_keycloak": "example.org/keycloak:1",
}


@dataclass
class Reports:
    """What services said; a report of None stands for one that fell silent."""

    said: dict[str, Object] = field(default_factory=dict)
    """Reports by the name of the resource."""
    answering: bool = True

    def follow(self, key: Key, service: Any) -> None: ...

    def forget(self, key: Key) -> None: ...

    def latest(self, key: Key) -> tuple[Object | None, bool]:
        report = self.said.get(key.name)
        return report, report is not None and self.answering

    async def run(self) -> None: ...


class Known:
    """Reads from the given objects only."""

    now = datetime(2026, 11, 24, 12, 1, tzinfo=UTC)
    issuer: TokenIssuer | None = TokenIssuer(
        "https://kubernetes.default.svc.cluster.local",
        {"keys": [{"use": "sig", "kty": "RSA", "kid": "k", "alg": "RS256", "n": "sXch", "e": "AQAB"}]},
    )
    issuer_is_away = False

    def __init__(self, objects: Iterable[Object], reports: Reports | None = None) -> None:
        self.cache = Cache(frozenset(k.info.kind for k in KINDS if not k.info.namespaced))
        for obj in objects:
            self.cache.put(obj)
        self.services = reports or Reports()

    async def read(self, kind: ResourceType, namespace: str | None, name: str) -> Object | None:
        return self.cache.get(Key(kind.group, kind.kind, namespace, name))

    async def find(
        self, kind: ResourceType, namespace: str | None, labels: Mapping[str, str]
    ) -> list[Object]:
        found = self.cache.all(kind.group, kind.kind, namespace)
        return [obj for obj in found if labels.items() <= labels_of(obj).items()]

    async def token_issuer(self, known: TokenIssuer | None) -> TokenIssuer | None:
        return known if self.issuer_is_away else self.issuer


def settings(**changes: Any) -> Settings:
    return Settings(**{**IMAGES, **changes})


def kind_of(obj: Object, **changes: Any) -> Kind:
    return next(kind for kind in discover(settings(**changes)) if kind.type.kind == obj["kind"])


def observe(obj: Object, others: Iterable[Object], reports: Reports | None = None, **changes: Any) -> Any:
    """What the resource's kind sees in a cluster with these objects."""
    kind = kind_of(obj, **changes)
    known = Known([obj, *others], reports)
    return asyncio.run(kind.observe(kind.model.model_validate(obj), known))
