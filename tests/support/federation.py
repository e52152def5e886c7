"""A realm as a Federation declares it, on a real Keycloak, with a facility and people."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote

import httpx2
from panosc_operator.api import Facility, Federation
from panosc_operator.clients.keycloak import KeptRealm
from panosc_operator.kinds.federation.account import Account
from panosc_operator.kinds.federation.realm import OPERATOR, Login, realm
from panosc_operator.kinds.relations import REALM, audience_of

from support import keycloak
from support.known import settings

NAMESPACE = "geant:panosc.example.org"
PASSWORD = "only-in-this-test"
_CLIENT = "tests"
"""A client that no Federation declares, by which people log in without a browser."""


@dataclass
class Community:
    """The realm, and who has logged in."""

    server: keycloak.Server
    facility: str
    _refresh: dict[tuple[str, str], str] = field(default_factory=dict)

    @property
    def issuer(self) -> str:
        return self.server.issuer(REALM)

    @property
    def audience(self) -> str:
        return audience_of(self.facility)

    def person(self, name: str, *groups: str) -> None:
        """Somebody in these groups, `/esrf/staff`, which are made where they are not there."""
        for group in groups:
            self._group(group)
        self.server.admin(
            "POST",
            f"/{REALM}/users",
            {
                "username": name,
                "firstName": name.title(),
                "lastName": "Marsh",
                "email": f"{name}@example.org",
                "enabled": True,
                "groups": list(groups),
                "credentials": [{"type": "password", "value": PASSWORD, "temporary": False}],
            },
        )

    def token(self, name: str, scope: str = "") -> str:
        """A new access token of somebody for the facility's services, with more scopes if they are asked."""
        known = self._refresh.get((name, scope))
        form = (
            {"grant_type": "refresh_token", "refresh_token": known}
            if known
            else {
                "grant_type": "password",
                "username": name,
                "password": PASSWORD,
                "scope": " ".join(filter(None, ("openid", scope))),
            }
        )
        answer = self.server.client.post(
            f"{self.issuer}/protocol/openid-connect/token", data={"client_id": _CLIENT, **form}
        )
        assert answer.is_success, answer.text
        told = answer.json()
        self._refresh[name, scope] = told["refresh_token"]
        return str(told["access_token"])

    def _group(self, path: str) -> dict[str, Any]:
        by_path = f"/{REALM}/group-by-path/{quote(path[1:], safe='/=')}"
        above, _, name = path.rpartition("/")
        parent = self._group(above)["id"] if above else None
        where = f"/{REALM}/groups/{parent}/children" if parent else f"/{REALM}/groups"
        present = self.server.admin("GET", f"{where}?max=-1")
        if name not in [one["name"] for one in present]:
            self.server.admin("POST", where, {"name": name})
        return dict(self.server.admin("GET", by_path))


def declared(server: keycloak.Server, facility: str, hosts: Mapping[str, str]) -> Community:
    """The realm of a Federation with one facility; `hosts`: where its services are, by name."""
    server.admit(OPERATOR, keycloak.SECRET)
    spec = {
        "displayName": "PaNOSC",
        "identifierScope": "panosc.example.org",
        "entitlementNamespace": NAMESPACE,
    }
    federation = Federation.model_validate({"metadata": {"name": "panosc"}, "spec": spec})
    member = Facility.model_validate(
        {"metadata": {"name": facility}, "spec": {"displayName": facility.upper()}}
    )
    login = Login(member, Account("of-the-facility", "1"), tuple(hosts))
    wanted = realm(federation, settings(), Account(keycloak.SECRET, "1"), {facility: login}, {}, {})
    community = Community(server, facility)
    services = wanted.scopes[community.audience].mappers["services"]["config"]
    for name, address in hosts.items():
        usual = settings().url_of(f"{name}.{facility}.{settings().base_domain}")
        services["claim.value"] = services["claim.value"].replace(usual, address)

    async def keep() -> None:
        async with httpx2.AsyncClient(timeout=60) as client:
            told = await KeptRealm(replace(wanted, url=server.url)).ask(client)
        assert "error" not in told, told

    asyncio.run(keep())
    limits = [name for name in wanted.scopes if name.startswith("panosc:")]
    server.admin(
        "POST",
        f"/{REALM}/clients",
        {
            "clientId": _CLIENT,
            "publicClient": True,
            "standardFlowEnabled": False,
            "directAccessGrantsEnabled": True,
            "defaultClientScopes": ["basic", "profile", "email", "panosc", community.audience],
            "optionalClientScopes": limits,
        },
    )
    return community
