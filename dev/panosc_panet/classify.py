"""Which class is below which: the completion rules of the description logic EL.

F. Baader, S. Brandt, C. Lutz, "Pushing the EL envelope", IJCAI 2005. PaNET says of most techniques only what
defines them, so that the hierarchy has to be inferred: `small angle x-ray scattering` is whatever is both
`small angle scattering` and `x-ray probe`; a technique with a probe that is some x-ray has a probe that is
some photon, since x-rays are photons.
"""

from collections.abc import Mapping

from panosc_panet.template import Atom, Entity


def classify(entities: Mapping[str, Entity]) -> dict[str, set[str]]:
    """All superclasses of each class, itself included."""
    known: dict[str, set[Atom]] = {name: {name} for name in entities}
    changed = True
    while changed:
        changed = False
        for atoms in known.values():
            before = len(atoms)
            for atom in list(atoms):
                atoms |= _implied(atom, entities, known)
            atoms |= {
                defined
                for defined, entity in entities.items()
                if entity.definition and atoms.issuperset(entity.definition)
            }
            changed |= len(atoms) > before
    return {name: {atom for atom in atoms if isinstance(atom, str)} for name, atoms in known.items()}


def parents(above: Mapping[str, set[str]]) -> dict[str, list[str]]:
    """The nearest superclasses of each class; classes that are equivalent are each other's."""
    nearest = {}
    for name, superclasses in above.items():
        equal = {other for other in superclasses if name in above[other]} - {name}
        higher = superclasses - equal - {name}
        skipped = {
            other for other in higher if any(other in above[b] and b not in above[other] for b in higher)
        }
        nearest[name] = sorted(equal | (higher - skipped))
    return nearest


def _implied(atom: Atom, entities: Mapping[str, Entity], known: Mapping[str, set[Atom]]) -> set[Atom]:
    if isinstance(atom, str):
        entity = entities[atom]
        return known[atom] | set(entity.superclasses) | set(entity.definition)
    relation, filler = atom
    implied: set[Atom] = {(relation, other) for other in known[filler] if isinstance(other, str)}
    if superproperty := entities[relation].superproperty:
        implied.add((superproperty, filler))
    if domain := entities[relation].domain:
        implied.add(domain)
    return implied
