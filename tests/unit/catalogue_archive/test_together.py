"""The archive with the real catalogue: what the archive's own tests know only as a double."""

import hashlib
import io
import json
import sys
import time
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import h5py
import httpx2
import pytest
from panosc_catalogue import settings
from panosc_catalogue.ingest.assemble import dataset_pid
from support import keycloak, postgres
from support.service_accounts import ARCHIVE, Issuer
from unit.archive.harness import Process, archive_command, free_port, wait_for

ESRF = {"name": "esrf"}
AAI = {"audience": "esrf", "entitlementNamespace": "geant:panosc.eu"}
MEMBER, OTHER = "member of hc2", "member of hc1"
OPEN, EMBARGOED = "hc1/a scan/öpen.nxs", "hc2/scan/embargoed.nxs"
EMBARGOED_DATASET = "/datasets/" + quote(
    dataset_pid(settings.Facility(**ESRF), "archive", EMBARGOED), safe=""
)
HIDDEN = (
    f"/files/{EMBARGOED}",
    "/files/hc2",
    "/files/hc2/scan/",
    f"/hdf5/data/?file={EMBARGOED}&path=/entry/counts",
    f"/previews?file={EMBARGOED}",
    EMBARGOED_DATASET,
    f"{EMBARGOED_DATASET}/bundle.zip",
)
DIRECTORIES = "/hdf5/meta/?file=hc2/scan", "/hdf5/meta/?file=nothing", "/previews?file=hc2"
"""What is no file, or not there: neither may be told from what is hidden."""


@dataclass
class Facility:
    """A running archive and catalogue of one small tree."""

    root: Path
    archive: httpx2.Client
    catalogue: httpx2.Client
    policy: Path
    tokens: dict[str, str]
    log: Path
    """The archive's output: its audit log among its messages."""
    own: Path
    """The token of the archive's service account."""

    @property
    def pid(self) -> str:
        (dataset,) = self.catalogue.get("/api/Datasets").json()
        return str(dataset["pid"])


def measure(path: Path, end: str) -> None:
    """A NeXus file of an experiment that ended then."""
    path.parent.mkdir(parents=True)
    with h5py.File(path, "w") as file:
        entry = file.create_group("entry")
        entry.attrs["NX_class"] = "NXentry"
        entry["title"] = path.stem
        entry["start_time"] = entry["end_time"] = end
        entry["counts"] = range(10)
        entry.attrs["default"] = "data"
        data = entry.create_group("data")
        data.attrs.update({"NX_class": "NXdata", "signal": "counts"})
        data["counts"] = range(10)


def catalogue_command(*arguments: str) -> list[str]:
    return [str(Path(sys.executable).with_name("panosc-catalogue")), *arguments]


@pytest.fixture(scope="module")
def facility(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Facility]:
    base = tmp_path_factory.mktemp("together")
    root, policy, configuration = base / "data", base / "policy.json", base / "catalogue.json"
    measure(root / OPEN, "2015-06-01T12:00:00Z")
    measure(root / EMBARGOED, time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))
    policy.write_text(json.dumps({"embargo": {"months": 36}}))
    source = {"name": "beamlines", "nexus": {"archive": "archive", "root": str(root)}}
    search, ingest, files = free_port(), free_port(), free_port()
    with ExitStack() as cleanup:
        server = cleanup.enter_context(postgres.server())
        login = cleanup.enter_context(keycloak.server(server))
        claims = {
            who: {"entitlements": [f"urn:{AAI['entitlementNamespace']}:group:esrf:proposals:{who[-3:]}"]}
            for who in (MEMBER, OTHER)
        }
        login.admin("POST", "", keycloak.realm("esrf", AAI["audience"], claims))
        tokens = {who: login.token("esrf", **keycloak.credentials(who)) for who in claims}
        aai = {"issuer": login.issuer("esrf"), **AAI}
        configuration.write_text(json.dumps({"facility": ESRF, "sources": [source], "aai": aai}))

        def start(command: list[str], port: int, environment: dict[str, str]) -> Process:
            log = base / f"{port}.log"
            process = cleanup.enter_context(Process([*command, "--port", str(port)], environment, log))
            wait_for(f"http://127.0.0.1:{port}/healthz", process.process, log)
            return process

        keys = base / "links/archive"
        keys.mkdir(parents=True)
        (keys / "current").write_text("k" * 43)
        issuer, callers = Issuer(), base / "callers.json"
        issuer.write_callers(callers, {ARCHIVE: "archive"})
        own = base / "tokens/127.0.0.1"
        own.parent.mkdir()
        own.write_text(issuer.token())
        environment = {
            "PANOSC_CATALOGUE_CALLERS_FILE": str(callers),
            "PANOSC_CATALOGUE_DATABASE_URL": server.url(),
            "PANOSC_CATALOGUE_POLICY_FILE": str(policy),
            "PANOSC_CATALOGUE_CONFIG_FILE": str(configuration),
            "PANOSC_CATALOGUE_LINK_KEYS": str(base / "links"),
        }
        with Process(catalogue_command("migrate"), environment, base / "migrate.log") as migrate:
            assert migrate.process.wait(60) == 0, (base / "migrate.log").read_text()
        start(catalogue_command("serve"), search, environment)
        ingesting = start(catalogue_command("ingest"), ingest, environment)
        start(
            archive_command("serve"),
            files,
            {
                "PANOSC_ARCHIVE_DATA_DIRECTORY": str(root),
                "PANOSC_ARCHIVE_STATE_DIRECTORY": str(base / "state"),
                "PANOSC_ARCHIVE_LINK_KEYS": str(keys),
                "PANOSC_ARCHIVE_CATALOGUE_TOKENS": str(own.parent),
                "PANOSC_ARCHIVE_CATALOGUE_URLS": json.dumps([f"http://127.0.0.1:{search}"]),
            },
        )
        archive, catalogue, worker = (
            cleanup.enter_context(
                httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=30, trust_env=False)
            )
            for port in (files, search, ingest)
        )
        deadline = time.monotonic() + 60
        status: dict[str, Any] = {}
        while status.get("datasets", 0) < 2 or not status["publicDatasets"]:
            assert time.monotonic() < deadline, f"not ingested: {status}"
            assert ingesting.process.poll() is None, ingesting.log.read_text()[-3000:]
            status = worker.get("/status").json()
            time.sleep(0.1)
        yield Facility(root, archive, catalogue, policy, tokens, base / f"{files}.log", own)


