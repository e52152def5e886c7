"""The data of one run as each application definition wants them: plausible physics, small files.

Each function fills an open NXentry. Intensities are photon or neutron counts with Poisson noise.
Definitions: https://manual.nexusformat.org/classes/applications/
"""

import h5py
import numpy as np

# hc in keV·Å: photon energy (keV) = HC / wavelength (Å).
HC = 12.398419843


def group(parent: h5py.Group, name: str, nx_class: str) -> h5py.Group:
    """A child group with its NeXus class."""
    child = parent.create_group(name)
    child.attrs["NX_class"] = nx_class
    return child


def field(parent: h5py.Group, name: str, value: object, units: str | None = None) -> None:
    """A dataset with its units; arrays of more than a kilobyte are compressed."""
    compression = "gzip" if isinstance(value, np.ndarray) and value.nbytes > 1024 else None
    parent.create_dataset(name, data=value, compression=compression)
    if units is not None:
        parent[name].attrs["units"] = units


def plot(entry: h5py.Group, signal: str, axes: list[str]) -> None:
    """Make `entry/data` the default plot of its signal over its axes."""
    entry.attrs["default"] = "data"
    entry["data"].attrs["signal"] = signal
    entry["data"].attrs["axes"] = axes


def small_angle(entry: h5py.Group, rng: np.random.Generator, temperature: float, neutrons: bool) -> None:
    """NXsas: form factor of spheres on a square detector."""
    wavelength = 6.0 if neutrons else 1.0
    distance = 8.0 if neutrons else 3.0
    size, pixel = 256, 0.0075 if neutrons else 0.001
    instrument = entry["instrument"]
    beam = group(instrument, "monochromator", "NXmonochromator")
    field(beam, "wavelength", wavelength, "angstrom")
    if not neutrons:
        field(beam, "energy", HC / wavelength, "keV")
    detector = group(instrument, "detector", "NXdetector")
    field(detector, "distance", distance, "m")
    field(detector, "x_pixel_size", pixel, "m")
    field(detector, "y_pixel_size", pixel, "m")
    y, x = np.indices((size, size)) - size / 2 + 0.5
    q = 4 * np.pi / wavelength * np.sin(0.5 * np.arctan(np.hypot(x, y) * pixel / distance))
    radius = 90.0 + 0.2 * (temperature - 293.0)  # Å
    qr = q * radius
    form = (3 * (np.sin(qr) - qr * np.cos(qr)) / qr**3) ** 2
    field(detector, "data", rng.poisson(2000 * form + 1).astype(np.uint32), "counts")
    data = group(entry, "data", "NXdata")
    data["data"] = h5py.SoftLink(f"{entry.name}/instrument/detector/data")
    plot(entry, "data", [".", "."])


def absorption(entry: h5py.Group, rng: np.random.Generator, edge: float) -> None:
    """NXxas: absorption around an edge at `edge` keV."""
    energy = np.linspace(edge - 0.15, edge + 0.6, 500)
    above = np.clip(energy - edge, 0, None)
    mu = (
        1
        / (1 + np.exp(-(energy - edge) / 0.0015))
        * (1 + 0.15 * np.sin(60 * np.sqrt(above)) * np.exp(-4 * above))
    )
    instrument = entry["instrument"]
    incoming = rng.poisson(np.full(energy.shape, 1e6)).astype(np.uint32)
    transmitted = rng.poisson(1e6 * np.exp(-mu)).astype(np.uint32)
    field(group(instrument, "monochromator", "NXmonochromator"), "energy", energy, "keV")
    field(group(instrument, "incoming_beam", "NXdetector"), "data", incoming, "counts")
    field(group(instrument, "absorbed_beam", "NXdetector"), "data", transmitted, "counts")
    monitor = group(entry, "monitor", "NXmonitor")
    field(monitor, "mode", "monitor")
    field(monitor, "preset", 1.0, "s")
    data = group(entry, "data", "NXdata")
    data["energy"] = h5py.SoftLink(f"{entry.name}/instrument/monochromator/energy")
    data["absorbed_beam"] = h5py.SoftLink(f"{entry.name}/instrument/absorbed_beam/data")
    field(data, "mode", "Transmission")
    plot(entry, "absorbed_beam", ["energy"])


