"""A realm of Keycloak as it should be, in the words of its admin API."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Body = Mapping[str, Any]
"""A part of one of the admin API's representations: the fields that matter."""
OFFLINE = "offline_access"
"""Keycloak's scope of tokens that outlive a session. Every new client has it; of ours, those that name it."""


@dataclass(frozen=True)
class Scope:
    """A client scope: claims, by the mappers that make them."""

    mappers: Mapping[str, Body]
    """By name; a mapper that is not among them is removed."""
    consent: str = ""
    """What people read who are asked to grant it; nothing: they are not asked."""
    default: bool = False
    """Whether every client has it, without asking for it."""


@dataclass(frozen=True)
class Application:
    """A client of the login, as OAuth calls programs."""

    settings: Body = field(repr=False)
    scopes: tuple[str, ...] = ()
    """Those it always has; others have no place there."""
    optional_scopes: tuple[str, ...] = ()
    """Those that it may ask for, likewise."""


@dataclass(frozen=True)
class Upstream:
    """Another OpenID Connect provider through which people log in."""

    issuer: str
    settings: Body = field(repr=False)
    mappers: Mapping[str, Body]
    version: str
    """Changes with the settings and the secret, which Keycloak does not show."""


@dataclass(frozen=True)
class Directory:
    """An LDAP server whose people log in."""

    settings: Mapping[str, str]
    """By Keycloak's names, without the password."""
    password: str = field(repr=False)
    """Of the account that looks people up."""
    mappers: Mapping[str, Body]
    version: str
    """Changes with the settings and the password, which Keycloak does not show."""


@dataclass(frozen=True)
class Mail:
    """An SMTP server that takes letters."""

    settings: Mapping[str, str]
    """By Keycloak's names, without the password."""
    password: str | None = field(repr=False)
    version: str
    """Changes with the settings and the password, which Keycloak does not show."""


@dataclass(frozen=True)
class Step:
    """A step of a flow by which people log in."""

    name: str
    """What Keycloak calls it."""
    requirement: str
    """REQUIRED, ALTERNATIVE, CONDITIONAL or DISABLED."""
    steps: tuple["Step", ...] = ()
    """Those within it, in their order."""


@dataclass(frozen=True)
class Realm:
    """A realm as it should be, and where it is."""

    url: str
    """Of Keycloak, as the operator reaches it."""
    name: str
    version: str
    """Changes with everything below."""
    client_id: str
    client_secret: str = field(repr=False)
    settings: Body
    attributes: tuple[Body, ...]
    """Of people, beside Keycloak's own, as its user profile has them."""
    first_login: str
    """Name of the flow of first logins through an upstream provider."""
    first_login_steps: tuple[Step, ...]
    """Its steps, in their order; others have no place there."""
    scopes: Mapping[str, Scope]
    clients: Mapping[str, Application] = field(repr=False)
    upstreams: Mapping[str, Upstream] = field(repr=False)
    directories: Mapping[str, Directory]
    mail: Mail | None
    groups: tuple[str, ...]
    """Paths, each after that of the group it is in."""
    administrators: str
    """Path of the group whose members administer the realm."""
