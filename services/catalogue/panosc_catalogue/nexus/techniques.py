"""From what NeXus files say to techniques of the PaNET ontology (version 1.3.0, CC-BY-4.0).

https://doi.org/10.1107/S1600577525005272; the ids and labels here are those of the ontology's release.
"""

import re
from collections.abc import Mapping

from panosc_catalogue.records import Technique

IRI = "http://purl.org/pan-science/PaNET/"

LABELS: Mapping[str, str] = {
    "PaNET01001": "neutron time of flight technique",
    "PaNET01089": "angle resolved photoemission spectroscopy",
    "PaNET01095": "x-ray fluorescence spectroscopy",
    "PaNET01100": "neutron powder diffraction",
    "PaNET01101": "x-ray powder diffraction",
    "PaNET01102": "x-ray single crystal diffraction",
    "PaNET01115": "optical spectroscopy",
    "PaNET01121": "reflectometry",
    "PaNET01124": "small angle scattering",
    "PaNET01129": "tomography",
    "PaNET01145": "electron microscopy",
    "PaNET01149": "x-ray reflectivity",
    "PaNET01152": "propagation phase contrast tomography",
    "PaNET01164": "macromolecular crystallography",
    "PaNET01174": "coherent diffraction imaging",
    "PaNET01177": "x-ray fluorescence",
    "PaNET01181": "pair distribution function",
    "PaNET01183": "resonant inelastic x-ray scattering",
    "PaNET01188": "small angle x-ray scattering",
    "PaNET01189": "small angle neutron scattering",
    "PaNET01191": "wide angle x-ray scattering",
    "PaNET01195": "raman spectroscopy",
    "PaNET01196": "x-ray absorption spectroscopy",
    "PaNET01198": "extended x-ray absorption fine structure",
    "PaNET01199": "x-ray absorption near edge structure",
    "PaNET01200": "x-ray emission spectroscopy",
    "PaNET01202": "photoelectron spectroscopy",
    "PaNET01204": "x-ray photoelectron spectroscopy",
    "PaNET01205": "x-ray photon correlation spectroscopy",
    "PaNET01207": "x-ray tomography",
    "PaNET01212": "ptychography",
    "PaNET01216": "x-ray diffraction",
    "PaNET01219": "scanning transmission x-ray microscopy",
    "PaNET01236": "neutron single crystal diffraction",
    "PaNET01239": "neutron reflectometry",
    "PaNET01244": "time-of-flight spectrometry",
    "PaNET01245": "inelastic neutron spectroscopy",
    "PaNET01255": "ellipsometry",
    "PaNET01277": "time of flight small angle neutron scattering",
    "PaNET01318": "atomic force microscopy",
    "PaNET01320": "fourier transform infrared spectroscopy",
}

_SCATTERING = {"x-ray": "PaNET01188", "neutron": "PaNET01189", "": "PaNET01124"}
_TOF_SCATTERING = {"x-ray": "PaNET01188", "neutron": "PaNET01277", "": "PaNET01277"}
_REFLECTOMETRY = {"x-ray": "PaNET01149", "neutron": "PaNET01239", "": "PaNET01121"}
_TOMOGRAPHY = {"x-ray": "PaNET01207", "neutron": "PaNET01129", "": "PaNET01129"}
_POWDER = {"x-ray": "PaNET01101", "neutron": "PaNET01100", "": "PaNET01100"}
_CRYSTAL = {"x-ray": "PaNET01102", "neutron": "PaNET01236", "": "PaNET01102"}

