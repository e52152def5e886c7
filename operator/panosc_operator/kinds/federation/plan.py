"""What a Federation becomes: a Keycloak with its database, its host, and its fences."""

from typing import Any
from urllib.parse import urlsplit

from panosc_operator.api.meta import LABEL_COMPONENT, LABEL_NAME
from panosc_operator.engine.desired import KEEP, Desired
from panosc_operator.engine.resources import SECRET, Object
from panosc_operator.kinds.building import (
    API_PORT,
    OUTSIDE,
    POSTGRES_PORT,
    Part,
    container,
    deployment,
    disruption_budget,
    gateway,
    http_probe,
    network_policy,
    path_match,
    pod,
    pods_in,
    pods_of_facilities,
    pods_with,
    ports,
    rate_limits,
    redirect,
    resources,
    route,
    service,
)
from panosc_operator.kinds.external_database import external_database_gate
from panosc_operator.kinds.federation.directories import port_of
from panosc_operator.kinds.federation.observe import DATABASE_NAME, JDBC_URI_KEY, Observation
from panosc_operator.kinds.federation.realm import OPERATOR
from panosc_operator.kinds.postgresql import postgresql
from panosc_operator.kinds.relations import LOGIN, LOGIN_ADMINISTRATOR, REALM
from panosc_operator.kinds.trust import BUNDLE, TRUST_DIRECTORY, TRUST_VOLUME, trust_volume

DATABASE = "keycloak"
SECRET_LENGTH = 43
MANAGEMENT_PORT = 9000
CLUSTERING_PORTS = (7800, 57800)
"""JGroups' messages between the pods, and its watch for those that fail."""
PUBLIC_PREFIXES = (
    f"/realms/{REALM}",
    "/resources",
    # The console of the realm's administrators; Keycloak's own realm is reached from within the cluster only.
    f"/admin/{REALM}/console",
    f"/admin/realms/{REALM}",
    "/admin/serverinfo",
)
_DATA = "/opt/keycloak/data"
# Those that ask for its keys: of archives what takes files, while the rest has the catalogue verify tokens.
_VERIFIERS = [
    {LABEL_NAME: name, LABEL_COMPONENT: component}
    for name, component in (("catalogue", "api"), ("archive", "receive"))
]


def plan(observed: Observation) -> list[Desired] | None:
    """All objects of the login; None while another Federation has it, or what it needs isn't there."""
    if observed.rival or (observed.external and not observed.external.usable):
        return None
    spec, settings, host = observed.federation.spec, observed.settings, observed.host

    def part(component: str, software: str = "keycloak") -> Part:
        return Part(software, observed.federation.metadata.name, component, observed.namespace)

    login, database = part("login"), part("database", "postgresql")
    managed = spec.database.managed
    objects: list[Desired] = []
    if managed:
        objects += postgresql(database, DATABASE_NAME, DATABASE, managed, settings)
        objects.append(_database_fence(login, database))
    if observed.external:
        objects.append(external_database_gate(login, LOGIN, observed.external))
    objects += [
        _account(observed, login),
        deployment(
            login,
            LOGIN,
            pod([_container(observed)], [{"name": "data", "emptyDir": {}}, *_trust_volumes(observed)]),
            replicas=spec.replicas,
            config=observed.trust_bundle,
            restart_on=(observed.database_secret,),
        ),
        service(login, LOGIN, API_PORT),
        *([disruption_budget(login, LOGIN)] if spec.replicas > 1 else []),
        gateway(login, LOGIN, host, f"{LOGIN}-tls", settings),
        *rate_limits(login, LOGIN, settings),
        *([redirect(login, host, settings, gateway_name=LOGIN)] if settings.redirects else []),
        route(
            login,
            LOGIN,
            host,
            [path_match("PathPrefix", prefix) for prefix in PUBLIC_PREFIXES],
            gateway_name=LOGIN,
        ),
    ]
    return [*objects, _login_fence(observed, login, database)]


def _account(observed: Observation, part: Part) -> Desired:
    """The operator's account in Keycloak, which takes it over at its first start; it outlives the federation
    with the database, as that would not take another."""
    content = {"client-id": OPERATOR, "client-secret": "{secret}"}
    metadata = part.metadata(LOGIN_ADMINISTRATOR)
    if observed.external:
        metadata["annotations"] = {KEEP: "true"}
    return Desired(
        SECRET,
        {"metadata": metadata, "type": "Opaque", "stringData": content},
        retain=True,
        create_only=True,
        random={"secret": SECRET_LENGTH},
    )


