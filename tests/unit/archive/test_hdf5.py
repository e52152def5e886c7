"""`/hdf5` and `/previews`: slices equal h5py's, links lead nowhere else, bad files do no harm."""

import base64
import io
import os
import time
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import h5py
import hdf5plugin
import numpy as np
import pytest
from panosc_archive import hdf5
from unit.archive.harness import Archive

FILE = "hdf5/scan.nxs"


@pytest.fixture(scope="module")
def archive(standalone: Archive) -> Archive:
    """One way of sending suffices: nginx passes these routes on (seen in test_nginx_passes_slices_on)."""
    return standalone


@pytest.fixture(scope="module")
def scan(archive: Archive) -> Path:
    path = archive.publish(FILE, b"")
    generator = np.random.default_rng(7)
    with h5py.File(path, "w") as file:
        file.attrs["default"] = "entry"
        entry = file.create_group("entry")
        entry.attrs["NX_class"] = "NXentry"
        entry.attrs["default"] = "data"
        entry["title"] = "Lysozyme, Å and 日本"
        data = entry.create_group("data")
        data.attrs.update({"NX_class": "NXdata", "signal": "counts", "axes": ["energy"]})
        energy = data.create_dataset("energy", data=np.linspace(5, 9, 10_001))
        energy.attrs["units"] = "keV"
        data["counts"] = generator.poisson(100, 10_001)
        detector = entry.create_group("detector")
        frames = generator.integers(0, 2**16, (5, 64, 48), dtype="u2")
        detector.create_dataset("frames", data=frames, chunks=(1, 64, 48), **hdf5plugin.Bitshuffle())
        detector["big"] = np.zeros((1000, 1000))
        detector["wide"] = np.arange(50_000.0)
        detector["reals"] = np.array([1.5, np.nan, np.inf, -2])
        detector["names"] = ["α", "β"]
        detector["empty"] = h5py.Empty("f8")
        detector["latin"] = np.array([b"20 \xb0C", "α".encode()])
        detector["latin"].attrs["units"] = np.bytes_(b"\xc5")
        entry["soft"] = h5py.SoftLink("/entry/detector")
        entry["broken"] = h5py.SoftLink("/nowhere")
        entry["circle"] = h5py.SoftLink("/entry/circle")
        entry["hard"] = detector
    return path


def ask(archive: Archive, operation: str, path: str, file: str = FILE, **parameters: Any) -> Any:
    response = archive.get(f"/hdf5/{operation}/", params={"file": file, "path": path, **parameters})
    assert response.status_code == 200, response.text
    return response.json() if response.headers["content-type"] == "application/json" else response.content


def refused(
    archive: Archive, operation: str, path: str, file: str = FILE, **parameters: Any
) -> tuple[int, str]:
    response = archive.get(f"/hdf5/{operation}/", params={"file": file, "path": path, **parameters})
    assert response.headers["content-type"] == "application/problem+json", response.text
    assert response.json()["status"] == response.status_code
    return response.status_code, response.json()["detail"]


@pytest.mark.parametrize(
    ("selection", "index"),
    [
        ("0", np.s_[0]),
        ("1:3,::2,5", np.s_[1:3, ::2, 5]),
        ("4,10:20", np.s_[4, 10:20]),
        (":,0,0", np.s_[:, 0, 0]),
        ("", np.s_[()]),
    ],
)
@pytest.mark.parametrize("path", ["/entry/detector/frames", "/entry/soft/frames", "/entry/hard/frames"])
def test_slice_equals_h5pys(archive: Archive, scan: Path, path: str, selection: str, index: Any) -> None:
    with h5py.File(scan) as file:
        expected = file["entry/detector/frames"][index]
    npy = np.load(io.BytesIO(ask(archive, "data", path, selection=selection, format="npy")))
    assert npy.dtype == expected.dtype
    np.testing.assert_array_equal(npy, expected)
    assert ask(archive, "data", path, selection=selection) == expected.tolist()
    assert ask(archive, "data", path, selection=selection, format="bin") == expected.tobytes()


