"""What a Catalogue depends on: its facility, its sources' archives, its database, its worker's report."""

from dataclasses import dataclass, field
from datetime import datetime

from panosc_common.access import Login
from panosc_common.service_accounts import Callers
from pydantic import ValidationError

from panosc_operator.api import Catalogue, DataArchive, Facility
from panosc_operator.api.conditions import DataArchiveReason
from panosc_operator.api.facility import DoiIdentifiers
from panosc_operator.api.meta import GROUP
from panosc_operator.api.sources import Source
from panosc_operator.engine.health import assess, conditions_of
from panosc_operator.engine.kind import Reader, TokenIssuer
from panosc_operator.engine.resources import (
    CONFIG_MAP,
    JOB,
    PERSISTENT_VOLUME_CLAIM,
    SECRET,
    STATEFUL_SET,
    Key,
    Object,
    is_controlled_by,
)
from panosc_operator.kinds.external_database import Connection, connection
from panosc_operator.kinds.pods import failures
from panosc_operator.kinds.relations import (
    data_claim,
    former_status,
    read_facility,
    read_login,
)
from panosc_operator.kinds.trust import trust_revision
from panosc_operator.settings import Settings

SOURCE_SECRET_TYPE = f"{GROUP}/source"
"""Type of the Secrets that sources may have. Who edits a Catalogue may not read Secrets, so no source may
take just any of the namespace, such as the database's, to an address that the same person chose."""

CALLERS_FILE = "callers.json"

_MANY_NODES = frozenset({"ReadOnlyMany", "ReadWriteMany"})


@dataclass(frozen=True)
class Observation:
    """A Catalogue and what it depends on."""

    catalogue: Catalogue
    settings: Settings
    now: datetime
    """When it was looked at."""
    facility: Facility | None = None
    """The facility that the namespace belongs to."""
    login: Login | None = None
    """The login of the facility's services."""
    archives: dict[str, DataArchive] = field(default_factory=dict)
    """The archives that the sources name, as far as they are there."""
    pinned: frozenset[str] = frozenset()
    """Those of them whose files only one node can have."""
    claims_missed: dict[str, str] = field(default_factory=dict)
    """By archive that waits for its claim: what it says about it."""
    source_secrets: frozenset[str] = frozenset()
    """Names of the Secrets with sources' credentials, as far as they are there."""
    external: Connection | None = None
    """The database, if somebody else runs it."""
    registrar_secret_found: bool = False
    """Whether the Secret of the registrar's account is there."""
    database_ready: bool = False
    """Whether the database accepts connections, as far as the operator can tell."""
    started_migrations: frozenset[str] = frozenset()
    """Names of the migration Jobs that were let go."""
    token_issuer: TokenIssuer | None = None
    """Who issues the tokens by which archives show who they are; None if its keys aren't published, or there
    are no archives."""
    trust_revision: str | None = None
    """Changes with the authorities that services trust beside the public ones; None without them."""
    failures: dict[str, str] = field(default_factory=dict)
    """By component: what a pod that fails says."""
    former: Object = field(default_factory=dict)
    """The status that was last written."""
    report: Object | None = None
    """What the ingest worker last said."""
    report_is_current: bool = False
    """Whether the ingest worker still answers."""

    @property
    def name(self) -> str:
        """Name of the catalogue."""
        return self.catalogue.metadata.name

    @property
    def namespace(self) -> str:
        """Namespace of the catalogue."""
        return self.catalogue.metadata.namespace or ""

    @property
    def waits_for_trust(self) -> bool:
        """Whether the authorities aren't there yet: pods that start now would start again at once."""
        return self.settings.trust_config_map is not None and self.trust_revision is None

    @property
    def lacks_issuer(self) -> bool:
        """Whether archives couldn't be told from anybody else."""
        return bool(self.archives) and self.token_issuer is None

    @property
    def dois(self) -> DoiIdentifiers | None:
        """How records get DOIs; None if they get none."""
        doi = self.facility.spec.identifiers.doi if self.facility else None
        return doi if doi and doi.registrar else None

    @property
    def missing_registrar_secret(self) -> str | None:
        """Name of the Secret of the registrar's account, while it isn't there."""
        data_cite = self.dois.registrar.data_cite if self.dois and self.dois.registrar else None
        return data_cite.credentials_secret if data_cite and not self.registrar_secret_found else None

    @property
    def database_secret(self) -> str:
        """Name of the Secret that has the connection to the database."""
        external = self.catalogue.spec.database.external
        return external.secret if external else database_name(self.catalogue)

    @property
    def missing_archives(self) -> list[str]:
        """The archives that the sources name and that aren't there."""
        named = [source.nexus.archive for source in self.catalogue.spec.sources if source.nexus]
        return sorted(set(named) - set(self.archives))

    @property
    def missing_source_secrets(self) -> dict[str, str]:
        """By source that can't be read without it: the Secret that isn't there, or isn't made for sources."""
        return {
            source.name: secret
            for source in self.catalogue.spec.sources
            if (secret := credentials_of(source)) and secret not in self.source_secrets
        }


