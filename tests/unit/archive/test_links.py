"""Signed links and the audit log of an archive, with a catalogue's double that knows one member."""

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2
import pytest
from panosc_archive.files import MAX_PAGE
from panosc_archive.signing import MAX_PAGES
from panosc_common.access import Reason, Role
from panosc_common.audit import EVENT
from panosc_common.signed import Keys, Link
from unit.archive.harness import Archive

FILE, CONTENT = "hc1/scan 1/a ü.nxs", os.urandom(5000)
PID = "10.1/hc1 a"
BUNDLE = f"/datasets/{quote(PID, safe='')}/bundle.zip"
ADA = {"Authorization": "Bearer ada"}
HOST = "http://archive.example.org"
MEMBER = "member of proposal HC-1"


@pytest.fixture
def closed(archive: Archive) -> Iterator[Archive]:
    """An archive with a dataset that only Ada sees."""
    file = archive.root / FILE
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(CONTENT)
    double = archive.catalogue
    double.closed = {"ada": {FILE: {"dataset": PID, "reason": {"role": "member of proposal", "of": "HC-1"}}}}
    files = [{"archive": "archive", "path": FILE, "size": len(CONTENT)}]
    double.closed_datasets = {"ada": {PID: {"pid": PID, "title": "Scan", "files": files}}}
    yield archive
    double.closed.clear()
    double.closed_datasets.clear()
    assert double.errors == []


def sign(archive: Archive, resource: str, **more: Any) -> httpx2.Response:
    return archive.request("POST", "/links", json={"resource": resource, **more}, headers=ADA)


def link(archive: Archive, resource: str = f"/files/{quote(FILE)}", **more: Any) -> str:
    answer = sign(archive, resource, **more)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["url"]).removeprefix(HOST)


def records(archive: Archive) -> list[dict[str, Any]]:
    """The audit log of the service, which the harness keeps with its other messages."""
    log = archive.log.with_name("api.log") if archive.accelerated else archive.log
    lines = log.read_text().splitlines()
    return [told for line in lines if EVENT in line and (told := json.loads(line))["event"] == EVENT]


def test_a_link_says_what_it_opens_and_why(closed: Archive) -> None:
    answer = sign(closed, f"{HOST}/files/{quote(FILE)}")
    assert (answer.status_code, answer.headers["Cache-Control"]) == (201, "no-store")
    told = answer.json()
    assert told["url"].startswith(f"{HOST}/files/{quote(FILE)}?link=eyJ")
    assert (told["resource"], told["reasons"]) == (f"/files/{FILE}", [MEMBER])
    expires = time.mktime(time.strptime(told["expires"], "%Y-%m-%dT%H:%M:%SZ")) - time.timezone
    assert abs(expires - time.time() - 24 * 3600) < 60


def test_who_has_a_link_needs_no_token(closed: Archive) -> None:
    url = link(closed)
    head = closed.request("HEAD", url)
    assert (head.status_code, head.headers["Content-Length"]) == (200, "5000")
    whole = closed.get(url)
    assert (whole.status_code, whole.content) == (200, CONTENT)
    assert whole.headers.get_list("Cache-Control") == ["no-store"]
    rest = closed.get(url, headers={"Range": "bytes=1000-", "If-Range": whole.headers["ETag"]})
    assert (rest.status_code, rest.content) == (206, CONTENT[1000:])
    assert closed.get(url, headers={"If-None-Match": whole.headers["ETag"]}).status_code == 304
    assert closed.get(url.partition("?")[0]).status_code == 404


def test_a_folder_and_a_bundle_may_be_linked(closed: Archive) -> None:
    listing = closed.get(link(closed, "/files/hc1/scan%201/")).json()
    assert [entry["name"] for entry in listing["entries"]] == ["a ü.nxs"]
    bundle = closed.get(link(closed, f"{HOST}{BUNDLE}"))
    assert (bundle.status_code, bundle.content[:2]) == (200, b"PK")


def test_pages_of_a_linked_folder_lead_on(closed: Archive) -> None:
    double = closed.catalogue.closed["ada"]
    for name in "bc":
        (closed.root / f"hc1/scan 1/{name}").write_bytes(b"x")
        double[f"hc1/scan 1/{name}"] = double[FILE]
    page = closed.get(f"{link(closed, '/files/hc1/scan%201')}&limit=1").json()
    assert closed.get(page["next"].removeprefix(HOST)).json()["entries"][0]["name"] == "b"


