"""What the state of a Catalogue means."""

from datetime import datetime, timedelta
from functools import partial
from typing import Any

from panosc_operator.api.catalogue import DoiStatus
from panosc_operator.api.conditions import CatalogueReason, ConditionType
from panosc_operator.api.facility import DoiIdentifiers
from panosc_operator.api.sources import Source
from panosc_operator.engine.health import State
from panosc_operator.engine.kind import Assessment, Children, Finding, Judgement, first_finding
from panosc_operator.engine.resources import DEPLOYMENT, JOB, STATEFUL_SET
from panosc_operator.kinds import policies
from panosc_operator.kinds.catalogue.observe import SOURCE_SECRET_TYPE, Observation, database_name
from panosc_operator.kinds.catalogue.plan import (
    DOIS_SUFFIX,
    INGEST_SUFFIX,
    migration_name,
    public_url,
)
from panosc_operator.kinds.policies import Case
from panosc_operator.kinds.postgresql import host_in
from panosc_operator.kinds.reporting import unless_only_time_passed
from panosc_operator.kinds.trust import TRUST_CONFIG

SCAN_PATIENCE = timedelta(hours=24)
"""How old the last scan of an archive may be: one of millions of files takes hours."""
DOIS_PATIENCE = timedelta(minutes=15)
"""How old the last word of the DOIs' worker may be, which waits ten minutes at most between two rounds."""
PROBLEMS_SHOWN = 5
LINE = 1024


def judge(observed: Observation, children: Children) -> Judgement:
    """Readiness, state of the sources and status of the catalogue."""
    return Judgement(
        first_finding(_POLICIES, Case(observed, children)),
        f"the search API answers at {public_url(observed)}/api",
        conditions=(
            *((_sources_ready(observed, children),) if observed.catalogue.spec.sources else ()),
            *((_dois_ready(observed, observed.dois, children),) if observed.dois else ()),
        ),
        status=_status(observed),
    )


def _trust(case: Case[Observation]) -> Finding | None:
    # The Facility copies it, and says what is wrong if it can't.
    if not case.observed.waits_for_trust:
        return None
    message = (
        f"ConfigMap {case.observed.namespace}/{TRUST_CONFIG} isn't there yet: see the Facility's condition"
    )
    return Finding(CatalogueReason.PROGRESSING, message)


def _token_issuer(case: Case[Observation]) -> Finding | None:
    # Without its keys nobody could be told from an archive.
    if not case.observed.lacks_issuer:
        return None
    message = (
        "the API server doesn't say at /openid/v1/jwks by which keys tokens of service accounts are known: "
        "give it a --service-account-issuer that begins with https://, and bind the ClusterRole "
        "system:service-account-issuer-discovery to the group system:serviceaccounts, as is usual"
    )
    return Finding(CatalogueReason.TOKEN_ISSUER_UNKNOWN, message, stalled=True)


def _secret_missing(source: str, secret: str) -> str:
    return (
        f"no Secret {secret} of type {SOURCE_SECRET_TYPE} with the credentials of source {source} is in the "
        "namespace: make it with that type, or name another in spec.sources"
    )


def _database(case: Case[Observation]) -> Finding | None:
    # Everything else waits for it.
    if case.observed.external is not None:
        return None
    name = database_name(case.observed.catalogue)
    health = case.children.health(STATEFUL_SET, name)
    if health.current:
        return None
    failure = case.observed.failures.get("database")
    if failure:
        return Finding(CatalogueReason.DATABASE_FAILED, failure, stalled=True)
    return Finding(CatalogueReason.DATABASE_PROGRESSING, f"StatefulSet {name}: {health.message}")


def _migration(case: Case[Observation]) -> Finding | None:
    # Without the schema no pod of the API becomes ready.
    name = migration_name(case.observed)
    health = case.children.health(JOB, name)
    if health.current:
        return None
    if health.state is State.FAILED:
        message = f"Job {name}: {health.message}; read its log, remedy the cause and delete the Job"
        return Finding(CatalogueReason.MIGRATION_FAILED, message, stalled=True)
    return Finding(CatalogueReason.MIGRATING, f"Job {name} {health.message}")


