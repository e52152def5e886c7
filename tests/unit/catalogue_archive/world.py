"""A facility with a dataset in every state and people of every role: real catalogue, archive and receiver.

The catalogue runs in a server of the test's own, so that what the archive asks it can be noted; archive and
receiver are processes. Tokens are those of a real Keycloak whose realm is as a Federation declares it.
"""

import json
import math
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import h5py
import httpx2
import jwt
import psycopg
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from panosc_catalogue import store
from panosc_catalogue.migrate import migrate
from panosc_catalogue.records import DocumentRecord
from panosc_catalogue.settings import Settings
from panosc_catalogue.web.app import create_app
from panosc_common.access import Reason, Role
from panosc_common.audit import EVENT
from panosc_common.signed import Keys, Link
from pydantic import SecretStr
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from support import keycloak, postgres
from support.federation import NAMESPACE, Community, declared
from support.service_accounts import ARCHIVE, Issuer
from unit.archive.harness import Process, archive_command, free_port, wait_for
from unit.catalogue.service import serving

FACILITY = "facility"
TOKEN_SECONDS = 300.0
"""Half of the time for which the realm's tokens are valid."""
ARCHIVE_URL = "http://archive.example.org"
FILES = 32
"""Files of each dataset: each way takes one of its own, as archives keep for a second what is visible."""
LONG_AGO, TODAY = "2015-06-01T12:00:00Z", time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


@dataclass(frozen=True)
class State:
    """What a dataset is in; its proposal is called like it."""

    name: str
    end: str = LONG_AGO
    change: str = "title = title"
    """What the facility has decided since, of its document."""
    is_public: bool = False
    is_gone: bool = False
    was_public: bool = False
    instrument: str = "I"

    @property
    def is_proprietary(self) -> bool:
        return "proprietary" in self.change

    @property
    def title(self) -> str:
        """What everything that shows something of it names."""
        return f"title-of-{self.name}"

    @property
    def pid(self) -> str:
        return f"set/{self.name}"

    def file(self, number: int) -> str:
        return f"{self.name}/run{number}.nxs"

    @property
    def shared(self) -> str:
        """Its file in a folder where every state has one."""
        return f"shared/{self.name}.nxs"

    @property
    def files(self) -> list[str]:
        return sorted([self.shared, *map(self.file, range(FILES))])


STATES = [
    State("open", is_public=True, was_public=True),
    State("early", TODAY, "released_at = '2025-01-01Z'", is_public=True, was_public=True),
    State("embargoed", TODAY),
    State("extended", change="extended_until = '2100-01-01Z'"),
    State("proprietary", change="proprietary_decided = true"),
    State("withdrawn", TODAY, is_gone=True),
    State("tombstone", is_gone=True, was_public=True),
    State("foreign", TODAY, instrument="J"),
]
"""`foreign` is what another proposal measured elsewhere."""
OPEN = STATES[0]
MISSING = State("nowhere", is_gone=True)
"""What there has never been."""


@dataclass(frozen=True)
class Person:
    """Who asks: what their groups and the scope of their token make them."""

    groups: tuple[str, ...] = ()
    scope: str = ""
    proposals: frozenset[str] = frozenset()
    instrument: str = ""
    everything: bool = False
    is_public: bool = False
    """They send no token."""
    by_link: bool = False
    """They send what a member of these proposals had signed."""


OWN = frozenset(one.name for one in STATES if one.name != "foreign")
PROPOSALS = tuple(f"facility:proposals:{name}" for name in sorted(OWN))
PEOPLE = {
    "public": Person(is_public=True),
    "nobody in particular": Person(),
    "member": Person(PROPOSALS, proposals=OWN),
    "member with a token to read": Person(PROPOSALS, "panosc:read", OWN),
    "member with a token for other things": Person(PROPOSALS, "panosc:teams panosc:put"),
    "member of another proposal": Person(("facility:proposals:foreign",), proposals=frozenset({"foreign"})),
    "member of a proposal elsewhere": Person(tuple(f"elsewhere:proposals:{name}" for name in sorted(OWN))),
    "staff of the instrument": Person(("facility:instruments:I",), instrument="I"),
    "staff of another instrument": Person(("facility:instruments:J",), instrument="J"),
    "staff": Person(("facility:staff",), everything=True),
    "administrator": Person(("facility:role=admin",), everything=True),
    "user office": Person(("facility:role=user-office",)),
    "administrator of the federation": Person(("federation:role=admin",)),
    "holder of a member's link": Person(proposals=OWN, is_public=True, by_link=True),
}


def sees(who: Person, state: State) -> bool:
    """The rule, all of it: whether somebody may see data in this state."""
    if state.is_gone:
        return False
    concerns_them = state.name in who.proposals or state.instrument == who.instrument
    return state.is_public or who.everything or concerns_them


