"""Where a kind keeps what it has to keep: a PostgreSQL that the operator runs, or somebody else's."""

from typing import Self

from panosc_common.model import Document
from pydantic import ConfigDict, model_validator

from panosc_operator.api.cel import Rule, exactly_one_of, grows_only, immutable, rules
from panosc_operator.api.meta import ObjectName, Quantity


def choice_rules(what: str, anew: str) -> ConfigDict:
    """Rules of the choice between the two; `what` is kept there, `anew` says how to come to the other."""
    return rules(
        exactly_one_of("managed", "external"),
        Rule(
            rule=(
                "has(self.managed) == has(oldSelf.managed) && has(self.external) == has(oldSelf.external)"
                # As it is stored where the API server knew no choice yet.
                " || !has(oldSelf.managed) && !has(oldSelf.external)"
            ),
            message=f"the {what} are in the database first chosen, which can't be changed: {anew}",
        ),
    )


def database_rules(anew: str) -> ConfigDict:
    """Rules of a kind's database; `anew` says how to come to another one."""
    return rules(
        immutable("storageClass", anew),
        grows_only("size", "a volume only grows; to go back to a smaller one, " + anew),
        Rule(
            rule=(
                "!isQuantity(string(self.memory)) || "
                "quantity(string(self.memory)).compareTo(quantity('512Mi')) >= 0"
            ),
            message="PostgreSQL needs a memory of at least 512Mi",
            message_expression=(
                "'memory ' + string(self.memory) + ' is too little for PostgreSQL: give 512Mi or more'"
            ),
            field_path=".memory",
        ),
    )


class Choice(Document):
    """Where something is kept: exactly one of `managed` and `external`."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        # What was stored before the rule was made: with neither, the database would be taken for unwanted.
        if len(self.model_dump(exclude_none=True)) != 1:
            raise ValueError("set exactly one of: managed, external")
        return self


class PostgreSQL(Document):
    """A PostgreSQL that the operator runs: its volume and its memory."""

    size: Quantity = "10Gi"
    """Size of the database's volume, such as `20Gi`; it may grow later if the storage class allows it, never
    shrink."""

    storage_class: ObjectName | None = None
    """StorageClass of the database's volume; the cluster's default if unset. It can't be changed."""

    memory: Quantity = "512Mi"
    """Memory that the database may take, such as `2Gi`, at least `512Mi`; a quarter of it is reserved. The
    database restarts when it changes."""
