"""Writing records: idempotent, a few set-based statements for a whole batch.

Each statement takes its rows as one JSON array, which PostgreSQL unpacks: fewer round trips than rows, and
the same statement text for every batch. Rows are sorted by their key, so that two writers never wait for
each other in a circle.

What a record does not name stays as it is: a record that says less than an earlier one must not take away the
date that keeps data under embargo.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import orjson
import psycopg

from panosc_catalogue import statements
from panosc_catalogue.columns import affiliation_key, person_key, tag_columns, total_size, value_columns
from panosc_catalogue.records import (
    DatasetRecord,
    DocumentHeader,
    DocumentRecord,
    Instrument,
    Member,
    Parameter,
    Sample,
    Technique,
)

AnyRecord = DocumentRecord | DatasetRecord | Instrument
_Owner = tuple[int | None, int | None]
"""The document and the dataset of a member, either or both."""
_Tags = list[Technique] | list[Sample]
_R = TypeVar("_R", DocumentHeader, DatasetRecord)
MAX_PENDING = 1000
"""Datasets beside its own whose words one batch brings up to date."""


@dataclass(frozen=True)
class Origin:
    """Where records are from."""

    source: str
    """Name of the source, or `load`."""
    archive: str | None = None
    """The archive whose files these are."""
    ids: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """What the source calls the records, by table and pid; without it as we do."""


@dataclass
class _Batch:
    """The records of a batch taken apart, each thing once; what a later version names overrides."""

    instruments: dict[str, Instrument] = field(default_factory=dict)
    documents: dict[str, DocumentHeader] = field(default_factory=dict)
    described: set[str] = field(default_factory=set)
    """Pids of documents and instruments that are records themselves, not only named by a dataset."""
    datasets: dict[str, DatasetRecord] = field(default_factory=dict)
    links: dict[tuple[str, str], None] = field(default_factory=dict)

    def add(self, record: AnyRecord) -> None:
        if isinstance(record, Instrument):
            self.instruments[record.pid] = record
            self.described.add(record.pid)
        elif isinstance(record, DatasetRecord):
            self._dataset(record)
        else:
            self._document(record, record.model_fields_set & set(DocumentHeader.model_fields))
            self.described.add(record.pid)
            for dataset in record.datasets or ():
                self.links[record.pid, dataset.pid] = None
                self._dataset(dataset)

    def _document(self, record: DocumentHeader, named: set[str]) -> None:
        known = self.documents.get(record.pid) or DocumentHeader(pid=record.pid, title=record.title)
        self.documents[record.pid] = _updated(known, record, named)

    def _dataset(self, record: DatasetRecord) -> None:
        known = self.datasets.get(record.pid) or DatasetRecord(pid=record.pid, title=record.title)
        self.datasets[record.pid] = _updated(
            known, record, record.model_fields_set & set(DatasetRecord.model_fields)
        )
        if record.instrument:
            self.instruments[record.instrument.pid] = record.instrument
        for document in record.documents or ():
            # Catalogues nest documents with all their fields null but a few; that takes nothing away.
            named = {
                name
                for name in document.model_fields_set
                if getattr(document, name) != DocumentHeader.model_fields[name].default
            }
            self._document(document, named)
            self.links[document.pid, record.pid] = None


def _updated(known: _R, record: _R, named: set[str]) -> _R:
    return known.model_copy(update={name: getattr(record, name) for name in named})


def write(connection: psycopg.Connection[Any], records: Iterable[AnyRecord], origin: Origin) -> None:
    """Insert or update the records and all that is nested in them, within the caller's transaction.

    Raises psycopg.DataError if PostgreSQL refuses a value.
    """
    batch = _Batch()
    for record in records:
        batch.add(record)
    run = _Run(connection, origin)
    instruments = run.instruments(batch.instruments.values(), batch.described)
    documents = run.documents(batch.documents, batch.described)
    techniques = {pid: record.techniques for pid, record in batch.datasets.items()}
    samples = {pid: record.samples for pid, record in batch.datasets.items()}
    technique_ids, sample_ids = run.tags("technique", techniques), run.tags("sample", samples)
    datasets = run.datasets(batch.datasets, instruments, technique_ids)
    run.link(documents, datasets, batch.links)
    run.files(datasets, batch.datasets)
    run.tag("technique", datasets, techniques, technique_ids)
    run.tag("sample", datasets, samples, sample_ids)
    run.parameters("dataset_id", datasets, {pid: record.parameters for pid, record in batch.datasets.items()})
    run.parameters(
        "document_id", documents, {pid: record.parameters for pid, record in batch.documents.items()}
    )
    members: dict[_Owner, list[Member]] = {}
    for document_pid, document in batch.documents.items():
        if document.members is not None:
            members[documents[document_pid], None] = document.members
    for dataset_pid, dataset in batch.datasets.items():
        if dataset.members is not None:
            members[None, datasets[dataset_pid]] = dataset.members
    run.members(members)
    run.words(datasets.values(), documents.values(), instruments.values())


def settle_words(connection: psycopg.Connection[Any]) -> None:
    """Bring the search words up to date of all datasets that still wait for it."""
    while connection.execute(statements.WORDS, ([], [], [], MAX_PENDING)).fetchone() != (0,):
        pass


class _Run:
    def __init__(self, connection: psycopg.Connection[Any], origin: Origin) -> None:
        self._connection = connection
        self._origin = origin
        self._naming: set[int] = set()
        """Documents with persons whose names changed."""

    def _execute(self, sql: str, rows: list[dict[str, Any]], **parameters: Any) -> list[tuple[Any, ...]]:
        arguments = {
            "rows": orjson.dumps(rows).decode(),
            "source": self._origin.source,
            "archive": self._origin.archive,
            **parameters,
        }
        cursor = self._connection.execute(sql, arguments)
        return cursor.fetchall() if cursor.description else []

    def instruments(self, records: Iterable[Instrument], described: Collection[str]) -> dict[str, int]:
        """Upsert; returns the row id of each pid."""
        rows = []
        for record in records:
            row = record.model_dump(include={"pid", "name", "facility"})
            rows.append({**row, "named": ["name", "facility"], "described": record.pid in described})
        return self._upsert("instrument", rows)

    def documents(self, records: Mapping[str, DocumentHeader], described: Collection[str]) -> dict[str, int]:
        """Upsert; returns the row id of each pid. The `described` are this origin's from now on."""
        columns = set(statements.COLUMNS["document"])
        rows: list[dict[str, Any]] = []
        for pid, record in records.items():
            row = record.model_dump(include=columns | {"pid"})
            named = record.model_fields_set & columns - _unsaid(record)
            row["proprietary"] = record.proprietary is True
            rows.append({**row, "named": sorted(named), "described": pid in described})
        return self._upsert("document", rows)

    def datasets(
        self,
        records: Mapping[str, DatasetRecord],
        instruments: Mapping[str, int],
        techniques: Mapping[str, int],
    ) -> dict[str, int]:
        """Upsert; returns the row id of each pid."""
        rows = []
        for record in records.values():
            size = record.size if record.size is not None else total_size(record.files)
            instrument = instruments[record.instrument.pid] if record.instrument else None
            given = {"size": size, "instrument_id": instrument}
            row = {
                "pid": record.pid,
                "title": record.title,
                "creation_date": record.creation_date,
                "end_date": record.end_date,
                "doi": record.doi,
                "license": record.license,
                "keywords": record.keywords or [],
                "groups": record.groups or [],
                "technique_ids": sorted({techniques[technique.pid] for technique in record.techniques or ()}),
                "released": record.is_public is True,
                "described": True,
                **given,
            }
            named = record.model_fields_set & {"title", "creation_date", "end_date", "doi", "license"}
            named |= {"released"} if "is_public" in record.model_fields_set else set()
            named |= {"keywords"} if record.keywords is not None else set()
            named |= {"groups"} if record.groups is not None else set()
            named |= {"technique_ids"} if record.techniques is not None else set()
            named |= {name for name, value in given.items() if value is not None}
            named |= {"size"} if record.files == [] else set()
            named -= _unsaid(record)
            rows.append({**row, "named": sorted(named)})
        return self._upsert("dataset", rows)

    def _upsert(self, table: str, rows: list[dict[str, Any]]) -> dict[str, int]:
        if not rows:
            return {}
        origin = self._origin
        rows = [
            {**row, "source": origin.source, "origin_id": origin.ids.get((table, row["pid"]), row["pid"])}
            for row in _sorted(rows, "pid")
        ]
        self._execute(statements.INSERT[table], rows)
        found = self._connection.execute(statements.LOCK[table], {"pids": [row["pid"] for row in rows]})
        ids = {pid: row for row, pid in found}
        self._execute(statements.UPDATE[table], rows)
        return ids

    def link(
        self, documents: dict[str, int], datasets: dict[str, int], links: Iterable[tuple[str, str]]
    ) -> None:
        rows = [
            {"document": documents[document], "dataset": datasets[dataset], "position": position}
            for position, (document, dataset) in enumerate(links)
        ]
        if rows:
            self._execute(statements.LINKS, rows)
            self._execute(statements.OWNERS, rows)
        if datasets:
            self._connection.execute(statements.AWAITED, (list(datasets.values()),))

    def files(self, datasets: dict[str, int], records: Mapping[str, DatasetRecord]) -> None:
        given = {datasets[pid]: record.files for pid, record in records.items() if record.files is not None}
        rows = {
            (dataset, file.path or file.name): {
                "dataset": dataset,
                "path": file.path or file.name,
                "name": file.name,
                "size": file.size,
            }
            for dataset, files in given.items()
            for file in files
        }
        if not given:
            return
        self._execute(statements.FILES, _sorted(list(rows.values()), "path"))
        # Compared here: an anti join with rows whose number the planner cannot know takes it hours.
        present = self._connection.execute(
            "SELECT id, dataset_id, path FROM file WHERE dataset_id = ANY(%s) AND deleted_at IS NULL",
            (list(given),),
        )
        lost = [row for row, dataset, path in present if (dataset, path) not in rows]
        self._connection.execute("UPDATE file SET deleted_at = now() WHERE id = ANY(%s)", (lost,))

    def tags(self, table: str, given: Mapping[str, _Tags | None]) -> dict[str, int]:
        """Upsert the techniques or samples of datasets; returns the row id of each pid."""
        things = {tag.pid: tag_columns(tag) for tags in given.values() for tag in tags or ()}
        if not things:
            return {}
        upserted = self._execute(statements.TAGS[table], _sorted(list(things.values()), "pid"))
        return {pid: row for row, pid in upserted}

    def tag(
        self,
        table: str,
        datasets: Mapping[str, int],
        given: Mapping[str, _Tags | None],
        ids: Mapping[str, int],
    ) -> None:
        """Make the datasets' links to techniques or samples just those given."""
        present = {datasets[pid]: tags for pid, tags in given.items() if tags is not None}
        if not present:
            return
        pairs = {(dataset, ids[tag.pid]) for dataset, tags in present.items() for tag in tags}
        rows = [{"dataset": dataset, "tag": tag} for dataset, tag in sorted(pairs)]
        self._execute(statements.TAG_LINKS[table], rows, datasets=list(present))

    def parameters(
        self, column: str, owners: dict[str, int], given: Mapping[str, list[Parameter] | None]
    ) -> None:
        present = {owners[pid]: values for pid, values in given.items() if values is not None}
        rows = [
            {"owner": owner, "position": position, "name": p.name, "unit": p.unit, **value_columns(p)}
            for owner, values in present.items()
            for position, p in enumerate(values)
        ]
        if present:
            self._execute(statements.PARAMETERS[column], rows, owners=list(present))
            self._execute(statements.UNKNOWN[column], rows)

    def members(self, given: Mapping[_Owner, list[Member]], *, by_files: bool = False) -> None:
        if not given:
            return
        self._people([member for members in given.values() for member in members])
        rows = [
            {
                "document": document,
                "dataset": dataset,
                "position": position,
                "role": member.role,
                # Who is named by a dataset sees nothing by that.
                "email": member.email if dataset is None else None,
                "person": person_key(member.person) if member.person else None,
                "affiliation": affiliation_key(member.affiliation) if member.affiliation else None,
            }
            for (document, dataset), members in given.items()
            for position, member in enumerate(members)
        ]
        owners = {
            "documents": [document for document, dataset in given if dataset is None],
            "datasets": [dataset for _, dataset in given if dataset is not None],
        }
        self._execute(statements.MEMBERS, rows, by_files=by_files, **owners)

    def words(self, datasets: Iterable[int], documents: Iterable[int], instruments: Iterable[int]) -> None:
        """Make what was written findable by its words, and what names persons whose names changed."""
        given = (list(datasets), [*documents, *self._naming], list(instruments), MAX_PENDING)
        self._connection.execute(statements.WORDS, given)

    def _people(self, members: list[Member]) -> None:
        """Upsert the members' persons and affiliations."""
        persons: dict[str, dict[str, Any]] = {}
        for person in (member.person for member in members if member.person):
            known = persons.setdefault(person_key(person), {"key": person_key(person)})
            known.update(person.model_dump(exclude={"id"}, exclude_none=True))
        affiliations = {
            key: m.affiliation for m in members if m.affiliation and (key := affiliation_key(m.affiliation))
        }
        if persons:
            changed = self._execute(statements.PERSONS, _sorted(list(persons.values()), "key"))
            naming = self._connection.execute(statements.NAMING, ([person for (person,) in changed],))
            self._naming |= {document for (document,) in naming}
        if affiliations:
            rows = [{"key": key, **place.model_dump(exclude={"id"})} for key, place in affiliations.items()]
            self._execute(statements.AFFILIATIONS, _sorted(rows, "key"))


def write_dataset_members(
    connection: psycopg.Connection[Any], dataset_pid: str, members: list[Member], origin: Origin
) -> None:
    """Make `members` those whom the files of this dataset name; its document has them, too, if any."""
    found = connection.execute(
        "SELECT id, document_id, ARRAY(SELECT document_id FROM member WHERE dataset_id = d.id) "
        "FROM dataset d WHERE pid = %s",
        (dataset_pid,),
    ).fetchone()
    if found is None:
        return
    dataset, document, former = found
    run = _Run(connection, origin)
    run.members({(document, dataset): members}, by_files=True)
    run.words([dataset], {one for one in (document, *former) if one is not None}, [])


def _unsaid(record: DocumentHeader | DatasetRecord) -> set[str]:
    """What a record leaves as it is when it gives no value: our own DOIs, for example, no source knows."""
    return {name for name in ("doi", "proprietary") if getattr(record, name, None) is None}


def _sorted(rows: list[dict[str, Any]], key: str) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: str(row[key]))
