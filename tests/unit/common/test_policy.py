"""When data become public: calendar months after the end of the experiment, in UTC."""

from datetime import UTC, datetime

import pytest
from panosc_common.policy import (
    DataPolicy,
    Embargo,
    add_months,
    latest_extension,
    raw_retention_end,
    release_instant,
)


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("start", "months", "expected"),
    [
        ("2024-01-15T10:30:00", 0, "2024-01-15T10:30:00"),
        ("2024-01-15T10:30:00", 36, "2027-01-15T10:30:00"),
        ("2024-01-31T23:59:59", 1, "2024-02-29T23:59:59"),
        ("2023-01-31T23:59:59", 1, "2023-02-28T23:59:59"),
        ("2024-02-29T00:00:00", 12, "2025-02-28T00:00:00"),
        ("2024-02-29T00:00:00", 48, "2028-02-29T00:00:00"),
        ("2024-12-01T00:00:00", 1, "2025-01-01T00:00:00"),
        ("2024-11-30T12:00:00", 13, "2025-12-30T12:00:00"),
    ],
)
def test_calendar_months(start: str, months: int, expected: str) -> None:
    assert add_months(instant(start), months) == instant(expected)


END = instant("2024-01-31T00:00:00")
REGULAR = instant("2024-02-29T00:00:00")


@pytest.mark.parametrize(
    ("extended_until", "released_at", "expected"),
    [
        (None, None, REGULAR),
        (instant("2024-06-01T12:00:00"), None, instant("2024-06-01T12:00:00")),
        (instant("2024-02-01T00:00:00"), None, REGULAR),  # what was extended less than the policy gives
        (None, instant("2024-02-10T00:00:00"), instant("2024-02-10T00:00:00")),
        (None, instant("2024-09-01T00:00:00"), REGULAR),  # an early release that is none
        (
            instant("2024-06-01T00:00:00"),
            instant("2024-02-10T00:00:00"),
            instant("2024-02-10T00:00:00"),
        ),
    ],
)
def test_an_extension_delays_and_an_early_release_decides(
    extended_until: datetime | None, released_at: datetime | None, expected: datetime
) -> None:
    policy = DataPolicy(embargo=Embargo(months=1))
    assert release_instant(END, policy, extended_until=extended_until, released_at=released_at) == expected


def test_limits_are_calendar_months() -> None:
    policy = DataPolicy.model_validate({"embargo": {"maxExtensionMonths": 12}, "rawRetention": {"years": 10}})
    assert latest_extension(REGULAR, policy) == instant("2025-02-28T00:00:00")
    assert raw_retention_end(instant("2024-02-29T08:00:00"), policy) == instant("2034-02-28T08:00:00")


def test_policy_is_written_in_camel_case_and_unknown_fields_are_errors() -> None:
    policy = DataPolicy.model_validate({"embargo": {"months": 6, "maxExtensionMonths": 3}})
    assert policy.embargo.max_extension_months == 3
    assert policy.model_dump(by_alias=True)["rawRetention"] == {"years": 10}
    with pytest.raises(ValueError, match="embargoMonths"):
        DataPolicy.model_validate({"embargoMonths": 6})
