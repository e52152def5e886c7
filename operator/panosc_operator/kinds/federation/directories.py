"""LDAP servers as Keycloak's user federation has them.

People are looked up when they log in, and never copied all together: who does not come here leaves nothing
here. Whom the directory no longer has is kept and shut out, as with the account would go its identifier.
https://www.keycloak.org/docs/latest/server_admin/#_ldap
"""

from dataclasses import dataclass
from urllib.parse import urlsplit

from panosc_operator.api.federation import UserDirectory
from panosc_operator.clients.realm import Body, Directory
from panosc_operator.engine.desired import digest
from panosc_operator.kinds.federation.account import Account

_SECOND, _MINUTE = 1000, 60_000  # Keycloak counts milliseconds


@dataclass(frozen=True)
class _Schema:
    """How a directory describes people."""

    username: str
    uuid: str
    rdn: str
    object_classes: str
    mappers: dict[str, Body]


_SCHEMAS = {
    "ad": _Schema(
        "sAMAccountName",
        "objectGUID",
        "cn",
        "person, organizationalPerson, user",
        # Who is disabled there, or has to change the password first.
        {"account control": {"providerId": "msad-user-account-control-mapper", "config": {}}},
    ),
    "other": _Schema("uid", "entryUUID", "uid", "inetOrgPerson, organizationalPerson", {}),
}


def directory(declared: UserDirectory, account: Account) -> Directory:
    """The directory with its mappers; `account` is the one that looks people up."""
    schema = _SCHEMAS[declared.vendor]
    username = declared.username_attribute or schema.username
    settings = {
        "enabled": "true",
        "vendor": declared.vendor,
        "connectionUrl": declared.url,
        "startTls": _text(declared.start_tls),
        "useTruststoreSpi": "always",
        # Who waits for a login is not to wait for a server that does not answer.
        "connectionTimeout": str(5 * _SECOND),
        "readTimeout": str(10 * _SECOND),
        "authType": "simple",
        "bindDn": declared.bind_dn,
        "usersDn": declared.users_dn,
        "searchScope": "2",  # the whole tree
        "pagination": "true",
        # Keycloak tells no filter from one that is to be taken away; this one everybody passes.
        "customUserSearchFilter": declared.user_filter or "(objectClass=*)",
        "usernameLDAPAttribute": username,
        "rdnLDAPAttribute": schema.rdn,
        "uuidLDAPAttribute": declared.uuid_attribute or schema.uuid,
        "userObjectClasses": schema.object_classes,
        "editMode": "READ_ONLY",
        "importEnabled": "true",
        "removeInvalidUsersEnabled": "false",
        "syncRegistrations": "false",
        "fullSyncPeriod": "-1",
        "changedSyncPeriod": "-1",
        # Who is gone from the directory gets no token by an old login either, as soon as this.
        "cachePolicy": "MAX_LIFESPAN",
        "maxLifespan": str(_MINUTE),
        # A mapper says it, at every login; this would at the first one, of any address that comes later.
        "trustEmail": "false",
        "allowKerberosAuthentication": "false",
        "useKerberosForPasswordAuthentication": "false",
    }
    mappers = {
        "username": _attribute("username", username),
        "first name": _attribute("firstName", "givenName"),
        "last name": _attribute("lastName", "sn"),
        "email": _attribute("email", "mail"),
        "email verified": {
            "providerId": "hardcoded-attribute-mapper",
            "config": {
                "user.model.attribute": "emailVerified",
                "attribute.value": _text(declared.verifies_email),
            },
        },
        **schema.mappers,
    }
    version = digest([settings, mappers, account.version])
    return Directory(settings, account.secret, mappers, version)


def port_of(declared: UserDirectory) -> int:
    """The server's port; without one in the address, that of its protocol."""
    address = urlsplit(declared.url)
    return address.port or (636 if address.scheme == "ldaps" else 389)


def _attribute(ours: str, theirs: str) -> Body:
    config = {
        "user.model.attribute": ours,
        "ldap.attribute": theirs,
        "read.only": "true",
        "always.read.value.from.ldap": "true",
        "is.mandatory.in.ldap": "false",
    }
    return {"providerId": "user-attribute-ldap-mapper", "config": config}


def _text(value: bool) -> str:
    return str(value).lower()
