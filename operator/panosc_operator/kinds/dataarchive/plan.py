"""What a DataArchive becomes: volumes, what serves and takes files, indexer, fixity check, route."""

import json
from typing import Any

from panosc_operator.api import DataArchive, Facility
from panosc_operator.engine.compare import parse_quantity
from panosc_operator.engine.desired import Desired
from panosc_operator.engine.resources import CRON_JOB, SECRET, Object
from panosc_operator.kinds.building import (
    ALL_ADDRESSES,
    API_PORT,
    ARCHIVE_API_PORT,
    GRACE_SECONDS,
    STATUS_PORT,
    Part,
    accepts_connections,
    beside_archives,
    claim,
    claim_volume,
    container,
    deployment,
    disruption_budget,
    http_probe,
    path_match,
    pod,
    probes,
    resources,
    route,
    secret_volume,
    service,
    service_account,
    session_route,
    token_volume,
)
from panosc_operator.kinds.dataarchive.observe import Observation
from panosc_operator.kinds.gates import login_gate
from panosc_operator.kinds.relations import (
    archive_account,
    catalogue_host,
    catalogue_url,
    domain_of,
    host_of,
    links_secret,
)
from panosc_operator.kinds.trust import trust_environment, trust_mounts, trust_volumes

DATA, STATE = "/data", "/state"
TOKENS = "/etc/panosc/tokens"
LINK_KEYS = "/etc/panosc/links"
LINK_KEY_LENGTH = 43
"""Characters of the key by which links are signed: as many as have 256 bits."""
INDEX_SUFFIX = "-index"
RECEIVE_SUFFIX = "-receive"
NGINX_CONFIG = "/opt/panosc/share/panosc/nginx.conf"
_DRAIN = f"nginx -e stderr -c {NGINX_CONFIG} -s quit; sleep {GRACE_SECONDS}"
"""Ends with nginx itself, at the latest with the pod's grace period."""


def index_name(archive: DataArchive) -> str:
    """Name of the indexer's objects."""
    return f"{archive.metadata.name}{INDEX_SUFFIX}"


def fixity_name(archive: DataArchive) -> str:
    """Name of the CronJob that checks the files for damage."""
    return f"{archive.metadata.name}-fixity"


def state_claim(archive: DataArchive) -> str:
    """Name of the claim that holds the fixity manifest."""
    return f"{archive.metadata.name}-state"


def public_url(observed: Observation) -> str | None:
    """Where the archive is reached; None without a facility."""
    if observed.facility is None:
        return None
    domain = domain_of(observed.facility, observed.settings.base_domain)
    return observed.settings.url_of(host_of(observed.archive, domain))


def plan(observed: Observation) -> list[Desired] | None:
    """All objects of the archive; None while what it needs isn't there."""
    archive, facility = observed.archive, observed.facility
    if facility is None or (archive.spec.storage.existing_claim and observed.claim is None):
        return None
    name, namespace, owner = archive.metadata.name, archive.metadata.namespace or "", facility.metadata.name

    def part(component: str) -> Part:
        return Part("archive", name, component, namespace, owner)

    volumes = _volumes(observed)
    host = host_of(archive, domain_of(facility, observed.settings.base_domain))
    everything = [path_match("PathPrefix", "/")]
    has_sessions = observed.login is not None and observed.login.sessions
    return [
        *_claims(archive, part("storage")),
        _link_key(archive, part("api")),
        service_account(part("api"), archive_account(name)),
        *_server(observed, part("api"), volumes),
        service(part("api"), name, API_PORT),
        route(part("api"), name, host, everything),
        *([session_route(part("api"), name, host, everything)] if has_sessions else []),
        *_receiver(observed, facility, part("receive"), host),
        _indexer(observed, part("index"), volumes),
        service(part("index"), index_name(archive), STATUS_PORT, port_name="status"),
        _fixity_check(observed, part("fixity"), volumes),
    ]


def _volumes(observed: Observation) -> list[Object]:
    """The files, and what is known of them."""
    return [
        claim_volume("data", observed.claim_name, read_only=True),
        claim_volume("state", state_claim(observed.archive)),
    ]