def _archive_not_ready(case: Case[Observation]) -> Finding | None:
    # The ingest worker can't start before its volumes are there.
    for name, message in case.observed.claims_missed.items():
        return Finding(CatalogueReason.ARCHIVE_NOT_READY, f"DataArchive {name}: {message}")
    return None


_POLICIES = (
    policies.no_facility(CatalogueReason.NO_FACILITY),
    _trust,
    _token_issuer,
    policies.no_database_secret(CatalogueReason.DATABASE_SECRET_NOT_FOUND, "the namespace"),
    policies.wrong_database_secret(
        CatalogueReason.DATABASE_SECRET_INVALID,
        "a key uri with an address such as postgresql://user:password@host:5432/database",
    ),
    policies.refused(CatalogueReason.APPLY_FAILED),
    _database,
    _migration,
    _archive_not_ready,
    policies.service_failed(
        CatalogueReason.SERVICE_FAILED, {"api": "", "ingest": INGEST_SUFFIX, "dois": DOIS_SUFFIX}
    ),
    policies.route_not_accepted(CatalogueReason.ROUTE_NOT_ACCEPTED),
    policies.progressing(CatalogueReason.PROGRESSING),
)
_assessment = partial(Assessment, ConditionType.SOURCES_READY)


def _sources_ready(observed: Observation, children: Children) -> Assessment:
    """Whether the sources can be read. One that can't is no matter of the others, nor of who searches."""
    if observed.missing_archives:
        name = observed.missing_archives[0]
        message = f"DataArchive {name} isn't in the namespace: make it, or name another in spec.sources"
        return _assessment("False", CatalogueReason.ARCHIVE_NOT_FOUND, message)
    for name, secret in observed.missing_source_secrets.items():
        return _assessment("False", CatalogueReason.SOURCE_SECRET_NOT_FOUND, _secret_missing(name, secret))
    doubt = _doubt(observed, children, INGEST_SUFFIX)
    if doubt:
        return _assessment("Unknown", CatalogueReason.STATUS_UNKNOWN, doubt)
    said = {one["name"]: one for one in (observed.report or {}).get("sources") or []}
    for name, one in said.items():
        if one.get("state") == "Failed":
            message = f"source {name}: {one.get('lastError') or 'no cause given'}"
            return _assessment("False", CatalogueReason.SOURCE_FAILED, message[:LINE])
    for source in observed.catalogue.spec.sources:
        one = said.get(source.name, {})
        if not (one.get("lastScan") and one.get("lastSuccess")):
            message = f"the first scan of source {source.name} is still running"
            return _assessment("Unknown", CatalogueReason.INGESTING, message)
        if _age(observed, one["lastSuccess"]) > _patience(source):
            message = f"source {source.name} was not read as a whole since {one['lastSuccess']}: "
            message += _see_log(observed, INGEST_SUFFIX)
            return _assessment("Unknown", CatalogueReason.STATUS_UNKNOWN, message)
    unread = sum(one.get("failed", 0) for one in said.values())
    message = "all sources were read"
    message += f"; {unread} files or records couldn't be" if unread else ""
    return _assessment("True", CatalogueReason.SOURCES_READ, message)


