"""What the program decides without asking anybody."""

import asyncio
import base64
import errno
import io
import json
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import parse_qs

import httpx2
import pytest
from panosc_cli import holdings, login, main, personal, search, sessions, web
from panosc_cli.catalogue import Catalogue, described
from panosc_cli.failures import Failure, NotAllowed
from panosc_cli.login import Bearer
from panosc_cli.search import Dataset, Wanted, filter_of
from panosc_cli.sessions import Session, Sessions

HOST = "https://catalogue.example.org"
ARCHIVE = "https://archive.example.org"
ELSEWHERE = "https://elsewhere.example.org"
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
    told = {
        "pid": "a/1",
        "title": "x\x1b[2Jy\nz",
        "isPublic": False,
        "creationDate": "\x1b]2020-01-01T00:00Z",
    }
    header, row = search.table([Dataset.model_validate(told)])
    assert header.split() == ["PID", "DATE", "ACCESS", "TITLE"]
    assert row == "a/1   ]2020-01-  closed  x [2Jy z"


def test_lines_for_programs_are_ascii() -> None:
    told = {"pid": "a/1", "title": "\x9bö\u202e", "isPublic": True, "creationDate": None}
    written = search.line(Dataset.model_validate(told))
    assert written.isascii()
    assert written.isprintable()
    assert json.loads(written) == told


def test_errors_command_no_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def app() -> None:
        raise NotAllowed("x\x1b[2Jy")

    monkeypatch.setattr(main, "app", app)
    with pytest.raises(SystemExit) as ended:
        main.main()
    assert (ended.value.code, capsys.readouterr().err) == (3, "panosc: x [2Jy\n")


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

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *answers: str | httpx2.Response) -> None:
        self.answers = list(answers)
        self.vouches: dict[str, object] = {"panosc_services": [HOST, ARCHIVE, "https://links.example.org"]}
        self.gives: dict[str, object] = {}
        """With the tokens."""
        self.programs: set[str] = set()
        """As which it was asked."""
        self.redirects = ""
        """End of the path from which it leads elsewhere."""
        self.asked: list[str] = []
        self.waits: list[float] = []
        self.now = 0.0

        async def sleep(seconds: float) -> None:
            self.waits.append(seconds)
            self.now += seconds

        # For the program alone: servers of other tests in this process have loops that wait, too.
        own = {**vars(asyncio), "sleep": sleep}
        monkeypatch.setattr(login, "asyncio", SimpleNamespace(**own))
        monkeypatch.setattr(login, "time", SimpleNamespace(**{**vars(time), "monotonic": lambda: self.now}))

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(str(request.url))
        if self.redirects and request.url.path.endswith(self.redirects):
            return httpx2.Response(307, headers={"Location": f"{ELSEWHERE}{request.url.path}"})
        if request.url.path.endswith("openid-configuration"):
            names = "token", "device_authorization", "userinfo", "revocation"
            ends = {f"{name}_endpoint": f"{ISSUER}/{name}" for name in names}
            return httpx2.Response(200, json={"issuer": ISSUER, **ends})
        if request.url.path.endswith("device_authorization"):
            assert b"scope=openid+facility-example" in request.content
            self.programs.add(parse_qs(request.content.decode())["client_id"][0])
            code = {"device_code": "d", "user_code": "U", "verification_uri": "v", "expires_in": 60}
            return httpx2.Response(200, json=code)
        if request.url.path.endswith("userinfo"):
            assert request.headers["Authorization"] == "Bearer a"
            return httpx2.Response(200, json={"sub": "ada", **self.vouches})
        if request.url.path.endswith("revocation"):
            assert b"token=r&" in request.content
            self.programs.add(parse_qs(request.content.decode())["client_id"][0])
            return httpx2.Response(200)
        self.programs.add(parse_qs(request.content.decode())["client_id"][0])
        answer = self.answers.pop(0) if self.answers else "authorization_pending"
        if isinstance(answer, httpx2.Response):
            return answer
        if answer == "cut":
            raise httpx2.ConnectError("cut")
        if answer == "tokens":
            given = {"access_token": "a", "refresh_token": "r", "token_type": "Bearer"}
            return httpx2.Response(200, json={**given, **self.gives})
        return httpx2.Response(400, json={"error": answer, "error_description": f"it is {answer}"})

    @property
    def has_revoked(self) -> bool:
        return f"{ISSUER}/revocation" in self.asked

    def client(self) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(transport=httpx2.MockTransport(self), follow_redirects=True)

    def log_in(self, **changes: object) -> Session:
        async def work() -> Session:
            told = Catalogue.model_validate(CATALOGUE.model_dump(by_alias=True) | changes)
            async with self.client() as client:
                return (await login.log_in(client, told, lambda code: None))[0]

        return asyncio.run(work())

    def renew(self) -> Session:
        async def work() -> Session:
            async with self.client() as client:
                return await login.renewed(client, session())

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
@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("http://somewhere.example.org", "is no https:// address"),
        ("https://a.example.org:x", "is no web address"),
        ("https://", "is no web address"),
    ],
)
def test_nobody_logs_in_where_others_read_it(
    monkeypatch: pytest.MonkeyPatch, field: str, address: str, said: str
) -> None:
    provider = Provider(monkeypatch)
    with pytest.raises(Failure, match=said) as refused:
        provider.log_in(**{field: address if field == "resource" else [address]})
    assert refused.value.status == 1
    assert provider.asked == []


