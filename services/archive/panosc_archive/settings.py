"""How an archive is configured: environment variables `PANOSC_ARCHIVE_…`, or flags of the command line."""

from pathlib import Path
from typing import Literal

from panosc_common.access import Login
from panosc_common.model import Document
from panosc_common.policy import HttpUrl
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Uploads(Document):
    """Who may put which files into the archive."""

    facility: str
    """Name of the facility, of whose groups whoever sends files has to be."""

    login: Login
    """The login whose access tokens are taken."""

    proposal_directory: int = Field(default=1, ge=1)
    """Which folder of each path is a proposal, counted from 1."""

    max_bytes: int = Field(gt=0)
    """How large a file may be."""

    keep_seconds: float = Field(gt=0)
    """How long what has come of a file is kept after the last of it."""


class Settings(BaseSettings):
    """Settings of one archive's processes; every field is also an environment variable."""

    model_config = SettingsConfigDict(env_prefix="PANOSC_ARCHIVE_", use_attribute_docstrings=True)

    name: str = "archive"
    """Name under which the catalogues know this archive."""

    data_directory: Path = Path("/data")
    """Root of the data; only `receive` writes there."""

    state_directory: Path = Path("/state")
    """Where the fixity manifest lives; written by `index` and `verify`, read by `serve`."""

    catalogue_urls: list[HttpUrl] = []
    """Internal base URLs of the catalogues that decide who may see what; none: nothing is shown."""

    catalogue_tokens: Path = Path("/etc/panosc/tokens")
    """Directory with one for each catalogue, by the name of its host: the token of this archive's service
    account for it, read at each request as it is replaced often; without one, none is sent."""

    link_keys: Path = Path("/etc/panosc/links")
    """Directory with the keys `current` and `previous` of signed links; without them there are none."""

    public_url: str = ""
    """Base of the URLs in answers, without a slash at the end; empty: URLs relative to the host."""

    accel_prefix: str | None = None
    """Internal location of the nginx in front that sends the bytes; unset: this process sends them."""

    uploads: Uploads | None = None
    """Who may put files here; only `receive` reads it, which does not start without."""

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = "INFO"
    """Records below this level are left out."""

    scan_seconds: float = Field(default=10.0, gt=0)
    """Seconds between two incremental scans of the tree."""

    full_scan_seconds: float = Field(default=6 * 3600.0, gt=0)
    """Seconds between two scans that look at every file."""

    hash_settle_seconds: float = Field(default=10.0, ge=0)
    """Age of a file from which it is hashed; a file that is still written would be hashed in vain."""

    hash_mib_per_second: float = Field(default=200.0, gt=0)
    """Bound on the rate at which `index` and `verify` read, so that users of the storage come first."""

    hdf5_workers: int = Field(default=2, ge=1, le=64)
    """Processes that read HDF5 files."""

    hdf5_seconds: float = Field(default=20.0, gt=0)
    """Time after which reading an HDF5 file is given up."""

    hdf5_worker_mib: int = Field(default=1536, ge=512)
    """Address space of such a process: a small HDF5 file may unpack to more than the machine has."""

    hdf5_max_bytes: int = Field(default=96 * 2**20, gt=0)
    """Size from which a slice is refused; an eighth of it as text. The default lets a frame of 16 megapixels
    of 32 bits pass; larger parts are downloaded as files."""

    @property
    def manifest_path(self) -> Path:
        """The fixity manifest."""
        return self.state_directory / "manifest.sqlite"
