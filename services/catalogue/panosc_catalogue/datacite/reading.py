"""Descriptions from the database: each page of them is one statement, whatever belongs to its records."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from panosc_common import doi

from panosc_catalogue.datacite.description import (
    MAX_PARTS,
    Description,
    Files,
    Funding,
    Instrument,
    Kind,
    Organisation,
    Person,
    Related,
    Sample,
    Technique,
)
from panosc_catalogue.query.model import CLOCK, MONTHS, VIEWER, VISIBLE_DOCUMENTS
from panosc_catalogue.site import Site

_DATASETS = f"visible_dataset({MONTHS}, {CLOCK}, false, {VIEWER})"
_ORCID = re.compile(r"(\d{4})-?(\d{4})-?(\d{4})-?(\d{3}[\dXx])\b")
_ROR = re.compile(r"\b0[a-hj-km-np-tv-z0-9]{6}\d{2}\b")


def _utc(expression: str) -> str:
    """The instant as text that does not depend on the session's time zone."""
    return f"({expression}) AT TIME ZONE 'UTC'"


def _year(released: str, started: str, recorded: str) -> str:
    """Year of publication: in which the data become public, else of the measurement or of its record."""
    dates = f"coalesce({released}, v.end_date, {started}, {recorded})"
    return f"extract(year FROM {dates} AT TIME ZONE 'UTC')::integer"


PEOPLE = """(
        SELECT jsonb_agg(jsonb_build_object(
            'id', p.id, 'name', p.full_name, 'given', p.first_name, 'family', p.last_name, 'orcid', p.orcid,
            'role', m.role, 'affiliation', a.name, 'affiliation_key', a.key, 'country', a.country
        ) ORDER BY m.position, m.id)
        FROM {members} m JOIN person p ON p.id = m.person_id
        LEFT JOIN affiliation a ON a.id = m.affiliation_id
    )"""
"""The persons of `{members}`, part by part; null if there are none."""

# As visible_member, and of withdrawn documents too.
_OF_DOCUMENT = """(
    SELECT min(id) AS id, min(position) AS position, person_id, affiliation_id, role FROM member
    WHERE document_id = v.id GROUP BY person_id, affiliation_id, role
)"""
_OF_DATASET = "(SELECT * FROM member WHERE dataset_id = v.id AND {})"
_TECHNIQUE = "jsonb_build_object('name', t.name, 'pid', t.pid, 'panet', t.panet_key)"
_INSTRUMENT = "jsonb_build_object('name', i.name, 'pid', i.pid)"
# Datasets that the source opened before their time have a release date that says nothing.
_RELEASED = f"CASE WHEN v.release_date <= {CLOCK} OR NOT v.is_public THEN v.release_date END"

DATASET = f"""
    SELECT v.id, jsonb_build_object(
        'pid', v.pid, 'doi', d.doi, 'type', 'dataset', 'title', v.title, 'public', v.is_public,
        'access', CASE
            WHEN v.is_public THEN 'open' WHEN v.release_date > {CLOCK} THEN 'embargoed' ELSE 'restricted'
        END,
        'start', {_utc("v.creation_date")}, 'end', {_utc("v.end_date")},
        'available', {_utc(_RELEASED)}, 'year', {_year(_RELEASED, "v.creation_date", "d.placed_at")},
        'withdrawn', {_utc("d.deleted_at")},
        'license', v.license, 'keywords', o.keywords || d.keywords,
        'funding', (SELECT p.funding FROM document p WHERE p.id = o.id),
        'summary', o.summary,
        'people', coalesce(
            {PEOPLE.format(members=_OF_DATASET.format("by_files"))},
            {PEOPLE.format(members="(SELECT * FROM member WHERE document_id = o.id AND dataset_id IS NULL)")},
            {PEOPLE.format(members=_OF_DATASET.format("NOT by_files"))}
        ),
        'instruments', (
            SELECT jsonb_agg({_INSTRUMENT}) FROM visible_instrument i WHERE i.id = v.instrument_id
        ),
        'techniques', (
            SELECT jsonb_agg({_TECHNIQUE} ORDER BY t.pid)
            FROM dataset_technique l JOIN technique t ON t.id = l.technique_id WHERE l.dataset_id = v.id
        ),
        'samples', (
            SELECT jsonb_agg(jsonb_build_object('name', s.name, 'description', s.description) ORDER BY s.pid)
            FROM dataset_sample l JOIN sample s ON s.id = l.sample_id WHERE l.dataset_id = v.id
        ),
        'files', (SELECT count(*) FROM visible_file f WHERE f.dataset_id = v.id), 'bytes', v.size,
        'documents', (
            SELECT jsonb_agg(
                jsonb_build_object('pid', r.pid, 'doi', r.doi, 'title', r.title, 'type', r.type)
                ORDER BY r.id <> v.document_id, r.pid
            )
            FROM document_dataset l JOIN {VISIBLE_DOCUMENTS} r ON r.id = l.document_id
            WHERE l.dataset_id = v.id
        )
    ) AS record
    FROM {{rows}} v JOIN dataset d ON d.id = v.id LEFT JOIN {VISIBLE_DOCUMENTS} o ON o.id = v.document_id
"""  # noqa: S608
"""Row id and content of datasets; `{rows}` is where they are from: as visible_dataset() gives them."""

