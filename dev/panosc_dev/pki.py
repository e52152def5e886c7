"""Certificates of a cluster's components, made once by openssl and kept with its state."""

import base64
import json
import os
from dataclasses import dataclass
from pathlib import Path

from panosc_dev import shell

_DAYS = "3650"  # a throw-away cluster outlives no rotation scheme


@dataclass(frozen=True)
class Subject:
    """Who a certificate is for; `addresses` (IP:… or DNS:…) make it a server's certificate too."""

    file: str
    common_name: str
    organization: str = ""
    addresses: tuple[str, ...] = ()

    def distinguished_name(self) -> str:
        """The subject as openssl writes it."""
        organization = f"/O={self.organization}" if self.organization else ""
        return f"{organization}/CN={self.common_name}"


def ensure(folder: Path, subjects: tuple[Subject, ...]) -> None:
    """Have a CA, a key pair for service accounts and a certificate a subject in `folder`.

    The set is made anew as a whole if the subjects changed (another address), and moved in place at the end.
    """
    wanted = "".join(f"{s}\n" for s in subjects)
    stamp = folder / "subjects.txt"
    if stamp.exists() and stamp.read_text() == wanted:
        return
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    old_mask = os.umask(0o077)
    try:
        _make(folder, subjects)
    finally:
        os.umask(old_mask)
    stamp.write_text(wanted)


def _key(path: Path) -> None:
    shell.output(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", path])


def _make(folder: Path, subjects: tuple[Subject, ...]) -> None:
    ca, ca_key = folder / "ca.crt", folder / "ca.key"
    if not ca.exists():
        _key(ca_key)
        usage = "keyUsage=critical,keyCertSign,cRLSign,digitalSignature"
        request = ["openssl", "req", "-x509", "-new", "-key", str(ca_key), "-subj", "/CN=panosc-local-ca"]
        shell.output([*request, "-days", _DAYS, "-addext", usage, "-out", str(ca)])
    if not (folder / "sa.pub").exists():
        _key(folder / "sa.key")
        shell.output(["openssl", "ec", "-in", folder / "sa.key", "-pubout", "-out", folder / "sa.pub"])
    for subject in subjects:
        base = folder / subject.file
        usage = "clientAuth,serverAuth" if subject.addresses else "clientAuth"
        extensions = f"keyUsage=critical,digitalSignature\nextendedKeyUsage={usage}\n"
        if subject.addresses:
            extensions += f"subjectAltName={','.join(subject.addresses)}\n"
        _key(base.with_suffix(".key"))
        name = subject.distinguished_name()
        asked = shell.output(["openssl", "req", "-new", "-key", base.with_suffix(".key"), "-subj", name])
        extension_file = base.with_suffix(".ext")
        extension_file.write_text(extensions)
        sign = ["openssl", "x509", "-req", "-CA", str(ca), "-CAkey", str(ca_key), "-CAcreateserial"]
        out = ["-days", _DAYS, "-extfile", str(extension_file), "-out", str(base.with_suffix(".crt"))]
        shell.output([*sign, *out], stdin=asked)
        extension_file.unlink()


def kubeconfig(folder: Path, server: str, user: str, cluster: str) -> str:
    """A kubeconfig (as JSON, which is YAML) with the CA and the certificate of `user` inside."""

    def data(name: str) -> str:
        return base64.b64encode((folder / name).read_bytes()).decode()

    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {"name": cluster, "cluster": {"server": server, "certificate-authority-data": data("ca.crt")}}
        ],
        "users": [
            {
                "name": user,
                "user": {
                    "client-certificate-data": data(f"{user}.crt"),
                    "client-key-data": data(f"{user}.key"),
                },
            }
        ],
        "contexts": [{"name": cluster, "context": {"cluster": cluster, "user": user}}],
        "current-context": cluster,
    }
    return json.dumps(document, indent=2) + "\n"
