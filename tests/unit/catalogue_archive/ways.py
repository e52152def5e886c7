"""Every way in which the archive and the catalogue show data, in one table each, and what it shows."""

import io
import json
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2
from panosc_catalogue.pages import formats
from unit.catalogue_archive.world import FILES, State

Right = Callable[[httpx2.Response, State, int, Path], bool]
"""Whether an answer shows what it should of a dataset in this state, or its file of this number."""


@dataclass(frozen=True)
class Way:
    """A request about one dataset, or one of its files."""

    target: str
    """With `{name}`, `{title}` and `{pid}` of the state, and the number `{n}` of the file."""
    right: Right
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    resource: str = ""
    """What is to be signed; else nothing is sent along."""
    is_linkable: bool = False

    def url(self, state: State, number: int) -> str:
        return _filled(self.target, state, number)

    def body(self, state: State, number: int) -> Any:
        return {"resource": _filled(self.resource, state, number)} if self.resource else None


def _filled(text: str, state: State, number: int) -> str:
    pid = quote(state.pid, safe="")
    return text.format(name=state.name, title=state.title, pid=pid, n=number)


def _bytes(state: State, number: int, root: Path) -> bytes:
    return (root / state.file(number)).read_bytes()


def _file(answer: httpx2.Response, state: State, number: int, root: Path) -> bool:
    return answer.status_code == 200 and answer.content == _bytes(state, number, root)


def _head(answer: httpx2.Response, state: State, number: int, root: Path) -> bool:
    length = str(len(_bytes(state, number, root)))
    return (answer.status_code, answer.content, answer.headers["Content-Length"]) == (200, b"", length)


def _range(answer: httpx2.Response, state: State, number: int, root: Path) -> bool:
    return (answer.status_code, answer.content) == (206, _bytes(state, number, root)[10:20])


def _shared(answer: httpx2.Response, state: State, number: int, root: Path) -> bool:
    return answer.status_code == 200 and answer.content == (root / state.shared).read_bytes()


def _listing(answer: httpx2.Response, state: State, number: int, root: Path) -> bool:
    names = sorted(state.file(one).rpartition("/")[2] for one in range(FILES))
    return answer.status_code == 200 and [one["name"] for one in answer.json()["entries"]] == names


def _dataset(answer: httpx2.Response, state: State, number: int, root: Path) -> bool:
    return answer.status_code == 200 and [one["path"] for one in answer.json()["files"]] == state.files


def _zip(answer: httpx2.Response, state: State, number: int, root: Path) -> bool:
    if answer.status_code != 200:
        return False
    with zipfile.ZipFile(io.BytesIO(answer.content)) as bundle:
        content = sorted(map(bundle.read, bundle.namelist()))
    return content == sorted((root / path).read_bytes() for path in state.files)


def _tar(answer: httpx2.Response, state: State, number: int, root: Path) -> bool:
    if answer.status_code != 200:
        return False
    with tarfile.open(fileobj=io.BytesIO(answer.content)) as bundle:
        files = [bundle.extractfile(one) for one in bundle.getmembers() if one.isfile()]
        content = sorted(one.read() for one in files if one)
    return content == sorted((root / path).read_bytes() for path in state.files)


def _counts(answer: httpx2.Response, state: State, number: int, root: Path) -> bool:
    return answer.status_code == 200 and answer.json() == [number, 1, 4]


def _titled(answer: httpx2.Response, state: State, number: int, root: Path) -> bool:
    return answer.status_code == 200 and state.title in answer.text


def _signed(answer: httpx2.Response, state: State, number: int, root: Path) -> bool:
    return answer.status_code == 201 and (answer.json()["reasons"] == []) == state.is_public


def _status(status: int) -> Right:
    return lambda answer, state, number, root: answer.status_code == status


