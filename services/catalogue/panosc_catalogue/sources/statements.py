"""The SQL of what the catalogue remembers of a source."""

from panosc_catalogue.sources.base import Kind

BEGIN = """
INSERT INTO source_state AS s (name, origin) VALUES (%(name)s, %(origin)s)
ON CONFLICT (name) DO UPDATE SET
    state = 'Scanning',
    origin = excluded.origin,
    cursor = CASE WHEN s.origin = excluded.origin THEN s.cursor END,
    listing_since = CASE WHEN s.origin = excluded.origin THEN s.listing_since END,
    last_listing = CASE WHEN s.origin = excluded.origin THEN s.last_listing END,
    held_back = CASE WHEN s.origin = excluded.origin THEN s.held_back ELSE 0 END,
    caught_up_at = CASE WHEN s.origin = excluded.origin THEN s.caught_up_at END,
    last_error = CASE WHEN s.origin = excluded.origin THEN s.last_error END,
    not_before = CASE WHEN s.origin = excluded.origin THEN s.not_before END
RETURNING cursor, listing_since IS NOT NULL,
    coalesce(last_listing < now() - make_interval(secs => %(every)s), true), caught_up_at
"""

IDLE = """
UPDATE source_state SET
    state = 'Idle', last_error = NULL, not_before = NULL,
    caught_up_at = coalesce(now() - make_interval(secs => %(seconds)s::double precision), caught_up_at),
    last_change = CASE WHEN %(changed)s THEN now() ELSE last_change END
WHERE name = %(name)s
"""

UNSEEN = """
SELECT r.kind, r.origin_id FROM source_record r JOIN source_state s ON s.name = r.source
WHERE r.source = %s AND r.deleted_at IS NULL AND r.seen_at < s.listing_since
ORDER BY r.kind, r.origin_id
"""

COUNT = """
SELECT (SELECT count(*) FROM source_record WHERE source = s.name AND deleted_at IS NULL), s.held_back
FROM source_state s WHERE s.name = %(name)s
"""

REMEMBER = """
INSERT INTO source_record (source, kind, origin_id, pid, digest, seen_at)
VALUES (%(source)s, %(kind)s, %(id)s, %(pid)s, %(digest)s, clock_timestamp())
ON CONFLICT (source, kind, origin_id) DO UPDATE SET
    pid = excluded.pid, digest = excluded.digest, seen_at = excluded.seen_at, refused = NULL,
    deleted_at = NULL
"""

SUPERSEDE = """
UPDATE source_record r SET digest = NULL
FROM unnest(%(kinds)s::text[], %(pids)s::text[]) AS written(kind, pid)
WHERE r.kind = written.kind AND r.pid = written.pid AND r.source <> %(source)s AND r.digest IS NOT NULL
"""

REFUSE = """
INSERT INTO source_record (source, kind, origin_id, refused, seen_at)
VALUES (%(source)s, %(kind)s, %(id)s, %(why)s, clock_timestamp())
ON CONFLICT (source, kind, origin_id) DO UPDATE SET
    refused = excluded.refused, seen_at = excluded.seen_at, deleted_at = NULL
"""

FORGET = """
UPDATE source_record SET deleted_at = now(), digest = NULL
WHERE source = %(source)s AND kind = %(kind)s AND origin_id = ANY(%(ids)s) AND deleted_at IS NULL
RETURNING pid
"""

HEIRS = """
UPDATE source_record SET digest = NULL
WHERE kind = %(kind)s AND pid = ANY(%(pids)s) AND deleted_at IS NULL
"""

# A dataset's files go with it; a document's datasets stay, as their own records say.
WITHDRAW = {
    kind: f"""
        WITH gone AS (
            UPDATE {kind} t SET deleted_at = now(), updated_at = now()
            WHERE pid = ANY(%(pids)s) AND source = %(source)s AND deleted_at IS NULL AND NOT EXISTS (
                SELECT 1 FROM source_record r
                WHERE r.kind = %(kind)s AND r.pid = t.pid AND r.deleted_at IS NULL)
            RETURNING pid
        )
        SELECT pid FROM gone
    """  # noqa: S608 -- the names of our own tables
    for kind in Kind
}

