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
    sets text[] COLLATE "C" NOT NULL DEFAULT '{}',
    datestamp timestamptz NOT NULL,         -- whole seconds
    due timestamptz,                        -- when time alone will change what is public of it
    UNIQUE (kind, record)
);
CREATE INDEX ON oai_record (kind, pid);
CREATE INDEX ON oai_record (datestamp) WHERE state <> 'hidden';
CREATE INDEX ON oai_record (due) WHERE due IS NOT NULL;
CREATE INDEX ON oai_record USING gin (sets) WHERE state <> 'hidden';

CREATE FUNCTION was_exposed(kind text, record bigint) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
RETURN EXISTS (
    SELECT 1 FROM oai_record o
    WHERE o.kind = was_exposed.kind AND o.record = was_exposed.record AND o.state <> 'hidden'
);
