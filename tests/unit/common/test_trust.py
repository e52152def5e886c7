"""Services trust the authorities of the image and those they are given."""

import os
import ssl
import subprocess
import sys
from pathlib import Path

from panosc_common.trust import trusted

COUNT = "from panosc_common.trust import trusted; print(len(trusted().get_ca_certs()))"


def count(environment: dict[str, str]) -> int:
    done = subprocess.run(
        [sys.executable, "-c", COUNT],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stdout)


def test_authorities_that_are_given_join_the_others(tmp_path: Path) -> None:
    given = tmp_path / "ca.crt"
    make = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc"]
    subprocess.run(
        [*make, "-subj", "/CN=ours", "-keyout", tmp_path / "ca.key", "-out", given],
        check=True,
        capture_output=True,
    )
    # An empty folder of public authorities, as those in it are only read when one is looked for.
    assert count({"SSL_CERT_FILE": "/nowhere", "SSL_CERT_DIR": str(tmp_path)}) == 0
    assert count({"SSL_CERT_FILE": str(given), "SSL_CERT_DIR": str(tmp_path)}) == 1


def test_hosts_are_verified() -> None:
    context = trusted()
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
