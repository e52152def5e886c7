"""Files that are sent to the archive by tus, to a process that may be killed at any moment."""

import asyncio
import base64
import errno
import hashlib
import json
import os
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from panosc_archive.settings import Settings
from panosc_archive.uploads import routes
from panosc_archive.uploads.app import create_app
from panosc_archive.uploads.protocol import Announced
from panosc_archive.uploads.routes import BUFFER, MAX_UNFINISHED, READINGS
from panosc_archive.uploads.store import STEP, Store
from panosc_common.tree import UNFINISHED, TreeScanner
from structlog.testing import capture_logs
from tusclient.client import TusClient
from unit.archive.harness import Process, archive_command, free_port, wait_for
from unit.archive.receiver import (
    ADMIN,
    INSTRUMENT,
    MAX_BYTES,
    MEMBER,
    STAFF,
    Receiver,
    metadata,
    published_keys,
    token,
)

CONTENT = b"some bytes of a detector\n"
PLACE = "hc1/scan/0001.h5"


@pytest.fixture(scope="module")
def running() -> Iterator[Receiver]:
    base = Path(tempfile.mkdtemp(prefix="panosc-uploads-"))
    (base / "data").mkdir()
    with ExitStack() as cleanup:
        cleanup.callback(shutil.rmtree, base)
        receiver = Receiver(base, cleanup.enter_context(published_keys()))
        receiver.start()
        cleanup.callback(receiver.stop)
        yield receiver


@pytest.fixture
def receiver(running: Receiver) -> Receiver:
    """With an empty volume."""
    for entry in running.root.iterdir():
        shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
    return running


def leftovers(receiver: Receiver) -> list[str]:
    return sorted(path.suffix for path in (receiver.root / UNFINISHED).glob("*"))


def test_a_file_comes_in_pieces_and_is_seen_whole_or_not_at_all(receiver: Receiver) -> None:
    url = receiver.begun(PLACE, CONTENT)
    for start in range(0, len(CONTENT), 10):
        assert not (receiver.root / PLACE).exists()
        assert list(TreeScanner(receiver.root).scan()) == []
        answer = receiver.send(url, start, CONTENT[start : start + 10])
        assert (answer.status_code, answer.headers["Tus-Resumable"]) == (204, "1.0.0")
        assert int(answer.headers["Upload-Offset"]) == min(start + 10, len(CONTENT))
    assert (receiver.root / PLACE).read_bytes() == CONTENT
    assert (receiver.root / PLACE).stat().st_mode & 0o777 == 0o644
    digest = base64.b64encode(hashlib.sha256(CONTENT).digest()).decode()
    assert answer.headers["Repr-Digest"] == f"sha256=:{digest}:".replace("sha256", "sha-256")
    # Also for whoever missed the answer.
    head = receiver.ask("HEAD", url)
    assert head.headers["Repr-Digest"] == answer.headers["Repr-Digest"]
    assert receiver.send(url, len(CONTENT), b"").status_code == 204
    assert [change.path for change in TreeScanner(receiver.root).scan()] == [PLACE]


def test_the_protocol_is_told_to_whoever_asks(receiver: Receiver) -> None:
    answer = httpx2.options(receiver.url, trust_env=False)
    assert answer.status_code == 204
    told = {name: answer.headers[name] for name in answer.headers if name.startswith("tus-")}
    assert told == {
        "tus-resumable": "1.0.0",
        "tus-version": "1.0.0",
        "tus-extension": "creation,checksum,expiration,termination",
        "tus-checksum-algorithm": "sha1,sha256",
        "tus-max-size": str(MAX_BYTES),
    }


def test_the_state_of_an_upload_is_told(receiver: Receiver) -> None:
    url = receiver.begun(PLACE, CONTENT)
    head = receiver.ask("HEAD", url)
    assert head.headers["Upload-Offset"] == "0"
    assert head.headers["Upload-Length"] == str(len(CONTENT))
    assert head.headers["Cache-Control"] == "no-store"
    assert head.headers["Upload-Expires"].endswith("GMT")
    assert "Repr-Digest" not in head.headers
    given = dict(pair.split(" ") for pair in head.headers["Upload-Metadata"].split(","))
    assert base64.b64decode(given["path"]).decode() == PLACE


def test_an_empty_file_is_whole_when_it_is_announced(receiver: Receiver) -> None:
    answer = receiver.begin("hc1/empty", b"")
    assert (answer.status_code, answer.headers["Upload-Offset"]) == (201, "0")
    assert "Repr-Digest" in answer.headers
    assert (receiver.root / "hc1/empty").read_bytes() == b""


