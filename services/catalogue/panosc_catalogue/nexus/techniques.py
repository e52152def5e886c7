"""From what NeXus files say to techniques of the PaNET ontology."""

import re
from collections.abc import Mapping

from panosc_common.panet import IRI, LATEST, ontology

from panosc_catalogue.records import Technique

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

# A code that ESRF's files have and its ontology has not.
_TOMOGRAPHY_CODE = "TOMO"

_IDENTIFIER = re.compile("PaNET|ESRFET", re.IGNORECASE)
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
    release = ontology(LATEST)
    found: dict[str, None] = {}
    for statement in statements:
        for word in _SEPARATORS.split(statement):
            if by_probe := DEFINITIONS.get(word):
                found[by_probe.get(probe) or by_probe[""]] = None
            elif word.upper() == _TOMOGRAPHY_CODE:
                found[_TOMOGRAPHY["x-ray"]] = None
            # ESRF writes the codes of its own ontology, with and without what their IRIs begin with.
            elif term := release.resolve(word if _IDENTIFIER.search(word) else f"ESRFET#{word}"):
                found[term] = None
    return tuple(technique(identifier) for identifier in found)


def technique(identifier: str) -> Technique:
    """The record of a PaNET id; one that the ontology lacks is named by its id."""
    term = ontology(LATEST).terms.get(identifier)
    iri = IRI + identifier
    return Technique(pid=iri, name=term.label if term else identifier, panet_id=iri)
