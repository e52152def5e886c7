"""Who may decide as the facility's staff: whoever has the administrator's token, until people can log in."""

import hmac
from pathlib import Path

from panosc_common.problem import Problem
from starlette.requests import Request

_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="data policy"'}


def check(request: Request, token_file: Path) -> None:
    """Raise Problem unless the request has the token.

    The file is read each time: a new token holds from the next request on.
    """
    try:
        token = token_file.read_bytes().strip()
    except FileNotFoundError:
        token = b""
    if not token:
        raise Problem(
            503,
            "deciding about the data policy is switched off: there is no administrator's token; put one into "
            f"{token_file}, which the operator does from the Secret <catalogue>-administrator",
        )
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not given:
        raise Problem(
            401, "this is for the facility's staff: send Authorization: Bearer <token>", headers=_CHALLENGE
        )
    if not hmac.compare_digest(given.strip().encode("latin-1", "replace"), token):
        raise Problem(
            401,
            "that is not the administrator's token: the Secret <catalogue>-administrator has it",
            headers=_CHALLENGE,
        )
