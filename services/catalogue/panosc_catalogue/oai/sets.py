"""The sets: openaire_data, one per kind of record, per instrument and per technique."""

from panosc_catalogue.web.site import Site

_FIXED = {
    "openaire_data": "OpenAIRE: all data of the facility",
    "documents": "Proposals, sessions and publications",
    "datasets": "Datasets",
    "instrument": "Records by instrument",
    "technique": "Records by experimental technique, a term of the PaNET ontology",
}
# Only sets with a record: the name of a technique tells of data that may be under embargo.
_NAMED = """
    SELECT name, min(title) FROM (
        SELECT 'instrument:' || oai_set_name(pid) AS name, name AS title FROM visible_instrument
        UNION ALL
        SELECT 'technique:' || substring(concat(panet_id, ' ', pid) FROM 'PaNET\\d+'), name FROM technique
    ) AS named
    WHERE EXISTS (SELECT FROM oai_record o WHERE o.state <> 'hidden' AND o.sets @> ARRAY[named.name])
    GROUP BY name ORDER BY name
"""


async def sets(site: Site) -> dict[str, str]:
    """All sets: what people call them, by setSpec."""
    return {**_FIXED, **dict(await site.rows(_NAMED, {}))}
