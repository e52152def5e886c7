"""What comes with a request, read as far as it is allowed to go."""

from panosc_common.problem import Problem
from starlette.requests import Request


async def body_of(request: Request, most: int, what: str, remedy: str) -> bytes:
    """The request's body; raises Problem (413) if it has more than `most` bytes."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            raise Problem(413, f"{what} has at most {most} bytes: {remedy}")
    return bytes(body)