def test_public_file_is_served(facility: Facility) -> None:
    response = facility.archive.get(f"/files/{quote(OPEN)}")
    assert response.status_code == 200
    assert (
        hashlib.sha256(response.content).digest()
        == hashlib.sha256((facility.root / OPEN).read_bytes()).digest()
    )
    part = facility.archive.get(f"/files/{quote(OPEN)}", headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, response.content[10:20])


def test_only_the_archive_may_ask_what_it_asks_and_that_is_told_to_nobody(facility: Facility) -> None:
    assert facility.catalogue.get("/internal/archives/archive/children").status_code == 401
    before = facility.own.read_text()
    member = {"Authorization": f"Bearer {facility.tokens[MEMBER]}"}
    try:
        facility.own.write_text(Issuer().token())
        for headers in ({}, member):
            answer = facility.archive.get("/files/", headers=headers)
            assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
            assert "WWW-Authenticate" not in answer.headers
    finally:
        facility.own.write_text(before)
    assert facility.archive.get("/files/", headers=member).status_code == 200
    assert before not in facility.log.read_text()


def test_embargoed_and_absent_things_are_told_apart_by_nothing(facility: Facility) -> None:
    absent = "/files/nothing", "/files/no/", "/hdf5/data/?file=nothing&path=/", "/datasets/nothing"
    hidden = (*HIDDEN, "/files/hc2?after=a", *DIRECTORIES)
    answers = [facility.archive.get(target) for target in (*hidden, *absent)]
    assert {(answer.status_code, answer.content) for answer in answers} == {(404, answers[0].content)}
    assert answers[0].json()["detail"] == "there is no such file, directory or dataset, or you may not see it"


def test_what_is_under_embargo_is_served_to_the_people_of_its_proposal(facility: Facility) -> None:
    def answers(token: str) -> dict[str, int]:
        headers = {"Authorization": f"Bearer {token}"}
        return {target: facility.archive.get(target, headers=headers).status_code for target in HIDDEN}

    assert answers(facility.tokens[MEMBER]) == dict.fromkeys(HIDDEN, 200)
    assert answers(facility.tokens[OTHER]) == dict.fromkeys(HIDDEN, 404)
    assert answers("nonsense") == dict.fromkeys(HIDDEN, 401)
    assert {facility.archive.get(target).status_code for target in HIDDEN} == {404}


def test_bytes_by_a_token_are_those_of_the_file_and_kept_by_no_cache(facility: Facility) -> None:
    headers = {"Authorization": f"Bearer {facility.tokens[MEMBER]}"}
    answer = facility.archive.get(f"/files/{EMBARGOED}", headers=headers)
    assert answer.content == (facility.root / EMBARGOED).read_bytes()
    assert answer.headers["Cache-Control"] == "no-store"
    assert "Authorization" in answer.headers["Vary"]


def test_a_token_that_is_not_taken_is_refused_whatever_is_asked_for(facility: Facility) -> None:
    nonsense = {"Authorization": "Bearer nonsense"}
    told = {facility.archive.get(target, headers=nonsense).status_code for target in (*HIDDEN, *DIRECTORIES)}
    assert told == {401}
    for given in ("Bearer é".encode(), b"Bearer " + b"x" * 20_000):
        answer = facility.archive.get(f"/files/{EMBARGOED}", headers={b"Authorization": given})
        assert answer.status_code == 401
    answer = facility.archive.get(f"/files/{EMBARGOED}", headers=nonsense)
    assert answer.headers["WWW-Authenticate"].startswith('Bearer error="invalid_token"')
    assert answer.json()["detail"] == "the access token is not taken: it is no signed JSON Web Token"


