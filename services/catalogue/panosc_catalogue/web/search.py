"""The search API: `/api/{Datasets,Documents,Instruments}` and what hangs below them."""

import re
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote, unquote, urlencode

import orjson
from panosc_common.access import Scope
from panosc_common.problem import Problem
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from panosc_catalogue.database import (
    DatabaseUnavailable,
    QueryRefused,
    QueryTimeout,
)
from panosc_catalogue.query import compile as sql
from panosc_catalogue.query import keyset, measure, tags
from panosc_catalogue.query.early import early
from panosc_catalogue.query.errors import FilterError
from panosc_catalogue.query.model import MODELS, Model
from panosc_catalogue.query.parse import parse_filter, parse_where
from panosc_catalogue.query.syntax import Filter
from panosc_catalogue.revalidation import revalidated
from panosc_catalogue.site import Site
from panosc_catalogue.web import querystring
from panosc_catalogue.web.errors import ApiError

MAX_LINK = 4096
"""Characters of a link to the next page at most: proxies bound the size of all headers."""
COLLECTIONS = {f"{name}s".lower(): MODELS[name] for name in ("Dataset", "Document", "Instrument")}
METHODS = ("GET", "HEAD", "OPTIONS")
_NOTHING = "[]"
# Portals' pages ask from other origins: everything here is public.
_SHARED = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "ETag, Link, Retry-After, X-Include-Limit, X-Limit, X-Limit-Capped, "
    "X-Next-Cursor, X-Ranked-Limit, X-Total-Count, WWW-Authenticate",
}
_PREFLIGHT = {
    **_SHARED,
    "Allow": ", ".join(METHODS),
    "Access-Control-Allow-Methods": ", ".join(METHODS),
    "Access-Control-Allow-Headers": "*, Authorization",  # which no asterisk means
    "Access-Control-Max-Age": "86400",
}


def routes(site: Site, max_limit: int, max_answer_mib: int) -> list[BaseRoute]:
    """The search API; it ignores the case of paths, which routes do not."""
    search = _Search(site, max_limit, max_answer_mib)
    route = Route("/api/{rest:path}", revalidated(search.endpoint), methods=METHODS)
    route.path_regex = re.compile(route.path_regex.pattern, re.IGNORECASE | re.DOTALL)
    return [route]


