"""What a Catalogue becomes: a database, a migration Job, the search API, the ingest worker, and a route."""

from typing import Any

from panosc_operator.api import Catalogue
from panosc_operator.engine.desired import Desired, digest
from panosc_operator.engine.resources import JOB, NETWORK_POLICY, Object
from panosc_operator.kinds.building import (
    ALL_ADDRESSES,
    API_PORT,
    FACILITY_CONFIG,
    STATUS_PORT,
    Part,
    beside_archives,
    claim_volume,
    config_map,
    config_volume,
    container,
    deployment,
    disruption_budget,
    path_match,
    pod,
    probes,
    resources,
    route,
    service,
)
from panosc_operator.kinds.catalogue.database import database
from panosc_operator.kinds.catalogue.observe import Observation, database_name
from panosc_operator.kinds.relations import data_claim, domain_of, host_of

CONFIG_DIRECTORY = "/etc/panosc/config"
POLICY_DIRECTORY = "/etc/panosc/policy"
ARCHIVES_DIRECTORY = "/archives"
INGEST_SUFFIX = "-ingest"
PUBLIC_PREFIXES = (
    # The search API ignores the case of paths, the Gateway API does not: both ways that clients write it.
    "/api",
    "/API",
    "/docs",
    "/openapi.json",
    "/search",
    "/documents",
    "/datasets",
    "/doi",
    "/dmp",
    "/oai",
    "/policy",
    "/static",
)
"""What of the service people and programs outside reach; the rest is for the archive and for probes."""


def ingest_name(catalogue: Catalogue) -> str:
    """Name of the ingest worker's objects."""
    return f"{catalogue.metadata.name}{INGEST_SUFFIX}"


def database_secret(catalogue: Catalogue) -> str:
    """Name of the Secret that has the connection to the database."""
    external = catalogue.spec.database.external
    return external.secret if external else database_name(catalogue)


def public_url(observed: Observation) -> str | None:
    """Where the catalogue is reached; None without a facility."""
    if observed.facility is None:
        return None
    domain = domain_of(observed.facility, observed.settings.base_domain)
    return observed.settings.url_of(host_of(observed.catalogue, domain))


def plan(observed: Observation) -> list[Desired] | None:
    """All objects of the catalogue; None while what it needs isn't there."""
    catalogue, facility, settings = observed.catalogue, observed.facility, observed.settings
    if facility is None or (observed.external and not observed.external.usable):
        return None
    name, namespace, owner = (
        catalogue.metadata.name,
        catalogue.metadata.namespace or "",
        facility.metadata.name,
    )

    def part(component: str, software: str = "catalogue") -> Part:
        return Part(software, name, component, namespace, owner)

    managed = catalogue.spec.database.managed
    objects = database(catalogue, managed, part("database", "postgresql"), settings) if managed else []
    if observed.external:
        objects.append(_external_database_gate(part("database"), name, observed.external.ports))
    configuration = _configuration(observed)
    objects.append(config_map(part("config"), f"{name}-config", {"catalogue.json": configuration}))
    objects.append(_migration(observed, part("migrate")))
    objects += _api(observed, part("api"), configuration)
    objects += _ingest(observed, part("ingest"), configuration)
    matches = [path_match("PathPrefix", prefix) for prefix in PUBLIC_PREFIXES] + [path_match("Exact", "/")]
    host = host_of(catalogue, domain_of(facility, settings.base_domain))
    return [*objects, route(part("api"), name, host, matches)]


def migration_name(observed: Observation) -> str:
    """Name of the Job that brings the database to the schema this version needs: one for each version."""
    return f"{observed.catalogue.metadata.name}-migrate-{digest(_migration_pod(observed))[:10]}"


def _configuration(observed: Observation) -> dict[str, Any]:
    facility, settings = observed.facility, observed.settings
    assert facility is not None  # noqa: S101 - `plan` has looked
    domain = domain_of(facility, settings.base_domain)
    sources = []
    for source in observed.catalogue.spec.sources:
        archive = observed.archives.get(source.nexus.archive) if source.nexus else None
        if source.nexus is None or archive is None:
            continue
        layout = archive.spec.layout.model_dump(mode="json", by_alias=True)
        sources.append(
            {
                "name": source.name,
                "nexus": {
                    "archive": archive.metadata.name,
                    "root": f"{ARCHIVES_DIRECTORY}/{archive.metadata.name}",
                    "archiveUrl": settings.url_of(host_of(archive, domain)),
                    "layout": layout,
                    "include": source.nexus.include,
                },
            }
        )
    return {
        "facility": {
            "name": facility.metadata.name,
            "displayName": facility.spec.display_name,
            "abbreviation": facility.spec.abbreviation,
            "ror": facility.spec.ror,
            "country": facility.spec.country,
        },
        "publicUrl": public_url(observed),
        "sources": sources,
    }


