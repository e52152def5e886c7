-- When data become public: the date the source gives, else the end of the experiment plus the policy's months,
-- not before an extension's end, but at once from an early release on (panosc_common.policy.release_instant is
-- its twin). Calendar months in UTC. Where no date is known only a release opens: an extension opens nothing.
CREATE FUNCTION release_instant(
    explicit timestamptz, ended timestamptz, months integer, extended timestamptz, released timestamptz
) RETURNS timestamptz
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN least(
    released,
    CASE WHEN num_nonnulls(explicit, ended) > 0 THEN greatest(
        coalesce(
            explicit, ((ended AT TIME ZONE 'UTC') + make_interval(months => months)) AT TIME ZONE 'UTC'
        ),
        extended
    ) END
);

-- The release instant of a dataset; `p` is its document.
CREATE FUNCTION dataset_release(d dataset, p document, embargo_months integer) RETURNS timestamptz
LANGUAGE sql STABLE PARALLEL SAFE
RETURN release_instant(
    p.release_date,
    coalesce(p.end_date, p.measured_end, d.end_date, d.creation_date),
    embargo_months,
    p.extended_until,
    least(p.released_at, d.released_at)
);

-- When time alone opens a dataset.
CREATE FUNCTION dataset_opens(d dataset, p document, embargo_months integer) RETURNS timestamptz
LANGUAGE sql STABLE PARALLEL SAFE
RETURN CASE WHEN d.released THEN '-infinity' ELSE coalesce(dataset_release(d, p, embargo_months), 'infinity') END;

-- The rule of visible_dataset, whether or not the dataset was withdrawn, for what was public once.
CREATE FUNCTION dataset_is_open(d dataset, p document, embargo_months integer, clock timestamptz) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
RETURN NOT d.proprietary
    AND NOT coalesce(p.proprietary_decided, p.proprietary, false)
    AND dataset_opens(d, p, embargo_months) <= clock;

-- The one place that decides who sees which datasets. Everything that reads datasets, or what belongs to them,
-- goes through it. A single SELECT in SQL, so that the planner inlines it into each query.
-- `documents`, `instruments` (row ids), `everything` and `in_groups` are what whoever asks may see before its time; by
-- default it is the public that asks, for which the planner sees that nothing of it need be looked at.
-- On which grounds they see it `grounds` tells, whether or not they need one: a proposal's pid, an instrument's name, a
-- group; panosc_common.access.reason makes words of that.
-- What a scan finds stays hidden until the scan ends: only then it is known when the experiments ended.
-- `past_sealed` may be true only where `sealing` holds: it changes nothing but the time that it takes.
CREATE FUNCTION visible_dataset(
    embargo_months integer, clock timestamptz, past_sealed boolean DEFAULT false,
    documents bigint[] DEFAULT NULL, instruments bigint[] DEFAULT NULL, everything boolean DEFAULT false,
    in_groups text[] DEFAULT NULL
)
RETURNS TABLE (
    id bigint, pid text, title text, creation_date timestamptz, end_date timestamptz, size bigint,
    instrument_id bigint, document_id bigint, source text, doi text, license text,
    release_date timestamptz, is_public boolean, grounds text[], technique_ids bigint[]
)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT d.id, d.pid, d.title, d.creation_date, d.end_date, d.size, d.instrument_id, d.document_id, d.source,
        d.doi, coalesce(d.license_decided, p.license_decided, d.license, p.license),
        dataset_release(d, p, embargo_months),
        CASE
            WHEN everything OR num_nonnulls(documents, instruments, in_groups) > 0
                THEN dataset_is_open(d, p, embargo_months, clock)
            ELSE true
        END,
        ARRAY[
            CASE WHEN documents IS NOT NULL THEN (
                SELECT min(q.pid) FROM document_dataset l JOIN document q ON q.id = l.document_id
                WHERE l.dataset_id = d.id AND l.document_id = ANY(documents)
            ) END,
            CASE WHEN instruments IS NOT NULL THEN (
                SELECT i.name FROM instrument i WHERE i.id = d.instrument_id AND i.id = ANY(instruments)
            ) END,
            CASE WHEN in_groups IS NOT NULL THEN (
                SELECT min(g) FROM unnest(d.groups) g WHERE g = ANY(in_groups)
            ) END
        ],
        d.technique_ids
    FROM dataset d LEFT JOIN document p ON p.id = d.document_id
    WHERE d.deleted_at IS NULL AND (NOT past_sealed OR NOT d.sealed)
    AND (
        everything
        OR (documents IS NOT NULL AND EXISTS (
            SELECT FROM document_dataset l WHERE l.dataset_id = d.id AND l.document_id = ANY(documents)
        ))
        OR (instruments IS NOT NULL AND d.instrument_id = ANY(instruments))
        OR (in_groups IS NOT NULL AND d.groups && in_groups)
        OR (
            NOT d.proprietary
            -- Also where it is not linked to the document that decides its embargo, which should not be.
            AND (p.proprietary IS NOT TRUE OR p.proprietary_decided IS FALSE)
            AND p.proprietary_decided IS NOT TRUE
            -- Not "released before now": that the planner would believe of a third, and sort all of them rather
            -- than to follow an index to the end of a page.
            AND (d.released OR (coalesce(dataset_release(d, p, embargo_months), 'infinity') > clock) IS NOT TRUE)
        )
    )
    AND NOT EXISTS (
        SELECT 1 FROM ingest_source s WHERE s.name = d.source AND d.placed_at >= s.unsettled_since
    )
