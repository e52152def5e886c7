"""What archives ask: which of their files whoever asks them may see. Not routed to the outside.

An archive passes on the token that came with a request; without one it asks for the public.
"""

from panosc_common.problem import Problem
from panosc_common.server import OrjsonResponse
from pydantic import BaseModel, Field, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from panosc_catalogue.paging import page_limit
from panosc_catalogue.query.model import VISIBLE_DATASETS
from panosc_catalogue.site import Site

MAX_PATHS = 1000
# Visibility is decided per row by an index look-up; the files of one directory are a range of the index.
_VISIBLE_FILES = f"visible_file f JOIN {VISIBLE_DATASETS} d ON d.id = f.dataset_id"


class _Paths(BaseModel):
    paths: list[str] = Field(max_length=MAX_PATHS)


def routes(site: Site) -> list[BaseRoute]:
    """What archives may ask this catalogue."""
    answers = _Answers(site)
    return [
        Route("/internal/archives/{archive}/visible", answers.visible, methods=["POST"]),
        Route("/internal/archives/{archive}/children", answers.children),
        Route("/internal/datasets/{pid:path}/files", answers.files),
    ]


class _Answers:
    def __init__(self, site: Site) -> None:
        self._site = site

    async def visible(self, request: Request) -> Response:
        """`POST /internal/archives/{archive}/visible`: which of the paths are public files."""
        try:
            asked = _Paths.model_validate_json(await request.body())
        except ValidationError as error:
            raise Problem(400, f'the body must be {{"paths": [{MAX_PATHS} at most]}}: {error}') from error
        sql = (
            f"SELECT DISTINCT f.path FROM {_VISIBLE_FILES} "  # noqa: S608
            "WHERE f.archive = %(archive)s AND f.path = ANY(%(paths)s)"
        )
        parameters = {
            "archive": request.path_params["archive"],
            "paths": [p for p in asked.paths if "\0" not in p],
        }
        site = await self._site.asked_by(request)
        rows = await site.rows(sql, parameters)
        return OrjsonResponse({"visible": [path for (path,) in rows]})

    async def children(self, request: Request) -> Response:
        """`GET /internal/archives/{archive}/children`: names below a directory that lead to public files."""
        query = request.query_params
        directory = query.get("directory", "").strip("/")
        limit = page_limit(query, default=MAX_PATHS, maximum=MAX_PATHS)
        prefix = f"{directory}/" if directory else ""
        sql = f"""
            SELECT name, bool_or(below) FROM (
                SELECT split_part(rest, '/', 1) AS name, strpos(rest, '/') > 0 AS below FROM (
                    SELECT substr(f.path, length(%(prefix)s::text) + 1) AS rest FROM {_VISIBLE_FILES}
                    WHERE f.archive = %(archive)s AND f.path ^@ %(prefix)s::text
                ) files
            ) names
            WHERE name COLLATE "C" > %(after)s::text
            GROUP BY name ORDER BY name COLLATE "C" LIMIT %(limit)s
        """  # noqa: S608
        parameters = {
            "archive": request.path_params["archive"],
            "prefix": prefix,
            "after": query.get("after", ""),
            "limit": limit + 1,
        }
        site = await self._site.asked_by(request)
        rows = await site.rows(sql, parameters)
        page = rows[:limit]
        entries = [{"name": name, "type": "directory" if below else "file"} for name, below in page]
        return OrjsonResponse({"entries": entries, "next": page[-1][0] if len(rows) > len(page) else None})

    async def files(self, request: Request) -> Response:
        """`GET /internal/datasets/{pid}/files`: a public dataset's files."""
        sql = f"""
            SELECT d.title, coalesce(
                json_agg(
                    json_build_object('archive', f.archive, 'path', f.path, 'size', f.size) ORDER BY f.path)
                    FILTER (WHERE f.id IS NOT NULL),
                '[]'::json)
            FROM {VISIBLE_DATASETS} d LEFT JOIN visible_file f ON f.dataset_id = d.id
            WHERE d.pid COLLATE "C" = %(pid)s GROUP BY d.id, d.title
        """  # noqa: S608
        pid = request.path_params["pid"]
        site = await self._site.asked_by(request)
        rows = await site.rows(sql, {"pid": pid})
        if not rows:
            raise Problem(404, "there is no such public dataset")
        title, files = rows[0]
        return OrjsonResponse({"pid": pid, "title": title, "files": files})
