"""What a person enters on the search page, as a filter of the search API."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Literal, cast, get_args
from urllib.parse import urlencode

from panosc_common.panet import Ontology
from starlette.datastructures import QueryParams

PAGE_SIZES = (10, 20, 50, 100)
MAX_HITS = 10_000
"""Hits that can be paged through, and rows of one CSV file: who needs more uses the API."""
MAX_TEXT = 500
SORTS = {"relevance": "Best match", "newest": "Newest first", "oldest": "Oldest first", "title": "Title"}
"""Orders, as the page calls them."""

Show = Literal["open", "embargoed", "proposals"]


@dataclass(frozen=True)
class Form:
    """The search form, with every field valid; `problems` tells what of the entry was not."""

    q: str = ""
    show: Show = "open"
    technique: str = ""
    instrument: str = ""
    since: date | None = None
    until: date | None = None
    sort: str = "newest"
    size: int = 20
    page: int = 1
    problems: tuple[str, ...] = ()

    @property
    def model(self) -> str:
        """The model that is searched: what data are under embargo is not public, their proposals are."""
        return "Dataset" if self.show == "open" else "Document"

    @property
    def hidden_criteria(self) -> bool:
        """Whether a criterion is about what is not public, and so cannot be applied."""
        return self.show == "embargoed" and bool(self.technique or self.instrument)

    @property
    def last_page(self) -> int:
        """The last page that can be asked for."""
        return MAX_HITS // self.size

    @property
    def criteria(self) -> bool:
        """Whether anything was asked for."""
        return bool(self.q or self.technique or self.instrument or self.since or self.until)

    def url(self, **changes: Any) -> str:
        """Address of the same search with some fields changed; what is as usual is left out."""
        form = replace(self, **changes)
        values = {
            "q": form.q,
            "show": form.show if form.show != "open" else "",
            "technique": form.technique,
            "instrument": form.instrument,
            "from": form.since or "",
            "to": form.until or "",
            "sort": form.sort if form.sort != _usual_sort(form.q) else "",
            "size": form.size if form.size != Form.size else "",
            "page": form.page if form.page > 1 else "",
        }
        query = urlencode({name: value for name, value in values.items() if value != ""})
        return f"/search?{query}" if query else "/search"


def read(query: QueryParams) -> Form:
    """The form as it was sent; a field that makes no sense is reported and left as usual."""
    problems: list[str] = []
    q = _text(query, "q")
    sizes = {str(size): size for size in PAGE_SIZES}
    size = sizes[_choice(query, "size", sizes, str(Form.size), problems)]
    since, until = _date(query, "from", problems), _date(query, "to", problems)
    if since and until and since > until:
        problems.append("The first date lies after the last one, so nothing can match: exchange them.")
    show = cast(Show, _choice(query, "show", get_args(Show), "open", problems))
    sort = _choice(query, "sort", SORTS, _usual_sort(q), problems)
    page = _page(query, problems)
    return Form(
        q=q,
        show=show,
        technique=_text(query, "technique"),
        instrument=_text(query, "instrument"),
        since=since,
        until=until,
        sort=sort,
        size=size,
        page=min(max(page, 1), MAX_HITS // size),
        problems=tuple(problems),
    )


def _usual_sort(q: str) -> str:
    return "relevance" if q else "newest"


def _text(query: QueryParams, name: str) -> str:
    return " ".join(query.get(name, "").replace("\0", " ").split())[:MAX_TEXT]


def _page(query: QueryParams, problems: list[str]) -> int:
    given = query.get("page", "").strip()
    if not given:
        return 1
    if given.isdecimal() and len(given) <= 9:
        return int(given)
    problems.append(f"“{given[:40]}” is no number of a page; write it as 2.")
    return 1


def _choice(query: QueryParams, name: str, choices: Collection[str], usual: str, problems: list[str]) -> str:
    given = query.get(name, "").strip()
    if not given or given in choices:
        return given or usual
    problems.append(f"“{given[:40]}” is none of what “{name}” can be: {', '.join(choices)}.")
    return usual


def _date(query: QueryParams, name: str, problems: list[str]) -> date | None:
    given = query.get(name, "").strip()
    if not given:
        return None
    try:
        return date.fromisoformat(given)
    except ValueError:
        problems.append(f"“{given[:40]}” is no date; write it as 2024-05-31.")
        return None


def filter_of(form: Form, panet: Ontology, now: datetime, *, limit: int, skip: int = 0) -> dict[str, Any]:
    """The search API's filter on `form.model`; `now` tells which proposals are under embargo."""
    conditions: list[dict[str, Any]] = []
    begin = _midnight(form.since) if form.since else None
    end = _midnight(form.until + timedelta(days=1)) if form.until and form.until < date.max else None
    if form.model == "Dataset":
        first = last = "creationDate"
        include = _described(form, panet)
        order = {"newest": "creationDate DESC", "oldest": "creationDate ASC", "title": "title ASC"}
    else:
        first, last = "startDate", "endDate"
        include = [{"relation": "members", "scope": {"include": ["person"]}}, *_with_datasets(form, panet)]
        order = {"newest": "endDate DESC", "oldest": "endDate ASC", "title": "title ASC"}
        if form.show == "embargoed":
            conditions.append({"or": [{"releaseDate": {"gt": now.isoformat()}}, {"releaseDate": None}]})
    if begin:
        conditions.append({last: {"gte": begin}})
    if end:
        conditions.append({first: {"lt": end}})
    found: dict[str, Any] = {"include": include, "limit": limit}
    if conditions:
        found["where"] = {"and": conditions}
    if form.q:
        found["query"] = form.q
    if form.sort in order:
        found["order"] = order[form.sort]
    if skip:
        found["skip"] = skip
    return found


def _described(form: Form, panet: Ontology) -> list[dict[str, Any]]:
    """What a dataset's row shows, restricted to those that the form asks for.

    A relation included twice brings first what is restricted, then the rest.
    """
    instrument: dict[str, Any] = {"relation": "instrument"}
    if form.instrument:
        instrument["scope"] = {"where": {"pid": form.instrument}}
    techniques: list[dict[str, Any]] = [{"relation": "techniques"}]
    if form.technique:
        techniques.insert(
            0, {"relation": "techniques", "scope": {"where": _technique(form.technique, panet)}}
        )
    return [instrument, *techniques, {"relation": "samples"}, {"relation": "documents"}]


def _with_datasets(form: Form, panet: Ontology) -> list[dict[str, Any]]:
    """Proposals with open data of the technique and instrument, where these are asked for."""
    if form.hidden_criteria or not (form.technique or form.instrument):
        return []
    restricting = [include for include in _described(form, panet) if "scope" in include]
    scope = {"include": restricting, "fields": ["pid"], "limit": 1}
    return [{"relation": "datasets", "scope": scope}]


def _technique(entered: str, panet: Ontology) -> dict[str, Any]:
    """A term of the ontology, however it is called, with all below it; anything else as part of a name."""
    if panet.resolve(entered) or "://" in entered:
        return {"pid": entered}
    return {"name": {"ilike": entered}}


def _midnight(day: date) -> str:
    return datetime.combine(day, time(), UTC).isoformat()