@pytest.mark.parametrize(
    ("vouches", "said"),
    [
        ({}, "ask the facility to add the claim panosc_services"),
        ({"panosc_services": []}, "does not know"),
        ({"panosc_services": [ARCHIVE, f"{HOST}.evil.org", "http://catalogue.example.org"]}, "does not know"),
        ({"panosc_services": HOST}, "is answered otherwise than expected"),
    ],
)
def test_no_catalogue_has_tokens_for_which_the_login_does_not_vouch(
    monkeypatch: pytest.MonkeyPatch, vouches: dict[str, object], said: str
) -> None:
    provider = Provider(monkeypatch, "tokens")
    provider.vouches = vouches
    with pytest.raises(Failure, match=said):
        provider.log_in()
    assert provider.has_revoked
    assert all(address.startswith(ISSUER) for address in provider.asked)


@pytest.mark.parametrize("while_asking", ["token", "userinfo"])
def test_who_interrupts_leaves_no_token_behind(monkeypatch: pytest.MonkeyPatch, while_asking: str) -> None:
    provider = Provider(monkeypatch, "tokens")

    async def work() -> None:
        running = asyncio.current_task()
        assert running

        async def answer(request: httpx2.Request) -> httpx2.Response:
            if request.url.path.endswith(f"/{while_asking}"):
                running.cancel()  # as Ctrl-C does
                await asyncio.wait([asyncio.ensure_future(asyncio.to_thread(int))])
            return provider(request)

        async with httpx2.AsyncClient(transport=httpx2.MockTransport(answer)) as client:
            await login.log_in(client, CATALOGUE, lambda code: None)

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(work())
    assert provider.has_revoked


def test_who_interrupts_before_there_is_a_token_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    provider = Provider(monkeypatch, "authorization_pending")

    def interrupted(_: object) -> None:
        raise KeyboardInterrupt

    async def work() -> None:
        async with provider.client() as client:
            await login.log_in(client, CATALOGUE, interrupted)

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(work())
    assert not provider.has_revoked


def test_no_archive_has_tokens_for_which_the_login_does_not_vouch(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Provider(monkeypatch, "tokens").log_in(panosc_archives=["https://evil.example.org", ARCHIVE])
    assert made.archives == [ARCHIVE]


@pytest.mark.parametrize("scopes", [["facility-a", "facility-b"], ["facility-a facility-b"]])
def test_no_catalogue_has_tokens_for_two_facilities(
    monkeypatch: pytest.MonkeyPatch, scopes: list[str]
) -> None:
    provider = Provider(monkeypatch)
    with pytest.raises(Failure, match="asks for several scopes"):
        provider.log_in(scopes_supported=scopes)
    assert provider.asked == []


NO_ANSWERS = [
    httpx2.Response(404, text="no such page"),
    httpx2.Response(403, text="blocked"),
    httpx2.Response(400, text="<html>"),
    httpx2.Response(400, json=["error"]),
    httpx2.Response(400, json={"error": {"message": "m"}}),
    httpx2.Response(200, text="<html>Welcome to the airport</html>"),
    httpx2.Response(200, json={"error": "x"}),
    httpx2.Response(200, json={"access_token": "a", "expires_in": "soon"}),
    httpx2.Response(200, json={"access_token": {}}),
]


@pytest.mark.parametrize("answer", NO_ANSWERS)
def test_what_is_no_answer_of_a_login_does_not_end_it(
    monkeypatch: pytest.MonkeyPatch, answer: httpx2.Response
) -> None:
    for ask in (Provider(monkeypatch, answer).log_in, Provider(monkeypatch, answer).renew):
        with pytest.raises(Failure) as failed:
            ask()
        assert failed.value.status == 1


def test_a_login_that_has_ended_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotAllowed, match=r"has ended \(it is invalid_grant\)"):
        Provider(monkeypatch, "invalid_grant").renew()


