"""What the operator's installation decides, by the chart's values: images, gateway, base domain."""

from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Environment variables with the prefix `PANOSC_`."""

    model_config = SettingsConfigDict(env_prefix="PANOSC_", use_attribute_docstrings=True)

    namespace: str = "panosc-system"
    """Namespace of the operator itself, which no facility may take."""

    base_domain: str = "panosc.localhost"
    """Domain below which a facility gets its own, unless it names one."""

    gateway_class: str = "panosc"
    """GatewayClass of the facilities' Gateways."""

    gateway_port: Annotated[int, Field(ge=1, le=65535)] = 80
    """Port on which the gateway listens, and which is part of the URLs unless it is the scheme's own."""

    gateway_http_port: Annotated[int, Field(ge=0, le=65535)] = 80
    """With TLS: port on which plain HTTP is answered, by sending people to HTTPS; 0: not at all."""

    gateway_pod_port: Annotated[int, Field(ge=0, le=65535)] = 0
    """Port on which the gateway's pods themselves listen; 0: as Envoy Gateway has it."""

    gateway_namespace: str = "envoy-gateway-system"
    """Namespace of the pods that carry the gateway's traffic; only they reach the services."""

    gateway_tls: bool = False
    """Whether the services are reached by HTTPS; the certificate is the Secret `<facility>-tls`."""

    gateway_cluster_issuer: str | None = None
    """cert-manager ClusterIssuer of the certificates; without one, somebody else makes the Secrets."""

    gateway_sessions: bool = True
    """Whether the gateway logs people in and keeps their sessions, as Envoy Gateway does; only by HTTPS."""

    gateway_requests_per_second: Annotated[int, Field(ge=0)] = 100
    """How many requests a second one address may send to each part of a facility's hosts or of the login, as
    Envoy Gateway counts them; 0: as many as it likes."""

    dns_namespace: str = "kube-system"
    """Namespace of the cluster's DNS pods, which the facilities' pods may ask."""

    dns_port: Annotated[int, Field(ge=1, le=65535)] = 53
    """Port on which the DNS pods themselves listen, which may differ from their Service's."""

    trust_config_map: str | None = None
    """ConfigMap in the operator's namespace with authorities (`ca.crt`) that services trust beside the public
    ones."""

    metrics_namespace: str | None = None
    """Namespace whose pods may read the services' metrics, such as Prometheus'; without one, nobody may."""

    image_catalogue: str
    """Image of the catalogue service."""

    image_archive: str
    """Image of the archive service."""

    image_postgres: str
    """Image of PostgreSQL."""

    image_keycloak: str
    """Image of Keycloak."""

    image_pull_policy: Annotated[str, Field(pattern="^(Always|IfNotPresent|Never)$")] = "IfNotPresent"
    """When the kubelet pulls the images."""

    resync_seconds: Annotated[float, Field(gt=0)] = 300.0
    """Seconds after which everything is listed and looked at again, in case news got lost."""

    workers: Annotated[int, Field(ge=1, le=64)] = 8
    """How many resources are worked on at once."""

    health_port: Annotated[int, Field(ge=1, le=65535)] = 8080
    """Port of /healthz and /readyz."""

    metrics_port: Annotated[int, Field(ge=1, le=65535)] = 9090
    """Port of /metrics."""

    log_level: str = "INFO"
    """Least severe level of log lines."""

    @property
    def gateway_target_port(self) -> int:
        """Port of the gateway's pods; Envoy Gateway's may not have one below 1024, and add 10000 to it."""
        privileged = 1024
        usual = self.gateway_port + (10000 if self.gateway_port < privileged else 0)
        return self.gateway_pod_port or usual

    @property
    def redirects(self) -> bool:
        """Whether the gateway sends who comes by plain HTTP to HTTPS."""
        return self.gateway_tls and self.gateway_http_port not in (0, self.gateway_port)

    @property
    def scheme(self) -> str:
        """Scheme of the services' URLs."""
        return "https" if self.gateway_tls else "http"

    @property
    def has_sessions(self) -> bool:
        """Whether people can log in by their browser: cookies of sessions travel encrypted only."""
        return self.gateway_tls and self.gateway_sessions

    def url_of(self, host: str) -> str:
        """Address of a host behind the gateway, without a slash at the end."""
        default = 443 if self.gateway_tls else 80
        port = "" if self.gateway_port == default else f":{self.gateway_port}"
        return f"{self.scheme}://{host}{port}"