DOCUMENT = f"""
    SELECT v.id, jsonb_build_object(
        'pid', v.pid, 'doi', v.doi, 'type', v.type, 'title', v.title, 'summary', v.summary,
        'public', v.is_public,
        'access', CASE
            WHEN NOT v.is_public THEN 'restricted'
            WHEN v.release_date <= {CLOCK} THEN 'open' WHEN v.release_date > {CLOCK} THEN 'embargoed'
            WHEN parts.total > 0 THEN 'open' ELSE 'restricted'
        END,
        'start', {_utc("v.start_date")}, 'end', {_utc("v.end_date")},
        'available', CASE WHEN v.is_public THEN {_utc("v.release_date")} END,
        'year', {_year("v.release_date", "v.start_date", "d.updated_at")},
        'withdrawn', {_utc("d.deleted_at")}, 'license', v.license, 'keywords', v.keywords,
        'funding', d.funding,
        'people', {PEOPLE.format(members=_OF_DOCUMENT)},
        'instruments', (
            SELECT jsonb_agg({_INSTRUMENT} ORDER BY i.pid) FROM visible_instrument i
            WHERE i.id = ANY(parts.instruments)
        ),
        'techniques', (
            SELECT jsonb_agg({_TECHNIQUE} ORDER BY t.pid) FROM technique t WHERE t.id IN (
                SELECT l.technique_id FROM dataset_technique l WHERE l.dataset_id = ANY(parts.ids)
            )
        ),
        'files', parts.files, 'bytes', parts.bytes, 'dataset_count', parts.total,
        'datasets', (
            SELECT jsonb_agg(jsonb_build_object('pid', s.pid, 'doi', s.doi, 'title', s.title) ORDER BY s.pid)
            FROM dataset s WHERE s.id = ANY(parts.ids[:{MAX_PARTS}])
        )
    ) AS record
    FROM {{rows}} v JOIN document d ON d.id = v.id CROSS JOIN LATERAL (
        SELECT count(*) AS total, sum(s.size) AS bytes, array_agg(s.id ORDER BY s.pid) AS ids,
            array_agg(DISTINCT s.instrument_id) AS instruments,
            sum((SELECT count(*) FROM visible_file f WHERE f.dataset_id = s.id)) AS files
        FROM document_dataset l JOIN {_DATASETS} s ON s.id = l.dataset_id WHERE l.document_id = v.id
    ) parts
"""  # noqa: S608
"""Row id and content of documents; `{rows}` is where they are from: as visible_document() gives them."""

