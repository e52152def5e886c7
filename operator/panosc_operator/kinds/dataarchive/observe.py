"""What a DataArchive depends on: its facility, volume and readers, and what its indexer reports."""

from dataclasses import dataclass, field

from panosc_common.access import Login

from panosc_operator.api import Catalogue, DataArchive, Facility
from panosc_operator.api.meta import GROUP
from panosc_operator.engine.kind import Reader
from panosc_operator.engine.resources import PERSISTENT_VOLUME_CLAIM, Key, Object
from panosc_operator.kinds.pods import failures
from panosc_operator.kinds.relations import (
    archives_of_catalogue,
    data_claim,
    former_status,
    read_facility,
    read_login,
)
from panosc_operator.kinds.trust import trust_revision
from panosc_operator.settings import Settings


@dataclass(frozen=True)
class Observation:
    """A DataArchive and what it depends on."""

    archive: DataArchive
    settings: Settings
    facility: Facility | None = None
    """The facility that the namespace belongs to."""
    login: Login | None = None
    """The login of the facility's services."""
    trust_revision: str | None = None
    """Changes with the authorities that the services trust; None without them."""
    claim_name: str = ""
    """Name of the claim that holds the files."""
    claim: Object | None = None
    """That claim, if it is there."""
    catalogues: tuple[str, ...] = ()
    """Names of the catalogues in the namespace that read this archive."""
    failures: dict[str, str] = field(default_factory=dict)
    """By component: what a pod that fails says."""
    former: Object = field(default_factory=dict)
    """The status that was last written."""
    report: Object | None = None
    """What the indexer last said."""
    report_is_current: bool = False
    """Whether the indexer still answers."""

    @property
    def name(self) -> str:
        """Name of the archive."""
        return self.archive.metadata.name

    @property
    def namespace(self) -> str:
        """Namespace of the archive."""
        return self.archive.metadata.namespace or ""


async def observe(settings: Settings, archive: DataArchive, reader: Reader) -> Observation:
    """Read what the archive depends on."""
    namespace, name = archive.metadata.namespace, archive.metadata.name
    claim_name = data_claim(archive)
    catalogues = sorted(
        obj["metadata"]["name"]
        for obj in reader.cache.all(GROUP, Catalogue.info.kind, namespace)
        if name in archives_of_catalogue(obj) and not obj["metadata"].get("deletionTimestamp")
    )
    report, current = reader.services.latest(Key(GROUP, archive.info.kind, namespace, name))
    facility = read_facility(reader, namespace)
    return Observation(
        archive,
        settings,
        facility=facility,
        login=read_login(facility, reader.cache, settings) if facility else None,
        trust_revision=trust_revision(settings, reader, namespace),
        claim_name=claim_name,
        claim=await reader.read(PERSISTENT_VOLUME_CLAIM, namespace, claim_name),
        catalogues=tuple(catalogues),
        failures=await failures(reader, archive, ("archive",)),
        former=former_status(reader, archive),
        report=report,
        report_is_current=current,
    )
