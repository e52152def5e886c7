"""What the API server is to service accounts: it signs their tokens, and publishes the keys."""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from jwt.algorithms import RSAAlgorithm

ISSUER = "https://kubernetes.default.svc.cluster.local"
AUDIENCE = "http://catalogue.esrf.svc:8080"
ARCHIVE = "system:serviceaccount:esrf:archive-api"


class Issuer:
    """Signs with the last of its keys."""

    def __init__(self) -> None:
        self.keys: dict[str, RSAPrivateKey] = {}
        self.rotate()

    def rotate(self) -> None:
        """Have a new key beside those before."""
        self.keys[f"key {len(self.keys)}"] = generate_private_key(65537, 2048)

    def write_callers(self, file: Path, accounts: Mapping[str, str]) -> None:
        """What the operator tells a catalogue: the keys of now, and who may ask, as which archive."""
        keys = [
            {**RSAAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": name, "use": "sig", "alg": "RS256"}
            for name, key in self.keys.items()
        ]
        told = {"issuer": ISSUER, "audience": AUDIENCE, "keys": {"keys": keys}, "accounts": dict(accounts)}
        file.write_text(json.dumps(told))

    def token(
        self,
        account: str = ARCHIVE,
        *,
        key: Any = None,
        algorithm: str = "RS256",
        **changes: Any,
    ) -> str:
        """A token as the kubelet gets it, but for the changes."""
        name, newest = list(self.keys.items())[-1]
        now = int(time.time())
        _, _, namespace, own_name = account.split(":")
        claims = {
            "iss": ISSUER,
            "aud": [AUDIENCE],
            "sub": account,
            "iat": now,
            "nbf": now,
            "exp": now + 3600,
            "jti": "8a3c",
            "kubernetes.io": {"namespace": namespace, "serviceaccount": {"name": own_name, "uid": "1"}},
        } | changes
        # Kubernetes names no `typ`.
        header = {"kid": name, "typ": None}
        return jwt.encode(claims, newest if key is None else key, algorithm, header)
