"""Write the demonstration facility's NeXus files: `python -m panosc_demo --output DIRECTORY`."""

import argparse
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import h5py
import numpy as np

from panosc_demo import measurements
from panosc_demo.facility import PROPOSALS, SANS, Experiment, Proposal, Sample
from panosc_demo.measurements import field, group

EDGES = {"Fe": 7.112, "Co": 7.709}  # K edges in keV
MONTH = timedelta(days=30.44)


def runs(proposal: Proposal) -> Iterator[tuple[Experiment, Sample, float]]:
    """The proposal's runs in the order in which they were measured."""
    for experiment in proposal.experiments:
        for sample in experiment.samples:
            for temperature in experiment.temperatures:
                yield experiment, sample, temperature


def measure(entry: h5py.Group, experiment: Experiment, sample: Sample, temperature: float, seed: int) -> None:
    """Fill in the data of the run as the instrument's application definition asks."""
    rng = np.random.default_rng(seed)
    match experiment.instrument.definition:
        case "NXsas":
            measurements.small_angle(entry, rng, temperature, neutrons=experiment.instrument is SANS)
        case "NXxas":
            edge = next(energy for element, energy in EDGES.items() if element in sample.formula)
            measurements.absorption(entry, rng, edge)
        case "NXtomo":
            measurements.tomography(entry, rng)
        case "NXmx":
            measurements.crystallography(entry, rng)
        case "NXtofraw":
            measurements.time_of_flight(entry, rng, temperature)


def write(path: Path, proposal: Proposal, number: int, today: datetime) -> None:
    """Write run `number` (from 1) of the proposal; the file appears under its name when it is complete."""
    experiment, sample, temperature = list(runs(proposal))[number - 1]
    instrument = experiment.instrument
    start = (
        today - proposal.months_ago * MONTH - timedelta(hours=2 * (len(list(runs(proposal))) - number + 1))
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part")
    with h5py.File(unfinished, "w") as file:
        file.attrs["default"] = "entry"
        entry = group(file, "entry", "NXentry")
        field(entry, "definition", instrument.definition)
        field(entry, "title", f"{instrument.title} of {sample.name} at {temperature:g} K")
        field(entry, "experiment_identifier", proposal.identifier)
        field(entry, "experiment_description", proposal.title)
        field(entry, "entry_identifier", f"{proposal.identifier}-{number:04d}")
        field(entry, "start_time", start.isoformat(timespec="seconds"))
        field(entry, "end_time", (start + timedelta(hours=1)).isoformat(timespec="seconds"))
        for index, person in enumerate(proposal.people):
            user = group(entry, f"user_{index}", "NXuser")
            field(user, "name", person.name)
            field(user, "affiliation", person.affiliation)
            field(user, "role", person.role)
            if person.orcid:
                field(user, "ORCID", person.orcid)
        device = group(entry, "instrument", "NXinstrument")
        field(device, "name", instrument.name)
        source = group(device, "source", "NXsource")
        field(source, "name", instrument.source)
        field(source, "probe", instrument.probe)
        field(
            source,
            "type",
            "Spallation Neutron Source" if instrument.probe == "neutron" else "Synchrotron X-ray Source",
        )
        specimen = group(entry, "sample", "NXsample")
        field(specimen, "name", sample.name)
        field(specimen, "chemical_formula", sample.formula)
        field(specimen, "description", sample.description)
        field(specimen, "temperature", temperature, "K")
        # The seed is the run's own, so that a file is the same whenever it is written.
        measure(
            entry,
            experiment,
            sample,
            temperature,
            seed=int.from_bytes(f"{proposal.identifier}{number}".encode()),
        )
    os.replace(unfinished, path)


def main() -> None:
    """Write every run of every proposal that is not there yet."""
    parser = argparse.ArgumentParser(prog="panosc_demo", description=__doc__)
    parser.add_argument(
        "--output", type=Path, required=True, help="folder to write to; existing files are kept"
    )
    output: Path = parser.parse_args().output
    today = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    written = kept = 0
    for proposal in PROPOSALS:
        for number, (experiment, _, _) in enumerate(runs(proposal), start=1):
            name = f"{experiment.instrument.name.lower()}_{number:04d}.nxs"
            path = output / proposal.identifier / experiment.instrument.name / name
            if path.exists():
                kept += 1
                continue
            write(path, proposal, number, today)
            written += 1
    print(f"demo data in {output}: {written} files written, {kept} already there")


if __name__ == "__main__":
    main()
