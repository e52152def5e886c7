"""DataArchive: a tree of files that is served, watched and checked for damage."""

from datetime import datetime
from typing import Annotated, ClassVar, Literal

from panosc_common.catalogue import Layout
from panosc_common.model import Document
from pydantic import ConfigDict, Field, StringConstraints

from panosc_operator.api.cel import ListSet, Remedy, Rule, exactly_one_of, grows_only, immutable, rules
from panosc_operator.api.conditions import ConditionType, DataArchiveReason
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


def _cron_field(value: str) -> str:
    """Pattern of one cron field: `*` or values, with ranges, steps and lists."""
    item = rf"(\*|{value}(-{value})?)(/[1-9][0-9]?)?"
    return f"{item}(,{item})*"


_CRON = " ".join(
    (
        _cron_field("[0-5]?[0-9]"),
        _cron_field("([01]?[0-9]|2[0-3])"),
        _cron_field("(0?[1-9]|[12][0-9]|3[01])"),
        _cron_field("(0?[1-9]|1[0-2]|JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC)"),
        _cron_field("([0-6]|SUN|MON|TUE|WED|THU|FRI|SAT)"),
    )
)

CronSchedule = Annotated[
    str,
    StringConstraints(pattern=rf"^(@(hourly|daily|weekly|monthly|yearly)|{_CRON})$", max_length=100),
    Remedy("a cron schedule: minute, hour, day of month, month, day of week, such as '0 3 * * 0', or @daily"),
]
GroupId = Annotated[int, Field(ge=1, le=2**31 - 1, json_schema_extra={"format": "int64"})]
AccessMode = Literal["ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany"]


def _one_node() -> list[AccessMode]:
    return ["ReadWriteOnce"]


_NEW_ARCHIVE = "make a second DataArchive with the new storage, copy the files into it, then delete this one"


class Claim(Document):
    """A volume that the operator claims."""

    model_config = rules(
        immutable("storageClass", _NEW_ARCHIVE),
        grows_only("size", "a volume only grows; to go back to a smaller one, " + _NEW_ARCHIVE),
        Rule(
            rule="self.accessModes == oldSelf.accessModes",
            message="accessModes can't be changed: " + _NEW_ARCHIVE,
            field_path=".accessModes",
        ),
    )

    size: Quantity
    """Size of the volume, such as `10Ti`; it may grow later if the storage class allows it, never shrink."""

    storage_class: ObjectName | None = None
    """StorageClass of the volume; the cluster's default if unset. It can't be changed."""

    access_modes: Annotated[list[AccessMode], ListSet(), Field(min_length=1, max_length=3)] = Field(
        default_factory=_one_node
    )
    """How nodes may mount the volume. With ReadWriteOnce alone, the ingest workers of the catalogues that
    read the archive have to run on its node. It can't be changed."""


class Storage(Document):
    """Where the files are: exactly one of `claim` and `existingClaim`."""

    model_config = rules(
        exactly_one_of("claim", "existingClaim"),
        Rule(
            rule="has(self.claim) == has(oldSelf.claim)",
            message="the files are in the storage first chosen, which can't be changed: " + _NEW_ARCHIVE,
        ),
        immutable("existingClaim", _NEW_ARCHIVE),
    )

    claim: Claim | None = None
    """A new volume that the operator claims; it starts empty."""

    existing_claim: ObjectName | None = None
    """Name of a PersistentVolumeClaim in the namespace that holds the files. Claim and files are read, never
    changed or deleted. It can't be changed."""

    supplemental_groups: Annotated[list[GroupId], ListSet(), Field(max_length=16)] = Field(
        default_factory=list
    )
    """Numbers (gid) of the groups that may read the files, where not everybody may. The pods that read the
    archive run with them, unless a policy of the cluster forbids that; they restart at a change."""


class StateClaim(Document):
    """The small volume for the fixity manifest."""

    model_config = rules(
        immutable(
            "storageClass", "make a second DataArchive, whose manifest is made anew, then delete this one"
        ),
        grows_only("size", "a volume only grows; keep the present size"),
    )

    size: Quantity = "1Gi"
    """Size of the volume: about 300 bytes for each file of the archive, so that 1Gi is enough for three
    million. It may grow later, never shrink."""

    storage_class: ObjectName | None = None
    """StorageClass of the volume; the cluster's default if unset. It must be safe for SQLite: no NFS. It
    can't be changed."""


class ArchiveLayout(Layout):
    """What the folders of the archive mean."""

    model_config = rules(
        Rule(
            rule="!has(self.datasetDirectory) || self.datasetDirectory > self.proposalDirectory",
            message="datasetDirectory must be deeper than proposalDirectory: proposals hold datasets",
            field_path=".datasetDirectory",
        ),
    )


class Fixity(Document):
    """How the files are checked for damage."""

    schedule: CronSchedule = "0 3 * * 0"
    """When all files are read and compared with their SHA-256 in the manifest, as cron schedule in UTC;
    Sundays at 3 unless set. A check reads every byte, and none begins while another runs: choose it by the
    archive's size and the storage's speed."""


