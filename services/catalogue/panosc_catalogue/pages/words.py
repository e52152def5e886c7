"""What a record is, in sentences and names that several of its forms say alike."""

from typing import Any

from panosc_catalogue.datacite.description import Description, Person
from panosc_catalogue.pages.render import day, moment


def identifier(description: Description) -> str:
    """What the record is cited by: the address of its DOI, else of its page."""
    return f"https://doi.org/{description.doi}" if description.doi else description.url


def availability(description: Description) -> str:
    """A sentence on who has the data."""
    if description.state == "withdrawn":
        return f"The data were withdrawn on {day(description.withdrawn)}."
    if description.access == "open":
        return "The data are open to everybody."
    if description.kind == "datasets":
        until = f" until {moment(description.available)}" if description.access == "embargoed" else ""
        return f"The data are not public{until}; you see them because you are logged in."
    if not description.is_public:
        return "Neither the data nor this description is public; you see them because you are logged in."
    if description.access == "embargoed":
        return (
            f"The data are under embargo until {moment(description.available)}. "
            "Until then this description is all that is public."
        )
    return "The data are not public, and no date is known from which on they will be."


def summary(description: Description) -> str:
    """The abstract, or a sentence made of what is known."""
    if description.summary:
        return description.summary
    parts = [description.title.rstrip(".")]
    if description.techniques:
        parts.append("measured by " + ", ".join(one.name for one in description.techniques))
    if description.samples:
        parts.append("of " + ", ".join(one.name for one in description.samples))
    if description.instruments:
        parts.append("on " + ", ".join(one.name for one in description.instruments))
    parts.append(f"at {description.facility.name}")
    if description.start:
        parts.append(f"on {day(description.start)}")
    return f"{parts[0]}: data {' '.join(parts[1:])}."


def issued(description: Description) -> tuple[int, ...]:
    """Year, month and day when the data became or become public; the year alone where only that is known."""
    date = description.available or description.end or description.start
    return (date.year, date.month, date.day) if date else (description.publication_year,)


def csl_item(description: Description) -> dict[str, Any]:
    """The record as a CSL-JSON item."""
    item: dict[str, Any] = {
        "id": description.pid,
        "type": "dataset",
        "title": description.title,
        "author": [_csl_name(one) for one in description.creators]
        or [{"literal": description.facility.name}],
        "publisher": description.facility.name,
        "issued": {"date-parts": [issued(description)]},
        "URL": identifier(description),
    }
    if description.doi:
        item["DOI"] = description.doi
    return item


def _csl_name(person: Person) -> dict[str, str]:
    if person.family and person.given:
        return {"family": person.family, "given": person.given}
    return {"literal": person.name}
