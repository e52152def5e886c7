"""What the archive's tests run: the service's processes, nginx, and a catalogue's double."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx2
import jwt
import pytest
import uvicorn
from panosc_common.service_accounts import CHALLENGE, HEADER
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

REPOSITORY = Path(__file__).parents[3]
NGINX = "/usr/sbin/nginx"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def nginx_configuration(base: Path, name: str, api_port: int, port: int) -> Path:
    """The image's own configuration, with only ports and places of the test put in."""
    if not os.access(NGINX, os.X_OK):
        pytest.fail(f"{NGINX} is missing: install Debian's package nginx-light")
    folder = base / name
    folder.mkdir(mode=0o777)
    text = (REPOSITORY / "services/archive/nginx.conf").read_text()
    for there, here in (
        ("/tmp/", f"{folder}/"),
        ("127.0.0.1:8000", f"127.0.0.1:{api_port}"),
        ("listen 8080;", f"listen 127.0.0.1:{port};"),
        ("/data/", f"{base}/data/"),
        ("worker_processes auto;", "worker_processes 1;"),
    ):
        assert there in text
        text = text.replace(there, here)
    configuration = folder / "nginx.conf"
    configuration.write_text(text)
    return configuration


def wait_for(url: str, process: subprocess.Popen[bytes], log: Path, seconds: float = 60) -> None:
    """Until `url` answers 200; fails with the process's log if that does not happen."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            pytest.fail(f"{process.args!r} ended with {process.returncode}:\n{log.read_text()}")
        try:
            if httpx2.get(url, timeout=1, trust_env=False).status_code == 200:
                return
        except httpx2.HTTPError:
            time.sleep(0.05)
    pytest.fail(f"{url} does not answer after {seconds} s:\n{log.read_text()}")


class CatalogueDouble:
    """The internal interface of a catalogue as agreed: strict about requests, answers set by the tests."""

    def __init__(self, archive: str) -> None:
        self.archive = archive
        self.visible: set[str] = set()
        self.datasets: dict[str, dict[str, Any]] = {}
        self.closed: dict[str, dict[str, Any]] = {}
        """What somebody sees beyond that, by who it is: of paths, dataset and reason."""
        self.closed_datasets: dict[str, dict[str, Any]] = {}
        """The same of datasets."""
        self.hindrance: str | None = None
        """Why links show nothing."""
        self.failures: list[int] = []
        """Statuses of the next answers, before it answers properly again."""
        self.told = ""
        """What it says then."""
        self.caller: str | None = None
        """The token of the archive's service account; None: it asks for none."""
        self.requests = 0
        self.errors: list[str] = []
        """Requests that break the agreement."""
        self.port = free_port()
        app = Starlette(
            routes=[
                Route("/internal/archives/{archive}/visible", self._visible, methods=["POST"]),
                Route("/internal/archives/{archive}/children", self._children),
                Route("/internal/datasets/{pid:path}", self._dataset),
                Route("/internal/embargo", self._embargo),
            ]
        )
        self._server = uvicorn.Server(
            uvicorn.Config(app, host="127.0.0.1", port=self.port, log_config=None, lifespan="off")
        )
        self._thread = threading.Thread(target=self._server.run)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> "CatalogueDouble":
        self._thread.start()
        deadline = time.monotonic() + 10
        while not self._server.started:
            assert time.monotonic() < deadline, "the catalogue's double does not start"
            time.sleep(0.01)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join()

    def _broken(self, error: str) -> Response:
        self.errors.append(error)
        return JSONResponse({"detail": error}, 422)

    def _begin(self, request: Request) -> Response | None:
        self.requests += 1
        if self.caller and request.headers.get(HEADER) != self.caller:
            told = {"detail": f"only archives may ask this, with their token in {HEADER}"}
            return JSONResponse(told, 401, headers={"WWW-Authenticate": CHALLENGE})
        if self.failures:
            return JSONResponse({"detail": self.told} if self.told else {}, self.failures.pop(0))
        if request.path_params.get("archive", self.archive) != self.archive:
            return self._broken(f"unknown archive {request.path_params}")
        return None

    async def _visible(self, request: Request) -> Response:
        if refused := self._begin(request):
            return refused
        body = await request.json()
        paths = body.get("paths")
        if set(body) != {"paths"} or not isinstance(paths, list) or not 1 <= len(paths) <= 1000:
            return self._broken(f"unknown body {body}")
        if not all(isinstance(path, str) and path and "\0" not in path for path in paths):
            return self._broken(f"paths that no file has: {body}")
        who, closed = self._asked_by(request)
        return JSONResponse(
            {
                "visible": [path for path in paths if path in self.visible or path in closed],
                "subject": who,
                "closed": {path: seen for path, seen in closed.items() if path in paths},
            }
        )

    def _asked_by(self, request: Request) -> tuple[str | None, dict[str, Any]]:
        """Who asks, by a token that is their name or a link that they had signed, and what they see."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme == "Link":
            token = jwt.decode(token, options={"verify_signature": False})["sub"]
        return token or None, self.closed.get(token, {})

    async def _embargo(self, request: Request) -> Response:
        asked = set(request.query_params) - {"archive"}
        if len(asked) != 1 or not asked <= {"path", "pid"} or self._asked_by(request)[0] is None:
            return self._broken(f"unknown query {request.query_params}")
        return JSONResponse({"why": self.hindrance})

    async def _children(self, request: Request) -> Response:
        if refused := self._begin(request):
            return refused
        query = request.query_params
        if not set(query) <= {"directory", "after", "limit"} or not 1 <= int(query["limit"]) <= 1000:
            return self._broken(f"unknown query {query}")
        if "\0" in query.get("after", "") + query["directory"]:
            return self._broken("no name holds a NUL")
        directory, after, limit = query["directory"], query.get("after", ""), int(query["limit"])
        prefix = f"{directory}/" if directory else ""
        children: dict[str, str] = {}
        who, closed = self._asked_by(request)
        reasons = []
        for path in self.visible | closed.keys():
            if path.startswith(prefix):
                name, slash, _ = path[len(prefix) :].partition("/")
                children[name] = "directory" if slash else "file"
                reasons += [closed[path]["reason"]] if path in closed else []
        names = sorted(name for name in children if name > after)
        page = names[:limit]
        return JSONResponse(
            {
                "entries": [{"name": name, "type": children[name]} for name in page],
                "next": page[-1] if len(names) > limit else None,
                "subject": who,
                "reasons": reasons,
            }
        )

    async def _dataset(self, request: Request) -> Response:
        if refused := self._begin(request):
            return refused
        raw = request.scope["raw_path"].decode()
        pid, slash, rest = raw.removeprefix("/internal/datasets/").partition("/")
        if not slash or rest != "files":
            return self._broken(f"unknown path {raw}: the PID must be percent-encoded")
        if "\0" in unquote(pid):
            return self._broken("a PID holds no NUL")
        who, closed = self._asked_by(request)
        dataset = self.datasets.get(unquote(pid))
        if seen := self.closed_datasets.get(who or "", {}).get(unquote(pid)):
            reasons = [one["reason"] for one in closed.values()]
            return JSONResponse(seen | {"subject": who, "reasons": reasons})
        return JSONResponse(dataset) if dataset else JSONResponse({"detail": "not public"}, 404)


class Process:
    """A program of the archive, ended at the end of the context."""

    def __init__(self, arguments: list[str], environment: dict[str, str], log: Path) -> None:
        self.log = log
        self._file = log.open("wb")
        clean = {name: value for name, value in os.environ.items() if not name.startswith("PANOSC_")}
        self.process = subprocess.Popen(
            arguments, env={**clean, **environment}, stdout=self._file, stderr=subprocess.STDOUT
        )

    def __enter__(self) -> "Process":
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self._file.close()


def archive_command(*arguments: str) -> list[str]:
    return [str(Path(sys.executable).with_name("panosc-archive")), *arguments]


@dataclass
class Archive:
    """What a test needs of a running archive."""

    root: Path
    state: Path
    port: int
    catalogue: CatalogueDouble
    log: Path
    accelerated: bool

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @cached_property
    def client(self) -> httpx2.Client:
        return httpx2.Client(base_url=self.url, timeout=30, trust_env=False)

    def get(self, path: str, **options: object) -> httpx2.Response:
        return self.request("GET", path, **options)

    def request(self, method: str, path: str, **options: object) -> httpx2.Response:
        return self.client.request(method, path, **options)  # type: ignore[arg-type]

    def raw(self, target: str, method: str = "GET") -> tuple[int, bytes]:
        """A request whose target goes over the wire exactly as given."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.putrequest(method, target, skip_accept_encoding=True)
            connection.endheaders()
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def publish(self, path: str, content: bytes | None = None) -> Path:
        """A file in the tree that the catalogue shows."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        if content is not None:
            file.write_bytes(content)
        self.catalogue.visible.add(path)
        return file
