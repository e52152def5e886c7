"""A catalogue of any size: datasets with files, parameters, techniques, samples and words, always the same.

Made by PostgreSQL itself, a few statements for all rows: a million datasets take hours by way of records.
`python -m bench.population <database URL> <datasets>`, with `tests` on PYTHONPATH, fills a database that
`panosc-catalogue migrate` has made.
"""

import sys
from collections.abc import Callable

import psycopg
from panosc_common.panet import IRI, LATEST, ontology
from panosc_common.units import parse_unit

TECHNIQUES = [
    *("SAXS", "XAS", "SANS", "XRD", "XRF", "x-ray tomography", "GISAXS", "XPCS", "EXAFS", "ptychography"),
    *("neutron powder diffraction", "neutron reflectometry", "RIXS", "XANES", "WAXS", "ARPES", "XPS"),
    *("macromolecular crystallography", "inelastic neutron spectroscopy", "STXM"),
]
"""What the datasets are tagged with, each with a second one now and then."""
MATERIALS = [
    *("perovskite", "haematite", "silica", "lysozyme", "graphene", "bentonite", "nickelate", "polystyrene"),
    *("cuprate", "ferritin", "titania", "zeolite", "magnetite", "sapphire", "olivine", "kaolinite"),
    *("wüstite", "vanadate", "manganite", "cellulose", "collagen", "basalt", "gallium arsenide", "MAX phase"),
    *("Fe2O3", "LaNiO3", "SrTiO3", "CeO2", "LiFePO4"),
]
INSTRUMENTS = 40
EACH_PROPOSAL = 10
"""Datasets of a proposal."""

# Nine in ten proposals are past a three years' embargo; the newest are not.
_STATEMENTS = """
INSERT INTO instrument (pid, name, facility)
SELECT 'bench/i' || n, 'BM' || to_char(n, 'FM00'), 'Bench' FROM generate_series(0, {instruments} - 1) n;

INSERT INTO sample (pid, name, description)
SELECT 'bench/s' || n, {material}, 'powder of grade ' || n FROM generate_series(0, 999) n;

INSERT INTO document (pid, type, title, summary, start_date, end_date, keywords, source)
SELECT 'bench/p' || n, 'proposal', 'Order and disorder in ' || {material} || ', part ' || n / 29,
    'We study how ' || {material} || ' changes under load.', ended - interval '3 days', ended,
    ARRAY[{material}], 'bench'
FROM (
    SELECT n, timestamptz '2010-01-01Z' + n * (interval '17 years') / {proposals} AS ended
    FROM generate_series(0, {proposals} - 1) n
) p;

INSERT INTO dataset (
    pid, title, creation_date, end_date, size, instrument_id, document_id, source, technique_ids
)
SELECT 'bench/' || n, {material} || ' at ' || 4 + n % 300 || ' K, run ' || n,
    p.start_date + n % {each} * interval '1 hour',
    p.start_date + n % {each} * interval '1 hour' + interval '30 min',
    n::bigint * 1000, 1 + n / {each} % {instruments}, p.id, 'bench',
    ARRAY(
        SELECT 1 + (n + 1) * 7919::bigint % {techniques}
        UNION SELECT 1 + (n + 1) * 104729::bigint % {techniques} WHERE (n + 1) % 5 = 0 ORDER BY 1
    )
FROM generate_series(0, {datasets} - 1) n JOIN document p ON p.id = 1 + n / {each};

INSERT INTO document_dataset (document_id, dataset_id) SELECT document_id, id FROM dataset;

INSERT INTO file (dataset_id, archive, path, name, size)
SELECT d.id, 'bench', d.pid || '/' || f || '.h5', 'run_' || d.id || '_' || f || '.h5', 1000 * f
FROM dataset d, generate_series(1, 3) f;

INSERT INTO dataset_technique (dataset_id, technique_id) SELECT id, unnest(technique_ids) FROM dataset;

INSERT INTO dataset_sample (dataset_id, sample_id) SELECT id, 1 + id % 1000 FROM dataset;

INSERT INTO parameter (dataset_id, position, name, number_value, text_value, unit,
    si_value, si_dimension)
SELECT d.id, v.position, v.name, v.value, v.text, v.unit, v.value * v.scale, v.dimension
FROM dataset d, LATERAL (VALUES
    (0, 'photon_energy', 5000 + (d.id * 6151) % 20000, NULL, 'eV', {eV}, '{energy}'),
    (1, 'temperature', 4 + (d.id * 389) % 296, NULL, 'K', 1, 'K'),
    (2, 'exposure_time', (1 + (d.id * 31) % 1000) * 0.001, NULL, 's', 1, 's'),
    (3, 'sample_state', NULL, (ARRAY['solid', 'liquid', 'powder', 'gas'])[1 + d.id % 4], NULL, NULL, NULL)
) v(position, name, value, text, unit, scale, dimension);

INSERT INTO parameter_dimension (name, si_dimension, unit)
VALUES ('photon_energy', '{energy}', 'eV'), ('temperature', 'K', 'K'), ('exposure_time', 's', 's');
"""
# Those that no constraint needs are quicker made of all rows at once.
_INDEXES = """
SELECT i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid)
FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid
WHERE t.relnamespace = 'public'::regnamespace AND NOT i.indisunique
"""
_WORDS = "SELECT refresh_search(ARRAY(SELECT generate_series(%s::bigint, %s)), %s, %s, 0)"
_BATCH = 20_000


