"""Who has an access token, as the facility's login says."""

import httpx2

from panosc_common import access
from panosc_common.access import Login, Principal
from panosc_common.tokens import PublishedKeys, Verifier
from panosc_common.userinfo import UserInfo


class Authenticator:
    """Knows whom a login has given its tokens."""

    def __init__(self, login: Login, client: httpx2.AsyncClient) -> None:
        keys = PublishedKeys(login.issuer, client, address=login.keys)
        self._verifier = Verifier(login.issuer, login.audience, keys)
        self._userinfo = UserInfo(login.issuer, client) if login.userinfo else None

    async def principal(self, token: str) -> Principal:
        """Who has the token.

        Raises Problem: 401 for a token that is not taken, 503 while it cannot be verified or the login does
        not say who it is.
        """
        claims = await self._verifier.claims(token)
        if self._userinfo:
            claims = await self._userinfo.completed(token, claims)
        return access.principal(claims)
