"""What the state of a resource and its children means, in a person's words and in a machine's."""

import base64
import json
from datetime import timedelta
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from panosc_operator.engine.kind import Judgement
from panosc_operator.engine.resources import Object
from support import judging
from support.judging import resource, status_of
from support.known import Known, kind_of, observe

FACILITY = resource("Facility", "esrf", None, displayName="ESRF")
NAMESPACE: Object = {
    "apiVersion": "v1",
    "kind": "Namespace",
    "metadata": {"name": "esrf", "resourceVersion": "1", "labels": {"panosc.eu/facility": "esrf"}},
}
ARCHIVE = resource("DataArchive", "archive", storage={"claim": {"size": "10Ti"}})
TAKING = resource("DataArchive", "archive", storage={"claim": {"size": "10Ti"}}, uploads={})
AAI = {"issuer": "https://login.esrf.fr", "audience": "esrf", "entitlementNamespace": "geant:esrf.fr"}
CATALOGUE = resource(
    "Catalogue", "catalogue", sources=[{"name": "beamlines", "nexus": {"archive": "archive"}}]
)
WORLD = [FACILITY, NAMESPACE, ARCHIVE, CATALOGUE]
WITH_LOGIN = [resource("Facility", "esrf", None, displayName="ESRF", aai=AAI), NAMESPACE, CATALOGUE]

INDEXED = {
    "files": 12,
    "bytes": 2**40,
    "lastScan": "2026-11-24T10:00:00Z",
    "fixity": {"known": 12, "pending": 0, "damaged": 0, "missing": 0, "lastCheck": "2026-11-22T03:00:00Z"},
}
INGESTED: Object = {
    "documents": 3,
    "datasets": 12,
    "publicDatasets": 9,
    "sources": [
        {
            "name": "beamlines",
            "state": "Idle",
            "files": 12,
            "ingested": 11,
            "failed": 1,
            "lastScan": "2026-11-24T10:00:00Z",
            "lastSuccess": "2026-11-24T10:00:00Z",
        }
    ],
}


def judge(obj: Object, *, world: list[Object] | None = None, **more: Any) -> Judgement:
    """The judgement in the usual world, or another."""
    return judging.judge(obj, world=WORLD if world is None else world, **more)


def without(*kinds: str) -> list[Object]:
    return [each for each in WORLD if each["kind"] not in kinds]


def test_healthy_resources_are_ready() -> None:
    for obj, report in ((FACILITY, None), (ARCHIVE, INDEXED), (CATALOGUE, INGESTED)):
        judgement = judge(obj, report=report)
        assert judgement.finding is None, obj["kind"]
        assert "panosc.localhost" in judgement.message


def test_an_archive_to_which_nobody_can_send_files_says_so() -> None:
    assert "nobody can send any" in judge(TAKING, report=INDEXED).message
    judgement = judge(TAKING, world=WITH_LOGIN, report=INDEXED)
    assert (judgement.finding, "send" in judgement.message) == (None, False)


STUCK = {
    "observedGeneration": 1,
    "conditions": [
        {
            "type": "Progressing",
            "status": "False",
            "reason": "ProgressDeadlineExceeded",
            "message": "no image",
        }
    ],
}
NOT_ALLOWED = {"parents": [{"conditions": [{"type": "Accepted", "status": "False", "reason": "NotAllowed"}]}]}
TERMINATING: Object = {**NAMESPACE, "metadata": {**NAMESPACE["metadata"], "deletionTimestamp": "now"}}
ELSEWHERE: Object = {
    **NAMESPACE,
    "metadata": {**NAMESPACE["metadata"], "labels": {"panosc.eu/facility": "other"}},
}
EARLIER: Object = {
    **resource("Facility", "earlier", None, displayName="E", domain="esrf.panosc.localhost"),
}
EXTERNAL = resource("Catalogue", "catalogue", sources=[], database={"external": {"secret": "theirs"}})
BAD_SECRET: Object = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "theirs", "namespace": "esrf", "resourceVersion": "3"},
    "data": {"uri": "bXlzcWw6Ly9teTpzcWxAaG9zdC9kYg=="},
}
LAST_WORDS = "line one\nFATAL: data directory has wrong ownership\n"


