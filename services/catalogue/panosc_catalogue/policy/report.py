"""What holds of a proposal or dataset, as the staff's interface shows it."""

from collections.abc import Iterable
from typing import Any

from panosc_common.licenses import known
from panosc_common.policy import latest_extension, raw_retention_end

from panosc_catalogue.policy.decisions import Aspect
from panosc_catalogue.policy.ledger import Entry
from panosc_catalogue.policy.subject import Subject, iso


def report(subject: Subject, latest: Iterable[Entry]) -> dict[str, Any]:
    """State of a proposal or dataset; `latest` has the last decision about each aspect."""
    policy = subject.policy
    decisions = {entry.aspect: entry for entry in latest}
    regular = subject.regular
    shown: dict[str, Any] = {
        "kind": subject.kind,
        "pid": subject.pid,
        "title": subject.title,
        "proposal": subject.document,
        "experimentEnd": iso(subject.ended),
        "embargoEnd": iso(regular),
        "extendableUntil": iso(latest_extension(regular, policy)) if regular else None,
        "extendedUntil": iso(subject.extended_until),
        "releasedAt": iso(subject.released_at),
        "openedBySource": subject.opened_by_source,
        "releaseDate": None if subject.is_proprietary else iso(subject.release),
        "proprietary": subject.is_proprietary,
        "license": _license(subject.license_in_force or policy.license),
        "metadataLicense": _license(policy.metadata_license),
        "rawDataKeptUntil": iso(raw_retention_end(subject.ended, policy)) if subject.ended else None,
        "datasets": subject.datasets,
        "publicDatasets": subject.public_datasets,
        "provenance": {
            "source": subject.source,
            "originId": subject.origin_id,
            "fetchedAt": iso(subject.fetched_at),
        },
        "decisions": {
            aspect: _decided(decisions[aspect]) if aspect in decisions else None
            for aspect in _ASPECTS[subject.kind]
        },
    }
    return shown


_ASPECTS: dict[str, tuple[Aspect, ...]] = {
    "document": ("extension", "release", "proprietary", "license"),
    "dataset": ("release", "license"),
}


def _decided(entry: Entry) -> dict[str, Any] | None:
    """The decision that holds; None where the last one took back what was decided."""
    return None if entry.after is None else entry.document()


def _license(written: str) -> dict[str, str | None]:
    license = known(written)
    if license is None:
        return {"id": None, "name": written, "url": None}
    return {"id": license.id, "name": license.name, "url": license.url}
