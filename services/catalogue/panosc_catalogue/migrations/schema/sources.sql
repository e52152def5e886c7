-- What is known of the sources that are read over HTTP, and of each of their records.
CREATE TABLE source_state (
    name text COLLATE "C" PRIMARY KEY,
    origin text NOT NULL,                   -- what is read; when that changes everything is listed again
    state text NOT NULL DEFAULT 'Scanning' CHECK (state IN ('Scanning', 'Idle', 'Failed')),
    cursor jsonb,                           -- where its adapter goes on
    listing_since timestamptz,              -- begin of the listing of everything that has not ended yet
    last_listing timestamptz,               -- begin of the last one that ended
    caught_up_at timestamptz,               -- as of when the catalogue has all that the source had
    last_change timestamptz,
    held_back bigint NOT NULL DEFAULT 0,    -- records that the last listing lacked, too many to be believed
    not_before timestamptz,                 -- when it failed it asked to be left alone until then
    last_error text                         -- why the last run failed; null after one that did not
);
CREATE TABLE source_record (
    source text COLLATE "C" NOT NULL REFERENCES source_state,
    kind text COLLATE "C" NOT NULL CHECK (kind IN ('document', 'dataset', 'instrument')),
    origin_id text COLLATE "C" NOT NULL,    -- what the source calls it
    pid text COLLATE "C",                   -- and what we do; null until it made sense once
    digest bytea,                           -- of what was last written; null: not, or no longer, written
    refused text,                           -- why it makes no sense as it is now
    seen_at timestamptz NOT NULL DEFAULT now(),
    deleted_at timestamptz,
    PRIMARY KEY (source, kind, origin_id)
);
CREATE INDEX ON source_record (kind, pid);
CREATE INDEX ON source_record (source, (kind || ' ' || origin_id)) WHERE refused IS NOT NULL AND deleted_at IS NULL;