def named(answer: httpx2.Response) -> set[str]:
    """The states of whose datasets an answer says anything, in headers or body, but what was asked."""
    said = str(answer.headers) + answer.content.decode(errors="replace")
    asked = unquote(str(answer.request.url))

    def names(state: State) -> bool:
        is_known = state.pid in asked
        return state.title in said or (
            not is_known and (state.pid in said or quote(state.pid, safe="") in said)
        )

    return {one.name for one in STATES if names(one)}


@dataclass
class Login:
    """A realm as a Federation declares it, which signs by a key that the tests have, too."""

    community: Community
    key: RSAPrivateKey
    kid: str

    @property
    def issuer(self) -> str:
        return self.community.issuer

    def token(self, who: str) -> str:
        """A new token of one of PEOPLE."""
        return self.community.token(_username(who), PEOPLE[who].scope)

    def forged(self, *groups: str, kid: str | None = None, key: Any = None, **changes: Any) -> str:
        """A token as the realm issues it to somebody in these groups, but for the changes."""
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": self.community.audience,
            "sub": "ada",
            "iat": now,
            "exp": now + 60,
        }
        claims["entitlements"] = [f"urn:{NAMESPACE}:group:{group}" for group in groups]
        return jwt.encode(claims | changes, key or self.key, "RS256", headers={"kid": kid or self.kid})


def _username(who: str) -> str:
    return who.replace(" ", "-").replace("'", "")


def log_in_at(server: keycloak.Server) -> Login:
    """The login with all PEOPLE, in groups as a Federation has them."""
    community, key = declared(server, FACILITY, {}), generate_private_key(65537, 2048)
    component = {**keycloak.signing(key, 200), "providerType": "org.keycloak.keys.KeyProvider"}
    server.admin("POST", "/panosc/components", component)
    for who, person in PEOPLE.items():
        if not person.is_public:
            groups = [f"/{group.replace(':', '/')}" for group in person.groups]
            community.person(_username(who), *groups)
    login = Login(community, key, "")
    login.kid = str(jwt.get_unverified_header(login.token("nobody in particular"))["kid"])
    return login


@dataclass
class Noting:
    """ASGI middleware that notes what archives ask."""

    app: ASGIApp
    asked: list[dict[str, Any]] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        note: dict[str, Any] = {"body": b""}
        if scope["type"] == "http" and scope["path"].startswith("/internal/"):
            note["asked"] = scope["method"], scope["raw_path"].decode()
            # Before it is answered, which may be sooner than this goes on.
            self.asked.append(note)

        async def noting() -> Message:
            message = await receive()
            note["body"] += message.get("body", b"")
            return message

        await self.app(scope, noting, send)


@dataclass
class World:
    """What the tests ask."""

    root: Path
    login: Login
    catalogue: httpx2.Client
    archive: httpx2.Client
    uploads: httpx2.Client
    noting: Noting
    link_keys: Path
    log: Path
    """The archive's output: its audit log among its messages."""
    own: str
    """The token of the archive's service account."""

    _tokens: dict[str, tuple[float, str]] = field(default_factory=dict)

    def headers(self, who: str) -> dict[str, str]:
        """With a token, the same for a while, if they send any."""
        if PEOPLE[who].is_public:
            return {}
        since, token = self._tokens.get(who, (-math.inf, ""))
        if time.monotonic() - since > TOKEN_SECONDS:
            token = self.login.token(who)
            self._tokens[who] = time.monotonic(), token
        return {"Authorization": f"Bearer {token}"}

    def link(self, resource: str, proposals: frozenset[str], **changes: Any) -> str:
        """What the archive signs for a member of these proposals."""
        reasons = tuple(Reason(role=Role.MEMBER, of=name) for name in sorted(proposals))
        link: dict[str, Any] = {
            "archive": "archive",
            "subject": "ada",
            "resource": resource,
            "reasons": reasons,
        }
        link["expires"] = int(time.time()) + 60
        return Keys(self.link_keys).sign(Link.model_validate(link | changes))

    def audited(self) -> list[dict[str, Any]]:
        """What the archive has recorded."""
        return [json.loads(line) for line in self.log.read_text().splitlines() if f'"{EVENT}"' in line]


def measure(path: Path, state: State, number: int) -> None:
    """A NeXus file, of which every part says whose it is."""
    path.parent.mkdir(exist_ok=True)
    with h5py.File(path, "w") as file:
        file.attrs["default"] = "entry"
        entry = file.create_group("entry")
        entry.attrs.update({"NX_class": "NXentry", "default": state.title})
        entry["title"] = state.title
        data = entry.create_group(state.title)
        data.attrs.update({"NX_class": "NXdata", "signal": "counts", "title": state.title})
        data["counts"] = [number, 1, 4]