@pytest.mark.usefixtures("scan")
class TestProtocol:
    def test_metadata_of_a_group_lists_its_children(self, archive: Archive) -> None:
        meta = ask(archive, "meta", "/entry")
        assert (meta["kind"], meta["name"]) == ("group", "entry")
        assert {attribute["name"] for attribute in meta["attributes"]} == {"NX_class", "default"}
        kinds = {child["name"]: child["kind"] for child in meta["children"]}
        assert kinds == {
            "title": "dataset",
            "data": "group",
            "detector": "group",
            "soft": "group",
            "hard": "group",
            "broken": "soft_link",
            "circle": "soft_link",
        }

    def test_metadata_of_a_dataset(self, archive: Archive) -> None:
        meta = ask(archive, "meta", "/entry/detector/frames")
        assert (meta["shape"], meta["chunks"], meta["type"]["dtype"]) == ([5, 64, 48], [1, 64, 48], "<u2")
        assert meta["filters"][0]["id"] == 32008

    def test_links_unresolved_on_demand(self, archive: Archive) -> None:
        meta = ask(archive, "meta", "/entry/soft", resolve_links="none")
        assert (meta["kind"], meta["target_path"]) == ("soft_link", "/entry/detector")

    def test_attributes(self, archive: Archive) -> None:
        assert ask(archive, "attr", "/entry/data")["axes"] == ["energy"]
        assert ask(archive, "attr", "/entry/data", attr_keys=["signal"]) == {"signal": "counts"}

    def test_statistics(self, archive: Archive, scan: Path) -> None:
        with h5py.File(scan) as file:
            counts = file["entry/data/counts"][()]
        stats = ask(archive, "stats", "/entry/data/counts")
        assert (stats["min"], stats["max"]) == (counts.min(), counts.max())

    def test_paths(self, archive: Archive) -> None:
        assert "/entry/data/counts" in ask(archive, "paths", "/")

    def test_values_that_json_does_not_know(self, archive: Archive) -> None:
        assert ask(archive, "data", "/entry/detector/reals") == [1.5, None, None, -2]
        assert ask(archive, "data", "/entry/detector/names") == ["α", "β"]
        assert ask(archive, "data", "/entry/detector/empty") is None
        assert ask(archive, "data", "/entry/detector/latin") == ["20 °C", "α"]
        assert ask(archive, "attr", "/entry/detector/latin") == {"units": "Å"}

    @pytest.mark.parametrize(
        ("operation", "path", "parameters", "status"),
        [
            ("data", "/entry/nothing", {}, 404),
            ("data", "/entry/title/below", {}, 404),
            ("data", "/entry/circle", {}, 404),
            ("meta", "/entry/broken", {"resolve_links": "all"}, 404),
            ("data", "/entry", {}, 422),
            ("paths", "/entry/title", {}, 422),
            ("attr", "/entry", {"attr_keys": "nothing"}, 404),
            ("data", "/entry/detector/big", {}, 413),
            ("stats", "/entry/detector/big", {}, 413),
            ("data", "/entry/detector/frames", {"selection": "99"}, 422),
            ("data", "/entry/detector/frames", {"selection": "a:b"}, 422),
            ("data", "/entry/detector/frames", {"selection": "1,2,3,4"}, 422),
            ("data", "/entry/detector/frames", {"selection": "::0"}, 422),
            ("data", "/entry/detector/frames", {"format": "exe"}, 422),
            ("data", "/entry/detector/frames", {"format": "csv"}, 422),
            ("data", "/entry/detector/names", {"format": "npy"}, 422),
            ("data", "/entry/detector/frames", {"dtype": "complex"}, 422),
            ("meta", "/entry", {"resolve_links": "perhaps"}, 422),
        ],
    )
    def test_refusal(
        self, archive: Archive, operation: str, path: str, parameters: dict[str, str], status: int
    ) -> None:
        told, detail = refused(archive, operation, path, **parameters)
        assert (told, len(detail) > 10) == (status, True)
        assert str(archive.root) not in detail

    def test_more_is_given_as_bytes_than_as_text(self, archive: Archive) -> None:
        expected = np.arange(50_000.0).tobytes()
        assert ask(archive, "data", "/entry/detector/wide", format="bin") == expected
        assert refused(archive, "data", "/entry/detector/wide")[0] == 413

    def test_part_of_what_is_too_large_is_given(self, archive: Archive) -> None:
        assert ask(archive, "data", "/entry/detector/big", selection="0,0:3") == [0, 0, 0]

    def test_unknown_operation_and_missing_file_parameter(self, archive: Archive) -> None:
        assert archive.get("/hdf5/write/", params={"file": FILE}).status_code == 404
        assert archive.get("/hdf5/meta/").status_code == 422

    def test_nginx_passes_slices_on(self, behind_nginx: Archive) -> None:
        assert ask(behind_nginx, "data", "/entry/detector/frames", selection="0,0,0:2")

    def test_many_at_once(self, archive: Archive) -> None:
        def one(number: int) -> Any:
            return ask(archive, "data", "/entry/data/counts", selection=f"{number}:{number + 3}")

        with ThreadPoolExecutor(8) as pool:
            assert all(len(values) == 3 for values in pool.map(one, range(40)))


