"""What the program decides without asking anybody."""

import asyncio
import json
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

import httpx2
import pytest
from panosc_cli import login, search, sessions, web
from panosc_cli.catalogue import Catalogue
from panosc_cli.failures import Failure, NotAllowed
from panosc_cli.login import Bearer
from panosc_cli.search import Dataset, Wanted, filter_of
from panosc_cli.sessions import Session, Sessions

HOST = "https://catalogue.example.org"
ARCHIVE = "https://archive.example.org"
ISSUER = "https://login.example.org/realms/panosc"


def test_options_become_a_filter() -> None:
    wanted = Wanted(["residual", "stress"], "SANS", "D22", date(2020, 1, 1), date(2020, 12, 31))
    assert filter_of(wanted, 7) == {
        "limit": 7,
        "query": "residual stress",
        "where": {"and": [{"creationDate": {"gte": "2020-01-01"}}, {"creationDate": {"lt": "2021-01-01"}}]},
        "include": [
            {"relation": "techniques", "scope": {"where": {"name": "SANS"}}},
            {"relation": "instrument", "scope": {"where": {"name": "D22"}}},
        ],
    }
    assert filter_of(Wanted(), 7) == {"limit": 7, "order": "creationDate DESC"}


def test_tables_command_no_terminal() -> None:
    told = {"pid": "a/1", "title": "x\x1b[2Jy\nz", "isPublic": False, "creationDate": "2020-01-01T00:00:00Z"}
    header, row = search.table([Dataset.model_validate(told)])
    assert header.split() == ["PID", "DATE", "ACCESS", "TITLE"]
    assert row == "a/1  2020-01-01  closed  x [2Jy z"
    assert json.loads(search.line(Dataset.model_validate(told))) == told


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("https://a.example.org:443/x?y", "https://a.example.org"),
        ("https://user:secret@a.example.org/x", "https://a.example.org"),
        ("http://127.0.0.1:8000/", "http://127.0.0.1:8000"),
    ],
)
def test_an_origin_is_scheme_host_and_port(address: str, expected: str) -> None:
    assert web.origin(address) == expected


@pytest.mark.parametrize("address", ["a.example.org", "ftp://a.example.org", "https://", ""])
def test_what_is_no_web_address_is_said(address: str) -> None:
    with pytest.raises(Failure, match="is no web address"):
        web.origin(address)


def session(**changes: object) -> Session:
    told = {
        "catalogue": HOST,
        "facility": "Example",
        "issuer": ISSUER,
        "archives": [ARCHIVE],
        "access_token": "access",
        "refresh_token": "refresh",
        "logged_in": 1.0,
        "expires": time.time() + 300,
    }
    return Session.model_validate(told | changes)


def test_logins_are_kept_where_nobody_else_reads_them(tmp_path: Path) -> None:
    kept = Sessions(tmp_path / "panosc/logins")
    assert (kept.of(HOST), kept.latest(), kept.taking(HOST)) == (None, None, None)
    older, newer = session(), session(catalogue="https://other.example.org", archives=[], logged_in=2.0)
    kept.keep(newer)
    kept.keep(older)
    assert kept.latest() == newer
    assert kept.taking(ARCHIVE) == kept.of(HOST) == older
    assert kept.taking("http://archive.example.org") is None
    for file in (tmp_path / "panosc/logins").iterdir():
        assert file.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "panosc/logins").stat().st_mode & 0o777 == 0o700
    assert "refresh" not in repr(older).replace("refresh_token", "")
    kept.forget(HOST)
    assert kept.of(HOST) is None


def test_a_file_that_is_no_login_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("{}")
    with pytest.raises(Failure, match=r"x\.json cannot be understood: delete it"):
        Sessions(tmp_path).latest()


def test_the_state_folder_is_xdgs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    sessions.kept().keep(session())
    assert len(list((tmp_path / "panosc/logins").iterdir())) == 1


def ask(handler: Callable[[httpx2.Request], httpx2.Response], url: str, kept: Sessions) -> httpx2.Response:
    async def work() -> httpx2.Response:
        auth = Bearer(kept, session())
        transport = httpx2.MockTransport(handler)
        async with httpx2.AsyncClient(auth=auth, transport=transport, follow_redirects=True) as client:
            return await client.get(url)

    return asyncio.run(work())


