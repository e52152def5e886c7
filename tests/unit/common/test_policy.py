"""When data become public: calendar months after the end of the experiment, in UTC."""

from datetime import UTC, datetime

import pytest
from panosc_common.policy import DataPolicy, Embargo, add_months, release_instant


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


def test_extension_is_added_to_the_embargo_in_one_step() -> None:
    policy = DataPolicy(embargo=Embargo(months=1))
    # Not 29 February and from there on: the end of January plus two months is the end of March.
    assert release_instant(instant("2024-01-31T00:00:00"), policy, 1) == instant("2024-03-31T00:00:00")


def test_policy_is_written_in_camel_case_and_unknown_fields_are_errors() -> None:
    policy = DataPolicy.model_validate({"embargo": {"months": 6, "maxExtensionMonths": 3}})
    assert policy.embargo.max_extension_months == 3
    assert policy.model_dump(by_alias=True)["rawRetention"] == {"years": 10}
    with pytest.raises(ValueError, match="embargoMonths"):
        DataPolicy.model_validate({"embargoMonths": 6})
