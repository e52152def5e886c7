"""The realm that a Federation declares: claims, clients of facilities, groups, upstream providers.

One realm for the whole community: who logs in once is known at every facility by one identifier. A facility
with a login of its own names it in `spec.aai` instead, or is an upstream provider here.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from panosc_common import access

from panosc_operator.api import Facility, Federation
from panosc_operator.api.federation import IdentityProvider
from panosc_operator.clients.realm import OFFLINE, Application, Body, Mail, Realm, Scope, Step, Upstream
from panosc_operator.engine.desired import digest
from panosc_operator.kinds.building import CALLBACK_PATH
from panosc_operator.kinds.federation.account import Account
from panosc_operator.kinds.federation.directories import directory
from panosc_operator.kinds.relations import (
    AUDIENCE_PREFIX,
    REALM,
    audience_of,
    domain_of,
    login_host,
    login_url,
)
from panosc_operator.settings import Settings

OPERATOR = "panosc-operator"
"""The operator's client in Keycloak's own realm, made at its first start."""
COMMAND_LINE = "panosc-cli"
"""Client of the program `panosc`, which has no secret."""
SCRIPTS = "panosc-scripts"
"""Client for people's tokens for their scripts, which has no secret either."""
FIRST_LOGIN = "panosc first broker login"
_SECOND_FACTOR = Step(
    "First broker login - Conditional 2FA",
    "CONDITIONAL",
    (
        Step("conditional-user-configured", "REQUIRED"),
        Step("conditional-credential", "REQUIRED"),
        Step("auth-otp-form", "ALTERNATIVE"),
        Step("webauthn-authenticator", "DISABLED"),
        Step("auth-recovery-authn-code-form", "DISABLED"),
    ),
)
_VERIFICATION = (
    Step("idp-email-verification", "DISABLED"),
    Step(
        "Verify Existing Account by Re-authentication",
        "ALTERNATIVE",
        (Step("idp-username-password-form", "REQUIRED"), _SECOND_FACTOR),
    ),
)
_EXISTING_ACCOUNT = (
    Step("idp-confirm-link", "REQUIRED"),
    Step("Account verification options", "REQUIRED", _VERIFICATION),
)
FIRST_LOGIN_STEPS = (
    # Keycloak's own, but for the letter to an address: both logins are the only proof. Anything else, such as
    # a step that links by itself, would open one person's account to another.
    Step("idp-review-profile", "REQUIRED"),
    Step(
        "User creation or linking",
        "REQUIRED",
        (
            Step("idp-create-user-if-unique", "ALTERNATIVE"),
            Step("Handle Existing Account", "ALTERNATIVE", _EXISTING_ACCOUNT),
        ),
    ),
    Step(
        "First Broker Login - Conditional Organization",
        "CONDITIONAL",
        (Step("conditional-user-configured", "REQUIRED"), Step("idp-add-organization-member", "REQUIRED")),
    ),
)
_USUAL = ("basic", "acr", "profile", "email", "roles", "web-origins", "panosc")
"""Scopes of every client of ours: Keycloak's own, and who somebody is in the federation."""
ADMINISTRATORS = "/federation/role=admin"
LIMITED = f"{access.LIMITING}limited"
"""Scope of every personal token, which names nothing that it is good for."""
_LIMITS = {
    LIMITED: "",
    access.Scope.READ: "See and download the data that you may see",
    access.Scope.TEAMS: "See and change who is on a proposal, where you may",
    access.Scope.POLICY: "Decide about embargoes and licences, where you may",
    access.Scope.PUT: "Put files into archives, where you may",
}
"""Scopes that limit a token, and what people read of them."""

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_EVERYWHERE = {
    "id.token.claim": "true",
    "access.token.claim": "true",
    "userinfo.token.claim": "true",
    "introspection.token.claim": "true",
}
_IN_TOKENS = {**_EVERYWHERE, "userinfo.token.claim": "false", "introspection.token.claim": "false"}
_ON_REQUEST = {**_EVERYWHERE, "id.token.claim": "false", "access.token.claim": "false"}
"""In the answers to whoever has the token, not in the token, as the EOSC AAI Architecture has it."""


@dataclass(frozen=True)
class _Attribute:
    """What is known of somebody, by the field of UpstreamClaims that says where from."""

    upstream: str
    label: str
    several: bool
    """Whether there may be several values."""
    where: Mapping[str, str]
    """In which tokens and answers the claim is."""


_ATTRIBUTES = {
    # By claim.
    "schac_home_organization": _Attribute("home_organization", "Home organisation", False, _ON_REQUEST),
    "voperson_external_affiliation": _Attribute("affiliation", "Affiliation there", True, _ON_REQUEST),
    "eduperson_assurance": _Attribute("assurance", "Assurance of identity", True, _EVERYWHERE),
    "orcid": _Attribute("orcid", "ORCID iD", False, _EVERYWHERE),
}


@dataclass(frozen=True)
class Login:
    """A facility's part in the login."""

    facility: Facility
    account: Account
    residents: tuple[str, ...]
    """Names of its services, each of which has a host."""


