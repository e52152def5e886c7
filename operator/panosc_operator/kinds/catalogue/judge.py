"""What the state of a Catalogue means."""

from dataclasses import dataclass
from typing import Any

from panosc_operator.api.conditions import CatalogueReason, ConditionType
from panosc_operator.engine.health import State
from panosc_operator.engine.kind import Assessment, Children, Finding, Judgement, first_finding
from panosc_operator.engine.resources import HTTP_ROUTE, JOB, STATEFUL_SET
from panosc_operator.kinds.catalogue.database import host
from panosc_operator.kinds.catalogue.observe import Observation, database_name
from panosc_operator.kinds.catalogue.plan import database_secret, ingest_name, migration_name, public_url
from panosc_operator.kinds.pods import failed_deployment
from panosc_operator.kinds.reporting import unless_only_time_passed

PROBLEMS_SHOWN = 5
LINE = 1024


@dataclass(frozen=True)
class Case:
    """What is judged."""

    observed: Observation
    children: Children


def judge(observed: Observation, children: Children) -> Judgement:
    """Readiness, state of the sources and status of the catalogue."""
    return Judgement(
        first_finding(_POLICIES, Case(observed, children)),
        f"the search API answers at {public_url(observed)}/api",
        conditions=(_sources_ready(observed),) if observed.catalogue.spec.sources else (),
        status=_status(observed),
    )


def _no_facility(case: Case) -> Finding | None:
    # Host, data policy and fences come from the facility; what runs is left as it is.
    if case.observed.facility is not None:
        return None
    namespace = case.observed.catalogue.metadata.namespace
    message = f"namespace {namespace} belongs to no Facility: make one with spec.namespace: {namespace}"
    return Finding(CatalogueReason.NO_FACILITY, message, stalled=True)


def _secret_not_found(case: Case) -> Finding | None:
    # Somebody else's Secret is waited for, never made.
    external = case.observed.external
    if external is None or external.found:
        return None
    name = database_secret(case.observed.catalogue)
    message = (
        f"Secret {name} isn't in the namespace: make it, or name another in spec.database.external.secret"
    )
    return Finding(CatalogueReason.DATABASE_SECRET_NOT_FOUND, message, stalled=True)


def _secret_invalid(case: Case) -> Finding | None:
    # Pods with it would only crash.
    external = case.observed.external
    if external is None or external.usable:
        return None
    name = database_secret(case.observed.catalogue)
    message = (
        f"Secret {name} lacks a key uri with an address such as postgresql://user:password@host:5432/database"
    )
    return Finding(CatalogueReason.DATABASE_SECRET_INVALID, message, stalled=True)


def _refused(case: Case) -> Finding | None:
    # The API server said no, and will again.
    refused = case.children.refused()
    return Finding(CatalogueReason.APPLY_FAILED, refused[0].message, stalled=True) if refused else None


def _archive_not_found(case: Case) -> Finding | None:
    # The other sources are read all the same.
    missing = case.observed.missing_archives
    if not missing:
        return None
    message = f"DataArchive {missing[0]} isn't in the namespace: make it, or name another in spec.sources"
    return Finding(CatalogueReason.ARCHIVE_NOT_FOUND, message, stalled=True)


def _database(case: Case) -> Finding | None:
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


def _migration(case: Case) -> Finding | None:
    # Without the schema no pod of the API becomes ready.
    name = migration_name(case.observed)
    health = case.children.health(JOB, name)
    if health.current:
        return None
    if health.state is State.FAILED:
        message = f"Job {name}: {health.message}; read its log, remedy the cause and delete the Job"
        return Finding(CatalogueReason.MIGRATION_FAILED, message, stalled=True)
    return Finding(CatalogueReason.MIGRATING, f"Job {name} {health.message}")


def _service_failed(case: Case) -> Finding | None:
    catalogue = case.observed.catalogue
    deployments = {"api": catalogue.metadata.name, "ingest": ingest_name(catalogue)}
    message = failed_deployment(case.children, case.observed.failures, deployments)
    return Finding(CatalogueReason.SERVICE_FAILED, message, stalled=True) if message else None