def crashing(component: str, software: str, instance: str) -> Object:
    """A pod whose container ends again and again."""
    status = {
        "name": "main",
        "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s"}},
        "lastState": {"terminated": {"exitCode": 1, "reason": "Error", "message": LAST_WORDS}},
    }
    labels = {"name": software, "instance": instance, "component": component, "part-of": "panosc"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"{instance}-{component}-x1",
            "namespace": "esrf",
            "resourceVersion": "7",
            "labels": {f"app.kubernetes.io/{name}": value for name, value in labels.items()},
        },
        "status": {"containerStatuses": [status]},
    }


PULLING = crashing("index", "archive", "archive")
PULLING["status"] = {
    "containerStatuses": [
        {"name": "main", "state": {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}}
    ]
}
STRANGER: Object = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "x", "namespace": "esrf", "resourceVersion": "7"},
}
UNLABELLED: Object = {**NAMESPACE, "metadata": {"name": "esrf", "resourceVersion": "1"}}
EXISTING = resource("DataArchive", "archive", storage={"existingClaim": "files"})


@pytest.mark.parametrize(
    ("obj", "options", "reason", "stalled", "words"),
    [
        (FACILITY, {"world": [ELSEWHERE]}, "NamespaceTaken", True, "belongs to facility other"),
        (
            FACILITY,
            {"world": [UNLABELLED, STRANGER]},
            "NamespaceTaken",
            True,
            "namespace esrf has pods: hand it over by the label panosc.eu/facility=esrf, or",
        ),
        (FACILITY, {"world": [TERMINATING]}, "NamespaceTerminating", False, "being deleted"),
        (FACILITY, {"world": [EARLIER]}, "DomainTaken", True, "facility earlier"),
        (FACILITY, {"refused": "ResourceQuota esrf/panosc: no"}, "ApplyFailed", True, "ResourceQuota"),
        (
            FACILITY,
            {"change": status_of("Gateway panosc", {})},
            "GatewayProgressing",
            False,
            "Gateway esrf/panosc",
        ),
        (FACILITY, {"change": lambda c: c.pop("LimitRange panosc")}, "Progressing", False, "LimitRange"),
        (ARCHIVE, {"world": without("Facility")}, "NoFacility", True, "spec.namespace: esrf"),
        (EXISTING, {}, "ClaimNotFound", True, "files"),
        (
            ARCHIVE,
            {"change": status_of("PersistentVolumeClaim archive-data", {"phase": "Lost"})},
            "ClaimLost",
            True,
            "archive-data",
        ),
        (
            ARCHIVE,
            {"change": status_of("PersistentVolumeClaim archive-state", {"phase": "Pending"})},
            "ClaimPending",
            False,
            "archive-state",
        ),
        (ARCHIVE, {"change": status_of("Deployment archive", STUCK)}, "ServiceFailed", True, "no image"),
        (
            ARCHIVE,
            {"change": status_of("HTTPRoute archive", NOT_ALLOWED)},
            "RouteNotAccepted",
            True,
            "HTTPRoute esrf/archive: NotAllowed",
        ),
        (
            TAKING,
            {"world": WITH_LOGIN, "change": status_of("HTTPRoute archive-receive", NOT_ALLOWED)},
            "RouteNotAccepted",
            True,
            "HTTPRoute esrf/archive-receive: NotAllowed",
        ),
        (
            TAKING,
            {"world": WITH_LOGIN, "change": status_of("Deployment archive-receive", {})},
            "Progressing",
            False,
            "Deployment esrf/archive-receive",
        ),
        (
            TAKING,
            {
                "world": [*WITH_LOGIN, crashing("receive", "archive", "archive")],
                "change": status_of("Deployment archive-receive", {}),
            },
            "ServiceFailed",
            True,
            "Pod archive-receive-x1, container main: CrashLoopBackOff",
        ),
        (
            ARCHIVE,
            {"change": status_of("Deployment archive-index", {})},
            "Progressing",
            False,
            "archive-index",
        ),
        (CATALOGUE, {"world": without("Facility")}, "NoFacility", True, "spec.namespace: esrf"),
        (
            CATALOGUE,
            {"change": status_of("StatefulSet catalogue-postgres", {})},
            "DatabaseProgressing",
            False,
            "catalogue-postgres",
        ),
        (
            CATALOGUE,
            {"change": status_of("Job catalogue-migrate", {"active": 1})},
            "Migrating",
            False,
            "is running",
        ),
        (
            CATALOGUE,
            {
                "change": status_of(
                    "Job catalogue-migrate",
                    {"conditions": [{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}]},
                )
            },
            "MigrationFailed",
            True,
            "delete the Job",
        ),
        (
            CATALOGUE,
            {"change": status_of("Deployment catalogue-ingest", STUCK)},
            "ServiceFailed",
            True,
            "catalogue-ingest",
        ),
        (
            CATALOGUE,
            {
                "world": [*WORLD, crashing("database", "postgresql", "catalogue")],
                "change": status_of("StatefulSet catalogue-postgres", {}),
            },
            "DatabaseFailed",
            True,
            "Pod catalogue-database-x1, container main: CrashLoopBackOff: Error, exit code 1: FATAL: data",
        ),
        (
            ARCHIVE,
            {
                "world": [*WORLD, crashing("api", "catalogue", "archive"), PULLING],
                "change": status_of("Deployment archive-index", {}),
            },
            "ServiceFailed",
            True,
            "Pod archive-index-x1, container main: ImagePullBackOff: no such image",
        ),
        (EXTERNAL, {}, "DatabaseSecretNotFound", True, "theirs"),
        (EXTERNAL, {"world": [*WORLD, BAD_SECRET]}, "DatabaseSecretInvalid", True, "postgresql://"),
    ],
)
def test_what_is_wrong_is_named(
    obj: Object, options: dict[str, Any], reason: str, stalled: bool, words: str
) -> None:
    finding = judge(obj, **options).finding
    assert finding is not None
    assert (finding.reason, finding.stalled) == (reason, stalled)
    assert words in finding.message