def _container(
    observed: Observation,
    name: str,
    command: list[str],
    requirements: Object,
    *,
    archives: bool = False,
    **fields: Any,
) -> Object:
    settings, catalogue = observed.settings, observed.catalogue
    mounts = {"config": CONFIG_DIRECTORY, "policy": POLICY_DIRECTORY}
    if archives:
        mounts |= {
            f"archive-{archive}": f"{ARCHIVES_DIRECTORY}/{archive}" for archive in sorted(observed.archives)
        }
    return container(
        name,
        settings.image_catalogue,
        settings.image_pull_policy,
        requirements=requirements,
        read_only_mounts=mounts,
        environment={
            "PANOSC_CATALOGUE_DATABASE_URL": {
                "secretKeyRef": {"name": database_secret(catalogue), "key": "uri"}
            },
            "PANOSC_CATALOGUE_POLICY_FILE": f"{POLICY_DIRECTORY}/policy.json",
            "PANOSC_CATALOGUE_CONFIG_FILE": f"{CONFIG_DIRECTORY}/catalogue.json",
        },
        command=["panosc-catalogue", *command],
        **fields,
    )


def _volumes(observed: Observation) -> list[Object]:
    # Without the facility's policy no pod starts: the default embargo may be shorter than the facility's.
    return [
        config_volume("config", f"{observed.catalogue.metadata.name}-config"),
        config_volume("policy", FACILITY_CONFIG),
    ]


def _migration_pod(observed: Observation) -> Object:
    migrate = _container(observed, "migrate", ["migrate"], resources("50m", "128Mi", memory_limit="512Mi"))
    return pod([migrate], _volumes(observed), restartPolicy="Never")


def _migration(observed: Observation, part: Part) -> Desired:
    template = {"metadata": {"labels": dict(part.labels)}, "spec": _migration_pod(observed)}
    name = migration_name(observed)
    # Held back until the database answers, as its tries would be used up while a volume is being made; but
    # once let go, it is not stopped again.
    held = not observed.database_ready and name not in observed.started_migrations
    spec = {"backoffLimit": 6, "suspend": held, "template": template}
    return Desired(JOB, {"metadata": part.metadata(name), "spec": spec}, replace=True)


def _api(observed: Observation, part: Part, configuration: Any) -> list[Desired]:
    catalogue = observed.catalogue
    name, replicas = catalogue.metadata.name, catalogue.spec.replicas
    serve = _container(
        observed,
        "api",
        ["serve", "--host", ALL_ADDRESSES, "--port", str(API_PORT)],
        resources("50m", "128Mi", memory_limit="1Gi"),
        ports=[{"name": "http", "containerPort": API_PORT, "protocol": "TCP"}],
        **probes(API_PORT, ready="/readyz"),
    )
    served = deployment(
        part,
        name,
        pod([serve], _volumes(observed)),
        replicas=replicas,
        config=configuration,
        restart_on=(database_secret(catalogue),),
    )
    budget = [disruption_budget(part, name)] if replicas > 1 else []
    return [served, service(part, name, API_PORT), *budget]


def _ingest(observed: Observation, part: Part, configuration: Any) -> list[Desired]:
    catalogue = observed.catalogue
    name = ingest_name(catalogue)
    ingest = _container(
        observed,
        "ingest",
        ["ingest", "--host", ALL_ADDRESSES, "--port", str(STATUS_PORT)],
        resources("50m", "192Mi", memory_limit="2Gi"),
        archives=True,
        ports=[{"name": "status", "containerPort": STATUS_PORT, "protocol": "TCP"}],
        **probes(STATUS_PORT),
    )
    archives = [
        claim_volume(f"archive-{archive}", data_claim(observed.archives[archive]), read_only=True)
        for archive in sorted(observed.archives)
    ]
    groups = [
        group for archive in observed.archives.values() for group in archive.spec.storage.supplemental_groups
    ]
    affinity = beside_archives(sorted(observed.pinned))
    worker = deployment(
        part,
        name,
        pod([ingest], [*_volumes(observed), *archives], groups=groups, **affinity),
        alone=True,
        config=configuration,
        restart_on=(database_secret(catalogue),),
    )
    return [worker, service(part, name, STATUS_PORT, port_name="status")]


def _external_database_gate(part: Part, name: str, ports: tuple[int, ...]) -> Desired:
    """The fence of the namespace lets nothing out; where the database is, only its owner knows."""
    spec = {
        "podSelector": {
            "matchLabels": {
                key: value for key, value in part.selector.items() if not key.endswith("component")
            }
        },
        "policyTypes": ["Egress"],
        "egress": [{"ports": [{"port": port, "protocol": "TCP"} for port in ports]}],
    }
    return Desired(NETWORK_POLICY, {"metadata": part.metadata(f"{name}-external-database"), "spec": spec})
