"""Keeps a realm of Keycloak as declared, by its admin API, and leaves alone what was not declared.

Every step compares first and writes what differs, so that it may be repeated after any failure. What was
made here carries `MARK`, and goes when it is declared no more; but groups and accounts stay, as who is in
which group is known nowhere else. https://www.keycloak.org/docs-api/latest/rest-api/index.html
"""

from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any
from urllib.parse import quote

import httpx2
import structlog

from panosc_operator.clients.realm import OFFLINE, Body, Directory, Realm, Step, Upstream

log = structlog.get_logger(__name__)

MARK = "panosc.eu"
"""Attribute of what was made here, with what it was made from."""
CALL_SECONDS = 30.0
KEEP_SECONDS = 120.0
INTERVAL_SECONDS = 60.0
UNKEPT_INTERVAL_SECONDS = 10.0
_REPORTED = 512
_MANAGEMENT, _ADMINISTRATOR = "realm-management", "realm-admin"
_PRIORITY = 10
"""Between one step of a flow and the next, as Keycloak counts them."""
_STORAGE = "org.keycloak.storage.UserStorageProvider"
_STORAGE_MAPPER = "org.keycloak.storage.ldap.mappers.LDAPStorageMapper"
_Place = tuple[str, ...]
"""A step of a flow: its name, after those of the flows that it is in."""


class Refused(Exception):
    """Keycloak's answer to a call that it did not carry out."""


@dataclass(frozen=True)
class KeptRealm:
    """A realm that is looked at again and again."""

    realm: Realm

    @property
    def seconds(self) -> float:
        """How long it may take to keep it."""
        return KEEP_SECONDS

    async def ask(self, client: httpx2.AsyncClient) -> dict[str, Any]:
        """Make the realm as it should be, and report.

        The report has `version`, and `error` if it could not be made so, else `identityProviders` with
        `name`, `offered` and `message`, and `userDirectories` with `name`, `connected` and `message`. Raises
        HTTPError while Keycloak does not answer.
        """
        keeper = _Keeper(self.realm, client)
        try:
            await keeper.keep()
        except Refused as refusal:
            return {"version": self.realm.version, "error": str(refusal)[:_REPORTED]}
        finally:
            if keeper.changed:
                log.info("realm changed", realm=self.realm.name, changes=keeper.changed)
        return {
            "version": self.realm.version,
            "identityProviders": keeper.upstreams,
            "userDirectories": keeper.directories,
        }

    def interval(self, said: dict[str, Any] | None) -> float:
        """Seconds until the realm is looked at again."""
        return UNKEPT_INTERVAL_SECONDS if said is None or "error" in said else INTERVAL_SECONDS


def contains(actual: Any, wanted: Any) -> bool:
    """Whether every field that is wanted has its value; lists of names are sets, as Keycloak returns them in
    any order."""
    if isinstance(wanted, Mapping):
        return isinstance(actual, Mapping) and all(
            contains(actual.get(name), value) for name, value in wanted.items()
        )
    if isinstance(wanted, (list, tuple)) and isinstance(actual, list):
        if all(isinstance(each, str) for each in wanted):
            return sorted(actual) == sorted(wanted)
        return len(actual) == len(wanted) and all(map(contains, actual, wanted))
    return bool(actual == wanted)


def merged(actual: Any, wanted: Any) -> Any:
    """The actual representation with the wanted fields."""
    if isinstance(wanted, Mapping) and isinstance(actual, Mapping):
        return {**actual, **{name: merged(actual.get(name), value) for name, value in wanted.items()}}
    return wanted


