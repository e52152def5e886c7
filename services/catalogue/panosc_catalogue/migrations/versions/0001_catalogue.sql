-- The PaNOSC search API's model (Document, Dataset, Instrument, File, Parameter, Sample, Technique, Member,
-- Person, Affiliation) with what it needs beside: where a record is from, whether it was withdrawn, when its
-- data become public. Identifiers compare by code point (COLLATE "C"): the same order on every server.

CREATE TABLE instrument (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    pid text COLLATE "C" NOT NULL UNIQUE,
    name text NOT NULL,
    facility text NOT NULL,
    source text,
    updated_at timestamptz NOT NULL DEFAULT now(),
    deleted_at timestamptz
);

CREATE TABLE document (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    pid text COLLATE "C" NOT NULL UNIQUE,
    type text NOT NULL,
    title text NOT NULL,
    summary text,
    doi text,
    start_date timestamptz,
    end_date timestamptz,
    measured_start timestamptz,             -- of all its datasets, where the source names no start or end
    measured_end timestamptz,
    release_date timestamptz,               -- as the source says; where null, the data policy decides
    extension_months integer NOT NULL DEFAULT 0 CHECK (extension_months >= 0),
    license text,
    keywords text[] NOT NULL DEFAULT '{}',
    source text,
    updated_at timestamptz NOT NULL DEFAULT now(),
    deleted_at timestamptz
);

CREATE TABLE dataset (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    pid text COLLATE "C" NOT NULL UNIQUE,
    title text NOT NULL,
    creation_date timestamptz,
    end_date timestamptz,                   -- when the measurement ended
    size bigint,                            -- bytes
    released boolean NOT NULL DEFAULT false, -- public before its time, by the source's or the staff's word
    instrument_id bigint REFERENCES instrument,
    document_id bigint REFERENCES document, -- the proposal: decides the embargo
    placed_at timestamptz NOT NULL DEFAULT now(), -- when it came to this document
    source text,
    updated_at timestamptz NOT NULL DEFAULT now(),
    deleted_at timestamptz
);
CREATE INDEX ON dataset (document_id);
CREATE INDEX ON dataset (instrument_id);
CREATE INDEX ON dataset (creation_date);
CREATE INDEX ON dataset (source, pid) WHERE deleted_at IS NOT NULL;

CREATE TABLE document_dataset (
    document_id bigint NOT NULL REFERENCES document ON DELETE CASCADE,
    dataset_id bigint NOT NULL REFERENCES dataset ON DELETE CASCADE,
    PRIMARY KEY (document_id, dataset_id)
);
CREATE INDEX ON document_dataset (dataset_id);

CREATE TABLE file (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    dataset_id bigint NOT NULL REFERENCES dataset ON DELETE CASCADE,
    archive text COLLATE "C",               -- the archive that serves it; null where it lies elsewhere
    path text COLLATE "C" NOT NULL,
    name text NOT NULL,
    size bigint,                            -- bytes
    deleted_at timestamptz,
    UNIQUE (dataset_id, path)
);
CREATE INDEX ON file (archive, path) WHERE deleted_at IS NULL;

CREATE TABLE parameter (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    dataset_id bigint REFERENCES dataset ON DELETE CASCADE,
    document_id bigint REFERENCES document ON DELETE CASCADE,
    position integer NOT NULL,
    name text COLLATE "C" NOT NULL,
    text_value text,                        -- the value where the source gave text
    number_value double precision,          -- the value as a number, of numeric text too
    unit text,
    si_value double precision,              -- number_value in SI base units
    si_dimension text,                      -- what si_value measures; null until the unit is understood
    CHECK (num_nonnulls(dataset_id, document_id) = 1)
);
CREATE INDEX ON parameter (dataset_id, name) WHERE dataset_id IS NOT NULL;
CREATE INDEX ON parameter (document_id, name) WHERE document_id IS NOT NULL;
CREATE INDEX ON parameter (name, number_value);

CREATE TABLE sample (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    pid text COLLATE "C" NOT NULL UNIQUE,
    name text NOT NULL,
    description text
);
CREATE TABLE dataset_sample (
    dataset_id bigint NOT NULL REFERENCES dataset ON DELETE CASCADE,
    sample_id bigint NOT NULL REFERENCES sample ON DELETE CASCADE,
    PRIMARY KEY (dataset_id, sample_id)
);
CREATE INDEX ON dataset_sample (sample_id);

CREATE TABLE technique (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    pid text COLLATE "C" NOT NULL UNIQUE,
    name text NOT NULL,
    panet_id text COLLATE "C"
);
CREATE TABLE dataset_technique (
    dataset_id bigint NOT NULL REFERENCES dataset ON DELETE CASCADE,
    technique_id bigint NOT NULL REFERENCES technique ON DELETE CASCADE,
    PRIMARY KEY (dataset_id, technique_id)
);
CREATE INDEX ON dataset_technique (technique_id);

