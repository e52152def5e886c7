"""From files that come, change and go to what a search finds, with all the processes at work."""

import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import httpx2
import psycopg
import pytest
from panosc_catalogue.ingest.app import create_app as create_ingest
from panosc_catalogue.settings import CatalogueConfig
from panosc_catalogue.web.app import create_app
from panosc_common import tree
from unit.catalogue.nexusfiles import measurement
from unit.catalogue.service import get, serving, settings

ROUND = 1.0
"""Seconds between two looks at the tree."""


@dataclass
class Site:
    root: Path
    url: str
    directory: Path
    layout: dict[str, int]

    def config(self) -> CatalogueConfig:
        nexus = {"archive": "archive", "root": self.root, "layout": self.layout}
        return CatalogueConfig.model_validate(
            {"facility": {"name": "esrf"}, "sources": [{"name": "beamlines", "nexus": nexus}]}
        )

    def ingesting(self) -> Any:
        own = settings(self.url, self.directory, rescan_seconds=ROUND, full_scan_seconds=3600)
        return serving(create_ingest(own, self.config()))

    def searching(self) -> Any:
        return serving(create_app(settings(self.url, self.directory)))


@pytest.fixture
def site(database_url: str, tmp_path: Path) -> Site:
    (tmp_path / "tree").mkdir()
    return Site(tmp_path / "tree", database_url, tmp_path, {"proposalDirectory": 1})


def eventually(check: Callable[[], Any], seconds: float = 30.0) -> Any:
    """The first true value of `check`."""
    deadline = time.monotonic() + seconds
    while not (value := check()):
        assert time.monotonic() < deadline, f"still {value!r} after {seconds} s"
        time.sleep(0.05)
    return value


def status(client: httpx2.Client) -> dict[str, Any]:
    sources: list[dict[str, Any]] = get(client, "/status")["sources"]
    (source,) = sources
    return source


def is_settled(client: httpx2.Client, **counts: int) -> bool:
    source = status(client)
    return source["state"] == "Idle" and all(source[name] == count for name, count in counts.items())


def pids(client: httpx2.Client) -> list[str]:
    return [item["pid"] for item in get(client, "/api/Datasets")]


def test_files_become_datasets_of_their_proposal(site: Site) -> None:
    measurement(site.root / "SC-1/run1.nxs", experiment_description="Silica under stress")
    measurement(site.root / "SC-1/deep/er/run2.nxs", end_time="2021-06-01T00:00:00Z")
    (site.root / "SC-1/notes.txt").write_text("not NeXus")
    with site.ingesting() as ingest, site.searching() as search:
        eventually(lambda: is_settled(ingest, ingested=2, ignored=1, files=3, failed=0))
        assert pids(search) == ["esrf:archive/SC-1/deep/er/run2.nxs", "esrf:archive/SC-1/run1.nxs"]
        query = {"include": [{"relation": "members", "scope": {"include": ["person"]}}, "datasets"]}
        (document,) = get(search, "/api/Documents", filter=json.dumps(query))
        assert document["pid"] == "esrf:SC-1"
        assert document["title"] == "Silica under stress"
        assert (document["startDate"], document["endDate"]) == (
            "2020-01-01T10:00:00.000Z",
            "2021-06-01T00:00:00.000Z",
        )
        assert [member["person"]["fullName"] for member in document["members"]] == ["Ada Lovelace"]
        assert len(document["datasets"]) == 2
        overall = get(ingest, "/status")
        assert (overall["datasets"], overall["documents"], overall["publicDatasets"]) == (2, 1, 2)


def test_new_changed_and_vanished_files_within_seconds(site: Site) -> None:
    first = measurement(site.root / "SC-1/run1.nxs")
    with site.ingesting() as ingest, site.searching() as search:
        eventually(lambda: is_settled(ingest, ingested=1))
        measurement(site.root / "SC-1/run2.nxs")
        eventually(lambda: len(pids(search)) == 2, 10)
        measurement(first, title="Measured again")
        path = "/api/Datasets/esrf:archive%2FSC-1%2Frun1.nxs"
        eventually(lambda: get(search, path)["title"] == "Measured again", 10)
        first.unlink()
        eventually(lambda: pids(search) == ["esrf:archive/SC-1/run2.nxs"], 10)
        measurement(first, title="Back")
        eventually(lambda: len(pids(search)) == 2, 10)
    with psycopg.connect(site.url) as connection:
        assert connection.execute("SELECT count(*) FROM dataset").fetchone() == (2,)