@pytest.mark.parametrize("chunk", [40, 300])
def test_tus_own_client_sends_a_file(receiver: Receiver, tmp_path: Path, chunk: int) -> None:
    file = tmp_path / "file"
    file.write_bytes(CONTENT * 20)
    client = TusClient(receiver.url, headers={"Authorization": f"Bearer {token(STAFF)}"})
    said = {"path": "hc1/ü.h5", "sha256": hashlib.sha256(file.read_bytes()).hexdigest()}
    uploader = client.uploader(str(file), chunk_size=chunk, metadata=said, upload_checksum=True)
    uploader.upload(stop_at=chunk)
    # Another one goes on with it.
    resumed = client.uploader(str(file), chunk_size=chunk, url=uploader.url, upload_checksum=True)
    assert resumed.offset == chunk
    resumed.upload()
    assert (receiver.root / "hc1/ü.h5").read_bytes() == file.read_bytes()


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("", "must be like proposal/scan"),
        ("/etc/passwd", "must be like proposal/scan"),
        ("hc1/../../etc/passwd", "must be like proposal/scan"),
        ("hc1/./x", "must be like proposal/scan"),
        ("hc1//x", "must be like proposal/scan"),
        ("hc1/x/", "must be like proposal/scan"),
        ("hc1/a\0b", "must be like proposal/scan"),
        ("x.h5", "put it into <proposal>/<file>"),
        ("hc1/.hidden", "must not begin with a dot"),
        ("hc1/cafe\u0301.nxs", "Unicode's form NFC"),
        ("hc1\u200b/x.nxs", "without control or format"),
        ("hc1/a\nb.nxs", "without control or format"),
        ("hc1 /x.nxs", "without spaces at their ends"),
        ("/".join(["hc1", *"a" * 32]), "path has 33 names, but 32 at most"),
        (f"{UNFINISHED}/x.json", "must not begin with a dot"),
        (f"hc1/{'x' * 256}", "255 bytes at most"),
        ("/".join(["x" * 200] * 21), "a path 4095"),
    ],
)
def test_no_file_comes_where_none_may(receiver: Receiver, path: str, said: str) -> None:
    answer = receiver.begin(path, CONTENT)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert said in answer.json()["detail"]
    assert list(receiver.root.iterdir()) == []


@pytest.mark.parametrize(
    ("headers", "status", "said"),
    [
        ({"Tus-Resumable": ""}, 412, "must be 1.0.0"),
        ({"Tus-Resumable": "0.2.2"}, 412, "must be 1.0.0"),
        ({"Upload-Length": ""}, 400, "whole number of bytes"),
        ({"Upload-Length": "-1"}, 400, "whole number of bytes"),
        ({"Upload-Length": "9" * 30}, 400, "whole number of bytes"),
        ({"Upload-Length": str(MAX_BYTES + 1)}, 413, "spec.uploads.maxFileSize"),
        ({"Upload-Defer-Length": "1"}, 400, "say Upload-Length"),
        ({"Upload-Metadata": ""}, 400, "must have `path`"),
        ({"Upload-Metadata": metadata(path=PLACE)}, 400, "must have `path`"),
        ({"Upload-Metadata": metadata(path=PLACE, sha256="abc")}, 400, "64 hexadecimal digits"),
        ({"Upload-Metadata": f"path {PLACE},sha256 x"}, 400, "no UTF-8 in Base64"),
        ({"Upload-Metadata": "path /w==,sha256 x"}, 400, "no UTF-8 in Base64"),
        ({"Upload-Metadata": metadata(path="a/b") + "," + metadata(path="c/d")}, 400, "is there twice"),
        ({"Authorization": ""}, 401, "log in"),
        ({"Authorization": "Basic YTpi"}, 401, "log in"),
        ({"Authorization": "Link abc"}, 401, "log in"),
        ({"Authorization": "Bearer abc"}, 401, "not taken"),
        ({"Sec-Fetch-Site": "same-site"}, 403, "another site's page"),
        ({"Origin": "https://evil.example.org"}, 403, "another site's page"),
    ],
)
def test_what_is_wrong_with_a_begin_is_said(
    receiver: Receiver, headers: dict[str, str], status: int, said: str
) -> None:
    answer = receiver.begin(PLACE, CONTENT, **headers)
    assert answer.status_code == status, answer.text
    assert said in answer.json()["detail"]
    assert answer.headers["Tus-Resumable"] == "1.0.0"
    assert ("Tus-Version" in answer.headers) == (status == 412)
    assert list(receiver.root.iterdir()) == []


@pytest.mark.parametrize("groups", [(ADMIN,), (STAFF,), (INSTRUMENT,), (MEMBER, INSTRUMENT)])
def test_staff_may(receiver: Receiver, groups: tuple[str, ...]) -> None:
    assert receiver.begin(PLACE, CONTENT, token(*groups)).status_code == 201


