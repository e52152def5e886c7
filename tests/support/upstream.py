"""An identity provider elsewhere: a Keycloak of its own, in a namespace and at a host of its own."""

import json
from dataclasses import dataclass
from typing import Any

from panosc_dev import addons, deploy

from support.browser import ARCHIVE, CATALOGUE
from support.cluster import GATEWAY_PORT, Demo

NAMESPACE = "umbrella"
HOST = f"umbrella.{addons.DOMAIN}"
ISSUER = f"https://{HOST}/realms/umbrella"
SECOND = "eduteams"
"""A realm beside, as if it were another provider: of some people both know the address."""
SECOND_ISSUER = f"https://{HOST}/realms/{SECOND}"
CLIENT, SECRET, PASSWORD = "panosc", "between-the-two", "umbrella"
PAGES = "pages"
"""Name of its client for the pages of a facility that logs people in here itself."""
AUDIENCE, ENTITLEMENTS = "aurora-data", "geant:elsewhere.example"
ORGANIZATION = "elsewhere.example"


@dataclass(frozen=True)
class Person:
    """Somebody who has an account there."""

    name: str
    first_name: str
    last_name: str
    email: str
    orcid: str


NORA = Person("nora", "Nora", "Vidal", "nora@elsewhere.example", "0000-0002-1825-0097")
IMPOSTOR = Person("mallory", "Mallory", "Quill", "chiara@aurora.example", "0000-0001-5109-3700")
"""Has the address of somebody of the facility's staff, which the provider says is verified."""
ADA = Person("a.marsh", "Ada", "Marsh", "ada@aurora.example", "0000-0002-1694-233X")
"""The member of the demonstration's proposal, with the account that she has elsewhere."""


def start(demo: Demo) -> None:
    """Run it, and wait until it answers at its host."""
    demo.kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(_objects(_image(demo))))
    demo.kubectl("rollout", "status", "deployment/umbrella", f"--namespace={NAMESPACE}", "--timeout=240s")
    demo.eventually(
        lambda: demo.get(f"{ISSUER}/.well-known/openid-configuration").json()["issuer"],
        until=lambda issuer: issuer == ISSUER,
        seconds=60,
    )


def _image(demo: Demo) -> str:
    return demo.kubectl(
        *("get", "deployment", "login", f"--namespace={deploy.NAMESPACE}"),
        *("-o", "jsonpath={.spec.template.spec.containers[0].image}"),
    )


def _objects(image: str) -> dict[str, Any]:
    labels = {"app": NAMESPACE}
    items: list[dict[str, Any]] = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "realm", "namespace": NAMESPACE},
            "data": {f"{name}-realm.json": json.dumps(_realm(name)) for name in (NAMESPACE, SECOND)},
        },
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": NAMESPACE, "namespace": NAMESPACE},
            "spec": {
                "selector": {"matchLabels": labels},
                "template": {
                    "metadata": {"labels": labels},
                    "spec": {
                        "containers": [_container(image)],
                        "volumes": [
                            {"name": "realm", "configMap": {"name": "realm"}},
                            {"name": "home", "emptyDir": {}},
                        ],
                    },
                },
            },
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": NAMESPACE, "namespace": NAMESPACE},
            "spec": {"selector": labels, "ports": [{"port": 8080}]},
        },
        {
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "Gateway",
            "metadata": {
                "name": NAMESPACE,
                "namespace": NAMESPACE,
                "annotations": {"cert-manager.io/cluster-issuer": addons.ISSUER},
            },
            "spec": {
                "gatewayClassName": "panosc",
                "listeners": [
                    {
                        "name": "https",
                        "hostname": HOST,
                        "port": GATEWAY_PORT,
                        "protocol": "HTTPS",
                        "tls": {"certificateRefs": [{"name": "umbrella-tls"}]},
                    }
                ],
            },
        },
        {
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "HTTPRoute",
            "metadata": {"name": NAMESPACE, "namespace": NAMESPACE},
            "spec": {
                "parentRefs": [{"name": NAMESPACE}],
                "hostnames": [HOST],
                "rules": [{"backendRefs": [{"name": NAMESPACE, "port": 8080}]}],
            },
        },
    ]
    return {"apiVersion": "v1", "kind": "List", "items": items}