def test_a_link_opens_nothing_else(closed: Archive) -> None:
    query = link(closed).partition("?")[2]
    for other in (
        f"/files/{quote(FILE)}x",
        "/files/hc1/scan%201/",
        BUNDLE,
        f"/datasets/{quote(PID, safe='')}",
    ):
        answer = closed.get(f"{other}?{query}")
        assert (answer.status_code, answer.json()["title"]) == (403, "Forbidden")
        assert f"it is for /files/{FILE}, and for no other address" in answer.json()["detail"]
    for other in (f"/hdf5/meta/?file={quote(FILE)}&", f"/previews?file={quote(FILE)}&"):
        assert closed.get(other + query).status_code == 403


def test_a_changed_link_is_refused(closed: Archive) -> None:
    url = link(closed)
    start, _, token = url.partition("=")
    head, claims, signature = token.split(".")
    for changed in (
        f"{head}.{claims[:-5]}AAAAA.{signature}",
        f"{head}.{claims}.{signature[:-5]}AAAAA",
        "",
        "x",
    ):
        answer = closed.get(f"{start}={changed}")
        assert answer.status_code == 403
        assert answer.json()["detail"].startswith("the signed link is not taken: it")


def test_a_link_expires(closed: Archive) -> None:
    url = link(closed, expiresIn=1)
    time.sleep(1.1)
    answer = closed.get(url)
    assert answer.status_code == 403
    assert answer.json()["detail"] == "the signed link is not taken: it has expired: ask for a new one"


def test_a_link_of_another_key_is_refused(closed: Archive, tmp_path: Path) -> None:
    (tmp_path / "current").write_bytes(b"o" * 43)
    forged = Keys(tmp_path).sign(
        Link(
            archive="archive",
            subject="ada",
            resource=f"/files/{FILE}",
            reasons=(Reason(role=Role.ADMIN),),
            expires=int(time.time()) + 60,
        )
    )
    answer = closed.get(f"/files/{quote(FILE)}?link={forged}")
    assert answer.status_code == 403
    assert "another archive signed it" in answer.json()["detail"]


def test_what_is_withdrawn_no_link_opens(closed: Archive) -> None:
    urls = link(closed), link(closed, "/files/hc1"), link(closed, BUNDLE)
    closed.catalogue.closed.clear()
    closed.catalogue.closed_datasets.clear()
    time.sleep(1.1)  # for so long an answer is kept
    for url in urls:
        answer = closed.get(url)
        assert answer.status_code == 403
        assert "no longer shown to who had it signed" in answer.json()["detail"]


def test_who_has_a_link_learns_of_an_embargo(closed: Archive) -> None:
    urls = link(closed), link(closed, BUNDLE)
    closed.catalogue.closed.clear()
    closed.catalogue.closed_datasets.clear()
    closed.catalogue.hindrance = "embargo until 2028-03-01"
    time.sleep(1.1)  # for so long an answer is kept
    try:
        for url in urls:
            answer = closed.get(url)
            assert answer.status_code == 403
            assert answer.json()["detail"].endswith("to who had it signed: embargo until 2028-03-01")
            assert "2028" not in closed.get(url.partition("?")[0]).text
    finally:
        closed.catalogue.hindrance = None


def test_a_link_is_no_token(closed: Archive) -> None:
    token = link(closed).partition("=")[2]
    for scheme in ("Link", "link", "LINK "):
        answer = closed.get(f"/files/{quote(FILE)}", headers={"Authorization": f"{scheme} {token}"})
        assert answer.status_code == 401


def test_a_link_shows_the_same_to_who_is_logged_in(closed: Archive) -> None:
    url = link(closed)
    for who in ("bob", "ada"):
        assert closed.get(url, headers={"Authorization": f"Bearer {who}"}).content == CONTENT
        assert records(closed)[-1]["reasons"] == [f"signed link of ada, {MEMBER}"]
    other = f"{BUNDLE}?{url.partition('?')[2]}"
    assert closed.get(other, headers=ADA).status_code == 403


def test_nobody_gets_links_for_nobody(closed: Archive) -> None:
    answer = closed.request("POST", "/links", json={"resource": f"/files/{quote(FILE)}"})
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")


