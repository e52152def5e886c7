"""What a scientist sees of the demonstration facility, through the gateway."""

import hashlib
import io
import json
import shutil
import time
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import h5py
import numpy as np
import pytest
from panosc_dev import addons, authority
from support.cluster import Demo

CATALOGUE = "https://catalogue.aurora.panosc.localhost"
ARCHIVE = "https://archive.aurora.panosc.localhost"
OPEN_RUN = "SC-1001/A-SAXS/a-saxs_0001.nxs"
EMBARGOED_RUN = "HC-2218/N-TOF/n-tof_0001.nxs"


def search(demo: Demo, collection: str, **filter: Any) -> Any:
    response = demo.get(f"{CATALOGUE}/api/{collection}", params={"filter": json.dumps(filter)})
    assert response.status_code == 200, response.text
    return response.json()


def titles(items: list[dict[str, Any]]) -> list[str]:
    return sorted(item["title"] for item in items)


def test_a_technique_finds_its_datasets(demo: Demo) -> None:
    found = search(
        demo,
        "Datasets",
        include=[{"relation": "techniques", "scope": {"where": {"name": {"ilike": "%small angle%"}}}}],
    )
    assert len(found) == 5
    assert all("Small-angle" in title for title in titles(found))


def test_an_instrument_finds_its_datasets(demo: Demo) -> None:
    found = search(
        demo, "Datasets", include=[{"relation": "instrument", "scope": {"where": {"name": "A-XAS"}}}]
    )
    assert titles(found) == sorted(
        f"X-ray absorption spectroscopy of {sample} at {kelvin} K"
        for sample in ("magnetite", "hematite")
        for kelvin in (20, 77, 295)
    )


def test_the_case_of_a_path_does_not_matter(demo: Demo) -> None:
    [written, shouted] = [demo.get(f"{CATALOGUE}/{path}/count") for path in ("api/Datasets", "API/datasets")]
    assert written.json()["count"] > 0
    assert shouted.json() == written.json()


def test_an_encoded_identifier_is_answered_like_a_plain_one(demo: Demo) -> None:
    [pid] = [item["pid"] for item in search(demo, "Datasets", limit=1)]
    plain, encoded = (
        demo.client.get(f"{CATALOGUE}/api/Datasets/{quote(pid, safe=safe)}", follow_redirects=False)
        for safe in ("/:", "")
    )
    assert "%2F" in str(encoded.url)
    assert (plain.status_code, encoded.status_code) == (200, 200)
    assert encoded.json() == plain.json()
    assert plain.json()["pid"] == pid


def test_a_proposal_is_found_with_its_people(demo: Demo) -> None:
    [document] = search(
        demo,
        "Documents",
        where={"title": {"ilike": "%ammonites%"}},
        include=[{"relation": "members", "scope": {"include": [{"relation": "person"}]}}],
    )
    assert {member["person"]["fullName"] for member in document["members"]} == {
        "Dev Raman",
        "Chiara Lindqvist",
    }


def test_a_file_is_downloaded_by_range_and_its_checksum_agrees(demo: Demo) -> None:
    original = (demo.data / OPEN_RUN).read_bytes()
    url = f"{ARCHIVE}/files/{OPEN_RUN}"
    middle = len(original) // 2
    first = demo.get(url, headers={"Range": f"bytes=0-{middle - 1}"})
    second = demo.get(url, headers={"Range": f"bytes={middle}-", "If-Range": first.headers["ETag"]})
    assert (first.status_code, second.status_code) == (206, 206)
    assert first.headers["Content-Range"] == f"bytes 0-{middle - 1}/{len(original)}"
    assert hashlib.sha256(first.content + second.content).digest() == hashlib.sha256(original).digest()


def test_the_listing_gives_the_checksum_of_the_file(demo: Demo) -> None:
    folder, _, name = OPEN_RUN.rpartition("/")
    expected = hashlib.sha256((demo.data / OPEN_RUN).read_bytes()).hexdigest()

    def checksum() -> str:
        listing = demo.get(f"{ARCHIVE}/files/{folder}").json()
        [sha256] = [entry.get("sha256") for entry in listing["entries"] if entry["name"] == name]
        return str(sha256)

    assert demo.eventually(checksum, until=lambda value: value == expected, seconds=60) == expected


def test_an_hdf5_slice_equals_h5pys(demo: Demo) -> None:
    with h5py.File(demo.data / OPEN_RUN) as file:
        expected = file["entry/instrument/detector/data"][10:20, 30:50]
    response = demo.get(
        f"{ARCHIVE}/hdf5/data/",
        params={
            "file": OPEN_RUN,
            "path": "/entry/instrument/detector/data",
            "selection": "10:20,30:50",
            "format": "npy",
        },
    )
    assert response.status_code == 200, response.text
    np.testing.assert_array_equal(np.load(io.BytesIO(response.content)), expected)


def test_a_dataset_is_downloaded_as_one_bundle(demo: Demo) -> None:
    [dataset] = search(
        demo,
        "Datasets",
        where={"title": {"like": "X-ray scattering of silica-nanoparticles at 293 K"}},
        include=["files"],
    )
    [file] = dataset["files"]
    response = demo.get(f"{ARCHIVE}/datasets/{quote(dataset['pid'], safe='')}/bundle.zip")
    assert response.status_code == 200, response.text
    with zipfile.ZipFile(io.BytesIO(response.content)) as bundle:
        [member] = bundle.namelist()
        assert bundle.read(member) == (demo.data / file["path"]).read_bytes()