# NeXus application definition -> technique by probe ("" where the file does not name one).
DEFINITIONS: Mapping[str, Mapping[str, str]] = {
    "NXsas": _SCATTERING,
    "NXcanSAS": _SCATTERING,
    "NXsastof": _TOF_SCATTERING,
    "NXreflscan": _REFLECTOMETRY,
    "NXrefscan": _REFLECTOMETRY,
    "NXreftof": _REFLECTOMETRY,
    "NXrefl": _REFLECTOMETRY,
    "NXtomo": _TOMOGRAPHY,
    "NXtomoproc": _TOMOGRAPHY,
    "NXtomophase": {"": "PaNET01152"},
    "NXmonopd": _POWDER,
    "NXtofnpd": {"": "PaNET01100"},
    "NXxbase": _CRYSTAL,
    "NXxeuler": _CRYSTAL,
    "NXxkappa": _CRYSTAL,
    "NXxlaue": _CRYSTAL,
    "NXxlaueplate": _CRYSTAL,
    "NXxnb": _CRYSTAL,
    "NXxrot": _CRYSTAL,
    "NXlauetof": {"": "PaNET01236"},
    "NXmx": {"": "PaNET01164"},
    "NXxas": {"": "PaNET01196"},
    "NXxasproc": {"": "PaNET01196"},
    "NXxas_new": {"": "PaNET01196"},
    "NXfluo": {"": "PaNET01095"},
    "NXarpes": {"": "PaNET01089"},
    "NXmpes": {"": "PaNET01202"},
    "NXmpes_arpes": {"": "PaNET01089"},
    "NXxps": {"": "PaNET01204"},
    "NXtofraw": {"": "PaNET01001"},
    "NXtofsingle": {"": "PaNET01001"},
    "NXdirecttof": {"": "PaNET01244"},
    "NXindirecttof": {"": "PaNET01244"},
    "NXspe": {"": "PaNET01245"},
    "NXsqom": {"": "PaNET01245"},
    "NXtas": {"": "PaNET01245"},
    "NXstxm": {"": "PaNET01219"},
    "NXptycho": {"": "PaNET01212"},
    "NXcxi_ptycho": {"": "PaNET01212"},
    "NXxrd": {"": "PaNET01216"},
    "NXxrd_pan": {"": "PaNET01216"},
    "NXazint1d": {"": "PaNET01216"},
    "NXazint2d": {"": "PaNET01216"},
    "NXraman": {"": "PaNET01195"},
    "NXellipsometry": {"": "PaNET01255"},
    "NXoptical_spectroscopy": {"": "PaNET01115"},
    "NXem": {"": "PaNET01145"},
    "NXafm": {"": "PaNET01318"},
}

# Codes as ESRF writes them, in `definition` and behind the # of its own ontology's IRIs.
CODES: Mapping[str, str] = {
    "CDI": "PaNET01174",
    "EXAFS": "PaNET01198",
    "FTIR": "PaNET01320",
    "MX": "PaNET01164",
    "PDF": "PaNET01181",
    "PTYCHO": "PaNET01212",
    "RIXS": "PaNET01183",
    "SAXS": "PaNET01188",
    "TOMO": "PaNET01207",
    "WAXS": "PaNET01191",
    "XANES": "PaNET01199",
    "XAS": "PaNET01196",
    "XES": "PaNET01200",
    "XPCS": "PaNET01205",
    "XRD": "PaNET01216",
    "XRF": "PaNET01177",
}

_PANET = re.compile(r"PaNET\d{5,7}")
_SEPARATORS = re.compile(r"[\s,;]+")


def probe_of(*hints: str | None) -> str:
    """`x-ray`, `neutron` or "" by what a source says of its probe or type."""
    text = " ".join(hint for hint in hints if hint).lower()
    if "neutron" in text:
        return "neutron"
    if any(word in text for word in ("x-ray", "xray", "x ray", "synchrotron", "photon", "free-electron")):
        return "x-ray"
    return ""


def identify(statements: list[str], probe: str) -> tuple[Technique, ...]:
    """The techniques that a file's definitions and technique identifiers name, each once, in their order."""
    found: dict[str, None] = {}
    for statement in statements:
        for word in _SEPARATORS.split(statement):
            if panet := _PANET.search(word):
                found[panet[0]] = None
            elif by_probe := DEFINITIONS.get(word):
                found[by_probe.get(probe) or by_probe[""]] = None
            elif code := CODES.get(word.rsplit("#", 1)[-1].upper()):
                found[code] = None
    return tuple(technique(identifier) for identifier in found)


def technique(identifier: str) -> Technique:
    """The record of a PaNET id; one that is not in the table is named by its id."""
    iri = IRI + identifier
    return Technique(pid=iri, name=LABELS.get(identifier, identifier), panet_id=iri)