@pytest.mark.parametrize("resource", ["/files/hc1/nothing", "/files/none/", "/datasets/none/bundle.zip"])
def test_what_may_not_be_seen_is_not_signed(closed: Archive, resource: str) -> None:
    answer = sign(closed, resource)
    assert (answer.status_code, answer.content) == (404, closed.get("/files/none").content)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"resource": "/hdf5/data/"}, "resource: '/hdf5/data/' is no file, folder or bundle"),
        (
            {"resource": "https://elsewhere.example/files/a"},
            "resource: 'https://elsewhere.example/files/a' is no",
        ),
        ({"resource": "/files/../etc"}, "resource: '/files/../etc' is no file"),
        (
            {"resource": "/files/a", "expiresIn": 604801},
            "expiresIn: Input should be less than or equal to 604800",
        ),
        ({"resource": "/files/a", "expiresIn": 0}, "expiresIn: Input should be greater than or equal to 1"),
        ({"resource": "/files/a", "until": 1}, "until: Extra inputs are not permitted"),
        ({}, "resource: Field required"),
        ([], "the body: "),
    ],
)
def test_a_wrong_wish_is_told(closed: Archive, body: object, told: str) -> None:
    answer = closed.request("POST", "/links", json=body, headers=ADA)
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith(told)


def test_a_folder_may_be_too_large_for_a_link(closed: Archive) -> None:
    (closed.root / "hc1/many").mkdir(exist_ok=True)
    double = closed.catalogue.closed["ada"]
    double |= {f"hc1/many/{number}": double[FILE] for number in range(MAX_PAGES * MAX_PAGE)}
    assert sign(closed, "/files/hc1/many").status_code == 201
    double["hc1/many/one more"] = double[FILE]
    answer = sign(closed, "/files/hc1/many")
    assert (answer.status_code, "has more than 20000 entries" in answer.json()["detail"]) == (422, True)


def test_a_record_is_there_before_the_first_byte(closed: Archive) -> None:
    before = len(records(closed))
    with closed.client.stream("GET", BUNDLE, headers=ADA) as answer:
        assert answer.status_code == 200
        assert len(records(closed)) == before + 1


def test_what_is_public_needs_no_reason(archive: Archive) -> None:
    archive.publish("open.h5", b"open")
    told = sign(archive, "/files/open.h5").json()
    assert told["reasons"] == []
    before = len(records(archive))
    assert archive.get(told["url"].removeprefix(HOST)).content == b"open"
    assert len(records(archive)) == before


def test_every_delivery_of_what_is_not_public_is_recorded(closed: Archive) -> None:
    headers = ADA | {"X-Request-Id": "42"}
    targets: dict[str, dict[str, Any]] = {
        f"/files/{quote(FILE)}": {"route": "/files/{path:anything}", "files": [FILE], "datasets": [PID]},
        "/files/hc1/": {"route": "/files/{path:anything}", "entries": 1},
        BUNDLE: {"route": "/datasets/{pid:anything}/bundle.zip", "datasets": [PID]},
        f"/datasets/{quote(PID, safe='')}": {"route": "/datasets/{pid:anything}", "datasets": [PID]},
        f"/previews?file={quote(FILE)}": {"route": "/previews", "files": [FILE], "datasets": [PID]},
    }
    for target, expected in targets.items():
        before = len(records(closed))
        closed.get(target, headers=headers)
        (told,) = records(closed)[before:]
        assert told.items() >= {"subject": "ada", "reasons": [MEMBER], "requestId": "42", **expected}.items()
        before += 1
        assert closed.get(target).status_code == 404
        assert len(records(closed)) == before


def test_use_of_a_link_is_recorded_with_who_had_it_signed(closed: Archive) -> None:
    told = sign(closed, f"/files/{quote(FILE)}").json()
    assert records(closed)[-1].items() >= {"route": "/links", "signedLink": told["identifier"]}.items()
    closed.get(told["url"].removeprefix(HOST))
    used = records(closed)[-1]
    assert (used["subject"], used["link"]) == ("ada", told["identifier"])
    assert used["reasons"] == [f"signed link of ada, {MEMBER}"]


def test_no_log_has_a_signature(closed: Archive) -> None:
    url = link(closed)
    for target in (url, url.replace("?", "?limit=x&"), url + "x", url.replace("link=", "access_token=")):
        closed.get(target)
    signature = url.rpartition(".")[2]
    for log in {closed.log, closed.log.with_name("api.log")}:
        if log.exists():
            assert signature not in log.read_text(errors="replace")
    if closed.accelerated:
        assert "?link=(left out)" in closed.log.read_text(errors="replace")
