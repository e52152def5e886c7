"""Answers that a client may keep but asks about before each use: what is public changes by the second."""

import hashlib
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response

Endpoint = Callable[[Request], Awaitable[Response]]


def revalidated(endpoint: Endpoint) -> Endpoint:
    """The endpoint; where the client has the same already, it is told so (304) without the content."""

    async def answer(request: Request) -> Response:
        response = await endpoint(request)
        response.headers.setdefault("Cache-Control", "no-cache")
        if response.status_code != 200:
            return response
        # Weak, since a gateway may compress.
        tag = f'W/"{hashlib.blake2s(response.body, digest_size=12).hexdigest()}"'
        response.headers["ETag"] = tag
        if not _has(request.headers.get("if-none-match", ""), tag):
            return response
        kept = {k: v for k, v in response.headers.items() if k not in ("content-type", "content-length")}
        return Response(status_code=304, headers=kept)

    return answer


def _has(tags: str, tag: str) -> bool:
    given = {one.strip().removeprefix("W/") for one in tags.split(",")}
    return bool({"*", tag.removeprefix("W/")} & given)
