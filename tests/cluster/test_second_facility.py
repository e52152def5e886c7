"""A second facility comes and goes while the first runs, as a Kubernetes person expects."""

import asyncio
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest
from panosc_cli import upload
from panosc_cli.upload import Begun, Outcome, Target
from support.browser import LOGIN
from support.cluster import Demo

EXAMPLE = Path(__file__).parents[2] / "examples" / "second-facility.yaml"
CATALOGUE = "https://catalogue.borealis.panosc.localhost"
ARCHIVE = "https://archive.borealis.panosc.localhost"


@pytest.fixture(scope="module")
def borealis(demo: Demo) -> Iterator[float]:
    """The facility of the example, and how long it took to be Ready; deleted afterwards with its data."""
    start = time.monotonic()
    demo.kubectl("apply", "--server-side", "-f", str(EXAMPLE))
    for name in ("facility/borealis", "dataarchive/archive", "catalogue/catalogue"):
        demo.kubectl("wait", "--for=condition=Ready", name, "-n", "borealis", "--timeout=180s")
    yield time.monotonic() - start
    for name in ("catalogue/catalogue", "dataarchive/archive", "facility/borealis"):
        demo.kubectl(
            "patch", name, "-n", "borealis", "--type=merge", "-p", '{"spec": {"deletionPolicy": "Delete"}}'
        )
        demo.kubectl("delete", name, "-n", "borealis", "--timeout=120s")


def test_it_is_ready_soon(borealis: float) -> None:
    assert borealis < 90


def test_its_data_are_found(demo: Demo, borealis: float) -> None:
    source = demo.data / "SC-2377" / "A-SAXS" / "a-saxs_0001.nxs"
    demo.copy_into_claim("borealis", "archive-data", source, "SC-2377/a-saxs_0001.nxs")
    found = demo.eventually(
        lambda: demo.get(f"{CATALOGUE}/api/Datasets").json(), until=lambda items: len(items) == 1, seconds=90
    )
    assert found[0]["title"] == "Small-angle X-ray scattering of sds-micelles at 298 K"


def test_the_first_facility_does_not_see_them(demo: Demo, borealis: float) -> None:
    where = json.dumps({"title": {"ilike": "%sds-micelles%"}})
    response = demo.get(
        "https://catalogue.aurora.panosc.localhost/api/Datasets/count", params={"where": where}
    )
    assert response.json() == {"count": 0}


def test_kubectl_get_shows_readiness_and_addresses(demo: Demo, borealis: float) -> None:
    header, *rows = demo.kubectl("get", "catalogues,dataarchives", "-n", "borealis").splitlines()
    assert header.split()[:4] == ["NAME", "READY", "REASON", "URL"]
    assert any("https://catalogue.borealis.panosc.localhost" in row and "True" in row for row in rows)


def test_the_category_lists_all_kinds(demo: Demo, borealis: float) -> None:
    names = demo.kubectl("get", "panosc", "-A", "-o", "name").split()
    assert {"facility.panosc.eu/borealis", "dataarchive.panosc.eu/archive"} <= set(names)


def test_explain_reads_like_documentation(demo: Demo) -> None:
    text = demo.kubectl("explain", "facility.spec.dataPolicy.embargo.months")
    assert "Calendar months from the end of the experiment" in text


def test_what_happened_is_told_by_events(demo: Demo, borealis: float) -> None:
    events = json.loads(demo.kubectl("get", "events", "-A", "-o", "json"))["items"]
    about = {
        (event["involvedObject"]["kind"], event["reason"])
        for event in events
        if event["involvedObject"]["name"] in ("borealis", "catalogue", "archive")
    }
    assert ("Facility", "Available") in about
    assert ("Catalogue", "Available") in about


def test_a_killed_database_pod_comes_back_with_its_data(demo: Demo, borealis: float) -> None:
    demo.kubectl("delete", "pod", "catalogue-postgres-0", "-n", "borealis", "--grace-period=0", "--force")
    found = demo.eventually(
        lambda: demo.get(f"{CATALOGUE}/api/Datasets"), until=lambda r: r.status_code == 200, seconds=90
    )
    assert len(found.json()) == 1


