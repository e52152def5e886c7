"""What archives ask: which of their files whoever asks them may see. Not routed to the outside.

An archive passes on the token or the signed link that came with a request; without one it asks for the
public. Answers say who asks, and of what is not public why they see it, for the archive's audit log.
The archive itself shows who it is by the token of its service account.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from panosc_common import access
from panosc_common.problem import Problem
from panosc_common.server import OrjsonResponse
from panosc_common.signed import SCHEME, Keys, NotTaken, archive_of
from panosc_common.tokens import CLOCK_SKEW_SECONDS, Refused
from pydantic import BaseModel, Field, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from panosc_catalogue.paging import page_limit
from panosc_catalogue.query.model import CLOCK, MONTHS, VISIBLE_DATASETS
from panosc_catalogue.site import Site
from panosc_catalogue.web.callers import Endpoint, Gate

MAX_PATHS = 1000
# Visibility is decided per row by an index look-up; the files of one directory are a range of the index.
_VISIBLE_FILES = f"visible_file f JOIN {VISIBLE_DATASETS} d ON d.id = f.dataset_id"


_GROUNDS = "array_agg(DISTINCT ground) FILTER (WHERE NOT is_public)"


class _Paths(BaseModel):
    paths: list[str] = Field(max_length=MAX_PATHS)


def routes(site: Site, link_keys: Path, gate: Gate | None) -> list[BaseRoute]:
    """What archives may ask this catalogue; without a gate, whoever reaches it may."""
    answers = _Answers(site, link_keys)

    def route(path: str, endpoint: Endpoint, method: str = "GET") -> Route:
        return Route(path, gate.guarded(endpoint) if gate else endpoint, methods=[method])

    return [
        route("/internal/archives/{archive}/visible", answers.visible, "POST"),
        route("/internal/archives/{archive}/children", answers.children),
        route("/internal/datasets/{pid:path}/files", answers.files),
        route("/internal/embargo", answers.embargo),
    ]


class _Answers:
    def __init__(self, site: Site, link_keys: Path) -> None:
        self._site = site
        self._link_keys = link_keys

    async def _asked_by(self, request: Request) -> Site:
        """The catalogue as whoever asks the archive may see it. Raises Problem, 401 for what is not taken."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme != SCHEME:
            return await self._site.asked_by(request, access.Scope.READ)
        try:
            archive = archive_of(token)
            if archive != _asking(request, archive):
                raise Problem(403, "another archive's links are for it alone")
            keys = Keys(self._link_keys / archive)
            # The archive has looked at the time, by its own clock, and at what the link is for.
            link = keys.verified(token, archive, leeway=CLOCK_SKEW_SECONDS)
        except NotTaken as error:
            raise Refused(error.detail) from error
        return await self._site.linked_by(link)

    async def visible(self, request: Request) -> Response:
        """`POST /internal/archives/{archive}/visible`: which of the paths are visible files."""
        try:
            asked = _Paths.model_validate_json(await request.body())
        except ValidationError as error:
            raise Problem(400, f'the body must be {{"paths": [{MAX_PATHS} at most]}}: {error}') from error
        # A file that is of several datasets is public if one of them is.
        sql = f"""
            SELECT DISTINCT ON (f.path) f.path, d.is_public, d.pid, d.grounds
            FROM {_VISIBLE_FILES} WHERE f.archive = %(archive)s AND f.path = ANY(%(paths)s)
            ORDER BY f.path, d.is_public DESC, d.pid
        """  # noqa: S608
        parameters = {
            "archive": request.path_params["archive"],
            "paths": [p for p in asked.paths if "\0" not in p],
        }
        site = await self._asked_by(request)
        rows = await site.rows(sql, parameters)
        closed = {
            path: {"dataset": pid, "reason": _told(site, grounds)}
            for path, is_public, pid, grounds in rows
            if not is_public
        }
        return OrjsonResponse(
            {"visible": [row[0] for row in rows], "subject": site.viewer.subject, "closed": closed}
        )

    async def children(self, request: Request) -> Response:
        """`GET /internal/archives/{archive}/children`: names below a directory that lead to visible files."""
        query = request.query_params
        directory = query.get("directory", "").strip("/")
        limit = page_limit(query, default=MAX_PATHS, maximum=MAX_PATHS)
        prefix = f"{directory}/" if directory else ""
        site = await self._asked_by(request)
        grounds = "NULL::text[]" if site.viewer.is_public else _GROUNDS
        sql = f"""
            SELECT name, bool_or(below), {grounds} FROM (
                SELECT split_part(rest, '/', 1) AS name, strpos(rest, '/') > 0 AS below, is_public, ground
                FROM (
                    SELECT substr(f.path, length(%(prefix)s::text) + 1) AS rest, d.is_public,
                        d.grounds AS ground
                    FROM {_VISIBLE_FILES}
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
        rows = await site.rows(sql, parameters)
        page = rows[:limit]
        return OrjsonResponse(
            {
                "entries": [
                    {"name": name, "type": "directory" if below else "file"} for name, below, _ in page
                ],
                "next": page[-1][0] if len(rows) > len(page) else None,
                "subject": site.viewer.subject,
                "reasons": _all_told(site, (ground for *_, grounds in page for ground in grounds or ())),
            }
        )

    async def files(self, request: Request) -> Response:
        """`GET /internal/datasets/{pid}/files`: a dataset's files, those of the archive that asks.

        It learns nothing of datasets that it has no file of: its key signs links in anybody's name.
        """
        archive = _asking(request)
        sql = f"""
            SELECT d.title, d.is_public, d.grounds, coalesce(
                json_agg(
                    json_build_object('archive', f.archive, 'path', f.path, 'size', f.size) ORDER BY f.path)
                    FILTER (WHERE f.id IS NOT NULL),
                '[]'::json)
            FROM {VISIBLE_DATASETS} d {"JOIN" if archive else "LEFT JOIN"} visible_file f
                ON f.dataset_id = d.id AND f.archive = coalesce(%(archive)s::text, f.archive)
            WHERE d.pid COLLATE "C" = %(pid)s GROUP BY d.id, d.title, d.is_public, d.grounds
        """  # noqa: S608
        pid = request.path_params["pid"]
        site = await self._asked_by(request)
        rows = await site.rows(sql, {"pid": pid, "archive": archive})
        if not rows:
            raise Problem(404, "there is no such dataset, or whoever asks may not see it")
        title, is_public, grounds, files = rows[0]
        return OrjsonResponse(
            {
                "pid": pid,
                "title": title,
                "files": files,
                "subject": site.viewer.subject,
                "reasons": [] if is_public else _all_told(site, [grounds]),
            }
        )

    async def embargo(self, request: Request) -> Response:
        """`GET /internal/embargo`: why a signed link to a file or dataset leads to nothing, if by an embargo.

        For links alone: whoever has one knows what it leads to. The end of an embargo is the proposal's,
        whose description is public; not so where the beamtime is proprietary.
        """
        if not request.headers.get("Authorization", "").startswith(f"{SCHEME} "):
            raise Problem(404, "there is nothing under this address")
        sql = f"""
            SELECT min(dataset_release(d, p, {MONTHS})) FROM dataset d JOIN document p ON p.id = d.document_id
            WHERE d.deleted_at IS NULL AND NOT d.proprietary
            AND NOT coalesce(p.proprietary_decided, p.proprietary, false)
            AND (d.pid = %(pid)s OR d.id = ANY(ARRAY(
                SELECT f.dataset_id FROM visible_file f WHERE f.archive = %(archive)s AND f.path = %(path)s
            )))
            AND (%(asking)s::text IS NULL OR EXISTS (
                SELECT FROM visible_file f WHERE f.dataset_id = d.id AND f.archive = %(asking)s
            ))
            AND NOT dataset_is_open(d, p, {MONTHS}, {CLOCK})
        """  # noqa: S608
        asked = {name: request.query_params.get(name) for name in ("archive", "path", "pid")}
        asked["asking"] = _asking(request)
        site = await self._asked_by(request)
        ((until,),) = await site.rows(sql, asked)
        return OrjsonResponse({"why": until and access.embargo(until)})


def _asking(request: Request, unknown: str | None = None) -> str | None:
    """The archive that asks; `unknown` where it need not show who it is."""
    found: str | None = getattr(request.state, "archive", unknown)
    return found


def _told(site: Site, grounds: list[Any]) -> dict[str, Any]:
    """Why whoever asks sees something that is not public."""
    return site.viewer.reason(grounds).model_dump(mode="json", exclude_none=True)


def _all_told(site: Site, grounds: Iterable[list[Any]]) -> list[dict[str, Any]]:
    """The same of many things, each reason once."""
    reasons = {site.viewer.reason(ground) for ground in grounds}
    return [reason.model_dump(mode="json", exclude_none=True) for reason in sorted(reasons, key=str)]