# Once public, a record that its source has no more is still cited: what was known of it stays.
# A DOI does not tell that it was public: facilities name datasets that are under embargo, too.
# Their licences and dates are said as visible_dataset and visible_document say them of what is there.
_WITHDRAWN_DATASETS = f"""(
    SELECT d.id, d.pid, true AS is_public, d.title, d.creation_date, d.end_date, d.size, d.instrument_id,
        d.document_id,
        coalesce(d.license_decided, p.license_decided, d.license, p.license) AS license,
        release_instant(
            p.release_date,
            coalesce(p.end_date, p.measured_end, d.end_date, d.creation_date),
            {MONTHS},
            p.extended_until,
            least(p.released_at, d.released_at)
        ) AS release_date
    FROM dataset d LEFT JOIN document p ON p.id = d.document_id
    WHERE d.deleted_at IS NOT NULL AND was_exposed('datasets', d.id)
    AND dataset_is_open(d, p, {MONTHS}, {CLOCK})
)"""  # noqa: S608
_WITHDRAWN_DOCUMENTS = f"""(
    SELECT p.id, p.pid, true AS is_public, p.type, p.title, p.summary, p.doi, p.keywords,
        coalesce(p.start_date, p.measured_start) AS start_date,
        coalesce(p.end_date, p.measured_end) AS end_date,
        coalesce(p.license_decided, p.license) AS license,
        release_instant(
            p.release_date, coalesce(p.end_date, p.measured_end), {MONTHS}, p.extended_until, p.released_at
        ) AS release_date
    FROM document p
    WHERE p.deleted_at IS NOT NULL AND NOT coalesce(p.proprietary_decided, p.proprietary)
    AND (p.doi IS NOT NULL OR was_exposed('documents', p.id))
)"""  # noqa: S608

_LIVE: dict[Kind, str] = {
    "datasets": DATASET.format(rows=_DATASETS),
    "documents": DOCUMENT.format(rows=VISIBLE_DOCUMENTS),
}
_WITHDRAWN: dict[Kind, str] = {
    "datasets": DATASET.format(rows=_WITHDRAWN_DATASETS),
    "documents": DOCUMENT.format(rows=_WITHDRAWN_DOCUMENTS),
}


# Records that have this DOI, or had this name of ours.
_BEARERS = " UNION ALL ".join(
    f"""
    SELECT '{kind}' AS kind, d.pid, EXISTS (SELECT FROM {live} v WHERE v.id = d.id) AS live,
        EXISTS (SELECT FROM {withdrawn} w WHERE w.id = d.id) AS withdrawn,
        was_exposed('{kind}', d.id) AS exposed
    FROM {table} d WHERE lower(d.doi) = %(doi)s
    OR d.id = (SELECT n.record FROM doi_name n WHERE n.doi = %(doi)s AND n.kind = '{kind}')
    """  # noqa: S608
    for kind, table, live, withdrawn in (
        ("documents", "document", VISIBLE_DOCUMENTS, _WITHDRAWN_DOCUMENTS),
        ("datasets", "dataset", _DATASETS, _WITHDRAWN_DATASETS),
    )
)
_BY_DOI = f"""
SELECT kind, pid FROM ({_BEARERS}) bearer WHERE live OR withdrawn OR exposed
ORDER BY live DESC, withdrawn DESC, kind DESC LIMIT 1
"""  # noqa: S608


async def find(site: Site, kind: Kind, pid: str) -> Description | None:
    """The record with this pid, public now or withdrawn since; None if it is neither.

    Raises Problem: 503 while the database does not answer.
    """
    for sql in (_LIVE[kind], _WITHDRAWN[kind]):
        if rows := await site.rows(f'{sql} WHERE d.pid COLLATE "C" = %(pid)s', {"pid": pid}):
            return _description(site, kind, rows[0][1])
    return None


async def address_of(site: Site, written: str) -> str | None:
    """Address of the page about the record that has this DOI, or ever had this name of ours.

    None where there is no such record, or it was never public; otherwise as `find`.
    """
    rows = await site.rows(_BY_DOI, {"doi": doi.key(written)})
    return site.config.landing_url(*rows[0]) if rows else None