def test_a_dataset_directory_groups_files_of_every_kind(site: Site) -> None:
    site.layout = {"proposalDirectory": 1, "datasetDirectory": 2}
    measurement(site.root / "SC-1/scan/a.nxs")
    image = site.root / "SC-1/scan/raw/image.tif"
    image.parent.mkdir()
    image.write_bytes(b"II*\0")
    with site.ingesting() as ingest, site.searching() as search:
        eventually(lambda: is_settled(ingest, ingested=1, ignored=0))
        assert pids(search) == ["esrf:archive/SC-1/scan"]
        files = get(search, "/api/Datasets/esrf:archive%2FSC-1%2Fscan/files")
        assert sorted(file["path"] for file in files) == ["SC-1/scan/a.nxs", "SC-1/scan/raw/image.tif"]
        image.unlink()
        eventually(lambda: len(get(search, "/api/Datasets/esrf:archive%2FSC-1%2Fscan/files")) == 1, 10)


def test_bad_files_are_reported_and_the_rest_goes_on(site: Site) -> None:
    good = measurement(site.root / "P/good.nxs").read_bytes()
    (site.root / "P/text.nxs").write_text("no HDF5")
    (site.root / "P/empty.nxs").touch()
    (site.root / "P/cut.nxs").write_bytes(good[: len(good) // 2])
    os.symlink("circle.nxs", site.root / "P/circle.nxs")
    (site.root / "P").joinpath(os.fsdecode(b"latin\xe9.nxs")).write_bytes(good)
    os.utime(site.root / "P/text.nxs", (1, 1))
    with site.ingesting() as ingest, site.searching() as search:
        eventually(lambda: is_settled(ingest, ingested=1, failed=5))
        reports = get(ingest, "/reports", source="beamlines")["items"]
        assert {item["path"]: item["reason"] for item in reports} == {
            "P/circle.nxs": "BrokenLink",
            "P/cut.nxs": "Truncated",
            "P/empty.nxs": "Empty",
            "P/latin\\xe9.nxs": "NameNotUTF8",
            "P/text.nxs": "NotHDF5",
        }
        page = get(ingest, "/reports", limit="2")
        assert [item["path"] for item in page["items"]] == ["P/circle.nxs", "P/cut.nxs"]
        assert get(ingest, "/reports", after=page["next"], limit="3")["items"] == reports[2:]
        for limit in ("0", "1001", "-1", "many", "9" * 5000):
            assert ingest.get("/reports", params={"limit": limit}).status_code == 400
        assert pids(search) == ["esrf:archive/P/good.nxs"]
        # An old file is read once, however often its source is looked at.
        time.sleep(3 * ROUND)
        with psycopg.connect(site.url) as connection:
            row = connection.execute(
                "SELECT attempts, outcome FROM ingest_file WHERE path = 'P/text.nxs'"
            ).fetchone()
        assert row == (1, "failed")
        # It is read again when it changes.
        measurement(site.root / "P/text.nxs")
        eventually(lambda: is_settled(ingest, ingested=2, failed=4), 10)


def test_a_file_without_any_date_is_not_public_and_said_so(site: Site) -> None:
    measurement(site.root / "P/undated.nxs", start_time="unknown", end_time="")
    with site.ingesting() as ingest, site.searching() as search:
        eventually(lambda: is_settled(ingest, ingested=1))
        assert pids(search) == []
        assert status(ingest)["problems"][0]["reason"] == "NoDate"


def test_a_root_that_is_gone_or_empty_empties_nothing(site: Site) -> None:
    measurement(site.root / "P/run.nxs")
    away = site.root.with_name("away")
    with site.ingesting() as ingest, site.searching() as search:
        eventually(lambda: is_settled(ingest, ingested=1))
        site.root.rename(away)
        eventually(lambda: status(ingest)["state"] == "Failed")
        assert "cannot be read" in status(ingest)["lastError"]
        site.root.mkdir()
        eventually(lambda: "empty" in (status(ingest)["lastError"] or ""))
        assert pids(search) == ["esrf:archive/P/run.nxs"]
        site.root.rmdir()
        away.rename(site.root)
        eventually(lambda: is_settled(ingest, ingested=1))
        assert status(ingest)["lastError"] is None


def test_what_happened_while_the_ingest_was_down(site: Site) -> None:
    for name in ("kept", "lost"):
        measurement(site.root / f"P/{name}.nxs")
    with site.ingesting() as ingest:
        eventually(lambda: is_settled(ingest, ingested=2))
    (site.root / "P/lost.nxs").unlink()
    measurement(site.root / "P/new.nxs")
    with psycopg.connect(site.url) as connection:
        before = connection.execute("SELECT seen_at FROM ingest_file WHERE path = 'P/kept.nxs'").fetchone()
    with site.ingesting() as ingest, site.searching() as search:
        eventually(lambda: pids(search) == ["esrf:archive/P/kept.nxs", "esrf:archive/P/new.nxs"])
    with psycopg.connect(site.url) as connection:
        after = connection.execute("SELECT seen_at FROM ingest_file WHERE path = 'P/kept.nxs'").fetchone()
    assert after == before  # what did not change was not read again


def test_another_layout_makes_other_datasets_of_the_same_files(site: Site) -> None:
    for name in ("a", "b"):
        measurement(site.root / f"P/scan/{name}.nxs")
    with site.ingesting() as ingest, site.searching() as search:
        eventually(lambda: is_settled(ingest, ingested=2))
        assert len(pids(search)) == 2
    site.layout = {"proposalDirectory": 1, "datasetDirectory": 2}
    with site.ingesting(), site.searching() as search:
        eventually(lambda: pids(search) == ["esrf:archive/P/scan"])


def test_odd_files_are_taken_or_reported_and_stop_nothing(site: Site) -> None:
    deep = "/".join(["d" * 200] * 4)
    measurement(site.root / f"P/{deep}/run.nxs", title="deep")
    measurement(site.root / "Q/long.nxs", experiment_identifier="Q" * 600, title="long")
    with h5py.File(site.root / "Q/long.nxs", "a") as file:
        file["entry/sample/sample_id"] = "s" * 3000
        file["entry/instrument/short_name"] = file["entry/instrument/name"]
        del file["entry/instrument/name"]
        file["entry/instrument/name"] = "i" * 3000
    measurement(site.root / "R/refused.nxs", title="refused")
    with psycopg.connect(site.url, autocommit=True) as connection:
        connection.execute("ALTER TABLE dataset ADD CHECK (title <> 'refused')")
    with site.ingesting() as ingest, site.searching() as search:
        eventually(lambda: is_settled(ingest, ingested=2, failed=1))
        assert [item["title"] for item in get(search, "/api/Datasets")] == ["deep", "long"]
        (report,) = get(ingest, "/reports")["items"]
        assert (report["path"], report["reason"]) == ("R/refused.nxs", "Refused")
        measurement(site.root / "later.nxs")
        eventually(lambda: is_settled(ingest, ingested=3, failed=1), 10)


def test_constant_writing_in_one_place_hides_nothing_elsewhere(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tree, "MAX_WATCHED", 1)  # the root alone, as in a tree with very many directories
    measurement(site.root / "quiet/first.nxs")
    stop = threading.Event()

    def write() -> None:
        while not stop.wait(0.1):
            with (site.root / "acquisition.log").open("a") as stream:
                stream.write("x")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        with site.ingesting() as ingest:
            eventually(lambda: is_settled(ingest, ingested=1))
            measurement(site.root / "quiet/second.nxs")
            eventually(lambda: status(ingest)["ingested"] == 2, 10)
    finally:
        stop.set()
        writer.join()


def test_a_withdrawn_dataset_is_told(site: Site) -> None:
    lost = measurement(site.root / "P/lost.nxs")
    measurement(site.root / "P/kept.nxs")
    with site.ingesting() as ingest:
        eventually(lambda: is_settled(ingest, ingested=2, withdrawn=0))
        lost.unlink()
        eventually(lambda: is_settled(ingest, ingested=1, withdrawn=1), 10)
        (report,) = get(ingest, "/reports")["items"]
        assert (report["path"], report["reason"]) == ("P/lost.nxs", "Withdrawn")
        assert report["seenAt"]
        measurement(lost)
        eventually(lambda: is_settled(ingest, ingested=2, withdrawn=0), 10)
        assert get(ingest, "/reports")["items"] == []


@pytest.fixture(autouse=True)
def remove_tree(site: Site) -> Iterator[None]:
    """Names that are no UTF-8 must not outlive the test: pytest cannot print them."""
    yield
    shutil.rmtree(site.root, ignore_errors=True)
