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
    datasets = run.datasets(batch.datasets, instruments)
    run.link(documents, datasets, batch.links)
    run.files(datasets, batch.datasets)
    run.tags("technique", datasets, {pid: record.techniques for pid, record in batch.datasets.items()})
    run.tags("sample", datasets, {pid: record.samples for pid, record in batch.datasets.items()})
    run.parameters("dataset_id", datasets, {pid: record.parameters for pid, record in batch.datasets.items()})
    run.parameters(
        "document_id", documents, {pid: record.parameters for pid, record in batch.documents.items()}
    )
    run.members(documents, {pid: record.members for pid, record in batch.documents.items()})
    run.words(datasets.values(), documents.values(), instruments.values())


def settle_words(connection: psycopg.Connection[Any]) -> None:
    """Bring the search words up to date of all datasets that still wait for it."""
    while connection.execute(_WORDS, ([], [], [], MAX_PENDING)).fetchone() != (0,):
        pass


class _Run:
    def __init__(self, connection: psycopg.Connection[Any], origin: Origin) -> None:
        self._connection = connection
        self._origin = origin

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
        columns = set(_COLUMNS["document"])
        rows: list[dict[str, Any]] = []
        for pid, record in records.items():
            row = record.model_dump(include=columns | {"pid"})
            named = record.model_fields_set & columns - _unsaid(record)
            row["proprietary"] = record.proprietary is True
            rows.append({**row, "named": sorted(named), "described": pid in described})
        return self._upsert("document", rows)

    def datasets(
        self, records: Mapping[str, DatasetRecord], instruments: Mapping[str, int]
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
                "released": record.is_public is True,
                "described": True,
                **given,
            }
            named = record.model_fields_set & {"title", "creation_date", "end_date", "doi", "license"}
            named |= {"released"} if "is_public" in record.model_fields_set else set()
            named |= {name for name, value in given.items() if value is not None}
            named -= _unsaid(record)
            rows.append({**row, "named": sorted(named)})
        return self._upsert("dataset", rows)

    def _upsert(self, table: str, rows: list[dict[str, Any]]) -> dict[str, int]:
        if not rows:
            return {}
        ids, source = self._origin.ids, self._origin.source
        rows = [
            {**row, "source": source, "origin_id": ids.get((table, row["pid"]), row["pid"])}
            for row in _sorted(rows, "pid")
        ]
        found = self._execute(_INSERT[table], rows)
        self._execute(_UPDATE[table], rows)
        return {pid: row for row, pid in found}

    def link(
        self, documents: dict[str, int], datasets: dict[str, int], links: Iterable[tuple[str, str]]
    ) -> None:
        rows = [
            {"document": documents[document], "dataset": datasets[dataset], "position": position}
            for position, (document, dataset) in enumerate(links)
        ]
        if rows:
            self._execute(_LINKS, rows)
            self._execute(_OWNERS, rows)
        if datasets:
            self._connection.execute(_AWAITED, (list(datasets.values()),))

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
        self._execute(_FILES, _sorted(list(rows.values()), "path"))
        # Compared here: an anti join with rows whose number the planner cannot know takes it hours.
        present = self._connection.execute(
            "SELECT id, dataset_id, path FROM file WHERE dataset_id = ANY(%s) AND deleted_at IS NULL",
            (list(given),),
        )
        lost = [row for row, dataset, path in present if (dataset, path) not in rows]
        self._connection.execute("UPDATE file SET deleted_at = now() WHERE id = ANY(%s)", (lost,))

    def tags(
        self, table: str, datasets: dict[str, int], given: Mapping[str, list[Technique] | list[Sample] | None]
    ) -> None:
        """Upsert techniques or samples, and make the datasets' links to them just those given."""
        present = {datasets[pid]: tags for pid, tags in given.items() if tags is not None}
        things = {tag.pid: tag_columns(tag) for tags in present.values() for tag in tags}
        if not present:
            return
        ids: dict[str, int] = {}
        if things:
            upserted = self._execute(_TAGS[table], _sorted(list(things.values()), "pid"))
            ids = {pid: row for row, pid in upserted}
        pairs = {(dataset, ids[tag.pid]) for dataset, tags in present.items() for tag in tags}
        rows = [{"dataset": dataset, "tag": tag} for dataset, tag in sorted(pairs)]
        self._execute(_TAG_LINKS[table], rows, datasets=list(present))

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
            self._execute(_PARAMETERS[column], rows, owners=list(present))
            self._execute(_UNKNOWN[column], rows)

    def members(self, documents: dict[str, int], given: Mapping[str, list[Member] | None]) -> None:
        present = {documents[pid]: members for pid, members in given.items() if members is not None}
        if present:
            rows = [
                {"document": document, "dataset": None, **row}
                for document, members in present.items()
                for row in self.people(members)
            ]
            self._execute(_MEMBERS, rows, documents=list(present), datasets=[])

    def dataset_members(self, document: int, dataset: int, members: list[Member]) -> None:
        rows = [{"document": document, "dataset": dataset, **row} for row in self.people(members)]
        self._execute(_MEMBERS, rows, documents=[], datasets=[dataset])

    def words(self, datasets: Iterable[int], documents: Iterable[int], instruments: Iterable[int]) -> None:
        """Make what was written findable by its words."""
        given = (list(datasets), list(documents), list(instruments), MAX_PENDING)
        self._connection.execute(_WORDS, given)

    def people(self, members: list[Member]) -> list[dict[str, Any]]:
        """Upsert the members' persons and affiliations; returns rows that name them by key."""
        persons = {person_key(m.person): m.person for m in members if m.person}
        affiliations = {
            key: m.affiliation for m in members if m.affiliation and (key := affiliation_key(m.affiliation))
        }
        if persons:
            rows = [{"key": key, **person.model_dump(exclude={"id"})} for key, person in persons.items()]
            self._execute(_PERSONS, _sorted(rows, "key"))
        if affiliations:
            rows = [{"key": key, **place.model_dump(exclude={"id"})} for key, place in affiliations.items()]
            self._execute(_AFFILIATIONS, _sorted(rows, "key"))
        return [
            {
                "position": position,
                "role": member.role,
                "person": person_key(member.person) if member.person else None,
                "affiliation": affiliation_key(member.affiliation) if member.affiliation else None,
            }
            for position, member in enumerate(members)
        ]