def test_listings_lead_to_the_public_file_alone(facility: Facility) -> None:
    found: list[str] = []
    pending = ["/files/"]
    while pending:
        page = facility.archive.get(pending.pop()).json()
        for listed in page["entries"]:
            (pending if listed["type"] == "directory" else found).append(listed["url"])
        if "next" in page:
            pending.append(page["next"])
    assert found == [f"/files/{quote(OPEN)}"]


def test_listing_goes_on_page_by_page(facility: Facility) -> None:
    (entry,) = facility.archive.get("/files/?limit=1").json()["entries"]
    assert (entry["name"], entry["type"]) == ("hc1", "directory")


def test_dataset_as_listing_and_bundle(facility: Facility) -> None:
    target = f"/datasets/{quote(facility.pid, safe='')}"
    listing = facility.archive.get(target).json()
    assert [(file["path"], file["url"]) for file in listing["files"]] == [(OPEN, f"/files/{quote(OPEN)}")]
    assert listing["title"] == "öpen"
    bundle = facility.archive.get(listing["bundles"]["zip"])
    with zipfile.ZipFile(io.BytesIO(bundle.content)) as unpacked:
        (name,) = unpacked.namelist()
        assert unpacked.read(name) == (facility.root / OPEN).read_bytes()


def test_slice_equals_h5pys(facility: Facility) -> None:
    query = {"file": OPEN, "path": "/entry/counts", "selection": "2:5"}
    assert facility.archive.get("/hdf5/data/", params=query).json() == [2, 3, 4]


def signed(facility: Facility, who: str, resource: str) -> httpx2.Response:
    headers = {"Authorization": f"Bearer {facility.tokens[who]}"}
    return facility.archive.post("/links", json={"resource": resource}, headers=headers)


def test_a_member_gives_links_to_what_is_theirs(facility: Facility) -> None:
    for resource in (f"/files/{EMBARGOED}", "/files/hc2/scan/", f"{EMBARGOED_DATASET}/bundle.zip"):
        assert signed(facility, OTHER, resource).status_code == 404
        told = signed(facility, MEMBER, resource).json()
        assert told["reasons"] == ["member of proposal esrf:hc2"]
        answer = facility.archive.get(told["url"])
        assert answer.status_code == 200, answer.text
        token = httpx2.URL(told["url"]).params["link"]
        for other in HIDDEN:
            if unquote(other).rstrip("/") != told["resource"]:
                address = f"{other}{'&' if '?' in other else '?'}link={token}"
                assert facility.archive.get(address).status_code == 403
        assert facility.catalogue.get("/api/Datasets", headers={"Authorization": f"Link {token}"}).is_error
    answer = facility.archive.get(told["url"])
    with zipfile.ZipFile(io.BytesIO(answer.content)) as unpacked:
        (name,) = unpacked.namelist()
        assert unpacked.read(name) == (facility.root / EMBARGOED).read_bytes()


def test_each_way_to_what_is_under_embargo_is_recorded(facility: Facility) -> None:
    headers = {"Authorization": f"Bearer {facility.tokens[MEMBER]}", "X-Request-Id": "together"}
    for target in HIDDEN:
        facility.archive.get(target, headers=headers)
    told = [json.loads(line) for line in facility.log.read_text().splitlines() if '"together"' in line]
    assert [one["reasons"] for one in told] == [["member of proposal esrf:hc2"]] * len(HIDDEN)
    assert len({one["subject"] for one in told}) == 1
    assert facility.tokens[MEMBER] not in facility.log.read_text()


def test_a_link_to_what_was_public_ends_with_that(facility: Facility) -> None:
    url = signed(facility, OTHER, f"/files/{quote(OPEN)}").json()["url"]
    before = facility.policy.read_text()

    def becomes(status: int) -> httpx2.Response:
        deadline = time.monotonic() + 10
        while (answer := facility.archive.get(url)).status_code != status:
            assert time.monotonic() < deadline, answer.text
            time.sleep(0.1)
        return answer

    becomes(200)
    facility.policy.write_text(json.dumps({"embargo": {"months": 240}}))
    try:
        assert becomes(403).json()["detail"].endswith("to who had it signed: embargo until 2035-06-01")
    finally:
        facility.policy.write_text(before)
    becomes(200)


def test_changed_policy_opens_and_closes_the_files(facility: Facility) -> None:
    targets = f"/files/{EMBARGOED}", "/files/hc2/scan", EMBARGOED_DATASET, f"{EMBARGOED_DATASET}/bundle.tar"

    def becomes(status: int) -> None:
        deadline = time.monotonic() + 10
        while (found := {facility.archive.get(target).status_code for target in targets}) != {status}:
            assert time.monotonic() < deadline, f"still {found}"
            time.sleep(0.1)

    before = facility.policy.read_text()
    facility.policy.write_text(json.dumps({"embargo": {"months": 0}}))
    becomes(200)
    facility.policy.write_text(before)
    becomes(404)