# A dataset that names its documents is in these and no others; the first decides its embargo.
PLACE = """
WITH given AS (
    SELECT d.id AS dataset, p.id AS document, r.position
    FROM jsonb_to_recordset(%(rows)s::jsonb) AS r(one text, other text, position integer)
    JOIN dataset d ON d.pid = r.one JOIN document p ON p.pid = r.other
), unlinked AS (
    DELETE FROM document_dataset l USING dataset d
    WHERE d.pid = ANY(%(datasets)s) AND l.dataset_id = d.id AND NOT l.by_document
    AND NOT EXISTS (SELECT 1 FROM given g WHERE g.dataset = l.dataset_id AND g.document = l.document_id)
)
UPDATE dataset d SET document_id = place.document, placed_at = now()
FROM (
    SELECT t.id AS dataset, coalesce(
        (SELECT g.document FROM given g WHERE g.dataset = t.id ORDER BY g.position LIMIT 1),
        (SELECT min(l.document_id) FROM document_dataset l WHERE l.dataset_id = t.id AND l.by_document)
    ) AS document
    FROM dataset t WHERE t.pid = ANY(%(datasets)s)
) place
WHERE d.id = place.dataset AND d.document_id IS DISTINCT FROM place.document
RETURNING d.id
"""

# A document that names its datasets has these and no others.
UNGROUP = """
WITH awaited AS (
    DELETE FROM awaited_dataset a USING document p
    WHERE p.pid = ANY(%(documents)s) AND a.document_id = p.id
), unlinked AS (
    DELETE FROM document_dataset l USING document p, dataset d
    WHERE p.pid = ANY(%(documents)s) AND l.document_id = p.id AND d.id = l.dataset_id
    AND l.by_document AND NOT EXISTS (
        SELECT 1 FROM jsonb_to_recordset(%(rows)s::jsonb) AS r(one text, other text)
        WHERE r.one = p.pid AND r.other = d.pid)
    RETURNING l.document_id, l.dataset_id
)
UPDATE dataset d SET placed_at = now(), document_id = (
    -- Another one that it belongs to decides from now on.
    SELECT min(l.document_id) FROM document_dataset l
    WHERE l.dataset_id = d.id AND NOT EXISTS (
        SELECT FROM unlinked x WHERE x.dataset_id = l.dataset_id AND x.document_id = l.document_id)
)
FROM unlinked u WHERE d.id = u.dataset_id AND d.document_id = u.document_id
RETURNING d.id
"""

GROUP = """
WITH linked AS (
    INSERT INTO document_dataset (document_id, dataset_id, by_document)
    SELECT p.id, d.id, true FROM jsonb_to_recordset(%(rows)s::jsonb) AS r(one text, other text)
    JOIN document p ON p.pid = r.one JOIN dataset d ON d.pid = r.other
    ON CONFLICT (document_id, dataset_id) DO UPDATE SET by_document = true
    RETURNING document_id, dataset_id
), first AS (
    SELECT dataset_id, min(document_id) AS document_id FROM linked GROUP BY dataset_id
)
UPDATE dataset d SET document_id = f.document_id, placed_at = now()
FROM first f WHERE d.id = f.dataset_id AND d.document_id IS NULL
RETURNING d.id
"""

# Those that come later are linked then (store).
AWAIT = """
INSERT INTO awaited_dataset (document_id, dataset_pid)
SELECT p.id, r.other FROM jsonb_to_recordset(%(rows)s::jsonb) AS r(one text, other text)
JOIN document p ON p.pid = r.one
WHERE NOT EXISTS (SELECT 1 FROM dataset d WHERE d.pid = r.other)
ON CONFLICT DO NOTHING
"""

# The words of datasets follow to another document, and the people whom their files name.
FOLLOW = """
WITH pending AS (
    INSERT INTO search_pending SELECT id FROM unnest(%(datasets)s::bigint[]) AS moved(id) ORDER BY id
    ON CONFLICT DO NOTHING
), followed AS (
    UPDATE member m SET document_id = d.document_id
    FROM dataset d JOIN member former ON former.dataset_id = d.id
    WHERE d.id = ANY(%(datasets)s) AND m.id = former.id AND m.by_files
    AND m.document_id IS DISTINCT FROM d.document_id
    RETURNING former.document_id AS former, m.document_id AS latter
)
SELECT refresh_search('{}', array_agg(former) || array_agg(latter), '{}', 0) FROM followed
"""
