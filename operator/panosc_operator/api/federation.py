"""Federation: facilities under one roof, with one login for all of them."""

from typing import Annotated, ClassVar, Literal

from panosc_common.access import EntitlementNamespace
from panosc_common.model import Document
from pydantic import ConfigDict, Field, StringConstraints

from panosc_operator.api.cel import ListMap, ListSet, Remedy, Rule, rules
from panosc_operator.api.conditions import ConditionType, FederationReason
from panosc_operator.api.database import Choice, PostgreSQL, choice_rules, database_rules
from panosc_operator.api.facility import Email
from panosc_operator.api.meta import (
    DeletionPolicy,
    DnsLabel,
    DnsName,
    KindInfo,
    ObjectName,
    Quantity,
    Resource,
    Status,
)

FACILITIES_SHOWN = 256
"""More have their login all the same; without a limit, a status could become too large to be written."""

_OTHER_VOLUME = (
    "back it up with the Secret login-administrator, delete this Federation with deletionPolicy Delete, make "
    "it anew and restore both"
)
_OTHER_DATABASE = (
    "restore a backup of it in the other one, delete this Federation with deletionPolicy Retain, and make it "
    "anew"
)

Claim = Annotated[str, StringConstraints(min_length=1, max_length=128)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Issuer = Annotated[
    str,
    StringConstraints(pattern=r"^https://[^\s?#]+[^\s?#/]$", max_length=2048),
    Remedy("the provider's issuer: an address that begins with https://, without a slash at its end"),
]

LdapAddress = Annotated[
    str,
    StringConstraints(pattern=r"^ldaps?://[^\s/?#:@]+(:[0-9]{1,5})?$", max_length=300),
    Remedy("an LDAP server's address, such as ldaps://ldap.esrf.eu or ldaps://ldap.esrf.eu:3269"),
]
DistinguishedName = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z][-A-Za-z0-9.]*=.+$", max_length=1024),
    Remedy("a distinguished name, such as ou=people,dc=esrf,dc=eu"),
]
LdapAttribute = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z][-A-Za-z0-9]*$", max_length=128),
    Remedy("the name of an LDAP attribute, such as sAMAccountName"),
]
LdapFilter = Annotated[
    str,
    StringConstraints(pattern=r"^\(.+\)$", max_length=1024),
    Remedy("an LDAP filter in parentheses, such as (employeeType=staff)"),
]

_NAMESPACE_ALONE = Rule(
    rule="!self.startsWith('urn:') && !self.contains(':group')",
    message="give what entitlements have between `urn:` and `:group:`, such as geant:panosc.eu",
)
_FOR_GOOD = (
    "it is a part of everybody's identifier, by which services and other federations know them: "
    "make a second Federation"
)


class UpstreamClaims(Document):
    """How an upstream provider calls what the login says about people. A claim that it doesn't send is left
    out."""

    home_organization: Claim = "schac_home_organization"
    """Claim with the domain of somebody's home organisation, such as `esrf.eu`."""

    affiliation: Claim = "voperson_external_affiliation"
    """Claim with somebody's affiliation there, such as `staff@esrf.eu`."""

    assurance: Claim = "eduperson_assurance"
    """Claim with how well somebody is known, by the profiles of the REFEDS Assurance Framework."""

    orcid: Claim | None = None
    """Claim with somebody's ORCID iD, by which proposals know their people; not read if unset. Name it for
    providers alone that have people prove it: who has somebody's ORCID iD sees their data."""


class IdentityProvider(Document):
    """An OpenID Connect provider through which people log in."""

    name: DnsLabel
    """Name of the provider, which is a part of the address that it sends people back to:
    `https://<host>/realms/panosc/broker/<name>/endpoint`. Register that there."""

    display_name: Text
    """What people read on the button, such as `EGI Check-in`."""

    issuer: Issuer
    """Address of the provider as its tokens name it, below which it has its
    `.well-known/openid-configuration`."""

    client_id: Annotated[str, StringConstraints(min_length=1, max_length=255)]
    """Name of our client at the provider."""

    credentials_secret: ObjectName
    """Name of the Secret in the operator's namespace whose key `clientSecret` has our client's secret. The
    provider isn't offered while it isn't there."""

    scopes: Annotated[list[Claim], ListSet(), Field(max_length=32)] = Field(
        default_factory=lambda: ["openid", "profile", "email"]
    )
    """Scopes that the provider is asked for; EGI Check-in and eduTEAMS name their claims' scopes."""

    verifies_email: bool = False
    """Whether an e-mail address that the provider says is verified counts as such here. Accounts are never
    linked by it."""

    claims: UpstreamClaims = Field(default_factory=UpstreamClaims)
    """How the provider calls what the login says about people."""


