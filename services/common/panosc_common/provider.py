"""What an OpenID Connect provider says of itself (OpenID Connect Discovery 1.0)."""

from collections.abc import Mapping
from typing import Any

import httpx2

ANSWER_SECONDS = 5.0
"""Time in which a provider gives what is asked of it, or counts as away."""
FAILURES = (httpx2.HTTPError, httpx2.InvalidURL, ValueError, TimeoutError)
"""What asking a provider raises."""


class Provider:
    """A provider, by its issuer."""

    def __init__(self, issuer: str, client: httpx2.AsyncClient) -> None:
        self.issuer = issuer
        self._client = client

    async def address(self, name: str) -> str:
        """The address that it says it has for something, such as `jwks_uri`. Raises one of FAILURES."""
        told = await self.get(f"{self.issuer.rstrip('/')}/.well-known/openid-configuration")
        if told.get("issuer") != self.issuer:
            raise ValueError(f"it calls itself {told.get('issuer')!r}")
        address = told.get(name)
        if not isinstance(address, str):
            raise ValueError(f"it says nothing of {name}")
        if self.issuer.startswith("https://") and not address.startswith("https://"):
            raise ValueError(f"its {name} is {address}, which anybody in between could change")
        return address

    async def get(self, url: str, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
        """The JSON object at an address of it. Raises one of FAILURES."""
        response = await self._client.get(url, headers=headers)
        response.raise_for_status()
        answer = response.json()
        if not isinstance(answer, dict):
            raise ValueError(f"{url} is answered with no JSON object")
        return answer
