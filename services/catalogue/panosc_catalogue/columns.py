"""What records become in the columns of their tables: numbers in SI, ontology terms, keys of people."""

import hashlib
import re
from typing import Any

from panosc_common import panet, units

from panosc_catalogue.query.parse import number
from panosc_catalogue.records import Affiliation, File, Parameter, Person, Sample, Technique

_ORCID = re.compile(r"\d{4}-?\d{4}-?\d{4}-?\d{3}[\dXx]")


def total_size(files: list[File] | None) -> int | None:
    """Bytes of all files whose size is known; None if none is."""
    sizes = [file.size for file in files or () if file.size is not None]
    return min(sum(sizes), 2**63 - 1) if sizes else None


def tag_columns(tag: Technique | Sample) -> dict[str, Any]:
    """The tag's fields, a technique's with the local name of the PaNET term that it is."""
    return tag.model_dump() | ({"panet_key": panet_key(tag)} if isinstance(tag, Technique) else {})


def panet_key(technique: Technique) -> str | None:
    """The local name of the PaNET term that the technique is; None if it is none."""
    # Local names mean the same in every release of the ontology.
    ontology = panet.ontology(panet.LATEST)
    texts = (technique.panet_id, technique.pid, technique.name)
    return next((key for text in texts if text and (key := ontology.resolve(text))), None)


def value_columns(parameter: Parameter) -> dict[str, Any]:
    """The value as the table holds it: text only where the source gave text, a number wherever it is one."""
    row: dict[str, Any] = {"text_value": None, "number_value": None, "number_upper": None}
    if isinstance(parameter.value, str):
        row |= {"text_value": parameter.value, "number_value": number(parameter.value)}
    elif isinstance(parameter.value, tuple):
        row |= dict(zip(("number_value", "number_upper"), parameter.value, strict=True))
    else:
        row["number_value"] = parameter.value
    unit = units.parse_unit(parameter.unit or "")
    numbers = [row[name] for name in ("number_value", "number_upper") if row[name] is not None]
    converted = [unit.to_si(value) for value in numbers] if unit else []
    if unit is None or not converted or None in converted:
        return row
    return {
        **row,
        **dict(zip(("si_value", "si_upper"), converted, strict=False)),
        "si_dimension": unit.dimension,
    }


def person_key(person: Person) -> str:
    """What makes it the same person: the ORCID iD, else the source's id, else the name."""
    orcid = _ORCID.search(person.orcid or "")
    if orcid:
        return f"orcid:{orcid[0].upper()}"
    return _bounded(f"id:{person.id}" if person.id else f"name:{person.full_name.casefold()}")


def affiliation_key(affiliation: Affiliation) -> str | None:
    """What makes it the same institution; None if nothing is known of it."""
    if affiliation.id:
        return _bounded(f"id:{affiliation.id}")
    parts = (affiliation.name, affiliation.address, affiliation.city, affiliation.country)
    return _bounded("name:" + "|".join(part or "" for part in parts).casefold()) if any(parts) else None


def _bounded(key: str) -> str:
    """The key, or a digest of it where it is longer than an index takes."""
    return key if len(key) <= 500 else "sha256:" + hashlib.sha256(key.encode()).hexdigest()
