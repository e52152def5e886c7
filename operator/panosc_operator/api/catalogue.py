"""Catalogue: the searchable record of a facility's data."""

from datetime import datetime
from typing import Annotated, ClassVar, Literal

from panosc_common.catalogue import TechniqueOntology
from panosc_common.model import Document
from pydantic import ConfigDict, Field, StringConstraints

from panosc_operator.api.cel import ListMap, rules
from panosc_operator.api.conditions import CatalogueReason, ConditionType
from panosc_operator.api.database import Choice, PostgreSQL, choice_rules, database_rules
from panosc_operator.api.meta import (
    Count,
    DeletionPolicy,
    KindInfo,
    ObjectName,
    PrinterColumn,
    Quantity,
    Resource,
    Status,
    name_rule,
)
from panosc_operator.api.sources import Source

Line = Annotated[str, StringConstraints(max_length=1024)]

_NEW_CATALOGUE = "make a second Catalogue with the new database, let it fill, then delete this one"


class ManagedDatabase(PostgreSQL):
    """A PostgreSQL that the operator runs for this catalogue."""

    model_config = database_rules(_NEW_CATALOGUE)

    memory: Quantity = "2Gi"
    """Memory that the database may take, such as `8Gi`, at least `512Mi`; a quarter of it is reserved.
    Searches are quick while it holds the records: a million datasets take about 3Gi. The database restarts
    when it changes."""


class ExternalDatabase(Document):
    """A PostgreSQL that somebody else runs."""

    secret: ObjectName
    """Name of the Secret in the namespace whose key `uri` has the connection, such as
    postgresql://user:password@host/db. Pods restart when it changes; records aren't moved to another
    database."""


class Database(Choice):
    """Where the records are kept: exactly one of `managed` and `external`."""

    model_config = choice_rules("records", _NEW_CATALOGUE)

    managed: ManagedDatabase | None = None
    """A PostgreSQL that the operator runs for this catalogue."""

    external: ExternalDatabase | None = None
    """A PostgreSQL that somebody else runs."""


class CatalogueSpec(Document):
    """What is catalogued, and where the records are kept."""

    sources: Annotated[list[Source], ListMap(("name",)), Field(max_length=16)] = Field(default_factory=list)
    """Where records come from; without one, the catalogue is filled by `panosc-catalogue load`. Of two
    catalogues with the same record the one named first describes it. A source that is taken out leaves its
    records."""

    database: Database = Field(default_factory=lambda: Database(managed=ManagedDatabase()))
    """Where the records are kept: exactly one of `managed` and `external`, which can't be changed."""

    ontology: TechniqueOntology = Field(default_factory=TechniqueOntology)
    """The ontology of techniques, PaNET."""

    replicas: Annotated[int, Field(ge=1, le=50)] = 1
    """How many pods answer searches. With more than one, searches are answered while one is replaced or its
    node fails. Each has connections to the database of its own."""

    deletion_policy: DeletionPolicy = "Retain"
    """What deleting the Catalogue does to its managed database: Retain keeps it, and a Catalogue of the same
    name takes it up again; Delete deletes it for good, also what the staff decided. What is set at the
    deletion counts. An external database always stays."""

    suspend: bool = False
    """While true, the operator leaves the catalogue's objects as they are, whatever the spec says; searches
    are answered and sources read on."""


class Problem(Document):
    """A file or record that couldn't be read."""

    model_config = ConfigDict(extra="ignore")

    path: Annotated[str, StringConstraints(max_length=4096)]
    """Path of the file below the archive's root, or kind and identifier of the record at its source."""

    reason: Annotated[str, StringConstraints(max_length=64)]
    """Cause in one word."""

    message: Line = ""
    """Cause in a sentence."""


class SourceStatus(Document):
    """What became of a source."""

    model_config = ConfigDict(extra="ignore")

    name: Annotated[str, StringConstraints(max_length=63)]
    """Name of the source."""

    state: Literal["Scanning", "Idle", "Failed"]
    """What the ingest worker does with the source now."""

    files: Count = 0
    """Of an archive: files that were seen and match the source's patterns."""

    ingested: Count = 0
    """Of an archive: files that were read and whose records are in the catalogue."""

    failed: Count = 0
    """Files that couldn't be read, or records that make no sense."""

    records: Count = 0
    """Records (of an archive: datasets) that the source has now."""

    withdrawn: Count = 0
    """Records that it had and has no longer; they are kept, and hidden from searches."""

    last_scan: datetime | None = None
    """When the last complete scan of an archive ended, or the last listing of everything began."""

    last_success: datetime | None = None
    """As of when the catalogue has all that the source had; the time since then is the lag."""

    last_error: Line | None = None
    """Why the source as a whole can't be read, or isn't believed."""

    problems: Annotated[list[Problem], Field(max_length=5)] = Field(default_factory=list)
    """Some of what couldn't be read; the ingest worker's report has all."""


class DatabaseStatus(Document):
    """Where the records are kept."""

    model_config = ConfigDict(extra="ignore")

    host: Annotated[str, StringConstraints(max_length=253)] | None = None
    """Host of the database, if the operator runs it."""

    secret: Annotated[str, StringConstraints(max_length=253)] | None = None
    """Name of the Secret that has the connection."""


class DoiStatus(Document):
    """What became of the records' DOIs."""

    model_config = ConfigDict(extra="ignore")

    findable: Count = 0
    """DOIs that resolve and are found."""

    registered: Count = 0
    """DOIs that only resolve, as their records are no longer public."""

    pending: Count = 0
    """Names that are intended and not registered yet."""

    refused: Count = 0
    """DOIs whose record the registrar doesn't take as it is."""

    local: Count = 0
    """Local handles, where there is no registrar."""


class CatalogueStatus(Status):
    """What the operator found out about a catalogue."""

    url: Annotated[str, StringConstraints(max_length=2048)] | None = None
    """Where the search API is reached; its paths begin with /api."""

    documents: Count | None = None
    """How many documents (proposals, publications) are catalogued."""

    datasets: Count | None = None
    """How many datasets are catalogued, those under embargo included."""

    public_datasets: Count | None = None
    """How many datasets everybody may see now."""

    sources: Annotated[list[SourceStatus], ListMap(("name",)), Field(max_length=16)] = Field(
        default_factory=list
    )
    """What became of each source."""

    dois: DoiStatus | None = None
    """What became of the records' DOIs; unset while none are made."""

    database: DatabaseStatus | None = None
    """Where the records are kept."""


class Catalogue(Resource):
    """The searchable record of a facility's data, with the PaNOSC search API."""

    model_config = rules(name_rule(40, "the name of its objects and as the first part of its host name"))

    info: ClassVar[KindInfo] = KindInfo(
        kind="Catalogue",
        plural="catalogues",
        short_name="cat",
        namespaced=True,
        reasons=CatalogueReason,
        conditions=(ConditionType.SOURCES_READY, ConditionType.DOIS_READY),
        columns=(
            PrinterColumn("Datasets", ".status.datasets", "integer", "How many datasets it has."),
            PrinterColumn(
                "Public", ".status.publicDatasets", "integer", "How many of them everybody may see."
            ),
            PrinterColumn(
                "Documents", ".status.documents", "integer", "How many documents it has.", priority=1
            ),
        ),
    )

    kind: Literal["Catalogue"] = "Catalogue"
    """Kind of the object."""

    spec: CatalogueSpec = Field(default_factory=CatalogueSpec)
    """What the catalogue is to be."""

    status: CatalogueStatus = Field(default_factory=CatalogueStatus)
    """What the operator found out; written by it alone."""
