-- Who belongs to a proposal on the word of the user office, or of its principal investigators. No view shows any of
-- it, as members of documents are shown: these are personal data. A team may be there before its proposal.
CREATE TABLE team (
    proposal text COLLATE "C" PRIMARY KEY   -- the proposal's pid, but for the facility's name at its begin
);
CREATE TABLE team_member (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    entry uuid NOT NULL UNIQUE DEFAULT gen_random_uuid(),   -- what signed links call it, in every catalogue another
    proposal text COLLATE "C" NOT NULL REFERENCES team,
    -- As panosc_common.identity writes them: who has one of them is this person.
    identities text[] COLLATE "C" NOT NULL CHECK (identities <> '{}'),
    role text NOT NULL CHECK (role IN ('principal investigator', 'co-investigator', 'local contact', 'invited')),
    name text,
    invited_by text[] COLLATE "C",          -- identities of the principal investigator who did
    invited_at timestamptz,
    until timestamptz,
    CHECK ((role = 'invited') = (invited_by IS NOT NULL AND invited_at IS NOT NULL)),
    CHECK (until IS NULL OR role = 'invited')
);
CREATE INDEX ON team_member (proposal);
CREATE INDEX ON team_member USING gin (identities);

-- The one document that a team is of: of two that are called so, rather the one that no NeXus file alone names, as
-- whoever writes files could take the team over.
CREATE FUNCTION team_document(facility text, team text) RETURNS bigint
LANGUAGE sql STABLE PARALLEL SAFE
RETURN (
    SELECT id FROM document WHERE pid IN (facility || ':' || team, team)
    ORDER BY EXISTS (SELECT FROM ingest_source WHERE name = source), pid = team LIMIT 1
);

-- Of which documents somebody with these identities is a member, and as what, on their sources' word. Whom files name
-- does not count, as whoever writes one could name themselves; nor do authors of publications, and what a source has
-- no longer names nobody.
CREATE FUNCTION named_by_sources(those text[], publication text) RETURNS TABLE (document_id bigint, role text)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT p.id, m.role
    FROM (
        SELECT m.document_id, m.dataset_id, m.role FROM person n JOIN member m ON m.person_id = n.id
        WHERE n.key = ANY(those) AND n.key ^@ 'orcid:'
        UNION ALL
        SELECT m.document_id, m.dataset_id, m.role FROM member m WHERE m.identity = ANY(those)
    ) m JOIN document p ON p.id = m.document_id
    WHERE m.dataset_id IS NULL AND p.type !~* publication AND p.deleted_at IS NULL
$$;

-- Whether somebody with these identities is a principal investigator of the team's proposal, as the user office says,
-- or its source.
CREATE FUNCTION leads_team(facility text, team text, those text[], publication text) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
RETURN EXISTS (
    SELECT FROM team_member m
    WHERE m.proposal = team AND m.role = 'principal investigator' AND m.identities && those
) OR EXISTS (
    SELECT FROM named_by_sources(those, publication) m
    WHERE m.document_id = team_document(facility, team)
    AND lower(translate(m.role, '_', ' ')) IN ('principal investigator', 'main proposer', 'pi')
);

-- In which teams somebody with these identities, or of these entries, is at an instant, and on whose word. An
-- invitation counts while whoever gave it is a principal investigator: who is shut out leaves no door open.
CREATE FUNCTION teams_of(
    facility text, those text[], publication text, clock timestamptz, entries uuid[] DEFAULT '{}'
)
RETURNS TABLE (proposal text, said_by text, entry uuid)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT m.proposal, CASE WHEN m.role = 'invited' THEN 'principal investigator' ELSE 'user office' END, m.entry
    FROM team_member m
    WHERE (m.identities && those OR m.entry = ANY(entries))
    AND (m.until > clock) IS NOT FALSE
    AND (m.role <> 'invited' OR leads_team(facility, m.proposal, m.invited_by, publication))
$$;
