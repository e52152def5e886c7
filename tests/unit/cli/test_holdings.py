"""Where files go, and what an archive says of their content."""

import base64
import hashlib
from pathlib import Path

import pytest
from panosc_cli.failures import Failure
from panosc_cli.holdings import Remote, digest, placed


@pytest.mark.parametrize(
    "path",
    [
        "../x",
        "/etc/passwd",
        "a/../../x",
        "a//b",
        "",
        ".",
        "a/",
        "a\\..\\b",
        "C:x",
        "C:/x",
        "//host/x",
        "a\0b",
    ],
)
def test_no_archive_writes_outside_of_the_folder(path: str, tmp_path: Path) -> None:
    with pytest.raises(Failure, match="would not be below"):
        placed(tmp_path, [Remote("u", path, 1)])


def test_files_keep_their_folders(tmp_path: Path) -> None:
    remote = Remote("u", "hc1/a scan/öpen.nxs", 1)
    assert placed(tmp_path, [remote, remote]) == {tmp_path / "hc1" / "a scan" / "öpen.nxs": remote}


@pytest.mark.parametrize("others", [("v", "x"), ("v", "x.part")])
def test_files_that_would_get_into_each_others_way_are_refused(
    others: tuple[str, str], tmp_path: Path
) -> None:
    with pytest.raises(Failure, match="one by one"):
        placed(tmp_path, [Remote("u", "x", 1), Remote(*others, 1)])


def test_digests_are_read_as_rfc_9530_has_them() -> None:
    sha256 = hashlib.sha256(b"x")
    said = base64.b64encode(sha256.digest()).decode()
    assert digest([f"sha-256=:{said}:"]) == sha256.hexdigest()
    assert digest([f"sha-512=:AAAA:, sha-256=:{said}:"]) == sha256.hexdigest()
    assert digest([]) is None
    assert digest(["sha-256=:AAAA:"]) is None
    assert digest(["sha-512=:AAAA:"]) is None
