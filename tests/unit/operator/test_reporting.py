"""A scan that found nothing new isn't worth a write, but its time doesn't grow old in the status."""

from typing import Any

import pytest
from panosc_operator.kinds.reporting import unless_only_time_passed

FORMER = {
    "files": 1,
    "lastScan": "2026-11-24T10:00:00Z",
    "url": "x",
    "sources": [{"name": "a", "lastScan": "2026-11-24T10:00:00Z"}],
}


def report(
    files: int = 1, scan: str = "2026-11-24T10:01:00Z", source: str = "2026-11-24T10:01:00Z"
) -> dict[str, Any]:
    return {"files": files, "lastScan": scan, "sources": [{"name": "a", "lastScan": source}]}


@pytest.mark.parametrize(
    ("now", "shown"),
    [
        pytest.param(report(), False, id="a minute passed"),
        pytest.param(report(files=2), True, id="a file came"),
        pytest.param(report(scan="2026-11-24T10:05:00Z"), True, id="five minutes passed"),
        pytest.param(
            report(source="2026-11-24T10:06:00.123456+00:00"), True, id="five minutes passed for a source"
        ),
        pytest.param({"files": 1, "lastScan": "2026-11-24T10:01:00Z"}, False, id="a part is reported"),
        pytest.param({**report(), "datasets": 3}, True, id="a new field"),
    ],
)
def test_unless_only_time_passed(now: dict[str, Any], shown: bool) -> None:
    result = unless_only_time_passed(FORMER, now)
    assert result == (now if shown else {name: FORMER[name] for name in now})