BUSY = [httpx2.Response(status, text="busy") for status in (429, 502, 503, 504)]


def test_a_busy_login_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    for busy in BUSY:
        assert Provider(monkeypatch, busy, "tokens").log_in().access_token == "a"
    monkeypatch.setattr(web, "FIRST_WAIT_SECONDS", 0)
    assert Provider(monkeypatch, *BUSY, "tokens").renew().access_token == "a"


@pytest.mark.parametrize("step", ["openid-configuration", "device_authorization", "token", "userinfo"])
def test_no_redirect_takes_what_a_login_is_told(monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    provider = Provider(monkeypatch, "tokens")
    provider.redirects = step
    with pytest.raises(Failure, match=r"\(307\)"):
        provider.log_in()
    assert not any(address.startswith(ELSEWHERE) for address in provider.asked)


def test_no_redirect_takes_what_logging_out_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    provider = Provider(monkeypatch)
    provider.redirects = "revocation"

    async def work() -> None:
        async with provider.client() as client:
            await login.log_out(client, session(refresh_token="r"))

    with pytest.raises(Failure, match=r"\(307\)"):
        asyncio.run(work())
    assert not any(address.startswith(ELSEWHERE) for address in provider.asked)


def create(provider: Provider, *scopes: personal.Scope) -> Session:
    async def work() -> Session:
        async with provider.client() as client:
            return await personal.create(client, CATALOGUE, scopes, lambda code: None)

    return asyncio.run(work())


def test_a_token_is_asked_for_as_a_script_s(monkeypatch: pytest.MonkeyPatch) -> None:
    provider = Provider(monkeypatch, "tokens")
    provider.gives = {"scope": "offline_access panosc:limited panosc:read openid", "refresh_expires_in": 60}
    made = create(provider, personal.Scope.READ)
    assert (made.refresh_token, made.catalogue, made.ends is not None) == ("r", HOST, True)
    assert provider.programs == {"panosc-scripts"}


@pytest.mark.parametrize("granted", ["", "openid offline_access panosc:limited", "openid panosc:read"])
def test_a_token_that_is_not_what_was_asked_for_is_taken_back(
    monkeypatch: pytest.MonkeyPatch, granted: str
) -> None:
    provider = Provider(monkeypatch, "tokens")
    provider.gives = {"scope": granted}
    with pytest.raises(Failure, match="does not grant"):
        create(provider, personal.Scope.READ)
    assert provider.has_revoked
    assert provider.programs == {"panosc-scripts"}


def token_of(issuer: str) -> str:
    payload = base64.urlsafe_b64encode(json.dumps({"iss": issuer}).encode()).rstrip(b"=").decode()
    return f"e30.{payload}.x"


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> str:
    """A token that the environment has."""
    token = token_of(ISSUER)
    monkeypatch.setenv("PANOSC_TOKEN", f"{token}\n")
    monkeypatch.delenv("PANOSC_TOKEN_FILE", raising=False)
    return token


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Provider:
    provider = Provider(monkeypatch, "tokens")
    monkeypatch.setattr(web, "client", lambda auth=None: provider.client())
    return provider


def test_what_a_token_gives_goes_where_the_login_vouches_and_is_kept_nowhere(
    given: str, provider: Provider, kept: Sessions
) -> None:
    bearer = asyncio.run(personal.bearer())
    assert bearer
    assert bearer.hosts == {HOST, ARCHIVE, "https://links.example.org"}
    assert kept.latest() is None
    assert given not in repr(personal.given())
    assert all(address.startswith(ISSUER) for address in provider.asked)


def test_a_token_goes_to_no_login_but_its_own(
    monkeypatch: pytest.MonkeyPatch, given: str, provider: Provider
) -> None:
    monkeypatch.setenv("PANOSC_CATALOGUE", ELSEWHERE)
    asyncio.run(personal.bearer())
    assert all(address.startswith(ISSUER) for address in provider.asked)
    monkeypatch.setenv("PANOSC_TOKEN", token_of("http://login.example.org"))
    asked = len(provider.asked)
    with pytest.raises(Failure, match="is no https:// address"):
        asyncio.run(personal.bearer())
    assert len(provider.asked) == asked


def test_a_token_for_which_no_hosts_are_known_goes_nowhere(given: str, provider: Provider) -> None:
    provider.vouches = {}
    with pytest.raises(Failure, match="does not say which hosts may have your tokens"):
        asyncio.run(personal.bearer())


@pytest.mark.usefixtures("given")
def test_a_host_that_does_not_get_the_token_is_named(
    provider: Provider, capsys: pytest.CaptureFixture[str]
) -> None:
    bearer = asyncio.run(personal.bearer())
    main._client_for(f"{HOST}/datasets/x", bearer)
    assert capsys.readouterr().err == ""
    main._client_for(f"{ELSEWHERE}/datasets/x", bearer)
    said = capsys.readouterr().err
    assert said == f"panosc: the token is not for {ELSEWHERE}, which is asked as by the public\n"


def answering(handler: Callable[[httpx2.Request], httpx2.Response]) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(transport=httpx2.MockTransport(handler), follow_redirects=True)


def test_no_redirect_speaks_for_a_catalogue() -> None:
    def handler(request: httpx2.Request) -> httpx2.Response:
        if request.url.host == "elsewhere.example.org":
            return httpx2.Response(200, json=CATALOGUE.model_dump(by_alias=True))
        return httpx2.Response(302, headers={"Location": f"{ELSEWHERE}/"})

    with pytest.raises(Failure, match=r"\(302\)"):
        asyncio.run(described(answering(handler), HOST))


@pytest.mark.parametrize(
    "answer",
    [
        lambda _: httpx2.Response(302, headers={"Location": f"{ARCHIVE}/"}),
        lambda _: httpx2.Response(200, content=b"not packed", headers={"Content-Encoding": "gzip"}),
    ],
    ids=["redirects", "coding"],
)
def test_odd_answers_are_said(answer: Callable[[httpx2.Request], httpx2.Response]) -> None:
    with pytest.raises(Failure, match="cannot be understood"):
        asyncio.run(web.answered(answering(answer), ARCHIVE))


@pytest.mark.parametrize("archive", ["https://a.example.org:x", ARCHIVE])
def test_odd_addresses_are_said(archive: str) -> None:
    def handler(request: httpx2.Request) -> httpx2.Response:
        if request.url.host == "catalogue.example.org":
            return httpx2.Response(200, json={"resource": HOST, "panosc_archives": [archive]})
        return httpx2.Response(200, json={"files": [{"path": "x", "size": 1, "url": "https://a:x/"}]})

    with pytest.raises(Failure, match="names an address that is none"):
        asyncio.run(holdings.files(answering(handler), "a/1", HOST))


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Sessions:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return sessions.kept()


@pytest.mark.parametrize("when", ["before", "meanwhile"])
def test_who_logged_out_stays_so(monkeypatch: pytest.MonkeyPatch, kept: Sessions, when: str) -> None:
    ended = session(expires=0)
    kept.keep(ended)

    async def renewed(client: httpx2.AsyncClient, old: Session) -> Session:
        assert when == "meanwhile"
        kept.forget(HOST)
        return old

    monkeypatch.setattr(login, "renewed", renewed)
    if when == "before":
        kept.forget(HOST)
    with pytest.raises(NotAllowed, match="you have logged out of Example"):
        asyncio.run(Bearer(kept, ended).current())
    assert kept.of(HOST) is None


def test_a_token_that_can_not_be_written_is_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
    provider = Provider(monkeypatch, "tokens")
    provider.gives = {"scope": "openid panosc:read offline_access"}
    monkeypatch.setattr(web, "client", provider.client)

    async def told(client: httpx2.AsyncClient, where: str) -> Catalogue:
        return CATALOGUE

    monkeypatch.setattr("panosc_cli.catalogue.described", told)

    class Full(io.StringIO):
        def flush(self) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("sys.stdout", Full())
    with pytest.raises(Failure, match="No space left on device"):
        main.create([personal.Scope.READ], None, HOST)
    assert provider.has_revoked


def test_who_could_not_log_out_at_the_login_knows(monkeypatch: pytest.MonkeyPatch, kept: Sessions) -> None:
    def handler(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(404)

    kept.keep(session())
    monkeypatch.setattr(web, "client", lambda: answering(handler))
    with pytest.raises(Failure, match="deleted here, but at the login your session goes on"):
        main.log_out(HOST)
    assert kept.of(HOST) is None


def test_other_programs_have_a_token(kept: Sessions, capsys: pytest.CaptureFixture[str]) -> None:
    kept.keep(session())
    asyncio.run(main._print_access_token(HOST))
    assert capsys.readouterr().out == "access\n"
