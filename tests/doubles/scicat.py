"""A SciCat backend, as its controllers and DTOs describe it, as far as a reader of it goes.

Written from SciCatProject/scicat-backend-next (v4.x): paths and versions, `filter` and `filters`, `limits`,
permissions of anonymous and logged-in readers, and what it refuses. Like the real one it compares what a
filter of v4 says with what is stored without converting it: a date as text matches no date.
"""

import json
import operator
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

Item = dict[str, Any]
DEFAULT_LIMIT = 10
OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "$gt": operator.gt,
    "$gte": operator.ge,
    "$lt": operator.lt,
    "$lte": operator.le,
    "$ne": operator.ne,
    "$eq": operator.eq,
    "$in": lambda value, asked: value in asked,
}
DATES = {"updatedAt", "createdAt", "creationTime", "endTime"}
LOOKUPS = {"instruments", "proposals", "origdatablocks", "datablocks", "attachments", "samples", "all"}


@dataclass
class SciCat:
    """The backend's collections; `touch` changes a record as the database does."""

    instruments: list[Item] = field(default_factory=list)
    proposals: list[Item] = field(default_factory=list)
    datasets: list[Item] = field(default_factory=list)
    published: list[Item] = field(default_factory=list)
    samples: dict[str, Item] = field(default_factory=dict)
    blocks: dict[str, list[Item]] = field(default_factory=dict)
    """Files by the dataset's pid."""
    accounts: dict[str, str] = field(default_factory=dict)
    anonymous_lists: set[str] = field(default_factory=lambda: {"proposals"})
    """Collections, beside those always public, that a reader without a token may list."""
    tokens: set[str] = field(default_factory=set)
    max_limit: int = 1000
    """Items of an answer at most, however many are asked for."""
    odd: list[Any] = field(default_factory=list)
    """Elements behind those of every list that has any."""
    clock: int = 0

    def touch(self, item: Item, **changes: Any) -> Item:
        self.clock += 1
        return _touched(item, self.clock, changes)

    def app(self) -> Starlette:
        routes = [
            Route("/api/v3/auth/login", self._login, methods=["POST"]),
            Route("/api/v3/instruments", self._instruments),
            Route("/api/v3/proposals", self._proposals),
            Route("/api/v3/samples/{id:path}", self._sample),
            Route("/api/v3/datasets", self._datasets_v3),
            Route("/api/v4/datasets", self._datasets_v4),
            Route("/api/v4/datasets/public", self._datasets_public_v4),
            Route("/api/v3/publisheddata", self._published),
            Route("/api/v4/publisheddata", self._published),
        ]
        return Starlette(routes=routes, exception_handlers={HTTPException: _error})

    async def _login(self, request: Request) -> Response:
        asked = await request.json()
        if set(asked) != {"username", "password"}:
            raise HTTPException(400, "property should not exist")
        if self.accounts.get(asked["username"]) != asked["password"]:
            raise HTTPException(401, "Unauthorized")
        token = f"token-{len(self.tokens)}"
        self.tokens.add(token)
        body = {"id": token, "access_token": token, "token_type": "bearer", "expires_in": 3600, "ttl": 3600}
        return JSONResponse(body, 201)

    def _query(self, request: Request, name: str) -> Item:
        unknown = set(request.query_params) - {name}
        if unknown:
            raise HTTPException(400, f"Property {sorted(unknown)} should not exist")
        try:
            query: Item = json.loads(request.query_params.get(name, "{}"))
        except ValueError as error:
            raise HTTPException(400, "filter is no JSON") from error
        if not set(query) <= {"where", "include", "fields", "limits"}:
            raise HTTPException(400, f"Property {sorted(query)} should not exist in the filter object")
        limits = query.get("limits", {})
        limit = min(limits.get("limit") or DEFAULT_LIMIT, self.max_limit)
        return query | {"limits": limits | {"limit": limit}}

    def _is_known(self, request: Request) -> bool:
        given = request.headers.get("authorization")
        if given is None:
            return False
        if given.removeprefix("Bearer ") not in self.tokens:
            raise HTTPException(401, "Unauthorized")
        return True

    def _may_list(self, request: Request, collection: str) -> bool:
        known = self._is_known(request)
        if not known and collection not in self.anonymous_lists:
            raise HTTPException(403, "Forbidden resource")
        return known

    async def _instruments(self, request: Request) -> Response:
        self._may_list(request, "instruments")
        return self._answer(_page(self.instruments, self._query(request, "filter")))

    async def _proposals(self, request: Request) -> Response:
        sees_all = self._may_list(request, "proposals")
        seen = [_owned(item) for item in self.proposals if sees_all or item.get("isPublished")]
        return self._answer(_page(seen, self._query(request, "filters")))

    async def _sample(self, request: Request) -> Response:
        if not self._is_known(request):
            raise HTTPException(403, "Forbidden resource")
        found = self.samples.get(request.path_params["id"])
        if found is None:
            raise HTTPException(404, "Sample not found")
        return JSONResponse(found)

    async def _datasets_v3(self, request: Request) -> Response:
        sees_all = self._is_known(request)
        query = self._query(request, "filter")
        relations = query.get("include", [])
        if any(set(one) != {"relation"} for one in relations):
            raise HTTPException(400, "include is a list of relations")
        seen = [_v3(item) for item in self.datasets if sees_all or item["isPublished"]]
        return self._answer(self._with(_page(seen, query), {one["relation"] for one in relations}))

    async def _datasets_v4(self, request: Request) -> Response:
        if not self._is_known(request):
            raise HTTPException(401, "Unauthorized")
        return self._datasets(request, self.datasets)

    async def _datasets_public_v4(self, request: Request) -> Response:
        return self._datasets(request, [item for item in self.datasets if item["isPublished"]])

    def _datasets(self, request: Request, seen: list[Item]) -> Response:
        query = self._query(request, "filter")
        wanted = set(query.get("include", []))
        if not wanted <= LOOKUPS:
            raise HTTPException(400, f"Provided include field(s) {wanted - LOOKUPS} is not valid")
        return self._answer(self._with(_page(seen, query, is_v4=True), wanted))

    def _with(self, items: Iterable[Item], wanted: set[str]) -> list[Item]:
        made = []
        for item in map(_owned, items):
            extra: Item = {}
            if "origdatablocks" in wanted:
                extra["origdatablocks"] = self.blocks.get(item["pid"], [])
            if "samples" in wanted:
                ids = item.get("sampleIds") or []
                extra["samples"] = [self.samples[one] for one in ids if one in self.samples]
            made.append({**item, **extra})
        return made

    async def _published(self, request: Request) -> Response:
        seen = [item for item in self.published if item["status"] in ("public", "registered", "amended")]
        query = self._query(request, "filter")
        return self._answer(_page(seen, query, is_v4="/v4/" in request.url.path))

    def _answer(self, items: list[Item]) -> Response:
        return JSONResponse([*items, *self.odd] if items else [])


