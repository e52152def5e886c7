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
