"""What the spec of a Catalogue says of its sources, its ontology and its DOIs, and its processes read again.

The operator takes the models into its kinds and adds what only Kubernetes knows, such as names of Secrets;
the catalogue takes them into its configuration and adds where these are mounted.
"""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from panosc_common.model import Document
from panosc_common.panet import LATEST, Version

_PORT = "[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]"
ServiceAddress = Annotated[
    str,
    StringConstraints(
        pattern=rf"^https?://(\[[0-9a-fA-F:.]+\]|[^\s@?#/:]+)(:({_PORT}))?(/[^\s@?#]*)?$", max_length=2048
    ),
    Field(
        json_schema_extra={
            "x-remedy": "a web address without user, password and query, such as https://scicat.example.org/api"
        }
    ),
]
"""Address of an interface that our services call: what may be secret in it would be shown in many places."""

NEXUS_PATTERNS = ("*.nxs", "*.h5", "*.hdf5", "*.hdf", "*.nx5", "*.nexus")
"""Names that NeXus files usually have."""
FilePattern = Annotated[str, StringConstraints(min_length=1, max_length=100)]


class NexusFiles(Document):
    """Which files of an archive are read."""

    include: Annotated[list[FilePattern], Field(min_length=1, max_length=32)] = Field(
        default_factory=lambda: list(NEXUS_PATTERNS)
    )
    """Shell patterns of the names of files that are read as NeXus, such as `*.nxs`, whatever their case. A
    list of your own takes the place of the default one; data of files that it leaves out are hidden."""


class Layout(Document):
    """Which folders of an archive are proposals and datasets."""

    proposal_directory: Annotated[int, Field(ge=1, le=16)] = 1
    """Which folder of a file's path is named after its proposal, counted from 1 at the archive's root: 2 for
    `2026/ES-1/run.nxs`. With another number, all files are read again and their datasets join other
    proposals, whose embargo they follow."""

    dataset_directory: Annotated[int, Field(ge=1, le=16)] | None = None
    """Which folder of a file's path is a dataset with all that is in it, counted like `proposalDirectory`. If
    unset, each NeXus file is a dataset of its own. A change gives datasets other identifiers."""


class RemoteInterface(Document):
    """What all catalogues that are read over HTTP have in common."""

    url: ServiceAddress
    """Address of the source's interface without the paths of single requests, such as
    https://scicat.example.org/api; the how-to page of its kind tells which part that is. With another address
    all records are listed again, and those that aren't at the new one are withdrawn."""

    requests_per_second: Annotated[int, Field(ge=1, le=1000)] = 5
    """Requests that are made in a second at most. More fill the catalogue sooner and load the source more."""


class IcatOptions(Document):
    """What an ICAT is asked with."""

    authenticator: Annotated[str, StringConstraints(min_length=1, max_length=63)] = "anon"
    """Which of the server's authenticators knows the account, such as `db` or `ldap`; `anon` needs no account
    and shows what is public only."""


class SciCatOptions(Document):
    """What a SciCat is asked with."""

    api_version: Literal["v3", "v4"] = "v4"
    """Version of the backend's interface: v4, or v3 for a backend before 4.0."""


class OaiPmhOptions(Document):
    """What an OAI-PMH repository is asked with."""

    metadata_prefix: Annotated[
        str,
        StringConstraints(pattern=r"^[A-Za-z0-9_.!~*'()-]+$", max_length=100),
        Field(
            json_schema_extra={
                "x-remedy": "a prefix of those that verb=ListMetadataFormats lists, such as oai_datacite"
            }
        ),
    ] = "oai_datacite"
    """Format in which the records are asked for, one of those that `verb=ListMetadataFormats` lists:
    DataCite's, or `oai_dc`, which says less. With another one, everything is harvested again."""

    set: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = None
    """The set that is harvested, one of those that `verb=ListSets` lists; everything if unset. With another
    one, everything is harvested again, and what isn't in it is withdrawn."""


class TechniqueOntology(Document):
    """The ontology by which searches for a technique also find what is below it."""

    version: Version = LATEST
    """Release of PaNET, the ontology of photon and neutron techniques. Another one holds as soon as the pods
    that answer searches are replaced, one by one; no record is read again."""


class DataCiteInterface(Document):
    """DataCite's REST API."""

    endpoint: ServiceAddress = "https://api.datacite.org"
    """Address of the API. https://api.test.datacite.org is for trying out: its DOIs lead nowhere. With
    another address, records lose the DOIs of the former one and get those of the new one."""


class Mint(Document):
    """What gets DOIs; DOIs that are there stay, and are kept up to date, whatever this says."""

    documents: bool = True
    """Whether proposals get DOIs, from the start: their metadata are public from the start."""

    datasets: bool = True
    """Whether datasets get DOIs, from when they are public."""
