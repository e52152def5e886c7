"""From what a person types to what must be found: terms, each with all its ways of being written.

A query's words must all be found; `"…"` keeps words together, `OR` allows either of two, a leading `-`
excludes. Acronyms stand for what they abbreviate and the other way round (query/synonyms.py), "BM23" for
"BM 23", and a chemical formula for every order and spacing of its elements. Pure.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from panosc_catalogue.query.errors import FilterError
from panosc_catalogue.query.synonyms import LONGEST, SYNONYMS

MAX_TERMS = 32
"""Terms of one query."""

_PART = r"[A-Z][a-z]?(?:[0-9]+(?:\.[0-9]+)?)?"
_FORMULA = re.compile(rf"(?:{_PART}){{2,}}")
_GAP = re.compile(
    r"\b([A-Z][a-z]?[0-9.]+) +(?=[A-Z][a-z]?[0-9.]*(?:[^\w.]|$))|\b([A-Z][a-z]?) +(?=[A-Z][a-z]?[0-9])"
)
_TOKEN = re.compile(r'(-)?"([^"]*)"|(\S+)')
_NUMBERED = re.compile(r"([a-z]{1,4})([0-9]{1,3})")
_BREAK = re.compile(r"[^\w.]+|_+|\.(?![0-9])|(?<![0-9])\.")


@dataclass(frozen=True)
class Term:
    """What is found by any one of `phrases`, or must not be (`excluded`); a phrase's words are adjacent."""

    phrases: tuple[str, ...]
    excluded: bool = False


def parse_query(text: str, at: str) -> tuple[Term, ...]:
    """The terms of a query, all of which are asked for.

    Raises FilterError if there are too many.
    """
    terms: list[Term] = []
    either = False
    for piece in _pieces(_joined(_plain(text))):
        if isinstance(piece, str):
            either = bool(terms)
            continue
        for term in [piece] if isinstance(piece, Term) else _expanded(piece):
            if either and not term.excluded and not terms[-1].excluded:
                terms[-1] = Term((*terms[-1].phrases, *term.phrases))
            else:
                terms.append(term)
            either = False
    if len(terms) > MAX_TERMS:
        raise FilterError(f"{at} has more than {MAX_TERMS} words; name fewer")
    return tuple(terms)


def matching(terms: Iterable[Term], words: str, parameter: Callable[[str, str], str]) -> tuple[str, str]:
    """The condition in SQL that a record's words (a tsvector) have the terms, and the record's score.

    The score is the mean over the terms of their cover density (ts_rank_cd, by the weights of title, tags,
    context and rest), brought into (0, 1): a phrase counts as much as the acronym that stands for it.
    """
    wanted: list[str] = []
    required: list[str] = []
    for term in terms:
        query = " || ".join(
            f"phraseto_tsquery('pg_catalog.english', searchable(plain_text({parameter(phrase, 'text')})))"
            for phrase in term.phrases
        )
        required.append(f"!! ({query})" if term.excluded else f"({query})")
        if not term.excluded:
            wanted.append(f"ts_rank_cd({words}, {query})")
    rank = f"(({' + '.join(wanted)}) / {len(wanted)})" if wanted else "0"
    query = " && ".join(required)
    # A query of nothing but stop words restricts nothing; it is constant, so the planner sees which it is.
    return (
        f"({words} @@ ({query}) OR numnode({query}) = 0)",
        f"(0.001 + 0.998 * (1 - 1 / (1 + {rank})))::double precision",
    )


def formula(word: str) -> str | None:
    """The formula `word` as it is indexed whatever the order of its elements; None if it is none.

    Twin of formulas() in schema/search.sql.
    """
    if not _FORMULA.fullmatch(word) or not re.search("[a-z0-9]", word):
        return None
    return "".join(sorted(re.findall(_PART, word))).replace(".", "p").lower()


def _plain(text: str) -> str:
    """Without accents, subscripts as digits; twin of plain_text() in schema/search.sql."""
    return re.sub("[\u0300-\u036f]", "", unicodedata.normalize("NFKD", text))


def _joined(text: str) -> str:
    """With the gaps of formulas closed: "Fe2 O3" as Fe2O3."""
    return _GAP.sub(r"\1\2", text)


def _pieces(text: str) -> Iterator[Term | str | list[str]]:
    """Finished terms, the word OR, and runs of words in between."""
    run: list[str] = []
    for minus, quoted, word in _TOKEN.findall(text):
        if word and word != "OR" and not word.startswith("-"):
            run.append(word)
            continue
        if run:
            yield run
            run = []
        if word == "OR":
            yield word
        elif word:
            yield from (Term(term.phrases, excluded=True) for term in _expanded([word[1:]]))
        elif quoted.strip():
            yield Term((quoted,), excluded=bool(minus))
    if run:
        yield run


def _expanded(words: list[str]) -> Iterator[Term]:
    """Terms of a run of words; the longest synonym that begins at a word wins."""
    parts = [part for word in words for part in _BREAK.split(word) if part]
    lower = [part.lower() for part in parts]
    position = 0
    while position < len(parts):
        for length in range(min(LONGEST, len(parts) - position), 0, -1):
            if found := SYNONYMS.get(" ".join(lower[position : position + length])):
                yield Term(found)
                position += length
                break
        else:
            length, phrases = _written(parts[position], lower[position : position + 2])
            yield Term(phrases)
            position += length


def _written(part: str, lower: list[str]) -> tuple[int, tuple[str, ...]]:
    """The ways of writing what begins here, and how many words it takes up."""
    numbered = _NUMBERED.fullmatch(lower[0])
    sorted_elements = formula(part)
    if numbered or sorted_elements:
        split = f"{numbered[1]} {numbered[2]}" if numbered else lower[0]
        return 1, tuple(dict.fromkeys((lower[0], sorted_elements or lower[0], split)))
    if len(lower) > 1 and (numbered := _NUMBERED.fullmatch("".join(lower))) and numbered[1] == lower[0]:
        return 2, (f"{lower[0]} {lower[1]}", "".join(lower))
    return 1, (part,)
