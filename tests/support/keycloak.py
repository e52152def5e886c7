"""A real Keycloak for tests: a server of one's own on the loopback, on a PostgreSQL database."""

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from panosc_dev import downloads, images
from panosc_dev.paths import REPOSITORY, cache_directory
from panosc_dev.toolchain import locked

from support import postgres

ADMINISTRATOR, PASSWORD = "admin", "only-in-this-test"
SECRET = PASSWORD
"""Of the clients that `realm` makes."""


def _built() -> Path:
    """Keycloak as its image has it, which takes half a minute, the once."""
    dist = downloads.directory_of(downloads.KEYCLOAK)
    ours = images.files_below(REPOSITORY, ["images/keycloak/assemble.sh", "services/login"])
    tag = images.content_tag(REPOSITORY, ours, dist.name)
    target = cache_directory() / "tools" / f"keycloak-assembled-{tag}"
    with locked(target.with_name(f".{target.name}.lock")):
        if not target.is_dir():
            partial = target.with_name(f".{target.name}.partial")
            shutil.rmtree(partial, ignore_errors=True)
            script, source = REPOSITORY / "images/keycloak/assemble.sh", REPOSITORY / "services/login"
            subprocess.run([script, dist, source, partial], check=True, capture_output=True)
            os.rename(partial, target)
    return target


@dataclass
class Server:
    """A running Keycloak; `stop` and `start` let a test take it away and bring it back."""

    database: str
    port: int
    management_port: int
    directory: Path
    authority: Path | None = None
    """Certificate that it trusts beside the public ones."""
    process: subprocess.Popen[bytes] | None = None
    client: httpx2.Client = field(default_factory=lambda: httpx2.Client(timeout=30))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def issuer(self, realm: str) -> str:
        return f"{self.url}/realms/{realm}"

    def start(self) -> None:
        """Start and wait until it answers."""
        host, _, database = self.database.removeprefix("postgresql://postgres@").partition("/")
        options = {
            "http-enabled": "true",
            "http-host": "127.0.0.1",
            "http-port": str(self.port),
            "http-management-port": str(self.management_port),
            "hostname": self.url,
            "db-url": f"jdbc:postgresql://{host}/{database}",
            "db-username": "postgres",
            "db-password": "unused",
            "cache": "local",
            **({"truststore-paths": str(self.authority)} if self.authority else {}),
        }
        bootstrap = {
            "KC_BOOTSTRAP_ADMIN_USERNAME": ADMINISTRATOR,
            "KC_BOOTSTRAP_ADMIN_PASSWORD": PASSWORD,
        }
        with (self.directory / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    _built() / "bin/kc.sh",
                    "start",
                    "--optimized",
                    *(f"--{name}={value}" for name, value in options.items()),
                ],
                env=os.environ | bootstrap,
                stdout=log,
                stderr=log,
                start_new_session=True,  # the script starts Java, which is to stop with it
            )
        deadline = time.monotonic() + 240
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                if self.client.get(f"http://127.0.0.1:{self.management_port}/health/ready").is_success:
                    return
            except httpx2.TransportError:
                pass
            time.sleep(0.2)
        raise RuntimeError(f"Keycloak did not start:\n{(self.directory / 'log').read_text()[-2000:]}")

    def stop(self) -> None:
        """Stop and wait until nothing of it is left."""
        if self.process is not None:
            group = self.process.pid
            os.killpg(group, signal.SIGTERM)
            self.process.wait(30)
            self.process = None
            with suppress(ProcessLookupError):
                while True:
                    os.killpg(group, 0)
                    time.sleep(0.1)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """While it takes connections and says nothing."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.killpg(self.process.pid, signal.SIGCONT)

    def token(self, realm: str, **form: str) -> str:
        """An access token from the realm's token endpoint."""
        answer = self.client.post(f"{self.issuer(realm)}/protocol/openid-connect/token", data=form)
        assert answer.is_success, answer.text
        return str(answer.json()["access_token"])

    def admin(self, method: str, path: str, body: Any = None) -> Any:
        """An answer of the admin API below `/admin/realms`."""
        form = {"grant_type": "password", "username": ADMINISTRATOR, "password": PASSWORD}
        token = self.token("master", client_id="admin-cli", **form)
        answer = self.client.request(
            method, f"{self.url}/admin/realms{path}", json=body, headers={"Authorization": f"Bearer {token}"}
        )
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def admit(self, client: str, secret: str) -> None:
        """Make a client whose program administers everything, as the first start makes the operator's."""
        self.admin(
            "POST", "/master/clients", {"clientId": client, "secret": secret, "serviceAccountsEnabled": True}
        )
        (made,) = self.admin("GET", f"/master/clients?clientId={client}")
        account = self.admin("GET", f"/master/clients/{made['id']}/service-account-user")
        role = self.admin("GET", "/master/roles/admin")
        self.admin("POST", f"/master/users/{account['id']}/role-mappings/realm", [role])


@contextmanager
def server(on: postgres.Server, authority: Path | None = None) -> Iterator[Server]:
    """A Keycloak for as long as the context lasts, in a database of its own; it trusts the authority."""
    directory = Path(tempfile.mkdtemp(prefix="panosc-keycloak-"))
    name = on.create()
    running = Server(on.url(name), postgres.free_port(), postgres.free_port(), directory, authority)
    try:
        running.start()
        yield running
    finally:
        running.stop()
        shutil.rmtree(directory, ignore_errors=True)


def realm(name: str, audience: str, claims: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """A realm with a client for everybody in `claims`, whose tokens are for the audience and say so much."""
    return {
        "realm": name,
        "enabled": True,
        "sslRequired": "none",
        "clients": [
            {
                "clientId": who,
                "secret": SECRET,
                "serviceAccountsEnabled": True,
                # None of Keycloak's own that says something of addresses, too.
                "defaultClientScopes": ["basic"],
                "protocolMappers": [
                    _mapper(
                        "oidc-audience-mapper",
                        "audience",
                        {"included.custom.audience": audience, "access.token.claim": "true"},
                    ),
                    *(claim(name, value) for name, value in said.items()),
                ],
            }
            for who, said in claims.items()
        ],
    }


def credentials(who: str) -> dict[str, str]:
    """The form by which a client of `realm` gets its token."""
    return {"client_id": who, "client_secret": SECRET, "grant_type": "client_credentials"}


def claim(name: str, value: Any, where: str = "access.token.claim") -> dict[str, Any]:
    """A mapper that says the same of everybody; `where`: the setting of the place where it says so."""
    config = {"claim.name": name, "claim.value": json.dumps(value), "jsonType.label": "JSON", where: "true"}
    return _mapper("oidc-hardcoded-claim-mapper", name, config)


def signing(key: RSAPrivateKey, priority: int) -> dict[str, Any]:
    """Component of a realm that signs with this key, where no other has a higher priority."""
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    config = {"privateKey": [pem], "priority": [str(priority)], "algorithm": ["RS256"]}
    return {"name": f"key {priority}", "providerId": "rsa", "config": config}


def claims(token: str) -> dict[str, Any]:
    """What a token says, taken at its word."""
    return dict(jwt.decode(token, options={"verify_signature": False}))


def _mapper(kind: str, name: str, config: Mapping[str, str]) -> dict[str, Any]:
    return {"name": name, "protocol": "openid-connect", "protocolMapper": kind, "config": dict(config)}