class TestVisibility:
    def test_embargoed_file_is_not_found(self, archive: Archive, scan: Path) -> None:
        hidden = archive.root / "hdf5/hidden.h5"
        hidden.write_bytes(scan.read_bytes())
        same = refused(archive, "data", "/entry/title", "hdf5/nothing.h5")
        assert refused(archive, "data", "/entry/title", "hdf5/hidden.h5") == same
        assert same[0] == 404

    @pytest.mark.parametrize("file", ["../../etc/passwd", "/etc/passwd", "hdf5/./scan.nxs", "a\0b", "hdf5"])
    def test_odd_file(self, archive: Archive, scan: Path, file: str) -> None:
        assert refused(archive, "meta", "/", file)[0] == 404


@pytest.fixture(scope="module")
def linked(archive: Archive, base: Path) -> Iterator[str]:
    """A public file whose links lead to a public file, an embargoed one, and one outside the archive."""
    path = archive.publish("links/master.h5", b"")
    outside = base / "outside.h5"
    archive.publish("links/public.h5")
    archive.publish("links/text.h5", b"no HDF5")
    for target, value in (("public.h5", 1), ("embargoed.h5", 2), (str(outside), 3)):
        with h5py.File(path.parent / target, "w") as file:
            file.create_dataset("values", data=np.full(4, value), maxshape=(None,))
            file["further"] = h5py.ExternalLink("embargoed.h5", "/values")
    (path.parent / "deep").mkdir(exist_ok=True)
    (path.parent / "deep/public.h5").write_bytes((path.parent / "embargoed.h5").read_bytes())
    (path.parent / "swap.h5").unlink(missing_ok=True)
    (path.parent / "swap.h5").symlink_to(outside)
    with h5py.File(path, "w") as file:
        for name, target in (
            ("public", "public.h5"),
            ("embargoed", "embargoed.h5"),
            ("outside", str(outside)),
            ("relative", "../../outside.h5"),
            ("by process", f"../root{archive.root}/links/embargoed.h5"),
            ("by process outside", f"../root{outside}"),
            ("by working directory", f"../cwd{archive.root}/links/embargoed.h5"),
            ("beside hidden", f"{archive.root}/links/deep/public.h5"),
            ("beside absent", f"{archive.root}/links/nowhere/public.h5"),
            ("foreign", "text.h5"),
            ("symlink", "swap.h5"),
            ("absent", "absent.h5"),
            ("acquisition", "/beamline/disk/public.h5"),
        ):
            file[f"external/{name}"] = h5py.ExternalLink(target, "/values")
            file[f"over/{name}"] = h5py.ExternalLink(target, "/further")
            file[f"around/{name}"] = h5py.SoftLink(f"/external/{name}")
            layout = h5py.VirtualLayout((4,), "i8")
            layout[:] = h5py.VirtualSource(target, "values", (4,))
            file.create_virtual_dataset(f"virtual/{name}", layout, fillvalue=-1)
            growing = h5py.VirtualLayout((4,), "i8", maxshape=(None,))
            everything = h5py.VirtualSource(target, "values", (4,), maxshape=(None,))
            growing[: h5py.h5s.UNLIMITED] = everything[: h5py.h5s.UNLIMITED]
            file.create_virtual_dataset(f"growing/{name}", growing, fillvalue=-1)
        layout = h5py.VirtualLayout((4,), "i8")
        layout[:] = h5py.VirtualSource("public.h5", "further", (4,))
        file.create_virtual_dataset("virtual/further", layout, fillvalue=-1)
        layout = h5py.VirtualLayout((4,), "i8")
        layout[:] = h5py.VirtualSource(".", "virtual/embargoed", (4,))
        file.create_virtual_dataset("virtual/twice", layout, fillvalue=-1)
        layout = h5py.VirtualLayout((4,), "i8")
        layout[:] = h5py.VirtualSource("public.h5", "nothing", (4,))
        file.create_virtual_dataset("virtual/gap", layout, fillvalue=-1)
        (base / "raw").write_bytes(b"secret42" * 4)
        file.create_dataset("raw", (4,), "i8", external=[(str(base / "raw"), 0, 32)])
    yield "links/master.h5"
    outside.unlink()