def realm(
    federation: Federation,
    settings: Settings,
    own: Account,
    logins: Mapping[str, Login],
    accounts: Mapping[str, Account],
    binders: Mapping[str, Account],
    mail: Mail | None = None,
) -> Realm:
    """The realm as it should be; `logins` by facility, `accounts` by identity provider, and `binders`, which
    look people up, by user directory."""
    spec = federation.spec
    host = login_host(federation, settings)
    scopes = {"panosc": _identity(federation, host)}
    scopes |= {audience_of(name): _audience(login, settings) for name, login in logins.items()}
    clients = {audience_of(name): _facility_client(login, settings) for name, login in logins.items()}
    scopes |= {name: Scope({}, consent) for name, consent in _LIMITS.items()}
    audiences = tuple(map(audience_of, logins))
    clients[COMMAND_LINE] = _device("The program panosc", optional=audiences)
    if days := spec.personal_token_days:
        optional = (*audiences, OFFLINE, *access.Scope)
        clients[SCRIPTS] = _device(f"a script of yours, for {days} days", LIMITED, optional=optional)
    upstreams = {
        one.name: _upstream(one, accounts[one.name])
        for one in spec.identity_providers
        if one.name in accounts
    }
    wished = Realm(
        url=login_url(settings),
        name=REALM,
        version="",
        client_id=OPERATOR,
        client_secret=own.secret,
        settings={**_settings(federation, settings), **_letters(federation, mail)},
        attributes=tuple(_attribute(name, one) for name, one in _ATTRIBUTES.items()),
        first_login=FIRST_LOGIN,
        first_login_steps=FIRST_LOGIN_STEPS,
        scopes=scopes,
        clients=clients,
        upstreams=upstreams,
        directories={
            one.name: directory(one, binders[one.name])
            for one in spec.user_directories
            if one.name in binders
        },
        mail=mail,
        groups=tuple(_groups(logins)),
        administrators=ADMINISTRATORS,
    )
    return replace(wished, version=digest(asdict(wished)))


def _settings(federation: Federation, settings: Settings) -> Body:
    days = federation.spec.personal_token_days
    return {
        "enabled": True,
        "displayName": federation.spec.display_name,
        "sslRequired": "external" if settings.gateway_tls else "none",
        # Accounts are made by administrators or come from upstream; who is new there is new here.
        "registrationAllowed": False,
        "editUsernameAllowed": False,
        "loginWithEmailAllowed": False,
        # A known address leads to the question whose account it is, to be shown by both logins.
        "duplicateEmailsAllowed": False,
        # Of accounts that have their password here. Long rather than odd, as NIST SP 800-63B has it; whoever
        # guesses has to wait, while an account that is locked for good could be locked by anybody.
        "passwordPolicy": "length(12) and maxLength(64) and notUsername(undefined) and notEmail(undefined)",
        "bruteForceProtected": True,
        "failureFactor": 30,
        "waitIncrementSeconds": _MINUTE,
        "maxFailureWaitSeconds": 15 * _MINUTE,
        "permanentLockout": False,
        # Services verify tokens by themselves: whoever is shut out is so when the token ends, and who is in
        # goes on for as long while the login is away.
        "accessTokenLifespan": 10 * _MINUTE,
        "ssoSessionIdleTimeout": 2 * _HOUR,
        "ssoSessionMaxLifespan": 12 * _HOUR,
        # Scripts that run side by side have one token.
        "revokeRefreshToken": False,
        **_ending(days or 1),
        "eventsEnabled": True,
        "eventsExpiration": 90 * _DAY,
        "adminEventsEnabled": True,
    }


def _letters(federation: Federation, mail: Mail | None) -> Body:
    """What takes a letter. Where a directory's word on addresses does not count, no letter changes that: its
    people would be asked for theirs again and again."""
    believed = all(one.verifies_email for one in federation.spec.user_directories)
    return {"resetPasswordAllowed": mail is not None, "verifyEmail": mail is not None and believed}


def _ending(days: int) -> Body:
    """Tokens that outlive a session end after so many days, be they used or not.

    Of all clients: none has them for longer than the realm, where Keycloak lets them live for as long as
    they are used.
    """
    return {
        "offlineSessionMaxLifespanEnabled": True,
        "offlineSessionMaxLifespan": days * _DAY,
        "offlineSessionIdleTimeout": days * _DAY,
    }


def _identity(federation: Federation, host: str) -> Scope:
    spec = federation.spec
    names = {"namespace": spec.entitlement_namespace, "authority": host}
    mappers = {
        "identifier": _mapper("panosc-identifier", {"scope": spec.identifier_scope, **_EVERYWHERE}),
        # Tokens, which cookies keep, say what is of use to whom they are for; older peers ask for the third.
        **{
            name: _mapper("panosc-entitlements", {**names, "claim.name": claim, **where})
            for name, claim, where in (
                ("entitlements", "entitlements", {**_IN_TOKENS, "audience.prefix": AUDIENCE_PREFIX}),
                ("all entitlements", "entitlements", _ON_REQUEST),
                ("eduperson_entitlement", "eduperson_entitlement", _ON_REQUEST),
            )
        },
        **{
            claim: _mapper(
                "oidc-usermodel-attribute-mapper",
                {
                    "user.attribute": claim,
                    "claim.name": claim,
                    "jsonType.label": "String",
                    "multivalued": str(one.several).lower(),
                    **one.where,
                },
            )
            for claim, one in _ATTRIBUTES.items()
        },
    }
    return Scope(mappers, "Who you are, and the groups that you are in", default=True)