def test_data_under_embargo_are_not_there_for_an_outsider(demo: Demo) -> None:
    found = search(demo, "Datasets", where={"title": {"ilike": "%yttrium%"}})
    assert found == []
    count = demo.get(f"{CATALOGUE}/api/Datasets/count", params={"where": '{"title": {"ilike": "%yttrium%"}}'})
    assert count.json() == {"count": 0}
    [proposal] = search(
        demo, "Documents", where={"title": {"ilike": "%magnon%"}}, include=[{"relation": "datasets"}]
    )
    assert proposal.get("datasets", []) == []
    hidden = demo.get(f"{ARCHIVE}/files/{EMBARGOED_RUN}")
    absent = demo.get(f"{ARCHIVE}/files/HC-2218/N-TOF/n-tof_9999.nxs")
    assert (hidden.status_code, absent.status_code) == (404, 404)
    names = [entry["name"] for entry in demo.get(f"{ARCHIVE}/files/").json()["entries"]]
    assert "SC-1001" in names
    assert "HC-2218" not in names
    slice_ = demo.get(f"{ARCHIVE}/hdf5/meta/", params={"file": EMBARGOED_RUN, "path": "/entry"})
    assert slice_.status_code == 404


@pytest.fixture
def new_run(demo: Demo) -> Iterator[str]:
    """A run that the beamline writes now, taken away afterwards."""
    name = f"a-saxs_{datetime.now(UTC):%H%M%S}.nxs"
    target = demo.data / "SC-1001" / "A-SAXS" / name
    title = f"Freshly measured {name}"
    unfinished = target.with_suffix(".part")
    shutil.copy(demo.data / OPEN_RUN, unfinished)
    with h5py.File(unfinished, "r+") as file:
        del file["entry/title"]
        file["entry/title"] = title
    unfinished.rename(target)
    yield title
    target.unlink()


def test_a_new_file_is_found_within_seconds(demo: Demo, new_run: str) -> None:
    start = time.monotonic()
    demo.eventually(
        lambda: search(demo, "Datasets", where={"title": new_run}), until=lambda f: len(f) == 1, seconds=30
    )
    assert time.monotonic() - start < 30


def test_a_changed_policy_changes_what_is_public(demo: Demo) -> None:
    def visible() -> int:
        return len(search(demo, "Datasets", where={"title": {"ilike": "%yttrium%"}}))

    patch = '{"spec": {"dataPolicy": {"embargo": {"months": %d}}}}'

    def pods() -> set[str]:
        api = "app.kubernetes.io/component=api"
        return set(demo.kubectl("get", "pods", "-n", "aurora", "-l", api, "-o", "name").split())

    before = pods()
    assert visible() == 0
    try:
        demo.kubectl("patch", "facility", "aurora", "--type=merge", "-p", patch % 12)
        assert demo.eventually(visible, until=lambda count: count == 3, seconds=120) == 3
        assert demo.get(f"{ARCHIVE}/files/{EMBARGOED_RUN}").status_code == 200
    finally:
        demo.kubectl("patch", "facility", "aurora", "--type=merge", "-p", patch % 36)
    assert demo.eventually(visible, until=lambda count: count == 0, seconds=120) == 0
    assert pods() <= before, "no pod was replaced; one of an earlier test may have gone"


def test_status_tells_what_is_in_the_archive_and_the_catalogue(demo: Demo) -> None:
    runs = len(list(demo.data.rglob("*.nxs")))

    def status(kind: str, name: str) -> Any:
        return json.loads(demo.kubectl("get", kind, name, "-n", "aurora", "-o", "json"))["status"]

    archive = demo.eventually(
        lambda: status("dataarchive", "archive"), until=lambda s: s.get("files") == runs, seconds=90
    )
    assert archive["files"] == runs
    assert archive["bytes"] == sum(path.stat().st_size for path in demo.data.rglob("*.nxs"))
    public = len(search(demo, "Datasets"))
    catalogue = demo.eventually(
        lambda: status("catalogue", "catalogue"),
        until=lambda s: (s.get("datasets"), s.get("publicDatasets")) == (runs, public),
        seconds=90,
    )
    assert 0 < public < runs
    assert catalogue["sources"][0]["failed"] == 0
    checked = datetime.fromisoformat(catalogue["sources"][0]["lastScan"].replace("Z", "+00:00"))
    assert datetime.now(UTC) - checked < timedelta(hours=1)


def test_pods_reach_a_service_by_the_url_that_people_use(demo: Demo) -> None:
    certificate = authority.ensure(addons.DOMAIN).certificate.read_text()
    script = (
        "import ssl, urllib.request; "
        f"trusted = ssl.create_default_context(cadata={certificate!r}); "
        f"answer = urllib.request.urlopen('{CATALOGUE}/api/Instruments/count', timeout=10, context=trusted); "
        "print(answer.read().decode())"
    )
    counted = demo.python_in_pod(script)
    assert json.loads(counted) == demo.get(f"{CATALOGUE}/api/Instruments/count").json()
