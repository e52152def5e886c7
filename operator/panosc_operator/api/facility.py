"""Facility: a research infrastructure with its namespace, rights, limits, data policy and hosts."""

from typing import Annotated, ClassVar, Literal

from panosc_common.access import Aai
from panosc_common.catalogue import DataCiteInterface, Mint
from panosc_common.model import Document
from panosc_common.policy import DataPolicy
from pydantic import ConfigDict, Field, StringConstraints

from panosc_operator.api.cel import (
    ListMap,
    ListSet,
    Remedy,
    Rule,
    encrypted,
    exactly_one_of,
    quoted,
    rules,
)
from panosc_operator.api.conditions import FacilityReason
from panosc_operator.api.countries import COUNTRY_CODES
from panosc_operator.api.meta import (
    Count,
    DeletionPolicy,
    DnsLabel,
    DnsName,
    KindInfo,
    ObjectName,
    PrinterColumn,
    Quantity,
    Resource,
    Status,
    WebAddress,
    name_rule,
)

Ror = Annotated[
    str,
    StringConstraints(pattern=r"^https://ror\.org/0[a-hj-km-np-tv-z0-9]{6}[0-9]{2}$", max_length=64),
    Remedy(
        "the facility's identifier in the Research Organization Registry, such as https://ror.org/02550n020"
    ),
]
Country = Annotated[
    str,
    StringConstraints(min_length=2, max_length=2),
    Rule(
        rule=f"self in [{', '.join(map(quoted, COUNTRY_CODES))}]",
        message="give an ISO 3166-1 alpha-2 country code such as FR",
        message_expression=(
            "'\\'' + self + '\\' is not an ISO 3166-1 alpha-2 country code: write two capital letters, "
            "such as FR, DE or GB'"
        ),
    ),
]
_ISSUER_OVER_TLS = Rule(
    rule="self.issuer.startsWith('https://') || self.issuer.matches('^http://([^/:]+[.])?localhost([:/]|$)')",
    message="the issuer begins with http://, where anybody in between could sign tokens: give one with https://",
    message_expression=(
        "'issuer ' + self.issuer + ' begins with http://, where anybody in between could sign tokens: give "
        "the address that begins with https://'"
    ),
    field_path=".issuer",
)
_ISSUER_OF_SESSIONS = Rule(
    rule="!has(self.client) || self.issuer.startsWith('https://')",
    message="the gateway logs people in only where the issuer begins with https://: give that, or no client",
    message_expression=(
        "'issuer ' + self.issuer + ' does not begin with https://, so the gateway logs nobody in there: give "
        "the address that does, or no client'"
    ),
    field_path=".issuer",
)
_NAMESPACE_ALONE = Rule(
    rule="!self.entitlementNamespace.startsWith('urn:') && !self.entitlementNamespace.contains(':group')",
    message="give what entitlements have between `urn:` and `:group:`, such as geant:panosc.eu",
    field_path=".entitlementNamespace",
)
DoiPrefix = Annotated[
    str,
    StringConstraints(pattern=r"^10\.\d{4,9}$", max_length=12),
    Remedy("a DOI prefix: '10.' and four to nine digits, such as 10.5072"),
]
Email = Annotated[
    str,
    StringConstraints(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$", max_length=254),
    Remedy("an e-mail address such as data@facility.eu"),
]
GroupName = Annotated[str, StringConstraints(min_length=1, max_length=253)]
LoginScope = Annotated[
    str,
    StringConstraints(pattern=r"^[!#-\[\]-~]+$", max_length=128),
    Remedy("one scope, without spaces, such as eduperson_entitlement"),
]

_VERSIONED_LICENSES = tuple(
    Rule(
        rule=f"!self.{name}.matches('^CC[A-Za-z0-9-]*$')",
        message=f"{name} lacks the licence's version: write the SPDX identifier, such as CC-BY-4.0",
        message_expression=(
            f"'\\'' + self.{name} + '\\' lacks the licence\\'s version: write its SPDX identifier, "
            "such as CC-BY-4.0 (see spdx.org/licenses)'"
        ),
        field_path=f".{name}",
    )
    for name in ("license", "metadataLicense")
)


class Administrators(Document):
    """Who may work in the facility's namespace."""

    groups: Annotated[list[GroupName], ListSet(), Field(max_length=32)] = Field(default_factory=list)
    """Groups, as the cluster's authentication names them, that may edit DataArchives and Catalogues in the
    namespace, read its pods, logs and events, and make Secrets there. Without any, only the cluster's
    administrators may. Who is taken out loses the rights at once."""


class Contact(Document):
    """Whom to write to about the facility's data."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    """Name of the person or office."""

    email: Email
    """E-mail address of the person or office."""

    role: Annotated[str, StringConstraints(max_length=100)] | None = None
    """What to write about, such as data, accounts or security. Harvesters and data management plans name the
    first contact with `data` in its role, else the first of all."""


class DataCiteRegistrar(DataCiteInterface):
    """DataCite's REST API, with the account of the facility's repository."""

    model_config = rules(encrypted("endpoint"))

    credentials_secret: ObjectName
    """Name of the Secret in the facility's namespace with the `username` and `password` of the repository's
    account at DataCite. No DOI is registered while it isn't there. A changed one is read at the next try."""


class NoRegistrar(Document):
    """Nobody: records get local handles, which resolve at their catalogue and are called DOIs nowhere."""


class Registrar(Document):
    """Who registers DOIs: exactly one of `dataCite` and `none`."""

    model_config = rules(exactly_one_of("dataCite", "none"))

    data_cite: DataCiteRegistrar | None = None
    """DataCite's REST API, with the account of the facility's repository."""

    none: NoRegistrar | None = None
    """Nobody: records get local handles, which resolve at their catalogue and are called DOIs nowhere."""


class DoiIdentifiers(Document):
    """DOIs of the facility's data."""

    prefix: DoiPrefix
    """Prefix of the facility's repository, under which it registers DOIs, such as 10.15151. With another one,
    what has its DOI keeps it, and new DOIs have the new prefix."""

    registrar: Registrar | None = None
    """Who registers DOIs: exactly one of `dataCite` and `none`. If unset, none are made, and those that are
    there are no longer kept up to date."""

    mint: Mint = Field(default_factory=Mint)
    """What gets DOIs; DOIs that are there stay, and are kept up to date, whatever this says."""


class Identifiers(Document):
    """Persistent identifiers of the facility's data."""

    doi: DoiIdentifiers | None = None
    """DOIs of the facility's data; none are made if unset."""


class LoginClient(Document):
    """The client by which the gateway logs people in who come to the pages with their browser: by
    authorization code with PKCE, authenticated by `client_secret_basic`. Register `https://<host>/oauth2/callback`
    at the login for each Catalogue and DataArchive."""

    id: Annotated[str, StringConstraints(min_length=1, max_length=255)]
    """Identifier of the client at the login."""

    credentials_secret: ObjectName
    """Name of the Secret in the facility's namespace with the client's secret under the key `client-secret`,
    which is Envoy Gateway's name for it. Nobody can log in on the pages while it isn't there; they show what
    is public. A changed one is used at once."""

    scopes: Annotated[list[LoginScope], ListSet(), Field(min_length=1, max_length=32)] = Field(
        default_factory=lambda: ["openid", "profile", "email"]
    )
    """Scopes that the login is asked for, among them those by which access tokens have the audience and the
    entitlements. Where it gives refresh tokens for `offline_access` alone, that too: without one, a session
    ends with its first access token."""

    own_authority: bool = False
    """Whether the issuer's certificate is of an authority in the chart's `trust.configMap`, rather than a
    public one. The gateway then trusts those alone there."""


class FacilityAai(Aai):
    """The login of a facility, an OpenID Connect provider."""

    client: LoginClient | None = None
    """The client by which people log in on the pages, where the gateway serves HTTPS. If unset, the pages log
    nobody in, and the login is for programs that send an access token."""


class Quota(Document):
    """What all services of the facility together may take from the cluster; without a field, no limit."""

    cpu: Quantity | None = None
    """CPU cores that all pods together may request, such as `64` or `500m` (half a core). What runs already
    runs on; what would go beyond it isn't started. No limit if unset."""

    memory: Quantity | None = None
    """Memory that all pods together may request, such as `512Gi`, with the consequences of `cpu`. No limit if
    unset."""

    gpu: Annotated[int, Field(ge=0, le=100000)] | None = None
    """GPUs (`nvidia.com/gpu`) that all pods together may request. No limit if unset."""

    storage: Quantity | None = None
    """Size of all volume claims together, such as `100Ti`; claims that would go beyond it are refused, those
    that are there stay. No limit if unset."""


class FacilitySpec(Document):
    """What the federation's administrator says about a facility."""

    display_name: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    """Full name of the facility, as people know it: landing pages, citations and DOIs have it as publisher. A
    change is told to harvesters and registrar for every record."""

    abbreviation: Annotated[str, StringConstraints(min_length=1, max_length=32)] | None = None
    """Short name of the facility, as its users say it; search results name it as an instrument's facility.
    The full name is used if unset."""

    ror: Ror | None = None
    """Identifier of the facility in the Research Organization Registry (ror.org), which goes into DOIs and
    harvests, so that others can count its data."""

    country: Country | None = None
    """Country of the facility, as ISO 3166-1 alpha-2 code, which goes into descriptions of its data."""

    website: WebAddress | None = None
    """Home page of the facility, for people who look at the Facility; no service uses it."""

    namespace: DnsLabel | None = None
    """Namespace of the facility's services; the facility's own name if unset. It is made, or adopted if it is
    there: then network policies close it, and only pods of the restricted Pod Security Standard start in it.
    It can't be changed."""

    domain: DnsName | None = None
    """Domain of the services' hosts: a Catalogue `catalogue` is at `catalogue.<domain>`. The facility's name
    below the operator's base domain if unset. The DNS has to send `*.<domain>` to the gateway. After a change
    only the new addresses answer, and DOIs are led there."""

    administrators: Administrators = Field(default_factory=Administrators)
    """Who may work in the facility's namespace."""

    contacts: Annotated[list[Contact], ListMap(("email",)), Field(max_length=16)] = Field(
        default_factory=list
    )
    """Whom to write to about the facility's data."""

    data_policy: Annotated[DataPolicy, *_VERSIONED_LICENSES] = Field(default_factory=DataPolicy)
    """What the facility promises about its data: embargo, retention, licences. A change holds from the next
    request on, for all data."""

    identifiers: Identifiers = Field(default_factory=Identifiers)
    """Persistent identifiers of the facility's data."""

    aai: Annotated[FacilityAai, _ISSUER_OVER_TLS, _ISSUER_OF_SESSIONS, _NAMESPACE_ALONE] | None = None
    """The login of the facility's services. By its tokens, people see data of their proposals before they are
    public, and staff those of its instruments. If unset, it is that of the cluster's Federation; without one,
    all services show what is public only."""

    quota: Quota = Field(default_factory=Quota)
    """What all services of the facility together may take from the cluster; without a field, no limit."""

    deletion_policy: DeletionPolicy = "Retain"
    """What deleting the Facility does to its namespace with all data: Retain keeps it, and its services run
    on; Delete deletes it for good, unless the namespace was there before. What is set at the deletion
    counts."""

    suspend: bool = False
    """While true, the operator leaves the facility's objects as they are, whatever the spec says; services
    run on."""


class Endpoint(Document):
    """A service of the facility that people can reach."""

    model_config = ConfigDict(extra="ignore")

    name: Annotated[str, StringConstraints(max_length=253)]
    """Name of the object that offers the service."""

    kind: Literal["DataArchive", "Catalogue"]
    """Kind of the object that offers the service."""

    url: Annotated[str, StringConstraints(max_length=2048)]
    """Where the service is reached."""


class FacilityStatus(Status):
    """What the operator found out about a facility."""

    namespace: Annotated[str, StringConstraints(max_length=63)] | None = None
    """Namespace of the facility's services."""

    domain: Annotated[str, StringConstraints(max_length=253)] | None = None
    """Domain below which the services have their hosts; unset while another facility has it."""

    url: Annotated[str, StringConstraints(max_length=2048)] | None = None
    """Where the facility's search is reached, or else its archive; unset while it has neither."""

    archives: Count | None = None
    """How many DataArchives the facility has."""

    catalogues: Count | None = None
    """How many Catalogues the facility has."""

    endpoints: Annotated[list[Endpoint], ListMap(("kind", "name")), Field(max_length=256)] = Field(
        default_factory=list
    )
    """Services of the facility that people can reach."""


_NAMESPACE = "(has({0}.spec.__namespace__) ? {0}.spec.__namespace__ : {0}.metadata.name)"
_OLD, _NEW = _NAMESPACE.format("oldSelf"), _NAMESPACE.format("self")


class Facility(Resource):
    """A research infrastructure: gives its services a namespace, rights, limits, a data policy and hosts."""

    model_config = rules(
        name_rule(40, "a namespace and as a part of host names"),
        Rule(
            rule="self.metadata.name != 'federation'",
            message="'federation' is the name of the federation's own groups: choose another name",
            field_path=".metadata.name",
        ),
        Rule(
            rule=f"{_OLD} == {_NEW}",
            message="the namespace can't be changed, as it has the facility's data: make a second Facility",
            message_expression=(
                f"'the namespace can\\'t be changed from ' + {_OLD} + ' to ' + {_NEW} + "
                "', as it has the facility\\'s data: make a second Facility and move the data'"
            ),
            field_path=".spec.namespace",
        ),
    )

    info: ClassVar[KindInfo] = KindInfo(
        kind="Facility",
        plural="facilities",
        short_name="fac",
        namespaced=False,
        reasons=FacilityReason,
        columns=(
            PrinterColumn("Archives", ".status.archives", "integer", "How many DataArchives it has."),
            PrinterColumn("Catalogues", ".status.catalogues", "integer", "How many Catalogues it has."),
            PrinterColumn(
                "Namespace", ".status.namespace", description="Where its services run.", priority=1
            ),
            PrinterColumn("Domain", ".status.domain", description="Where its hosts are.", priority=1),
        ),
    )

    kind: Literal["Facility"] = "Facility"
    """Kind of the object."""

    spec: FacilitySpec
    """What the facility is to be."""

    status: FacilityStatus = Field(default_factory=FacilityStatus)
    """What the operator found out; written by it alone."""
