-- What the facility's staff decided about embargoes, licences and proprietary beamtime, and on whose word.
-- A row is never changed: what holds of an aspect is what its last row says, and the columns of document and
-- dataset that visibility.sql reads are written with it in one transaction.
CREATE TABLE policy_log (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    decided_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    kind text NOT NULL CHECK (kind IN ('document', 'dataset')),
    pid text COLLATE "C" NOT NULL,
    aspect text NOT NULL CHECK (aspect IN ('extension', 'release', 'proprietary', 'license')),
    before jsonb,                           -- null: the policy and the source alone decided
    after jsonb,                            -- null: they do so again
    requested_by text NOT NULL,
    granted_by text NOT NULL,
    decided_by text NOT NULL,               -- the login's identifier of who sent it, or that it was the token
    reason text NOT NULL
);
CREATE INDEX ON policy_log (kind, pid, aspect, id);

CREATE FUNCTION refuse_change() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    RAISE insufficient_privilege USING MESSAGE = tg_table_name || ' is append-only';
END
$$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON policy_log
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