async def was_public(site: Site, kind: Kind, pid: str) -> bool:
    """Whether the record with this pid was ever shown; otherwise as `find`."""
    sql = "SELECT FROM oai_record WHERE kind = %(kind)s AND pid = %(pid)s AND state <> 'hidden'"
    return bool(await site.rows(sql, {"kind": kind, "pid": pid}))


async def by_row(site: Site, kind: Kind, ids: Sequence[int]) -> dict[int, Description]:
    """Those of the rows that are public now, by row id; otherwise as `find`."""
    rows = await site.rows(f"{_LIVE[kind]} WHERE d.id = ANY(%(ids)s)", {"ids": list(ids)})
    return {row: _description(site, kind, record) for row, record in rows}


def _description(site: Site, kind: Kind, record: dict[str, Any]) -> Description:
    facility = site.config.facility
    return Description(
        kind=kind,
        pid=record["pid"],
        doi=record["doi"],
        url=site.config.landing_url(kind, record["pid"]),
        state="withdrawn" if record["withdrawn"] else "live",
        access=record["access"],
        type=_type(record["type"]),
        title=record["title"],
        summary=record["summary"],
        people=_persons(record["people"] or []),
        facility=Organisation(facility.display_name, _ror(facility.ror), facility.country),
        instruments=tuple(Instrument(**one) for one in record["instruments"] or ()),
        techniques=tuple(Technique(**one) for one in record["techniques"] or ()),
        samples=tuple(Sample(**one) for one in record.get("samples") or ()),
        keywords=tuple(dict.fromkeys(record["keywords"] or ())),
        funding=tuple(map(_funding, record["funding"] or ())),
        start=_instant(record["start"]),
        end=_instant(record["end"]),
        available=_instant(record["available"]),
        publication_year=record["year"],
        withdrawn=_instant(record["withdrawn"]),
        license=record["license"] or site.policy.current().license,
        files=Files(record["files"] or 0, record["bytes"]),
        documents=_related(site, "documents", record.get("documents") or []),
        datasets=_related(site, "datasets", record.get("datasets") or []),
        dataset_count=record.get("dataset_count", 0),
        is_public=record["public"],
    )


def _persons(members: list[dict[str, Any]]) -> tuple[Person, ...]:
    """Each person once, in the order of their first part, with all their parts and affiliations."""
    persons: dict[int, list[dict[str, Any]]] = {}
    for member in members:
        persons.setdefault(member["id"], []).append(member)
    return tuple(
        Person(
            name=parts[0]["name"],
            given=parts[0]["given"],
            family=parts[0]["family"],
            orcid=_orcid(parts[0]["orcid"]),
            affiliations=tuple(
                dict.fromkeys(
                    Organisation(part["affiliation"], _ror(part["affiliation_key"]), part["country"])
                    for part in parts
                    if part["affiliation"]
                )
            ),
            roles=tuple(dict.fromkeys(part["role"] for part in parts if part["role"])),
        )
        for parts in persons.values()
        if parts[0]["name"].strip()
    )


def _funding(given: dict[str, str | None]) -> Funding:
    funder = Organisation(given["funder"] or "", _ror(given["ror"]))
    return Funding(funder, given["award_number"], given["award_title"])


def _related(site: Site, kind: Kind, records: list[dict[str, Any]]) -> tuple[Related, ...]:
    return tuple(
        Related(
            kind=kind,
            pid=record["pid"],
            doi=record["doi"],
            title=record["title"],
            type=_type(record.get("type", "dataset")),
            url=site.config.landing_url(kind, record["pid"]),
        )
        for record in records
    )


def _instant(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text).replace(tzinfo=UTC) if text else None


def _orcid(text: str | None) -> str | None:
    found = _ORCID.search(text or "")
    return f"https://orcid.org/{'-'.join(found.groups()).upper()}" if found else None


def _ror(text: str | None) -> str | None:
    found = _ROR.search(text or "")
    return f"https://ror.org/{found[0]}" if found else None


def _type(said: str) -> str:
    """In words for people: the record has `unknown` where its source says nothing."""
    return "experimental data" if said == "unknown" else said
