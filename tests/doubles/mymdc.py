"""EuXFEL's myMdC, as its Python client metadata_client 4.2.2 and that client's tests document it.

An OAuth2 token by client credentials, a version in `Accept`, the user's address in a header of its own, lists
in pages that headers count, of 500 things at most. `parameters/?data_group_id=` follows the pattern of
`dataset_files/?data_group_id=`: the client writes parameters to data groups, but documents no way to read
them back.
"""

import asyncio
import math
import secrets
from typing import Any
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

MAX_PAGE_SIZE = 500
FILTERS = {
    "proposals": {"number"},
    "instruments": {"identifier", "facility_id"},
    "samples": {"proposal_id", "name"},
    "techniques": {"identifier", "name"},
    "proposals_techniques": {"proposal_id", "technique_id"},
    "units": set(),
    "users": set(),
    "runs": {"run_number", "experiment_id"},
    "parameters": {"data_source", "name", "data_group_id"},
    "dataset_files": {"data_group_id"},
}


class MyMdc:
    """The service with its tables, each a list of things in the order of their ids."""

    def __init__(self) -> None:
        self.client = ("catalogue", "s3cret")
        self.user_email = "catalogue@facility.example"
        self.token_calls: int | None = None
        """Calls after which a token has expired."""
        self.logins = 0
        self.tables: dict[str, list[dict[str, Any]]] = {name: [] for name in FILTERS}
        self.data_groups: dict[int, Any] = {}
        """Of a run's raw data, by the run's id: a list of numbers, unless a test wants it odd."""
        self.odd: list[Any] = []
        """Elements that every list has before its things."""
        self.forbidden: set[tuple[str, int]] = set()
        """Tables and ids of what is there, and not for this account."""
        self.closed: set[str] = set()
        """Lists, by the path's last part and the query but for pages, that are not for this account."""
        self.together: asyncio.Barrier | None = None
        """Of runs that are asked for by their ids: none is answered before as many as this are waiting."""
        self.withheld = 0
        """Items that each page lacks of those that its headers announce."""
        self._tokens: dict[str, int] = {}
        self._places: dict[tuple[str, str], int] = {}
        """Ids of runs by the numbers of proposal and run."""
        self.app = Starlette(
            routes=[
                Route("/metadata/oauth/token", self._token, methods=["POST"]),
                Route("/metadata/api/runs/runs_by_proposal", self._runs),
                Route("/metadata/api/runs/all_raw_data_groups_ids", self._raw_data_groups),
                Route("/metadata/api/{table}/", self._list),
                Route("/metadata/api/{table}/{key:int}", self._one),
            ]
        )

    def add(self, table: str, **values: Any) -> int:
        """Create a thing."""
        key = max((thing["id"] for thing in self.tables[table]), default=0) + 1
        self.tables[table].append({"id": key, "flg_available": True, **values})
        return key

    def get(self, table: str, key: int) -> dict[str, Any]:
        """A thing, to be changed in place."""
        return next(thing for thing in self.tables[table] if thing["id"] == key)

    def delete(self, table: str, key: int) -> None:
        """Remove a thing."""
        self.tables[table].remove(self.get(table, key))

    async def _token(self, request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode()))
        if form.get("grant_type") != "client_credentials":
            return JSONResponse({"error": "unsupported_grant_type"}, 400)
        if (form.get("client_id"), form.get("client_secret")) != self.client:
            return JSONResponse({"error": "invalid_client"}, 401)
        token = secrets.token_hex(16)
        self._tokens[token] = 0
        self.logins += 1
        return JSONResponse({"access_token": token, "token_type": "Bearer", "expires_in": 7200})

    def _refusal(self, request: Request) -> Response | None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme != "Bearer" or token not in self._tokens:
            return JSONResponse({"info": "The access token is invalid"}, 401)
        self._tokens[token] += 1
        if self.token_calls is not None and self._tokens[token] > self.token_calls:
            del self._tokens[token]
            return JSONResponse({"info": "The access token expired"}, 401)
        if request.headers.get("accept") != "application/json; version=1":
            return JSONResponse({"info": "version is missing"}, 406)
        if request.headers.get("x-user-email") != self.user_email:
            return JSONResponse({"info": "User not allowed"}, 403)
        if _asked(request) in self.closed:
            return JSONResponse({"info": "Forbidden"}, 403)
        return None

    async def _list(self, request: Request) -> Response:
        table = request.path_params["table"]
        if (refusal := self._refusal(request)) is not None:
            return refusal
        if table not in self.tables or table == "users":
            return JSONResponse({"info": "Resource not found!"}, 404)
        asked = {
            key: value for key, value in request.query_params.items() if key not in ("page", "page_size")
        }
        if asked.keys() - FILTERS[table]:
            return JSONResponse({"info": f"unknown filter {sorted(asked.keys() - FILTERS[table])}"}, 422)
        things = [
            thing
            for thing in self.tables[table]
            if all(str(thing.get(key)) == value for key, value in asked.items())
        ]
        return self._page(request, things)

    async def _one(self, request: Request) -> Response:
        if (refusal := self._refusal(request)) is not None:
            return refusal
        table, key = request.path_params["table"], request.path_params["key"]
        if table == "runs" and self.together:
            await self.together.wait()
        if (table, key) in self.forbidden:
            return JSONResponse({"info": "Forbidden"}, 403)
        for thing in self.tables.get(table, ()):
            if thing["id"] == key:
                return JSONResponse(thing)
        return JSONResponse({"info": "Resource not found!"}, 404)

    async def _runs(self, request: Request) -> Response:
        if (refusal := self._refusal(request)) is not None:
            return refusal
        number = request.query_params.get("proposal_number")
        if not any(str(proposal["number"]) == number for proposal in self.tables["proposals"]):
            return JSONResponse({"info": f"Proposal number {number} not found"}, 404)
        runs = [run for run in self.tables["runs"] if str(run["proposal_number"]) == number]
        shown = [{key: value for key, value in run.items() if key != "proposal_number"} for run in runs]
        return self._page(request, shown)

    async def _raw_data_groups(self, request: Request) -> Response:
        if (refusal := self._refusal(request)) is not None:
            return refusal
        runs = self.tables["runs"]
        if len(self._places) != len(runs):
            self._places = {(str(run["proposal_number"]), str(run["run_number"])): run["id"] for run in runs}
        asked = request.query_params
        run = self._places.get((asked.get("proposal_number", ""), asked.get("run_number", "")))
        if run is None:
            return JSONResponse({"info": "Resource not found!"}, 404)
        return JSONResponse(self.data_groups.get(run, []))

    def _page(self, request: Request, things: list[dict[str, Any]]) -> Response:
        things = [*self.odd, *things]
        try:
            page, size = (
                int(request.query_params.get(key, default))
                for key, default in (("page", 1), ("page_size", 100))
            )
        except ValueError:
            return JSONResponse({"info": "page and page_size are numbers"}, 422)
        if page < 1 or not 1 <= size <= MAX_PAGE_SIZE:
            return JSONResponse({"info": "page or page_size out of range"}, 422)
        headers = {
            "X-Total-Pages": str(math.ceil(len(things) / size)),
            "X-Count-Per-Page": str(size),
            "X-Current-Page": str(page),
            "X-Total-Count": str(len(things)),
        }
        return JSONResponse(things[(page - 1) * size : page * size - self.withheld], headers=headers)


def _asked(request: Request) -> str:
    asked = [f"{k}={v}" for k, v in request.query_params.items() if k not in ("page", "page_size")]
    return f"{request.url.path.rstrip('/').rsplit('/', 1)[-1]}?{'&'.join(asked)}"