def test_pods_of_one_facility_do_not_reach_those_of_another(demo: Demo, borealis: float) -> None:
    address = json.loads(
        demo.kubectl("get", "service", "catalogue-postgres", "-n", "borealis", "-o", "json")
    )["spec"]["clusterIP"]
    script = (
        "import socket\n"
        "try:\n"
        f"    socket.create_connection(('{address}', 5432), timeout=5)\n"
        "    print('reached')\n"
        "except OSError as error:\n"
        "    print('refused')\n"
    )
    assert demo.python_in_pod(script) == "refused"


class InThread(httpx2.AsyncBaseTransport):
    """The demonstration's way to the gateway, for who waits for other things too."""

    def __init__(self, demo: Demo) -> None:
        self._demo = demo

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        body = await request.aread()
        answer = await asyncio.to_thread(
            self._demo.client.request, request.method, request.url, headers=request.headers, content=body
        )
        return httpx2.Response(answer.status_code, headers=answer.headers, content=answer.content)


@pytest.fixture(scope="module")
def administrator(demo: Demo, borealis: float) -> str:
    """The access token of a program that is an administrator of the facility."""

    def kcadm(method: str, path: str, *arguments: str) -> str:
        return demo.kcadm(method, path, "-r", "panosc", *arguments)

    def told(path: str, *arguments: str) -> Any:
        return json.loads(kcadm("get", path, *arguments))

    # The login knows the facility a while after the facility does.
    group = demo.eventually(lambda: told("group-by-path/borealis/role=admin"), until=bool, seconds=150)
    secret = "only-in-this-test"
    kcadm(
        *("create", "clients", "-s", "clientId=borealis-daq", "-s", "serviceAccountsEnabled=true"),
        *("-s", f"secret={secret}"),
    )
    (client,) = told("clients", "-q", "clientId=borealis-daq")
    (scope,) = [one["id"] for one in told("client-scopes") if one["name"] == "facility-borealis"]
    kcadm("update", f"clients/{client['id']}/default-client-scopes/{scope}")
    account = told(f"clients/{client['id']}/service-account-user")["id"]
    kcadm("update", f"users/{account}/groups/{group['id']}", "-s", f"userId={account}", "-n")
    form = {"grant_type": "client_credentials", "client_id": "borealis-daq", "client_secret": secret}
    answer = demo.client.post(f"{LOGIN}/realms/panosc/protocol/openid-connect/token", data=form)
    assert answer.is_success, answer.text
    return str(answer.json()["access_token"])


def test_a_file_that_is_put_there_is_served_and_found(demo: Demo, administrator: str, tmp_path: Path) -> None:
    patch = json.dumps({"spec": {"uploads": {"maxFileSize": "100Mi"}, "replicas": 2}})
    demo.kubectl("patch", "dataarchive", "archive", "-n", "borealis", "--type=merge", f"--patch={patch}")
    options = demo.eventually(
        lambda: demo.client.options(f"{ARCHIVE}/uploads"), until=lambda r: r.status_code == 204, seconds=150
    )
    assert options.headers["Tus-Max-Size"] == str(100 * 2**20)
    for name in ("archive", "archive-receive"):
        demo.kubectl("rollout", "status", f"deployment/{name}", "-n", "borealis", "--timeout=180s")
    file = demo.data / "SC-2377" / "A-SAXS" / "a-saxs_0001.nxs"
    target = Target(ARCHIVE, f"SC-2377/put/{file.name}")

    async def put() -> Outcome:
        headers = {"Authorization": f"Bearer {administrator}"}
        async with httpx2.AsyncClient(transport=InThread(demo), headers=headers) as client:
            return await upload.put(client, file, target, Begun(tmp_path), lambda _: None, lambda _: None)

    # The browser of other tests has a loop running here.
    with ThreadPoolExecutor() as pool:
        assert pool.submit(asyncio.run, put()).result() is Outcome.SENT
    served = demo.eventually(lambda: demo.get(target.url), until=lambda r: r.status_code == 200, seconds=90)
    assert served.content == file.read_bytes()
    assert len(demo.get(f"{CATALOGUE}/api/Datasets").json()) == 2
