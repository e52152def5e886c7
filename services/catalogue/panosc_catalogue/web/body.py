"""What comes with a request: read as far as it is allowed to go, and what is wrong with it."""

from panosc_common.problem import Problem
from pydantic import ValidationError
from starlette.requests import Request


async def body_of(request: Request, most: int, what: str, remedy: str) -> bytes:
    """The request's body; raises Problem (413) if it has more than `most` bytes."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            raise Problem(413, f"{what} has at most {most} bytes: {remedy}")
    return bytes(body)


def first_error(error: ValidationError) -> tuple[tuple[int | str, ...], str | int | float | bool | None, str]:
    """Where the first error is, the value if it is a simple one, and why it is not taken."""
    first = error.errors(include_url=False, include_context=False)[0]
    value = first["input"] if isinstance(first["input"], str | int | float | bool) else None
    return first["loc"], value, first["msg"].removeprefix("Value error, ")