@pytest.mark.parametrize(
    ("uri", "ports"),
    [
        ("postgresql://db/catalogue", [5432]),
        ("postgres://me:p%40ss@db:6432/catalogue?sslmode=require", [6432]),
        ("postgresql://me:pass@one:5433,two,three:5433/db?target_session_attrs=read-write", [5432, 5433]),
        ("postgresql://me:pass@[2001:db8::1]:6000,[2001:db8::2]/db", [5432, 6000]),
        ("postgresql:///db?host=db.example.org&port=6432", [5432, 6432]),
        ("postgresql://db:none/catalogue", None),
        ("postgresql://db:70000/catalogue", None),
        ("host=db dbname=catalogue", None),
    ],
)
def test_ports_of_somebody_elses_database(uri: str, ports: list[int] | None) -> None:
    secret = {**BAD_SECRET, "data": {"uri": base64.b64encode(uri.encode()).decode()}}
    others = [*WORLD, secret]
    plan = kind_of(EXTERNAL).plan(observe(EXTERNAL, others))
    if ports is None:
        assert plan is None
        return
    (gate,) = [desired for desired in plan or [] if desired.type.kind == "NetworkPolicy"]
    (rule,) = gate.manifest["spec"]["egress"]
    assert [each["port"] for each in rule["ports"]] == ports


@pytest.mark.parametrize("namespace", [NAMESPACE, UNLABELLED], ids=["handed over", "without pods"])
def test_namespaces_that_are_adopted(namespace: Object) -> None:
    pods = [STRANGER] if namespace is NAMESPACE else []
    assert judge(FACILITY, world=[namespace, *pods]).finding is None


def test_who_has_a_domain_keeps_it() -> None:
    """An older facility can't take the hosts of a younger one, at which its data are found."""
    domain = {"domain": "esrf.panosc.localhost"}
    holder = {**FACILITY, "status": domain}
    assert judge(holder, world=[EARLIER, NAMESPACE]).finding is None
    taker = judge(EARLIER, world=[holder])
    assert taker.finding is not None
    assert taker.finding.reason == "DomainTaken"
    assert "facility esrf" in taker.finding.message
    assert "domain" not in taker.status, "it is shown for who has it"
    assert judge(holder, world=[NAMESPACE]).status["domain"] == domain["domain"]


