"""Who asks, by the access token or signed link that came with the request, and which rows are theirs."""

from collections.abc import Awaitable, Callable, Collection
from typing import Any

import httpx2
from panosc_common import access
from panosc_common.access import Grants, Scope
from panosc_common.authentication import Authenticator
from panosc_common.problem import Problem
from panosc_common.signed import Link
from panosc_common.tokens import NotFor
from starlette.requests import Request

from panosc_catalogue.query.model import CLOCK
from panosc_catalogue.query.settled import PUBLIC, Viewer
from panosc_catalogue.records import PUBLICATION, instrument_pid, made_identifier
from panosc_catalogue.settings import Facility

Rows = Callable[[str, dict[str, Any]], Awaitable[list[tuple[Any, ...]]]]

# A proposal is theirs by an entitlement for its number or a group of it, by its source's word or by its team.
_OWN = f"""
WITH own AS (
    SELECT id FROM document WHERE type !~* %(publication)s AND pid = ANY(%(proposals)s::text[])
    UNION SELECT id FROM document
    WHERE type !~* %(publication)s AND groups && %(groups_of_proposals)s::text[] AND deleted_at IS NULL
    UNION SELECT document_id FROM named_by_sources(%(identities)s::text[], %(publication)s)
), joined AS (
    SELECT DISTINCT ON (p.id) p.id, p.pid, t.said_by, t.entry
    FROM teams_of(%(name)s, %(identities)s::text[], %(publication)s, {CLOCK}, %(entries)s::uuid[]) t
    JOIN document p ON p.id = team_document(%(name)s, t.proposal)
    WHERE p.type !~* %(publication)s AND p.id NOT IN (SELECT id FROM own)
    ORDER BY p.id, t.said_by DESC, t.entry
)
SELECT
    ARRAY(SELECT id FROM own UNION ALL SELECT id FROM joined),
    (SELECT coalesce(jsonb_object_agg(pid, jsonb_build_array(said_by, entry)), '{{}}') FROM joined),
    ARRAY(
        SELECT i.id FROM instrument i
        WHERE i.name = ANY(%(instruments)s::text[]) AND i.facility = %(facility)s
        OR i.pid = ANY(%(instrument_pids)s::text[])
    ),
    ARRAY(
        SELECT name FROM unnest(%(groups)s::text[]) AS name WHERE EXISTS (
            SELECT FROM dataset d WHERE d.groups @> ARRAY[name] AND d.groups <> '{{}}'
        ) ORDER BY name
    )
"""  # noqa: S608 -- our own expression


class Login:
    """Verifies the tokens of the facility's login, for one catalogue."""

    def __init__(
        self,
        aai: access.Login,
        facility: Facility,
        client: httpx2.AsyncClient,
        *,
        metadata: str | None = None,
    ) -> None:
        """`metadata`: where programs learn how to log in, which refusals tell (RFC 9728, section 5.1)."""
        self._authenticator = Authenticator(aai, client)
        self._metadata = metadata
        self._group = aai.root(facility.name)
        self._facility = facility

    async def viewer(self, request: Request, rows: Rows, scope: Scope) -> Viewer:
        """Whose data whoever sent the request may see, who needs a token for `scope` if it is limited.

        Raises Problem: 401 for a token that is not taken, 503 while it cannot be verified, 403 for one that
        is limited to other things; but without READ it shows what the public sees, as what is not shown must
        not be told from what is not there.
        """
        try:
            token = _bearer(request)
            if token is None:
                return PUBLIC
            asking = await self._authenticator.principal(token)
            if not asking.may(scope) and scope is not Scope.READ:
                raise NotFor(scope)
        except Problem as refusal:
            if self._metadata and (challenge := refusal.headers.get("WWW-Authenticate")):
                separator = "," if "=" in challenge else ""
                told = f'{challenge}{separator} resource_metadata="{self._metadata}"'
                refusal.headers["WWW-Authenticate"] = told
            raise
        if not asking.may(scope):
            return Viewer(subject=asking.subject, name=asking.name)
        granted = access.grants(asking, self._group)
        return await self._granted(granted, asking.subject, rows, asking.name, granted.groups)

    async def signer(self, link: Link, rows: Rows) -> Viewer:
        """What a signed link shows: as much of what whoever had it signed may see as it says.

        Whom a team names no more has lost it by that; who else left, is not known here.
        """
        return await self._granted(access.granted(link.reasons), link.subject, rows)

    async def _granted(
        self,
        granted: Grants,
        subject: str,
        rows: Rows,
        name: str = "",
        groups_of_proposals: Collection[str] = (),
    ) -> Viewer:
        """`groups_of_proposals`: groups that open whole proposals; reasons name what these opened."""
        named = {**self._named(granted), "groups_of_proposals": list(groups_of_proposals)}
        ((documents, teams, instruments, groups),) = await rows(_OWN, named)
        return Viewer(
            tuple(sorted(documents)),
            tuple(sorted(instruments)),
            granted.everything,
            tuple(groups),
            subject,
            name,
            teams,
            granted,
        )

    def _named(self, granted: Grants) -> dict[str, Any]:
        facility = self._facility
        return {
            "publication": PUBLICATION.pattern,
            "proposals": [
                pid
                for number in granted.proposals
                for pid in (number, made_identifier(f"{facility.name}:{number}"))
            ],
            "groups": list(granted.groups),
            "identities": list(granted.identities),
            "entries": list(granted.entries),
            "name": facility.name,
            "instruments": list(granted.instruments),
            "instrument_pids": [instrument_pid(facility.name, name) for name in granted.instruments],
            "facility": facility.label,
        }


def _bearer(request: Request) -> str | None:
    """The token that came with the request; None if none did.

    Raises Problem (401) for another way to say who asks, which would be passed over silently.
    """
    given = request.headers.get("Authorization")
    if given is None:
        return None
    scheme, _, token = given.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Problem(
            401,
            "Authorization must be `Bearer <access token>`; leave it out for what is public",
            headers={"WWW-Authenticate": "Bearer"},
        )
    return token.strip()