def _owned(item: Item) -> Item:
    """What belongs to somebody always names the group, and a list of others that may see it."""
    return {"ownerGroup": "admin", "accessGroups": [], **item}


def _touched(item: Item, clock: int, changes: Item) -> Item:
    item |= changes
    item["updatedAt"] = f"2026-01-01T{clock // 3600 % 24:02}:{clock // 60 % 60:02}:{clock % 60:02}.000Z"
    return item


def _v3(item: Item) -> Item:
    """The obsolete form: one proposal, one instrument, one principal investigator."""
    lists = ("proposalIds", "instrumentIds", "principalInvestigators")
    made = {key: value for key, value in item.items() if key not in lists}
    made["principalInvestigator"] = (item.get("principalInvestigators") or [None])[0]
    made["proposalId"] = (item.get("proposalIds") or [None])[0]
    made["instrumentId"] = (item.get("instrumentIds") or [None])[0]
    return made


def _page(items: list[Item], query: Item, *, is_v4: bool = False) -> list[Item]:
    limits = query["limits"]
    allowed = {"limit", "skip", "sort" if is_v4 else "order"}
    if not set(limits) <= allowed:
        raise HTTPException(400, f"Property {sorted(set(limits) - allowed)} should not exist in limits")
    for name, condition in query.get("where", {}).items():
        matches = _condition(name, condition, is_v4)
        items = [item for item in items if matches(item.get(name))]
    if is_v4:
        order = [(name, direction) for name, direction in limits.get("sort", {}).items()]
    else:
        order = [tuple(limits["order"].split(":"))] if "order" in limits else []
    for name, direction in reversed(order):
        if direction not in ("asc", "desc"):
            raise HTTPException(400, "sort is asc or desc")
        items = sorted(items, key=lambda item: str(item.get(name) or ""), reverse=direction == "desc")
    skip = limits.get("skip") or 0
    return items[skip : skip + limits["limit"]]


def _condition(name: str, condition: Any, is_v4: bool) -> Callable[[Any], bool]:
    """Whether a value is as the filter says."""
    conditions = condition if isinstance(condition, dict) else {"$eq": condition}
    if not set(conditions) <= set(OPERATORS):
        raise HTTPException(400, f"Property {sorted(conditions)} should not exist in the filter object")
    if is_v4 and name in DATES:
        return lambda value: False
    (said,) = conditions.items()
    compare, asked = OPERATORS[said[0]], said[1]
    return lambda value: value is not None and compare(value, asked)


async def _error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    body = {"statusCode": error.status_code, "message": error.detail, "error": "Error"}
    return JSONResponse(body, error.status_code)
