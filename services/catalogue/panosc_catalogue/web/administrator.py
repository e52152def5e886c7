"""Who may decide as the facility: its administrators, by their login, and whoever has its token."""

import hmac
from pathlib import Path

from panosc_common.access import Role, Scope
from panosc_common.problem import Problem
from starlette.requests import Request

from panosc_catalogue.site import Site

PROGRAM = "administrator's token"
"""Who has decided, where it was the token."""
_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="data policy"'}
_REMEDY = "the Secret <catalogue>-administrator has it"


async def identified(request: Request, site: Site, token_file: Path) -> str:
    """The login's identifier of the administrator who sent the request, or PROGRAM.

    The file is read each time: a new token holds from the next request on.
    Raises Problem: 401 without a token that is taken, 403 for who is no administrator or has a token for
    other things, 503 while nobody can be one, or the login's keys are not known.
    """
    token = _kept(token_file)
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    has_given = scheme.lower() == "bearer" and bool(given)
    if token and has_given and hmac.compare_digest(given.strip().encode("latin-1", "replace"), token):
        return PROGRAM
    if site.login is None and not token:
        raise Problem(
            503,
            "deciding about the data policy is switched off: there is no administrator's token; put one into "
            f"{token_file}, which the operator does from the Secret <catalogue>-administrator",
        )
    if not has_given:
        how = "log in, or send" if site.login else "send"
        raise Problem(
            401,
            f"this is for the facility's administrators: {how} Authorization: Bearer <token>",
            headers=_CHALLENGE,
        )
    if site.login is None:
        raise Problem(401, f"that is not the administrator's token: {_REMEDY}", headers=_CHALLENGE)
    viewer = (await site.asked_by(request, Scope.POLICY)).viewer
    if viewer.subject is None or viewer.everything is not Role.ADMIN:
        raise Problem(
            403,
            "this is for the facility's administrators, and you are none of them: have one of them decide, "
            "or have whoever keeps the groups of the login make you one",
        )
    return viewer.subject


def _kept(token_file: Path) -> bytes:
    try:
        return token_file.read_bytes().strip()
    except FileNotFoundError:
        return b""
