"""What the state of a DataArchive means."""

from functools import partial
from typing import Any

from panosc_operator.api.conditions import ConditionType, DataArchiveReason
from panosc_operator.engine.health import State, assess
from panosc_operator.engine.kind import Assessment, Children, Finding, Judgement, first_finding
from panosc_operator.engine.resources import CRON_JOB, PERSISTENT_VOLUME_CLAIM, Object
from panosc_operator.kinds import policies
from panosc_operator.kinds.dataarchive.observe import Observation
from panosc_operator.kinds.dataarchive.plan import INDEX_SUFFIX, RECEIVE_SUFFIX, fixity_name, public_url
from panosc_operator.kinds.policies import Case
from panosc_operator.kinds.reporting import unless_only_time_passed


def judge(observed: Observation, children: Children) -> Judgement:
    """Readiness, integrity and status of the archive."""
    return Judgement(
        first_finding(_POLICIES, Case(observed, children)),
        f"files are served at {public_url(observed)}{_nobody_sends(observed)}",
        conditions=(_intact(observed, children),),
        status=_status(observed),
    )


def _nobody_sends(observed: Observation) -> str:
    """What is to be said of uploads that nobody can make."""
    if observed.archive.spec.uploads is None or observed.login:
        return ""
    return (
        "; nobody can send any, as uploads need a login: make a Federation, or set spec.aai of the Facility"
    )


def _claim_not_found(case: Case[Observation]) -> Finding | None:
    # A claim of somebody else's is waited for, never made.
    name = case.observed.archive.spec.storage.existing_claim
    if name is None or case.observed.claim is not None:
        return None
    message = (
        f"PersistentVolumeClaim {name} isn't in the namespace: "
        "make it, or name another in spec.storage.existingClaim"
    )
    return Finding(DataArchiveReason.CLAIM_NOT_FOUND, message, stalled=True)


def _claim_lost(case: Case[Observation]) -> Finding | None:
    # Data are at stake: say so before anything else that is wrong.
    health = assess(case.observed.claim)
    if health.state is not State.FAILED:
        return None
    message = f"PersistentVolumeClaim {case.observed.claim_name}: {health.message}"
    return Finding(DataArchiveReason.CLAIM_LOST, message, stalled=True)


def _claim_pending(case: Case[Observation]) -> Finding | None:
    # Many storage classes wait for the first pod, so this is usually short.
    for key, health in case.children.not_current():
        if key.kind == PERSISTENT_VOLUME_CLAIM.kind:
            return Finding(DataArchiveReason.CLAIM_PENDING, f"{key}: {health.message}")
    return None


_POLICIES = (
    policies.no_facility(DataArchiveReason.NO_FACILITY),
    _claim_not_found,
    _claim_lost,
    policies.refused(DataArchiveReason.APPLY_FAILED),
    policies.service_failed(
        DataArchiveReason.SERVICE_FAILED, {"api": "", "receive": RECEIVE_SUFFIX, "index": INDEX_SUFFIX}
    ),
    _claim_pending,
    policies.route_not_accepted(DataArchiveReason.ROUTE_NOT_ACCEPTED),
    policies.progressing(DataArchiveReason.PROGRESSING),
)
_assessment = partial(Assessment, ConditionType.INTACT)


def _intact(observed: Observation, children: Children) -> Assessment:
    """Whether the files are as they were first seen; the rest of a damaged archive is served all the same."""
    report = observed.report
    if report is None:
        return _assessment("Unknown", DataArchiveReason.STATUS_UNKNOWN, "the indexer hasn't answered yet")
    fixity = report.get("fixity") or {}
    for count, files, status, reason in (
        ("damaged", "damagedFiles", "damaged", DataArchiveReason.FILES_DAMAGED),
        ("missing", "missingFiles", "missing", DataArchiveReason.FILES_MISSING),
    ):
        if fixity.get(count):
            names = ", ".join(
                str(one.get("path", one) if isinstance(one, dict) else one)
                for one in fixity.get(files, [])[:5]
            )
            message = f"{fixity[count]} files are {status}, such as {names}: restore them from a copy"
            return _assessment("False", reason, message)
    if not observed.report_is_current:
        return _assessment(
            "Unknown", DataArchiveReason.STATUS_UNKNOWN, "the indexer doesn't answer at present"
        )
    if not fixity.get("lastCheck"):
        return _assessment("Unknown", DataArchiveReason.NOT_CHECKED, "no fixity check has ended yet")
    missed = _missed_check(children.get(CRON_JOB, fixity_name(observed.archive)))
    if missed:
        return _assessment("Unknown", DataArchiveReason.NOT_CHECKED, missed)
    return _assessment(
        "True", DataArchiveReason.FILES_INTACT, "the last check found every file as first seen"
    )


def _missed_check(cron_job: Object | None) -> str | None:
    """What is wrong with the newest of the scheduled checks; None if it succeeded or is still running."""
    status = (cron_job or {}).get("status") or {}
    started, succeeded = status.get("lastScheduleTime"), status.get("lastSuccessfulTime")
    if cron_job is None or not started or status.get("active") or (succeeded and succeeded >= started):
        return None
    name = cron_job["metadata"]["name"]
    return f"the fixity check of {started} failed: see the log of CronJob {name}'s newest Job"


def _status(observed: Observation) -> dict[str, Any]:
    former = observed.former
    status: dict[str, Any] = {"claim": observed.claim_name}
    url = public_url(observed)
    if url:
        status["url"] = url
    capacity = ((observed.claim or {}).get("status") or {}).get("capacity", {}).get("storage")
    if capacity:
        status["capacity"] = capacity
    if observed.report is None:
        # Until the indexer answers, what it said to an earlier operator is the last that is known.
        return {
            name: former[name] for name in ("files", "bytes", "lastScan", "fixity") if name in former
        } | status
    report = observed.report
    said = {name: report[name] for name in ("files", "bytes", "lastScan") if report.get(name) is not None}
    fixity = report.get("fixity") or {}
    shown = ("known", "pending", "damaged", "missing", "lastCheck")
    said["fixity"] = {name: fixity[name] for name in shown if fixity.get(name) is not None}
    return {**unless_only_time_passed(former, said), **status}
