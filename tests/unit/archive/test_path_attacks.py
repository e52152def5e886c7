"""No request leads out of the archive or to what is not public, however it is spelt."""

import os
import shutil
import socket
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from unit.archive.harness import Archive

SECRET = b"root:x:0:0: the secret outside"


@pytest.fixture(scope="module")
def outside(base: Path) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(dir=base))
    folder.chmod(0o755)
    (folder / "secret").write_bytes(SECRET)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(autouse=True)
def everything_visible(archive: Archive) -> Iterator[None]:
    """Even a catalogue that shows everything opens nothing outside: the visible set allows any string."""

    class Anything(set[str]):
        def __contains__(self, item: object) -> bool:
            return True

    kept = archive.catalogue.visible
    archive.catalogue.visible = Anything()
    yield
    archive.catalogue.visible = kept


@pytest.mark.parametrize(
    "target",
    [
        "/files/../{secret}",
        "/files/../../../../../../../../etc/passwd",
        "/files/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
        "/files/..%2f..%2f..%2f..%2f..%2fetc%2fpasswd",
        "/files/..%252f..%252f..%252fetc/passwd",
        "/files/p1/..%2f..%2f..%2f..%2fetc/passwd",
        "/files//etc/passwd",
        "/files/%2fetc%2fpasswd",
        "/files/%2Fetc/passwd",
        "/files/./p1/inside",
        "/files/p1/./inside",
        "/files/p1//inside",
        "/files/p1/inside/",
        "/files/p1%2Finside",
        "/files/p1/inside%00",
        "/files/p1/inside%00.h5",
        "/files/%00",
        "/files/p1/%ff%fe",
        "/files/p1/%c0%ae%c0%ae/inside",
        "/files/p1\\..\\..\\etc\\passwd",
        "/files/proc/self/environ",
        "/files/" + "a/" * 3000 + "x",
        "/files/" + "a" * 300,
        "/_files/p1/inside",
        "/%5ffiles/p1/inside",
        "/files/../_files/p1/inside",
    ],
)
def test_target_is_not_found(archive: Archive, outside: Path, target: str) -> None:
    archive.publish("p1/inside", b"inside")
    expected = {404}
    if target.startswith("/files/p1/inside/") or target in ("/files/./p1/inside", "/files/p1/./inside"):
        # The file itself: nothing is wrong with telling it.
        expected = {200, 404}
    status, body = archive.raw(target.format(secret=f"{outside}/secret"))
    assert status in expected or status in (400, 414)
    assert SECRET not in body
    assert b"root:" not in body


@pytest.mark.parametrize("kind", ["file", "directory", "chain", "relative", "proc"])
def test_link_out_of_the_tree_is_not_followed(archive: Archive, outside: Path, kind: str) -> None:
    place = archive.root / "links"
    place.mkdir(exist_ok=True)
    link = place / kind
    link.unlink(missing_ok=True)
    target, asked = {
        "file": (outside / "secret", "links/file"),
        "directory": (outside, "links/directory/secret"),
        "chain": (place / "file", "links/chain"),
        "relative": (Path(os.path.relpath(outside / "secret", place)), "links/relative"),
        "proc": (Path("/proc/self/environ"), "links/proc"),
    }[kind]
    if kind == "chain" and not (place / "file").is_symlink():
        (place / "file").symlink_to(outside / "secret")
    link.symlink_to(target)
    assert archive.raw(f"/files/{asked}")[0] == 404


def test_cyclic_and_dangling_links_are_not_found(archive: Archive) -> None:
    place = archive.root / "links"
    place.mkdir(exist_ok=True)
    for name, target in (("self", "self"), ("a", "b"), ("b", "a"), ("nowhere", "gone")):
        (place / name).unlink(missing_ok=True)
        (place / name).symlink_to(target)
        assert archive.raw(f"/files/links/{name}")[0] == 404


def test_pipe_is_not_found_and_does_not_hang(archive: Archive) -> None:
    pipe = archive.root / "pipe"
    pipe.unlink(missing_ok=True)
    os.mkfifo(pipe)
    assert archive.raw("/files/pipe")[0] == 404
    pipe.unlink()


def test_link_inside_the_tree_shows_its_target_if_that_is_public(archive: Archive) -> None:
    archive.publish("p1/inside", b"inside")
    link = archive.root / "p1/link"
    link.unlink(missing_ok=True)
    link.symlink_to("inside")
    assert archive.raw("/files/p1/link") == (200, b"inside")


def test_link_inside_the_tree_to_what_is_not_public_is_not_found(archive: Archive) -> None:
    name = f"embargoed-{archive.port}"
    (archive.root / name).write_bytes(b"embargoed")
    archive.publish("p1/inside", b"inside")
    link = archive.root / "p1/leak"
    link.unlink(missing_ok=True)
    link.symlink_to(f"../{name}")
    archive.catalogue.visible = {"p1/leak"}
    assert archive.raw("/files/p1/leak")[0] == 404


def test_link_swapped_in_between_decision_and_sending(archive: Archive, outside: Path) -> None:
    """Names flip between file and link, and between folder and link, while they are asked for."""
    flip = archive.root / "flip"
    shutil.rmtree(flip, ignore_errors=True)
    (flip / "real").mkdir(parents=True)
    (flip / "real/secret").write_bytes(b"inside")
    stop = threading.Event()

    def swap() -> None:
        while not stop.is_set():
            (flip / "new").symlink_to(outside / "secret")
            (flip / "new").rename(flip / "file")
            (flip / "new").write_bytes(b"inside")
            (flip / "new").rename(flip / "file")
            (flip / "folder").symlink_to(outside)
            (flip / "folder").unlink()
            (flip / "real").rename(flip / "folder")
            (flip / "folder").rename(flip / "real")

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        seen = [archive.raw(f"/files/flip/{name}") for _ in range(150) for name in ("file", "folder/secret")]
    finally:
        stop.set()
        thread.join()
    assert {body for _, body in seen if SECRET in body} == set()
    assert {status for status, _ in seen} <= {200, 404}
    assert (200, b"inside") in seen


def test_odd_bytes_instead_of_a_request_do_not_disturb(archive: Archive) -> None:
    for line in (
        b"GET /files/\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\0\0\0\r\n\r\n",
        b"GET /files/a b HTTP/1.1\r\n\r\n",
    ):
        with socket.create_connection(("127.0.0.1", archive.port), timeout=10) as connection:
            connection.sendall(line + b"\r\n\r\n")
            answer = connection.recv(4096)
            assert answer == b"" or answer.split()[1] in (b"400", b"404")
    assert archive.raw("/healthz")[0] == 200
