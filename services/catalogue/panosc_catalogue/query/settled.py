"""What the catalogue itself decides about every statement, written into its text."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from panosc_common import access
from panosc_common.access import Grants, Reason, Role
from panosc_common.policy import DataPolicy
from psycopg.sql import Literal

_NAMES = re.compile(
    r"%\((embargo_months|policy_license|clock|past_sealed"
    r"|viewer_documents|viewer_instruments|viewer_everything|viewer_groups)\)s"
)


@dataclass(frozen=True)
class Viewer:
    """Whose data somebody may see before their time, by row ids; the default is the public."""

    documents: tuple[int, ...] = ()
    instruments: tuple[int, ...] = ()
    everything: Role | None = None
    """As whom they see all data, if they do."""
    groups: tuple[str, ...] = ()
    """Their groups that open single datasets, by name."""
    subject: str | None = None
    """Who it is, as the login says; None where nobody said."""
    name: str = ""
    """What they are called."""
    teams: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """On whose word, and by which entry, proposals are theirs that are so by a team alone; by pid."""
    grants: Grants = field(default_factory=Grants)
    """What their token says, as it is; a signed link what its signer's said."""

    @property
    def is_public(self) -> bool:
        """Whether it is no more than the public sees."""
        return not (self.documents or self.instruments or self.everything or self.groups)

    @property
    def parameters(self) -> dict[str, Any]:
        """Values for `query.model.VIEWER`."""
        return {
            "viewer_documents": list(self.documents) or None,
            "viewer_instruments": list(self.instruments) or None,
            "viewer_everything": self.everything is not None,
            "viewer_groups": list(self.groups) or None,
        }

    def reason(self, grounds: Sequence[str | None]) -> Reason:
        """Why they see what is not public; `grounds` as visible_dataset and visible_document have it."""
        member_of, *_ = grounds
        by, entry = self.teams.get(member_of or "", ("", None))
        return access.reason(grounds, self.everything, by, entry)


PUBLIC = Viewer()


def settled(
    sql: str, policy: DataPolicy, clock: datetime | None, *, past_sealed: bool, viewer: Viewer = PUBLIC
) -> str:
    """The text with values for `query.model`'s parameters, as far as it has them.

    `clock` is the instant for which it answers, None the database's now.
    """
    values = {
        "embargo_months": policy.embargo.months,
        "policy_license": policy.license,
        "clock": clock,
        # What is sealed is closed to the public only.
        "past_sealed": past_sealed and viewer.is_public,
        **viewer.parameters,
    }
    return _NAMES.sub(lambda name: Literal(values[name[1]]).as_string().replace("%", "%%"), sql)