HIDDEN = (
    "embargoed",
    "outside",
    "relative",
    "symlink",
    "absent",
    "by process",
    "by process outside",
    "by working directory",
    "beside hidden",
    "beside absent",
)
ABSENT = "{} leads to a file that does not exist or that you may not see"


class TestLinks:
    @pytest.mark.parametrize("kind", ["external", "around", "virtual", "growing"])
    @pytest.mark.parametrize("name", ["public", "acquisition"])
    def test_to_a_public_file_is_followed(self, archive: Archive, linked: str, kind: str, name: str) -> None:
        assert ask(archive, "data", f"/{kind}/{name}", linked) == [1, 1, 1, 1]
        assert ask(archive, "meta", f"/{kind}/{name}", linked)["kind"] == "dataset"

    @pytest.mark.parametrize("kind", ["external", "around", "virtual", "growing", "over"])
    @pytest.mark.parametrize("name", HIDDEN)
    def test_to_anything_else_is_not(self, archive: Archive, linked: str, kind: str, name: str) -> None:
        """In the same words for what is hidden, outside and absent: else they could be told apart."""
        path = f"/{kind}/{name}"
        for operation in ("data", "stats"):
            assert refused(archive, operation, path, linked) == (404, ABSENT.format(path))

    def test_to_a_name_that_is_no_utf8_is_not(self, archive: Archive) -> None:
        path = archive.publish("links/latin.h5", b"")
        with h5py.File(path, "w") as file:
            file["link"] = h5py.ExternalLink(os.fsdecode(b"caf\xe9.h5"), "/")
        assert refused(archive, "attr", "/link", "links/latin.h5") == (404, ABSENT.format("/link"))

    @pytest.mark.parametrize("name", HIDDEN)
    def test_shape_of_what_is_hidden_is_not_told(self, archive: Archive, linked: str, name: str) -> None:
        path = f"/growing/{name}"
        assert refused(archive, "meta", path, linked) == (404, ABSENT.format(path))
        names = {child["name"] for child in ask(archive, "meta", "/growing", linked)["children"]}
        assert names == {"public", "acquisition"}

    @pytest.mark.parametrize("path", ["/over/public", "/virtual/further", "/virtual/twice"])
    def test_over_a_public_file_to_an_embargoed_one_is_not(
        self, archive: Archive, linked: str, path: str
    ) -> None:
        assert refused(archive, "data", path, linked)[0] == 404

    def test_absent_data_in_a_public_source_leave_a_gap_as_in_h5py(
        self, archive: Archive, linked: str
    ) -> None:
        assert ask(archive, "data", "/virtual/gap", linked) == [-1, -1, -1, -1]

    def test_data_outside_hdf5_are_refused(self, archive: Archive, linked: str) -> None:
        assert refused(archive, "data", "/raw", linked)[0] == 422

    def test_listing_resolves_what_may_be_seen(self, archive: Archive, linked: str) -> None:
        children = ask(archive, "meta", "/external", linked)["children"]
        assert {child["name"]: child["kind"] for child in children} == {
            "public": "dataset",
            "acquisition": "dataset",
            "foreign": "external_link",
            **dict.fromkeys(HIDDEN, "external_link"),
        }


