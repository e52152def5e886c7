"""Who measured what at the demonstration facility: instruments, proposals and their experiments.

The facility and its people are invented. Ages are given in months before today, so that with an embargo of
36 months some proposals are always open and some are always under embargo.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Instrument:
    """A beamline: `definition` is the NeXus application definition of the files that it writes."""

    name: str
    title: str
    definition: str
    probe: str
    source: str


@dataclass(frozen=True)
class Sample:
    """What is measured; `formula` in Hill notation."""

    name: str
    formula: str
    description: str


@dataclass(frozen=True)
class Experiment:
    """Runs of one instrument on some samples; `temperatures` in kelvin, one run for each and sample."""

    instrument: Instrument
    samples: tuple[Sample, ...]
    temperatures: tuple[float, ...]


@dataclass(frozen=True)
class Person:
    """A member of a proposal; not everybody has an ORCID."""

    name: str
    affiliation: str
    role: str
    orcid: str | None = None


@dataclass(frozen=True)
class Proposal:
    """Beamtime of a team; `months_ago` tells when it ended."""

    identifier: str
    title: str
    summary: str
    months_ago: int
    people: tuple[Person, ...]
    experiments: tuple[Experiment, ...]


XRAY_SOURCE = "Aurora Storage Ring"
NEUTRON_SOURCE = "Aurora Spallation Source"

SAXS = Instrument("A-SAXS", "Small-angle X-ray scattering", "NXsas", "x-ray", XRAY_SOURCE)
XAS = Instrument("A-XAS", "X-ray absorption spectroscopy", "NXxas", "x-ray", XRAY_SOURCE)
TOMO = Instrument("A-TOMO", "X-ray microtomography", "NXtomo", "x-ray", XRAY_SOURCE)
MX = Instrument("A-MX", "Macromolecular crystallography", "NXmx", "x-ray", XRAY_SOURCE)
SANS = Instrument("N-SANS", "Small-angle neutron scattering", "NXsas", "neutron", NEUTRON_SOURCE)
TOF = Instrument("N-TOF", "Neutron time-of-flight spectroscopy", "NXtofraw", "neutron", NEUTRON_SOURCE)

SILICA = Sample("silica-nanoparticles", "O2Si", "Monodisperse silica spheres in water, 1 vol%")
MICELLES = Sample("sds-micelles", "C12H25NaO4S", "Sodium dodecyl sulfate above its critical concentration")
MAGNETITE = Sample("magnetite", "Fe3O4", "Magnetite powder, pressed pellet")
HEMATITE = Sample("hematite", "Fe2O3", "Hematite powder, pressed pellet")
BATTERY = Sample("nmc-electrode", "CoLiMnNiO2", "Cathode of a cycled pouch cell")
FOSSIL = Sample("ammonite", "CCaO3", "Jurassic ammonite, 12 mm")
LYSOZYME = Sample("lysozyme", "C613H959N193O185S10", "Hen egg white lysozyme, tetragonal crystal")
FERRITE = Sample("yttrium-iron-garnet", "Fe5O12Y3", "Single crystal, 2 g")

# The ORCID is the one that ORCID itself gives to an invented person.
ADA = Person("Ada Marsh", "University of Northgate", "principal investigator", orcid="0000-0002-1825-0097")
BEN = Person("Ben Okafor", "Institute of Soft Matter", "principal investigator")
CHI = Person("Chiara Lindqvist", "Aurora Light and Neutron Source", "local contact")
DEV = Person("Dev Raman", "Museum of Earth History", "principal investigator")

PROPOSALS = (
    Proposal(
        "SC-1001",
        "Structure of silica nanoparticles across the drying transition",
        "Small-angle scattering of the same silica dispersion with X-rays and with neutrons.",
        60,
        (BEN, CHI),
        (Experiment(SAXS, (SILICA,), (293.0, 313.0, 333.0)), Experiment(SANS, (SILICA,), (293.0, 333.0))),
    ),
    Proposal(
        "MA-1042",
        "Iron oxidation states in natural oxides",
        "Fe K-edge spectra of magnetite and hematite between 20 K and room temperature.",
        48,
        (ADA, CHI),
        (Experiment(XAS, (MAGNETITE, HEMATITE), (20.0, 77.0, 295.0)),),
    ),
    Proposal(
        "ES-1077",
        "Growth lines of Jurassic ammonites",
        "Microtomography of shells without opening them.",
        40,
        (DEV, CHI),
        (Experiment(TOMO, (FOSSIL,), (295.0,)),),
    ),
    Proposal(
        "LS-2003",
        "Radiation damage in lysozyme crystals",
        "Rotation data at increasing dose.",
        37,
        (ADA,),
        (Experiment(MX, (LYSOZYME,), (100.0, 200.0)),),
    ),
    Proposal(
        "HC-2218",
        "Magnon dispersion of yttrium iron garnet",
        "Time-of-flight spectroscopy below and above the transition.",
        20,
        (BEN, CHI),
        (Experiment(TOF, (FERRITE,), (5.0, 300.0, 570.0)),),
    ),
    Proposal(
        "CH-2301",
        "Ageing of battery cathodes under fast charging",
        "Absorption spectra and tomograms of electrodes after 1, 100 and 1000 cycles.",
        6,
        (ADA, DEV),
        (Experiment(XAS, (BATTERY,), (295.0,)), Experiment(TOMO, (BATTERY,), (295.0,))),
    ),
    Proposal(
        "SC-2377",
        "Micelles under flow",
        "Anisotropic small-angle scattering in a rheometer.",
        1,
        (BEN,),
        (Experiment(SAXS, (MICELLES,), (298.0, 308.0)),),
    ),
)
