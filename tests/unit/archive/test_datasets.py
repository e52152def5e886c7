"""`/datasets`: listings, and bundles that standard tools open."""

import io
import os
import struct
import tarfile
import time
import zipfile
from collections.abc import Iterator
from urllib.parse import quote

import httpx2
import pytest
from unit.archive.harness import Archive

PID = "10.5072/ESRF-äö 1"
CONTENT = {
    "p7/d1/scan 1.h5": os.urandom(1_500_000),
    "p7/d1/raw/0001.h5": os.urandom(511),
    "p7/d1/raw/ünï\n日本.h5": os.urandom(512),
    "p7/d1/raw/" + "long" * 50 + ".h5": os.urandom(513),
    "p7/d1/empty": b"",
}


def modified(archive: Archive, member: str) -> float:
    """When the file that a member of the bundle was made of was modified."""
    source = archive.root / "p7/d1" / member.removeprefix("10.5072_ESRF-äö_1/")
    return source.stat().st_mtime


@pytest.fixture
def dataset(archive: Archive) -> Iterator[str]:
    for path, content in CONTENT.items():
        file = archive.publish(path, content)
        os.utime(file, (1_100_000_000, 1_234_567_890))
    files = [{"archive": "archive", "path": path, "size": len(data)} for path, data in CONTENT.items()]
    files.append({"archive": "other", "path": "elsewhere.h5", "size": 1})
    archive.catalogue.datasets[PID] = {"pid": PID, "title": "Lysozyme", "files": files}
    yield quote(PID, safe="")
    archive.catalogue.datasets.clear()


def test_listing(archive: Archive, dataset: str) -> None:
    listing = archive.get(f"/datasets/{dataset}").json()
    assert (listing["pid"], listing["title"]) == (PID, "Lysozyme")
    assert {file["path"]: file["size"] for file in listing["files"]} == {
        path: len(data) for path, data in CONTENT.items()
    }
    for file in listing["files"]:
        fetched = archive.get(file["url"].removeprefix("http://archive.example.org"))
        assert fetched.content == CONTENT[file["path"]]
    assert listing["bundles"]["zip"] == f"http://archive.example.org/datasets/{dataset}/bundle.zip"


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_bundle_holds_every_file_and_is_as_long_as_announced(
    archive: Archive, dataset: str, kind: str
) -> None:
    target = f"/datasets/{dataset}/bundle.{kind}"
    head = archive.request("HEAD", target)
    response = archive.get(target)
    assert response.status_code == 200
    assert int(head.headers["content-length"]) == len(response.content)
    assert int(response.headers["content-length"]) == len(response.content)
    assert quote(f"ESRF-äö 1.{kind}") in response.headers["content-disposition"]
    unpacked = {}
    if kind == "zip":
        with zipfile.ZipFile(io.BytesIO(response.content)) as bundle:
            assert bundle.testzip() is None
            unpacked = {name: bundle.read(name) for name in bundle.namelist()}
            for info in bundle.infolist():
                seconds = int(modified(archive, info.filename)) // 2 * 2
                assert info.date_time == time.gmtime(seconds)[:6]
                # Programs that unpack a stream read the time before the content.
                local = response.content[info.header_offset + 10 :][:4]
                clock, date = struct.unpack("<HH", local)
                assert (date >> 9) + 1980 == info.date_time[0]
                assert (clock >> 11, clock >> 5 & 63) == info.date_time[3:5]
    else:
        with tarfile.open(fileobj=io.BytesIO(response.content)) as tar:
            for member in tar:
                extracted = tar.extractfile(member)
                assert extracted is not None
                unpacked[member.name] = extracted.read()
                assert member.mtime == int(modified(archive, member.name))
    assert unpacked == {
        path.replace("p7/d1/", "10.5072_ESRF-äö_1/"): content for path, content in CONTENT.items()
    }


def test_pid_with_a_plain_slash_is_the_same(archive: Archive, dataset: str) -> None:
    assert archive.get(f"/datasets/{quote(PID, safe='/')}").json()["pid"] == PID
    assert archive.get(f"/datasets/{quote(PID, safe='/')}/bundle.zip").status_code == 200


