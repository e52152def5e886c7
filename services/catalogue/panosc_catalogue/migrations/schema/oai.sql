-- What OAI-PMH says about each document and dataset: whether it shows it, in which sets, and when that last
-- changed. Datestamps cannot come from the records themselves: embargoes end and policies change without any
-- write, and a transaction that began early may commit late. So panosc_catalogue.oai.upkeep compares what is
-- public with what was last said here, and stamps each difference with the time at which it noticed.

CREATE TABLE oai_record (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, -- the order of every harvest; it never changes
    kind text NOT NULL CHECK (kind IN ('documents', 'datasets')),
    record bigint NOT NULL,                 -- row of document or dataset
    pid text COLLATE "C" NOT NULL,
    state text NOT NULL CHECK (state IN ('hidden', 'live', 'deleted')), -- deleted: it was live once
    digest bytea,                           -- of all that is said about it
    inherited bytea,                        -- of what a document's datasets say after it
    sets text[] COLLATE "C" NOT NULL DEFAULT '{}', -- but those of terms above its techniques'
    datestamp timestamptz NOT NULL,         -- whole seconds
    due timestamptz,                        -- when time alone will change what is public of it
    UNIQUE (kind, record)
);
CREATE INDEX ON oai_record (kind, pid);
CREATE INDEX ON oai_record (datestamp) WHERE state <> 'hidden';
CREATE INDEX ON oai_record (due) WHERE due IS NOT NULL;
CREATE INDEX ON oai_record USING gin (sets) WHERE state <> 'hidden';

