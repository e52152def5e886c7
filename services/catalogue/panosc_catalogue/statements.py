"""The SQL that writes records: each statement takes its rows as one JSON array, `rows`."""

COLUMNS = {
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
        "groups": "text[]",
    },
    "dataset": {
        "title": "text",
        "creation_date": "timestamptz",
        "end_date": "timestamptz",
        "size": "bigint",
        "doi": "text",
        "license": "text",
        "keywords": "text[]",
        "groups": "text[]",
        "technique_ids": "bigint[]",
        "released": "boolean",
        "instrument_id": "bigint",
    },
}


def _rows_of(table: str) -> str:
    columns = ", ".join(f"{name} {kind}" for name, kind in COLUMNS[table].items())
    return (
        "jsonb_to_recordset(%(rows)s::jsonb) AS r("
        f"pid text, named jsonb, described boolean, source text, origin_id text, {columns})"
    )


# In the order of their pids. Only what is new takes an id, so that neighbours stay together (`block_of` in
# schema/search.sql).
INSERT = {
    table: f"""
        INSERT INTO {table} (pid, source, origin_id, {", ".join(columns)})
        SELECT pid, source, origin_id, {", ".join(columns)} FROM {_rows_of(table)}
        WHERE NOT EXISTS (SELECT FROM {table} t WHERE t.pid = r.pid) ORDER BY r.pid COLLATE "C"
        ON CONFLICT (pid) DO NOTHING
    """  # noqa: S608 -- the names of our own tables and columns
    for table, columns in COLUMNS.items()
}

# By a statement of its own, which sees what others inserted meanwhile: so all lock all rows in one order.
LOCK = {
    table: f"""
        SELECT id, pid FROM {table} WHERE pid = ANY(%(pids)s) ORDER BY pid FOR NO KEY UPDATE
    """  # noqa: S608 -- the names of our own tables
    for table in COLUMNS
}

# What is only named by another record is neither brought back nor taken over.
UPDATE = {
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
    for table, columns in COLUMNS.items()
}

LINKS = """
INSERT INTO document_dataset (document_id, dataset_id)
SELECT document, dataset FROM jsonb_to_recordset(%(rows)s::jsonb) AS r(document bigint, dataset bigint)
ON CONFLICT DO NOTHING
"""

OWNERS = """
UPDATE dataset d SET document_id = first.document
FROM (
    SELECT DISTINCT ON (dataset) dataset, document
    FROM jsonb_to_recordset(%(rows)s::jsonb) AS r(document bigint, dataset bigint, position integer)
    ORDER BY dataset, position
) first
WHERE d.id = first.dataset AND d.document_id IS NULL
"""

# By documents that came before them.
AWAITED = """
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

FILES = """
INSERT INTO file (dataset_id, archive, path, name, size)
SELECT dataset, %(archive)s, path, name, size
FROM jsonb_to_recordset(%(rows)s::jsonb) AS r(dataset bigint, path text, name text, size bigint)
ON CONFLICT (dataset_id, path) DO UPDATE SET
    archive = excluded.archive, name = excluded.name, size = excluded.size, deleted_at = NULL
WHERE (file.archive, file.name, file.size, file.deleted_at)
    IS DISTINCT FROM (excluded.archive, excluded.name, excluded.size, NULL)
