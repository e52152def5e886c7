"""A real OpenLDAP for tests: a server of one's own on the loopback, with TLS, in a temporary directory."""

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from support.postgres import free_port

SLAPD = "/usr/sbin/slapd"  # on no user's path
SUFFIX = "dc=aurora,dc=example"
PEOPLE = f"ou=people,{SUFFIX}"
BINDER, BIND_PASSWORD = f"cn=reader,{SUFFIX}", "of-who-looks-up"
PASSWORD = "their-own-elsewhere"
"""Of everybody in it."""
_CONFIGURATION = f"""
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
TLSCertificateFile server.crt
TLSCertificateKeyFile server.key
database mdb
suffix "{SUFFIX}"
rootdn "{BINDER}"
rootpw {BIND_PASSWORD}
directory data
"""
_ROOT = f"""
dn: {SUFFIX}
objectClass: domain
dc: aurora

dn: {PEOPLE}
objectClass: organizationalUnit
ou: people
"""


@dataclass
class Server:
    """A running server; `stop` and `start` let a test take it away and bring it back."""

    directory: Path
    port: int
    tls_port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Address with TLS."""
        return f"ldaps://localhost:{self.tls_port}"

    @property
    def plain_url(self) -> str:
        return f"ldap://localhost:{self.port}"

    @property
    def authority(self) -> Path:
        """Certificate that is to be trusted."""
        return self.directory / "server.crt"

    def start(self) -> None:
        """Start and wait until it answers."""
        with (self.directory / "log").open("ab") as log:
            self.process = subprocess.Popen(
                # With `-d` it stays in the foreground.
                [SLAPD, "-d", "0", "-f", "slapd.conf", "-h", f"{self.plain_url} {self.url}"],
                stdout=log,
                stderr=log,
                cwd=self.directory,
            )
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and self.process.poll() is None:
            asked = ["ldapsearch", "-x", "-H", self.plain_url, "-s", "base", "-b", ""]
            if subprocess.run(asked, capture_output=True, check=False).returncode == 0:
                return
            time.sleep(0.1)
        raise RuntimeError(f"slapd did not start:\n{(self.directory / 'log').read_text()[-2000:]}")

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(30)
            self.process = None

    def change(self, ldif: str) -> None:
        """Change entries, or add those without a `changetype`."""
        subprocess.run(
            ["ldapmodify", "-a", "-x", "-H", self.plain_url, "-D", BINDER, "-w", BIND_PASSWORD],
            input=ldif.strip() + "\n",
            text=True,
            check=True,
            capture_output=True,
        )

    def add(self, name: str) -> None:
        """Somebody new."""
        self.change(f"""
dn: uid={name},{PEOPLE}
objectClass: inetOrgPerson
uid: {name}
cn: {name.title()} Example
givenName: {name.title()}
sn: Example
mail: {name}@aurora.example
userPassword: {PASSWORD}
""")

    def remove(self, name: str) -> None:
        self.change(f"dn: uid={name},{PEOPLE}\nchangetype: delete")

    def replace(self, name: str, attribute: str, value: str) -> None:
        entry = f"dn: uid={name},{PEOPLE}\nchangetype: modify\n"
        self.change(f"{entry}replace: {attribute}\n{attribute}: {value}")


@contextmanager
def server() -> Iterator[Server]:
    """A server for as long as the context lasts, with a unit of people and nobody in it."""
    directory = Path(tempfile.mkdtemp(prefix="panosc-ldap-"))
    running = Server(directory, free_port(), free_port())
    make = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc"]
    try:
        subprocess.run(
            [
                *(*make, "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"),
                *("-keyout", directory / "server.key", "-out", running.authority),
            ],
            check=True,
            capture_output=True,
        )
        (directory / "slapd.conf").write_text(_CONFIGURATION)
        (directory / "data").mkdir()
        running.start()
        running.change(_ROOT)
        yield running
    finally:
        running.stop()
        shutil.rmtree(directory, ignore_errors=True)
