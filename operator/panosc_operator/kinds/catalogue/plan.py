"""What a Catalogue becomes: a database, a migration Job, the search API, the ingest worker, and a route."""

from collections.abc import Mapping
from itertools import product
from typing import Any

from panosc_common.service_accounts import Callers, subject

from panosc_operator.api import Catalogue, Facility
from panosc_operator.api.facility import DoiIdentifiers
from panosc_operator.api.sources import RemoteSource, Source
from panosc_operator.engine.desired import Desired, digest
from panosc_operator.engine.resources import JOB, SECRET, Object
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
    secret_volume,
    service,
    session_route,
)
from panosc_operator.kinds.catalogue.observe import CALLERS_FILE, Observation, callers_name, database_name
from panosc_operator.kinds.external_database import external_database_gate
from panosc_operator.kinds.gates import gate_to, login_gate, to_gateway
from panosc_operator.kinds.postgresql import postgresql
from panosc_operator.kinds.relations import (
    administrator_secret,
    archive_account,
    catalogue_url,
    data_claim,
    domain_of,
    host_of,
    links_secret,
)
from panosc_operator.kinds.trust import trust_environment, trust_mounts, trust_volumes

CONFIG_DIRECTORY = "/etc/panosc/config"
POLICY_DIRECTORY = "/etc/panosc/policy"
ARCHIVES_DIRECTORY = "/archives"
LINK_KEYS_DIRECTORY = "/etc/panosc/links"
CALLERS_DIRECTORY = "/etc/panosc/callers"
ADMINISTRATOR_DIRECTORY = "/etc/panosc/administrator"
REGISTRAR_DIRECTORY = "/etc/panosc/registrar"
CREDENTIALS_DIRECTORY = "/etc/panosc/credentials"
DATABASE = "catalogue"
"""Name of the database and of the role that owns it."""
INGEST_SUFFIX = "-ingest"
DOIS_SUFFIX = "-dois"
LOGIN_PATH = "/login"
"""Where people come to log in; they go on from there to the page that they came from."""
TOKEN_LENGTH = 43
"""Characters of the administrator's token."""
PUBLIC_PREFIXES = (
    # The search API ignores the case of paths, prefixes of the Gateway API do not.
    *map("".join, product("/", "aA", "pP", "iI")),
    "/docs",
    "/openapi.json",
    "/.well-known/oauth-protected-resource",
    "/search",
    "/documents",
    "/datasets",
    "/doi",
    "/dmp",
    "/oai",
    "/policy",
    "/static",
    "/teams",
)
"""What of the service people and programs outside reach; the rest is for the archive and for probes."""


def ingest_name(catalogue: Catalogue) -> str:
    """Name of the ingest worker's objects."""
    return f"{catalogue.metadata.name}{INGEST_SUFFIX}"


def public_url(observed: Observation) -> str | None:
    """Where the catalogue is reached; None without a facility."""
    if observed.facility is None:
        return None
    domain = domain_of(observed.facility, observed.settings.base_domain)
    return observed.settings.url_of(host_of(observed.catalogue, domain))


def plan(observed: Observation) -> list[Desired] | None:
    """All objects of the catalogue; None while what it needs isn't there."""
    catalogue, facility, settings = observed.catalogue, observed.facility, observed.settings
    if facility is None or observed.lacks_issuer or observed.waits_for_trust:
        return None
    if observed.external and not observed.external.usable:
        return None
    name, namespace, owner = (
        catalogue.metadata.name,
        catalogue.metadata.namespace or "",
        facility.metadata.name,
    )

    def part(component: str, software: str = "catalogue") -> Part:
        return Part(software, name, component, namespace, owner)

    managed = catalogue.spec.database.managed
    objects: list[Desired] = []
    if managed:
        objects += postgresql(
            part("database", "postgresql"), database_name(catalogue), DATABASE, managed, settings
        )
    if observed.external:
        objects.append(external_database_gate(part("database"), name, observed.external))
    configuration = _configuration(observed)
    objects.append(config_map(part("config"), f"{name}-config", {"catalogue.json": configuration}))
    objects.append(_callers(observed, part("api")))
    objects.append(_migration(observed, part("migrate")))
    read_once = (
        {**configuration, "trust": observed.trust_revision} if observed.trust_revision else configuration
    )
    objects += _api(observed, part("api"), read_once)
    objects += _ingest(observed, part("ingest"), read_once)
    if observed.dois and not observed.missing_registrar_secret:
        objects += _dois(observed, observed.dois, part("dois"), read_once)
    matches = [path_match("PathPrefix", prefix) for prefix in PUBLIC_PREFIXES] + [path_match("Exact", "/")]
    host = host_of(catalogue, domain_of(facility, settings.base_domain))
    objects.append(route(part("api"), name, host, matches))
    if observed.login and observed.login.sessions:
        objects.append(session_route(part("api"), name, host, matches, [LOGIN_PATH]))
    return objects