@pytest.mark.parametrize("groups", [(), (MEMBER,), ("role=user-office",)])
def test_others_may_not_and_that_is_recorded(receiver: Receiver, groups: tuple[str, ...]) -> None:
    answer = receiver.begin(PLACE, CONTENT, token(*groups, subject="otto"))
    assert answer.status_code == 403
    assert "you are none of them" in answer.json()["detail"]
    assert receiver.begin(PLACE, CONTENT, token(ADMIN, facility="soleil")).status_code == 403
    last = receiver.audited()[-2]
    assert (last["subject"], last["action"], last["why"]) == ("otto", "refused", "no staff")
    assert list(receiver.root.iterdir()) == []


def test_a_limited_token_puts_files_if_it_is_for_that(receiver: Receiver) -> None:
    answer = receiver.begin(PLACE, CONTENT, token(ADMIN, scope="openid panosc:read"))
    assert (answer.status_code, "is limited" in answer.json()["detail"]) == (403, True)
    assert 'error="insufficient_scope", scope="panosc:put"' in answer.headers["WWW-Authenticate"]
    assert receiver.begin(PLACE, CONTENT, token(ADMIN, scope="openid panosc:put")).status_code == 201
    assert receiver.begin("hc1/b.nxs", CONTENT, token(ADMIN, scope="openid")).status_code == 201
    # Who may not, may not with it.
    assert receiver.begin(PLACE, CONTENT, token(MEMBER, scope="openid panosc:put")).status_code == 403


def test_an_upload_is_its_senders(receiver: Receiver) -> None:
    url, other = receiver.begun(PLACE, CONTENT), token(ADMIN, subject="otto")
    for answer in (
        receiver.ask("HEAD", url, other),
        receiver.send(url, 0, CONTENT, other),
        receiver.ask("DELETE", url, other),
        receiver.ask("HEAD", f"{receiver.url}/{'0' * 32}"),
        receiver.ask("HEAD", f"{receiver.url}/nonsense"),
    ):
        assert answer.status_code == 404
    assert receiver.send(url, 0, CONTENT).status_code == 204


def test_a_file_that_is_there_is_never_replaced(receiver: Receiver) -> None:
    url, second = receiver.begun(PLACE, CONTENT), receiver.begun(PLACE, b"of the second")
    assert receiver.send(second, 0, b"of the second").status_code == 204
    late = receiver.send(url, 0, CONTENT)
    assert late.status_code == 409
    assert "never replaced" in late.json()["detail"]
    assert receiver.ask("HEAD", url).status_code == 404
    again = receiver.begin(PLACE, CONTENT)
    assert (again.status_code, "is there already" in again.json()["detail"]) == (409, True)
    assert (receiver.root / PLACE).read_bytes() == b"of the second"
    assert leftovers(receiver) == [".json"]


@pytest.mark.parametrize("kind", ["file", "link", "link outside"])
def test_no_file_comes_through_a_link_or_a_file(receiver: Receiver, tmp_path: Path, kind: str) -> None:
    (receiver.root / "real").mkdir()
    match kind:
        case "file":
            (receiver.root / "hc1").write_bytes(b"")
        case "link":
            (receiver.root / "hc1").symlink_to("real")
        case _:
            (receiver.root / "hc1").symlink_to(tmp_path)
    answer = receiver.begin("hc1/x", CONTENT)
    assert (answer.status_code, "is a file or a link" in answer.json()["detail"]) == (409, True)
    (receiver.root / "hc1").rename(receiver.root / "before")
    url = receiver.begun("hc1/x", CONTENT)
    (receiver.root / "before").rename(receiver.root / "hc1")
    assert receiver.send(url, 0, CONTENT).status_code == 409
    assert list(tmp_path.iterdir()) == list((receiver.root / "real").iterdir()) == []


def test_a_link_at_the_place_itself_is_there_already(receiver: Receiver, tmp_path: Path) -> None:
    (receiver.root / "hc1").mkdir()
    (receiver.root / "hc1/x").symlink_to(tmp_path / "nothing")
    assert receiver.begin("hc1/x", CONTENT).status_code == 409


def test_other_bytes_than_announced_are_not_taken(receiver: Receiver) -> None:
    url = receiver.begun(PLACE, CONTENT)
    answer = receiver.send(url, 0, bytes(len(CONTENT)))
    assert answer.status_code == 460
    assert answer.json()["title"] == "Checksum Mismatch"
    assert "send it again from its begin" in answer.json()["detail"]
    assert not (receiver.root / "hc1").exists()
    assert leftovers(receiver) == []
    assert receiver.ask("HEAD", url).status_code == 404


