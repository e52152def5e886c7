"""Settings of the catalogue's processes, and the two documents that they are given as files."""

from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import quote

from panosc_common.access import Login
from panosc_common.catalogue import (
    DataCiteInterface,
    IcatOptions,
    Layout,
    Mint,
    NexusFiles,
    OaiPmhOptions,
    RemoteInterface,
    SciCatOptions,
    TechniqueOntology,
)
from panosc_common.model import Document
from panosc_common.mounted import MountedFile
from panosc_common.policy import DataPolicy
from pydantic import Field, SecretStr, StringConstraints, model_validator
from pydantic.alias_generators import to_camel
from pydantic_settings import BaseSettings, SettingsConfigDict

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]


class Settings(BaseSettings):
    """Environment variables PANOSC_CATALOGUE_…; every command-line flag overrides one of them."""

    model_config = SettingsConfigDict(env_prefix="PANOSC_CATALOGUE_", use_attribute_docstrings=True)

    database_url: SecretStr | None = None
    """PostgreSQL URL, `postgresql://user:password@host:port/database`."""

    policy_file: Path = Path("/etc/panosc/policy/policy.json")
    """The facility's data policy; where it does not exist the default policy holds."""

    config_file: Path = Path("/etc/panosc/config/catalogue.json")
    """The catalogue's configuration: facility and sources."""

    registrar_credentials: Path = Path("/etc/panosc/registrar")
    """Directory with `username` and `password` of the account that registers DOIs."""

    registrar_timeout_seconds: float = Field(default=30.0, gt=0)
    """Time without a byte after which a request to the registrar is given up."""

    registrar_requests_per_second: float = Field(default=5.0, gt=0, le=1000)
    """Requests to the registrar at most; DataCite allows 3000 in five minutes from one address."""

    dois_interval_seconds: float = Field(default=30.0, gt=0)
    """Time between two looks at which DOIs have to change."""

    administrator_token_file: Path = Path("/etc/panosc/administrator/token")
    """Who knows what is in it may decide as the facility's staff; without it nobody may."""

    link_keys: Path = Path("/etc/panosc/links")
    """Directory with one for each archive whose signed links are taken: its keys `current` and `previous`."""

    callers_file: Path | None = None
    """Which service accounts may ask what archives ask, by tokens of Kubernetes; unset: whoever reaches it,
    which is meant for one machine. Once it is set, nobody may whom the file does not name."""

    max_limit: int = Field(default=10_000, ge=1, le=1_000_000)
    """Items that one answer holds at most, and each list of related items in it."""

    max_answer_mib: int = Field(default=64, ge=1, le=1024)
    """Size of one answer at most, in MiB: nested lists multiply."""

    statement_timeout_seconds: float = Field(default=20.0, gt=0)
    """Time after which a query is given up."""

    pool_size: int = Field(default=8, ge=1, le=200)
    """Database connections of one process."""

    rescan_seconds: float = Field(default=30.0, gt=0)
    """Time between two looks at a source's tree where no notification comes."""

    full_scan_seconds: float = Field(default=6 * 3600.0, gt=0)
    """Time after which a look at the tree compares every file again."""

    stamp_seconds: float = Field(default=60.0, gt=0)
    """Time between two comparisons of what OAI-PMH says with what is public, where no harvester asks."""

    read_timeout_seconds: float = Field(default=60.0, gt=0)
    """Time after which reading one NeXus file is given up."""

    log_level: str = "INFO"
    """DEBUG, INFO, WARNING or ERROR."""


class Facility(Document):
    """Whose catalogue this is."""

    name: Name = "facility"
    """Short name; the first part of the pids that the ingest makes."""
    display_name: str = "Facility"
    """Full name."""
    abbreviation: str | None = None
    """What the facility is usually called."""
    ror: str | None = None
    """Research Organization Registry id."""
    country: str | None = None
    """ISO 3166 country code."""
    contact_email: str | None = None
    """Whom to write to about the data."""

    @property
    def label(self) -> str:
        """What search results call the facility."""
        return self.abbreviation or self.display_name


class NexusSource(NexusFiles):
    """NeXus files in an archive."""

    archive: Name
    """Name of the archive."""
    root: Path
    """Where the archive's tree is mounted."""
    archive_url: str | None = None
    """Public address of the archive."""
    layout: Layout = Field(default_factory=Layout)
    """How paths tell proposals and datasets."""


