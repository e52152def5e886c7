"""A PaNOSC search API as the reference implementation and those of facilities are, oddities included.

Written from the search API's documentation and from how its reference server answers: paths in any case,
`limit` and `skip` before anything else, 500 for a relation that it does not have, 404 for a pid whose slashes
are not encoded.
"""

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

Item = dict[str, Any]
RELATIONS = {
    "Instruments": {"datasets"},
    "Datasets": {"instrument", "techniques", "parameters", "samples", "files"},
    "Documents": {"datasets", "members", "parameters"},
}


@dataclass
class SearchApi:
    """The models with everything that belongs to an item in it; relations are only shown when asked for."""

    models: dict[str, list[Item]] = field(default_factory=lambda: {name: [] for name in RELATIONS})
    missing: set[str] = field(default_factory=set)
    """Relations that this server does not have."""
    max_limit: int = 1000
    lowercase_only: bool = False
    bare_count: bool = False
    slashes_end_paths: bool = False
    """Whether pids with slashes are not found by their path, encoded or not, as behind some proxies."""
    ignores_where: bool = False
    odd: list[Any] = field(default_factory=list)
    """Elements at the end of every listing."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        response = self._answer(request)
        await response(scope, receive, send)

    def _answer(self, request: Request) -> Response:
        parts = request.scope["raw_path"].decode().strip("/").split("/")
        names = {name.lower(): name for name in self.models}
        is_known = len(parts) in (2, 3) and parts[0] == "api" and parts[1].lower() in names
        if request.method != "GET" or not is_known or (self.lowercase_only and not parts[1].islower()):
            return _error(404, f"Endpoint {request.url.path} not found")
        name = names[parts[1].lower()]
        if len(parts) == 2:
            return self._list(name, request)
        if parts[2] == "count":
            number = len(self.models[name])
            return JSONResponse(number if self.bare_count else {"count": number})
        pid = unquote(parts[2])
        if "/" in pid and self.slashes_end_paths:
            return _error(404, f"Endpoint {request.url.path} not found")
        found = next((item for item in self.models[name] if str(item["pid"]) == pid), None)
        return JSONResponse(found) if found else _error(404, f'Unknown "{name}" id "{pid}".')

    def _list(self, name: str, request: Request) -> Response:
        try:
            query = json.loads(request.query_params.get("filter", "{}"))
        except ValueError:
            return _error(400, "Value is not an object.")
        if not set(query) <= {"where", "include", "limit", "skip", "order", "fields", "query"}:
            return _error(400, "unknown key of the filter")
        limit = min(query.get("limit") or self.max_limit, self.max_limit)
        skip = query.get("skip", 0)
        relations = {}
        for one in query.get("include", []):
            relations[one["relation"]] = {
                inner["relation"] for inner in one.get("scope", {}).get("include", [])
            }
        if not set(relations) <= RELATIONS[name] - self.missing:
            return _error(500, "Internal Server Error")
        items = self.models[name]
        if wanted := query.get("where", {}).get("pid", {}).get("inq"):
            items = [item for item in items if str(item["pid"]) in wanted or self.ignores_where]
        if query.get("order") == "pid ASC":
            items = sorted(items, key=lambda item: str(item["pid"])) + self.odd
        hidden = RELATIONS[name] - set(relations)
        return JSONResponse(
            [
                {key: value for key, value in item.items() if key not in hidden} | {"score": 0}
                if isinstance(item, dict)
                else item
                for item in items[skip : skip + limit]
            ]
        )


def _error(status: int, message: str) -> Response:
    return JSONResponse({"error": {"statusCode": status, "name": "Error", "message": message}}, status)
