"""PaNET, the ontology of photon and neutron techniques: which term is meant, and what is below it.

Terms go by their local name, `PaNET01188`: their IRIs move and are abbreviated in several ways, the local
name stays. The tables beside this module are made by `python -m panosc_panet` of the ontology's releases
(CC-BY-4.0, https://doi.org/10.1107/S1600577525005272); their parents are the inferred ones.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import resources
from types import MappingProxyType
from typing import Any, Literal, get_args

Version = Literal["1.2.0", "1.3.0"]
VERSIONS: tuple[Version, ...] = get_args(Version)
"""The releases that are bundled, oldest first."""
LATEST = VERSIONS[-1]
IRI = "http://purl.org/pan-science/PaNET/"
"""What the IRIs of the releases begin with."""

_LOCAL_NAME = re.compile(r"PaNET[:_]?(\d{5})(?!\d)", re.IGNORECASE)
_ESRFET = re.compile(r"ESRFET(?:/v[\d.]+/?)?[#:](\S+)", re.IGNORECASE)


@dataclass(frozen=True)
class Term:
    """A technique: its label, other names, and the local names of the terms right above it."""

    label: str
    synonyms: tuple[str, ...]
    parents: tuple[str, ...]


class Ontology:
    """One release; `ontology` gives it."""

    def __init__(self, version: str) -> None:
        table = _table(version)
        self.version = version
        self.terms: Mapping[str, Term] = MappingProxyType(
            {
                name: Term(term["label"], tuple(term["synonyms"]), tuple(term["parents"]))
                for name, term in table["terms"].items()
            }
        )

    def descendants(self, name: str) -> frozenset[str]:
        """The term and all that are below it; of a term that this release lacks only itself."""
        found, open_terms = {name}, [name]
        while open_terms:
            fresh = self._children.get(open_terms.pop(), set()) - found
            found |= fresh
            open_terms.extend(fresh)
        return frozenset(found)

    def ancestors(self, name: str) -> frozenset[str]:
        """The term and all that are above it; of a term that this release lacks only itself."""
        found, open_terms = {name}, [name]
        while open_terms:
            term = self.terms.get(open_terms.pop())
            fresh = set(term.parents) - found if term else set()
            found |= fresh
            open_terms.extend(fresh)
        return frozenset(found)

    def resolve(self, text: str) -> str | None:
        """The local name of the term that `text` means; None if it means none.

        Understood are IRIs (purl, w3id, ESRFET's), CURIEs, local names, labels, synonyms and the labels of
        other releases, in any case and with any dashes.
        """
        text = text.strip()
        if " " not in text and (match := _LOCAL_NAME.search(text)):
            return f"PaNET{match[1]}"
        if match := _ESRFET.search(text):
            return _esrfet().get(_folded(match[1]))
        return self.names.get(_folded(text))

    @cached_property
    def names(self) -> Mapping[str, str]:
        """Local names by every name that a term has or had, folded; this release has the first word."""
        names: dict[str, str] = {}
        for version in (self.version, *(other for other in reversed(VERSIONS) if other != self.version)):
            for name, own in _names(ontology(version)):
                names.setdefault(_folded(own), name)
        for code, name in _esrfet().items():
            names.setdefault(code, name)
        # Later releases add the word to labels, "x-ray probe technique", and drop it from others.
        for folded, name in list(names.items()):
            names.setdefault(folded.removesuffix(" technique"), name)
            names.setdefault(f"{folded} technique", name)
        return MappingProxyType(names)

    @cached_property
    def _children(self) -> Mapping[str, set[str]]:
        children: dict[str, set[str]] = {}
        for name, term in self.terms.items():
            for parent in term.parents:
                children.setdefault(parent, set()).add(name)
        return children


@cache
def ontology(version: str) -> Ontology:
    """A bundled release.

    Raises KeyError for a version that is not in VERSIONS.
    """
    if version not in VERSIONS:
        raise KeyError(version)
    return Ontology(version)


def _names(release: Ontology) -> Iterator[tuple[str, str]]:
    """Labels, then synonyms: what is one term's label and another's synonym means the former."""
    for name, term in release.terms.items():
        yield name, term.label
    for name, term in release.terms.items():
        for synonym in term.synonyms:
            yield name, synonym


@cache
def _esrfet() -> Mapping[str, str]:
    return {_folded(code): name for code, name in _table("esrfet")["terms"].items()}


def _table(name: str) -> Any:
    return json.loads(resources.files(__name__).joinpath(f"{name}.json").read_text(encoding="utf-8"))


def _folded(name: str) -> str:
    """The name without case, and with one sort of gap between its words."""
    return " ".join(re.sub(r"[-‐‑‒–—_]", " ", name.casefold()).split())