class RemoteSource(RemoteInterface):
    """What all catalogues that are read over HTTP have in common."""

    credentials: Path | None = None
    """Directory with a file for each credential, and `ca.crt` where its certificate is of a private CA."""
    interval_seconds: float = Field(default=900, gt=0)
    """Time between two looks at what changed."""
    full_listing_seconds: float = Field(default=86_400, gt=0)
    """Time after which everything is listed again: only that shows what was deleted."""


class IcatSource(IcatOptions, RemoteSource):
    """An ICAT server; credentials: `username`, `password`."""


class SciCatSource(SciCatOptions, RemoteSource):
    """A SciCat backend; credentials: `token`, or `username` and `password`; without any what is public."""


class MyMdcSource(RemoteSource):
    """A myMdC; credentials: `client_id`, `client_secret`, `user_email`."""


class SearchApiSource(RemoteSource):
    """A PaNOSC search API."""


class OaiPmhSource(OaiPmhOptions, RemoteSource):
    """An OAI-PMH repository."""


class Source(Document):
    """Where records come from: exactly one of the kinds of sources."""

    name: Name
    """Unique among the catalogue's sources."""
    nexus: NexusSource | None = None
    """NeXus files in an archive."""
    icat: IcatSource | None = None
    """An ICAT server."""
    scicat: SciCatSource | None = None
    """A SciCat backend."""
    mymdc: MyMdcSource | None = None
    """A myMdC."""
    search_api: SearchApiSource | None = Field(default=None, alias="searchAPI")
    """A PaNOSC search API."""
    oai_pmh: OaiPmhSource | None = None
    """An OAI-PMH repository."""

    @property
    def kinds(self) -> list[str]:
        """Names of the kinds that are given."""
        fields = type(self).model_fields
        given = [name for name in fields if name != "name" and getattr(self, name) is not None]
        return [fields[name].alias or to_camel(name) for name in given]

    @property
    def remote(self) -> RemoteSource | None:
        """What is read over HTTP, unless it is an archive."""
        return self.icat or self.scicat or self.mymdc or self.search_api or self.oai_pmh

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if len(self.kinds) != 1:
            given = " and ".join(self.kinds) or "nothing"
            raise ValueError(f"source {self.name} has {given}; give exactly one kind of source")
        return self


class LocalHandles(Document):
    """No registrar: names that resolve at this catalogue only, and that nothing calls DOIs."""


class Registrar(Document):
    """Who registers DOIs: exactly one."""

    data_cite: DataCiteInterface | None = None
    """DataCite; credentials in files beside each other."""
    none: LocalHandles | None = None
    """Nobody."""

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if (self.data_cite is None) == (self.none is None):
            raise ValueError("give exactly one of dataCite and none")
        return self


class Dois(Document):
    """DOIs of the catalogue's records."""

    prefix: Annotated[str, StringConstraints(pattern=r"^10\.\d{4,9}$")]
    """Prefix of the names."""
    registrar: Registrar
    """Who registers them."""
    mint: Mint = Field(default_factory=Mint)
    """Which records get them."""


class Identifiers(Document):
    """Persistent identifiers."""

    doi: Dois | None = None
    """DOIs; absent: none are made."""


class CatalogueConfig(Document):
    """The configuration file."""

    facility: Facility = Field(default_factory=Facility)
    """Whose catalogue this is."""
    public_url: str | None = None
    """Public address of the catalogue."""
    sources: list[Source] = Field(default=[], max_length=100)
    """Where records come from."""
    ontology: TechniqueOntology = Field(default_factory=TechniqueOntology)
    """The ontology of techniques."""

    identifiers: Identifiers = Field(default_factory=Identifiers)
    """Persistent identifiers of the records."""

    aai: Login | None = None
    """The login; absent: everybody is the public."""

    def landing_url(self, kind: Literal["documents", "datasets"], pid: str) -> str:
        """Address of the page about a record; without a public address the path on this host."""
        return f"{(self.public_url or '').rstrip('/')}/{kind}/{quote(pid, safe='/:')}"


def load_config(path: Path) -> CatalogueConfig:
    """Read the configuration; without a file the catalogue has no sources.

    Raises ValueError that names the file and the fields if it is not valid.
    """
    if not path.exists():
        return CatalogueConfig()
    try:
        return CatalogueConfig.model_validate_json(path.read_bytes())
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


class PolicyFile(MountedFile[DataPolicy]):
    """The data policy; without a file the default policy holds."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, DataPolicy.model_validate_json, DataPolicy())