def condition(judgement: Judgement) -> tuple[str, str]:
    (only,) = judgement.conditions
    return only.status, str(only.reason)


@pytest.mark.parametrize(
    ("fixity", "answering", "expected"),
    [
        (
            {"damaged": 1, "damagedFiles": [{"path": "a/b.nxs"}], "lastCheck": "2026-11-22T03:00:00Z"},
            True,
            ("False", "FilesDamaged"),
        ),
        ({"missing": 2, "missingFiles": [{"path": "a/b.nxs"}]}, True, ("False", "FilesMissing")),
        ({"damaged": 1, "damagedFiles": [{"path": "a/b.nxs"}]}, False, ("False", "FilesDamaged")),
        ({"lastCheck": None}, True, ("Unknown", "NotChecked")),
        ({"lastCheck": "2026-11-22T03:00:00Z"}, False, ("Unknown", "StatusUnknown")),
        ({"lastCheck": "2026-11-22T03:00:00Z"}, True, ("True", "FilesIntact")),
    ],
)
def test_integrity_of_an_archive(fixity: Object, answering: bool, expected: tuple[str, str]) -> None:
    judgement = judge(ARCHIVE, report={**INDEXED, "fixity": fixity}, answering=answering)
    assert condition(judgement) == expected
    assert judgement.finding is None, "the rest of a damaged archive is served all the same"
    if expected[0] == "False":
        assert "a/b.nxs" in judgement.conditions[0].message


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ({"lastSuccessfulTime": "2026-11-22T04:00:00Z"}, ("True", "FilesIntact")),
        ({"lastSuccessfulTime": "2026-11-15T04:00:00Z"}, ("Unknown", "NotChecked")),
        ({"lastSuccessfulTime": "2026-11-15T04:00:00Z", "active": [{"name": "j"}]}, ("True", "FilesIntact")),
        ({}, ("Unknown", "NotChecked")),
    ],
)
def test_integrity_is_not_known_after_a_failed_check(schedule: Object, expected: tuple[str, str]) -> None:
    status = {"lastScheduleTime": "2026-11-22T03:00:00Z", **schedule}
    judgement = judge(ARCHIVE, report=INDEXED, change=status_of("CronJob archive-fixity", status))
    assert condition(judgement) == expected


def test_status_of_an_archive_keeps_the_last_known_numbers() -> None:
    judgement = judge(ARCHIVE, report=INDEXED)
    assert judgement.status["files"] == 12
    assert judgement.status["bytes"] == 2**40
    assert judgement.status["capacity"] == "10Ti"
    assert judgement.status["fixity"]["known"] == 12
    later = {**ARCHIVE, "status": dict(judgement.status)}
    silent = judge(later, report=None)
    assert condition(silent) == ("Unknown", "StatusUnknown")
    assert silent.status == judgement.status


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ({"state": "Failed", "lastError": "permission denied"}, ("False", "SourceFailed")),
        ({"state": "Scanning"}, ("Unknown", "Ingesting")),
        (
            {**INGESTED["sources"][0], "state": "Scanning"},
            ("True", "SourcesRead"),
        ),
    ],
)
def test_sources_of_a_catalogue(source: Object, expected: tuple[str, str]) -> None:
    judgement = judge(CATALOGUE, report={**INGESTED, "sources": [{"name": "beamlines", **source}]})
    assert condition(judgement) == expected
    assert judgement.finding is None, "what was ingested before stays searchable"


REMOTE = resource(
    "Catalogue",
    "catalogue",
    sources=[
        {"name": "legacy", "icat": {"url": "https://icat.example.org", "credentialsSecret": "icat-reader"}},
        {"name": "open", "searchAPI": {"url": "https://search.example.org/api"}},
    ],
)
READER: Object = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "icat-reader", "namespace": "esrf", "resourceVersion": "3"},
    "type": "panosc.eu/source",
    "data": {"username": "cmVhZGVy", "password": "aGlkZGVu"},
}
REMOTE_REPORT: Object = {
    **INGESTED,
    "sources": [
        {
            "name": name,
            "state": "Idle",
            "records": 40,
            "withdrawn": 2,
            "failed": 1,
            "lastScan": "2026-11-24T10:00:00Z",
            "lastSuccess": "2026-11-24T12:00:00Z",
        }
        for name in ("legacy", "open")
    ],
}


