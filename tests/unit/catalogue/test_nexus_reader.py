"""What the reader makes of NeXus files as they are."""

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import h5py
import numpy as np
import pytest
from panosc_catalogue.nexus.pool import Reader
from panosc_catalogue.nexus.reader import MAX_PARAMETERS, read
from panosc_catalogue.nexus.record import NotReadable, Reason
from panosc_catalogue.nexus.techniques import DEFINITIONS
from panosc_catalogue.nexus.values import instant
from panosc_common.panet import VERSIONS, ontology
from unit.catalogue.nexusfiles import entry, group, measurement


def reason(path: Path) -> Reason:
    with pytest.raises(NotReadable) as caught:
        read(path)
    assert len(caught.value.message) > 20  # says what to do
    return caught.value.reason


def test_a_complete_measurement(tmp_path: Path) -> None:
    record = read(measurement(tmp_path / "a.nxs", experiment_identifier="SC-1"))
    assert record.title == "Silica"
    assert record.proposal == "SC-1"
    assert record.start == datetime(2020, 1, 1, 10, tzinfo=UTC)
    assert record.end == datetime(2020, 1, 1, 11, tzinfo=UTC)
    assert record.instrument == "BM29"
    assert [technique.name for technique in record.techniques] == ["small angle x-ray scattering"]
    assert [sample.name for sample in record.samples] == ["silica"]
    assert [user.name for user in record.users] == ["Ada Lovelace"]


def test_the_probe_decides_between_saxs_and_sans(tmp_path: Path) -> None:
    with entry(tmp_path / "n.nxs", definition="NXsas") as made:
        source = group(group(made, "instrument", "NXinstrument"), "source", "NXsource")
        source["type"] = "Reactor Neutron Source"
    assert [t.panet_id for t in read(tmp_path / "n.nxs").techniques] == [
        "http://purl.org/pan-science/PaNET/PaNET01189"
    ]


def test_text_of_every_kind(tmp_path: Path) -> None:
    with entry(tmp_path / "t.nxs") as made:
        made["title"] = np.array([b"caf\xe9"], dtype="S10")  # Latin-1, fixed, array
        made["definition"] = np.array(["NXxas", "NXfluo"], dtype=h5py.string_dtype())
        made["experiment_identifier"] = 4711  # a number in place of text
        made.create_dataset("start_time", data=np.bytes_("2020-05-01T00:00:00+02:00\0\0"))
        made["experiment_description"] = h5py.Empty("S1")
    record = read(tmp_path / "t.nxs")
    assert record.title == "café"
    assert [t.name for t in record.techniques] == [
        "x-ray absorption spectroscopy",
        "x-ray fluorescence spectroscopy",
    ]
    assert record.proposal == "4711"
    assert record.start == datetime(2020, 4, 30, 22, tzinfo=UTC)


def test_several_entries_the_default_one_first(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "m.nxs", "w") as file:
        file.attrs["default"] = "b"
        for name, day in (("a", 1), ("b", 2), ("c", 3)):
            made = group(file, name, "NXentry")
            made["title"] = name
            made["start_time"] = f"2020-01-0{day}T00:00:00Z"
            made["identifier_technique_1"] = "https://w3id.org/PaN/ESRFET/v0.1.0/#XAS"
    record = read(tmp_path / "m.nxs")
    assert record.title == "b"
    assert (record.start, record.end) == (datetime(2020, 1, 1, tzinfo=UTC), datetime(2020, 1, 3, tzinfo=UTC))
    assert [t.name for t in record.techniques] == ["x-ray absorption spectroscopy"]


def test_a_file_without_classes(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "c.h5", "w") as file:
        file["scan/title"] = "plain"
        file["scan/sample/name"] = "gold"
    record = read(tmp_path / "c.h5")
    assert record.title == "plain"
    assert [sample.name for sample in record.samples] == ["gold"]


def test_links_into_nothing_circles_and_other_files(tmp_path: Path) -> None:
    measurement(tmp_path / "other.nxs", title="other")
    with entry(tmp_path / "l.nxs") as made:
        made["title"] = h5py.SoftLink("/elsewhere/title")
        made["elsewhere"] = h5py.SoftLink("/entry/elsewhere")
        made["broken"] = h5py.SoftLink("/nowhere")
        made["gone"] = h5py.ExternalLink("gone.h5", "/x")
        made["definition"] = h5py.ExternalLink("other.nxs", "/entry/definition")
        made["up"] = made.file["/"]  # a hard circle
        made["value"] = 1.5
        made["value"].attrs["units"] = "K"
    record = read(tmp_path / "l.nxs")
    assert record.title is None
    assert record.techniques == ()
    assert [(p.name, p.value, p.unit) for p in record.parameters] == [("value", 1.5, "K")]