class UserDirectory(Document):
    """An LDAP server, such as an Active Directory, whose people log in here by the name and the password that
    they have there. It is only read."""

    model_config = rules(
        Rule(
            rule="self.url.startsWith('ldaps://') || self.startTls",
            message="url begins with ldap://, which sends passwords in the clear: "
            "give one with ldaps://, or set startTls to true",
            message_expression=(
                "'url ' + self.url + ' sends passwords in the clear: give an address that begins with "
                "ldaps://, or set startTls to true'"
            ),
            field_path=".url",
        ),
        Rule(
            rule="!self.url.startsWith('ldaps://') || !self.startTls",
            message="startTls is for addresses that begin with ldap://: leave it out, or change url",
            message_expression=(
                "'startTls is true, and url ' + self.url + ' begins TLS by itself: leave startTls out, or "
                "give an address that begins with ldap://'"
            ),
            field_path=".startTls",
        ),
    )

    name: DnsLabel
    """Name of the directory, as the federation's administrators see it."""

    url: LdapAddress
    """Address of the server. Its certificate is of a public authority, or of one in the chart's
    `trust.configMap`."""

    start_tls: bool = False
    """Whether a connection to `ldap://` goes on in TLS (STARTTLS); needed there."""

    vendor: Literal["ad", "other"] = "other"
    """`ad` for an Active Directory, whose people have `sAMAccountName` and `objectGUID` and are shut out when
    they are disabled there; `other` for OpenLDAP and the like, whose people are an `inetOrgPerson` with `uid`
    and `entryUUID`."""

    bind_dn: DistinguishedName
    """Account by which people are looked up. It needs to read them, and no more."""

    credentials_secret: ObjectName
    """Name of the Secret in the operator's namespace whose key `bindPassword` has this account's password.
    Nobody logs in by the directory while it isn't there."""

    users_dn: DistinguishedName
    """Entry below which people are, at any depth, such as `ou=people,dc=esrf,dc=eu`."""

    user_filter: LdapFilter | None = None
    """Filter for who of them may log in, such as `(memberOf=cn=beamline-users,ou=groups,dc=esrf,dc=eu)`;
    everybody if unset."""

    username_attribute: LdapAttribute | None = None
    """Attribute with the name that people log in by; the vendor's if unset."""

    uuid_attribute: LdapAttribute | None = None
    """Attribute that tells one person from all others for good, also when a name is given to somebody else;
    the vendor's if unset. After a change nobody is known any more."""

    verifies_email: bool = False
    """Whether the directory's e-mail addresses (`mail`) count as verified here. Accounts are never linked by
    them."""


class MailServer(Document):
    """An SMTP server that takes letters of the login's."""

    host: DnsName
    """Host of the server, which its certificate names."""

    port: Annotated[int, Field(ge=1, le=65535)] = 465
    """Port of the server; 587 is usual with `starttls`."""

    tls: Literal["implicit", "starttls"] = "implicit"
    """How connections are encrypted: from the beginning, or by STARTTLS, which Keycloak goes without if
    somebody on the way hides that the server has it."""

    sender: Email
    """Address that letters come from."""

    credentials_secret: ObjectName | None = None
    """Name of the Secret in the operator's namespace with `username` and `password`. No letter is sent while
    it isn't there. Unset: the server asks for none."""


class ManagedAccounts(PostgreSQL):
    """A PostgreSQL that the operator runs for the login."""

    model_config = database_rules(_OTHER_VOLUME)

    size: Quantity = "2Gi"
    """Size of the database's volume, such as `5Gi`; it may grow later if the storage class allows it, never
    shrink."""


class ExternalAccounts(Document):
    """A PostgreSQL that somebody else runs."""

    secret: ObjectName
    """Name of the Secret in the operator's namespace with `jdbc-uri`, such as
    jdbc:postgresql://host:5432/keycloak, `username` and `password`, as CloudNativePG makes it. Pods restart
    when it changes; accounts aren't moved to another database."""


class AccountsDatabase(Choice):
    """Where accounts, groups and sessions are kept: exactly one of `managed` and `external`."""

    model_config = choice_rules("accounts", _OTHER_DATABASE)

    managed: ManagedAccounts | None = None
    """A PostgreSQL that the operator runs for the login: one pod, without which nobody logs in."""

    external: ExternalAccounts | None = None
    """A PostgreSQL that somebody else runs, such as one of several pods."""


