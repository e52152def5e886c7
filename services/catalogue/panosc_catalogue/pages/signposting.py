"""Links from a landing page to what belongs to it, for machines.

FAIR Signposting Profile, levels 1 and 2 (https://signposting.org/FAIR/); linksets are RFC 9264, relations and
header RFC 8288.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from panosc_catalogue.datacite.description import Description
from panosc_catalogue.datacite.rights import license_url
from panosc_catalogue.pages import formats, words
from panosc_catalogue.pages.details import Details
from panosc_catalogue.pages.formats import Format

MAX_LISTED = 20
"""Items and authors in the header, which servers limit; the linkset has more."""
_TYPES = {
    "datasets": ("https://schema.org/Dataset",),
    "documents": ("https://schema.org/Collection",),
}


@dataclass(frozen=True)
class Link:
    """A typed link."""

    relation: str
    target: str
    type: str | None = None
    profile: str | None = None

    def header(self) -> str:
        """The link as a value of the Link header."""
        attributes = {"rel": self.relation, "type": self.type, "profile": self.profile}
        shown = "".join(f'; {name}="{value}"' for name, value in attributes.items() if value)
        return f"<{self.target}>{shown}"

    def member(self) -> dict[str, str]:
        """The link as a target object of a linkset."""
        return {
            name: value
            for name, value in (("href", self.target), ("type", self.type), ("profile", self.profile))
            if value
        }


def form_url(description: Description, form: Format) -> str:
    """Address at which the record always answers in this form."""
    return f"{description.url}?format={form.name}"


def of_landing_page(description: Description, details: Details) -> Iterator[Link]:
    """The links of the page, those of what there may be many of at the end."""
    yield Link("cite-as", words.identifier(description))
    yield Link("type", "https://schema.org/AboutPage")
    for kind in _TYPES[description.kind]:
        yield Link("type", kind)
    if url := license_url(description.license):
        yield Link("license", url)
    for form in formats.METADATA:
        yield Link("describedby", form_url(description, form), form.media_type, form.profile)
    for one in description.documents[:1]:
        yield Link("collection", one.url, formats.HTML.media_type)
    yield Link("linkset", form_url(description, formats.LINKSET), formats.LINKSET.media_type)
    for person in description.creators:
        if person.orcid:
            yield Link("author", person.orcid)
    for bundle in details.bundles:
        yield Link("item", bundle.url, bundle.media_type)
    for file in details.files:
        if file.url:
            yield Link("item", file.url, file.media_type)
    for part in description.datasets:
        yield Link("item", part.url, formats.HTML.media_type)


def header(description: Description, details: Details) -> str:
    """The Link header of the page."""
    return _header(_bounded(of_landing_page(description, details)))


def header_of_metadata(description: Description) -> str:
    """The Link header of what describes the record."""
    return _header([Link("describes", description.url, formats.HTML.media_type)])


def linkset(description: Description, details: Details) -> dict[str, Any]:
    """The links of the page and of what it leads to, as a linkset."""
    links = list(of_landing_page(description, details))
    page = Link("", description.url, formats.HTML.media_type).member()
    back = {"item": "collection", "describedby": "describes"}
    context = {"anchor": description.url, **_grouped(link for link in links if link.relation != "linkset")}
    others = [{"anchor": link.target, back[link.relation]: [page]} for link in links if link.relation in back]
    return {"linkset": [context, *others]}


def _header(links: Iterable[Link]) -> str:
    return ", ".join(link.header() for link in links)


def _bounded(links: Iterable[Link]) -> Iterator[Link]:
    seen: dict[str, int] = {}
    for link in links:
        seen[link.relation] = seen.get(link.relation, 0) + 1
        if seen[link.relation] <= MAX_LISTED:
            yield link


def _grouped(links: Iterable[Link]) -> dict[str, list[dict[str, str]]]:
    grouped: dict[str, list[dict[str, str]]] = {}
    for link in links:
        grouped.setdefault(link.relation, []).append(link.member())
    return grouped