def test_a_request_with_a_checksum_counts_only_if_it_is_right(receiver: Receiver) -> None:
    url = receiver.begun(PLACE, CONTENT)
    assert receiver.send(url, 0, CONTENT[:5]).status_code == 204
    right = base64.b64encode(hashlib.sha256(CONTENT[5:]).digest()).decode()
    for told, status in (("md5 abc", 400), ("sha256 abc", 400), (f"sha256 {right[:-3]}AA=", 460)):
        answer = receiver.send(url, 5, CONTENT[5:], **{"Upload-Checksum": told})
        assert (answer.status_code, receiver.offset(url)) == (status, 5), told
    assert receiver.send(url, 5, CONTENT[5:], **{"Upload-Checksum": f"sha256 {right}"}).status_code == 204
    assert (receiver.root / PLACE).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("offset", "content", "headers", "status"),
    [
        (3, CONTENT, {}, 409),
        (0, CONTENT + b"x", {}, 400),
        (0, CONTENT, {"Content-Type": "text/plain"}, 415),
        (0, CONTENT, {"Upload-Offset": "x"}, 400),
        (0, CONTENT, {"Tus-Resumable": "2"}, 412),
        (0, iter([CONTENT, b"one more"]), {}, 400),
    ],
)
def test_what_is_wrong_with_a_piece_is_said_and_none_of_it_counts(
    receiver: Receiver, offset: int, content: Any, headers: dict[str, str], status: int
) -> None:
    url = receiver.begun(PLACE, CONTENT)
    answer = receiver.send(url, offset, content, **headers)
    assert (answer.status_code, receiver.offset(url)) == (status, 0)
    assert receiver.send(url, 0, CONTENT).status_code == 204


def test_an_upload_that_is_given_up_leaves_nothing(receiver: Receiver) -> None:
    url = receiver.begun(PLACE, CONTENT)
    receiver.send(url, 0, CONTENT[:5])
    assert receiver.ask("DELETE", url).status_code == 204
    assert leftovers(receiver) == []
    for method in ("HEAD", "DELETE", "PATCH"):
        headers = {"Upload-Offset": "5", "Content-Type": "application/offset+octet-stream"}
        assert receiver.ask(method, url, headers=headers).status_code == 404
    whole = receiver.begun(PLACE, CONTENT)
    receiver.send(whole, 0, CONTENT)
    assert receiver.ask("DELETE", whole).status_code == 409
    assert (receiver.root / PLACE).exists()