CREATE TABLE person (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key text COLLATE "C" NOT NULL UNIQUE,   -- what makes it the same person: ORCID, else the source's id
    full_name text NOT NULL,
    orcid text,
    researcher_id text,
    first_name text,
    last_name text
);
CREATE TABLE affiliation (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key text COLLATE "C" NOT NULL UNIQUE,
    name text,
    address text,
    city text,
    country text
);
CREATE TABLE member (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    document_id bigint NOT NULL REFERENCES document ON DELETE CASCADE,
    dataset_id bigint REFERENCES dataset ON DELETE CASCADE, -- the dataset that names this member, if one does
    position integer NOT NULL,
    person_id bigint REFERENCES person,
    affiliation_id bigint REFERENCES affiliation,
    role text
);
CREATE INDEX ON member (document_id);
CREATE INDEX ON member (dataset_id);
CREATE INDEX ON member (person_id);

-- State of the ingest: what was last seen of each source and of each of its files.
CREATE TABLE ingest_source (
    name text PRIMARY KEY,
    state text NOT NULL DEFAULT 'Scanning' CHECK (state IN ('Scanning', 'Idle', 'Failed')),
    reading text NOT NULL,                  -- how its files were read; when that changes they are read again
    ignored bigint NOT NULL DEFAULT 0,      -- files in its tree that the catalogue has nothing to do with
    unsettled_since timestamptz,            -- begin of the scan that has not ended yet
    last_scan timestamptz,
    last_change timestamptz,
    last_error text
);
CREATE TABLE ingest_file (
    source text NOT NULL REFERENCES ingest_source,
    path text COLLATE "C" NOT NULL,
    dataset text COLLATE "C" NOT NULL,      -- path of the dataset that the file belongs to
    size bigint NOT NULL,
    mtime_ns bigint NOT NULL,
    outcome text NOT NULL CHECK (outcome IN ('ingested', 'companion', 'failed', 'waiting')),
    attempts integer NOT NULL DEFAULT 0,    -- failures since the file last changed
    reason text,
    message text,
    record jsonb,                           -- what was last read in it
    started timestamptz,                    -- and from when to when it measured
    ended timestamptz,
    seen_at timestamptz NOT NULL DEFAULT now(),
    deleted_at timestamptz,
    PRIMARY KEY (source, path)
);
CREATE INDEX ON ingest_file (source, dataset);
CREATE INDEX ON ingest_file (source, path) WHERE deleted_at IS NULL AND reason IS NOT NULL;

-- When data become public: the date the source gives, else the end of the experiment plus the policy's months
-- (panosc_common.policy.release_instant is its twin). Calendar months in UTC; null where no date is known.
CREATE FUNCTION release_instant(explicit timestamptz, ended timestamptz, months integer) RETURNS timestamptz
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN coalesce(
    explicit, ((ended AT TIME ZONE 'UTC') + make_interval(months => months)) AT TIME ZONE 'UTC'
);

-- The one place that decides which datasets the public sees. Everything that reads datasets, or what belongs
-- to them, goes through it. A single SELECT in SQL, so that the planner inlines it into each query.
-- What a scan finds stays hidden until the scan ends: only then it is known when the experiments ended.
CREATE FUNCTION visible_dataset(embargo_months integer, clock timestamptz)
RETURNS TABLE (
    id bigint, pid text, title text, creation_date timestamptz, end_date timestamptz, size bigint,
    instrument_id bigint, document_id bigint, source text, release_date timestamptz, is_public boolean
)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT d.id, d.pid, d.title, d.creation_date, d.end_date, d.size, d.instrument_id, d.document_id, d.source,
        release_instant(
            p.release_date,
            coalesce(p.end_date, p.measured_end, d.end_date, d.creation_date),
            embargo_months + coalesce(p.extension_months, 0)
        ),
        true
    FROM dataset d LEFT JOIN document p ON p.id = d.document_id
    WHERE d.deleted_at IS NULL AND (
        d.released
        OR release_instant(
            p.release_date,
            coalesce(p.end_date, p.measured_end, d.end_date, d.creation_date),
            embargo_months + coalesce(p.extension_months, 0)
        ) <= clock
    ) AND NOT EXISTS (
        SELECT 1 FROM ingest_source s WHERE s.name = d.source AND d.placed_at >= s.unsettled_since
    )
$$;

-- Documents are public from the start; their release date is shown as it applies today.
CREATE FUNCTION visible_document(embargo_months integer)
RETURNS TABLE (
    id bigint, pid text, is_public boolean, type text, title text, summary text, doi text,
    start_date timestamptz, end_date timestamptz, release_date timestamptz, license text, keywords text[]
)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT p.id, p.pid, true, p.type, p.title, p.summary, p.doi,
        coalesce(p.start_date, p.measured_start), coalesce(p.end_date, p.measured_end),
        release_instant(
            p.release_date, coalesce(p.end_date, p.measured_end), embargo_months + p.extension_months
        ),
        p.license, p.keywords
    FROM document p
    WHERE p.deleted_at IS NULL
$$;

CREATE VIEW visible_instrument AS SELECT * FROM instrument WHERE deleted_at IS NULL;
CREATE VIEW visible_file AS SELECT * FROM file WHERE deleted_at IS NULL;

-- A person is named once per document and role, however many of its datasets say so.
CREATE VIEW visible_member AS
    SELECT min(id) AS id, min(position) AS position, document_id, person_id, affiliation_id, role
    FROM member GROUP BY document_id, person_id, affiliation_id, role;