def migration_name(observed: Observation) -> str:
    """Name of the Job that brings the database to the schema this version needs: one for each version."""
    return f"{observed.catalogue.metadata.name}-migrate-{digest(_migration_pod(observed))[:10]}"


def _contact_email(facility: Facility) -> str | None:
    """Whom harvesters write to: the contact for data, else the first one."""
    contacts = facility.spec.contacts
    for_data = (contact for contact in contacts if "data" in (contact.role or "").lower())
    chosen = next(for_data, contacts[0] if contacts else None)
    return chosen.email if chosen else None


def _configuration(observed: Observation) -> dict[str, Any]:
    facility, settings = observed.facility, observed.settings
    assert facility is not None  # noqa: S101 - `plan` has looked
    domain = domain_of(facility, settings.base_domain)
    sources: list[dict[str, Any]] = []
    for source in observed.catalogue.spec.sources:
        if source.remote:
            # Also without its Secret: those after it must not take over its records meanwhile.
            sources.append(_remote(source, source.remote))
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
            "contactEmail": _contact_email(facility),
        },
        "publicUrl": public_url(observed),
        "identifiers": _identifiers(observed),
        "sources": sources,
        "ontology": observed.catalogue.spec.ontology.model_dump(by_alias=True),
        "aai": observed.login.model_dump(by_alias=True, exclude_none=True) if observed.login else None,
    }


def _callers(observed: Observation, part: Part) -> Desired:
    """Who may ask what archives ask, which the API reads again when it changes; without archives nobody may.

    The operator brings the keys, and looks at them again with every resync. To fetch them itself, the service
    that faces the public would need an account at the API server, and a way there that no network policy
    describes on every cluster alike. Where a new key signs before it was published, archives that start then
    are refused for these minutes.
    """
    issuer = observed.token_issuer
    callers = Callers(
        issuer=issuer.name if issuer else "",
        keys=issuer.keys if issuer else {},
        audience=catalogue_url(observed.name, observed.namespace),
        accounts={
            subject(observed.namespace, archive_account(archive)): archive
            for archive in sorted(observed.archives)
        },
    )
    document = callers.model_dump(mode="json", by_alias=True)
    return config_map(part, callers_name(observed.catalogue), {CALLERS_FILE: document})


def _remote(source: Source, remote: RemoteSource) -> dict[str, Any]:
    """A catalogue that is read, with the directory of its credentials instead of the name of their Secret."""
    exclude = {"credentials_secret", "interval_minutes", "full_listing_hours"}
    content = remote.model_dump(mode="json", by_alias=True, exclude_none=True, exclude=exclude) | {
        "intervalSeconds": remote.interval_minutes * 60,
        "fullListingSeconds": remote.full_listing_hours * 3600,
    }
    if remote.credentials_secret:
        content["credentials"] = f"{CREDENTIALS_DIRECTORY}/{source.name}"
    (kind,) = source.model_dump(by_alias=True, exclude_none=True, exclude={"name"})
    return {"name": source.name, kind: content}


def _identifiers(observed: Observation) -> dict[str, Any]:
    """Without the name of the Secret, which is mounted."""
    if observed.dois is None:
        return {}
    exclude = {"registrar": {"data_cite": {"credentials_secret"}}}
    return {"doi": observed.dois.model_dump(mode="json", by_alias=True, exclude_none=True, exclude=exclude)}


def _container(
    observed: Observation,
    name: str,
    command: list[str],
    requirements: Object,
    *,
    archives: bool = False,
    more: Mapping[str, str] | None = None,
    environment: Mapping[str, str] | None = None,
    **fields: Any,
) -> Object:
    """`more`: directories of its own, by name of the volume."""
    settings = observed.settings
    mounts = {
        "config": CONFIG_DIRECTORY,
        "policy": POLICY_DIRECTORY,
        **trust_mounts(settings),
        **(more or {}),
    }
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
                "secretKeyRef": {"name": observed.database_secret, "key": "uri"}
            },
            "PANOSC_CATALOGUE_POLICY_FILE": f"{POLICY_DIRECTORY}/policy.json",
            "PANOSC_CATALOGUE_CONFIG_FILE": f"{CONFIG_DIRECTORY}/catalogue.json",
            **trust_environment(settings),
            **(environment or {}),
        },
        command=["panosc-catalogue", *command],
        **fields,
    )


