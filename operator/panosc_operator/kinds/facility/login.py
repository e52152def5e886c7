"""How people log in with their browser: the gateway's client at the login, and what it does with sessions."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from panosc_operator.api import Federation
from panosc_operator.api.facility import FacilityAai, LoginClient
from panosc_operator.engine.desired import Desired
from panosc_operator.engine.resources import (
    BACKEND,
    CONFIG_MAP,
    HTTP_ROUTE,
    SECRET,
    SECURITY_POLICY,
    Object,
)
from panosc_operator.kinds.building import LOGOUT_PATH, SESSION_LABELS, Part
from panosc_operator.kinds.facility.observe import CLIENT_SECRET_KEY, Observation
from panosc_operator.kinds.relations import LOGIN_SECRET, REALM, audience_of, issuer, login_url
from panosc_operator.kinds.trust import TRUST_CONFIG

SECRET_LENGTH = 43


@dataclass(frozen=True)
class _Client:
    """What the gateway is at a login."""

    id: str
    secret: str
    """Name of the Secret with its secret."""
    scopes: list[str]
    provider: Object
    """The login's address, and how the gateway reaches it."""


def client_objection(observed: Observation) -> str | None:
    """Why the gateway can't be the client that the spec names, and what to do; None if it can."""
    client = observed.client
    if client is None or CLIENT_SECRET_KEY in (observed.client_secret_keys or ()):
        return None
    secret, namespace = client.credentials_secret, observed.namespace_name
    name = f"Secret {namespace}/{secret} of spec.aai.client.credentialsSecret"
    make = f"kubectl create secret generic {secret} --namespace={namespace}"
    make = f"`{make} --from-file={CLIENT_SECRET_KEY}=FILE`"
    if observed.client_secret_keys is None:
        return f"{name} isn't there: {make}"
    return f"{name} has no key {CLIENT_SECRET_KEY}, or nothing in it: delete it, then {make}"


def authority_objection(observed: Observation) -> str | None:
    """Why the gateway can't trust the login's certificate, and what to do; None if it can."""
    if observed.client is None or not observed.client.own_authority or observed.settings.trust_config_map:
        return None
    return (
        "spec.aai.client.ownAuthority is true, but the installation names no authorities: set the chart's "
        "value trust.configMap, or leave ownAuthority out if the issuer's certificate is of a public one"
    )


def login(observed: Observation, part: Part) -> list[Desired]:
    """The gateway's account at the facility's login, and what it does with people who log in; nothing where
    only programs do."""
    aai = observed.facility.spec.aai
    if aai is None:
        return _federated(observed, observed.federation, part) if observed.federation else []
    if observed.client is None or client_objection(observed) or authority_objection(observed):
        return []
    return _elsewhere(observed, aai, observed.client, part)


def _federated(observed: Observation, federation: Federation, part: Part) -> list[Desired]:
    """The Secret makes the facility known at the federation's login."""
    name, settings = observed.facility.metadata.name, observed.settings
    account = Desired(
        SECRET,
        {
            "metadata": part.metadata(LOGIN_SECRET),
            "type": "Opaque",
            "stringData": {"client-id": audience_of(name), CLIENT_SECRET_KEY: "{secret}"},
        },
        create_only=True,
        random={"secret": SECRET_LENGTH},
    )
    if not settings.has_sessions:
        return [account]
    address = f"{issuer(federation, settings)}/protocol/openid-connect"
    provider = {
        "issuer": issuer(federation, settings),
        "authorizationEndpoint": f"{address}/auth",
        "endSessionEndpoint": f"{address}/logout",
        # The gateway asks for tokens within the cluster, whatever certificate the login shows to people.
        # Not by `backendRefs`: Envoy Gateway closes all routes of a policy whose backend has no ready pod.
        "tokenEndpoint": f"{login_url(settings)}/realms/{REALM}/protocol/openid-connect/token",
    }
    client = _Client(audience_of(name), LOGIN_SECRET, ["openid"], provider)
    return [account, _sessions(observed, client, part)]


def _elsewhere(observed: Observation, aai: FacilityAai, client: LoginClient, part: Part) -> list[Desired]:
    """Envoy Gateway finds the endpoints by the issuer's `.well-known/openid-configuration`."""
    # By a Backend, as Envoy would take any public certificate, whatever its name, of a token endpoint that it
    # knows by its URL alone.
    backend = _backend(aai.issuer, part, own_authority=client.own_authority)
    # With its defaults, as lists are compared exactly.
    reference = {"group": BACKEND.group, "kind": BACKEND.kind, "name": LOGIN_SECRET, "weight": 1}
    provider = {"issuer": aai.issuer, "backendRefs": [reference]}
    known = _Client(client.id, client.credentials_secret, client.scopes, provider)
    return [backend, _sessions(observed, known, part)]


def _backend(address: str, part: Part, *, own_authority: bool) -> Desired:
    """A host outside the cluster, with the authorities that its certificate may be of."""
    url = urlsplit(address)
    bundle = {"group": CONFIG_MAP.group, "kind": CONFIG_MAP.kind, "name": TRUST_CONFIG}
    authorities: Object = (
        {"caCertificateRefs": [bundle]} if own_authority else {"wellKnownCACertificates": "System"}
    )
    spec = {
        "endpoints": [{"fqdn": {"hostname": url.hostname, "port": url.port or 443}}],
        "tls": {"sni": url.hostname, **authorities},
    }
    return Desired(BACKEND, {"metadata": part.metadata(LOGIN_SECRET), "spec": spec})


def _sessions(observed: Observation, client: _Client, part: Part) -> Desired:
    """What the gateway does at the routes of sessions."""
    oidc = {
        "provider": client.provider,
        "clientID": client.id,
        "clientSecret": {"group": "", "kind": "Secret", "name": client.secret},
        "scopes": client.scopes,
        # All hosts of the facility share a session.
        "cookieDomain": observed.domain,
        "cookieConfig": {"sameSite": "Lax"},
        "logoutPath": LOGOUT_PATH,
        "forwardAccessToken": True,
        "refreshToken": True,
        # Programs in pages are told that the session has ended, rather than led to a form.
        "denyRedirect": {"headers": [{"name": ":path", "type": "Prefix", "value": "/api/"}]},
    }
    route = {"group": HTTP_ROUTE.group, "kind": HTTP_ROUTE.kind, "matchLabels": SESSION_LABELS}
    spec = {"targetSelectors": [route], "oidc": oidc}
    return Desired(SECURITY_POLICY, {"metadata": part.metadata(LOGIN_SECRET), "spec": spec})