def _claims(archive: DataArchive, part: Part) -> list[Desired]:
    state = archive.spec.state
    claims = [claim(part, state_claim(archive), state.size, state.storage_class, ["ReadWriteOnce"])]
    wanted = archive.spec.storage.claim
    if wanted:
        modes: list[str] = [*wanted.access_modes]
        claims.insert(
            0, claim(part, f"{archive.metadata.name}-data", wanted.size, wanted.storage_class, modes)
        )
    return claims


def _link_key(archive: DataArchive, part: Part) -> Desired:
    """The key by which links are signed. Made once: to replace it is for the staff to do."""
    manifest = {
        "metadata": part.metadata(links_secret(archive.metadata.name)),
        "type": "Opaque",
        "stringData": {"current": "{current}"},
    }
    return Desired(SECRET, manifest, create_only=True, random={"current": LINK_KEY_LENGTH})


def _environment(observed: Observation) -> dict[str, str]:
    archive = observed.archive
    catalogues = [catalogue_url(name, observed.namespace) for name in observed.catalogues]
    return {
        "PANOSC_ARCHIVE_NAME": archive.metadata.name,
        "PANOSC_ARCHIVE_DATA_DIRECTORY": DATA,
        "PANOSC_ARCHIVE_STATE_DIRECTORY": STATE,
        "PANOSC_ARCHIVE_CATALOGUE_URLS": json.dumps(catalogues),
        "PANOSC_ARCHIVE_PUBLIC_URL": public_url(observed) or "",
    }


def _container(
    observed: Observation,
    name: str,
    command: list[str],
    *,
    writes: bool = False,
    serves: bool = False,
    environment: dict[str, str] | None = None,
    **fields: Any,
) -> Object:
    """One of the archive's programs; `writes`: whether it may change the manifest, `serves`: whether it signs
    links and asks catalogues."""
    state = {"state": STATE}
    return container(
        name,
        observed.settings.image_archive,
        observed.settings.image_pull_policy,
        requirements=resources("50m", "128Mi", memory_limit="1Gi"),
        mounts=state if writes else None,
        read_only_mounts={
            "data": DATA,
            **({} if writes else state),
            **({"links": LINK_KEYS, "tokens": TOKENS} if serves else {}),
        },
        environment=_environment(observed) | (environment or {}),
        command=["panosc-archive", *command],
        **fields,
    )


def _pod(archive: DataArchive, containers: list[Object], volumes: list[Object], **fields: Any) -> Object:
    """All pods of the archive run on one node, as only one can have the manifest's volume, and often the
    files'."""
    groups = archive.spec.storage.supplemental_groups
    return pod(containers, volumes, groups=groups, **beside_archives([archive.metadata.name]), **fields)


def _server(observed: Observation, part: Part, volumes: list[Object]) -> list[Desired]:
    """nginx in front, which sends the bytes; behind it the service, which decides who gets them."""
    archive, settings = observed.archive, observed.settings
    gateway = container(
        "gateway",
        settings.image_archive,
        settings.image_pull_policy,
        requirements=resources("20m", "32Mi", memory_limit="256Mi"),
        read_only_mounts={"data": DATA},
        command=["nginx", "-e", "stderr", "-c", NGINX_CONFIG],
        # SIGTERM would cut off downloads; the pod's grace period bounds how long they are waited for.
        lifecycle={"preStop": {"exec": {"command": ["sh", "-c", _DRAIN]}}},
        ports=[{"name": "http", "containerPort": API_PORT, "protocol": "TCP"}],
        # Its /healthz is the API's, which is restarted by its own probe.
        livenessProbe=accepts_connections(API_PORT),
        readinessProbe=http_probe("/healthz", API_PORT, period=5, failures=2),
    )
    api = _container(
        observed,
        "api",
        ["serve", "--host", ALL_ADDRESSES, "--port", str(ARCHIVE_API_PORT)],
        serves=True,
        environment={"PANOSC_ARCHIVE_ACCEL_PREFIX": "/_files"},
        ports=[{"name": "api", "containerPort": ARCHIVE_API_PORT, "protocol": "TCP"}],
        **probes(ARCHIVE_API_PORT),
    )
    name, replicas = archive.metadata.name, archive.spec.replicas
    # One for each catalogue, so that none could show another that it is the archive.
    tokens = token_volume(
        "tokens",
        {
            catalogue_host(one, observed.namespace): catalogue_url(one, observed.namespace)
            for one in observed.catalogues
        },
    )
    links = secret_volume("links", links_secret(name))
    server = _pod(
        archive, [gateway, api], [*volumes, links, tokens], serviceAccountName=archive_account(name)
    )
    served = deployment(part, name, server, replicas=replicas)
    return [served, *([disruption_budget(part, name)] if replicas > 1 else [])]


