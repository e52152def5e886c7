"""Settings of the catalogue's processes, and the two documents that they are given as files."""

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import quote

import structlog
from panosc_common.model import Document
from panosc_common.policy import DataPolicy
from pydantic import Field, SecretStr, StringConstraints
from pydantic_settings import BaseSettings, SettingsConfigDict

log = structlog.stdlib.get_logger(__name__)

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

    @property
    def label(self) -> str:
        """What search results call the facility."""
        return self.abbreviation or self.display_name


class Layout(Document):
    """Which components of a path, counted from 1 below the root, name the proposal and the dataset."""

    proposal_directory: int | None = Field(default=1, ge=1, le=32)
    """The component that names the proposal."""
    dataset_directory: int | None = Field(default=None, ge=1, le=32)
    """The component that groups files to a dataset; absent: each NeXus file is a dataset."""


class NexusSource(Document):
    """NeXus files in an archive."""

    archive: Name
    """Name of the archive."""
    root: Path
    """Where the archive's tree is mounted."""
    archive_url: str | None = None
    """Public address of the archive."""
    layout: Layout = Field(default_factory=Layout)
    """How paths tell proposals and datasets."""
    include: list[str] = Field(
        default=["*.nxs", "*.h5", "*.hdf5", "*.hdf", "*.nx5", "*.nexus"], min_length=1, max_length=64
    )
    """Patterns of the names of NeXus files."""


class Source(Document):
    """Where records come from."""

    name: Name
    """Unique among the catalogue's sources."""
    nexus: NexusSource
    """NeXus files in an archive."""


class CatalogueConfig(Document):
    """The configuration file."""

    facility: Facility = Field(default_factory=Facility)
    """Whose catalogue this is."""
    public_url: str | None = None
    """Public address of the catalogue."""
    sources: list[Source] = Field(default=[], max_length=100)
    """Where records come from."""

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


class PolicyFile:
    """The data policy, read again when its file changes.

    Without a file the default policy holds. Raises ValueError if the file is not valid at first.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._content: bytes | None = None
        self._policy = DataPolicy()
        if path.exists():
            try:
                self._read(path.read_bytes())
            except ValueError as error:
                raise ValueError(f"{path}: {error}") from error

    def _read(self, content: bytes) -> None:
        if content != self._content:
            self._policy = DataPolicy.model_validate_json(content)
            self._content = content

    def current(self) -> DataPolicy:
        """The policy as of now; a file that vanished or became wrong leaves the last good policy in force.

        The file is read each time: it is small, and the way Kubernetes swaps mounted files leaves their times
        and sizes equal often enough.
        """
        try:
            self._read(self._path.read_bytes())
        except FileNotFoundError:
            pass
        except (OSError, ValueError) as error:
            log.error(
                "data policy not readable; the last good one stays", path=str(self._path), why=str(error)
            )
        return self._policy
