"""What a landing page shows beyond the description that all interfaces share: parameters and single files."""

from dataclasses import dataclass
from datetime import UTC, datetime

from panosc_common.media import media_type

from panosc_catalogue.datacite.description import Description, Kind
from panosc_catalogue.pages.archives import Archives
from panosc_catalogue.query.model import MONTHS, VISIBLE_DATASETS, VISIBLE_DOCUMENTS
from panosc_catalogue.site import Site

MAX_PARAMETERS = 200
"""Parameters on a page; the API has them all."""
MAX_FILES = 100
"""Files on a page; the list of addresses has them all."""


def _parameters(owner: str) -> str:
    return f"""
        (SELECT coalesce(jsonb_agg(to_jsonb(p)), '[]') FROM (
            SELECT name, text_value AS text, number_value AS number, number_upper AS upper, unit
            FROM parameter WHERE {owner} = v.id ORDER BY position, id LIMIT {MAX_PARAMETERS}) p),
        (SELECT count(*) FROM parameter WHERE {owner} = v.id)
    """  # noqa: S608 -- our own columns, here and below


_OF_DATASET = f"""
    SELECT d.updated_at, false, {_parameters("dataset_id")},
        (SELECT coalesce(jsonb_agg(to_jsonb(f)), '[]') FROM (
            SELECT archive, path, name, size FROM visible_file
            WHERE dataset_id = v.id ORDER BY path LIMIT {MAX_FILES}) f)
    FROM {VISIBLE_DATASETS} v JOIN dataset d ON d.id = v.id WHERE v.pid COLLATE "C" = %(pid)s
"""  # noqa: S608
_OF_DOCUMENT = f"""
    SELECT d.updated_at, EXISTS (
        SELECT 1 FROM document_dataset l JOIN visible_dataset({MONTHS}, 'infinity') s ON s.id = l.dataset_id
        WHERE l.document_id = v.id AND NOT EXISTS (SELECT 1 FROM {VISIBLE_DATASETS} o WHERE o.id = s.id)
    ), {_parameters("document_id")}, '[]'::jsonb
    FROM {VISIBLE_DOCUMENTS} v JOIN document d ON d.id = v.id WHERE v.pid COLLATE "C" = %(pid)s
"""  # noqa: S608
_STATEMENTS: dict[Kind, str] = {"datasets": _OF_DATASET, "documents": _OF_DOCUMENT}
_FILES = f"""
    SELECT f.archive, f.path FROM visible_file f JOIN {VISIBLE_DATASETS} v ON v.id = f.dataset_id
    WHERE v.pid COLLATE "C" = %(pid)s ORDER BY f.path
"""  # noqa: S608


@dataclass(frozen=True)
class Parameter:
    """A quantity, its value as it is shown."""

    name: str
    value: str
    unit: str
    number: float | None


@dataclass(frozen=True)
class File:
    """A file; without address where no archive that is known serves it."""

    name: str
    path: str
    size: int | None
    url: str | None
    media_type: str


@dataclass(frozen=True)
class Bundle:
    """All files of a dataset that one archive has, in one download."""

    kind: str
    url: str
    media_type: str


@dataclass(frozen=True)
class Details:
    """The lists are cut off at MAX_PARAMETERS and MAX_FILES."""

    updated: datetime | None = None
    more_to_come: bool = False
    """Of a document: some of its data are not public yet, but will be."""
    parameters: tuple[Parameter, ...] = ()
    parameter_count: int = 0
    files: tuple[File, ...] = ()
    bundles: tuple[Bundle, ...] = ()
    preview: str | None = None
    """Address of a picture of the first HDF5 file."""


async def find(site: Site, archives: Archives, description: Description) -> Details:
    """The details of a record; none of one that was withdrawn.

    Raises Problem: 503 while the database does not answer.
    """
    rows = await site.rows(_STATEMENTS[description.kind], {"pid": description.pid})
    if not rows:
        return Details()
    updated, more_to_come, parameters, parameter_count, files = rows[0]
    return Details(
        updated=updated.astimezone(UTC),
        more_to_come=more_to_come,
        parameters=tuple(_parameter(**one) for one in parameters),
        parameter_count=parameter_count,
        files=tuple(
            File(
                one["name"],
                one["path"],
                one["size"],
                archives.file(one["archive"], one["path"]),
                media_type(one["path"]),
            )
            for one in files
        ),
        bundles=tuple(
            Bundle(kind, url, kind_type)
            for archive in dict.fromkeys(one["archive"] for one in files)
            for kind, url, kind_type in archives.bundles(archive, description.pid)
        ),
        preview=next(filter(None, (archives.preview(one["archive"], one["path"]) for one in files)), None),
    )


async def addresses(site: Site, archives: Archives, pid: str) -> list[str]:
    """Addresses of all of a dataset's public files."""
    rows = await site.rows(_FILES, {"pid": pid})
    return [url for archive, path in rows if (url := archives.file(archive, path))]


def _parameter(
    name: str, text: str | None, number: float | None, upper: float | None, unit: str | None
) -> Parameter:
    shown = text if text is not None else "" if number is None else f"{number:.10g}"
    if text is None and upper is not None:
        shown = f"{shown} – {upper:.10g}"
    return Parameter(name, shown, unit or "", number if upper is None else None)