def test_nothing_of_other_files_is_published(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("password=hunter2")
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["number"] = np.array([42.5])
        other["duration"] = 3600.0
    with entry(tmp_path / "e.nxs", start_time="2020-01-01T10:00:00Z") as made:
        words = h5py.h5t.C_S1.copy()
        words.set_size(16)
        outside = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        outside.set_external(os.fsencode(secret), 0, 16)
        h5py.h5d.create(made.id, b"title", words, h5py.h5s.create_simple((1,)), outside)
        layout = h5py.VirtualLayout((1,), "f8")
        layout[:] = h5py.VirtualSource(tmp_path / "other.h5", "number", (1,))
        made.create_virtual_dataset("number", layout)
        made["duration"] = h5py.ExternalLink(tmp_path / "other.h5", "/duration")
    record = read(tmp_path / "e.nxs")
    assert "hunter2" not in record.model_dump_json()
    assert record.parameters == ()
    assert record.end == record.start


def test_a_link_in_the_place_of_a_file_is_not_followed(tmp_path: Path) -> None:
    measurement(tmp_path / "secret/run.nxs")
    (tmp_path / "run.nxs").symlink_to("secret/run.nxs")
    (tmp_path / "scan").symlink_to("secret")
    assert reason(tmp_path / "run.nxs") is Reason.UNREADABLE
    assert reason(tmp_path / "scan/run.nxs") is Reason.UNREADABLE


def test_one_odd_name_does_not_lose_the_file(tmp_path: Path) -> None:
    with entry(tmp_path / "o.nxs", title="good") as made:
        for parent in (made.file.id, made.id):
            h5py.h5d.create(parent, b"temp\xb0", h5py.h5t.IEEE_F64LE, h5py.h5s.create(h5py.h5s.SCALAR))
        made["x" * 2100] = 1.0
        made["kept"] = 2.0
    record = read(tmp_path / "o.nxs")
    assert record.title == "good"
    assert [p.name for p in record.parameters] == ["kept"]


def peak_kib(process: int) -> int:
    """The most memory that the process has used."""
    found = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{process}/status").read_text())
    assert found
    return int(found[1])


def test_a_small_file_that_unpacks_to_gigabytes(tmp_path: Path) -> None:
    with entry(tmp_path / "bomb.nxs") as made:
        huge = h5py.h5t.C_S1.copy()
        huge.set_size(1_500_000_000)
        h5py.h5d.create(made.id, b"title", huge, h5py.h5s.create(h5py.h5s.SCALAR))
        made["kept"] = 2.0

    async def scenario() -> None:
        async with Reader(timeout_seconds=60, processes=1).opened() as reader:
            record = await reader.read(tmp_path / "bomb.nxs")
            assert record.title is None
            assert [p.name for p in record.parameters] == ["kept"]
            pids = await asyncio.to_thread(children)
            assert [peak_kib(pid) < 500_000 for pid in pids] == [True]

    asyncio.run(scenario())


def test_quantities_keep_units_and_well_known_names(tmp_path: Path) -> None:
    with entry(tmp_path / "q.nxs") as made:
        energy = group(group(made, "instrument", "NXinstrument"), "mono", "NXmonochromator")
        energy["energy"] = np.array([12.4])
        energy["energy"].attrs["units"] = "keV"
        energy["spectrum"] = np.arange(5.0)
        energy["broken"] = float("nan")
        energy["flag"] = np.uint8(1)
        energy["flag"].attrs["units"] = "NX_UNITLESS"
    found = {p.name: (p.value, p.unit) for p in read(tmp_path / "q.nxs").parameters}
    assert found == {
        "incident_energy": (12.4, "keV"),
        "instrument/mono/energy": (12.4, "keV"),
        "instrument/mono/flag": (1.0, None),
    }


def test_ten_thousand_fields_stay_cheap_and_bounded(tmp_path: Path) -> None:
    with entry(tmp_path / "big.nxs", title="big") as made:
        for number in range(10_000):
            made[f"f{number}"] = number
    started = time.process_time()
    record = read(tmp_path / "big.nxs")
    assert time.process_time() - started < 5
    assert record.title == "big"
    assert len(record.parameters) == MAX_PARAMETERS


def test_files_that_are_no_nexus(tmp_path: Path) -> None:
    (tmp_path / "text.nxs").write_text("This is not HDF5.")
    (tmp_path / "empty.nxs").touch()
    good = measurement(tmp_path / "good.nxs").read_bytes()
    (tmp_path / "cut.nxs").write_bytes(good[: len(good) // 2])
    (tmp_path / "damaged.nxs").write_bytes(good[:16] + os.urandom(len(good) - 16))
    with h5py.File(tmp_path / "plain.h5", "w") as file:
        file["numbers"] = [1, 2]
    assert reason(tmp_path / "text.nxs") is Reason.NOT_HDF5
    assert reason(tmp_path / "empty.nxs") is Reason.EMPTY
    assert reason(tmp_path / "cut.nxs") is Reason.TRUNCATED
    assert reason(tmp_path / "damaged.nxs") in (Reason.DAMAGED, Reason.TRUNCATED)
    assert reason(tmp_path / "plain.h5") is Reason.NO_ENTRY
    assert reason(tmp_path / "absent.h5") is Reason.UNREADABLE


def test_a_file_without_permission(tmp_path: Path) -> None:
    path = measurement(tmp_path / "closed.nxs")
    path.chmod(0)
    program = (
        "import os, sys; from pathlib import Path; from panosc_catalogue.nexus.reader import read\n"
        "import os\nif os.geteuid() == 0: os.setresuid(65534, 65534, 65534)\n"
        "try: read(Path(sys.argv[1]))\nexcept Exception as error: print(error.reason)"
    )
    tmp_path.chmod(0o755)
    done = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "Unreadable", done.stderr


def test_a_reading_that_hangs_or_crashes_harms_no_other(tmp_path: Path) -> None:
    good = measurement(tmp_path / "good.nxs")
    hanging = tmp_path / "pipe.nxs"
    os.mkfifo(hanging)  # opening it for reading waits for a writer

    async def scenario() -> None:
        async with Reader(timeout_seconds=60, processes=1).opened() as reader:
            assert (await reader.read(good)).title == "Silica"
            crashing = asyncio.create_task(reader.read(hanging))
            (child,) = await asyncio.to_thread(children)
            await asyncio.sleep(0.2)
            os.kill(child, signal.SIGSEGV)
            with pytest.raises(NotReadable) as caught:
                await crashing
            assert caught.value.reason is Reason.CRASHED
            assert (await reader.read(good)).title == "Silica"
        async with Reader(timeout_seconds=3, processes=1).opened() as reader:
            with pytest.raises(NotReadable) as caught:
                await reader.read(hanging)
            assert caught.value.reason is Reason.TIMED_OUT

    asyncio.run(scenario())


def children() -> list[int]:
    """Processes that were spawned by this one to read files."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((process / "stat").read_text().rsplit(")", 1)[1].split()[1])
            is_reader = b"spawn_main" in (process / "cmdline").read_bytes()
        except (OSError, IndexError):
            continue
        if parent == os.getpid() and is_reader:
            found.append(int(process.name))
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2016-06-23T12:02:31-06:00", datetime(2016, 6, 23, 18, 2, 31, tzinfo=UTC)),
        ("2016-06-23 12:02:31", datetime(2016, 6, 23, 12, 2, 31, tzinfo=UTC)),
        ("2016-06-23T12:02:31.5 +0200", datetime(2016, 6, 23, 10, 2, 31, 500000, tzinfo=UTC)),
        ("2016-06-23", datetime(2016, 6, 23, tzinfo=UTC)),
        ("7-FEB-2001 14:54:21.08", datetime(2001, 2, 7, 14, 54, 21, tzinfo=UTC)),
        ("Thu Jun 23 12:02:31 2016", datetime(2016, 6, 23, 12, 2, 31, tzinfo=UTC)),
        ("23.06.2016 12:02:31", datetime(2016, 6, 23, 12, 2, 31, tzinfo=UTC)),
        ("1970-01-01T00:00:00Z", None),
        ("2999-01-01T00:00:00Z", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("yesterday", None),
        ("", None),
    ],
)
def test_times_in_many_notations(text: str, expected: datetime | None) -> None:
    assert instant(text) == expected


def test_every_mapped_technique_is_in_the_ontology() -> None:
    mapped = {panet for by_probe in DEFINITIONS.values() for panet in by_probe.values()}
    assert all(mapped <= set(ontology(version).terms) for version in VERSIONS)
    assert all("" in by_probe for by_probe in DEFINITIONS.values())


def test_real_files_give_a_record_or_a_reason(tmp_path: Path) -> None:
    """Files of several facilities, where PANOSC_NEXUS_SAMPLES names their directory; our own otherwise."""
    samples = Path(
        os.environ.get("PANOSC_NEXUS_SAMPLES") or measurement(tmp_path / "own.nxs").parent
    ).resolve()
    paths = [path for path in samples.iterdir() if path.is_file()]
    assert paths
    for path in paths:
        record = read(path)
        assert record.parameters or record.techniques, path
