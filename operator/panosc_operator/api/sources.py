"""Where the records of a Catalogue come from: files of an archive, or another catalogue."""

from typing import Annotated, Literal

from panosc_common.model import Document
from pydantic import Field, StringConstraints

from panosc_operator.api.cel import ListSet, Remedy, encrypted, exactly_one_of, rules
from panosc_operator.api.meta import DnsLabel, ObjectName, ServiceAddress

NEXUS_PATTERNS = ("*.nxs", "*.h5", "*.hdf5", "*.hdf", "*.nx5", "*.nexus")
"""Names that NeXus files usually have."""

FilePattern = Annotated[str, StringConstraints(min_length=1, max_length=100)]


class NexusSource(Document):
    """NeXus files of a DataArchive."""

    archive: DnsLabel
    """Name of the DataArchive in the same namespace whose files are read."""

    include: Annotated[list[FilePattern], ListSet(), Field(min_length=1, max_length=32)] = Field(
        default_factory=lambda: list(NEXUS_PATTERNS)
    )
    """Shell patterns of the names of files that are read, such as `*.nxs`."""


class RemoteSource(Document):
    """What all catalogues that are read over HTTP have in common."""

    model_config = rules(encrypted("url"))

    url: ServiceAddress
    """Address of its interface, as its how-to page says."""

    credentials_secret: ObjectName | None = None
    """Name of the Secret in the namespace, of type `panosc.eu/source`, with the credentials and, where the
    source's CA is private, `ca.crt`."""

    interval_minutes: Annotated[int, Field(ge=1, le=10080)] = 15
    """Minutes between two looks at what changed."""

    full_listing_hours: Annotated[int, Field(ge=1, le=8760)] = 24
    """Hours between two listings of everything, which alone show what was deleted."""

    requests_per_second: Annotated[int, Field(ge=1, le=1000)] = 5
    """Requests that are made at most."""


class IcatSource(RemoteSource):
    """An ICAT server; the Secret has `username` and `password`."""

    authenticator: Annotated[str, StringConstraints(min_length=1, max_length=63)] = "anon"
    """Which of the server's authenticators knows the account; `anon` needs none."""


class SciCatSource(RemoteSource):
    """A SciCat backend; the Secret has `token`, or `username` and `password`; without it, what is public."""

    api_version: Literal["v3", "v4"] = "v4"
    """Version of its interface."""


class MyMdcSource(RemoteSource):
    """A myMdC; the Secret has `client_id`, `client_secret` and `user_email`."""


class SearchApiSource(RemoteSource):
    """A PaNOSC search API; everything is listed each time, as it can't tell what changed."""


class OaiPmhSource(RemoteSource):
    """An OAI-PMH repository."""

    metadata_prefix: Annotated[
        str,
        StringConstraints(pattern=r"^[A-Za-z0-9_.!~*'()-]+$", max_length=100),
        Remedy("a prefix that the repository lists with verb=ListMetadataFormats, such as oai_datacite"),
    ] = "oai_datacite"
    """Format in which the records are asked for."""

    set: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = None
    """The set that is harvested; everything if unset."""


class Source(Document):
    """Where records come from: exactly one of the kinds of sources."""

    model_config = rules(exactly_one_of("nexus", "icat", "scicat", "mymdc", "searchAPI", "oaiPmh"))

    name: DnsLabel
    """Name of the source; of two catalogues with the same record the one named first describes it."""

    nexus: NexusSource | None = None
    """NeXus files of a DataArchive."""

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
    def remote(self) -> RemoteSource | None:
        """What is read over HTTP, unless it is an archive."""
        return self.icat or self.scicat or self.mymdc or self.search_api or self.oai_pmh