-- The part of a set's name that stands for an instrument: of its pid, what names of sets may hold; where that is
-- nothing, a digest.
CREATE FUNCTION oai_set_name(pid text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN coalesce(
    nullif(trim(BOTH '-' FROM regexp_replace(lower(pid), '[^a-z0-9_.!~*()]+', '-', 'g')), ''),
    left(md5(pid), 12)
);

-- The sets of a record, from its content as panosc_catalogue.datacite.reading selects it.
CREATE FUNCTION oai_sets(kind text, record jsonb) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (
    SELECT array_agg(DISTINCT name COLLATE "C" ORDER BY name COLLATE "C") FROM (
        SELECT unnest(ARRAY['openaire_data', kind]) AS name
        UNION ALL
        SELECT unnest(ARRAY['instrument', 'instrument:' || oai_set_name(i.value->>'pid')])
        FROM jsonb_path_query(record, 'lax $.instruments[*] ? (@ != null)') AS i(value)
        UNION ALL
        SELECT unnest(ARRAY['technique', 'technique:' || (t.value->>'panet')])
        FROM jsonb_path_query(record, 'lax $.techniques[*] ? (@.panet != null)') AS t(value)
    ) AS names
);

CREATE FUNCTION was_exposed(kind text, record bigint) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
RETURN EXISTS (
    SELECT 1 FROM oai_record o
    WHERE o.kind = was_exposed.kind AND o.record = was_exposed.record AND o.state <> 'hidden'
);

-- Documents and datasets that may be described otherwise now than oai_record says. Writers only append, so they
-- never wait for each other; the upkeep takes what is committed, whenever it began.
CREATE TABLE oai_stale (
    kind text COLLATE "C" NOT NULL,
    record bigint NOT NULL
);
CREATE INDEX ON oai_stale (kind, record);

-- Under which policy and configuration oai_record was made: another one concerns every record.
CREATE TABLE oai_basis (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    basis text NOT NULL
);

-- Arguments: the kind, and a query on the trigger's rows that gives row ids.
CREATE FUNCTION oai_notice() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    EXECUTE format(
        'INSERT INTO oai_stale (kind, record) SELECT DISTINCT %%L, record FROM (%%s) AS found(record)',
        tg_argv[0], tg_argv[1]
    );
    RETURN NULL;
END
$$;

DO $$
DECLARE
    noticed record;
BEGIN
    -- What is added or removed.
    FOR noticed IN SELECT * FROM (VALUES
        ('document', 'documents', 'SELECT id FROM changed'),
        ('dataset', 'datasets', 'SELECT id FROM changed'),
        ('document_dataset', 'documents', 'SELECT document_id FROM changed'),
        ('document_dataset', 'datasets', 'SELECT dataset_id FROM changed'),
        ('member', 'documents', 'SELECT document_id FROM changed WHERE document_id IS NOT NULL'),
        ('member', 'datasets', 'SELECT dataset_id FROM changed WHERE dataset_id IS NOT NULL'),
        ('file', 'datasets', 'SELECT dataset_id FROM changed'),
        ('dataset_technique', 'datasets', 'SELECT dataset_id FROM changed'),
        ('dataset_sample', 'datasets', 'SELECT dataset_id FROM changed')
    ) AS v(source, kind, query)
    LOOP
        EXECUTE format(
            'CREATE TRIGGER oai_%%2$s_added AFTER INSERT ON %%1$I REFERENCING NEW TABLE AS changed '
            'FOR EACH STATEMENT EXECUTE FUNCTION oai_notice(%%2$L, %%3$L)',
            noticed.source, noticed.kind, noticed.query
        );
        EXECUTE format(
            'CREATE TRIGGER oai_%%2$s_removed AFTER DELETE ON %%1$I REFERENCING OLD TABLE AS changed '
            'FOR EACH STATEMENT EXECUTE FUNCTION oai_notice(%%2$L, %%3$L)',
            noticed.source, noticed.kind, noticed.query
        );
    END LOOP;
    -- What is updated, where the update is more than a new time of it. `changed` is what differs.
    FOR noticed IN SELECT * FROM (VALUES
        ('document', 'documents', 'SELECT id FROM changed'),
        ('dataset', 'datasets', 'SELECT id FROM changed'),
        ('file', 'datasets', 'SELECT dataset_id FROM changed'),
        ('member', 'documents', 'SELECT document_id FROM changed WHERE document_id IS NOT NULL'),
        ('member', 'datasets', 'SELECT dataset_id FROM changed WHERE dataset_id IS NOT NULL'),
        ('instrument', 'datasets', 'SELECT d.id FROM changed c JOIN dataset d ON d.instrument_id = c.id'),
        ('technique', 'datasets',
            'SELECT l.dataset_id FROM changed c JOIN dataset_technique l ON l.technique_id = c.id'),
        ('sample', 'datasets',
            'SELECT l.dataset_id FROM changed c JOIN dataset_sample l ON l.sample_id = c.id'),
        ('person', 'documents',
            'SELECT m.document_id FROM changed c JOIN member m ON m.person_id = c.id '
            'WHERE m.document_id IS NOT NULL'),
        ('person', 'datasets',
            'SELECT m.dataset_id FROM changed c JOIN member m ON m.person_id = c.id '
            'WHERE m.dataset_id IS NOT NULL'),
        ('affiliation', 'documents',
            'SELECT m.document_id FROM changed c JOIN member m ON m.affiliation_id = c.id '
            'WHERE m.document_id IS NOT NULL'),
        ('affiliation', 'datasets',
            'SELECT m.dataset_id FROM changed c JOIN member m ON m.affiliation_id = c.id '
            'WHERE m.dataset_id IS NOT NULL')
    ) AS v(source, kind, query)
    LOOP
        EXECUTE format(
            'CREATE TRIGGER oai_%%2$s_updated AFTER UPDATE ON %%1$I '
            'REFERENCING OLD TABLE AS former NEW TABLE AS latter '
            'FOR EACH STATEMENT EXECUTE FUNCTION oai_notice(%%2$L, %%3$L)',
            noticed.source, noticed.kind,
            'WITH changed AS ('
            'SELECT n.* FROM latter n JOIN former o ON o.id = n.id '
            'WHERE (to_jsonb(o) - ''{updated_at,fetched_at,sealed}''::text[])'
            ' IS DISTINCT FROM (to_jsonb(n) - ''{updated_at,fetched_at,sealed}''::text[])) ' || noticed.query
        );
    END LOOP;
END
$$;
CREATE INDEX ON member (affiliation_id);

-- The end of a scan shows what it found.
CREATE TRIGGER oai_settled AFTER UPDATE ON ingest_source REFERENCING OLD TABLE AS former NEW TABLE AS latter
FOR EACH STATEMENT EXECUTE FUNCTION oai_notice(
    'datasets',
    'SELECT d.id FROM former f JOIN latter l USING (name)
    JOIN dataset d ON d.source = f.name AND d.placed_at >= f.unsettled_since
    WHERE l.unsettled_since IS DISTINCT FROM f.unsettled_since'
);
CREATE INDEX ON dataset (source, placed_at);