def _archive_not_ready(case: Case) -> Finding | None:
    # The ingest worker can't start before its volumes are there.
    for name, message in case.observed.claims_missed.items():
        return Finding(CatalogueReason.ARCHIVE_NOT_READY, f"DataArchive {name}: {message}")
    return None


def _route(case: Case) -> Finding | None:
    # Pods that no one reaches from outside are not a service.
    health = case.children.health(HTTP_ROUTE, case.observed.catalogue.metadata.name)
    if health.state is not State.FAILED:
        return None
    return Finding(CatalogueReason.ROUTE_NOT_ACCEPTED, f"HTTPRoute: {health.message}", stalled=True)


def _children(case: Case) -> Finding | None:
    # Anything else that isn't there or isn't current.
    for key, health in case.children.not_current():
        return Finding(CatalogueReason.PROGRESSING, f"{key}: {health.message}")
    return None


_POLICIES = (
    _no_facility,
    _secret_not_found,
    _secret_invalid,
    _refused,
    _archive_not_found,
    _database,
    _migration,
    _archive_not_ready,
    _service_failed,
    _route,
    _children,
)


def _sources_ready(observed: Observation) -> Assessment:
    """Whether the sources can be read; what was ingested before stays searchable."""
    if observed.missing_archives:
        message = f"DataArchive {observed.missing_archives[0]} isn't in the namespace"
        return _assessment("False", CatalogueReason.ARCHIVE_NOT_FOUND, message)
    if observed.report is None or not observed.report_is_current:
        return _assessment(
            "Unknown", CatalogueReason.STATUS_UNKNOWN, "the ingest worker doesn't answer at present"
        )
    sources = observed.report.get("sources") or []
    failed = next((source for source in sources if source.get("state") == "Failed"), None)
    if failed:
        message = f"source {failed['name']}: {failed.get('lastError') or 'no cause given'}"
        return _assessment("False", CatalogueReason.SOURCE_FAILED, message[:LINE])
    if len(sources) < len(observed.catalogue.spec.sources) or any(
        not source.get("lastScan") for source in sources
    ):
        return _assessment("Unknown", CatalogueReason.INGESTING, "the first scan is still running")
    unread = sum(source.get("failed", 0) for source in sources)
    message = f"all sources were read; {unread} files couldn't be" if unread else "all sources were read"
    return _assessment("True", CatalogueReason.SOURCES_READ, message)


def _assessment(status: str, reason: CatalogueReason, message: str) -> Assessment:
    return Assessment(ConditionType.SOURCES_READY, status, reason, message)


def _status(observed: Observation) -> dict[str, Any]:
    catalogue, report = observed.catalogue, observed.report
    database = {"secret": database_secret(catalogue)}
    if observed.external is None:
        database["host"] = host(catalogue)
    status: dict[str, Any] = {"database": database}
    url = public_url(observed)
    if url:
        status["url"] = url
    counts = ("documents", "datasets", "publicDatasets")
    former = observed.former
    if report is None:
        # Until the ingest worker answers, what it said to an earlier operator is the last that is known.
        return {name: former[name] for name in (*counts, "sources") if former.get(name)} | status
    said: dict[str, Any] = {name: report[name] for name in counts if report.get(name) is not None}
    said["sources"] = [_source(source) for source in (report.get("sources") or [])]
    return {**unless_only_time_passed(former, said), **status}


def _source(source: dict[str, Any]) -> dict[str, Any]:
    shown = ("name", "state", "files", "ingested", "failed", "lastScan")
    entry = {name: source[name] for name in shown if source.get(name) is not None}
    if source.get("lastError"):
        entry["lastError"] = source["lastError"][:LINE]
    problems = [
        {"path": one["path"][:4096], "reason": one["reason"][:64], "message": one.get("message", "")[:LINE]}
        for one in (source.get("problems") or [])[:PROBLEMS_SHOWN]
    ]
    return entry | ({"problems": problems} if problems else {})
