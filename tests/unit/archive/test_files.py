"""`/files`: bytes, ranges, conditions and listings, sent by the service itself and by nginx."""

import base64
import contextlib
import hashlib
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote

import httpx2
import orjson
import pytest
from panosc_archive.manifest import Manifest
from panosc_common.tree import Change, ChangeKind, FileState
from unit.archive.harness import Archive

RANGES = [
    "bytes=0-0",
    "bytes=0-99",
    "bytes=1000000-1999999",
    "bytes=2999990-",
    "bytes=-7",
    "bytes=5-9999999",
]


def is_problem(response: httpx2.Response, status: int) -> bool:
    told = response.json()
    media_type = response.headers["content-type"]
    return (response.status_code, told["status"], media_type) == (status, status, "application/problem+json")


@pytest.fixture
def scan(archive: Archive, random_bytes: bytes) -> Path:
    return archive.publish("p1/d1/scan.h5", random_bytes)


@pytest.mark.usefixtures("scan")
class TestBytes:
    def test_whole_file(self, archive: Archive, random_bytes: bytes) -> None:
        response = archive.get("/files/p1/d1/scan.h5")
        assert response.status_code == 200
        assert response.content == random_bytes
        assert response.headers["content-length"] == "3000000"
        assert response.headers["accept-ranges"] == "bytes"
        assert response.headers["content-type"] == "application/x-hdf5"
        assert response.headers["content-disposition"] == "attachment; filename*=UTF-8''scan.h5"
        assert response.headers["x-content-type-options"] == "nosniff"

    @pytest.mark.parametrize("span", RANGES)
    def test_range(self, archive: Archive, random_bytes: bytes, span: str) -> None:
        response = archive.get("/files/p1/d1/scan.h5", headers={"Range": span})
        first, _, last = span.removeprefix("bytes=").partition("-")
        start = int(first) if first else len(random_bytes) - int(last)
        end = min(int(last) + 1 if first and last else len(random_bytes), len(random_bytes))
        assert response.status_code == 206
        assert response.content == random_bytes[start:end]
        assert response.headers["content-range"] == f"bytes {start}-{end - 1}/3000000"

    def test_several_ranges_in_one_answer(self, archive: Archive, random_bytes: bytes) -> None:
        response = archive.get("/files/p1/d1/scan.h5", headers={"Range": "bytes=0-9,1000-1009"})
        assert response.status_code == 206
        assert response.headers["content-type"].startswith("multipart/byteranges")
        assert random_bytes[:10] in response.content
        assert random_bytes[1000:1010] in response.content

    @pytest.mark.parametrize("span", ["bytes=3000000-", "bytes=nonsense"])
    def test_impossible_range(self, archive: Archive, span: str) -> None:
        response = archive.get("/files/p1/d1/scan.h5", headers={"Range": span})
        assert response.status_code == 416
        assert response.headers["content-range"] == "bytes */3000000"
        assert is_problem(response, 416)

    def test_head_tells_without_sending(self, archive: Archive) -> None:
        head = archive.request("HEAD", "/files/p1/d1/scan.h5")
        assert head.status_code == 200
        assert head.content == b""
        assert head.headers["content-length"] == "3000000"
        assert head.headers["etag"] == archive.get("/files/p1/d1/scan.h5").headers["etag"]

    @pytest.mark.parametrize(
        ("header", "value", "status"),
        [
            ("If-None-Match", "{etag}", 304),
            ("If-None-Match", '"other", W/{etag}', 304),
            ("If-None-Match", '"other"', 200),
            ("If-Modified-Since", "{modified}", 304),
            ("If-Modified-Since", "Mon, 01 Jan 1990 00:00:00 GMT", 200),
            ("If-Modified-Since", "nonsense", 200),
            ("If-Match", "{etag}", 200),
            ("If-Match", '"other"', 412),
            ("If-Unmodified-Since", "Mon, 01 Jan 1990 00:00:00 GMT", 412),
        ],
    )
    def test_condition(self, archive: Archive, header: str, value: str, status: int) -> None:
        now = archive.request("HEAD", "/files/p1/d1/scan.h5").headers
        asked = value.format(etag=now["etag"], modified=now["last-modified"])
        response = archive.get("/files/p1/d1/scan.h5", headers={header: asked})
        assert response.status_code == status
        assert (len(response.content) == 3_000_000) is (status == 200)
        assert status < 400 or is_problem(response, status)

    def test_if_range_of_a_changed_file_gets_all_of_it(self, archive: Archive, random_bytes: bytes) -> None:
        etag = archive.request("HEAD", "/files/p1/d1/scan.h5").headers["etag"]
        span = {"Range": "bytes=10-19"}
        same = archive.get("/files/p1/d1/scan.h5", headers={**span, "If-Range": etag})
        assert (same.status_code, same.content) == (206, random_bytes[10:20])
        other = archive.get("/files/p1/d1/scan.h5", headers={**span, "If-Range": '"0-0"'})
        assert (other.status_code, other.content) == (200, random_bytes)

    def test_many_clients_at_once_get_their_own_parts(self, archive: Archive, random_bytes: bytes) -> None:
        def part(start: int) -> bool:
            headers = {"Range": f"bytes={start}-{start + 999}"}
            return (
                archive.get("/files/p1/d1/scan.h5", headers=headers).content
                == random_bytes[start : start + 1000]
            )

        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(part, range(0, 200_000, 1000)))

    def test_other_sites_may_read(self, archive: Archive) -> None:
        origin = {"Origin": "https://h5web.example.org"}
        response = archive.get("/files/p1/d1/scan.h5", headers=origin)
        assert response.headers["access-control-allow-origin"] == "*"
        asked = {**origin, "Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "Range"}
        assert archive.request("OPTIONS", "/files/p1/d1/scan.h5", headers=asked).status_code == 200

    def test_writing_is_refused(self, archive: Archive, scan: Path) -> None:
        for method in ("PUT", "DELETE", "POST"):
            response = archive.request(method, "/files/p1/d1/scan.h5")
            assert response.status_code == 405
            assert response.json()["status"] == 405
        assert scan.exists()


def test_both_senders_give_the_same_validators(
    standalone: Archive, behind_nginx: Archive, random_bytes: bytes
) -> None:
    standalone.publish("p1/d1/same.h5", random_bytes)
    mine, nginx = (one.request("HEAD", "/files/p1/d1/same.h5").headers for one in (standalone, behind_nginx))
    for name in ("etag", "last-modified", "content-type", "content-length", "content-disposition"):
        assert mine[name] == nginx[name]


@pytest.mark.parametrize(
    "name",
    ["with space", "100%", "100%25", "ü", "a+b&c=d?e#f;g", "new\nline", "'\"\\", "日本", "..x", "%2e"],
)
def test_odd_name(archive: Archive, name: str) -> None:
    archive.publish(f"odd/{name}", name.encode())
    response = archive.get(f"/files/odd/{quote(name, safe='')}")
    assert (response.status_code, response.content) == (200, name.encode())
    listed = {entry["name"]: entry for entry in archive.get("/files/odd/").json()["entries"]}
    assert listed[name]["url"] == f"http://archive.example.org/files/odd/{quote(name, safe='')}"


@pytest.mark.parametrize("target", ["/files/a%00b", "/files/%zz", "/files/../../x", "/files/" + "x" * 20_000])
def test_malformed_target_is_answered_as_a_problem(behind_nginx: Archive, target: str) -> None:
    status, body = behind_nginx.raw(target)
    assert (status in (400, 404), orjson.loads(body)["status"]) == (True, status)


def test_empty_file(archive: Archive) -> None:
    archive.publish("p1/empty", b"")
    response = archive.get("/files/p1/empty")
    assert (response.status_code, response.content) == (200, b"")


def test_not_visible_and_not_existing_are_told_apart_by_nothing(archive: Archive) -> None:
    (archive.root / "secret").mkdir(exist_ok=True)
    (archive.root / "secret/embargoed.h5").write_bytes(b"secret")
    answers = [
        archive.get(path + query)
        for path in (
            "/files/secret/embargoed.h5",
            "/files/secret/nothing.h5",
            "/files/secret",
            "/files/nothing/",
        )
        for query in ("", "?after=a", "?limit=1", "?after=a&limit=1000")
    ]
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.content for answer in answers}) == 1
    assert {answer.headers["content-type"] for answer in answers} == {"application/problem+json"}
    assert answers[0].json() == {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "detail": "there is no such file, directory or dataset, or you may not see it",
    }