@pytest.mark.parametrize(
    ("obj", "source", "age", "expected"),
    [
        # A scan of a large tree takes hours; one that takes longer has to be looked at.
        (CATALOGUE, {}, timedelta(hours=23), "True"),
        (CATALOGUE, {}, timedelta(hours=25), "Unknown"),
        # A listing of everything has the time until the next one is due: twice 24 hours, and a quarter.
        (REMOTE, {}, timedelta(hours=48), "True"),
        (REMOTE, {}, timedelta(hours=49), "Unknown"),
        (REMOTE, {"state": "Scanning"}, timedelta(hours=49), "Unknown"),
        (REMOTE, {"lastSuccess": None}, timedelta(0), "Unknown"),
    ],
)
def test_sources_are_not_called_read_by_old_news(
    obj: Object, source: Object, age: timedelta, expected: str
) -> None:
    """A worker may hang, or have been started anew, and still tell what it did days ago."""
    then = (Known.now - age).isoformat()
    said = INGESTED if obj is CATALOGUE else REMOTE_REPORT
    sources = [{**one, "lastScan": then, "lastSuccess": then, **source} for one in said["sources"]]
    judgement = judge(obj, world=[*WORLD, READER], report={**said, "sources": sources})
    assert condition(judgement)[0] == expected
    if expected == "Unknown" and not source:
        assert condition(judgement)[1] == "StatusUnknown"
        assert f"since {then}" in judgement.conditions[0].message
        assert "catalogue-ingest" in judgement.conditions[0].message


def test_sources_are_not_called_read_by_news_of_other_sources() -> None:
    """Of a worker that was started for what the spec said before."""
    renamed = [{**INGESTED["sources"][0], "name": "former"}]
    assert condition(judge(CATALOGUE, report={**INGESTED, "sources": renamed})) == ("Unknown", "Ingesting")
    replaced = judge(
        CATALOGUE, report=INGESTED, change=status_of("Deployment catalogue-ingest", {"observedGeneration": 0})
    )
    assert condition(replaced) == ("Unknown", "StatusUnknown")


def test_a_source_without_its_secret_concerns_no_other() -> None:
    """Searches are answered, and what can be read is read: one source's Secret is that source's matter."""
    judgement = judge(REMOTE, report=REMOTE_REPORT)
    assert judgement.finding is None
    assert condition(judgement) == ("False", "SourceSecretNotFound")
    said = "Secret icat-reader of type panosc.eu/source with the credentials of source legacy"
    assert said in judgement.conditions[0].message
    plan = kind_of(REMOTE).plan(observe(REMOTE, [FACILITY, NAMESPACE])) or []
    (config,) = [one for one in plan if one.key.name == "catalogue-config"]
    sources = json.loads(config.manifest["data"]["catalogue.json"])["sources"]
    assert [source["name"] for source in sources] == ["legacy", "open"], "their order is the spec's"
    (worker,) = [one for one in plan if one.key.kind == "Deployment" and one.key.name == "catalogue-ingest"]
    assert not [v for v in worker.manifest["spec"]["template"]["spec"]["volumes"] if "secret" in v]


def test_a_source_without_its_archive_concerns_no_other() -> None:
    judgement = judge(CATALOGUE, world=without("DataArchive"), report={**INGESTED, "sources": []})
    assert judgement.finding is None
    assert condition(judgement) == ("False", "ArchiveNotFound")
    assert "DataArchive archive" in judgement.conditions[0].message
    assert "or name another in spec.sources" in judgement.conditions[0].message


def test_pods_start_though_a_secret_vanished_since_it_was_looked_for() -> None:
    plan = kind_of(REMOTE).plan(observe(REMOTE, [FACILITY, NAMESPACE, READER])) or []
    (worker,) = [one for one in plan if one.key.kind == "Deployment" and one.key.name == "catalogue-ingest"]
    volumes = worker.manifest["spec"]["template"]["spec"]["volumes"]
    (secret,) = [volume["secret"] for volume in volumes if "secret" in volume]
    assert secret == {"secretName": "icat-reader", "optional": True}


