"""Names of DOIs: a function of the record, so that trying again can never make a second one."""

import base64
import hashlib

from panosc_catalogue.datacite.description import Kind


def name(prefix: str, kind: Kind, pid: str) -> str:
    """The DOI of a record: 80 bits of a digest: no two records meet, and nothing in it gets out of date.

    It outlives the database: a catalogue that is filled anew finds its DOIs again.
    """
    digest = hashlib.sha256(f"{kind}\n{pid}".encode()).digest()[:10]
    suffix = base64.b32encode(digest).decode().lower()
    return f"{prefix}/{suffix[:8]}-{suffix[8:]}"
