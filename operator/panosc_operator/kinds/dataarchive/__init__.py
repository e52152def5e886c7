"""DataArchive: a tree of files that is served, watched for new files and checked for damage."""

from functools import partial

from panosc_operator.api import DataArchive, Facility, Federation
from panosc_operator.api.catalogue import Catalogue
from panosc_operator.api.conditions import DataArchiveReason
from panosc_operator.clients.status import StatusPage
from panosc_operator.engine.cache import Cache
from panosc_operator.engine.kind import Kind, Watch
from panosc_operator.engine.resources import (
    CONFIG_MAP,
    CRON_JOB,
    DEPLOYMENT,
    HTTP_ROUTE,
    NAMESPACE,
    NETWORK_POLICY,
    PERSISTENT_VOLUME_CLAIM,
    POD_DISRUPTION_BUDGET,
    SECRET,
    SECURITY_POLICY,
    SERVICE,
    SERVICE_ACCOUNT,
    Key,
    Object,
)
from panosc_operator.kinds.building import STATUS_PORT
from panosc_operator.kinds.dataarchive.judge import judge
from panosc_operator.kinds.dataarchive.observe import Observation, observe
from panosc_operator.kinds.dataarchive.plan import index_name, plan
from panosc_operator.kinds.relations import archives_of_catalogue, everything_of, residents, type_of
from panosc_operator.kinds.trust import readers_of_trust
from panosc_operator.settings import Settings

_ARCHIVE = type_of(DataArchive)


def describe(settings: Settings) -> Kind:
    """The kind for the engine."""
    return Kind(
        model=DataArchive,
        children=(
            SECRET,
            SERVICE_ACCOUNT,
            PERSISTENT_VOLUME_CLAIM,
            DEPLOYMENT,
            SERVICE,
            CRON_JOB,
            HTTP_ROUTE,
            NETWORK_POLICY,
            POD_DISRUPTION_BUDGET,
        ),
        observe=partial(observe, settings),
        plan=plan,
        judge=judge,
        invalid_reason=DataArchiveReason.INVALID_SPEC,
        watches=(
            Watch(type_of(Facility), partial(residents, _ARCHIVE)),
            Watch(NAMESPACE, partial(residents, _ARCHIVE)),
            # Whether the gateway logs people in at the facility's own login.
            Watch(SECURITY_POLICY, partial(residents, _ARCHIVE)),
            Watch(type_of(Catalogue), _ingested_archives),
            Watch(CONFIG_MAP, partial(readers_of_trust, _ARCHIVE)),
            Watch(type_of(Federation), everything_of(DataArchive)),
        ),
        service=_service,
    )


def _ingested_archives(catalogue: Object, _: Cache) -> list[Key]:
    """Archives ask the catalogues that ingest from them what is public."""
    namespace = catalogue["metadata"]["namespace"]
    return [Key(_ARCHIVE.group, _ARCHIVE.kind, namespace, name) for name in archives_of_catalogue(catalogue)]


def _service(observed: Observation) -> StatusPage:
    archive = observed.archive
    return StatusPage(f"http://{index_name(archive)}.{observed.namespace}.svc:{STATUS_PORT}/status")