def test_other_file_than_the_vetted_one_that_hdf5_opens_is_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when a link was put in its place in between: HDF5 opens by name."""
    for folder, value in (("public", 1), ("hidden", 2)):
        (tmp_path / folder).mkdir()
        with h5py.File(tmp_path / folder / "source.h5", "w") as file:
            file["values"] = np.full(4, value)
    with h5py.File(tmp_path / "public/master.h5", "w") as file:
        layout = h5py.VirtualLayout((4,), "i8")
        layout[:] = h5py.VirtualSource("source.h5", "values", (4,))
        file.create_virtual_dataset("virtual", layout)
    query = hdf5.Query(
        root=tmp_path,
        file="public/master.h5",
        operation="data",
        path="/virtual",
        max_bytes=1000,
        allowed=frozenset({"public/source.h5"}),
    )
    read = hdf5.answer(query)
    assert isinstance(read, hdf5.Encoded)
    assert read.content == b"[1,1,1,1]"
    monkeypatch.setenv("HDF5_VDS_PREFIX", str(tmp_path / "hidden"))
    assert hdf5.answer(query) == hdf5.Refused(404, ABSENT.format("/virtual"))


class TestBadFiles:
    @pytest.mark.parametrize("content", ["text", "empty", "truncated", "garbage inside"])
    def test_is_refused(self, archive: Archive, scan: Path, content: str) -> None:
        good = scan.read_bytes()
        bad = {
            "text": b"this is no HDF5",
            "empty": b"",
            "truncated": good[: len(good) // 2],
            "garbage inside": good[:600] + os.urandom(len(good) - 600),
        }[content]
        archive.publish("bad/file.h5", bad)
        assert refused(archive, "paths", "/", "bad/file.h5")[0] in (404, 422)

    def test_group_with_ten_thousand_members(self, archive: Archive) -> None:
        path = archive.publish("bad/many.h5", b"")
        with h5py.File(path, "w") as file:
            for number in range(10_000):
                file.create_group(str(number))
        assert len(ask(archive, "meta", "/", "bad/many.h5")["children"]) == 10_000

    def test_reading_that_never_ends_is_given_up_and_others_go_on(self, archive: Archive, scan: Path) -> None:
        path = archive.publish("bad/slow.h5", b"")
        packed = zlib.compress(bytes(16_000_000), 1)
        with h5py.File(path, "w") as file:
            slow = file.create_dataset("slow", (8 * 10**10,), "u1", chunks=(16_000_000,), compression="gzip")
            for number in range(5000):
                slow.id.write_direct_chunk((number * 16_000_000,), packed)
        started = time.monotonic()
        status, detail = refused(archive, "data", "/slow", "bad/slow.h5", selection="::16000000")
        assert (status, "6 s" in detail) == (503, True)
        assert time.monotonic() - started < 20
        assert ask(archive, "data", "/entry/data/counts", selection="0:2")

    def test_chunk_that_unpacks_to_more_than_memory_is_refused(self, archive: Archive) -> None:
        path = archive.publish("bad/bomb.h5", b"")
        packer = zlib.compressobj(1)
        packed = b"".join(packer.compress(bytes(10**8)) for _ in range(5)) + packer.flush()
        with h5py.File(path, "w") as file:
            bomb = file.create_dataset("bomb", (5 * 10**8,), "u1", chunks=(5 * 10**8,), compression="gzip")
            bomb.id.write_direct_chunk((0,), packed)
        assert refused(archive, "data", "/bomb", "bad/bomb.h5", selection="0")[0] in (413, 422)
        assert ask(archive, "data", "/entry/data/counts", selection="0:2")


class TestPreview:
    def test_curve_named_by_default_and_signal(self, archive: Archive, scan: Path) -> None:
        plot = archive.get("/previews", params={"file": FILE}).json()
        assert (plot["path"], plot["shape"], plot["selection"]) == (
            "/entry/data/counts",
            [10001],
            "0:10001:6",
        )
        with h5py.File(scan) as file:
            assert plot["values"] == file["entry/data/counts"][::6].tolist()
            assert plot["axes"][0]["values"] == file["entry/data/energy"][::6].tolist()
        assert (plot["axes"][0]["name"], plot["axes"][0]["units"]) == ("energy", "keV")

    def test_images_of_old_files_are_found_without_default(self, archive: Archive) -> None:
        path = archive.publish("previews/old.h5", b"")
        frames = np.arange(4 * 600 * 100).reshape(4, 600, 100)
        with h5py.File(path, "w") as file:
            data = file.create_group("entry1/data")
            file["entry1"].attrs["NX_class"] = np.bytes_("NXentry")
            data.attrs["NX_class"] = np.bytes_("NXdata")
            data["image"] = frames
            data["image"].attrs.update({"signal": 1, "axes": "[frame,y,x]"})
            data["y"] = np.arange(600.0)
        plot = archive.get("/previews", params={"file": "previews/old.h5"}).json()
        assert (plot["path"], plot["selection"]) == ("/entry1/data/image", "2,0:600:3,0:100:1")
        assert plot["values"] == frames[2, ::3].tolist()
        assert [axis and axis["name"] for axis in plot["axes"]] == ["y", None]

    def test_a_curve_as_a_picture(self, archive: Archive, scan: Path) -> None:
        answer = archive.get("/previews", params={"file": FILE, "format": "svg"})
        assert answer.headers["Content-Type"] == "image/svg+xml"
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
        picture = ElementTree.fromstring(answer.content)
        line = picture.find("{*}polyline")
        assert line is not None
        assert len(line.attrib["points"].split()) == len(range(0, 10001, 6))
        assert {"energy (keV)"} <= {text.text for text in picture.iter("{http://www.w3.org/2000/svg}text")}

    @pytest.mark.parametrize(
        "values",
        [
            np.arange(600.0 * 100).reshape(600, 100),
            np.full((3, 4), np.nan),
            np.zeros((1, 1)),
            np.array([[1e308, -1e308], [np.inf, 0]]),
            np.array([5.0]),
            np.full(7, np.nan),
            np.array([True, False]),
            np.array([1e308, -1e308, 1.0]),
        ],
    )
    def test_whatever_the_values_the_picture_is_one(self, archive: Archive, values: Any) -> None:
        path = archive.publish("previews/odd.h5", b"")
        with h5py.File(path, "w") as file:
            file["data/x"] = values
            file["data"].attrs.update(
                {"NX_class": "NXdata", "signal": "x", "title": "<script>alert(1)</script>\x01 Å" + "a" * 200}
            )
        answer = archive.get("/previews", params={"file": "previews/odd.h5", "format": "svg"})
        assert answer.status_code == 200, answer.text
        picture = ElementTree.fromstring(answer.content)
        assert (picture.attrib["width"], picture.attrib["height"]) == ("640", "400")
        assert b"nan" not in answer.content.split(b"base64")[0]
        if values.ndim == 2:
            (image,) = picture.iter("{http://www.w3.org/2000/svg}image")
            data = base64.b64decode(image.attrib["href"].partition(",")[2])
            assert data[:8] == b"\x89PNG\r\n\x1a\n"

    @pytest.mark.parametrize(
        ("shape", "units", "ratio"),
        [
            ((2000, 1000), (None, None), 0.5),  # thinned by another step in each direction
            ((100, 300), (None, None), 3),
            ((50, 50), ("mm", "mm"), 2),
            ((50, 50), ("s", "keV"), 548 / 316),
            ((2, 900), (None, None), 548 / 316),
        ],
    )
    def test_an_image_is_true_to_scale_where_there_is_one(
        self, archive: Archive, shape: tuple[int, int], units: tuple[str | None, str | None], ratio: float
    ) -> None:
        path = archive.publish("previews/image.h5", b"")
        with h5py.File(path, "w") as file:
            file["data/x"] = np.arange(shape[0] * shape[1]).reshape(shape)
            file["data"].attrs.update({"NX_class": "NXdata", "signal": "x"})
            if units[0]:
                file["data"].attrs["axes"] = ["down", "across"]
                file["data/down"] = np.arange(float(shape[0]))
                file["data/across"] = 2 * np.arange(float(shape[1]))
                for name, unit in zip(("down", "across"), units, strict=True):
                    file[f"data/{name}"].attrs["units"] = unit
        answer = archive.get("/previews", params={"file": "previews/image.h5", "format": "svg"})
        (image,) = ElementTree.fromstring(answer.content).iter("{http://www.w3.org/2000/svg}image")
        assert float(image.attrib["width"]) / float(image.attrib["height"]) == pytest.approx(ratio, rel=0.01)
        assert float(image.attrib["x"]) + float(image.attrib["width"]) <= 640 - 16 + 0.1
        assert float(image.attrib["y"]) + float(image.attrib["height"]) <= 400 - 50 + 0.1

    def test_nothing_to_plot(self, archive: Archive) -> None:
        path = archive.publish("previews/nothing.h5", b"")
        with h5py.File(path, "w") as file:
            file["data/x"] = 1
            file["data"].attrs.update({"NX_class": "NXdata", "signal": "x"})
        response = archive.get("/previews", params={"file": "previews/nothing.h5"})
        assert (response.status_code, "@signal" in response.json()["detail"]) == (404, True)