@pytest.mark.parametrize("tail", ["", "/bundle.zip", "/bundle.tar"])
@pytest.mark.parametrize("pid", ["10.5072%2Funknown", "%FF", "", "x%2Fbundle.zip"])
def test_dataset_that_is_not_public_is_not_found(archive: Archive, pid: str, tail: str) -> None:
    response = archive.get(f"/datasets/{pid}{tail}")
    assert response.status_code == 404
    assert response.content == archive.get("/files/nothing").content
    assert archive.catalogue.errors == []


@pytest.mark.parametrize("pid", ["10.5072%00", "..%2F..", "..%2Ffiles%2Fx"])
def test_malformed_pid_reaches_no_catalogue_or_finds_nothing(archive: Archive, pid: str) -> None:
    """nginx refuses some of them by itself."""
    assert archive.get(f"/datasets/{pid}").status_code in ((400, 404) if archive.accelerated else (404,))
    assert archive.catalogue.errors == []


@pytest.mark.parametrize("tail", ["", "/bundle.zip", "/bundle.tar"])
def test_silent_catalogue(archive: Archive, dataset: str, tail: str) -> None:
    archive.catalogue.failures = [502, 502]
    assert archive.get(f"/datasets/{dataset}{tail}").status_code == 503


def test_dataset_without_files_here_is_not_found(archive: Archive) -> None:
    archive.catalogue.datasets["x"] = {"pid": "x", "files": [{"archive": "other", "path": "a"}]}
    assert archive.get("/datasets/x").status_code == 404


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_incomplete_bundle_is_refused(archive: Archive, kind: str) -> None:
    archive.publish("p7/there.h5", b"x")
    files = [{"archive": "archive", "path": path} for path in ("p7/there.h5", "p7/gone.h5")]
    archive.catalogue.datasets["gone"] = {"pid": "gone", "files": files}
    response = archive.get(f"/datasets/gone/bundle.{kind}")
    assert response.status_code == 409
    assert "p7/gone.h5" in response.json()["detail"]


@pytest.mark.parametrize("path", ["p7/link.h5", "../outside.h5", "p7/../../outside.h5"])
def test_bundle_follows_no_link_and_leaves_the_tree_nowhere(archive: Archive, path: str) -> None:
    (archive.root.parent / "outside.h5").write_bytes(b"secret")
    link = archive.root / "p7/link.h5"
    link.parent.mkdir(exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to("../../outside.h5")
    archive.catalogue.datasets["link"] = {"pid": "link", "files": [{"archive": "archive", "path": path}]}
    assert archive.get("/datasets/link/bundle.zip").status_code == 409


def test_file_that_shrinks_while_it_is_sent_breaks_the_download(standalone: Archive) -> None:
    """A client must notice: a bundle that ends early never looks complete."""
    file = standalone.publish("p7/shrinks.h5", b"")
    os.truncate(file, 200_000_000)
    files = [{"archive": "archive", "path": "p7/shrinks.h5"}]
    standalone.catalogue.datasets["s"] = {"pid": "s", "files": files}
    with standalone.client.stream("GET", "/datasets/s/bundle.tar") as answer:
        chunks = answer.iter_raw()
        next(chunks)
        os.truncate(file, 1000)
        with pytest.raises(httpx2.RemoteProtocolError):
            list(chunks)
    file.unlink()


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_more_than_four_gigabytes_have_the_announced_length(standalone: Archive, kind: str) -> None:
    """The headers of ZIP64 and pax sizes; the file is sparse and not read (HEAD)."""
    file = standalone.publish("p7/huge.h5", b"")
    os.truncate(file, 5 * 2**30)
    standalone.catalogue.datasets["h"] = {"pid": "h", "files": [{"archive": "archive", "path": "p7/huge.h5"}]}
    length = int(standalone.request("HEAD", f"/datasets/h/bundle.{kind}").headers["content-length"])
    file.unlink()
    assert 5 * 2**30 < length < 5 * 2**30 + 20_000