$$;

-- Datasets that are `sealed` stay closed until then under an embargo of this many months or more: lists need not
-- look at each of the newest, all of which are closed. panosc_catalogue.sealing keeps it; what is written to a
-- sealed dataset, or decides when it opens, breaks the seal at once.
CREATE TABLE sealing (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    months integer NOT NULL,
    until timestamptz NOT NULL
);

CREATE FUNCTION break_seal() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    NEW.sealed := false;
    RETURN NEW;
END
$$;
CREATE TRIGGER break_seal BEFORE UPDATE ON dataset FOR EACH ROW
WHEN (OLD.sealed AND NEW.sealed) EXECUTE FUNCTION break_seal();

CREATE FUNCTION break_seals() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    UPDATE dataset SET sealed = false WHERE document_id = NEW.id AND sealed;
    RETURN NULL;
END
$$;
CREATE TRIGGER break_seals AFTER UPDATE ON document FOR EACH ROW
WHEN (
    (OLD.release_date, OLD.end_date, OLD.measured_end, OLD.extended_until, OLD.released_at)
    IS DISTINCT FROM (NEW.release_date, NEW.end_date, NEW.measured_end, NEW.extended_until, NEW.released_at)
) EXECUTE FUNCTION break_seals();

-- A dataset is of proprietary beamtime if any of its documents is. That is kept with it, since lists would ask it
-- of each row. Who links and who decides lock what the other reads, and look when they have the lock: done at the
-- same time, the later one sees what the earlier one did.
CREATE FUNCTION keep_proprietary(datasets bigint[], documents bigint[]) RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM FROM document WHERE id = ANY(documents) ORDER BY id FOR SHARE;
    PERFORM FROM dataset WHERE id = ANY(datasets) ORDER BY id FOR NO KEY UPDATE;
    UPDATE dataset d SET proprietary = NOT d.proprietary
    WHERE d.id = ANY(datasets) AND d.proprietary <> EXISTS (
        SELECT FROM document_dataset l JOIN document q ON q.id = l.document_id
        WHERE l.dataset_id = d.id AND coalesce(q.proprietary_decided, q.proprietary)
    );
END
$$;

CREATE FUNCTION keep_proprietary_of_links() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM keep_proprietary(array_agg(dataset_id), array_agg(DISTINCT document_id)) FROM changed;
    RETURN NULL;
END
$$;
CREATE TRIGGER keep_proprietary_linked AFTER INSERT ON document_dataset REFERENCING NEW TABLE AS changed
FOR EACH STATEMENT EXECUTE FUNCTION keep_proprietary_of_links();
CREATE TRIGGER keep_proprietary_unlinked AFTER DELETE ON document_dataset REFERENCING OLD TABLE AS changed
FOR EACH STATEMENT EXECUTE FUNCTION keep_proprietary_of_links();

CREATE FUNCTION keep_proprietary_of_document() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM keep_proprietary(array_agg(dataset_id), '{}') FROM document_dataset WHERE document_id = NEW.id;
    RETURN NULL;
