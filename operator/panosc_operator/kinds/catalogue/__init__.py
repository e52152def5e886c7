"""Catalogue: the searchable record of a facility's data, in a PostgreSQL of its own or somebody else's."""

from functools import partial

from panosc_operator.api import Catalogue, DataArchive, Facility, Federation
from panosc_operator.api.conditions import CatalogueReason
from panosc_operator.api.meta import GROUP
from panosc_operator.clients.status import StatusPage
from panosc_operator.engine.cache import Cache
from panosc_operator.engine.kind import Kind, Watch
from panosc_operator.engine.resources import (
    CONFIG_MAP,
    DEPLOYMENT,
    HTTP_ROUTE,
    JOB,
    NAMESPACE,
    NETWORK_POLICY,
    PERSISTENT_VOLUME_CLAIM,
    POD_DISRUPTION_BUDGET,
    SECRET,
    SECURITY_POLICY,
    SERVICE,
    STATEFUL_SET,
    Key,
    Object,
    key_of,
)
from panosc_operator.kinds.building import STATUS_PORT
from panosc_operator.kinds.catalogue.judge import judge
from panosc_operator.kinds.catalogue.observe import Observation, observe
from panosc_operator.kinds.catalogue.plan import ingest_name, plan
from panosc_operator.kinds.relations import archives_of_catalogue, everything_of, residents, type_of
from panosc_operator.kinds.trust import readers_of_trust
from panosc_operator.settings import Settings

_CATALOGUE = type_of(Catalogue)


def describe(settings: Settings) -> Kind:
    """The kind for the engine."""
    return Kind(
        model=Catalogue,
        children=(
            SECRET,
            CONFIG_MAP,
            PERSISTENT_VOLUME_CLAIM,
            STATEFUL_SET,
            JOB,
            DEPLOYMENT,
            SERVICE,
            HTTP_ROUTE,
            NETWORK_POLICY,
            POD_DISRUPTION_BUDGET,
        ),
        observe=partial(observe, settings),
        plan=plan,
        judge=judge,
        invalid_reason=CatalogueReason.INVALID_SPEC,
        watches=(
            Watch(type_of(Facility), partial(residents, _CATALOGUE)),
            Watch(NAMESPACE, partial(residents, _CATALOGUE)),
            # Whether the gateway logs people in at the facility's own login.
            Watch(SECURITY_POLICY, partial(residents, _CATALOGUE)),
            Watch(type_of(Federation), everything_of(Catalogue)),
            # The state of a source's archive shows in the state of the source.
            Watch(type_of(DataArchive), _readers_of_archive, status=True),
            Watch(CONFIG_MAP, partial(readers_of_trust, _CATALOGUE)),
        ),
        service=_service,
    )


def _readers_of_archive(archive: Object, cache: Cache) -> list[Key]:
    namespace, name = archive["metadata"]["namespace"], archive["metadata"]["name"]
    catalogues = cache.all(GROUP, _CATALOGUE.kind, namespace)
    return [key_of(catalogue) for catalogue in catalogues if name in archives_of_catalogue(catalogue)]


def _service(observed: Observation) -> StatusPage:
    name = ingest_name(observed.catalogue)
    return StatusPage(f"http://{name}.{observed.namespace}.svc:{STATUS_PORT}/status")
