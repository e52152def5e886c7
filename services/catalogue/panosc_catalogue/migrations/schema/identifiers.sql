-- DOIs of our own: what is intended, and how far the registrar has come with it. A row is written before the
-- registrar is asked for anything, so that whatever happens then there is never a second name for a record.
CREATE TABLE doi_registration (
    kind text NOT NULL CHECK (kind IN ('documents', 'datasets')),
    record bigint NOT NULL,                 -- row of document or dataset
    doi text COLLATE "C" NOT NULL UNIQUE,
    state text NOT NULL DEFAULT 'intended'
        CHECK (state IN ('intended', 'draft', 'findable', 'registered', 'local')), -- local: without a registrar
    endpoint text,                          -- of the registrar that has it; null: none was asked yet
    public_url text,                        -- the catalogue's, below which it leads; of a hidden one only
    seen bytea,                             -- oai_record.digest of what was last compared with the registrar's
    sent bytea,                             -- digest of the attributes that the registrar last took
    failures integer NOT NULL DEFAULT 0,    -- refusals and failures in a row
    not_before timestamptz,                 -- when a refused record is tried again, unless it changes before
    last_error text,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (kind, record)
);
-- What waits for the registrar.
CREATE INDEX ON doi_registration (kind, record)
    WHERE state IN ('intended', 'draft') OR last_error IS NOT NULL;

-- Every name that a record was ever given: it leads to the record for ever, whatever its DOI is now.
CREATE TABLE doi_name (
    doi text COLLATE "C" PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('documents', 'datasets')),
    record bigint NOT NULL
);

-- What the worker last said about itself.
CREATE TABLE doi_worker (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    seen_at timestamptz NOT NULL,
    last_success timestamptz,               -- when the registrar last did what it was asked
    last_error text                         -- why it cannot be asked; null while it can
);
