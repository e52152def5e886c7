"""Conditions keep their times, and a status is written only when it says something new."""

from datetime import UTC, datetime

from panosc_operator.engine.kind import Assessment, Finding, Judgement
from panosc_operator.engine.status import is_news, merged_conditions, readiness

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def test_ready_stands_alone_and_trouble_is_either_passing_or_not() -> None:
    ready = readiness(Judgement(None, "fine"), "Available")
    assert [(each.type, each.status, each.reason) for each in ready] == [("Ready", "True", "Available")]
    passing = readiness(Judgement(Finding("Progressing", "wait"), ""), "Available")
    assert [(str(each.type), each.status) for each in passing] == [
        ("Ready", "False"),
        ("Reconciling", "True"),
    ]
    stalled = readiness(Judgement(Finding("NoFacility", "act", stalled=True), ""), "Available")
    assert [(str(each.type), each.status) for each in stalled] == [("Ready", "False"), ("Stalled", "True")]


def test_time_changes_only_with_the_status() -> None:
    former = [{"type": "Ready", "status": "False", "lastTransitionTime": "2026-01-01T00:00:00Z"}]
    (same,) = merged_conditions(former, [Assessment("Ready", "False", "Other", "m")], 2, NOW)
    assert same["lastTransitionTime"] == "2026-01-01T00:00:00Z"
    assert same["observedGeneration"] == 2
    (changed,) = merged_conditions(former, [Assessment("Ready", "True", "Available", "m")], 2, NOW)
    assert changed["lastTransitionTime"] == "2026-11-24T12:00:00Z"


def test_what_is_news() -> None:
    live = {"files": 0, "conditions": [{"type": "Ready", "status": "True"}], "url": "x"}
    assert not is_news(live, {"conditions": [{"type": "Ready", "status": "True"}], "url": "x"})
    assert is_news(live, {"conditions": [{"type": "Ready", "status": "True"}]})
    assert is_news(live, {"conditions": [], "url": "x"}), "a condition that no longer holds goes"
    assert is_news(live, {"conditions": [{"type": "Ready", "status": "False"}], "url": "x"})
    assert is_news({}, {"url": "x"})