def tomography(entry: h5py.Group, rng: np.random.Generator) -> None:
    """NXtomo: projections of a spiral shell over half a turn, with flat and dark fields."""
    size, angles = 96, np.linspace(0, 180, 45, endpoint=False)
    y, x = np.indices((size, size)) - size / 2
    shell = (np.hypot(x, y) < 40) & (np.sin(np.hypot(x, y) / 3 - np.arctan2(y, x)) > 0)
    frames = []
    for angle in angles:
        rotated = x * np.cos(np.radians(angle)) - y * np.sin(np.radians(angle))
        columns = np.histogram(rotated[shell], bins=size, range=(-size / 2, size / 2))[0]
        frames.append(rng.poisson(5000 * np.exp(-0.03 * np.tile(columns, (size, 1)))))
    flat, dark = rng.poisson(5000, (size, size)), rng.poisson(20, (size, size))
    detector = group(entry["instrument"], "detector", "NXdetector")
    field(detector, "data", np.array([dark, flat, *frames], dtype=np.uint16), "counts")
    field(detector, "image_key", np.array([2, 1] + [0] * len(angles), dtype=np.int8))
    field(detector, "x_pixel_size", 6.5, "um")
    field(detector, "distance", 0.12, "m")
    field(entry["sample"], "rotation_angle", np.array([0.0, 0.0, *angles]), "degree")
    beam = group(entry["instrument"], "beam", "NXbeam")
    field(beam, "incident_energy", 25.0, "keV")
    data = group(entry, "data", "NXdata")
    data["data"] = h5py.SoftLink(f"{entry.name}/instrument/detector/data")
    plot(entry, "data", [".", ".", "."])


def crystallography(entry: h5py.Group, rng: np.random.Generator) -> None:
    """NXmx: ten rotation images with Bragg spots on a falling background."""
    size, images = 192, 10
    y, x = np.indices((size, size)) - size / 2
    background = 8 * np.exp(-np.hypot(x, y) / 60)
    stack = rng.poisson(background, (images, size, size)).astype(np.uint32)
    for image in stack:
        rows, columns = rng.integers(4, size - 4, 60), rng.integers(4, size - 4, 60)
        image[rows, columns] += rng.poisson(800, 60).astype(np.uint32)
    detector = group(entry["instrument"], "detector", "NXdetector")
    field(detector, "data", stack, "counts")
    field(detector, "distance", 0.2, "m")
    field(detector, "beam_center_x", size / 2, "pixel")
    field(detector, "beam_center_y", size / 2, "pixel")
    beam = group(entry["instrument"], "beam", "NXbeam")
    field(beam, "incident_wavelength", 0.9763, "angstrom")
    field(beam, "incident_energy", HC / 0.9763, "keV")
    field(entry["sample"], "unit_cell", np.array([79.1, 79.1, 37.9, 90.0, 90.0, 90.0]))
    data = group(entry, "data", "NXdata")
    data["data"] = h5py.SoftLink(f"{entry.name}/instrument/detector/data")
    plot(entry, "data", [".", ".", "."])


def time_of_flight(entry: h5py.Group, rng: np.random.Generator, temperature: float) -> None:
    """NXtofraw: counts over detectors and time of flight, an elastic line and two side bands."""
    detectors, edges = 64, np.linspace(1000, 9000, 401)
    centre = (edges[1:] + edges[:-1]) / 2
    lines = np.exp(-(((centre - 5000) / 90) ** 2))
    for side in (-1, 1):
        lines = lines + 0.2 * temperature / 300 * np.exp(-(((centre - 5000 - side * 900) / 200) ** 2))
    counts = rng.poisson(80 * lines, (detectors, centre.size)).astype(np.uint32)
    field(entry, "run_number", int(rng.integers(10000, 99999)))
    field(entry, "pre_sample_flightpath", 12.0, "m")
    bank = group(entry["instrument"], "detector", "NXdetector")
    field(bank, "data", counts, "counts")
    field(bank, "detector_number", np.arange(1, detectors + 1))
    field(bank, "time_of_flight", edges, "us")
    field(bank, "polar_angle", np.linspace(5, 135, detectors), "degree")
    monochromator = group(entry["instrument"], "monochromator", "NXmonochromator")
    field(monochromator, "energy", 35.0, "meV")
    data = group(entry, "data", "NXdata")
    data["data"] = h5py.SoftLink(f"{entry.name}/instrument/detector/data")
    data["time_of_flight"] = h5py.SoftLink(f"{entry.name}/instrument/detector/time_of_flight")
    plot(entry, "data", [".", "time_of_flight"])
