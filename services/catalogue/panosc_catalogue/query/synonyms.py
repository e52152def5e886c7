"""What the field abbreviates, and what it calls by several names.

The first of each line is the usual acronym; techniques after PaNET and the facilities' own pages.
"""

from collections.abc import Mapping
from types import MappingProxyType

_GROUPS: tuple[tuple[str, ...], ...] = (
    # Scattering and diffraction
    ("SANS", "small angle neutron scattering"),
    ("SAXS", "small angle x ray scattering"),
    ("WAXS", "wide angle x ray scattering"),
    ("WANS", "wide angle neutron scattering"),
    ("USAXS", "ultra small angle x ray scattering"),
    ("USANS", "ultra small angle neutron scattering", "very small angle neutron scattering", "VSANS"),
    ("ASAXS", "anomalous small angle x ray scattering"),
    ("SESANS", "spin echo small angle neutron scattering"),
    ("GISAXS", "grazing incidence small angle x ray scattering"),
    ("GIWAXS", "grazing incidence wide angle x ray scattering"),
    ("GISANS", "grazing incidence small angle neutron scattering"),
    ("GIXD", "GIXRD", "GID", "grazing incidence x ray diffraction", "grazing incidence diffraction"),
    ("XRD", "x ray diffraction"),
    ("PXRD", "XRPD", "x ray powder diffraction", "powder x ray diffraction"),
    ("NPD", "neutron powder diffraction", "powder neutron diffraction"),
    ("SXRD", "surface x ray diffraction"),
    ("SCXRD", "single crystal x ray diffraction"),
    ("ND", "neutron diffraction"),
    ("EDXRD", "energy dispersive x ray diffraction"),
    ("LEED", "low energy electron diffraction"),
    ("RHEED", "reflection high energy electron diffraction"),
    ("MX", "macromolecular crystallography", "protein crystallography"),
    ("SFX", "serial femtosecond crystallography"),
    ("SSX", "serial synchrotron crystallography"),
    ("PDF", "pair distribution function", "total scattering"),
    ("DLS", "dynamic light scattering"),
    ("XPCS", "x ray photon correlation spectroscopy"),
    ("XRR", "x ray reflectivity", "x ray reflectometry"),
    ("NR", "neutron reflectivity", "neutron reflectometry"),
    ("PNR", "polarised neutron reflectometry", "polarized neutron reflectometry"),
    # Inelastic scattering
    ("INS", "inelastic neutron scattering"),
    ("IXS", "inelastic x ray scattering"),
    ("RIXS", "resonant inelastic x ray scattering"),
    ("NRIXS", "nuclear resonant inelastic x ray scattering"),
    ("QENS", "quasielastic neutron scattering", "quasi elastic neutron scattering"),
    ("NSE", "neutron spin echo"),
    ("TAS", "triple axis spectroscopy", "triple axis spectrometry"),
    ("TOF", "time of flight"),
    # Spectroscopy
    ("XAS", "x ray absorption spectroscopy"),
    ("XAFS", "x ray absorption fine structure"),
    ("EXAFS", "extended x ray absorption fine structure"),
    ("XANES", "NEXAFS", "x ray absorption near edge structure", "near edge x ray absorption fine structure"),
    ("XES", "x ray emission spectroscopy"),
    ("XRF", "x ray fluorescence"),
    ("TXRF", "total reflection x ray fluorescence"),
    ("XMCD", "x ray magnetic circular dichroism"),
    ("XMLD", "x ray magnetic linear dichroism"),
    ("XPS", "ESCA", "x ray photoelectron spectroscopy"),
    ("HAXPES", "hard x ray photoelectron spectroscopy"),
    ("UPS", "ultraviolet photoelectron spectroscopy"),
    ("ARPES", "angle resolved photoemission spectroscopy", "angle resolved photoelectron spectroscopy"),
    ("FTIR", "fourier transform infrared spectroscopy"),
    ("XEOL", "x ray excited optical luminescence"),
    ("NAA", "neutron activation analysis"),
    ("PGAA", "prompt gamma activation analysis"),
    ("MUSR", "muon spin rotation", "muon spin relaxation", "muon spectroscopy"),
    # Imaging
    ("CT", "computed tomography", "computerised tomography"),
    ("XCT", "x ray computed tomography", "x ray tomography"),
    ("CDI", "coherent diffraction imaging", "coherent diffractive imaging"),
    ("BCDI", "bragg coherent diffraction imaging"),
    ("STXM", "scanning transmission x ray microscopy"),
    ("TXM", "transmission x ray microscopy"),
    ("PEEM", "photoemission electron microscopy"),
    ("XPEEM", "x ray photoemission electron microscopy"),
    ("DFXM", "dark field x ray microscopy"),
    # Sources and what stands at them
    ("XFEL", "x ray free electron laser"),
    ("FEL", "free electron laser"),
    ("beamline", "instrument", "endstation", "end station"),
    # Spellings
    ("xray", "x ray"),
    ("synchrotron radiation", "synchrotron light"),
    ("polarised", "polarized"),
    ("aluminium", "aluminum"),
)


def _key(phrase: str) -> str:
    return phrase.lower()


SYNONYMS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {_key(phrase): group for group in _GROUPS for phrase in group}
)
"""Lower-case phrase -> all the phrases that mean the same, itself among them."""

LONGEST = max(len(phrase.split()) for phrase in SYNONYMS)
"""Words of the longest phrase."""