def write_dataset_members(
    connection: psycopg.Connection[Any], dataset_pid: str, members: list[Member], origin: Origin
) -> None:
    """Make `members` those that this dataset contributes to its document."""
    found = connection.execute(
        "SELECT id, document_id FROM dataset WHERE pid = %s", (dataset_pid,)
    ).fetchone()
    if found is None or found[1] is None:
        return
    run = _Run(connection, origin)
    run.dataset_members(found[1], found[0], members)
    run.words([found[0]], [found[1]], [])


def _unsaid(record: DocumentHeader | DatasetRecord) -> set[str]:
    """What a record leaves as it is when it gives no value: our own DOIs, for example, no source knows."""
    return {name for name in ("doi", "proprietary") if getattr(record, name, None) is None}


def _sorted(rows: list[dict[str, Any]], key: str) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: str(row[key]))


_COLUMNS = {
    "instrument": {"name": "text", "facility": "text"},
    "document": {
        "type": "text",
        "title": "text",
        "summary": "text",
        "doi": "text",
        "start_date": "timestamptz",
        "end_date": "timestamptz",
        "release_date": "timestamptz",
        "license": "text",
        "proprietary": "boolean",
        "keywords": "text[]",
        "funding": "jsonb",
    },
    "dataset": {
        "title": "text",
        "creation_date": "timestamptz",
        "end_date": "timestamptz",
        "size": "bigint",
        "doi": "text",
        "license": "text",
        "released": "boolean",
        "instrument_id": "bigint",
    },
}


def _rows_of(table: str) -> str:
    columns = ", ".join(f"{name} {kind}" for name, kind in _COLUMNS[table].items())
    return (
        "jsonb_to_recordset(%(rows)s::jsonb) AS r("
        f"pid text, named jsonb, described boolean, source text, origin_id text, {columns})"
    )


