"""What a Federation depends on: the facilities, the Secrets of its providers, and what its realm is like."""

import base64
import binascii
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from panosc_operator.api import Catalogue, DataArchive, Facility, Federation
from panosc_operator.api.federation import IdentityProvider, UserDirectory
from panosc_operator.api.meta import GROUP
from panosc_operator.clients.realm import Mail, Realm
from panosc_operator.engine.kind import Reader
from panosc_operator.engine.resources import SECRET, Key, Object, is_controlled_by
from panosc_operator.kinds.external_database import Connection, connection
from panosc_operator.kinds.federation.account import Account
from panosc_operator.kinds.federation.mail import mail
from panosc_operator.kinds.federation.realm import Login, realm
from panosc_operator.kinds.pods import failures
from panosc_operator.kinds.relations import (
    LOGIN,
    LOGIN_ADMINISTRATOR,
    LOGIN_SECRET,
    federations,
    former_status,
    login_host,
    namespace_of,
)
from panosc_operator.kinds.trust import bundle_objection, read_bundle
from panosc_operator.settings import Settings

CLIENT_SECRET_KEY, BIND_PASSWORD_KEY = "clientSecret", "bindPassword"
JDBC_URI_KEY = "jdbc-uri"
DATABASE_NAME = f"{LOGIN}-postgres"


@dataclass(frozen=True)
class Observation:
    """A Federation and what it depends on."""

    federation: Federation
    settings: Settings
    rival: str | None = None
    """An earlier Federation of the cluster."""
    facilities: tuple[str, ...] = ()
    """Names of the facilities that use the login."""
    missing_secrets: Mapping[str, str] = field(default_factory=dict)
    """By identity provider: the Secret that is not there, or lacks its key."""
    missing_passwords: Mapping[str, str] = field(default_factory=dict)
    """By user directory, likewise."""
    realm: Realm | None = field(default=None, repr=False)
    """How the realm should be; None while the operator has no account there."""
    report: Object | None = None
    """What the last look at the realm found."""
    report_is_current: bool = False
    """Whether Keycloak still answers."""
    external: Connection | None = None
    """The database, if somebody else runs it."""
    failures: Mapping[str, str] = field(default_factory=dict)
    """By component: what a pod that fails says."""
    trust_bundle: str | None = None
    """Authorities of the installation's own, as PEM; None without any that can be used."""
    former: Object = field(default_factory=dict)
    """The status that was last written."""

    @property
    def namespace(self) -> str:
        """Namespace of the login."""
        return self.settings.namespace

    @property
    def name(self) -> str:
        """Name of the login's objects."""
        return LOGIN

    @property
    def database_secret(self) -> str:
        """Name of the Secret that has the connection to the database."""
        external = self.federation.spec.database.external
        return external.secret if external else DATABASE_NAME

    @property
    def host(self) -> str:
        """Host of the login."""
        return login_host(self.federation, self.settings)


async def observe(settings: Settings, federation: Federation, reader: Reader) -> Observation:
    """Read what the federation depends on."""
    cache, name, namespace = reader.cache, federation.metadata.name, settings.namespace
    first = next(iter(federations(cache)), None)
    facilities = [Facility.wish(obj) for obj in cache.all(GROUP, Facility.info.kind) if _is_established(obj)]
    members = sorted((one for one in facilities if one.spec.aai is None), key=lambda one: one.metadata.name)
    spec = federation.spec
    accounts, missing = await _accounts(spec.identity_providers, CLIENT_SECRET_KEY, namespace, reader)
    binders, passwords = await _accounts(spec.user_directories, BIND_PASSWORD_KEY, namespace, reader)
    logins = {}
    for facility in members:
        where = namespace_of(facility)
        secret = await reader.read(SECRET, where, LOGIN_SECRET)
        account = _account(secret, "client-secret")
        # Whoever may make Secrets there could have made one by this name.
        if account is not None and secret and is_controlled_by(secret, facility.metadata.uid):
            residents = [
                one["metadata"]["name"]
                for model in (Catalogue, DataArchive)
                for one in cache.all(GROUP, model.info.kind, where)
            ]
            logins[facility.metadata.name] = Login(facility, account, tuple(sorted(residents)))
    administrator = await reader.read(SECRET, namespace, LOGIN_ADMINISTRATOR)
    wish = None
    own = _account(administrator, "client-secret")
    if own is not None:
        letters = await _mail(federation, namespace, reader)
        wish = realm(federation, settings, own, logins, accounts, binders, letters)
    external = None
    if spec.database.external:
        secret = await reader.read(SECRET, namespace, spec.database.external.secret)
        external = connection(secret, JDBC_URI_KEY, "jdbc:", ("username", "password"))
    bundle = await read_bundle(settings, reader)
    key = Key(GROUP, federation.info.kind, None, name)
    report, current = reader.services.latest(key)
    return Observation(
        federation,
        settings,
        rival=first.name if first and first.name != name else None,
        facilities=tuple(logins),
        missing_secrets=missing,
        missing_passwords=passwords,
        realm=wish,
        report=report,
        report_is_current=current,
        external=external,
        # What is wrong with them, each Facility says.
        trust_bundle=None if bundle_objection(settings, bundle) else bundle,
        former=former_status(reader, federation),
        failures=await failures(reader, federation, ("keycloak", "postgresql")),
    )


def _is_established(facility: Object) -> bool:
    """Whether it has its namespace and its domain, which no other facility has, and is to stay."""
    has_domain = bool((facility.get("status") or {}).get("domain"))
    return has_domain and not facility["metadata"].get("deletionTimestamp")


async def _mail(federation: Federation, namespace: str, reader: Reader) -> Mail | None:
    """The mail server with its account; None if none is declared, or its Secret lacks something."""
    declared, title = federation.spec.mail, federation.spec.display_name
    if declared is None:
        return None
    if declared.credentials_secret is None:
        return mail(declared, title, "", None)
    secret = await reader.read(SECRET, namespace, declared.credentials_secret)
    username, password = _account(secret, "username"), _account(secret, "password")
    return mail(declared, title, username.secret, password) if username and password else None


async def _accounts(
    those: Iterable[IdentityProvider | UserDirectory], key: str, namespace: str, reader: Reader
) -> tuple[dict[str, Account], dict[str, str]]:
    """Their accounts by name, and the names of the Secrets that are not there or lack the key."""
    accounts: dict[str, Account] = {}
    missing: dict[str, str] = {}
    for one in those:
        account = _account(await reader.read(SECRET, namespace, one.credentials_secret), key)
        if account is None:
            missing[one.name] = one.credentials_secret
        else:
            accounts[one.name] = account
    return accounts, missing


def _account(secret: Object | None, key: str) -> Account | None:
    """The secret text under the key, and what changes with it; None if it is not there."""
    if secret is None:
        return None
    try:
        text = base64.b64decode(secret.get("data", {}).get(key, ""), validate=True).decode().strip()
    except (binascii.Error, ValueError):
        return None
    version = f"{secret['metadata'].get('uid', '')}/{secret['metadata'].get('resourceVersion', '')}"
    return Account(text, version) if text else None
