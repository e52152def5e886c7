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

-- The one place that decides which datasets the public sees. Everything that reads datasets, or what belongs
-- to them, goes through it. A single SELECT in SQL, so that the planner inlines it into each query.
-- What a scan finds stays hidden until the scan ends: only then it is known when the experiments ended.
CREATE FUNCTION visible_dataset(embargo_months integer, clock timestamptz)
RETURNS TABLE (
    id bigint, pid text, title text, creation_date timestamptz, end_date timestamptz, size bigint,
    instrument_id bigint, document_id bigint, source text, doi text, license text,
    release_date timestamptz, is_public boolean
)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT d.id, d.pid, d.title, d.creation_date, d.end_date, d.size, d.instrument_id, d.document_id, d.source,
        d.doi, coalesce(d.license_decided, p.license_decided, d.license, p.license),
        release_instant(
            p.release_date,
            coalesce(p.end_date, p.measured_end, d.end_date, d.creation_date),
            embargo_months,
            p.extended_until,
            least(p.released_at, d.released_at)
        ),
        true
    FROM dataset d LEFT JOIN document p ON p.id = d.document_id
    WHERE d.deleted_at IS NULL
    -- As the planner has statistics for: most datasets are of no proprietary beamtime.
    AND (p.proprietary IS NOT TRUE OR p.proprietary_decided IS FALSE) AND p.proprietary_decided IS NOT TRUE
    -- Nor does it belong to another one that is, whichever decides its embargo.
    AND NOT EXISTS (
        SELECT 1 FROM document_dataset l JOIN document q ON q.id = l.document_id
        WHERE l.dataset_id = d.id
        AND (q.proprietary_decided IS TRUE OR q.proprietary IS TRUE AND q.proprietary_decided IS NOT FALSE)
    )
    -- Not "released before now": that the planner would believe of a third, and sort all of them rather than
    -- to follow an index to the end of a page.
    AND (d.released OR (
        coalesce(
            release_instant(
                p.release_date,
                coalesce(p.end_date, p.measured_end, d.end_date, d.creation_date),
                embargo_months,
                p.extended_until,
                least(p.released_at, d.released_at)
            ),
            'infinity'
        ) > clock
    ) IS NOT TRUE)
    AND NOT EXISTS (
        SELECT 1 FROM ingest_source s WHERE s.name = d.source AND d.placed_at >= s.unsettled_since
    )
$$;

-- The same rule, whether or not the dataset was withdrawn, for what was public once; `p` is its document.
CREATE FUNCTION dataset_is_open(d dataset, p document, embargo_months integer, clock timestamptz) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
RETURN NOT coalesce(p.proprietary_decided, p.proprietary, false)
    AND NOT EXISTS (
        SELECT 1 FROM document_dataset l JOIN document q ON q.id = l.document_id
        WHERE l.dataset_id = d.id AND coalesce(q.proprietary_decided, q.proprietary)
    )
    AND (d.released OR (
        coalesce(
            release_instant(
                p.release_date,
                coalesce(p.end_date, p.measured_end, d.end_date, d.creation_date),
                embargo_months,
                p.extended_until,
                least(p.released_at, d.released_at)
            ),
            'infinity'
        ) > clock
    ) IS NOT TRUE);

-- Documents are public from the start, but those of proprietary beamtime never; their release date is shown as
-- it applies today, their licence null where it is the policy's.
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
            p.release_date,
            coalesce(p.end_date, p.measured_end),
            embargo_months,
            p.extended_until,
            p.released_at
        ),
        coalesce(p.license_decided, p.license), p.keywords
    FROM document p
    WHERE p.deleted_at IS NULL AND NOT coalesce(p.proprietary_decided, p.proprietary)
$$;

CREATE VIEW visible_instrument AS SELECT * FROM instrument WHERE deleted_at IS NULL;
CREATE VIEW visible_file AS SELECT * FROM file WHERE deleted_at IS NULL;

-- A person is named once per document and role, however many of its datasets say so; of proprietary beamtime
-- and of what was withdrawn not even that.
CREATE VIEW visible_member AS
    SELECT min(m.id) AS id, min(m.position) AS position, document_id, person_id, affiliation_id, role
    FROM member m JOIN document p ON p.id = m.document_id
    WHERE p.deleted_at IS NULL AND NOT coalesce(p.proprietary_decided, p.proprietary)
    GROUP BY document_id, person_id, affiliation_id, role;