def proposal(state: State) -> DocumentRecord:
    dataset = {
        "pid": state.pid,
        "doi": f"10.5072/{state.name}",
        "title": state.title,
        "creationDate": state.end,
        "keywords": [state.title],
        "instrument": {"pid": state.instrument, "name": state.instrument, "facility": "Facility"},
        "samples": [{"pid": f"sample of {state.name}", "name": f"sample {state.title}"}],
        "parameters": [{"name": "note", "value": state.title}],
        "files": [{"name": path, "path": path, "size": 1} for path in state.files],
    }
    given = {"pid": state.name, "title": "Proposal", "endDate": state.end, "datasets": [dataset]}
    return DocumentRecord.model_validate(given)


@contextmanager
def world(base: Path) -> Iterator[World]:
    root, policy, configuration = base / "data", base / "policy.json", base / "catalogue.json"
    root.mkdir()
    for state in STATES:
        measure(root / state.shared, state, 0)
        for number in range(FILES):
            measure(root / state.file(number), state, number)
    with h5py.File(root / OPEN.file(0), "a") as leading:
        # What anybody may open leads to all others, and to what is not there.
        for state in (*STATES, MISSING):
            leading[f"to {state.name}"] = h5py.ExternalLink(f"../{state.file(FILES - 1)}", "/entry")
    policy.write_text(json.dumps({"embargo": {"months": 36}}))
    issuer = Issuer()
    keys, own = base / "links/archive", base / "tokens/127.0.0.1"
    for folder in (keys, own.parent):
        folder.mkdir(parents=True)
    (keys / "current").write_text("k" * 43)
    own.write_text(issuer.token())
    issuer.write_callers(base / "callers.json", {ARCHIVE: "archive"})
    with ExitStack() as cleanup:
        enter = cleanup.enter_context
        database = enter(postgres.server())
        login = log_in_at(enter(keycloak.server(database)))
        url = database.url()
        migrate(url)
        connection = enter(psycopg.connect(url, autocommit=True))
        with connection.transaction():
            store.write(connection, map(proposal, STATES), store.Origin("beamlines", "archive"))
        audience = login.community.audience
        aai = {"issuer": login.issuer, "audience": audience, "entitlementNamespace": NAMESPACE}
        nexus = {"archive": "archive", "root": str(root), "archiveUrl": ARCHIVE_URL}
        source = {"name": "beamlines", "nexus": nexus}
        config = {"facility": {"contactEmail": "data@example.org"}, "sources": [source], "aai": aai}
        configuration.write_text(json.dumps(config | {"publicUrl": "http://catalogue.example.org"}))
        settings = Settings(
            database_url=SecretStr(url),
            policy_file=policy,
            config_file=configuration,
            callers_file=base / "callers.json",
            link_keys=keys.parent,
            administrator_token_file=base / "none",
        )
        noting = Noting(create_app(settings))
        catalogue = enter(serving(noting))
        for state in STATES:
            connection.execute(f"UPDATE document SET {state.change} WHERE pid = %s", (state.name,))
        # What harvesters were told of once is remembered when it is gone.
        harvest = "/oai?verb=ListIdentifiers&metadataPrefix=oai_dc"
        assert all(one.pid in catalogue.get(harvest).text for one in STATES if one.was_public)
        gone = [one.pid for one in STATES if one.is_gone]
        connection.execute("UPDATE dataset SET deleted_at = now() WHERE pid = ANY(%s)", (gone,))
        environment = {
            "PANOSC_ARCHIVE_DATA_DIRECTORY": str(root),
            "PANOSC_ARCHIVE_STATE_DIRECTORY": str(base / "state"),
            "PANOSC_ARCHIVE_LINK_KEYS": str(keys),
            "PANOSC_ARCHIVE_CATALOGUE_TOKENS": str(own.parent),
            "PANOSC_ARCHIVE_CATALOGUE_URLS": json.dumps([str(catalogue.base_url).rstrip("/")]),
            "PANOSC_ARCHIVE_UPLOADS": json.dumps(
                {
                    "facility": FACILITY,
                    "login": aai,
                    "proposalDirectory": 1,
                    "maxBytes": 1000,
                    "keepSeconds": 60,
                }
            ),
        }

        ports = {what: free_port() for what in ("serve", "receive")}
        logs = {what: base / f"{what}.log" for what in ports}
        started = {
            what: enter(Process(archive_command(what, "--port", str(port)), environment, logs[what]))
            for what, port in ports.items()
        }
        clients = []
        for what, port in ports.items():
            url = f"http://127.0.0.1:{port}"
            wait_for(f"{url}/healthz", started[what].process, logs[what])
            clients.append(enter(httpx2.Client(base_url=url, timeout=30, trust_env=False)))
        archive, uploads = clients
        yield World(root, login, catalogue, archive, uploads, noting, keys, logs["serve"], own.read_text())
