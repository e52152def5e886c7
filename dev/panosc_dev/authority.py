"""The user's own certificate authority for `*.panosc.localhost`, made once.

It outlives every cluster, so that a browser which trusts it once goes on doing so. It can do little harm: its
own certificate says that its word counts for no name outside that domain.
"""

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from panosc_dev import shell, toolchain
from panosc_dev.paths import data_directory

_DAYS = "3650"
_REQUEST = ("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc")
_EXTENSIONS = ("basicConstraints=critical,CA:TRUE,pathlen:0", "keyUsage=critical,keyCertSign,cRLSign")


@dataclass(frozen=True)
class Authority:
    """Files in PEM format."""

    certificate: Path
    key: Path


def ensure(domain: str) -> Authority:
    """The authority for names below `domain`, made if there is none yet."""
    folder = data_directory()
    authority = Authority(folder / "ca.crt", folder / "ca.key")
    with toolchain.locked(folder / ".ca.lock"):
        if not authority.certificate.exists():
            _make(authority, domain)
    return authority


def _make(authority: Authority, domain: str) -> None:
    extensions = [*_EXTENSIONS, f"nameConstraints=critical,permitted;DNS:{domain}"]
    with tempfile.TemporaryDirectory(dir=authority.key.parent) as scratch:
        certificate, key = Path(scratch) / "ca.crt", Path(scratch) / "ca.key"
        shell.output(
            [
                *_REQUEST,
                *("-days", _DAYS, "-subj", f"/O=PaNOSC/CN=Local authority for {domain}"),
                *(word for extension in extensions for word in ("-addext", extension)),
                *("-keyout", key, "-out", certificate),
            ]
        )
        key.chmod(0o600)
        certificate.chmod(0o644)
        os.rename(key, authority.key)
        os.rename(certificate, authority.certificate)  # last: with it, the pair is complete


def how_to_trust(authority: Authority) -> list[str]:
    """Lines for a person whose programs are to trust it."""
    return [
        f"The certificates are by an authority of your own, made once: {authority.certificate}",
        "  A browser trusts it once you import it (Settings → Certificates → Authorities → Import),",
        f"  curl by: export CURL_CA_BUNDLE={authority.certificate}",
    ]
