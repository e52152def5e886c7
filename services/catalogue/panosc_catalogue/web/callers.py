"""Which services may ask for what is not for people: those whose service account the operator names."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import structlog
from panosc_common.mounted import MountedFile
from panosc_common.problem import Problem
from panosc_common.service_accounts import CHALLENGE, HEADER, Callers
from panosc_common.tokens import KeySet, Refused, Verifier
from starlette.requests import Request
from starlette.responses import Response

Endpoint = Callable[[Request], Awaitable[Response]]

log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True)
class _Known:
    verifier: Verifier
    accounts: frozenset[str]


def _known(content: bytes) -> _Known:
    callers = Callers.model_validate_json(content)
    verifier = Verifier(callers.issuer, callers.audience, KeySet(callers.keys))
    return _Known(verifier, frozenset(callers.accounts))


class Gate:
    """Lets the callers pass that a file names, which is read again when accounts or keys change."""

    def __init__(self, file: Path) -> None:
        """Raises ValueError if the file is not there or not valid: without it nobody could be told apart."""
        self._file = MountedFile(file, _known)

    def guarded(self, endpoint: Endpoint) -> Endpoint:
        """The endpoint, for these callers only: others are refused, by 401 or, if they are known, 403."""

        async def answer(request: Request) -> Response:
            await self._admit(request)
            return await endpoint(request)

        return answer

    async def _admit(self, request: Request) -> None:
        token = request.headers.get(HEADER)
        if token is None:
            raise _refused(request, f"only archives may ask this, with their token in {HEADER}")
        known = self._file.current()
        try:
            claims = await known.verifier.claims(token)
        except Refused as error:
            raise _refused(request, f"the token in {HEADER} is not taken: {error.why}") from error
        if claims["sub"] not in known.accounts:
            log.warning("another service account refused", path=request.url.path, subject=claims["sub"])
            raise Problem(403, "this service account may not ask this")


def _refused(request: Request, detail: str) -> Problem:
    log.warning("caller refused", path=request.url.path, why=detail)
    return Problem(401, detail, headers={"WWW-Authenticate": CHALLENGE})
