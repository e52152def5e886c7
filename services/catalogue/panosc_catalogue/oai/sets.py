"""The sets: openaire_data, one per kind of record, per instrument and per technique.

A record is in the set of its technique and in those of all terms above it, as the catalogue's release of
PaNET has them. Only the first is stored; the others are found when they are asked for.
"""

from collections.abc import Iterable

from panosc_common.panet import Ontology

from panosc_catalogue.site import Site

_FIXED = {
    "openaire_data": "OpenAIRE: all data of the facility",
    "documents": "Proposals, sessions and publications",
    "datasets": "Datasets",
    "instrument": "Records by instrument",
    "technique": "Records by experimental technique, a term of the PaNET ontology",
}
_TECHNIQUE = "technique:"
# Only sets with a record, and no names of techniques but the ontology's: those of sources tell of data that
# may be under embargo.
_STORED = """
    SELECT name, min(title) FROM (
        SELECT 'instrument:' || oai_set_name(pid) AS name, name AS title FROM visible_instrument
        UNION ALL SELECT 'technique:' || panet_key, panet_key FROM technique
    ) AS named
    WHERE EXISTS (SELECT FROM oai_record o WHERE o.state <> 'hidden' AND o.sets @> ARRAY[named.name])
    GROUP BY name ORDER BY name
"""


async def sets(site: Site) -> dict[str, str]:
    """All sets: what people call them, by setSpec."""
    stored = dict(await site.rows(_STORED, {}))
    terms = site.panet.terms
    above = {
        name: terms[code].label
        for name in with_terms_above(site.panet, stored)
        if (code := name.removeprefix(_TECHNIQUE)) in terms
    }
    return _FIXED | dict(sorted((stored | above).items()))


def with_terms_above(release: Ontology, names: Iterable[str]) -> tuple[str, ...]:
    """The sets of a record with those of the terms above its techniques, in order."""
    found = set(names)
    for name in list(found):
        if name.startswith(_TECHNIQUE):
            found |= {_TECHNIQUE + term for term in release.ancestors(name.removeprefix(_TECHNIQUE))}
    return tuple(sorted(found))


def with_terms_below(release: Ontology, name: str) -> list[str]:
    """The sets whose records are in this one."""
    if not name.startswith(_TECHNIQUE):
        return [name]
    return [_TECHNIQUE + term for term in sorted(release.descendants(name.removeprefix(_TECHNIQUE)))]