@dataclass(frozen=True)
class _Search:
    site: Site
    max_limit: int
    max_answer_mib: int
    fitting: set[tuple[str, str]] = field(default_factory=set)
    """Parameters and dimensions that were found together: what a parameter measures stays true."""

    async def endpoint(self, request: Request) -> Response:
        """`GET /api/…`, of which the part behind `/api/` is still percent-encoded here."""
        if request.method == "OPTIONS":
            return Response(status_code=204, headers=_PREFLIGHT)
        response = await self._told(request)
        response.headers.update(_SHARED)
        return response

    async def _told(self, request: Request) -> Response:
        """The answer, or what hinders it."""
        try:
            querystring.check_encoding(request.scope["query_string"])
            asked = replace(self, site=await self.site.asked_by(request, Scope.READ))
            return await asked._answer(request)
        except FilterError as error:
            return _invalid(str(error))
        except QueryRefused as error:
            return _invalid(f"the database refuses a value of the filter: {error}; correct or leave it out")
        except QueryTimeout as error:
            message = f"{error}; narrow the filter or ask for less at a time"
            return ApiError(503, message, name="ServiceUnavailableError", code="QUERY_TIMEOUT").response()
        except DatabaseUnavailable as error:
            name = "ServiceUnavailableError"
            return ApiError(503, str(error), name=name, headers=error.headers).response()
        except ApiError as error:
            return error.response()
        except Problem as error:
            return _refused(error)

    async def _answer(self, request: Request) -> Response:
        collection, *rest = _segments(request)
        model = COLLECTIONS.get(collection.lower())
        if model is None:
            known = ", ".join(f"/api/{other.name}s" for other in COLLECTIONS.values())
            raise ApiError(404, f'Shared class "{collection[:64]}" not found; there are: {known}')
        if not rest:
            return await self._list(model, request)
        if [part.lower() for part in rest] == ["count"]:
            return await self._count(model, request)
        if model.name == "Dataset" and len(rest) > 1 and rest[-1].lower() == "files":
            return await self._files(model, "/".join(rest[:-1]), request)
        if model.name == "Dataset" and len(rest) > 2 and [p.lower() for p in rest[-2:]] == ["files", "count"]:
            return await self._file_count(model, "/".join(rest[:-2]), request)
        return await self._item(model, "/".join(rest), request)

    async def _list(self, model: Model, request: Request) -> Response:
        asked = self._filter(model, request)
        await self._check_units(asked)
        wants_all = asked.limit is None
        query, headers = self._limited(await self._tagged(asked))
        if "cursor" in request.query_params:
            query = replace(query, skip=0, after=keyset.decode(query, request.query_params["cursor"]))
        if _flag(request, "total"):
            row = await self._run(sql.count(replace(query, after=())))
            headers["X-Total-Count"] = str(row[0] if row else 0)
        text, place = await self._answered(sql.page(query)) or (_NOTHING, None)
        if text != _NOTHING:
            self._learn_units(query)
        if place is not None:
            if wants_all:
                headers["X-Limit-Capped"] = "true"
            headers |= _next_page(request, keyset.encode(query, place))
        await self.site.record(request, lambda: [sql.items(early(query))])
        return _json(text, headers)

    async def _count(self, model: Model, request: Request) -> Response:
        query = self._counted(model, request)
        await self._check_units(query)
        row = await self._run(sql.count(await self._tagged(query)))
        return _json(orjson.dumps({"count": row[0] if row else 0}).decode())

    async def _item(self, model: Model, pid: str, request: Request) -> Response:
        query, headers = self._limited(self._filter(model, request))
        await self._check_units(query)
        query = replace(query, skip=0, limit=None)
        text = await self._text(sql.item(query, _checked(pid)))
        if text is None:
            raise _unknown(model, pid)
        await self.site.record(request, lambda: [sql.item(early(query), pid)])
        del headers["X-Limit"]
        return _json(text, headers)

    async def _files(self, model: Model, pid: str, request: Request) -> Response:
        query, headers = self._limited(self._filter(MODELS["File"], request))
        await self._check_units(query)
        text = await self._text(sql.related_items(model, "files", _checked(pid), query))
        if text is None:
            raise _unknown(model, pid)
        await self.site.record(
            request,
            lambda: [
                sql.item(early(Filter(model)), pid),
                sql.related_items(model, "files", pid, early(query)),
            ],
        )
        return _json(text, headers)

    async def _file_count(self, model: Model, pid: str, request: Request) -> Response:
        query = self._counted(MODELS["File"], request)
        await self._check_units(query)
        row = await self._run(sql.related_count(model, "files", _checked(pid), query))
        if row is None:
            raise _unknown(model, pid)
        return _json(orjson.dumps({"count": row[0]}).decode())

    def _filter(self, model: Model, request: Request) -> Filter:
        query = parse_filter(model, querystring.read(request.query_params, "filter"), self.site.panet)
        words = request.query_params.get("query")
        if words is not None and not query.terms:
            query = replace(query, terms=parse_filter(model, {"query": words}, self.site.panet).terms)
        return query

    def _counted(self, model: Model, request: Request) -> Filter:
        """What to count: `where`, and as an extension the joins and the where of a whole `filter`."""
        query = self._filter(model, request)
        where = parse_where(model, querystring.read(request.query_params, "where"), self.site.panet)
        return query if where is None else replace(query, where=where)

    async def _tagged(self, query: Filter) -> Filter:
        """The filter with the techniques that its tests mean."""
        statement = sql.techniques(query)
        row = await self._run(statement) if statement else None
        return tags.known(query, row) if row else query

    async def _check_units(self, query: Filter) -> None:
        """Refuse units that fit no parameter."""
        statement = None if measure.pairs(query) <= self.fitting else sql.mismatch(query)
        row = await self._run(statement) if statement else None
        if row is not None:
            raise measure.refusal(*map(str, row))

    def _learn_units(self, query: Filter) -> None:
        """Something passes the filter: what that shows of its units need not be asked again."""
        # Of what others may not see yet, nobody learns.
        if self.site.viewer.is_public and measure.shown_to_fit(query):
            self.fitting.update(measure.pairs(query))

    def _limited(self, query: Filter) -> tuple[Filter, dict[str, str]]:
        """The filter with limits that hold, and headers that tell which they are."""
        limit = min(query.limit or self.max_limit, self.max_limit)
        headers = {"X-Limit": str(limit)}
        if query.limit is not None and query.limit > limit:
            headers["X-Limit-Capped"] = "true"
        if _includes_lists(query):
            headers["X-Include-Limit"] = str(self.max_limit)
        query = replace(self._limited_includes(query), limit=limit)
        if query.ranks:
            headers["X-Ranked-Limit"] = str(query.ranked)
        return query, headers

    def _limited_includes(self, query: Filter) -> Filter:
        includes = []
        for include in query.includes:
            scope = self._limited_includes(include.scope)
            limit = min(scope.limit or self.max_limit, self.max_limit)
            includes.append(replace(include, scope=replace(scope, limit=limit)))
        return replace(query, includes=tuple(includes))

    async def _text(self, statement: sql.Statement) -> str | None:
        """The JSON text that the statement answers; None if it has no row."""
        row = await self._answered(statement)
        return row[0] if row else None

    async def _answered(self, statement: sql.Statement) -> tuple[Any, ...] | None:
        """The statement's row, whose first column is the JSON text; None if it has none."""
        row = await self._run(sql.bounded(statement, self.max_answer_mib * 2**20))
        if row is None:
            return None
        if row[0] is None:
            message = (
                f"The answer would have more than {self.max_answer_mib} MiB; ask for fewer items (limit, in "
                "an include's scope too), relations (include) or properties (fields) at a time"
            )
            raise ApiError(400, message, name="BadRequestError", code="ANSWER_TOO_LARGE")
        return row

    async def _run(self, statement: sql.Statement) -> tuple[Any, ...] | None:
        site = self.site
        bound = sql.bind(
            statement,
            site.policy.current(),
            site.clock(),
            past_sealed=site.past_sealed(),
            viewer=site.viewer,
        )
        return await site.database.row(*bound)


