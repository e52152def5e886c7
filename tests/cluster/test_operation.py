"""What an operator of the cluster does to a running facility, and long downloads."""

import shutil
import time
from collections.abc import Iterator

import httpx2
import pytest
from support.cluster import Demo

CATALOGUE = "https://catalogue.aurora.panosc.localhost"
ARCHIVE = "https://archive.aurora.panosc.localhost"
OPEN_RUN = "SC-1001/A-SAXS/a-saxs_0001.nxs"
LARGE_RUN = "SC-1001/A-SAXS/a-saxs_0099.nxs"
SIZE = 96 * 2**20


@pytest.fixture
def large_run(demo: Demo) -> Iterator[str]:
    """A public file that no buffer on the way holds as a whole: its NeXus content is followed by zeros."""
    path = demo.data / LARGE_RUN
    unfinished = path.with_suffix(".part")
    shutil.copyfile(demo.data / OPEN_RUN, unfinished)
    with unfinished.open("r+b") as file:
        file.truncate(SIZE)
    unfinished.rename(path)
    yield f"{ARCHIVE}/files/{LARGE_RUN}"
    path.unlink()


def test_a_slow_download_is_not_cut_off(demo: Demo, large_run: str) -> None:
    """The gateway's own limit for an answer would be 15 s."""
    demo.eventually(
        lambda: demo.client.head(large_run).status_code, until=lambda status: status == 200, seconds=60
    )
    received, started = 0, time.monotonic()
    with demo.client.stream("GET", large_run, timeout=httpx2.Timeout(30)) as response:
        for chunk in response.iter_raw(2**20):
            received += len(chunk)
            time.sleep(0.25)
    assert received == SIZE
    assert time.monotonic() - started > 20


def test_metrics_are_not_public(demo: Demo) -> None:
    assert demo.get(f"{ARCHIVE}/metrics").status_code == 404
    assert demo.get(f"{CATALOGUE}/metrics").status_code == 404


def test_a_catalogue_answers_what_archives_ask_to_its_archives_alone(demo: Demo) -> None:
    address = "http://catalogue.aurora.svc:8080"
    another = demo.kubectl("create", "token", "default", "-n", "aurora", f"--audience={address}")
    script = f"""
import urllib.error, urllib.request

def status(**headers):
    asked = urllib.request.Request("{address}/internal/archives/archive/children", headers=headers)
    try:
        return urllib.request.urlopen(asked, timeout=10).status
    except urllib.error.HTTPError as error:
        return error.code

own = open("/etc/panosc/tokens/catalogue.aurora.svc").read()
print(status(), *(status(**{{"Service-Account-Token": token}}) for token in ("{another}", own)))
"""
    pod = ("deployment/archive", "--container=api", "--namespace=aurora")
    assert demo.kubectl("exec", *pod, "--", "python3", "-c", script) == "401 403 200"
    assert demo.get(f"{CATALOGUE}/internal/archives/archive/children").status_code == 404
    assert demo.get(f"{ARCHIVE}/files/{OPEN_RUN}").status_code == 200


def test_a_lost_password_is_made_anew_and_accepted(demo: Demo) -> None:
    """The Secret goes, the database stays: it takes the new password when it starts."""
    workloads = ("statefulset/catalogue-postgres", "deployment/catalogue", "deployment/catalogue-ingest")

    def generations() -> list[str]:
        return [
            demo.kubectl("get", each, "-n", "aurora", "-o", "jsonpath={.metadata.generation}")
            for each in workloads
        ]

    before = generations()
    demo.kubectl("delete", "secret", "catalogue-postgres", "-n", "aurora")
    demo.eventually(
        generations, until=lambda now: all(a != b for a, b in zip(before, now, strict=True)), seconds=30
    )
    for each in workloads:
        demo.kubectl("rollout", "status", each, "-n", "aurora", "--timeout=180s")
    demo.kubectl("wait", "--for=condition=Ready", "catalogue/catalogue", "-n", "aurora", "--timeout=120s")
    count = demo.eventually(
        lambda: demo.get(f"{CATALOGUE}/api/Datasets/count").json()["count"], until=bool, seconds=30
    )
    assert count > 0
