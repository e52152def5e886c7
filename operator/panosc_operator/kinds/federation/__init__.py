"""Federation: one login for all facilities of the cluster, a Keycloak whose realm is kept as declared."""

from collections.abc import Iterable
from functools import partial

from panosc_operator.api import Catalogue, DataArchive, Facility, Federation
from panosc_operator.api.conditions import FederationReason
from panosc_operator.clients.keycloak import KeptRealm
from panosc_operator.engine.cache import Cache
from panosc_operator.engine.kind import Kind, Watch
from panosc_operator.engine.resources import (
    BACKEND_TRAFFIC_POLICY,
    DEPLOYMENT,
    GATEWAY,
    HTTP_ROUTE,
    NETWORK_POLICY,
    PERSISTENT_VOLUME_CLAIM,
    POD_DISRUPTION_BUDGET,
    SECRET,
    SERVICE,
    STATEFUL_SET,
    Key,
    Object,
)
from panosc_operator.kinds.federation.judge import judge
from panosc_operator.kinds.federation.observe import Observation, observe
from panosc_operator.kinds.federation.plan import plan
from panosc_operator.kinds.relations import LOGIN_SECRET, everything_of, federations, type_of
from panosc_operator.settings import Settings


def describe(settings: Settings) -> Kind:
    """The kind for the engine."""
    return Kind(
        model=Federation,
        children=(
            SECRET,
            PERSISTENT_VOLUME_CLAIM,
            STATEFUL_SET,
            DEPLOYMENT,
            SERVICE,
            GATEWAY,
            BACKEND_TRAFFIC_POLICY,
            HTTP_ROUTE,
            NETWORK_POLICY,
            POD_DISRUPTION_BUDGET,
        ),
        observe=partial(observe, settings),
        plan=plan,
        judge=judge,
        invalid_reason=FederationReason.INVALID_SPEC,
        watches=(
            # Each facility has its client and groups, each of its hosts its place to come back to.
            Watch(type_of(Facility), everything_of(Federation), status=True),
            Watch(type_of(Catalogue), everything_of(Federation)),
            Watch(type_of(DataArchive), everything_of(Federation)),
            Watch(SECRET, _of_logins),
        ),
        service=_service,
    )


def _of_logins(secret: Object, cache: Cache) -> Iterable[Key]:
    """A facility's account was made or changed."""
    return federations(cache) if secret["metadata"]["name"] == LOGIN_SECRET else ()


def _service(observed: Observation) -> KeptRealm | None:
    return KeptRealm(observed.realm) if observed.realm and not observed.rival else None