# Locks the rows in the order of their pids, whether they are new or not.
_INSERT = {
    table: f"""
        INSERT INTO {table} (pid, source, origin_id, {", ".join(columns)})
        SELECT pid, source, origin_id, {", ".join(columns)} FROM {_rows_of(table)}
        ON CONFLICT (pid) DO UPDATE SET pid = excluded.pid
        RETURNING id, pid
    """  # noqa: S608 -- the names of our own tables and columns
    for table, columns in _COLUMNS.items()
}

# What is only named by another record is neither brought back nor taken over.
_UPDATE = {
    table: f"""
        UPDATE {table} t SET
            {", ".join(f"{c} = CASE WHEN r.named ? '{c}' THEN r.{c} ELSE t.{c} END" for c in columns)},
            source = CASE WHEN r.described THEN r.source ELSE t.source END,
            origin_id = CASE WHEN r.described THEN r.origin_id ELSE t.origin_id END,
            fetched_at = CASE WHEN r.described THEN now() ELSE t.fetched_at END,
            deleted_at = CASE WHEN r.described THEN NULL ELSE t.deleted_at END,
            updated_at = now()
        FROM {_rows_of(table)}
        WHERE t.pid = r.pid
        AND (
            r.described
            OR {" OR ".join(f"(r.named ? '{c}' AND t.{c} IS DISTINCT FROM r.{c})" for c in columns)}
        )
    """  # noqa: S608 -- the names of our own tables and columns
    for table, columns in _COLUMNS.items()
}

_LINKS = """
INSERT INTO document_dataset (document_id, dataset_id)
SELECT document, dataset FROM jsonb_to_recordset(%(rows)s::jsonb) AS r(document bigint, dataset bigint)
ON CONFLICT DO NOTHING
"""

_OWNERS = """
UPDATE dataset d SET document_id = first.document
FROM (
    SELECT DISTINCT ON (dataset) dataset, document
    FROM jsonb_to_recordset(%(rows)s::jsonb) AS r(document bigint, dataset bigint, position integer)
    ORDER BY dataset, position
) first
WHERE d.id = first.dataset AND d.document_id IS NULL
"""

# By documents that came before them.
_AWAITED = """
WITH come AS (
    DELETE FROM awaited_dataset a USING dataset d
    WHERE d.id = ANY(%s) AND a.dataset_pid = d.pid
    RETURNING a.document_id, d.id AS dataset_id
), linked AS (
    INSERT INTO document_dataset (document_id, dataset_id, by_document)
    SELECT document_id, dataset_id, true FROM come
    ON CONFLICT (document_id, dataset_id) DO UPDATE SET by_document = true
)
UPDATE dataset d SET document_id = first.document_id, placed_at = now()
FROM (SELECT dataset_id, min(document_id) AS document_id FROM come GROUP BY dataset_id) first
WHERE d.id = first.dataset_id AND d.document_id IS NULL
"""

_FILES = """
INSERT INTO file (dataset_id, archive, path, name, size)
SELECT dataset, %(archive)s, path, name, size
FROM jsonb_to_recordset(%(rows)s::jsonb) AS r(dataset bigint, path text, name text, size bigint)
ON CONFLICT (dataset_id, path) DO UPDATE SET
    archive = excluded.archive, name = excluded.name, size = excluded.size, deleted_at = NULL
WHERE (file.archive, file.name, file.size, file.deleted_at)
    IS DISTINCT FROM (excluded.archive, excluded.name, excluded.size, NULL)
"""

_TAGS = {
    "technique": """
        INSERT INTO technique (pid, name, panet_id, panet_key)
        SELECT pid, name, panet_id, panet_key
        FROM jsonb_to_recordset(%(rows)s::jsonb) AS r(pid text, name text, panet_id text, panet_key text)
        ON CONFLICT (pid) DO UPDATE SET
            name = excluded.name, panet_id = excluded.panet_id, panet_key = excluded.panet_key
        RETURNING id, pid
    """,
    "sample": """
        INSERT INTO sample (pid, name, description)
        SELECT pid, name, description
        FROM jsonb_to_recordset(%(rows)s::jsonb) AS r(pid text, name text, description text)
        ON CONFLICT (pid) DO UPDATE SET name = excluded.name, description = excluded.description
        RETURNING id, pid
    """,
}

