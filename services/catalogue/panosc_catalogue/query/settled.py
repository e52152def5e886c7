"""What the catalogue itself decides about every statement, written into its text."""

import re
from datetime import datetime

from panosc_common.policy import DataPolicy
from psycopg.sql import Literal

_NAMES = re.compile(r"%\((embargo_months|policy_license|clock|past_sealed)\)s")


def settled(sql: str, policy: DataPolicy, clock: datetime | None, *, past_sealed: bool) -> str:
    """The text with values for `query.model`'s parameters, as far as it has them.

    `clock` is the instant for which it answers, None the database's now.
    """
    values = {
        "embargo_months": policy.embargo.months,
        "policy_license": policy.license,
        "clock": clock,
        "past_sealed": past_sealed,
    }
    return _NAMES.sub(lambda name: Literal(values[name[1]]).as_string().replace("%", "%%"), sql)
