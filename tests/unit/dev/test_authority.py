"""The user's own authority for the local cluster's certificates."""

import subprocess
from pathlib import Path

import pytest
from panosc_dev import authority

DOMAIN = "panosc.localhost"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    return tmp_path / "panosc"


def openssl(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["openssl", *words], capture_output=True, text=True, check=False)


def verified(made: authority.Authority, host: str, scratch: Path) -> str:
    """What openssl says to a certificate of the authority for `host`."""
    key, asked, signed, names = (scratch / f"leaf.{each}" for each in ("key", "csr", "crt", "ext"))
    new = ("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc", "-subj", "/CN=leaf")
    openssl(*new, "-keyout", key, "-out", asked)
    names.write_text(f"subjectAltName=DNS:{host}\n")
    by = ("-CA", made.certificate, "-CAkey", made.key, "-CAcreateserial", "-extfile", names)
    openssl("x509", "-req", "-in", asked, *by, "-out", signed)
    done = openssl("verify", "-x509_strict", "-CAfile", made.certificate, signed)
    return done.stdout + done.stderr


def test_it_is_made_once_and_its_key_is_the_users(folder: Path) -> None:
    made = authority.ensure(DOMAIN)
    before = made.certificate.read_bytes(), made.key.read_bytes()
    assert made.key.stat().st_mode & 0o777 == 0o600
    assert made.certificate.stat().st_mode & 0o777 == 0o644
    again = authority.ensure(DOMAIN)
    assert (again.certificate.read_bytes(), again.key.read_bytes()) == before
    assert {path.name for path in folder.iterdir()} == {"ca.crt", "ca.key", ".ca.lock"}


def test_its_word_counts_for_the_local_domain_only(folder: Path, tmp_path: Path) -> None:
    made = authority.ensure(DOMAIN)
    assert ": OK" in verified(made, "*.aurora.panosc.localhost", tmp_path)
    assert "permitted subtree violation" in verified(made, "www.example.org", tmp_path)


def test_a_person_is_told_where_it_is(folder: Path) -> None:
    assert str(folder / "ca.crt") in "\n".join(authority.how_to_trust(authority.ensure(DOMAIN)))