def _dois_ready(observed: Observation, dois: DoiIdentifiers, children: Children) -> Assessment:
    """Whether the registrar has what the catalogue says; records are searchable all the same."""
    assessment = partial(Assessment, ConditionType.DOIS_READY)
    missing = observed.missing_registrar_secret
    if missing:
        message = f"Secret {missing} isn't in the namespace: make it with the keys username and password"
        return assessment("False", CatalogueReason.REGISTRAR_SECRET_NOT_FOUND, message)
    doubt = _doubt(observed, children, INGEST_SUFFIX) or _doubt(observed, children, DOIS_SUFFIX)
    if doubt:
        return assessment("Unknown", CatalogueReason.STATUS_UNKNOWN, doubt)
    said = (observed.report or {}).get("dois")
    if not said:
        return assessment("Unknown", CatalogueReason.REGISTERING, "the first look is still to come")
    is_old = _age(observed, said["lastSeen"]) > DOIS_PATIENCE
    if said.get("pending") and (is_old or not (said.get("lastError") or said.get("refused"))):
        message = f"{said['pending']} are being registered"
        return assessment("Unknown", CatalogueReason.REGISTERING, message)
    if is_old:
        message = f"the DOIs' worker ended no round since {said['lastSeen']}: "
        return assessment(
            "Unknown", CatalogueReason.STATUS_UNKNOWN, message + _see_log(observed, DOIS_SUFFIX)
        )
    if said.get("lastError"):
        return assessment("False", CatalogueReason.REGISTRAR_FAILED, said["lastError"][:LINE])
    if said.get("refused"):
        first: dict[str, Any] = next(iter(said.get("problems") or []), {})
        message = f"{said['refused']} refused, such as that of {first.get('pid')}: {first.get('message')}"
        return assessment("False", CatalogueReason.DOI_REFUSED, message[:LINE])
    if not said.get("lastSuccess"):
        return assessment("Unknown", CatalogueReason.REGISTERING, "the first round is still to end")
    if dois.registrar and dois.registrar.none:
        return assessment("True", CatalogueReason.DOIS_LOCAL, "records have local handles")
    return assessment("True", CatalogueReason.DOIS_REGISTERED, f"{said['findable']} are findable")


def _doubt(observed: Observation, children: Children, suffix: str) -> str | None:
    """Why what is known of a worker may not be true of the one that the spec asks for."""
    if observed.report is None or not observed.report_is_current:
        return "the ingest worker, which tells of sources and DOIs, doesn't answer at present"
    name = f"{observed.name}{suffix}"
    health = children.health(DEPLOYMENT, name)
    return None if health.current else f"Deployment {name}: {health.message}"


def _age(observed: Observation, instant: str) -> timedelta:
    return observed.now - datetime.fromisoformat(instant)


def _patience(source: Source) -> timedelta:
    """How old the last success of a source may be: a listing of everything may take until the next is due."""
    remote = source.remote
    if remote is None:
        return SCAN_PATIENCE
    return timedelta(hours=2 * remote.full_listing_hours, minutes=remote.interval_minutes)


def _see_log(observed: Observation, suffix: str) -> str:
    return f"see the log of Deployment {observed.name}{suffix}"


def _status(observed: Observation) -> dict[str, Any]:
    catalogue, report = observed.catalogue, observed.report
    database = {"secret": observed.database_secret}
    if observed.external is None:
        database["host"] = host_in(observed.namespace, database_name(catalogue))
    status: dict[str, Any] = {"database": database}
    url = public_url(observed)
    if url:
        status["url"] = url
    counts = ("documents", "datasets", "publicDatasets")
    former = observed.former
    if report is None:
        # Until the ingest worker answers, what it said to an earlier operator is the last that is known.
        return {name: former[name] for name in (*counts, "sources", "dois") if former.get(name)} | status
    said: dict[str, Any] = {name: report[name] for name in counts if report.get(name) is not None}
    if report.get("dois"):
        said["dois"] = {name: report["dois"].get(name, 0) for name in DoiStatus.model_fields}
    said["sources"] = [_source(source) for source in (report.get("sources") or [])]
    return {**unless_only_time_passed(former, said), **status}


def _source(source: dict[str, Any]) -> dict[str, Any]:
    shown = (
        "name",
        "state",
        "files",
        "ingested",
        "failed",
        "records",
        "withdrawn",
        "lastScan",
        "lastSuccess",
    )
    entry = {name: source[name] for name in shown if source.get(name) is not None}
    if source.get("lastError"):
        entry["lastError"] = source["lastError"][:LINE]
    problems = [
        {"path": one["path"][:4096], "reason": one["reason"][:64], "message": one.get("message", "")[:LINE]}
        for one in (source.get("problems") or [])[:PROBLEMS_SHOWN]
    ]
    return entry | ({"problems": problems} if problems else {})