def test_listing_shows_only_what_is_visible(archive: Archive) -> None:
    archive.publish("listing/a.h5", b"123")
    archive.publish("listing/sub/deep/b.h5", b"12")
    (archive.root / "listing/hidden.h5").write_bytes(b"1")
    (archive.root / "listing/hidden").mkdir(exist_ok=True)
    os.utime(archive.root / "listing/a.h5", (1_000_000_000, 1_000_000_000))
    for path in ("/files/listing", "/files/listing/"):
        assert archive.get(path).json() == {
            "path": "listing",
            "entries": [
                {
                    "name": "a.h5",
                    "type": "file",
                    "size": 3,
                    "modified": "2001-09-09T01:46:40Z",
                    "url": "http://archive.example.org/files/listing/a.h5",
                },
                {
                    "name": "sub",
                    "type": "directory",
                    "url": "http://archive.example.org/files/listing/sub/",
                },
            ],
        }


def test_root_is_listed(archive: Archive) -> None:
    archive.publish("listing/a.h5", b"123")
    for path in ("/files", "/files/"):
        names = [entry["name"] for entry in archive.get(path).json()["entries"]]
        assert "listing" in names
        assert "secret" not in names


def test_listing_in_pages(archive: Archive) -> None:
    names = [f"{number:02}ü" for number in range(7)]
    for name in names:
        archive.publish(f"pages/{name}", b"")
    seen, url = [], "http://archive.example.org/files/pages/?limit=3"
    while url:
        page = archive.get(url.removeprefix("http://archive.example.org")).json()
        assert len(page["entries"]) <= 3
        seen += [entry["name"] for entry in page["entries"]]
        url = page.get("next")
    assert seen == names