def _container(image: str) -> dict[str, Any]:
    # The image is made for PostgreSQL. A copy may be set up anew, here for a database in a file.
    script = (
        "cp -a /opt/keycloak /home/umbrella/ && cd /home/umbrella/keycloak && "
        "mkdir -p data/import && cp /realm/*.json data/import/ && "
        "exec bin/kc.sh start-dev --import-realm --health-enabled=true"
    )
    return {
        "name": "keycloak",
        "image": image,
        "command": ["sh", "-c", script],
        "env": [
            {"name": "KC_HOSTNAME", "value": f"https://{HOST}"},
            {"name": "KC_PROXY_HEADERS", "value": "xforwarded"},
            {"name": "KC_HTTP_HOST", "value": "0.0.0.0"},
        ],
        "readinessProbe": {"httpGet": {"path": "/health/ready", "port": 9000}, "periodSeconds": 2},
        "volumeMounts": [
            {"name": "realm", "mountPath": "/realm"},
            {"name": "home", "mountPath": "/home/umbrella"},
        ],
    }


def _realm(name: str) -> dict[str, Any]:
    """Says about everybody where they are at home, and each one's ORCID iD."""
    callback = f"https://login.{addons.DOMAIN}/realms/panosc/broker/{name}/endpoint"
    constant = {
        "schac_home_organization": ORGANIZATION,
        "voperson_external_affiliation": f"staff@{ORGANIZATION}",
        "eduperson_assurance": "https://refeds.org/assurance/IAP/medium",
    }
    mappers = [
        _mapper("oidc-hardcoded-claim-mapper", claim, {"claim.name": claim, "claim.value": value})
        for claim, value in constant.items()
    ]
    own = {"user.attribute": "orcid", "claim.name": "orcid"}
    mappers.append(_mapper("oidc-usermodel-attribute-mapper", "orcid", own))
    profile = {
        "attributes": [{"name": name} for name in ("username", "email", "firstName", "lastName", "orcid")]
    }
    provider = {
        "providerId": "declarative-user-profile",
        "config": {"kc.user.profile.config": [json.dumps(profile)]},
    }
    return {
        "realm": name,
        "enabled": True,
        "components": {"org.keycloak.userprofile.UserProfileProvider": [provider]},
        "clients": [
            {
                "clientId": CLIENT,
                "secret": SECRET,
                "redirectUris": [callback],
                "attributes": {"post.logout.redirect.uris": f"{callback}/logout_response"},
                "protocolMappers": mappers,
            },
            _pages(),
        ],
        "users": [
            {
                "username": one.name,
                "firstName": one.first_name,
                "lastName": one.last_name,
                "email": one.email,
                "emailVerified": True,
                "enabled": True,
                "attributes": {"orcid": [one.orcid]},
                "credentials": [{"type": "password", "value": PASSWORD}],
            }
            for one in (NORA, IMPOSTOR, ADA)
        ],
    }


def _pages() -> dict[str, Any]:
    """To whom everybody is staff of the demonstration's facility."""
    staff = json.dumps([f"urn:{ENTITLEMENTS}:group:aurora:staff"])
    said = {"claim.name": "entitlements", "claim.value": staff, "jsonType.label": "JSON"}
    return {
        "clientId": PAGES,
        "secret": SECRET,
        "redirectUris": [f"{host}/oauth2/callback" for host in (CATALOGUE, ARCHIVE)],
        "attributes": {
            "pkce.code.challenge.method": "S256",
            "post.logout.redirect.uris": f"{CATALOGUE}/##{ARCHIVE}/",
        },
        "protocolMappers": [
            _mapper("oidc-audience-mapper", "audience", {"included.custom.audience": AUDIENCE}),
            _mapper("oidc-hardcoded-claim-mapper", "entitlements", said),
        ],
    }


def _mapper(kind: str, name: str, config: dict[str, str]) -> dict[str, Any]:
    everywhere = {"id.token.claim": "true", "access.token.claim": "true", "userinfo.token.claim": "true"}
    return {
        "name": name,
        "protocol": "openid-connect",
        "protocolMapper": kind,
        "config": {"jsonType.label": "String", **everywhere, **config},
    }