class Uploads(Document):
    """Files that the facility's staff sends over HTTP."""

    model_config = rules(
        Rule(
            # That it is none, its own rule says.
            rule="!isQuantity(string(self.maxFileSize)) || "
            "quantity(string(self.maxFileSize)).compareTo(quantity('1')) >= 0",
            message="maxFileSize is less than a byte: write it as 500Gi",
            message_expression="string(self.maxFileSize) + ' is less than a byte: write it as 500Gi'",
            field_path=".maxFileSize",
        )
    )

    max_file_size: Quantity = "1Ti"
    """How large a file may be, such as `500Gi`."""

    keep_partial_days: Annotated[int, Field(ge=1, le=365)] = 7
    """For how many days after its last byte came a file that isn't whole can be gone on with; it takes its
    place on the volume until then."""


class DataArchiveSpec(Document):
    """Which files are served, and how."""

    model_config = rules(
        Rule(
            rule="!has(self.uploads) || has(self.storage.claim)",
            message="uploads needs storage.claim: files of an existing claim are read, never changed; leave "
            "out uploads, or make an archive with storage.claim",
            message_expression=(
                "'uploads needs storage.claim: files of the existing claim ' + "
                "(has(self.storage.existingClaim) ? self.storage.existingClaim : '') + "
                "' are read, never changed; leave out uploads, or make an archive with storage.claim'"
            ),
            field_path=".uploads",
        )
    )

    storage: Storage
    """Where the files are: exactly one of `claim` and `existingClaim`."""

    state: StateClaim = Field(default_factory=StateClaim)
    """The small volume for the fixity manifest."""

    layout: ArchiveLayout = Field(default_factory=ArchiveLayout)
    """What the folders of the archive mean."""

    replicas: Annotated[int, Field(ge=1, le=50)] = 1
    """How many pods serve files, and as many take them with `uploads`. All run on one node, as they share
    the volume with the manifest: more of them help while one is replaced, and not when the node fails."""

    uploads: Uploads | None = None
    """Lets administrators and instrument staff of the facility send files, by `panosc put` or any client of
    the protocol tus; they need a login. Off if unset. Only with `storage.claim`, whose volume is then written
    to. Files are never replaced."""

    fixity: Fixity = Field(default_factory=Fixity)
    """How the files are checked for damage."""

    deletion_policy: DeletionPolicy = "Retain"
    """What deleting the DataArchive does to the volumes made for it, files included: Retain keeps them,
    Delete deletes them for good. An existing claim always stays. What is set at the deletion counts."""

    suspend: bool = False
    """While true, the operator leaves the archive's objects as they are, whatever the spec says; files are
    served on."""


class FixityStatus(Document):
    """What the fixity check found."""

    model_config = ConfigDict(extra="ignore")

    known: Count = 0
    """Files whose SHA-256 is in the manifest."""

    pending: Count = 0
    """Files that were seen and whose SHA-256 wasn't computed yet."""

    damaged: Count = 0
    """Files whose bytes differ from when they were first read."""

    missing: Count = 0
    """Files of the manifest that are gone."""

    last_check: datetime | None = None
    """When the last complete check ended."""


class DataArchiveStatus(Status):
    """What the operator found out about an archive."""

    url: Annotated[str, StringConstraints(max_length=2048)] | None = None
    """Where the archive is reached."""

    claim: Annotated[str, StringConstraints(max_length=253)] | None = None
    """Name of the PersistentVolumeClaim that holds the files."""

    capacity: Annotated[str, StringConstraints(max_length=40)] | None = None
    """Size of the volume as the cluster gave it."""

    files: Count | None = None
    """How many files the archive holds."""

    bytes: Count | None = None
    """How many bytes the files have together."""

    last_scan: datetime | None = None
    """When the last complete walk through the archive ended."""

    fixity: FixityStatus | None = None
    """What the fixity check found."""


class DataArchive(Resource):
    """A tree of files that is served for download, watched for new files and checked for damage."""

    model_config = rules(name_rule(40, "the name of its objects and as the first part of its host name"))

    info: ClassVar[KindInfo] = KindInfo(
        kind="DataArchive",
        plural="dataarchives",
        short_name="da",
        namespaced=True,
        reasons=DataArchiveReason,
        conditions=(ConditionType.INTACT,),
        columns=(
            PrinterColumn("Files", ".status.files", "integer", "How many files it holds."),
            PrinterColumn(
                "Damaged", ".status.fixity.damaged", "integer", "How many files are damaged.", priority=1
            ),
            PrinterColumn("Capacity", ".status.capacity", description="Size of its volume.", priority=1),
        ),
    )

    kind: Literal["DataArchive"] = "DataArchive"
    """Kind of the object."""

    spec: DataArchiveSpec
    """What the archive is to be."""

    status: DataArchiveStatus = Field(default_factory=DataArchiveStatus)
    """What the operator found out; written by it alone."""
