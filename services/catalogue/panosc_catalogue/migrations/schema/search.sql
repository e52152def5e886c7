-- The words by which records are found. Each kind has a table of its own beside its records: a change of words
-- rewrites no record, and a bulk load fills narrow rows. `refresh_search` keeps them, called once a batch by
-- the writers: a trigger a row would take the records' statements apart.

-- Text without accents, subscripts as digits.
CREATE FUNCTION plain_text(given text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN regexp_replace(normalize(left(given, 20000), NFKD), '[\u0300-\u036f]', '', 'g');

-- The same as both words and queries are cut: hyphens and slashes are gaps, dots stay within numbers.
CREATE FUNCTION searchable(plain text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN regexp_replace(plain, '[^[:alnum:].]+|\.(?![0-9])|(?<![0-9])\.', ' ', 'g');

-- The chemical formulas in a plain text, each as written but without gaps ("Fe2 O3" as Fe2O3), and with its
-- elements sorted (O3Fe2 as fe2o3; a dot as p, so that it stays one word). query.ranking.formula is its twin.
CREATE FUNCTION formulas(plain text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN (
    SELECT string_agg(found[1] || ' ' || (
        SELECT lower(replace(string_agg(part[1], '' ORDER BY part[1] COLLATE "C"), '.', 'p'))
        FROM regexp_matches(found[1], '[A-Z][a-z]?(?:[0-9]+(?:\.[0-9]+)?)?', 'g') AS parts(part)
    ), ' ')
    FROM regexp_matches(
        regexp_replace(
            plain,
            '\m([A-Z][a-z]?[0-9.]+) +(?=[A-Z][a-z]?[0-9.]*\M)|\m([A-Z][a-z]?) +(?=[A-Z][a-z]?[0-9])',
            '\1\2', 'g'),
        '\m((?:[A-Z][a-z]?(?:[0-9]+(?:\.[0-9]+)?)?){2,})\M', 'g') AS matches(found)
    WHERE found[1] ~ '[a-z0-9]'
);

-- In PL/pgSQL, since SQL functions that are not inlined start an executor a call.
CREATE FUNCTION search_words(given text, weight "char") RETURNS tsvector
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
AS $$
DECLARE
    plain text := plain_text(given);
BEGIN
    IF plain IS NULL THEN
        RETURN '';
    END IF;
    IF plain ~ '[A-Z][a-z]?[0-9. ]*[A-Z][a-z]?' THEN
        plain := plain || ' ' || coalesce(formulas(plain), '');
    END IF;
    RETURN setweight(to_tsvector('pg_catalog.english', searchable(plain)), weight);
END
$$;

CREATE TABLE instrument_search (
    id bigint PRIMARY KEY REFERENCES instrument ON DELETE CASCADE,
    words tsvector NOT NULL
);
CREATE TABLE document_search (
    id bigint PRIMARY KEY REFERENCES document ON DELETE CASCADE,
    words tsvector NOT NULL
);
CREATE TABLE dataset_search (
    id bigint PRIMARY KEY REFERENCES dataset ON DELETE CASCADE,
    words tsvector NOT NULL
);
CREATE INDEX ON instrument_search USING gin (words);
CREATE INDEX ON document_search USING gin (words);
-- Each look into a block reads all that waits to be merged into the index, so that is kept short (kB).
CREATE INDEX ON dataset_search USING gin (words) WITH (gin_pending_list_limit = 256);

-- The words in which lists look. What came last is under embargo for years, and passed over where seals hold
-- (visibility.sql): behind the last dataset without one there is none that could be shown.
CREATE FUNCTION searched_dataset(past_sealed boolean) RETURNS TABLE (id bigint, words tsvector)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT s.id, s.words FROM dataset_search s
    WHERE NOT past_sealed OR s.id <= (SELECT d.id FROM dataset d WHERE NOT d.sealed ORDER BY d.id DESC LIMIT 1)
$$;

-- A dataset has its block of neighbours by id among its words, as nobody can write it, so that the index leads
-- to what the newest of them have of a million. Of 8,192 some hundreds have a word that many have, and a word that
-- few have is looked for in some hundred blocks.
CREATE FUNCTION block_of(dataset bigint) RETURNS bigint
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN dataset >> 13;

CREATE FUNCTION block_word(block bigint) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN '@' || block;

-- The blocks in which lists look, from the newest on.
CREATE FUNCTION searched_blocks(past_sealed boolean) RETURNS TABLE (block bigint)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT b FROM generate_series(
        (
            SELECT block_of(d.id) FROM dataset d
            WHERE NOT past_sealed OR NOT d.sealed ORDER BY d.id DESC LIMIT 1
        ), 0, -1
    ) b
$$;

-- A dataset has its techniques among its words, as nobody can write them: words and techniques together are
-- then one look into one index.
CREATE FUNCTION technique_word(technique bigint) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN '#' || technique;

-- Datasets whose document or instrument changed its words since theirs were made.
CREATE TABLE search_pending (dataset_id bigint PRIMARY KEY REFERENCES dataset ON DELETE CASCADE);

-- Bring the words of these records up to date, and of `pending_limit` datasets at most that wait for it: so that
-- the rename of an instrument with a million datasets holds up no batch. Returns how many were taken from these.
CREATE FUNCTION refresh_search(
    datasets bigint[], documents bigint[], instruments bigint[], pending_limit integer
) RETURNS integer
LANGUAGE plpgsql
AS $$
DECLARE
    changed_instruments bigint[];
    changed_documents bigint[];
    taken bigint[];
BEGIN
    -- Words are made of what is known when they are made. Whoever changes the same ones at this time is waited for
    -- before that: in one statement, their newer words would be overwritten by older ones.
    PERFORM FROM instrument_search WHERE id = ANY(instruments) ORDER BY id FOR UPDATE;
    WITH fresh AS (
        INSERT INTO instrument_search AS s (id, words)
        SELECT i.id, search_words(i.name, 'A') || search_words(i.facility, 'B')
            || search_words('instrument ' || i.pid, 'D')
        FROM instrument i WHERE i.id = ANY(instruments) ORDER BY i.id
        ON CONFLICT (id) DO UPDATE SET words = excluded.words WHERE s.words <> excluded.words
        RETURNING s.id
    )
    SELECT coalesce(array_agg(id), '{}') FROM fresh INTO changed_instruments;

    PERFORM FROM document_search WHERE id = ANY(documents) ORDER BY id FOR UPDATE;
    WITH fresh AS (
        INSERT INTO document_search AS s (id, words)
        SELECT p.id, search_words(p.title, 'A')
            || search_words(concat_ws(' ', array_to_string(p.keywords, ' '), people.names), 'B')
            || search_words(p.summary, 'C')
            || search_words(concat_ws(' ', p.type, p.pid, p.doi), 'D')
        FROM document p
        LEFT JOIN LATERAL (
            SELECT string_agg(DISTINCT n.full_name, ' ') AS names
            FROM member m JOIN person n ON n.id = m.person_id WHERE m.document_id = p.id
        ) people ON true
        WHERE p.id = ANY(documents) ORDER BY p.id
        ON CONFLICT (id) DO UPDATE SET words = excluded.words WHERE s.words <> excluded.words
        RETURNING s.id
    )
    SELECT coalesce(array_agg(id), '{}') FROM fresh INTO changed_documents;

    INSERT INTO search_pending
    SELECT d.id FROM dataset d
    WHERE (d.document_id = ANY(changed_documents) OR d.instrument_id = ANY(changed_instruments))
    AND d.id <> ALL(datasets) AND EXISTS (SELECT 1 FROM dataset_search s WHERE s.id = d.id)
    ON CONFLICT DO NOTHING;

    WITH picked AS (
        DELETE FROM search_pending WHERE dataset_id IN (
            SELECT dataset_id FROM search_pending LIMIT pending_limit FOR UPDATE SKIP LOCKED
        ) RETURNING dataset_id
    )
    SELECT coalesce(array_agg(dataset_id), '{}') FROM picked INTO taken;

    -- In the order of their ids, so that two writers never wait for each other in a circle.
    PERFORM FROM dataset_search WHERE id = ANY(datasets || taken) ORDER BY id FOR UPDATE;
    INSERT INTO dataset_search AS s (id, words)
    SELECT d.id, search_words(d.title, 'A')
        || setweight(coalesce(i.words, ''), 'B') || search_words(tags.names, 'B')
        || setweight(ts_filter(coalesce(p.words, ''), '{a,b}'), 'C')
        || search_words(concat_ws(' ', array_to_string(d.keywords, ' '), people.names), 'C')
        || search_words(concat_ws(' ', said.texts, d.pid, d.doi), 'D')
        || array_to_tsvector(ARRAY(
            SELECT technique_word(l.technique_id) FROM dataset_technique l WHERE l.dataset_id = d.id
            UNION ALL SELECT block_word(block_of(d.id))
        ))
    FROM dataset d
    LEFT JOIN instrument_search i ON i.id = d.instrument_id
    LEFT JOIN document_search p ON p.id = d.document_id
    LEFT JOIN LATERAL (
        SELECT string_agg(DISTINCT n.full_name, ' ') AS names
        FROM member m JOIN person n ON n.id = m.person_id
        WHERE m.dataset_id = d.id AND m.document_id IS NULL
        -- Only where they are shown (datacite.reading): who is shown nowhere must not be found either.
        AND (m.by_files OR NOT EXISTS (
            SELECT FROM member o WHERE o.dataset_id = d.id AND o.by_files AND o.person_id IS NOT NULL
        ) AND NOT EXISTS (
            SELECT FROM member o
            WHERE o.document_id = d.document_id AND o.dataset_id IS NULL AND o.person_id IS NOT NULL
        ))
    ) people ON true
    LEFT JOIN LATERAL (
        SELECT string_agg(tag.names, ' ' ORDER BY tag.names) AS names FROM (
            SELECT t.name FROM dataset_technique l JOIN technique t ON t.id = l.technique_id
            WHERE l.dataset_id = d.id
            UNION ALL
            SELECT concat_ws(' ', a.name, a.description) FROM dataset_sample l JOIN sample a ON a.id = l.sample_id
            WHERE l.dataset_id = d.id
        ) tag(names)
    ) tags ON true
    LEFT JOIN LATERAL (
        -- Words that a person may look for: no numbers, no times.
        SELECT string_agg(v.text_value, ' ' ORDER BY v.position, v.id) AS texts FROM parameter v
        WHERE v.dataset_id = d.id AND v.number_value IS NULL AND length(v.text_value) <= 200
        AND v.text_value !~ '^[0-9]{4}-[0-9]{2}'
    ) said ON true
    WHERE d.id = ANY(datasets || taken) ORDER BY d.id
    ON CONFLICT (id) DO UPDATE SET words = excluded.words WHERE s.words <> excluded.words;

    RETURN cardinality(taken);
END
$$;