_TAG_LINKS = {
    table: f"""
        WITH given AS (
            SELECT dataset, tag FROM jsonb_to_recordset(%(rows)s::jsonb) AS r(dataset bigint, tag bigint)
        ), removed AS (
            DELETE FROM dataset_{table} l WHERE l.dataset_id = ANY(%(datasets)s)
            AND NOT EXISTS (SELECT 1 FROM given g WHERE g.dataset = l.dataset_id AND g.tag = l.{table}_id)
        )
        INSERT INTO dataset_{table} (dataset_id, {table}_id)
        SELECT dataset, tag FROM given ON CONFLICT DO NOTHING
    """  # noqa: S608 -- the names of our own tables
    for table in _TAGS
}

_PARAMETERS = {
    column: f"""
        WITH removed AS (DELETE FROM parameter WHERE {column} = ANY(%(owners)s))
        INSERT INTO parameter ({column}, position, name, text_value, number_value, number_upper, unit,
            si_value, si_upper, si_dimension)
        SELECT owner, position, name, text_value, number_value, number_upper, unit,
            si_value, si_upper, si_dimension
        FROM jsonb_to_recordset(%(rows)s::jsonb) AS r(
            owner bigint, position integer, name text, text_value text, number_value double precision,
            number_upper double precision, unit text, si_value double precision, si_upper double precision,
            si_dimension text)
    """  # noqa: S608 -- the names of our own columns
    for column in ("dataset_id", "document_id")
}

_WORDS = "SELECT refresh_search(%s::bigint[], %s::bigint[], %s::bigint[], %s)"

# Whether what these measure is public, the upkeep finds out.
_UNKNOWN = {
    column: f"""
        INSERT INTO oai_stale (kind, record)
        SELECT DISTINCT '{kind}', owner
        FROM jsonb_to_recordset(%(rows)s::jsonb) AS r(owner bigint, name text, si_dimension text)
        WHERE si_dimension IS NOT NULL AND NOT EXISTS (
            SELECT 1 FROM parameter_dimension m WHERE m.name = r.name AND m.si_dimension = r.si_dimension
        )
    """  # noqa: S608 -- our own names
    for column, kind in (("dataset_id", "datasets"), ("document_id", "documents"))
}

_PERSONS = """
INSERT INTO person (key, full_name, orcid, researcher_id, first_name, last_name)
SELECT key, full_name, orcid, researcher_id, first_name, last_name
FROM jsonb_to_recordset(%(rows)s::jsonb) AS r(
    key text, full_name text, orcid text, researcher_id text, first_name text, last_name text)
ON CONFLICT (key) DO UPDATE SET
    full_name = excluded.full_name, orcid = excluded.orcid, researcher_id = excluded.researcher_id,
    first_name = excluded.first_name, last_name = excluded.last_name
"""

_AFFILIATIONS = """
INSERT INTO affiliation (key, name, address, city, country)
SELECT key, name, address, city, country
FROM jsonb_to_recordset(%(rows)s::jsonb) AS r(key text, name text, address text, city text, country text)
ON CONFLICT (key) DO UPDATE SET
    name = excluded.name, address = excluded.address, city = excluded.city, country = excluded.country
"""

# What a document names itself and what its datasets name are replaced apart from each other.
_MEMBERS = """
WITH removed AS (
    DELETE FROM member
    WHERE (document_id = ANY(%(documents)s::bigint[]) AND dataset_id IS NULL)
    OR dataset_id = ANY(%(datasets)s::bigint[])
)
INSERT INTO member (document_id, dataset_id, position, person_id, affiliation_id, role)
SELECT r.document, r.dataset, r.position, p.id, a.id, r.role
FROM jsonb_to_recordset(%(rows)s::jsonb) AS r(
    document bigint, dataset bigint, position integer, person text, affiliation text, role text)
LEFT JOIN person p ON p.key = r.person
LEFT JOIN affiliation a ON a.key = r.affiliation
"""
