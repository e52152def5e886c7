"""Read one NeXus file.

Files are as their writers left them: several entries or none, classes missing, links that lead nowhere, in a
circle or out of the file, text in any encoding. Nothing of that is an error; what cannot be understood is
left out. The work per file is bounded, however many objects it holds. Nothing is read from other files, be it
by external links, external storage or virtual datasets: what they lead to has a place of its own in the
catalogue, or must not be published at all.
"""

import os
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path

import h5py

from panosc_catalogue.nexus import techniques, values
from panosc_catalogue.nexus.record import FoundSample, NexusRecord, NotReadable, Reason, User
from panosc_catalogue.nexus.values import READ_ERRORS
from panosc_catalogue.records import Parameter

MAX_OBJECTS = 5_000
"""Objects that are looked at in one file."""
MAX_PARAMETERS = 300
"""Quantities that are kept of one file."""
MAX_ENTRIES = 100
"""Entries that are looked at in one file."""
MAX_DEPTH = 8
"""Groups in one another."""
MAX_THINGS = 50
"""Users, and samples, that are kept of one file."""
MAX_NAME = 500
"""Characters of the path of a quantity that is kept."""

# Quantities that are asked for by these names everywhere: (class of the group, name of the field) -> name.
WELL_KNOWN = {
    ("NXmonochromator", "wavelength"): "wavelength",
    ("NXbeam", "incident_wavelength"): "wavelength",
    ("NXcrystal", "wavelength"): "wavelength",
    ("NXmonochromator", "energy"): "incident_energy",
    ("NXbeam", "incident_energy"): "incident_energy",
    ("NXsample", "temperature"): "sample_temperature",
    ("NXsample", "pressure"): "sample_pressure",
    ("NXsample", "magnetic_field"): "sample_magnetic_field",
    ("NXsample", "electric_field"): "sample_electric_field",
    ("NXsource", "current"): "source_current",
    ("NXsource", "energy"): "source_energy",
    ("NXdetector", "distance"): "detector_distance",
    ("NXdetector", "detector_distance"): "detector_distance",
}
_PLACEHOLDERS = frozenset({"unknown", "unnamed sample", "no description provided.", "none", "n/a", "-"})


def read(path: Path) -> NexusRecord:
    """The metadata in the file, whose path must be free of symbolic links.

    Raises NotReadable.
    """
    with _opened(path) as held:
        _check_kind(held)
        try:
            with _open(held) as file:
                return _Reading(file).record()
        except NotReadable:
            raise
        except READ_ERRORS as error:
            message = f"the HDF5 library fails on it ({_first_line(error)}); compare it with the original"
            raise NotReadable(Reason.DAMAGED, message) from error


