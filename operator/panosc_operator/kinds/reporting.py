"""How the reports of services become a part of the status without a write for every scan."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

TICKING = frozenset({"lastScan", "lastSuccess"})
"""Fields that change with every scan, though nothing was found."""
REFRESH = timedelta(minutes=5)
"""How old such a time may become in the status while nothing else changes."""


def unless_only_time_passed(former: Mapping[str, Any], now: Mapping[str, Any]) -> Mapping[str, Any]:
    """The new report, or the former as long as only the times of scans differ and aren't old yet.

    `former` may have fields beside those that are reported.
    """
    shown = {name: former[name] for name in now if name in former}
    if _timeless(shown) != _timeless(now):
        return now
    before, after = _times(shown), _times(now)
    if len(before) != len(after) or any(b + REFRESH <= a for b, a in zip(before, after, strict=True)):
        return now
    return shown


def _timeless(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _timeless(inner) for name, inner in value.items() if name not in TICKING}
    if isinstance(value, list):
        return [_timeless(inner) for inner in value]
    return value


def _times(value: Any) -> list[datetime]:
    """The ticking times in the order in which they are met."""
    if isinstance(value, Mapping):
        return [
            time
            for name in sorted(value)
            for time in ([datetime.fromisoformat(value[name])] if name in TICKING else _times(value[name]))
        ]
    if isinstance(value, list):
        return [time for inner in value for time in _times(inner)]
    return []
