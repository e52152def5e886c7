"""Who may see data: the one rule, by which every interface goes.

Metadata of proposals are public from the start, but those of proprietary beamtime, which are for whoever may
see its data. Data are public from their release instant on; before, and where their beamtime is proprietary,
they are for the people of the proposal, those of groups that a source names for a dataset, the staff of the
instrument and the facility's administrators. What was withdrawn nobody sees. Who runs the
federation runs its login, and is by that no member of anything: data are the facilities'.

Groups lie below the federation's namespace, as AARC-G069 entitlements:

    urn:<namespace>:group:<facility>:role=admin               administrator of the facility
    urn:<namespace>:group:<facility>:staff                    staff of all its instruments
    urn:<namespace>:group:<facility>:instruments:<name>       staff of one instrument
    urn:<namespace>:group:<facility>:proposals:<number>       people of a proposal, or of a source's group
    urn:<namespace>:group:<facility>:role=user-office         names people of proposals, also itself
    urn:<namespace>:group:federation:role=admin               administrator of the federation

At a login elsewhere, the facility's groups may lie below another one than that of its name.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from panosc_common import entitlements, identity
from panosc_common.catalogue import ServiceAddress
from panosc_common.entitlements import Entitlement
from panosc_common.model import Document

_ENTITLEMENT_CLAIMS = ("entitlements", "eduperson_entitlement")
"""The present name first; older peers use the other."""


LIMITING = "panosc:"
"""What the names of scopes begin with that limit a token: with any of them, it opens what they say alone."""


class Scope(StrEnum):
    """What a token is for that is limited."""

    READ = "panosc:read"
    """To see and download data and their description."""
    TEAMS = "panosc:teams"
    """To see and change who is on a proposal."""
    POLICY = "panosc:policy"
    """To see what was decided by the data policy, and to decide."""
    PUT = "panosc:put"
    """To put files into archives."""


EntitlementNamespace = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,31}(:[a-z0-9][a-z0-9.-]*)+$", max_length=255),
    Field(
        json_schema_extra={
            "x-remedy": "what entitlements have between `urn:` and `:group:`, in small letters, such as "
            "geant:panosc.eu"
        }
    ),
]


EntitlementGroup = Annotated[
    str,
    StringConstraints(pattern=r"^[^:#?\s=]+(:[^:#?\s=]+)*$", max_length=255),
    Field(
        json_schema_extra={
            "x-remedy": "groups with colons between them, as entitlements have them after `:group:`, such as "
            "vo.esrf.example or community:esrf"
        }
    ),
]


class Aai(Document):
    """The login by which people and programs show who they are, an OpenID Connect provider."""

    issuer: ServiceAddress
    """Address of the login as its tokens name it (`iss`), below which it has its
    `.well-known/openid-configuration`. It signs tokens by key pairs that it publishes there."""

    audience: Annotated[str, StringConstraints(min_length=1, max_length=255)]
    """What access tokens for the facility's services are issued for: one of the values of their claim `aud`.
    Others are refused, as a token for another service must not open this one's data."""

    entitlement_namespace: EntitlementNamespace
    """Namespace of the entitlements that count here. Groups of other namespaces say nothing."""

    group: EntitlementGroup | None = None
    """The facility's group in the namespace, below which its others lie, as entitlements write it:
    `vo.esrf.example`, or `community:esrf` where it is a subgroup. If unset, that of the Facility's name."""

    userinfo: bool = False
    """Whether the login is asked at its UserInfo endpoint for what its access tokens may leave out:
    entitlements, ORCID iD, verified e-mail address and name. Answers are kept for five minutes at most, or as
    long as the token is valid while the login is away."""

    def root(self, facility: str) -> Entitlement:
        """Membership of the facility's group."""
        groups = entitlements.path(self.group) if self.group else (facility,)
        return Entitlement(self.entitlement_namespace, groups)


class Login(Aai):
    """The login as services know it."""

    scope: str | None = None
    """The scope by which programs get tokens with the audience; None: nobody knows whether there is one."""

    keys: ServiceAddress | None = None
    """Where its keys are, for services beside it; None: where its `.well-known/openid-configuration` says."""

    sessions: bool = False
    """Whether the gateway logs people in who come to /login, and out at /logout."""


@dataclass(frozen=True)
class Principal:
    """Who asks, as the login says."""

    subject: str
    name: str = ""
    """What they are called, for themselves to read."""
    identities: frozenset[str] = frozenset()
    """By what they are known for certain, as `identity` writes it."""
    entitlements: frozenset[Entitlement] = frozenset()
    limits: frozenset[str] | None = None
    """The scopes to which their token is limited; None if it is not."""

    def may(self, scope: Scope) -> bool:
        """Whether their token is for this."""
        return self.limits is None or scope in self.limits


def principal(claims: Mapping[str, Any]) -> Principal:
    """Who has a token with these claims."""
    given = [value for claim in _ENTITLEMENT_CLAIMS for value in _texts(claims.get(claim))]
    scopes = {one for text in _texts(claims.get("scope")) for one in text.split()}
    return Principal(
        subject=str(claims["sub"]),
        name=str(claims.get("name") or claims.get("preferred_username") or ""),
        identities=identity.identities(claims),
        entitlements=frozenset(filter(None, map(entitlements.parse, given))),
        limits=frozenset(one for one in scopes if one.startswith(LIMITING)) or None,
    )