def _quietly(step: str) -> None:
    return None


def populate(url: str, datasets: int, tell: Callable[[str], None] = _quietly) -> None:
    """Fill the migrated, empty database at `url`; `datasets` is a multiple of 10.

    `tell` is told what comes next.
    """
    if datasets < EACH_PROPOSAL or datasets % EACH_PROPOSAL:
        raise SystemExit(f"{datasets} datasets: give a multiple of {EACH_PROPOSAL}, that of a proposal")
    release, energy = ontology(LATEST), parse_unit("eV")
    assert energy
    terms = [release.resolve(name) for name in TECHNIQUES]
    materials = ", ".join(f"'{name}'" for name in MATERIALS)
    proposals = datasets // EACH_PROPOSAL
    statements = _STATEMENTS.format(
        material=f"(ARRAY[{materials}])[1 + n % {len(MATERIALS)}]",
        instruments=INSTRUMENTS,
        proposals=proposals,
        datasets=datasets,
        each=EACH_PROPOSAL,
        techniques=len(TECHNIQUES),
        eV=energy.scale,
        energy=energy.dimension,
    )
    with psycopg.connect(url, autocommit=True) as connection:
        connection.cursor().executemany(
            "INSERT INTO technique (pid, name, panet_id, panet_key) VALUES (%s, %s, %s, %s)",
            [(IRI + str(term), release.terms[str(term)].label, IRI + str(term), term) for term in terms],
        )
        # The rows refer to each other by construction; checking each of them would take most of the time.
        connection.execute("SET session_replication_role = replica")
        connection.execute("SET maintenance_work_mem = '512MB'")
        indexes = connection.execute(_INDEXES).fetchall()
        for name, _ in indexes:
            connection.execute(f"DROP INDEX {name}")
        for statement in [*statements.split(";\n"), *(definition for _, definition in indexes)]:
            if statement.strip():
                tell(" ".join(statement.split())[:72])
                connection.execute(statement)
        connection.execute(_WORDS, (1, 0, list(range(1, proposals + 1)), list(range(1, INSTRUMENTS + 1))))
        for first in range(1, datasets + 1, _BATCH):
            tell(f"words of datasets from {first:,} on")
            connection.execute(_WORDS, (first, min(first + _BATCH - 1, datasets), [], []))
        connection.execute("VACUUM ANALYZE")


if __name__ == "__main__":
    populate(sys.argv[1], int(sys.argv[2]), tell=print)
