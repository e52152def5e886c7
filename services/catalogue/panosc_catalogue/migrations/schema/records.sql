-- The PaNOSC search API's model (Document, Dataset, Instrument, File, Parameter, Sample, Technique, Member,
-- Person, Affiliation) with what it needs beside: where a record is from, whether it was withdrawn, when its
-- data become public. Identifiers compare by code point (COLLATE "C"): the same order on every server.

CREATE TABLE instrument (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    pid text COLLATE "C" NOT NULL UNIQUE,
    name text NOT NULL,
    facility text NOT NULL,
    source text,                            -- who described it last, and what it is called there
    origin_id text COLLATE "C",
    fetched_at timestamptz NOT NULL DEFAULT now(),
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
    license text,                           -- as the source says, an SPDX identifier where it is known as one
    proprietary boolean NOT NULL DEFAULT false, -- beamtime that was paid for: never public
    -- What the facility's staff decides (policy.sql); no source overwrites it.
    extended_until timestamptz,             -- the embargo does not end before
    released_at timestamptz,                -- but the data are public from here on
    proprietary_decided boolean,
    license_decided text,
    keywords text[] NOT NULL DEFAULT '{}',
    funding jsonb NOT NULL DEFAULT '[]',    -- objects with funder, ror, award_number and award_title
    groups text[] COLLATE "C" NOT NULL DEFAULT '{}', -- whose people it is for, as the source says; shown nowhere
    source text,                            -- who described it last, and what it is called there
    origin_id text COLLATE "C",
    fetched_at timestamptz NOT NULL DEFAULT now(),
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
    doi text,
    license text,                           -- where it differs from its document's and the policy's
    released_at timestamptz,                -- decided by the staff, as the next (policy.sql)
    license_decided text,
    keywords text[] NOT NULL DEFAULT '{}',  -- beside its document's
    groups text[] COLLATE "C" NOT NULL DEFAULT '{}', -- whose people it is for beside its document's; shown nowhere
    technique_ids bigint[] NOT NULL DEFAULT '{}', -- as in dataset_technique: for lists, which look at many datasets
    released boolean NOT NULL DEFAULT false, -- public before its time, by the source's word
    instrument_id bigint REFERENCES instrument,
    document_id bigint REFERENCES document, -- the proposal: decides the embargo
    placed_at timestamptz NOT NULL DEFAULT now(), -- when it came to this document
    proprietary boolean NOT NULL DEFAULT false, -- of a document that is, whichever decides its embargo (visibility)
    sealed boolean NOT NULL DEFAULT false,  -- proven to stay closed for a while (sealing)
    source text,                            -- who described it last, and what it is called there
    origin_id text COLLATE "C",
    fetched_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    deleted_at timestamptz
);
CREATE INDEX ON dataset (document_id);
CREATE INDEX ON dataset (instrument_id);
CREATE INDEX ON dataset (creation_date);
-- For lists in these orders (query.keyset), which end after a page.
CREATE INDEX ON dataset ((coalesce(creation_date, 'infinity')), pid);
CREATE INDEX ON dataset ((coalesce(creation_date, '-infinity')) DESC, pid);
-- The newest are under embargo: past these the newest open ones are found at once.
CREATE INDEX ON dataset ((coalesce(creation_date, '-infinity')) DESC, pid) WHERE NOT sealed;
CREATE INDEX ON dataset (id) WHERE NOT sealed;
CREATE INDEX ON dataset (title COLLATE "C", pid);
CREATE INDEX ON dataset (source, pid) WHERE deleted_at IS NOT NULL;
CREATE INDEX ON dataset USING gin (technique_ids);
-- DOIs have no case.
CREATE INDEX ON dataset (lower(doi)) WHERE doi IS NOT NULL;
CREATE INDEX ON document (lower(doi)) WHERE doi IS NOT NULL;
CREATE INDEX ON document ((coalesce(coalesce(start_date, measured_start), '-infinity')) DESC, pid);
CREATE INDEX ON document ((coalesce(coalesce(end_date, measured_end), '-infinity')) DESC, pid);
CREATE INDEX ON document (title COLLATE "C", pid);
CREATE INDEX ON document USING gin (groups);
CREATE INDEX ON dataset USING gin (groups) WHERE groups <> '{}';

CREATE TABLE document_dataset (
    document_id bigint NOT NULL REFERENCES document ON DELETE CASCADE,
    dataset_id bigint NOT NULL REFERENCES dataset ON DELETE CASCADE,
    by_document boolean NOT NULL DEFAULT false, -- whether it was the document's record that named the other
    PRIMARY KEY (document_id, dataset_id)
);
CREATE INDEX ON document_dataset (dataset_id);

-- Datasets that a document names and that are not there yet: linked when they come.
CREATE TABLE awaited_dataset (
    dataset_pid text COLLATE "C" NOT NULL,
    document_id bigint NOT NULL REFERENCES document ON DELETE CASCADE,
    PRIMARY KEY (dataset_pid, document_id)
);
CREATE INDEX ON awaited_dataset (document_id);

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
    number_value double precision,          -- the value as a number, of numeric text too; a range's lower end
    number_upper double precision,          -- a range's upper end; null for a single value
    unit text,
    si_value double precision,              -- number_value in SI base units
    si_upper double precision,              -- number_upper in SI base units
    si_dimension text COLLATE "C",          -- what they measure (panosc_common.units); null: unit not understood
    CHECK (num_nonnulls(dataset_id, document_id) = 1)
);
CREATE INDEX ON parameter (dataset_id, name) WHERE dataset_id IS NOT NULL;
CREATE INDEX ON parameter (document_id, name) WHERE document_id IS NOT NULL;
CREATE INDEX ON parameter (name, number_value);
CREATE INDEX ON parameter (name, number_upper) WHERE number_upper IS NOT NULL;
CREATE INDEX ON parameter (name, si_dimension, si_value);
CREATE INDEX ON parameter (name, si_dimension, si_upper) WHERE si_upper IS NOT NULL;
-- A name tells the dimension; a planner that took them for independent would expect far too few rows.
CREATE STATISTICS parameter_name_dimension ON name, si_dimension FROM parameter;

-- What the parameters of a name measure, so that a question in a wrong unit can be refused without a look at
-- the parameters. It only grows.
CREATE TABLE parameter_dimension (
    name text COLLATE "C" NOT NULL,
    si_dimension text COLLATE "C" NOT NULL,
    unit text,                              -- one that is used
    PRIMARY KEY (name, si_dimension)
);

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
    panet_id text COLLATE "C",
    panet_key text COLLATE "C"              -- the term's local name, PaNET01188, by whatever of the above tells it
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
    document_id bigint REFERENCES document ON DELETE CASCADE,
    -- The dataset that names this member, if one does; without a document it is of the dataset alone.
    dataset_id bigint REFERENCES dataset ON DELETE CASCADE,
    position integer NOT NULL,
    person_id bigint REFERENCES person,
    affiliation_id bigint REFERENCES affiliation,
    role text,
    -- As panosc_common.identity writes it: who has it is this member, beside whom the person's key says. Shown nowhere,
    -- and not the person's, who may be known by another one elsewhere.
    identity text COLLATE "C",
    by_files boolean NOT NULL DEFAULT false, -- whether the dataset's files name this member, not its record
    CHECK (num_nonnulls(document_id, dataset_id) > 0)
);
CREATE INDEX ON member (document_id, dataset_id);
CREATE INDEX ON member (dataset_id);
CREATE INDEX ON member (person_id);
CREATE INDEX ON member (identity) WHERE identity IS NOT NULL;