END
$$;
CREATE TRIGGER keep_proprietary AFTER UPDATE ON document FOR EACH ROW
WHEN (
    coalesce(OLD.proprietary_decided, OLD.proprietary)
    IS DISTINCT FROM coalesce(NEW.proprietary_decided, NEW.proprietary)
) EXECUTE FUNCTION keep_proprietary_of_document();

-- Documents are public from the start, but those of proprietary beamtime never: these are for whoever may see their
-- data, or some of them, by the same arguments and grounds as of visible_dataset. Their release date is shown as it
-- applies today, their licence null where it is the policy's.
CREATE FUNCTION visible_document(
    embargo_months integer,
    documents bigint[] DEFAULT NULL, instruments bigint[] DEFAULT NULL, everything boolean DEFAULT false,
    in_groups text[] DEFAULT NULL
)
RETURNS TABLE (
    id bigint, pid text, is_public boolean, type text, title text, summary text, doi text,
    start_date timestamptz, end_date timestamptz, release_date timestamptz, license text, keywords text[],
    grounds text[]
)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT p.id, p.pid, NOT coalesce(p.proprietary_decided, p.proprietary), p.type, p.title, p.summary, p.doi,
        coalesce(p.start_date, p.measured_start), coalesce(p.end_date, p.measured_end),
        release_instant(
            p.release_date,
            coalesce(p.end_date, p.measured_end),
            embargo_months,
            p.extended_until,
            p.released_at
        ),
        coalesce(p.license_decided, p.license), p.keywords,
        ARRAY[
            CASE WHEN p.id = ANY(documents) THEN p.pid END,
            CASE WHEN instruments IS NOT NULL THEN (
                SELECT min(i.name)
                FROM document_dataset l JOIN dataset d ON d.id = l.dataset_id
                JOIN instrument i ON i.id = d.instrument_id
                WHERE l.document_id = p.id AND d.deleted_at IS NULL AND i.id = ANY(instruments)
            ) END,
            CASE WHEN in_groups IS NOT NULL THEN (
                SELECT min(g)
                FROM document_dataset l JOIN dataset d ON d.id = l.dataset_id CROSS JOIN unnest(d.groups) g
                WHERE l.document_id = p.id AND d.deleted_at IS NULL AND g = ANY(in_groups)
            ) END
        ]
    FROM document p
    WHERE p.deleted_at IS NULL AND (
        everything
        OR NOT coalesce(p.proprietary_decided, p.proprietary)
        OR (documents IS NOT NULL AND p.id = ANY(documents))
        OR (instruments IS NOT NULL AND EXISTS (
            SELECT FROM document_dataset l JOIN dataset d ON d.id = l.dataset_id
            WHERE l.document_id = p.id AND d.deleted_at IS NULL AND d.instrument_id = ANY(instruments)
        ))
        OR (in_groups IS NOT NULL AND EXISTS (
            SELECT FROM document_dataset l JOIN dataset d ON d.id = l.dataset_id
            WHERE l.document_id = p.id AND d.deleted_at IS NULL AND d.groups && in_groups
        ))
    )
$$;

CREATE VIEW visible_instrument AS SELECT * FROM instrument WHERE deleted_at IS NULL;
CREATE VIEW visible_file AS SELECT * FROM file WHERE deleted_at IS NULL;

-- A person is named once per document and role, however many of its datasets say so, to whoever may see the
-- document, by the same arguments.
CREATE FUNCTION visible_member(
    documents bigint[] DEFAULT NULL, instruments bigint[] DEFAULT NULL, everything boolean DEFAULT false,
    in_groups text[] DEFAULT NULL
)
RETURNS TABLE (
    id bigint, "position" integer, document_id bigint, person_id bigint, affiliation_id bigint, role text,
    is_public boolean, grounds text[]
)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT min(m.id), min(m.position), m.document_id, m.person_id, m.affiliation_id, m.role, p.is_public, p.grounds
    FROM member m JOIN visible_document(0, documents, instruments, everything, in_groups) p ON p.id = m.document_id
    GROUP BY m.document_id, m.person_id, m.affiliation_id, m.role, p.is_public, p.grounds
$$;