"""


def _tags(table: str, columns: tuple[str, ...]) -> str:
    """Rows that are as given already are not written: what most datasets share, no writer is to wait for."""
    names = ", ".join(columns)
    of_given, of_present = (", ".join(f"{alias}.{c}" for c in columns) for alias in "gt")
    same = f"t.pid = g.pid AND ({of_present}) IS NOT DISTINCT FROM ({of_given})"
    return f"""
        WITH given AS (
            SELECT pid, {names}
            FROM jsonb_to_recordset(%(rows)s::jsonb) AS r(pid text, {", ".join(f"{c} text" for c in columns)})
        ), written AS (
            INSERT INTO {table} (pid, {names})
            SELECT pid, {names} FROM given g WHERE NOT EXISTS (SELECT FROM {table} t WHERE {same})
            ON CONFLICT (pid) DO UPDATE SET {", ".join(f"{c} = excluded.{c}" for c in columns)}
            RETURNING id, pid
        )
        SELECT id, pid FROM written
        UNION ALL SELECT t.id, t.pid FROM {table} t JOIN given g ON {same}
    """  # noqa: S608 -- the names of our own tables and columns


TAGS = {
    "technique": _tags("technique", ("name", "panet_id", "panet_key")),
    "sample": _tags("sample", ("name", "description")),
}

TAG_LINKS = {
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
    for table in TAGS
}

PARAMETERS = {
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

WORDS = "SELECT refresh_search(%s::bigint[], %s::bigint[], %s::bigint[], %s)"

# Whether what these measure is public, the upkeep finds out.
UNKNOWN = {
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

# Most records tell less of a person than another one did.
PERSONS = """
INSERT INTO person (key, full_name, orcid, researcher_id, first_name, last_name)
SELECT key, full_name, orcid, researcher_id, first_name, last_name
FROM jsonb_to_recordset(%(rows)s::jsonb) AS r(
    key text, full_name text, orcid text, researcher_id text, first_name text, last_name text)
ON CONFLICT (key) DO UPDATE SET
    full_name = excluded.full_name,
    orcid = coalesce(excluded.orcid, person.orcid),
    researcher_id = coalesce(excluded.researcher_id, person.researcher_id),
    first_name = coalesce(excluded.first_name, person.first_name),
    last_name = coalesce(excluded.last_name, person.last_name)
WHERE (person.full_name, person.orcid, person.researcher_id, person.first_name, person.last_name)
    IS DISTINCT FROM (
        excluded.full_name,
        coalesce(excluded.orcid, person.orcid),
        coalesce(excluded.researcher_id, person.researcher_id),
        coalesce(excluded.first_name, person.first_name),
        coalesce(excluded.last_name, person.last_name)
    )
RETURNING id
"""

# The documents that name these persons; datasets that do, of which there may be very many, wait for words.
NAMING = """
WITH naming AS (
    SELECT document_id, dataset_id FROM member WHERE person_id = ANY(%s)
), pending AS (
    INSERT INTO search_pending
    SELECT DISTINCT dataset_id FROM naming WHERE document_id IS NULL ORDER BY dataset_id
    ON CONFLICT DO NOTHING
)
SELECT DISTINCT document_id FROM naming WHERE document_id IS NOT NULL
"""

AFFILIATIONS = """
INSERT INTO affiliation (key, name, address, city, country)
SELECT key, name, address, city, country
FROM jsonb_to_recordset(%(rows)s::jsonb) AS r(key text, name text, address text, city text, country text)
ON CONFLICT (key) DO UPDATE SET
    name = excluded.name, address = excluded.address, city = excluded.city, country = excluded.country
"""

# What documents name, what datasets do and what files do are replaced apart from each other.
MEMBERS = """
WITH removed AS (
    DELETE FROM member
    WHERE (document_id = ANY(%(documents)s::bigint[]) AND dataset_id IS NULL)
    OR (dataset_id = ANY(%(datasets)s::bigint[]) AND by_files = %(by_files)s)
)
INSERT INTO member (document_id, dataset_id, position, person_id, affiliation_id, role, identity, by_files)
SELECT r.document, r.dataset, r.position, p.id, a.id, r.role, 'email:' || r.email, %(by_files)s
FROM jsonb_to_recordset(%(rows)s::jsonb) AS r(
    document bigint, dataset bigint, position integer, person text, affiliation text, role text, email text)
LEFT JOIN person p ON p.key = r.person
LEFT JOIN affiliation a ON a.key = r.affiliation
"""