@dataclass
class _Keeper:
    """One run over a realm."""

    realm: Realm
    client: httpx2.AsyncClient
    token: str = ""
    changed: list[str] = field(default_factory=list)
    """What had to be written, in words."""
    upstreams: list[dict[str, Any]] = field(default_factory=list)
    directories: list[dict[str, Any]] = field(default_factory=list)

    async def keep(self) -> None:
        wish = self.realm
        self.token = await self._authenticate()
        await self._keep_realm()
        await self._keep_mail()
        await self._keep_profile()
        await self._keep_first_login()
        # The realm names its flow, which has to be there.
        await self._keep_settings({"firstBrokerLoginFlow": wish.first_login})
        scopes = await self._keep_scopes()
        await self._keep_clients(scopes)
        await self._keep_groups()
        await self._keep_default_role()
        await self._keep_upstreams()
        await self._keep_directories()

    async def _authenticate(self) -> str:
        form = {
            "grant_type": "client_credentials",
            "client_id": self.realm.client_id,
            "client_secret": self.realm.client_secret,
        }
        answer = await self.client.post(
            f"{self.realm.url}/realms/master/protocol/openid-connect/token", data=form, timeout=CALL_SECONDS
        )
        if answer.is_server_error:
            answer.raise_for_status()
        if not answer.is_success:
            raise Refused(
                f"Keycloak does not take the operator's account {self.realm.client_id} "
                f"({answer.status_code}): was its database restored without the Secret, or the reverse?"
            )
        return str(answer.json()["access_token"])

    async def _call(self, method: str, path: str, body: Any = None, *, missing: bool = False) -> Any:
        """The decoded answer below `/admin/realms`; None for 404 with `missing`, and without content.

        Raises Refused for what Keycloak does not do.
        """
        answer = await self._request(method, path, body)
        if answer.status_code == httpx2.codes.UNAUTHORIZED:  # a run over many facilities outlives a token
            self.token = await self._authenticate()
            answer = await self._request(method, path, body)
        if answer.status_code == httpx2.codes.NOT_FOUND and missing:
            return None
        if not answer.is_success:
            # Its words name fields and never values of secrets.
            raise Refused(f"Keycloak refused {method} {path} ({answer.status_code}): {answer.text[:200]}")
        return answer.json() if answer.content else None

    async def _request(self, method: str, path: str, body: Any) -> httpx2.Response:
        return await self.client.request(
            method,
            f"{self.realm.url}/admin/realms{path}",
            json=body,
            headers={"Authorization": f"Bearer {self.token}"},
            timeout=CALL_SECONDS,
        )

    def _path(self, *parts: str) -> str:
        return "/".join(["", quote(self.realm.name), *parts])

    async def _keep_realm(self) -> None:
        if await self._call("GET", self._path(), missing=True) is None:
            await self._call("POST", "", {"realm": self.realm.name, **self.realm.settings})
            self.changed.append("the realm was not there")
        await self._keep_settings(self.realm.settings)

    async def _keep_settings(self, settings: Body) -> None:
        actual = await self._call("GET", self._path())
        if not contains(actual, settings):
            await self._call("PUT", self._path(), merged(actual, settings))
            self.changed.append(f"settings of the realm: {_differing(actual, settings)}")

    async def _keep_mail(self) -> None:
        """The mail server; what others set is left alone while none is declared."""
        mail, actual = self.realm.mail, await self._call("GET", self._path())
        present = {name: value for name, value in actual["smtpServer"].items() if name != "password"}
        wanted = {**mail.settings, MARK: mail.version} if mail else {}
        if present == wanted or (not mail and MARK not in present):
            return
        secret = {"password": mail.password} if mail and mail.password else {}
        await self._call("PUT", self._path(), {**actual, "smtpServer": {**wanted, **secret}})
        self.changed.append("the mail server")

    async def _keep_profile(self) -> None:
        path = self._path("users", "profile")
        actual = await self._call("GET", path)
        present = {one["name"]: one for one in actual["attributes"]}
        wanted = {one["name"]: one for one in self.realm.attributes}
        if all(contains(present.get(name), one) for name, one in wanted.items()):
            return
        kept = [one for name, one in present.items() if name not in wanted]
        await self._call("PUT", path, {**actual, "attributes": [*kept, *wanted.values()]})
        self.changed.append("the attributes of people")

    async def _keep_first_login(self) -> None:
        """A copy of Keycloak's own flow with the steps as declared; Refused if one is not in its place."""
        name, wanted = self.realm.first_login, dict(_places(self.realm.first_login_steps))
        flows = await self._call("GET", self._path("authentication", "flows"))
        if all(flow["alias"] != name for flow in flows):
            origin = self._path("authentication", "flows", quote("first broker login"), "copy")
            await self._call("POST", origin, {"newName": name})
            self.changed.append(f"the flow {name} was not there")
        path = self._path("authentication", "flows", quote(name), "executions")
        present: dict[_Place, Any] = {}
        foreign = []
        for place, step in _placed(name, await self._call("GET", path)):
            if place in wanted and place not in present:
                present[place] = step
            else:
                foreign.append(step)
        # Before anything is told: a step in place of one that is gone may open somebody's account to others.
        for step in foreign:
            where = self._path("authentication", "executions", step["id"])
            await self._call("DELETE", where, missing=True)
            self.changed.append(f"step {step['displayName']} of first logins")
        if lacking := sorted(" > ".join(place) for place in wanted.keys() - present.keys()):
            raise Refused(
                f"the flow {name} lacks {', '.join(lacking)}: add it again in the console's Authentication"
            )
        for place, want in wanted.items():
            step = present[place]
            beside = [present[one]["priority"] for one in wanted if one[:-1] == place[:-1]]
            body = {**step, "requirement": want.requirement}
            if any(one >= other for one, other in pairwise(beside)):
                body["priority"] = _PRIORITY * list(wanted).index(place)
            if body != step:
                await self._call("PUT", path, body)
                self.changed.append(f"whether, or when, first logins need {step['displayName']}")

    async def _keep_scopes(self) -> dict[str, str]:
        """Client scopes and their mappers; the ids of all by name."""
        wanted = {
            name: {
                "name": name,
                "protocol": "openid-connect",
                "attributes": {
                    MARK: "yes",
                    "include.in.token.scope": "true",
                    "display.on.consent.screen": str(bool(scope.consent)).lower(),
                    "consent.screen.text": scope.consent,
                },
            }
            for name, scope in self.realm.scopes.items()
        }
        ids = await self._keep_all("client-scopes", "name", wanted, "client scope")
        for name, scope in self.realm.scopes.items():
            where = self._path("client-scopes", ids[name], "protocol-mappers", "models")
            mappers = {
                mapper: {"name": mapper, "protocol": "openid-connect", **body}
                for mapper, body in scope.mappers.items()
            }
            await self._keep_exactly(where, mappers, f"client scope {name}")
        defaults = {name for name, scope in self.realm.scopes.items() if scope.default}
        path = self._path("default-default-client-scopes")
        await self._assign(path, ids, defaults, "every client", among={*self.realm.scopes, OFFLINE})
        return ids

    async def _keep_clients(self, scopes: Mapping[str, str]) -> None:
        wanted = {
            name: {
                "clientId": name,
                "protocol": "openid-connect",
                **client.settings,
                "attributes": {MARK: "yes", **client.settings.get("attributes", {})},
            }
            for name, client in self.realm.clients.items()
        }
        ids = await self._keep_all("clients", "clientId", wanted, "client")
        for name, client in self.realm.clients.items():
            for kind, assigned in (("default", client.scopes), ("optional", client.optional_scopes)):
                path = self._path("clients", ids[name], f"{kind}-client-scopes")
                await self._assign(path, scopes, assigned, f"client {name}")
            # All that its tokens say is in scopes.
            where = self._path("clients", ids[name], "protocol-mappers", "models")
            await self._keep_exactly(where, {}, f"client {name}")

    async def _assign(
        self,
        path: str,
        ids: Mapping[str, str],
        wanted: Iterable[str],
        whose: str,
        among: Set[str] | None = None,
    ) -> None:
        """Give the scopes, and take away all others, or of those only the ones in `among`."""
        if gone := sorted(set(wanted) - ids.keys()):
            raise Refused(f"there is no client scope {gone[0]}, which {whose} needs: add it in the console")
        present = {one["name"] for one in await self._call("GET", path)}
        for name in sorted(set(wanted) - present):
            await self._call("PUT", f"{path}/{ids[name]}")
            self.changed.append(f"scope {name} of {whose}")
        for name in sorted((present if among is None else present & among) - set(wanted)):
            await self._call("DELETE", f"{path}/{ids[name]}")
            self.changed.append(f"scope {name} of {whose}")

    async def _keep_all(
        self, collection: str, key: str, wanted: Mapping[str, Body], what: str
    ) -> dict[str, str]:
        """Make these as wanted, and remove those that carry our mark and are wanted no more; ids by key."""
        path = self._path(collection)
        present = {one[key]: one for one in await self._call("GET", f"{path}?max=-1")}
        for name, body in wanted.items():
            await self._keep_one(path, present.get(name), body, f"{what} {name}")
        for name, actual in present.items():
            if name not in wanted and MARK in (actual.get("attributes") or {}):
                await self._call("DELETE", f"{path}/{actual['id']}")
                self.changed.append(f"{what} {name} is wanted no more")
        if wanted.keys() - present.keys():
            present = {one[key]: one for one in await self._call("GET", f"{path}?max=-1")}
        return {name: actual["id"] for name, actual in present.items()}

    async def _keep_exactly(self, path: str, wanted: Mapping[str, Body], whose: str, query: str = "") -> None:
        """Make the mappers of something of ours, found by `query`, as wanted; others have no place there."""
        present = {one["name"]: one for one in await self._call("GET", f"{path}{query}")}
        for name, body in wanted.items():
            await self._keep_one(path, present.get(name), body, f"mapper {name} of {whose}")
        for name in present.keys() - wanted.keys():
            await self._call("DELETE", f"{path}/{present[name]['id']}")
            self.changed.append(f"mapper {name} of {whose} is not declared")

    async def _keep_one(self, path: str, actual: Any, body: Body, what: str) -> None:
        """Make this member of a collection, None if it is not there, as wanted."""
        if actual is None:
            await self._call("POST", path, body)
            self.changed.append(f"{what} was not there")
        elif not contains(actual, body):
            await self._call("PUT", f"{path}/{actual['id']}", merged(actual, body))
            self.changed.append(f"{what}: {_differing(actual, body)}")

    async def _keep_groups(self) -> None:
        ids: dict[str, str] = {}
        for path in self.realm.groups:
            by_path = self._path("group-by-path", quote(path[1:], safe="/="))
            found = await self._call("GET", by_path, missing=True)
            if found is None:
                above, _, name = path.rpartition("/")
                where = ("groups", ids[above], "children") if above else ("groups",)
                await self._call("POST", self._path(*where), {"name": name})
                self.changed.append(f"group {path} was not there")
                found = await self._call("GET", by_path)
            ids[path] = found["id"]
            await self._keep_roles(path, found)
        # Who is in one, somebody has decided.
        for group in await self._call("GET", self._path("default-groups")):
            await self._call("DELETE", self._path("default-groups", group["id"]))
            self.changed.append(f"group {group['path']} was everybody's")

    async def _keep_roles(self, path: str, group: Any) -> None:
        """Of groups, that of the administrators has one role; what others open is told by who is in them."""
        wanted = {_MANAGEMENT: [_ADMINISTRATOR]} if path == self.realm.administrators else {}
        if group["clientRoles"] == wanted and not group["realmRoles"]:
            return
        where = self._path("groups", group["id"], "role-mappings")
        actual = await self._call("GET", where)
        if "realmMappings" in actual:
            await self._call("DELETE", f"{where}/realm", actual["realmMappings"])
        for client, of_client in actual.get("clientMappings", {}).items():
            extra = [role for role in of_client["mappings"] if role["name"] not in wanted.get(client, ())]
            if extra:
                await self._call("DELETE", f"{where}/clients/{of_client['id']}", extra)
        if wanted:
            role = await self._administrator()
            await self._call("POST", f"{where}/clients/{role['containerId']}", [role])
        self.changed.append(f"the roles of group {path}")

    async def _keep_default_role(self) -> None:
        """What everybody may do has nothing of administration."""
        everybody = (await self._call("GET", self._path()))["defaultRole"]["id"]
        path = self._path("roles-by-id", everybody, "composites")
        administration = (await self._administrator())["containerId"]
        if given := await self._call("GET", f"{path}/clients/{administration}"):
            await self._call("DELETE", path, given)
            self.changed.append("roles of administration were everybody's")

    async def _administrator(self) -> Any:
        """The role by which somebody administers the realm."""
        (management,) = await self._call("GET", self._path(f"clients?clientId={_MANAGEMENT}"))
        return await self._call("GET", self._path("clients", management["id"], "roles", _ADMINISTRATOR))

    async def _keep_upstreams(self) -> None:
        path = self._path("identity-provider", "instances")
        present = {one["alias"]: one for one in await self._call("GET", path)}
        for name, upstream in self.realm.upstreams.items():
            try:
                await self._keep_upstream(path, name, upstream, present.get(name))
                message = ""
            except Refused as refusal:
                message = str(refusal)[:_REPORTED]
            offered = not message or name in present
            self.upstreams.append({"name": name, "offered": offered, "message": message})
        for name, actual in present.items():
            if name in self.realm.upstreams or MARK not in actual.get("config", {}) or not actual["enabled"]:
                continue
            # With it would go who is who there: when it comes back, they would be strangers.
            await self._call("PUT", f"{path}/{name}", {**actual, "enabled": False})
            self.changed.append(f"identity provider {name} is offered no more")

    async def _keep_upstream(self, path: str, name: str, upstream: Upstream, actual: Any) -> None:
        body = {"alias": name, "providerId": "oidc", **upstream.settings}
        secret = {"clientSecret"}
        shown = {**body, "config": {k: v for k, v in body["config"].items() if k not in secret}}
        # Also where its keys are: whoever changes that could be anybody.
        discovered = await self._discover(upstream.issuer)
        shown["config"] = {**discovered, **shown["config"], MARK: upstream.version}
        if not contains(actual, shown):
            wanted = {**shown, "config": {**shown["config"], **body["config"]}}
            if actual is None:
                await self._call("POST", path, wanted)
                self.changed.append(f"identity provider {name} was not there")
            else:
                await self._call("PUT", f"{path}/{name}", merged(actual, wanted))
                self.changed.append(f"identity provider {name}: {_differing(actual, shown)}")
        mappers = {
            mapper: {"name": mapper, "identityProviderAlias": name, **one}
            for mapper, one in upstream.mappers.items()
        }
        await self._keep_exactly(f"{path}/{name}/mappers", mappers, f"identity provider {name}")

    async def _discover(self, issuer: str) -> dict[str, Any]:
        """What the provider publishes about itself, read by Keycloak, which has to reach it anyway."""
        address = f"{issuer}/.well-known/openid-configuration"
        form = {"fromUrl": address, "providerId": "oidc"}
        try:
            found = await self._call("POST", self._path("identity-provider", "import-config"), form)
        except Refused:
            raise Refused(
                f"{address} can't be read: is that the provider's issuer, and can it be reached?"
            ) from None
        if not isinstance(found, dict) or found.get("issuer") != issuer:
            named = found.get("issuer") if isinstance(found, dict) else None
            raise Refused(f"{address} names another issuer, {named}: give that one")
        return found

    async def _keep_directories(self) -> None:
        """LDAP servers; those declared no more are switched off, as with them would go their people, and the
        identifiers of these."""
        path, present = self._path("components"), await self._present_directories()
        for name, directory in self.realm.directories.items():
            try:
                await self._keep_directory(path, name, directory, present.get(name))
                message = ""
            except Refused as refusal:
                message = str(refusal)[:_REPORTED]
            self.directories.append({"name": name, "connected": not message, "message": message})
        for name, actual in present.items():
            if name not in self.realm.directories and actual.get("subType", "").startswith(MARK):
                off = {"config": {"enabled": ["false"]}}
                await self._keep_one(path, actual, off, f"user directory {name}, which is wanted no more")

    async def _keep_directory(self, path: str, name: str, directory: Directory, actual: Any) -> None:
        config = {key: [value] for key, value in directory.settings.items()}
        # Of the fields that it has for our mark, Keycloak keeps and shows this one.
        mark = {"subType": f"{MARK}/{directory.version}"}
        body = {"name": name, "providerId": "ldap", "providerType": _STORAGE, **mark, "config": config}
        if not contains(actual, body):
            secret = {"config": {**config, "bindCredential": [directory.password]}}
            await self._keep_one(path, actual, {**body, **secret}, f"user directory {name}")
        made = actual or (await self._present_directories())[name]
        mappers = {
            mapper: {
                "name": mapper,
                "providerId": one["providerId"],
                "providerType": _STORAGE_MAPPER,
                "parentId": made["id"],
                "config": {key: [value] for key, value in one["config"].items()},
            }
            for mapper, one in directory.mappers.items()
        }
        await self._keep_exactly(path, mappers, f"user directory {name}", f"?parent={made['id']}")
        await self._bind(directory, made["id"])

    async def _present_directories(self) -> dict[str, Any]:
        listed = await self._call("GET", self._path(f"components?type={_STORAGE}"))
        return {one["name"]: one for one in listed if one["providerId"] == "ldap"}

    async def _bind(self, directory: Directory, component: str) -> None:
        """Have Keycloak look whether the server takes the account that it has."""
        names = ("connectionUrl", "startTls", "useTruststoreSpi", "connectionTimeout", "authType", "bindDn")
        settings = {name: directory.settings[name] for name in names}
        stored = {"componentId": component, "bindCredential": "**********"}
        test = {"action": "testAuthentication", **settings, **stored}
        try:
            await self._call("POST", self._path("testLDAPConnection"), test)
        except Refused as refusal:
            where, who = settings["connectionUrl"], settings["bindDn"]
            raise Refused(f"{who} can't bind to {where}: {refusal}") from None


def _places(steps: Iterable[Step], above: _Place = ()) -> Iterator[tuple[_Place, Step]]:
    """Steps by their places, in their order."""
    for step in steps:
        place = (*above, step.name)
        yield place, step
        yield from _places(step.steps, place)


def _placed(flow: str, executions: Iterable[Any]) -> Iterator[tuple[_Place, Any]]:
    """A flow's steps by their places, as Keycloak lists them: each before those within it."""
    place: _Place = ()
    for one in executions:
        # A copy's flows within the flow have its name before theirs.
        name = one.get("providerId") or one["displayName"].removeprefix(f"{flow} ")
        place = (*place[: one["level"]], name)
        yield place, one


def _differing(actual: Any, wanted: Body) -> str:
    """Names of the fields, never their values."""
    return ", ".join(
        sorted(name for name, value in wanted.items() if not contains((actual or {}).get(name), value))
    )