@contextmanager
def _opened(path: Path) -> Iterator[Path]:
    """The file under a name that leads to it whatever becomes of its path meanwhile.

    A link that took the file's place, or a directory's on the way, since it was found could lead to any file.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError as error:
        raise _unreadable(error) from error
    try:
        held = Path(f"/proc/self/fd/{descriptor}")
        if held.readlink() != path:
            raise NotReadable(Reason.UNREADABLE, "a symbolic link leads to it; put the file in its place")
        yield held
    finally:
        os.close(descriptor)


def _unreadable(error: OSError) -> NotReadable:
    return NotReadable(Reason.UNREADABLE, f"{error.strerror or error}; let the ingest's user read it")


def _check_kind(path: Path) -> None:
    try:
        with path.open("rb") as stream:
            head = stream.read(16)
    except OSError as error:
        raise _unreadable(error) from error
    if not head:
        raise NotReadable(Reason.EMPTY, "the file has no bytes; write it again or remove it")
    try:
        is_hdf5 = h5py.is_hdf5(path)
    except READ_ERRORS as error:
        raise NotReadable(
            Reason.UNREADABLE, f"{_first_line(error)}; let the ingest's user read it"
        ) from error
    if is_hdf5:
        return
    if head.startswith(b"\x0e\x03\x13\x01"):
        raise NotReadable(Reason.NOT_HDF5, "NeXus in HDF4; convert it with nxconvert")
    if head.lstrip().startswith(b"<?xml"):
        raise NotReadable(Reason.NOT_HDF5, "NeXus in XML; convert it with nxconvert")
    raise NotReadable(
        Reason.NOT_HDF5, "no HDF5 file; rename it so that no include pattern of the source matches"
    )


def _open(path: Path) -> h5py.File:
    try:
        # Without locks: the archive is mounted read-only, and a writer must not be disturbed.
        return h5py.File(path, "r", locking=False)
    except OSError as error:
        message = _first_line(error)
    if "truncated" in message:
        remedy = "the file ends too early: transfer it again"
        raise NotReadable(Reason.TRUNCATED, f"{remedy} ({message})")
    if "already open for write" in message:
        try:
            return h5py.File(path, "r", swmr=True, locking=False)
        except OSError as error:
            message = f"{_first_line(error)}; close it, or use h5clear -s if its writer crashed"
            raise NotReadable(Reason.DAMAGED, message) from error
    raise NotReadable(Reason.DAMAGED, f"the HDF5 library cannot open it ({message}); transfer it again")


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:300]


@dataclass
class _Reading:
    """Collects what the entries of an open file say."""

    file: h5py.File
    objects: int = 0
    titles: list[str] = field(default_factory=list)
    proposals: list[str] = field(default_factory=list)
    descriptions: list[str] = field(default_factory=list)
    times: list[datetime] = field(default_factory=list)
    starts: list[datetime] = field(default_factory=list)
    instruments: list[str] = field(default_factory=list)
    probes: list[str] = field(default_factory=list)
    statements: list[str] = field(default_factory=list)
    users: dict[str, User] = field(default_factory=dict)
    samples: dict[str, FoundSample] = field(default_factory=dict)
    named: dict[str, Parameter] = field(default_factory=dict)
    others: dict[str, Parameter] = field(default_factory=dict)
    seen: set[tuple[int, int]] = field(default_factory=set)

    def record(self) -> NexusRecord:
        entries = self.entries()
        if not entries:
            message = (
                "no NXentry of its own in it; leave it out by the source's include patterns if none is meant"
            )
            raise NotReadable(Reason.NO_ENTRY, message)
        for entry in entries:
            self.entry(entry)
        written = values.instant(values.attribute(self.file, "file_time"))
        probe = techniques.probe_of(*self.probes)
        parameters = [*self.named.values(), *self.others.values()][:MAX_PARAMETERS]
        return NexusRecord(
            title=_first(self.titles),
            proposal=_first(self.proposals),
            proposal_title=_first(self.descriptions),
            start=min(self.starts, default=None),
            end=max(self.times, default=written),
            instrument=_first(self.instruments),
            probe=probe or None,
            techniques=techniques.identify(self.statements, probe),
            samples=tuple(self.samples.values()),
            users=tuple(self.users.values()),
            parameters=tuple(parameters),
        )

    def entries(self) -> list[h5py.Group]:
        """The file's entries, the default one first."""
        groups = [(name, group) for name, group in self.children(self.file) if isinstance(group, h5py.Group)]
        found = [(name, group) for name, group in groups if _class(group) == "NXentry"]
        if not found:
            # Files without classes: what has the fields of an entry is one.
            marks = ("title", "definition", "start_time", "end_time", "instrument")
            found = [(name, group) for name, group in groups if any(mark in group for mark in marks)]
        default = values.attribute(self.file, "default")
        found.sort(key=lambda pair: pair[0] != default)
        return [group for _, group in found[:MAX_ENTRIES]]

    def children(self, group: h5py.Group) -> Iterator[tuple[str, h5py.Group | h5py.Dataset]]:
        """What a group holds itself: not through links, each group once, while the file's bound lasts."""
        for name in group:
            if self.objects >= MAX_OBJECTS:
                return
            self.objects += 1
            if not isinstance(name, str):
                continue  # no UTF-8: h5py gives such a name as bytes
            try:
                if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                    continue
                child = group[name]
                status = h5py.h5o.get_info(child.id)
            except READ_ERRORS:
                continue
            if isinstance(child, h5py.Dataset):
                yield name, child
            elif isinstance(child, h5py.Group) and (status.fileno, status.addr) not in self.seen:
                self.seen.add((status.fileno, status.addr))
                yield name, child

    def own(self, group: h5py.Group, name: str) -> h5py.Dataset | None:
        """The dataset of this name, if it is in this file; soft links are followed inside the file.

        Raises one of READ_ERRORS.
        """
        link = group.get(name, getlink=True)
        if link is None or isinstance(link, h5py.ExternalLink):
            return None
        child = group[name]
        is_own = isinstance(child, h5py.Dataset) and child.file.filename == self.file.filename
        return child if is_own else None

    def field(self, group: h5py.Group, *names: str) -> str | None:
        """The text of the first of these fields that has one."""
        for name in names:
            try:
                child = self.own(group, name)
                if child is not None:
                    number = values.dataset_number(child)
                    found = values.dataset_text(child) if number is None else f"{number:g}"
                    if found and found.casefold() not in _PLACEHOLDERS:
                        return found
            except READ_ERRORS:
                continue
        return None

    def entry(self, entry: h5py.Group) -> None:
        """Collect from an entry, level by level, so that what stands higher is found within the bound."""
        self.head(entry)
        pending = deque([("", entry, 0)])
        while pending:
            path, group, depth = pending.popleft()
            nx_class = _class(group)
            for name, child in self.children(group):
                place = f"{path}/{name}" if path else name
                if isinstance(child, h5py.Dataset):
                    self.quantity(nx_class, name, place, child)
                    continue
                self.group(name, child)
                if depth < MAX_DEPTH:
                    pending.append((place, child, depth + 1))

    def head(self, entry: h5py.Group) -> None:
        """The fields of an NXentry or NXsubentry itself."""
        for names, found in (
            (("title",), self.titles),
            (("experiment_identifier", "proposal_identifier", "proposal_id"), self.proposals),
            (("experiment_description",), self.descriptions),
            (("definition",), self.statements),
        ):
            if value := self.field(entry, *names):
                found.append(value)
        start = values.instant(self.field(entry, "start_time"))
        end = values.instant(self.field(entry, "end_time"))
        if start:
            self.starts.append(start)
            if end is None:
                end = start + self.duration(entry)
        if end:
            self.times.append(end)
        for name in islice(entry, MAX_OBJECTS):
            if (
                isinstance(name, str)
                and name.startswith("identifier_technique")
                and (value := self.field(entry, name))
            ):
                self.statements.append(value)

    def duration(self, entry: h5py.Group) -> timedelta:
        """How long the entry says that it took, in seconds if it names no unit; at most a year."""
        try:
            dataset = self.own(entry, "duration")
            if dataset is None:
                return timedelta()
            seconds = values.dataset_number(dataset) or 0.0
            scale = {
                "min": 60,
                "minute": 60,
                "minutes": 60,
                "h": 3600,
                "hour": 3600,
                "hours": 3600,
                "ms": 1e-3,
            }
            seconds *= scale.get(values.unit(dataset) or "s", 1)
        except READ_ERRORS:
            return timedelta()
        return timedelta(seconds=min(max(seconds, 0.0), 366 * 86400.0))

    def group(self, name: str, group: h5py.Group) -> None:
        """What a group says by its class; where classes are missing, by its name."""
        nx_class = _class(group) or {"instrument": "NXinstrument", "sample": "NXsample"}.get(name, "")
        if nx_class == "NXsubentry":
            self.head(group)
        elif nx_class == "NXinstrument":
            if found := self.field(group, "name", "short_name", "beamline"):
                self.instruments.append(found)
        elif nx_class == "NXsource":
            self.probes.extend(found for key in ("probe", "type") if (found := self.field(group, key)))
        elif nx_class == "NXsample" and len(self.samples) < MAX_THINGS:
            self.sample(group)
        elif nx_class == "NXuser" and len(self.users) < MAX_THINGS and (user := self.field(group, "name")):
            self.users.setdefault(
                user,
                User(
                    name=user,
                    role=self.field(group, "role"),
                    affiliation=self.field(group, "affiliation"),
                    orcid=self.field(group, "ORCID", "orcid", "identifier_orcid"),
                    identifier=self.field(group, "facility_user_id"),
                ),
            )

    def sample(self, group: h5py.Group) -> None:
        name = self.field(group, "name")
        if name:
            found = FoundSample(
                name=name,
                identifier=self.field(group, "sample_id", "identifier"),
                description=self.field(group, "description"),
            )
            self.samples.setdefault(found.identifier or name, found)
        if formula := self.field(group, "chemical_formula"):
            self.named.setdefault("chemical_formula", Parameter(name="chemical_formula", value=formula))

    def quantity(self, nx_class: str, name: str, place: str, dataset: h5py.Dataset) -> None:
        if len(self.others) >= MAX_PARAMETERS:
            return
        try:
            number = values.dataset_number(dataset)
            if number is None:
                return
            unit = values.unit(dataset)
        except READ_ERRORS:
            return
        if known := WELL_KNOWN.get((nx_class, name)):
            self.named.setdefault(known, Parameter(name=known, value=number, unit=unit))
        if len(place) <= MAX_NAME:
            self.others.setdefault(place, Parameter(name=place, value=number, unit=unit))


def _class(group: h5py.Group) -> str:
    return values.attribute(group, "NX_class") or ""


def _first(found: list[str]) -> str | None:
    return next(iter(found), None)