class FederationSpec(Document):
    """What a federation offers to its facilities."""

    display_name: Text
    """Name of the federation, as people read it on its login page."""

    host: DnsName | None = None
    """Host of the login; `login` below the operator's base domain if unset. Services and people know it by
    this: after a change everybody logs in again, and upstream providers have to be told."""

    identifier_scope: DnsName
    """Domain that people's identifiers end with, such as `panosc.eu`: `sub` and `voperson_id` are
    `<id of the account>@<scope>`. It can't be changed."""

    entitlement_namespace: Annotated[EntitlementNamespace, _NAMESPACE_ALONE]
    """Namespace of the groups, as AARC-G069 entitlements: `geant:panosc.eu` makes
    `urn:geant:panosc.eu:group:<facility>:staff`."""

    identity_providers: Annotated[list[IdentityProvider], ListMap(("name",)), Field(max_length=32)] = Field(
        default_factory=list
    )
    """Where people may log in beside the accounts of the login itself. One that is taken out is no longer
    offered; accounts that came through it stay, and know it again when it comes back."""

    user_directories: Annotated[list[UserDirectory], ListMap(("name",)), Field(max_length=16)] = Field(
        default_factory=list
    )
    """LDAP servers whose people may log in. One that is taken out is switched off, and its people with it;
    they are known again when it comes back."""

    mail: MailServer | None = None
    """Server for letters by which people set a new password, and show that an address is theirs. Unset:
    neither is offered."""

    personal_token_days: Annotated[int, Field(ge=0, le=366)] = 90
    """Days after which the tokens end that people make for their scripts; 0 if nobody may have any, which
    ends those that are there. Other programs' tokens that outlive a login (`offline_access`) end as well,
    after one day where it is 0."""

    replicas: Annotated[int, Field(ge=1, le=16)] = 1
    """How many pods the login has. With two or more, it answers while one is replaced or its node fails. A
    managed database is one pod all the same."""

    database: AccountsDatabase = Field(default_factory=lambda: AccountsDatabase(managed=ManagedAccounts()))
    """Where accounts, groups and sessions are kept: exactly one of `managed` and `external`, which can't be
    changed."""

    deletion_policy: DeletionPolicy = "Retain"
    """What deleting the Federation does to its accounts: Retain keeps them, and a Federation of the same name
    takes them up again; Delete deletes them for good, with everybody's identifiers. What is set at the
    deletion counts. An external database always stays."""

    suspend: bool = False
    """While true, the operator leaves the federation's objects and its login as they are, whatever the spec
    says; people log in as before."""


class UpstreamStatus(Document):
    """What became of an upstream provider."""

    model_config = ConfigDict(extra="ignore")

    name: Annotated[str, StringConstraints(max_length=63)]
    """Name of the provider."""

    offered: bool
    """Whether people can log in through it."""

    message: Annotated[str, StringConstraints(max_length=1024)] = ""
    """Why not, or why it isn't as the spec says."""


class DirectoryStatus(Document):
    """What became of a user directory."""

    model_config = ConfigDict(extra="ignore")

    name: Annotated[str, StringConstraints(max_length=63)]
    """Name of the directory."""

    connected: bool
    """Whether the login can bind to it."""

    message: Annotated[str, StringConstraints(max_length=1024)] = ""
    """Why not."""


class FederationStatus(Status):
    """What the operator found out about a federation."""

    url: Annotated[str, StringConstraints(max_length=2048)] | None = None
    """Where people look after their account."""

    issuer: Annotated[str, StringConstraints(max_length=2048)] | None = None
    """Address of the login as its tokens name it."""

    facilities: Annotated[list[str], ListSet(), Field(max_length=FACILITIES_SHOWN)] = Field(
        default_factory=list
    )
    """Facilities whose services take the login's tokens; of very many the first by name."""

    identity_providers: Annotated[list[UpstreamStatus], ListMap(("name",)), Field(max_length=32)] = Field(
        default_factory=list
    )
    """What became of the upstream providers."""

    user_directories: Annotated[list[DirectoryStatus], ListMap(("name",)), Field(max_length=16)] = Field(
        default_factory=list
    )
    """What became of the user directories."""


class Federation(Resource):
    """Facilities under one roof: gives them one login, with the identity providers of their people."""

    model_config = rules(
        Rule(
            rule="self.spec.identifierScope == oldSelf.spec.identifierScope",
            message=f"identifierScope can't be changed: {_FOR_GOOD}",
            message_expression=(
                "'identifierScope can\\'t be changed from ' + oldSelf.spec.identifierScope + ' to ' + "
                f"self.spec.identifierScope + ': {_FOR_GOOD.replace(chr(39), chr(92) + chr(39))}'"
            ),
            field_path=".spec.identifierScope",
        ),
    )

    info: ClassVar[KindInfo] = KindInfo(
        kind="Federation",
        plural="federations",
        short_name="fed",
        namespaced=False,
        reasons=FederationReason,
        conditions=(ConditionType.IDENTITY_PROVIDERS_READY, ConditionType.USER_DIRECTORIES_READY),
    )

    kind: Literal["Federation"] = "Federation"
    """Kind of the object."""

    spec: FederationSpec
    """What the federation is to be."""

    status: FederationStatus = Field(default_factory=FederationStatus)
    """What the operator found out; written by it alone."""