def _flag(request: Request, name: str) -> bool:
    given = request.query_params.get(name, "false").lower()
    if given not in ("true", "false"):
        raise FilterError(f'{name} is "{given[:64]}", but must be true or false')
    return given == "true"


def _next_page(request: Request, cursor: str) -> dict[str, str]:
    """Headers that lead to the next page; a link only where the URL is not longer than headers may be."""
    others = [(name, value) for name, value in request.query_params.multi_items() if name != "cursor"]
    target = f"{request.scope['path']}?{urlencode([*others, ('cursor', cursor)])}"
    link = {"Link": f'<{quote(target, safe="/?&=%+")}>; rel="next"'} if len(target) <= MAX_LINK else {}
    return {"X-Next-Cursor": cursor, **link}


def _includes_lists(query: Filter) -> bool:
    return any(include.relation.many or _includes_lists(include.scope) for include in query.includes)


def _segments(request: Request) -> list[str]:
    """The path's components below `/api/`, decoded one by one: a pid may hold encoded slashes.

    Clients that do not encode them are understood too: what is left over between the collection and a known
    last component is the pid.
    """
    raw: bytes = request.scope.get("raw_path") or request.url.path.encode()
    path = raw.decode("ascii", "replace").split("?", 1)[0]
    return [unquote(part) for part in path.rstrip("/").split("/")[2:]] or [""]


def _checked(pid: str) -> str:
    if "\0" in pid:
        raise FilterError("the pid holds a NUL character; take it as the list shows it")
    return pid


def _invalid(message: str) -> Response:
    return ApiError(400, message, name="BadRequestError", code="INVALID_FILTER").response()


def _refused(problem: Problem) -> Response:
    """What hinders telling who asks."""
    names = {401: ("AuthorizationRequiredError", "AUTHORIZATION_REQUIRED")}
    name, code = names.get(problem.status, ("ServiceUnavailableError", None))
    return ApiError(problem.status, problem.detail, name=name, code=code, headers=problem.headers).response()


def _unknown(model: Model, pid: str) -> ApiError:
    # The first sentence is what the search API's reference says.
    shown = pid if len(pid) <= 200 else pid[:199] + "…"
    message = f'Unknown "{model.name}" id "{shown}". It may not be public; /api/{model.name}s lists what is.'
    return ApiError(404, message, code="MODEL_NOT_FOUND")


def _json(text: str, headers: dict[str, str] | None = None) -> Response:
    return Response(text.encode(), media_type="application/json", headers=headers)