def credentials_of(source: Source) -> str | None:
    """Name of the Secret with the source's credentials, if it has one."""
    return source.remote.credentials_secret if source.remote else None


def database_name(catalogue: Catalogue) -> str:
    """Name of the objects of the database that the operator runs."""
    return f"{catalogue.metadata.name}-postgres"


def callers_name(catalogue: Catalogue) -> str:
    """Name of the ConfigMap that says which service accounts may ask what archives ask."""
    return f"{catalogue.metadata.name}-callers"


async def observe(settings: Settings, catalogue: Catalogue, reader: Reader) -> Observation:
    """Read what the catalogue depends on."""
    namespace, cache = catalogue.metadata.namespace, reader.cache
    archives, pinned, claims_missed = {}, set(), {}
    for source in catalogue.spec.sources:
        if source.nexus:
            obj = cache.get(Key(GROUP, DataArchive.info.kind, namespace, source.nexus.archive))
            if obj is not None and not obj["metadata"].get("deletionTimestamp"):
                archive = DataArchive.wish(obj)
                archives[source.nexus.archive] = archive
                if await _is_pinned(archive, reader):
                    pinned.add(source.nexus.archive)
                said = conditions_of(obj.get("status") or {}).get("Ready", {})
                if said.get("reason") in (DataArchiveReason.CLAIM_NOT_FOUND, DataArchiveReason.CLAIM_LOST):
                    claims_missed[source.nexus.archive] = said.get("message", "")
    external = None
    if catalogue.spec.database.external:
        secret = await reader.read(SECRET, namespace, catalogue.spec.database.external.secret)
        external = connection(secret, "uri")
        ready = external.usable
    else:
        key = Key(STATEFUL_SET.group, STATEFUL_SET.kind, namespace, database_name(catalogue))
        ready = assess(cache.get(key)).current
    named = {name for source in catalogue.spec.sources if (name := credentials_of(source))}
    facility = read_facility(reader, namespace)
    report, current = reader.services.latest(
        Key(GROUP, catalogue.info.kind, namespace, catalogue.metadata.name)
    )
    return Observation(
        catalogue,
        settings,
        reader.now,
        facility=facility,
        login=read_login(facility, cache, settings) if facility else None,
        archives=archives,
        pinned=frozenset(pinned),
        claims_missed=claims_missed,
        source_secrets=frozenset(
            [name for name in sorted(named) if is_for_sources(await reader.read(SECRET, namespace, name))]
        ),
        external=external,
        registrar_secret_found=await _has_registrar_secret(facility, namespace, reader),
        database_ready=ready,
        started_migrations=frozenset(
            obj["metadata"]["name"]
            for obj in cache.owned_by(catalogue.info.kind, catalogue.metadata.name, namespace)
            if obj["kind"] == JOB.kind and not obj["spec"].get("suspend")
        ),
        token_issuer=await reader.token_issuer(await _known_issuer(catalogue, reader)) if archives else None,
        trust_revision=trust_revision(settings, reader, namespace),
        failures=await failures(reader, catalogue, ("catalogue", "postgresql")),
        former=former_status(reader, catalogue),
        report=report,
        report_is_current=current,
    )


async def _known_issuer(catalogue: Catalogue, reader: Reader) -> TokenIssuer | None:
    """Who issued tokens when the catalogue was last told."""
    told = await reader.read(CONFIG_MAP, catalogue.metadata.namespace, callers_name(catalogue))
    # Whoever may make ConfigMaps there could have made one by this name.
    if told is None or not is_controlled_by(told, catalogue.metadata.uid):
        return None
    try:
        callers = Callers.model_validate_json(told.get("data", {}).get(CALLERS_FILE, ""))
    except ValidationError:
        return None
    return TokenIssuer(callers.issuer, callers.keys) if callers.keys else None


def is_for_sources(secret: Object | None) -> bool:
    """Whether the Secret is there and was made for sources."""
    return secret is not None and secret.get("type") == SOURCE_SECRET_TYPE


async def _has_registrar_secret(facility: Facility | None, namespace: str | None, reader: Reader) -> bool:
    doi = facility.spec.identifiers.doi if facility else None
    data_cite = doi.registrar.data_cite if doi and doi.registrar else None
    return bool(data_cite and await reader.read(SECRET, namespace, data_cite.credentials_secret))


async def _is_pinned(archive: DataArchive, reader: Reader) -> bool:
    wanted = archive.spec.storage.claim
    if wanted is not None:
        return _MANY_NODES.isdisjoint(wanted.access_modes)
    claim = await reader.read(PERSISTENT_VOLUME_CLAIM, archive.metadata.namespace, data_claim(archive))
    return claim is not None and _MANY_NODES.isdisjoint(claim["spec"]["accessModes"])