@dataclass(frozen=True)
class Grants:
    """What somebody may see of one facility's data beyond what is public."""

    proposals: frozenset[str] = frozenset()
    """Numbers of the proposals that are theirs by entitlement."""
    groups: frozenset[str] = frozenset()
    """Groups of which they are, as sources name them."""
    identities: frozenset[str] = frozenset()
    """Theirs are also the proposals whose source or team names one of these."""
    entries: frozenset[str] = frozenset()
    """Entries of teams (UUIDs) by which proposals are theirs."""
    instruments: frozenset[str] = frozenset()
    """Names of the instruments whose staff they are."""
    staff: bool = False
    admin: bool = False
    user_office: bool = False
    """Whether they say who is on which proposal; shows them no data until they name themselves."""

    @property
    def everything(self) -> "Role | None":
        """As whom they may see all data; None if they may not."""
        if self.admin:
            return Role.ADMIN
        return Role.STAFF if self.staff else None


def grants(asking: Principal, root: Entitlement) -> Grants:
    """What the principal may see of the facility whose group is `root`; other groups say nothing."""
    depth = len(root.groups)
    below = [one for one in asking.entitlements if one.satisfies(root)]

    def has_role(role: str) -> bool:
        return any(one.satisfies(replace(root, role=role)) for one in below)

    def named(group: str) -> frozenset[str]:
        paths = [one.groups[depth:] for one in below]
        return frozenset(path[1] for path in paths if len(path) > 1 and path[0] == group)

    return Grants(
        # One cannot be told from the other by its name.
        proposals=named("proposals"),
        groups=named("proposals"),
        identities=asking.identities,
        instruments=named("instruments"),
        staff=any(one.groups[depth : depth + 1] == ("staff",) for one in below),
        admin=has_role("admin"),
        user_office=has_role("user-office"),
    )


class Role(StrEnum):
    """As whom somebody sees data that are not public, in the words of the audit log."""

    MEMBER = "member of proposal"
    GROUP = "member of group"
    INSTRUMENT_STAFF = "staff of instrument"
    STAFF = "staff of the facility"
    ADMIN = "administrator of the facility"


class Reason(Document, frozen=True):
    """Why somebody sees data that are not public."""

    role: Role
    """As whom."""
    of: str = ""
    """Of which proposal (its pid), group or instrument (its name), where the role is of one."""
    by: str = ""
    """On whose word, where that is neither the login's nor the proposal's source's."""
    entry: str | None = None
    """Then by which entry of the catalogue's teams, a UUID: a signed link counts while that is there."""

    def __str__(self) -> str:
        said = f" ({self.by})" if self.by else ""
        return f"{self.role} {self.of}".rstrip() + said


def reason(
    grounds: Sequence[str | None], everything: Role | None, by: str = "", entry: str | None = None
) -> Reason:
    """The narrowest of the grounds on which somebody sees something, as the rule in SQL names them.

    `grounds`: pid of a proposal that is theirs, name of an instrument whose staff they are, and their group;
    `by`, `entry`: on whose word, and by which entry of a team, the proposal is theirs.
    """
    member_of, staff_of, group = grounds
    if member_of is not None:
        return Reason(role=Role.MEMBER, of=member_of, by=by, entry=entry)
    if group is not None:
        return Reason(role=Role.GROUP, of=group)
    if staff_of is not None:
        return Reason(role=Role.INSTRUMENT_STAFF, of=staff_of)
    if everything is None:
        raise ValueError("nothing lets them see it")
    return Reason(role=everything)


def uploader(given: Grants) -> Reason | None:
    """As whom somebody may put files into the facility's archives; None if they may not."""
    if given.everything:
        return Reason(role=given.everything)
    if given.instruments:
        return Reason(role=Role.INSTRUMENT_STAFF, of=", ".join(sorted(given.instruments)))
    return None


def embargo(until: datetime) -> str:
    """Why data are not shown, for whoever knows that there are some."""
    return f"embargo until {until.astimezone(UTC).date().isoformat()}"


def granted(reasons: Iterable[Reason]) -> Grants:
    """Grants that open what was seen for these reasons, and no more than such reasons open.

    What a team said counts as long as it says so; what the login said, for as long as the reasons are used.
    """
    given = list(reasons)
    by_team = [one for one in given if one.role is Role.MEMBER and one.by]

    def of(role: Role) -> frozenset[str]:
        return frozenset(one.of for one in given if one.role is role)

    return Grants(
        proposals=frozenset(one.of for one in given if one.role is Role.MEMBER and not one.by),
        entries=frozenset(one.entry for one in by_team if one.entry is not None),
        groups=of(Role.GROUP),
        instruments=of(Role.INSTRUMENT_STAFF),
        staff=bool(of(Role.STAFF)),
        admin=bool(of(Role.ADMIN)),
    )


def _texts(value: object) -> Iterable[str]:
    """A claim that may have one value or several."""
    values = value if isinstance(value, list) else [value]
    return [one for one in values if isinstance(one, str)]
