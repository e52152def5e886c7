"""What takes files, as tests run it, and a login whose tokens it takes."""

import base64
import hashlib
import json
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import jwt
import uvicorn
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from unit.archive.harness import Process, archive_command, free_port, wait_for

ISSUER, AUDIENCE = "https://login.example.org/realms/panosc", "facility-esrf"
NAMESPACE = "geant:panosc.example.org"
KEY = generate_private_key(65537, 2048)
ADMIN, STAFF, INSTRUMENT, MEMBER = "role=admin", "staff", "instruments:id01", "proposals:hc1"
MAX_BYTES = 2**60


def token(*groups: str, subject: str = "ada", facility: str = "esrf", scope: str = "") -> str:
    now = int(time.time())
    entitlements = [f"urn:{NAMESPACE}:group:{facility}:{group}" for group in groups]
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": subject, "iat": now, "exp": now + 600, "scope": scope}
    return jwt.encode(claims | {"entitlements": entitlements}, KEY, "RS256", headers={"kid": "1"})


@contextmanager
def published_keys() -> Iterator[str]:
    """A login's keys, as it has them for whoever verifies its tokens."""
    key = jwt.algorithms.RSAAlgorithm.to_jwk(KEY.public_key(), as_dict=True) | {"kid": "1", "use": "sig"}

    async def answer(request: Request) -> Response:
        return JSONResponse({"keys": [key]})

    port = free_port()
    app = Starlette(routes=[Route("/keys", answer)])
    server = uvicorn.Server(uvicorn.Config(app, "127.0.0.1", port, log_config=None, lifespan="off"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield f"http://127.0.0.1:{port}/keys"
    finally:
        server.should_exit = True
        thread.join()


@dataclass
class Receiver:
    """What takes files."""

    base: Path
    keys: str
    port: int = field(default_factory=free_port)
    keep_seconds: float = 3600.0
    process: Process | None = None

    @property
    def root(self) -> Path:
        return self.base / "data"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/uploads"

    @property
    def environment(self) -> dict[str, str]:
        login = {
            "issuer": ISSUER,
            "audience": AUDIENCE,
            "entitlementNamespace": NAMESPACE,
            "keys": self.keys,
        }
        uploads = {
            "facility": "esrf",
            "login": login,
            "proposalDirectory": 1,
            "maxBytes": MAX_BYTES,
            "keepSeconds": self.keep_seconds,
        }
        return {
            "PANOSC_ARCHIVE_DATA_DIRECTORY": str(self.root),
            "PANOSC_ARCHIVE_UPLOADS": json.dumps(uploads),
            "PANOSC_ARCHIVE_PUBLIC_URL": f"http://127.0.0.1:{self.port}",
        }

    @property
    def log(self) -> Path:
        return self.base / "receive.log"

    def start(self) -> None:
        command = archive_command("receive", "--port", str(self.port))
        self.process = Process(command, self.environment, self.log)
        wait_for(f"http://127.0.0.1:{self.port}/healthz", self.process.process, self.log)

    def stop(self) -> None:
        if self.process:
            self.process.__exit__()

    def kill(self) -> None:
        assert self.process
        self.process.process.send_signal(signal.SIGKILL)
        self.process.process.wait()

    def terminate(self) -> None:
        """Stop as Kubernetes does: running requests have their time, and are cancelled."""
        assert self.process
        self.process.process.send_signal(signal.SIGTERM)
        self.process.process.wait(30)

    def ask(self, method: str, url: str, bearer: str | None = None, **options: Any) -> httpx2.Response:
        headers = {"Tus-Resumable": "1.0.0", "Authorization": f"Bearer {bearer or token(ADMIN)}"}
        headers |= options.pop("headers", {})
        headers = {name: value for name, value in headers.items() if value}
        return httpx2.request(method, url, headers=headers, trust_env=False, timeout=30, **options)

    def begin(self, path: str, content: bytes, bearer: str | None = None, **headers: str) -> httpx2.Response:
        announced = {
            "Upload-Length": str(len(content)),
            "Upload-Metadata": metadata(path=path, sha256=hashlib.sha256(content).hexdigest()),
        }
        return self.ask("POST", self.url, bearer, headers=announced | headers)

    def begun(self, path: str, content: bytes, bearer: str | None = None) -> str:
        answer = self.begin(path, content, bearer)
        assert answer.status_code == 201, answer.text
        return answer.headers["Location"]

    def send(
        self, url: str, offset: int, content: Any, bearer: str | None = None, **headers: str
    ) -> httpx2.Response:
        given = {"Upload-Offset": str(offset), "Content-Type": "application/offset+octet-stream"} | headers
        return self.ask("PATCH", url, bearer, headers=given, content=content)

    def offset(self, url: str) -> int:
        answer = self.ask("HEAD", url)
        assert answer.status_code == 200, answer.status_code
        return int(answer.headers["Upload-Offset"])

    def audited(self) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] == "upload"]


def metadata(**values: str) -> str:
    return ",".join(f"{name} {base64.b64encode(value.encode()).decode()}" for name, value in values.items())