@pytest.mark.parametrize(
    ("url", "is_sent"),
    [
        (f"{HOST}/api", True),
        (f"{ARCHIVE}/files/x", True),
        ("https://evil.example.org/files/x", False),
        ("http://archive.example.org/files/x", False),
        ("https://archive.example.org:8443/files/x", False),
        ("https://archive.example.org.evil.org/files/x", False),
    ],
)
def test_tokens_go_to_the_catalogue_and_its_archives_alone(url: str, is_sent: bool, tmp_path: Path) -> None:
    def handler(request: httpx2.Request) -> httpx2.Response:
        assert ("Authorization" in request.headers) == is_sent
        return httpx2.Response(200)

    assert ask(handler, url, Sessions(tmp_path)).status_code == 200


def test_no_redirect_takes_a_token_elsewhere(tmp_path: Path) -> None:
    asked = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        asked.append((request.url.host, "Authorization" in request.headers))
        if request.url.host == "archive.example.org":
            return httpx2.Response(302, headers={"Location": "https://evil.example.org/"})
        return httpx2.Response(200)

    ask(handler, f"{ARCHIVE}/files/x", Sessions(tmp_path))
    assert asked == [("archive.example.org", True), ("evil.example.org", False)]


class Provider:
    """A login that answers as told, and a clock that goes on only where somebody waits."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *answers: str) -> None:
        self.answers = list(answers)
        self.waits: list[float] = []
        self.now = 0.0

        async def sleep(seconds: float) -> None:
            self.waits.append(seconds)
            self.now += seconds

        monkeypatch.setattr("panosc_cli.login.asyncio.sleep", sleep)
        monkeypatch.setattr("panosc_cli.login.time.monotonic", lambda: self.now)

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        if request.url.path.endswith("openid-configuration"):
            ends = {f"{name}_endpoint": f"{ISSUER}/{name}" for name in ("token", "device_authorization")}
            return httpx2.Response(200, json={"issuer": ISSUER, **ends})
        if request.url.path.endswith("device_authorization"):
            assert b"scope=openid+facility-example" in request.content
            code = {"device_code": "d", "user_code": "U", "verification_uri": "v", "expires_in": 60}
            return httpx2.Response(200, json=code)
        answer = self.answers.pop(0) if self.answers else "authorization_pending"
        if answer == "cut":
            raise httpx2.ConnectError("cut")
        if answer == "tokens":
            return httpx2.Response(
                200, json={"access_token": "a", "refresh_token": "r", "token_type": "Bearer"}
            )
        return httpx2.Response(400, json={"error": answer, "error_description": f"it is {answer}"})

    def log_in(self) -> Session:
        async def work() -> Session:
            async with httpx2.AsyncClient(transport=httpx2.MockTransport(self)) as client:
                return await login.log_in(client, CATALOGUE, lambda code: None)

        return asyncio.run(work())


CATALOGUE = Catalogue.model_validate(
    {
        "resource": HOST,
        "panosc_archives": [f"{ARCHIVE}/"],
        "authorization_servers": [ISSUER],
        "scopes_supported": ["facility-example"],
    }
)


def test_the_login_is_asked_as_rfc_8628_says(monkeypatch: pytest.MonkeyPatch) -> None:
    provider = Provider(monkeypatch, "authorization_pending", "slow_down", "cut", "tokens")
    made = provider.log_in()
    assert provider.waits == [5, 5, 10, 20]
    assert (made.catalogue, made.archives, made.refresh_token) == (HOST, [ARCHIVE], "r")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("access_denied", "the login was refused in the browser"),
        ("expired_token", "nobody entered the code U in time"),
        ("authorization_pending", "nobody entered the code U in time"),
        ("invalid_client", "gives no tokens: it is invalid_client"),
    ],
)
def test_what_becomes_of_a_code_is_said(monkeypatch: pytest.MonkeyPatch, answer: str, said: str) -> None:
    provider = Provider(monkeypatch, answer)
    with pytest.raises(NotAllowed, match=said):
        provider.log_in()
    assert provider.now <= 60


@pytest.mark.parametrize("field", ["resource", "authorization_servers", "panosc_archives"])
def test_nobody_logs_in_where_others_read_it(monkeypatch: pytest.MonkeyPatch, field: str) -> None:
    told = CATALOGUE.model_dump(by_alias=True)
    insecure = "http://somewhere.example.org"
    told[field] = insecure if field == "resource" else [insecure]
    provider = Provider(monkeypatch)
    with pytest.raises(Failure, match="is no https:// address"):
        asyncio.run(login.log_in(httpx2.AsyncClient(), Catalogue.model_validate(told), print))
    assert provider.waits == []