FILE, SHARED, DATASET = "/files/{name}/run{n}.nxs", "/files/shared/{name}.nxs", "/datasets/{pid}"
IN_FILE = "file={name}/run{n}.nxs"
ARCHIVE = {
    "file": Way(FILE, _file, is_linkable=True),
    "HEAD of a file": Way(FILE, _head, "HEAD", is_linkable=True),
    "part of a file": Way(FILE, _range, headers={"Range": "bytes=10-19"}, is_linkable=True),
    "file if it is new": Way(FILE, _status(304), headers={"If-None-Match": "*"}, is_linkable=True),
    "file if it is another": Way(FILE, _status(412), headers={"If-Match": '"x"'}, is_linkable=True),
    "part behind its end": Way(FILE, _status(416), headers={"Range": "bytes=999999-"}, is_linkable=True),
    "file and its digest": Way(FILE, _file, headers={"Want-Repr-Digest": "sha-256=1"}, is_linkable=True),
    "file among others'": Way(SHARED, _shared, is_linkable=True),
    "folder": Way("/files/{name}/", _listing, is_linkable=True),
    "HEAD of a folder": Way("/files/{name}", _status(200), "HEAD", is_linkable=True),
    "page of a folder": Way("/files/{name}?after=a&limit=1000", _listing, is_linkable=True),
    "files of a dataset": Way(DATASET, _dataset),
    "zip": Way(f"{DATASET}/bundle.zip", _zip, is_linkable=True),
    "HEAD of a zip": Way(f"{DATASET}/bundle.zip", _status(200), "HEAD", is_linkable=True),
    "tar": Way(f"{DATASET}/bundle.tar", _tar, is_linkable=True),
    "slice": Way(f"/hdf5/data/?{IN_FILE}&path=/entry/{{title}}/counts", _counts),
    "structure": Way(f"/hdf5/meta/?{IN_FILE}&path=/entry", _titled),
    "attributes": Way(f"/hdf5/attr/?{IN_FILE}&path=/entry", _titled),
    "paths": Way(f"/hdf5/paths/?{IN_FILE}", _titled),
    "statistics": Way(f"/hdf5/stats/?{IN_FILE}&path=/entry/{{title}}/counts", _status(200)),
    "slice by a public file": Way("/hdf5/data/?file=open/run0.nxs&path=/to {name}/title", _titled),
    "preview": Way(f"/previews?{IN_FILE}", _titled),
    "picture": Way(f"/previews?{IN_FILE}&format=svg", _titled),
    "link to a file": Way("/links", _signed, "POST", resource=FILE),
    "link to a folder": Way("/links", _signed, "POST", resource="/files/{name}/"),
    "link to a bundle": Way("/links", _signed, "POST", resource=f"{DATASET}/bundle.zip"),
}
assert len(ARCHIVE) < FILES
FOLDERS: dict[str, Callable[[State], str]] = {
    "/files": lambda state: state.name,
    "/files/": lambda state: state.name,
    "/files/shared/": lambda state: f"{state.name}.nxs",
}
"""Folders with something of every state, and its name there."""


@dataclass(frozen=True)
class Record:
    """A request to the catalogue about one dataset, or the proposal that it is of."""

    target: str
    """With `{name}`, `{pid}` and `{path}`: the pid as a path."""
    status: int = 200
    """Of the answer to whom it is shown."""
    harvested: bool = False
    """It shows what is public, whoever asks."""
    is_page: bool = False
    """It has a tombstone of what was public once."""
    is_proposal: bool = False
    """It is there whatever its dataset is in; only proprietary beamtime is hidden."""
    names_data: bool = True
    """It names the dataset where it shows it."""


def _json(value: Any) -> str:
    return quote(json.dumps(value))


_WITH_DATASETS = _json({"include": [{"relation": "datasets", "scope": {}}]})
_WITH_ANY = _json({"include": [{"relation": "datasets", "scope": {"where": {"pid": {"neq": ""}}}}]})
_IN_FULL = _json(
    {"include": [{"relation": one} for one in ("documents", "files", "parameters", "samples", "instrument")]}
)
OF_DATASETS = {formats.HTML, formats.JSON_LD, formats.LINKSET}
"""Forms in which a proposal names its datasets."""
OF_FILES = {formats.LINKSET, formats.FILE_LIST}
"""Forms in which a dataset has addresses alone."""


def _plan(form: str) -> Record:
    target = f"/dmp/{{name}}?format={form}"
    return Record(target, is_proposal=True, harvested=True, names_data=False)


_OAI = "/oai?metadataPrefix="
CATALOGUE = [
    Record("/api/Datasets/{pid}?filter=" + _IN_FULL.replace("{", "{{").replace("}", "}}")),
    Record("/api/Datasets/{pid}/files", names_data=False),
    Record("/api/Datasets/{pid}/files/count", names_data=False),
    Record(f"/api/Documents/{{name}}?filter={_WITH_DATASETS}", is_proposal=True),
    *(
        Record(f"/datasets/{{path}}?format={form.name}", is_page=True, names_data=form not in OF_FILES)
        for form in formats.ALL
    ),
    *(
        Record(f"/documents/{{name}}?format={form.name}", is_proposal=True, names_data=form in OF_DATASETS)
        for form in formats.ALL
    ),
    Record("/doi/10.5072/{name}", 302, harvested=True),
    _plan("html"),
    _plan("json"),
]
TOGETHER: dict[str, bool] = {
    "/api/Datasets": False,
    "/api/Datasets?query=title": False,
    f"/api/Documents?filter={_WITH_DATASETS}": False,
    f"/api/Instruments?filter={_WITH_DATASETS}": False,
    f"/api/Instruments/I?filter={_WITH_DATASETS}": False,
    "/": False,
    "/search": False,
    "/search?format=csv": False,
    f"{_OAI}oai_dc&verb=ListRecords": True,
    f"{_OAI}oai_datacite&verb=ListRecords": True,
    f"{_OAI}oai_dc&verb=ListIdentifiers": True,
}
"""Lists of datasets, and whether they show what is public, whoever asks."""
COUNTS: dict[str, Callable[[list[State]], int]] = {
    "/api/Datasets/count": len,
    f"/api/Documents/count?filter={_WITH_ANY}": len,
    f"/api/Instruments/count?filter={_WITH_ANY}": lambda seen: len({one.instrument for one in seen}),
}
"""Counts, and what they are of what somebody sees."""