@pytest.mark.parametrize("query", ["limit=0", "after=%00", "limit=" + "9" * 5000])
def test_refused_parameters_do_not_tell_what_exists_either(archive: Archive, query: str) -> None:
    (archive.root / "secret").mkdir(exist_ok=True)
    for path in ("/files/secret", "/files/nothing"):
        assert archive.get(f"{path}?{query}").status_code == 422


@pytest.mark.parametrize("limit", ["0", "1001", "-1", "ten", "1e3", "²"])
def test_page_limit_out_of_bounds(archive: Archive, limit: str) -> None:
    response = archive.get("/files/", params={"limit": limit})
    assert response.status_code == 422
    assert limit in response.json()["detail"]


def test_page_that_begins_after_no_possible_name(archive: Archive) -> None:
    assert archive.get("/files/", params={"after": "a\0b"}).status_code == 422


def test_file_that_is_replaced_is_sent_as_one_version(standalone: Archive) -> None:
    old, new = b"o" * 3_000_000, b"n" * 3_000_000
    file = standalone.publish("p1/replaced", old)
    assert standalone.get("/files/p1/replaced").content == old
    file.with_suffix(".new").write_bytes(new)
    file.with_suffix(".new").rename(file)
    assert standalone.get("/files/p1/replaced").content == new


def test_visibility_follows_the_catalogue_within_a_second(archive: Archive) -> None:
    path = f"p1/embargo-{archive.port}"
    archive.publish(path, b"x")
    assert archive.get(f"/files/{path}").status_code == 200
    archive.catalogue.visible.remove(path)
    time.sleep(1.1)
    assert archive.get(f"/files/{path}").status_code == 404


def test_reader_of_many_ranges_asks_the_catalogue_once(archive: Archive, scan: Path) -> None:
    before = archive.catalogue.requests
    for start in range(20):
        archive.get("/files/p1/d1/scan.h5", headers={"Range": f"bytes={start}-{start}"})
    assert archive.catalogue.requests - before <= 2


def test_catalogue_that_stumbles_is_asked_again(archive: Archive) -> None:
    archive.publish(f"p1/stumble-{archive.port}", b"x")
    archive.catalogue.failures = [503]
    assert archive.get(f"/files/p1/stumble-{archive.port}").status_code == 200


