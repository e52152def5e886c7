"""Service accounts of Kubernetes, by whose tokens services show each other who they are.

The kubelet puts a token for one audience into a file of the pod, and the next one before that expires.
"""

from typing import Any

from panosc_common.model import Document

HEADER = "Service-Account-Token"
"""Of requests between services; `Authorization` has the token of whoever the request is made for."""
CHALLENGE = "ServiceAccount"
"""What the refusal of such a token asks for (`WWW-Authenticate`), unlike that of a person's token."""


class Callers(Document):
    """Which service accounts may ask a service what people may not, and how their tokens are verified."""

    issuer: str
    """Who issues the tokens (`iss`): the cluster's API server."""
    keys: dict[str, Any]
    """Its public keys, as a JSON Web Key Set; of no use where no account is named."""
    audience: str
    """What the tokens are issued for (`aud`): this service."""
    accounts: dict[str, str]
    """Whose tokens are taken (`sub`), and which archive each of them is."""


def subject(namespace: str, name: str) -> str:
    """What tokens call a service account."""
    return f"system:serviceaccount:{namespace}:{name}"