def _audience(login: Login, settings: Settings) -> Scope:
    audience = {
        "included.custom.audience": audience_of(login.facility.metadata.name),
        "access.token.claim": "true",
        "introspection.token.claim": "true",
        "id.token.claim": "false",
    }
    # Any catalogue may name this scope; by this, programs know to which hosts its tokens go.
    services = {
        "claim.name": "panosc_services",
        "claim.value": json.dumps(_hosts(login, settings)),
        "jsonType.label": "JSON",
        **_ON_REQUEST,
        "introspection.token.claim": "false",
    }
    mappers = {
        "audience": _mapper("oidc-audience-mapper", audience),
        "services": _mapper("oidc-hardcoded-claim-mapper", services),
    }
    return Scope(mappers, f"What you may do at {login.facility.spec.display_name}")


def _hosts(login: Login, settings: Settings) -> list[str]:
    """Addresses of a facility's services."""
    domain = domain_of(login.facility, settings.base_domain)
    return [settings.url_of(f"{name}.{domain}") for name in login.residents]


def _mapper(kind: str, config: Body) -> Body:
    return {"protocolMapper": kind, "config": config}


def _facility_client(login: Login, settings: Settings) -> Application:
    hosts = _hosts(login, settings)
    return Application(
        {
            "name": login.facility.spec.display_name,
            "enabled": True,
            "publicClient": False,
            "clientAuthenticatorType": "client-secret",
            "secret": login.account.secret,
            "standardFlowEnabled": True,
            "implicitFlowEnabled": False,
            "directAccessGrantsEnabled": False,
            "serviceAccountsEnabled": False,
            "fullScopeAllowed": False,
            "redirectUris": [f"{host}{CALLBACK_PATH}" for host in hosts],
            "webOrigins": [],
            "attributes": {
                "pkce.code.challenge.method": "S256",
                "post.logout.redirect.uris": "##".join(f"{host}/" for host in hosts) or "-",
            },
        },
        scopes=(*_USUAL, audience_of(login.facility.metadata.name)),
    )


def _device(name: str, *scopes: str, optional: tuple[str, ...]) -> Application:
    """A program without a secret, which shows a code for people to enter in their browser."""
    return Application(
        {
            "name": name,
            "enabled": True,
            "publicClient": True,
            "standardFlowEnabled": False,
            "implicitFlowEnabled": False,
            "directAccessGrantsEnabled": False,
            "serviceAccountsEnabled": False,
            "fullScopeAllowed": False,
            "attributes": {"oauth2.device.authorization.grant.enabled": "true"},
        },
        scopes=(*_USUAL, *scopes),
        optional_scopes=optional,
    )


def _groups(facilities: Iterable[str]) -> Iterable[str]:
    yield "/federation"
    yield ADMINISTRATORS
    for facility in facilities:
        yield f"/{facility}"
        for name in ("role=admin", "role=user-office", "staff", "instruments", "proposals"):
            yield f"/{facility}/{name}"


def _attribute(name: str, attribute: _Attribute) -> Body:
    """Administrators and upstream providers say these about people, people themselves don't."""
    return {
        "name": name,
        "displayName": attribute.label,
        "permissions": {"view": ["admin", "user"], "edit": ["admin"]},
        "multivalued": attribute.several,
    }


def _upstream(provider: IdentityProvider, account: Account) -> Upstream:
    settings: dict[str, Any] = {
        "displayName": provider.display_name,
        "enabled": True,
        "trustEmail": provider.verifies_email,
        "storeToken": False,
        "linkOnly": False,
        "firstBrokerLoginFlowAlias": FIRST_LOGIN,
        "config": {
            "issuer": provider.issuer,
            "clientId": provider.client_id,
            "clientAuthMethod": "client_secret_basic",
            "defaultScope": " ".join(provider.scopes),
            "syncMode": "FORCE",
            "useJwksUrl": "true",
            "validateSignature": "true",
            "pkceEnabled": "true",
            "pkceMethod": "S256",
        },
    }
    mappers = {
        name: {
            "identityProviderMapper": "oidc-user-attribute-idp-mapper",
            "config": {
                "claim": getattr(provider.claims, one.upstream),
                "user.attribute": name,
                "syncMode": "FORCE",
            },
        }
        for name, one in _ATTRIBUTES.items()
        if getattr(provider.claims, one.upstream)
    }
    version = digest([settings, mappers, account.version])
    settings["config"]["clientSecret"] = account.secret
    return Upstream(provider.issuer, settings, mappers, version)