def _volumes(observed: Observation) -> list[Object]:
    # Without the facility's policy no pod starts: the default embargo may be shorter than the facility's.
    return [
        config_volume("config", f"{observed.catalogue.metadata.name}-config"),
        config_volume("policy", FACILITY_CONFIG),
        *trust_volumes(observed.settings),
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


def _api(observed: Observation, part: Part, read_once: Any) -> list[Desired]:
    catalogue = observed.catalogue
    name, replicas = catalogue.metadata.name, catalogue.spec.replicas
    # By whose keys it knows the links that archives have signed.
    volumes = {f"links-{number}": archive for number, archive in enumerate(sorted(observed.archives))}
    serve = _container(
        observed,
        "api",
        ["serve", "--host", ALL_ADDRESSES, "--port", str(API_PORT)],
        resources("50m", "128Mi", memory_limit="1Gi"),
        environment={"PANOSC_CATALOGUE_CALLERS_FILE": f"{CALLERS_DIRECTORY}/{CALLERS_FILE}"},
        more={
            "administrator": ADMINISTRATOR_DIRECTORY,
            "callers": CALLERS_DIRECTORY,
            **{volume: f"{LINK_KEYS_DIRECTORY}/{archive}" for volume, archive in volumes.items()},
        },
        ports=[{"name": "http", "containerPort": API_PORT, "protocol": "TCP"}],
        **probes(API_PORT, ready="/readyz"),
    )
    served = deployment(
        part,
        name,
        pod(
            [serve],
            [
                *_volumes(observed),
                secret_volume("administrator", administrator_secret(name)),
                config_volume("callers", callers_name(catalogue)),
                # Optional, as the archive that makes it may come later, and searching needs none.
                *(
                    secret_volume(volume, links_secret(archive), optional=True)
                    for volume, archive in volumes.items()
                ),
            ],
        ),
        replicas=replicas,
        config=read_once,
        restart_on=(observed.database_secret,),
    )
    budget = [disruption_budget(part, name)] if replicas > 1 else []
    gate = [login_gate(part, name, observed.login, observed.settings)] if observed.login else []
    return [_administrator(catalogue, part), served, service(part, name, API_PORT), *budget, *gate]


def _administrator(catalogue: Catalogue, part: Part) -> Desired:
    """The token by which the facility's staff decides about its data, until people can log in."""
    manifest = {
        "metadata": part.metadata(administrator_secret(catalogue.metadata.name)),
        "type": "Opaque",
        "stringData": {"token": "{token}"},
    }
    return Desired(SECRET, manifest, create_only=True, random={"token": TOKEN_LENGTH})


def _ingest(observed: Observation, part: Part, read_once: Any) -> list[Desired]:
    catalogue = observed.catalogue
    name = ingest_name(catalogue)
    remote = {
        source.name: source.remote
        for source in catalogue.spec.sources
        if source.remote and source.name not in observed.missing_source_secrets
    }
    accounts = {name: one.credentials_secret for name, one in remote.items() if one.credentials_secret}
    # By number, as a name of a source is as long as that of a volume may be.
    volumes = {source: f"credentials-{number}" for number, source in enumerate(accounts)}
    ingest = _container(
        observed,
        "ingest",
        ["ingest", "--host", ALL_ADDRESSES, "--port", str(STATUS_PORT)],
        resources("50m", "192Mi", memory_limit="2Gi"),
        archives=True,
        more={volume: f"{CREDENTIALS_DIRECTORY}/{source}" for source, volume in volumes.items()},
        ports=[{"name": "status", "containerPort": STATUS_PORT, "protocol": "TCP"}],
        **probes(STATUS_PORT),
    )
    archives = [
        claim_volume(f"archive-{archive}", data_claim(observed.archives[archive]), read_only=True)
        for archive in sorted(observed.archives)
    ]
    # Optional, as one that vanishes meanwhile is no matter of the other sources.
    credentials = [
        secret_volume(volumes[source], secret, optional=True) for source, secret in accounts.items()
    ]
    groups = [
        group for archive in observed.archives.values() for group in archive.spec.storage.supplemental_groups
    ]
    affinity = beside_archives(sorted(observed.pinned))
    worker = deployment(
        part,
        name,
        pod([ingest], [*_volumes(observed), *archives, *credentials], groups=groups, **affinity),
        alone=True,
        config=read_once,
        restart_on=(observed.database_secret, *sorted(set(accounts.values()))),
    )
    urls = [source.url for source in remote.values()]
    gate = [gate_to(part, f"{name}-sources", urls, to_gateway(observed.settings))] if remote else []
    return [worker, service(part, name, STATUS_PORT, port_name="status"), *gate]


def _dois(observed: Observation, dois: DoiIdentifiers, part: Part, read_once: Any) -> list[Desired]:
    """The worker that registers DOIs, and its way out to the registrar."""
    name = f"{observed.catalogue.metadata.name}{DOIS_SUFFIX}"
    data_cite = dois.registrar.data_cite if dois.registrar else None
    worker = _container(
        observed,
        "dois",
        ["dois", "--host", ALL_ADDRESSES, "--port", str(STATUS_PORT)],
        resources("10m", "96Mi", memory_limit="512Mi"),
        more={"registrar": REGISTRAR_DIRECTORY} if data_cite else {},
        ports=[{"name": "status", "containerPort": STATUS_PORT, "protocol": "TCP"}],
        **probes(STATUS_PORT),
    )
    account = [secret_volume("registrar", data_cite.credentials_secret)] if data_cite else []
    deployed = deployment(
        part,
        name,
        pod([worker], [*_volumes(observed), *account]),
        alone=True,
        config=read_once,
        restart_on=(observed.database_secret,),
    )
    gate = [gate_to(part, f"{name}-registrar", [data_cite.endpoint])] if data_cite else []
    return [deployed, *gate]
