"""A PostgreSQL that the operator runs, as several kinds have one."""

from panosc_common.model import Document
from pydantic import ConfigDict

from panosc_operator.api.cel import Rule, grows_only, immutable, rules
from panosc_operator.api.meta import ObjectName, Quantity


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
