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
    verifier: Verifier | None
    """None where there are no archives, for which nobody asks for keys."""
    archives: dict[str, str]


def _known(content: bytes) -> _Known:
    callers = Callers.model_validate_json(content)
    if not callers.accounts:
        return _Known(None, {})
    verifier = Verifier(callers.issuer, callers.audience, KeySet(callers.keys))
    return _Known(verifier, callers.accounts)


class Gate:
    """Lets the callers pass that a file names, which is read again when accounts or keys change."""

    def __init__(self, file: Path) -> None:
        """Raises ValueError if the file is not there or not valid: without it nobody could be told apart."""
        self._file = MountedFile(file, _known)

    def guarded(self, endpoint: Endpoint) -> Endpoint:
        """The endpoint, for these callers only: others are refused, by 401 or, if they are known, 403.

        It finds the archive that asks in the request's state, by the name `archive`.
        """

        async def answer(request: Request) -> Response:
            request.state.archive = await self._admitted(request)
            return await endpoint(request)

        return answer

    async def _admitted(self, request: Request) -> str:
        """The archive that asks, which is not to ask about another."""
        token = request.headers.get(HEADER)
        if token is None:
            raise _refused(request, f"only archives may ask this, with their token in {HEADER}")
        known = self._file.current()
        if known.verifier is None:
            raise _refused(request, "there are no archives that may ask this")
        try:
            claims = await known.verifier.claims(token)
        except Refused as error:
            raise _refused(request, f"the token in {HEADER} is not taken: {error.why}") from error
        archive = known.archives.get(claims["sub"])
        about = {request.path_params.get("archive", archive), request.query_params.get("archive", archive)}
        if archive is None or about != {archive}:
            log.warning("another service account refused", path=request.url.path, subject=claims["sub"])
            # Nor is this a matter of whoever asks the archive.
            raise Problem(
                403, "this service account may not ask this", headers={"WWW-Authenticate": CHALLENGE}
            )
        return archive


def _refused(request: Request, detail: str) -> Problem:
    log.warning("caller refused", path=request.url.path, why=detail)
    return Problem(401, detail, headers={"WWW-Authenticate": CHALLENGE})