def test_clients_that_know_post_alone_may_use_it(receiver: Receiver) -> None:
    url = receiver.begun(PLACE, CONTENT)
    headers = {"Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
    override = {"X-HTTP-Method-Override": "PATCH"}
    assert receiver.ask("POST", url, headers=headers | override, content=CONTENT).status_code == 204
    assert receiver.ask("POST", url).status_code == 405
    assert (receiver.root / PLACE).read_bytes() == CONTENT


def test_what_is_done_is_in_the_audit_log(receiver: Receiver) -> None:
    before = len(receiver.audited())
    url = receiver.begun("hc1/right", CONTENT, token(INSTRUMENT))
    receiver.send(url, 0, CONTENT)
    receiver.send(receiver.begun("hc1/wrong", CONTENT), 0, bytes(len(CONTENT)))
    receiver.ask("DELETE", receiver.begun("hc1/given up", CONTENT))
    lines = receiver.audited()[before:]
    assert [(line["action"], line["file"], line["bytes"]) for line in lines] == [
        ("begun", "hc1/right", len(CONTENT)),
        ("finished", "hc1/right", len(CONTENT)),
        ("begun", "hc1/wrong", len(CONTENT)),
        ("refused", "hc1/wrong", len(CONTENT)),
        ("begun", "hc1/given up", len(CONTENT)),
        ("terminated", "hc1/given up", 0),
    ]
    assert {line["subject"] for line in lines} == {"ada"}
    assert {line["sha256"] for line in lines} == {hashlib.sha256(CONTENT).hexdigest()}
    assert lines[0]["role"] == "staff of instrument id01"
    assert "eyJ" not in receiver.log.read_text()


def half_sent(receiver: Receiver, url: str, content: bytes, length: int) -> socket.socket:
    """A request that has brought so much, and goes on."""
    connection = socket.create_connection(("127.0.0.1", receiver.port), timeout=10)
    head = (
        f"PATCH {url.removeprefix(f'http://127.0.0.1:{receiver.port}')} HTTP/1.1\r\nHost: x\r\n"
        f"Authorization: Bearer {token(ADMIN)}\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\n"
        f"Content-Type: application/offset+octet-stream\r\nContent-Length: {len(content)}\r\n\r\n"
    )
    connection.sendall(head.encode() + content[:length])
    return connection


def until(what: Any, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def part_of(receiver: Receiver) -> int:
    return next((receiver.root / UNFINISHED).glob("*.part")).stat().st_size


def counted(receiver: Receiver) -> int:
    state = next((receiver.root / UNFINISHED).glob("*.json"))
    return int(json.loads(state.read_text())["offset"])


def come_elsewhere(store: Store, url: str, content: bytes) -> None:
    """As in another pod, or before a restart: the sum is not known here."""
    with store.open(url.rpartition("/")[2]) as part:
        assert part
        part.append(content)
        part.keep()


def expire(receiver: Receiver) -> None:
    state = next((receiver.root / UNFINISHED).glob("*.json"))
    state.write_text(json.dumps(json.loads(state.read_text()) | {"expires": time.time() - 1}))


def test_two_do_not_write_at_once(receiver: Receiver) -> None:
    url, content = receiver.begun(PLACE, CONTENT * 10**5), CONTENT * 10**5
    with half_sent(receiver, url, content, 2**21):
        until(lambda: part_of(receiver) >= 2**20)
        for answer in (receiver.send(url, 0, content), receiver.ask("DELETE", url)):
            assert (answer.status_code, answer.headers["Retry-After"]) == (423, "2")
    # The line broke: what it brought counts.
    until(lambda: receiver.offset(url) == 2**21)
    assert receiver.send(url, 2**21, content[2**21 :]).status_code == 204
    assert (receiver.root / PLACE).read_bytes() == content


def test_another_pod_of_the_archive_sees_the_same_and_waits_too(receiver: Receiver) -> None:
    port, log = free_port(), receiver.base / "other.log"
    with Process(archive_command("receive", "--port", str(port)), receiver.environment, log) as process:
        wait_for(f"http://127.0.0.1:{port}/healthz", process.process, log)
        content = CONTENT * 10**5
        url = receiver.begun(PLACE, content)
        there = url.replace(f":{receiver.port}/", f":{port}/")
        with half_sent(receiver, url, content, 2**21):
            until(lambda: part_of(receiver) >= 2**20)
            assert receiver.send(there, 0, content).status_code == 423
        until(lambda: receiver.offset(url) == 2**21)
        assert receiver.send(there, 2**21, content[2**21 :]).status_code == 204
        assert (receiver.root / PLACE).read_bytes() == content
        assert "Repr-Digest" in receiver.ask("HEAD", url).headers


def test_a_service_that_is_killed_in_the_middle_goes_on(receiver: Receiver) -> None:
    content = os.urandom(2 * STEP + 2**20)
    url = receiver.begun(PLACE, content)
    with half_sent(receiver, url, content, STEP + 2**21):
        until(lambda: counted(receiver) >= STEP)
        receiver.kill()
    receiver.start()
    # What came behind the last that was surely on disk is cut off.
    offset = receiver.offset(url)
    assert STEP <= offset < STEP + 2**21
    assert receiver.send(url, offset, content[offset:]).status_code == 204
    assert (receiver.root / PLACE).read_bytes() == content


def test_a_service_that_is_stopped_in_the_middle_keeps_all_that_came(receiver: Receiver) -> None:
    content = os.urandom(4 * 2**20)
    url = receiver.begun(PLACE, content)
    with half_sent(receiver, url, content, 2**21):
        until(lambda: part_of(receiver) >= 2**20)
        receiver.terminate()
    receiver.start()
    # Less than a step, of which a kill would have left nothing.
    assert receiver.offset(url) == 2**21 < STEP
    assert receiver.send(url, 2**21, content[2**21 :]).status_code == 204
    assert (receiver.root / PLACE).read_bytes() == content


def test_a_service_that_is_killed_before_a_whole_file_has_its_name_finishes_it(receiver: Receiver) -> None:
    url = receiver.begun(PLACE, CONTENT)
    store = Store(receiver.root, 3600)
    come_elsewhere(store, url, CONTENT)
    assert receiver.offset(url) == len(CONTENT)
    # As if it had just got its name, too.
    (receiver.root / "hc1/scan").mkdir(parents=True)
    os.link(next((receiver.root / UNFINISHED).glob("*.part")), receiver.root / PLACE)
    modified = (receiver.root / PLACE).stat().st_mtime_ns
    assert receiver.ask("DELETE", url).status_code == 409
    assert "Repr-Digest" in receiver.send(url, len(CONTENT), b"").headers
    # The manifest tells by it whether a file was changed.
    assert (receiver.root / PLACE).stat().st_mtime_ns == modified
    assert (receiver.root / PLACE).read_bytes() == CONTENT
    assert leftovers(receiver) == [".json"]


def test_where_there_is_no_place_nothing_is_begun(receiver: Receiver) -> None:
    answer = receiver.begin(PLACE, CONTENT, **{"Upload-Length": str(MAX_BYTES)})
    assert (answer.status_code, "has place for" in answer.json()["detail"]) == (507, True)
    assert list(receiver.root.iterdir()) == []


def test_place_is_kept_for_what_is_still_to_come(receiver: Receiver) -> None:
    store = Store(receiver.root, 3600)
    free, _ = store.place()
    size = str(free * 2 // 3)
    assert receiver.begin("hc1/a.nxs", CONTENT, **{"Upload-Length": size}).status_code == 201
    assert receiver.begin("hc1/b.nxs", CONTENT, **{"Upload-Length": size}).status_code == 507


def test_nobody_begins_without_end(receiver: Receiver) -> None:
    store = Store(receiver.root, 3600)
    for number in range(MAX_UNFINISHED):
        store.begin(Announced(f"hc1/{number}", 1, "0" * 64, ""), "ada")
    answer = receiver.begin(PLACE, CONTENT)
    assert (answer.status_code, "finish or DELETE" in answer.json()["detail"]) == (429, True)
    assert receiver.begin(PLACE, CONTENT, token(ADMIN, subject="otto")).status_code == 201


def test_who_sends_nothing_keeps_no_place_for_longer(receiver: Receiver) -> None:
    url = receiver.begun(PLACE, CONTENT)
    before = receiver.ask("HEAD", url).headers["Upload-Expires"]
    time.sleep(1.1)
    assert receiver.send(url, 0, b"").status_code == 204
    assert receiver.ask("HEAD", url).headers["Upload-Expires"] == before


def test_what_a_crash_left_without_its_state_goes_with_time(receiver: Receiver) -> None:
    folder = receiver.root / UNFINISHED
    folder.mkdir()
    old, new = (folder / f"{digit * 32}.part" for digit in "ab")
    for file in (old, new):
        file.write_bytes(CONTENT)
    os.utime(old, (0, 0))
    Store(receiver.root, 3600).sweep()
    assert list(folder.iterdir()) == [new]


@asynccontextmanager
async def served_here(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[httpx2.AsyncClient]:
    """An administrator's client of a service of the same archive, in this process."""
    for name, value in receiver.environment.items():
        monkeypatch.setenv(name, value)
    configured = Settings()
    assert configured.uploads
    app = create_app(configured, configured.uploads)
    headers = {"Tus-Resumable": "1.0.0", "Authorization": f"Bearer {token(ADMIN)}"}
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=httpx2.ASGITransport(app), headers=headers) as client,
    ):
        yield client


def piece_at(start: int) -> dict[str, str]:
    return {"Upload-Offset": str(start), "Content-Type": "application/offset+octet-stream"}


def sent_to_a_broken_disk(
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
    url: str,
    start: int,
    content: bytes,
    write: Callable[[int, Any, int], int],
) -> httpx2.Response:
    """The answer of a service of the same archive, in this process, where `write` is how it writes."""

    async def send() -> httpx2.Response:
        async with served_here(receiver, monkeypatch) as client:
            return await client.patch(url, headers=piece_at(start), content=content)

    with monkeypatch.context() as broken:
        broken.setattr(os, "pwrite", write)
        return asyncio.run(send())


@pytest.mark.parametrize(
    ("number", "status"),
    # The last is of the kind that a client's silence is told by.
    [(errno.ENOSPC, 507), (errno.EDQUOT, 507), (errno.EIO, 500), (errno.ETIMEDOUT, 500)],
)
def test_a_volume_that_takes_no_more_says_so_and_what_has_come_is_kept(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, number: int, status: int
) -> None:
    url = receiver.begun(PLACE, CONTENT)
    receiver.send(url, 0, CONTENT[:5])

    def full(descriptor: int, data: object, offset: int) -> int:
        raise OSError(number, os.strerror(number))

    answer = sent_to_a_broken_disk(receiver, monkeypatch, url, 5, CONTENT[5:], full)
    assert answer.status_code == status
    assert "tell whoever runs it" in answer.text or "have whoever runs it make place" in answer.text
    assert receiver.offset(url) == 5
    assert receiver.send(url, 5, CONTENT[5:]).status_code == 204


def test_a_disk_that_is_slow_once_doubles_nothing(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    content, write, calls = os.urandom(3 * BUFFER), os.pwrite, []

    def slow_once(descriptor: int, data: Any, offset: int) -> int:
        calls.append(offset)
        written = write(descriptor, data, offset)
        if len(calls) == 1:
            raise OSError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))
        return written

    url = receiver.begun(PLACE, content)
    answer = sent_to_a_broken_disk(receiver, monkeypatch, url, 0, content, slow_once)
    assert (answer.status_code, calls) == (500, [0])
    assert receiver.offset(url) == 0
    assert receiver.send(url, 0, content).status_code == 204
    assert (receiver.root / PLACE).read_bytes() == content


def cut_off(
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
    url: str,
    content: bytes,
    *,
    cancel: bool,
    **headers: str,
) -> httpx2.Response | None:
    """The answer to a request of which no more comes; None if it is cancelled then, as at a stop."""

    async def send() -> httpx2.Response | None:
        all_sent = asyncio.Event()

        async def pieces() -> AsyncIterator[bytes]:
            yield content
            all_sent.set()
            await asyncio.Event().wait()

        async with served_here(receiver, monkeypatch) as client:
            request = client.patch(url, headers=piece_at(0) | headers, content=pieces())
            running = asyncio.create_task(request)
            if not cancel:
                return await running
            await all_sent.wait()
            running.cancel()
        assert running.cancelled()
        return None

    return asyncio.run(send())


CHECKSUM = f"sha256 {base64.b64encode(hashlib.sha256(CONTENT).digest()).decode()}"


@pytest.mark.parametrize(("headers", "kept"), [({}, 2 * BUFFER), ({"Upload-Checksum": CHECKSUM}, 0)])
def test_what_came_before_a_request_is_cancelled_is_kept(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, headers: dict[str, str], kept: int
) -> None:
    content = os.urandom(3 * BUFFER)
    url = receiver.begun(PLACE, content)
    cut_off(receiver, monkeypatch, url, content[: 2 * BUFFER], cancel=True, **headers)
    assert (receiver.offset(url), part_of(receiver)) == (kept, kept)
    assert receiver.send(url, kept, content[kept:]).status_code == 204
    assert (receiver.root / PLACE).read_bytes() == content


def test_what_was_written_before_a_disk_fails_is_in_the_sum(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, write, store = receiver.begun(PLACE, CONTENT), os.pwrite, Store(receiver.root, 3600)

    def fails_in_the_middle(descriptor: int, data: Any, offset: int) -> int:
        if offset:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return write(descriptor, data[:5], offset)

    with store.open(url.rpartition("/")[2]) as part:
        assert part
        with monkeypatch.context() as broken:
            broken.setattr(os, "pwrite", fails_in_the_middle)
            with pytest.raises(OSError, match="Input/output"):
                part.append(CONTENT)
        part.append(CONTENT[5:])
        part.keep()
        assert part.sha256() == hashlib.sha256(CONTENT).hexdigest()


@pytest.mark.parametrize(("headers", "kept"), [({}, 5), ({"Upload-Checksum": CHECKSUM}, 0)])
def test_who_sends_nothing_more_is_given_up_and_what_came_is_kept(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, headers: dict[str, str], kept: int
) -> None:
    monkeypatch.setattr(routes, "SILENT_SECONDS", 0.2)
    url = receiver.begun(PLACE, CONTENT)
    answer = cut_off(receiver, monkeypatch, url, CONTENT[:5], cancel=False, **headers)
    assert answer
    assert (answer.status_code, "go on from what HEAD says" in answer.json()["detail"]) == (408, True)
    assert (receiver.offset(url), part_of(receiver)) == (kept, kept)
    assert receiver.send(url, kept, CONTENT[kept:]).status_code == 204


def test_a_request_without_a_byte_changes_nothing(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routes, "SILENT_SECONDS", 0.2)
    url = receiver.begun(PLACE, CONTENT)
    receiver.send(url, 0, CONTENT[:5])
    state = next((receiver.root / UNFINISHED).glob("*.json")).read_bytes()
    empty = receiver.send(url, 5, b"")
    assert (empty.status_code, empty.headers["Upload-Offset"]) == (204, "5")
    assert "Repr-Digest" not in empty.headers
    silent = cut_off(receiver, monkeypatch, url, b"", cancel=False, **{"Upload-Offset": "5"})
    assert silent
    assert silent.status_code == 408
    assert next((receiver.root / UNFINISHED).glob("*.json")).read_bytes() == state
    assert receiver.send(url, 5, CONTENT[5:]).status_code == 204


def test_of_two_that_get_one_name_at_once_the_second_is_refused(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    contents = [b"of the one", b"of the other"]
    urls = [receiver.begun(PLACE, content) for content in contents]
    link, both = os.link, threading.Barrier(2, timeout=10)

    def together(*given: Any, **options: Any) -> None:
        both.wait()
        link(*given, **options)

    async def send() -> list[httpx2.Response]:
        async with served_here(receiver, monkeypatch) as client:
            pairs = zip(urls, contents, strict=True)
            sending = (client.patch(url, headers=piece_at(0), content=content) for url, content in pairs)
            return await asyncio.gather(*sending)

    monkeypatch.setattr(os, "link", together)
    answers = asyncio.run(send())
    by_status = {answer.status_code: number for number, answer in enumerate(answers)}
    assert set(by_status) == {204, 409}
    assert "never replaced" in answers[by_status[409]].json()["detail"]
    assert (receiver.root / PLACE).read_bytes() == contents[by_status[204]]
    assert "Repr-Digest" in receiver.ask("HEAD", urls[by_status[204]]).headers
    assert receiver.ask("HEAD", urls[by_status[409]]).status_code == 404
    assert leftovers(receiver) == [".json"]


def test_files_that_are_read_again_hold_up_no_others(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, announced = Store(receiver.root, 3600), hashlib.sha256(CONTENT).hexdigest()
    left = []
    for number in range(40):  # more than any pool of threads has
        upload = store.begin(Announced(f"hc1/{number}", len(CONTENT), announced, ""), "ada")
        left.append(f"{receiver.url}/{upload.identifier}")
        come_elsewhere(store, left[-1], CONTENT)
    other, go_on, pread, reading = receiver.begun(PLACE, CONTENT), threading.Event(), os.pread, []

    async def send() -> list[int]:
        begun, tell = asyncio.Event(), asyncio.get_running_loop().call_soon_threadsafe

        def slow(descriptor: int, length: int, offset: int) -> bytes:
            reading.append(descriptor)
            if len(reading) == READINGS:
                tell(begun.set)
            assert go_on.wait(20)
            return pread(descriptor, length, offset)

        monkeypatch.setattr(os, "pread", slow)
        async with served_here(receiver, monkeypatch) as client:
            ends = asyncio.gather(*(client.patch(url, headers=piece_at(len(CONTENT))) for url in left))
            try:
                async with asyncio.timeout(10):
                    await begun.wait()
                    sent = await client.patch(other, headers=piece_at(0), content=CONTENT)
                    head = await client.head(other)
                assert (sent.status_code, head.status_code, len(reading)) == (204, 200, READINGS)
            finally:
                go_on.set()
            return [answer.status_code for answer in await ends]

    assert set(asyncio.run(send())) == {204}
    assert {(receiver.root / "hc1" / str(number)).read_bytes() for number in range(40)} == {CONTENT}


def test_what_expired_is_forgotten_with_what_had_come(receiver: Receiver) -> None:
    url = receiver.begun(PLACE, CONTENT)
    receiver.send(url, 0, CONTENT[:5])
    store = Store(receiver.root, 3600)
    store.sweep()
    assert receiver.offset(url) == 5
    expire(receiver)
    assert receiver.ask("HEAD", url).status_code == 404
    assert receiver.send(url, 5, CONTENT[5:]).status_code == 404
    with capture_logs() as said:
        store.sweep()
    assert [(line["event"], line["path"], line["bytes"]) for line in said] == [("upload expired", PLACE, 5)]
    assert leftovers(receiver) == []
    assert not (receiver.root / PLACE).exists()


def test_what_got_its_name_before_a_crash_is_not_said_to_have_expired(receiver: Receiver) -> None:
    url, store = receiver.begun(PLACE, CONTENT), Store(receiver.root, 3600)
    come_elsewhere(store, url, CONTENT)
    (receiver.root / "hc1/scan").mkdir(parents=True)
    os.link(next((receiver.root / UNFINISHED).glob("*.part")), receiver.root / PLACE)
    expire(receiver)
    with capture_logs() as said:
        store.sweep()
    assert (said, leftovers(receiver)) == ([], [])
    assert (receiver.root / PLACE).read_bytes() == CONTENT


def test_what_ended_in_another_pod_is_forgotten_here(receiver: Receiver) -> None:
    url, store = receiver.begun(PLACE, CONTENT), Store(receiver.root, 3600)
    come_elsewhere(store, url, CONTENT[:5])
    store.sweep()
    assert len(store._sums) == 1
    assert receiver.send(url, 5, CONTENT[5:]).status_code == 204
    store.sweep()
    assert store._sums == {}
    assert "Repr-Digest" in receiver.ask("HEAD", url).headers


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.binary(min_size=1, max_size=2000),
    cuts=st.lists(st.integers(0, 2000), max_size=5),
    restarts=st.sets(st.integers(0, 5)),
)
def test_however_it_is_cut_the_file_is_the_same(
    receiver: Receiver, content: bytes, cuts: list[int], restarts: set[int]
) -> None:
    (receiver.root / "hc1/x").unlink(missing_ok=True)
    url = receiver.begun("hc1/x", content)
    ends = [*sorted(cut for cut in cuts if cut < len(content)), len(content)]
    start = 0
    for number, end in enumerate(ends):
        piece = content[start:end]
        if number in restarts:  # as in another pod, which does not know the sum
            come_elsewhere(Store(receiver.root, 3600), url, piece)
            piece, start = b"", end
        assert receiver.send(url, start, piece).status_code == 204
        start = end
    assert (receiver.root / "hc1/x").read_bytes() == content


def test_what_is_unfinished_is_not_seen_by_who_walks_the_tree(tmp_path: Path) -> None:
    (tmp_path / UNFINISHED).mkdir()
    (tmp_path / UNFINISHED / "x.part").write_bytes(b"part")
    (tmp_path / "hc1" / UNFINISHED).mkdir(parents=True)
    (tmp_path / "hc1" / UNFINISHED / "theirs").write_bytes(b"a folder of that name elsewhere is somebody's")
    scanner = TreeScanner(tmp_path)
    for full in (False, True):
        list(scanner.scan(full=full))
        assert [path for path, _ in scanner.files()] == [f"hc1/{UNFINISHED}/theirs"]