def _container(observed: Observation) -> Object:
    settings, secret = observed.settings, observed.database_secret
    address: dict[str, Any] = (
        {"KC_DB_URL": _key(secret, JDBC_URI_KEY)}
        if observed.external
        else {"KC_DB_URL_HOST": _key(secret, "host"), "KC_DB_URL_DATABASE": DATABASE}
    )
    return container(
        "keycloak",
        settings.image_keycloak,
        settings.image_pull_policy,
        requirements=resources("100m", "512Mi", memory_limit="1Gi"),
        mounts={"data": _DATA, **({TRUST_VOLUME: TRUST_DIRECTORY} if observed.trust_bundle else {})},
        environment={
            **address,
            "KC_DB_USERNAME": _key(secret, "username"),
            "KC_DB_PASSWORD": _key(secret, "password"),
            # For upstream providers with a certificate of such an authority.
            **({"KC_TRUSTSTORE_PATHS": f"{TRUST_DIRECTORY}/{BUNDLE}"} if observed.trust_bundle else {}),
            "KC_HOSTNAME": settings.url_of(observed.host),
            # Services in the cluster read its keys by its Service's name.
            "KC_HOSTNAME_BACKCHANNEL_DYNAMIC": "true",
            "KC_HTTP_ENABLED": "true",
            "KC_HTTP_PORT": str(API_PORT),
            "KC_HTTP_MANAGEMENT_PORT": str(MANAGEMENT_PORT),
            "KC_PROXY_HEADERS": "xforwarded",
            "KC_BOOTSTRAP_ADMIN_CLIENT_ID": _key(LOGIN_ADMINISTRATOR, "client-id"),
            "KC_BOOTSTRAP_ADMIN_CLIENT_SECRET": _key(LOGIN_ADMINISTRATOR, "client-secret"),
            "KC_LOG_CONSOLE_OUTPUT": "json",
            "KC_LOG_LEVEL": "info,io.smallrye.health:warn",  # which tells of each probe
        },
        ports=[
            {"name": "http", "containerPort": API_PORT, "protocol": "TCP"},
            {"name": "management", "containerPort": MANAGEMENT_PORT, "protocol": "TCP"},
        ],
        # It makes its tables at the first start, which takes a minute.
        startupProbe=http_probe("/health/started", MANAGEMENT_PORT, period=2, failures=300),
        livenessProbe=http_probe("/health/live", MANAGEMENT_PORT, period=10, failures=3),
        readinessProbe=http_probe("/health/ready", MANAGEMENT_PORT, period=5, failures=2),
    )


def _trust_volumes(observed: Observation) -> list[Object]:
    name = observed.settings.trust_config_map
    return [trust_volume(name)] if observed.trust_bundle and name else []


def _key(secret: str, key: str) -> Object:
    return {"secretKeyRef": {"name": secret, "key": key}}


def _login_fence(observed: Observation, login: Part, database: Part) -> Desired:
    """Who reaches the login, and what it reaches; the operator's namespace has no other fence."""
    spec, settings = observed.federation.spec, observed.settings
    logins, databases = pods_with(login.selector), pods_with(database.selector)
    clients = [
        pods_in(settings.gateway_namespace),
        pods_in(settings.namespace),
        *map(pods_of_facilities, _VERIFIERS),
    ]
    to_login: list[Object] = [
        {"from": clients, "ports": ports(API_PORT)},
        {"from": [logins], "ports": ports(*CLUSTERING_PORTS)},
    ]
    elsewhere = {
        443,
        *(urlsplit(one.issuer).port or 443 for one in spec.identity_providers),
        *map(port_of, spec.user_directories),
        *([spec.mail.port] if spec.mail else []),
    }
    from_login: list[Object] = [
        {
            "to": [pods_in(settings.dns_namespace)],
            "ports": ports(settings.dns_port, protocols=("UDP", "TCP")),
        },
        *([{"to": [databases], "ports": ports(POSTGRES_PORT)}] if spec.database.managed else []),
        {"to": [logins], "ports": ports(*CLUSTERING_PORTS)},
        # Upstream providers, directories and mail, wherever they are; providers also behind the same gateway.
        {"to": OUTSIDE, "ports": ports(*sorted(elsewhere))},
        {"to": [pods_in(settings.gateway_namespace)], "ports": ports(settings.gateway_target_port)},
    ]
    return network_policy(
        login, LOGIN, {"matchLabels": dict(login.selector)}, ingress=to_login, egress=from_login
    )


def _database_fence(login: Part, database: Part) -> Desired:
    """The login alone reaches its database, which reaches nothing."""
    to_database: list[Object] = [{"from": [pods_with(login.selector)], "ports": ports(POSTGRES_PORT)}]
    return network_policy(
        database, DATABASE_NAME, {"matchLabels": dict(database.selector)}, ingress=to_database, egress=[]
    )