def _receiver(observed: Observation, facility: Facility, part: Part, host: str) -> list[Desired]:
    """What takes files, if anybody may send any: the only program that may write where they are.

    Its pods are its own: they open none of the files, and the reader of HDF5, which a file may take over, has
    no way to the login. It takes tokens alone: its route, the longer one, wins over that of sessions.
    """
    archive, settings = observed.archive, observed.settings
    wanted, login = archive.spec.uploads, observed.login
    if wanted is None or login is None:
        return []
    uploads = {
        "facility": facility.metadata.name,
        "login": login.model_dump(mode="json", by_alias=True, exclude_none=True),
        "proposalDirectory": archive.spec.layout.proposal_directory,
        "maxBytes": int(parse_quantity(wanted.max_file_size)),
        "keepSeconds": wanted.keep_partial_days * 24 * 3600,
    }
    receive = container(
        "receive",
        settings.image_archive,
        settings.image_pull_policy,
        requirements=resources("20m", "64Mi", memory_limit="512Mi"),
        mounts={"data": DATA},
        read_only_mounts=trust_mounts(settings),
        environment={
            "PANOSC_ARCHIVE_DATA_DIRECTORY": DATA,
            "PANOSC_ARCHIVE_PUBLIC_URL": public_url(observed) or "",
            "PANOSC_ARCHIVE_UPLOADS": json.dumps(uploads, sort_keys=True),
            **trust_environment(settings),
        },
        command=["panosc-archive", "receive", "--host", ALL_ADDRESSES, "--port", str(API_PORT)],
        ports=[{"name": "http", "containerPort": API_PORT, "protocol": "TCP"}],
        **probes(API_PORT),
    )
    name, replicas = f"{archive.metadata.name}{RECEIVE_SUFFIX}", archive.spec.replicas
    taker = _pod(archive, [receive], [claim_volume("data", observed.claim_name), *trust_volumes(settings)])
    return [
        deployment(part, name, taker, replicas=replicas, config=observed.trust_revision),
        service(part, name, API_PORT),
        route(part, name, host, [path_match("PathPrefix", "/uploads")]),
        *([disruption_budget(part, name)] if replicas > 1 else []),
        login_gate(part, name, login, settings),
    ]


def _indexer(observed: Observation, part: Part, volumes: list[Object]) -> Desired:
    index = _container(
        observed,
        "index",
        ["index", "--host", ALL_ADDRESSES, "--port", str(STATUS_PORT)],
        writes=True,
        ports=[{"name": "status", "containerPort": STATUS_PORT, "protocol": "TCP"}],
        **probes(STATUS_PORT),
    )
    # Two writers of one SQLite file on a network volume would be one too many.
    archive = observed.archive
    return deployment(part, index_name(archive), _pod(archive, [index], volumes), alone=True)


def _fixity_check(observed: Observation, part: Part, volumes: list[Object]) -> Desired:
    archive = observed.archive
    verify = _container(observed, "verify", ["verify"], writes=True)
    job = {
        "backoffLimit": 2,
        "template": {
            "metadata": {"labels": dict(part.labels)},
            "spec": _pod(archive, [verify], volumes, restartPolicy="Never"),
        },
    }
    return Desired(
        CRON_JOB,
        {
            "metadata": part.metadata(fixity_name(archive)),
            "spec": {
                "schedule": archive.spec.fixity.schedule,
                "timeZone": "Etc/UTC",
                "concurrencyPolicy": "Forbid",
                "startingDeadlineSeconds": 3600,
                "successfulJobsHistoryLimit": 1,
                "failedJobsHistoryLimit": 1,
                "jobTemplate": {"metadata": {"labels": dict(part.labels)}, "spec": job},
            },
        },
    )