def test_a_source_may_have_any_name_that_is_a_label() -> None:
    source = {**REMOTE["spec"]["sources"][0], "name": "s" * 63}
    plan = kind_of(REMOTE).plan(
        observe(resource("Catalogue", "catalogue", sources=[source]), [FACILITY, NAMESPACE, READER])
    )
    (worker,) = [
        one for one in plan or [] if one.key.kind == "Deployment" and one.key.name == "catalogue-ingest"
    ]
    pod = worker.manifest["spec"]["template"]["spec"]
    names = [volume["name"] for volume in pod["volumes"]]
    assert max(map(len, names)) <= 63, "Kubernetes' limit of names of volumes"
    (container,) = pod["containers"]
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert mounts["credentials-0"] == f"/etc/panosc/credentials/{'s' * 63}"
    assert set(mounts) == set(names)


@pytest.mark.parametrize(
    ("changes", "port"),
    [
        ({}, 10080),
        ({"gateway_port": 443}, 10443),
        ({"gateway_port": 8080}, 8080),
        ({"gateway_pod_port": 8443}, 8443),
    ],
)
def test_the_ingest_worker_gets_no_further_than_its_sources(changes: dict[str, Any], port: int) -> None:
    plan = kind_of(REMOTE, **changes).plan(observe(REMOTE, [FACILITY, NAMESPACE, READER], **changes)) or []
    (gate,) = [one for one in plan if one.key.name == "catalogue-ingest-sources"]
    outside, gateway = gate.manifest["spec"]["egress"]
    assert [each["port"] for each in outside["ports"]] == [443]
    blocks = {peer["ipBlock"]["cidr"]: peer["ipBlock"]["except"] for peer in outside["to"]}
    for address in ("169.254.169.254", "168.63.129.16", "100.100.100.200", "fe80::1", "fd00:ec2::254"):
        whole = "::/0" if ":" in address else "0.0.0.0/0"
        assert any(ip_address(address) in ip_network(one) for one in blocks[whole]), address
    assert [each["port"] for each in gateway["ports"]] == [port], "not the gateway's own interfaces"


def test_status_of_a_catalogue_counts_what_sources_have_and_withdrew() -> None:
    judgement = judge(REMOTE, world=[*WORLD, READER], report=REMOTE_REPORT)
    assert judgement.finding is None
    assert condition(judgement) == ("True", "SourcesRead")
    source = judgement.status["sources"][0]
    assert (source["records"], source["withdrawn"], source["failed"]) == (40, 2, 1)
    assert source["lastSuccess"] == "2026-11-24T12:00:00Z"


def test_status_of_a_catalogue_shows_few_problems() -> None:
    problems = [{"path": f"{n}.nxs", "reason": "NotHDF5", "message": "x" * 5000} for n in range(20)]
    source = {**INGESTED["sources"][0], "problems": problems}
    status = judge(CATALOGUE, report={**INGESTED, "sources": [source]}).status
    assert status["publicDatasets"] == 9
    assert len(status["sources"][0]["problems"]) == 5
    assert len(status["sources"][0]["problems"][0]["message"]) == 1024
    assert status["database"] == {"host": "catalogue-postgres.esrf.svc", "secret": "catalogue-postgres"}


def test_facility_points_to_its_search_first() -> None:
    with_url = [
        {**each, "status": {"url": f"http://{each['metadata']['name']}.esrf"}}
        for each in (ARCHIVE, CATALOGUE)
    ]
    status = judge(FACILITY, world=[NAMESPACE, *with_url]).status
    assert status["url"] == "http://catalogue.esrf"
    assert (status["archives"], status["catalogues"]) == (1, 1)
    assert "url" not in judge(FACILITY).status


def with_dois(registrar: Object, *secrets: str) -> list[Object]:
    """A world whose facility registers DOIs, and the Secrets in its namespace."""
    doi = {"prefix": "10.5072", "registrar": registrar}
    facility = resource("Facility", "esrf", None, displayName="ESRF", identifiers={"doi": doi})
    metadata = {"namespace": "esrf", "resourceVersion": "3"}
    present: list[Object] = [
        {"apiVersion": "v1", "kind": "Secret", "metadata": {**metadata, "name": name}} for name in secrets
    ]
    return [facility, *without("Facility"), *present]


