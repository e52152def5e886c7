"""How many items a request asks for at a time."""

from collections.abc import Mapping

from panosc_common.problem import Problem


def page_limit(query: Mapping[str, str], *, default: int, maximum: int) -> int:
    """The request's `limit`.

    Raises Problem 400 if it is no number from 1 to `maximum`.
    """
    given = query.get("limit", str(default))
    # The length first: Python refuses to read numbers of thousands of digits.
    if len(given) > len(str(maximum)) or not given.isdecimal() or not 1 <= int(given) <= maximum:
        raise Problem(400, f"limit must be a number from 1 to {maximum}")
    return int(given)