@pytest.mark.parametrize("path", ["/files/p1/silence-{port}", "/files/p1/", "/files/p1/absent-{port}"])
def test_nothing_is_shown_while_the_catalogue_is_silent(archive: Archive, path: str) -> None:
    archive.publish(f"p1/silence-{archive.port}", b"x")
    target = path.format(port=archive.port)
    archive.catalogue.failures = [503, 503]
    response = archive.get(target)
    assert response.status_code == 503
    assert response.headers["retry-after"] == "5"
    assert response.headers["content-type"] == "application/problem+json"
    assert archive.get(target).status_code in (200, 404)


def test_hash_is_listed_while_it_belongs_to_the_content(archive: Archive) -> None:
    file = archive.publish("hashed/x.h5", b"content")
    status = file.stat()
    sha256 = hashlib.sha256(b"content").hexdigest()
    with contextlib.closing(Manifest.open(archive.state / "manifest.sqlite")) as manifest:
        state = FileState(status.st_size, status.st_mtime_ns)
        manifest.record(Change(ChangeKind.ADDED, "hashed/x.h5", state))
        (entry,) = manifest.find(["hashed/x.h5"]).values()
        manifest.accept(entry, state, sha256)
    (listed,) = archive.get("/files/hashed/").json()["entries"]
    assert listed["sha256"] == sha256
    want = {"Want-Repr-Digest": "sha-256=1", "Range": "bytes=0-1"}
    told = archive.get("/files/hashed/x.h5", headers=want).headers["repr-digest"]
    assert told == f"sha-256=:{base64.b64encode(bytes.fromhex(sha256)).decode()}:"
    assert "repr-digest" not in archive.get("/files/hashed/x.h5").headers
    file.write_bytes(b"changed since")
    (listed,) = archive.get("/files/hashed/").json()["entries"]
    assert "sha256" not in listed
    assert "repr-digest" not in archive.get("/files/hashed/x.h5", headers=want).headers


def test_the_catalogue_was_always_asked_as_agreed(archive: Archive) -> None:
    assert archive.catalogue.errors == []


class TestPersonal:
    """What comes with a token is for whoever has it, and says so once."""

    @pytest.mark.parametrize(
        ("path", "headers", "status"),
        [
            ("scan.h5", {}, 200),
            ("scan.h5", {"Range": "bytes=0-9"}, 206),
            ("scan.h5", {"If-None-Match": "*"}, 304),
            ("scan.h5", {"If-Match": '"other"'}, 412),
            ("scan.h5", {"Range": "bytes=9000000-"}, 416),
            ("", {}, 200),
            ("nothing", {}, 404),
        ],
    )
    @pytest.mark.parametrize("who", [{}, {"Authorization": "Bearer x"}], ids=["public", "token"])
    @pytest.mark.usefixtures("scan")
    def test_answers_say_whose_they_are(
        self, archive: Archive, path: str, headers: dict[str, str], status: int, who: dict[str, str]
    ) -> None:
        origin = {"Origin": "https://h5web.example.org"}
        answer = archive.get(f"/files/p1/d1/{path}", headers=headers | who | origin)
        assert answer.status_code == status
        kept = answer.headers.get_list("Cache-Control")
        if who:
            assert kept == ["no-store"]
        elif status < 300:
            assert kept in (["no-cache"], [])
        (depends,) = answer.headers.get_list("Vary")
        assert "Authorization" in depends
        assert answer.headers.get_list("Access-Control-Allow-Origin") == ["*"]

    def test_what_nginx_may_not_open_is_answered_as_what_is_not_there(self, behind_nginx: Archive) -> None:
        behind_nginx.publish("closed.h5", b"x").chmod(0)
        headers = {"Authorization": "Bearer x", "Origin": "https://h5web.example.org"}
        closed, absent = (behind_nginx.get(f"/files/{name}", headers=headers) for name in ("closed.h5", "no"))
        assert (closed.status_code, closed.content) == (absent.status_code, absent.content)
        for name in ("Cache-Control", "Access-Control-Allow-Origin", "Content-Type"):
            assert closed.headers.get_list(name) == absent.headers.get_list(name)
        assert "Authorization" in closed.headers["Vary"]

    def test_programs_in_browsers_read_why_a_token_is_not_taken(self, archive: Archive) -> None:
        answer = archive.get("/files/a", headers={"Origin": "https://h5web.example.org"})
        assert "WWW-Authenticate" in answer.headers["Access-Control-Expose-Headers"]
