"""Where the records of a Catalogue come from: files of an archive, or another catalogue."""

from typing import Annotated

from panosc_common.catalogue import IcatOptions, NexusFiles, OaiPmhOptions, RemoteInterface, SciCatOptions
from panosc_common.model import Document
from pydantic import Field

from panosc_operator.api.cel import encrypted, exactly_one_of, rules
from panosc_operator.api.meta import DnsLabel, ObjectName


class NexusSource(NexusFiles):
    """NeXus files of a DataArchive."""

    archive: DnsLabel
    """Name of the DataArchive in the same namespace whose files are read. With another one, what the former
    had is withdrawn."""


class RemoteSource(RemoteInterface):
    """What all catalogues that are read over HTTP have in common."""

    model_config = rules(encrypted("url"))

    credentials_secret: ObjectName | None = None
    """Name of the Secret in the namespace, of type `panosc.eu/source`, with the credentials and, where the
    source's certificate is of a private CA, `ca.crt`. With one, `url` has to begin with https://; without
    one, what is public is read. When the Secret changes, the ingest worker restarts."""

    interval_minutes: Annotated[int, Field(ge=1, le=10080)] = 15
    """Minutes between two looks at what changed: how long a change at the source takes to be seen here."""

    full_listing_hours: Annotated[int, Field(ge=1, le=8760)] = 24
    """Hours between two listings of everything, which with most kinds of sources alone show what was deleted.
    A listing should take less: count the records against `requestsPerSecond`."""


class IcatSource(IcatOptions, RemoteSource):
    """An ICAT server; the Secret has `username` and `password`."""


class SciCatSource(SciCatOptions, RemoteSource):
    """A SciCat backend; the Secret has `token`, or `username` and `password`; without it, what is public."""


class MyMdcSource(RemoteSource):
    """A myMdC; the Secret has `client_id`, `client_secret` and `user_email`."""


class SearchApiSource(RemoteSource):
    """A PaNOSC search API; everything is listed each time, as it can't tell what changed."""


class OaiPmhSource(OaiPmhOptions, RemoteSource):
    """An OAI-PMH repository."""


class Source(Document):
    """Where records come from: exactly one of the kinds of sources."""

    model_config = rules(exactly_one_of("nexus", "icat", "scicat", "mymdc", "searchAPI", "oaiPmh"))

    name: DnsLabel
    """Name of the source, by which status and metrics call it, and part of the identifiers of records that
    have none of their own. Under another name it is another source; the former's records stay."""

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