DATACITE: Object = {"dataCite": {"credentialsSecret": "datacite"}}
COUNTS = {
    **{"findable": 0, "registered": 0, "pending": 0, "refused": 0, "local": 0, "lastError": None},
    **{"lastSeen": "2026-11-24T12:00:00Z", "lastSuccess": "2026-11-24T12:00:00Z"},
}
OLD = {"lastSeen": "2026-11-24T11:40:00Z", "lastSuccess": "2026-11-24T11:40:00Z"}


@pytest.mark.parametrize(
    ("world", "dois", "status", "reason", "message"),
    [
        (with_dois(DATACITE), None, "False", "RegistrarSecretNotFound", "datacite"),
        (with_dois(DATACITE, "datacite"), None, "Unknown", "Registering", "first look"),
        (
            with_dois(DATACITE, "datacite"),
            {**COUNTS, "lastError": "the registrar answers 401"},
            "False",
            "RegistrarFailed",
            "answers 401",
        ),
        (
            with_dois(DATACITE, "datacite"),
            {**COUNTS, "refused": 2, "problems": [{"pid": "d/1", "doi": "10.5072/a", "message": "422 url"}]},
            "False",
            "DoiRefused",
            "d/1: 422 url",
        ),
        (with_dois(DATACITE, "datacite"), {**COUNTS, "pending": 3}, "Unknown", "Registering", "3"),
        (with_dois(DATACITE, "datacite"), {**COUNTS, "findable": 7}, "True", "DoisRegistered", "7"),
        (with_dois({"none": {}}), {**COUNTS, "local": 7}, "True", "DoisLocal", "local"),
        # A worker that hangs or doesn't run tells nothing of how it is now.
        (
            with_dois(DATACITE, "datacite"),
            {**COUNTS, **OLD, "findable": 7},
            "Unknown",
            "StatusUnknown",
            "since 2026-11-24T11:40:00Z: see the log of Deployment catalogue-dois",
        ),
        (
            with_dois(DATACITE, "datacite"),
            {**COUNTS, **OLD, "lastError": "the registrar answers 401"},
            "Unknown",
            "StatusUnknown",
            "since 2026-11-24T11:40:00Z",
        ),
        # One with much to do, too, but that is said.
        (with_dois(DATACITE, "datacite"), {**COUNTS, **OLD, "pending": 3}, "Unknown", "Registering", "3"),
        (
            with_dois(DATACITE, "datacite"),
            {**COUNTS, "lastSuccess": None, "findable": 7},
            "Unknown",
            "Registering",
            "first round",
        ),
    ],
)
def test_dois_have_a_condition_of_their_own(
    world: list[Object], dois: Object | None, status: str, reason: str, message: str
) -> None:
    judgement = judge(CATALOGUE, world=world, report={**INGESTED, "dois": dois})
    assert judgement.finding is None, "records are searchable all the same"
    (found,) = [each for each in judgement.conditions if each.type == "DoisReady"]
    assert (found.status, found.reason) == (status, reason)
    assert message in found.message
    if dois:
        assert judgement.status["dois"]["findable"] == dois["findable"]


def test_dois_are_not_called_registered_by_a_former_worker() -> None:
    """It knew another registrar or prefix."""
    judgement = judge(
        CATALOGUE,
        world=with_dois(DATACITE, "datacite"),
        report={**INGESTED, "dois": {**COUNTS, "findable": 7}},
        change=status_of("Deployment catalogue-dois", {"observedGeneration": 0}),
    )
    (found,) = [each for each in judgement.conditions if each.type == "DoisReady"]
    assert (found.status, found.reason) == ("Unknown", "StatusUnknown")
    assert "Deployment catalogue-dois" in found.message


def test_without_a_registrar_there_is_no_condition_of_dois() -> None:
    judgement = judge(CATALOGUE, report=INGESTED)
    assert [each.type for each in judgement.conditions] == ["SourcesReady"]
