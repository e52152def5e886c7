"""What the catalogue itself decides about every statement, written into its text."""

from datetime import datetime

from panosc_common.policy import DataPolicy
from psycopg.sql import Literal

from panosc_catalogue.query.model import CLOCK, LICENSE, MONTHS, PAST_SEALED


def settled(sql: str, policy: DataPolicy, clock: datetime | None, *, past_sealed: bool) -> str:
    """The text with values for `query.model`'s parameters, as far as it has them.

    `clock` is the instant for which it answers, None the database's now.
    """
    values = {
        MONTHS: policy.embargo.months,
        LICENSE: policy.license,
        CLOCK: clock,
        PAST_SEALED: past_sealed,
    }
    for parameter, value in values.items():
        if parameter in sql:
            name = parameter[parameter.index("%") : parameter.index("::")]
            literal = Literal(value).as_string().replace("%", "%%")
            sql = sql.replace(parameter, parameter.replace(name, literal))
    return sql
