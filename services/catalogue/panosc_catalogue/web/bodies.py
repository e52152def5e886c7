"""What is wrong with a body that somebody sent."""

from pydantic import ValidationError


def first_error(error: ValidationError) -> tuple[tuple[int | str, ...], str | int | float | bool | None, str]:
    """Where the first error is, the value if it is a simple one, and why it is not taken."""
    first = error.errors(include_url=False, include_context=False)[0]
    value = first["input"] if isinstance(first["input"], str | int | float | bool) else None
    return first["loc"], value, first["msg"].removeprefix("Value error, ")
