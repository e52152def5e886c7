"""PaNET: which term a text means, and which terms are below which."""

import pytest
from panosc_common.panet import VERSIONS, ontology

SAXS, SAS, XRAY, XES = "PaNET01188", "PaNET01124", "PaNET01012", "PaNET01200"


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    "text",
    [
        "http://purl.org/pan-science/PaNET/PaNET01188",
        "https://purl.org/pan-science/PaNET/PaNET01188",
        "https://w3id.org/PaN/PaNET/PaNET01188",
        "https://w3id.org/PaN/PaNET#PaNET01188",
        "PaNET:PaNET01188",
        "PaNET:01188",
        "panet01188",
        " PaNET01188 ",
        "small angle x-ray scattering",
        "Small-angle X-ray scattering",
        "small angle x ray scattering",
        "SAXS",
        "https://w3id.org/PaN/ESRFET#SAXS",
        "https://w3id.org/PaN/ESRFET/v0.1.0/#SAXS",
        "http://purl.org/pan-science/ESRFET#SAXS",
        "ESRFET:SAXS",
    ],
)
def test_resolve(version: str, text: str) -> None:
    assert ontology(version).resolve(text) == SAXS


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("x-ray probe", XRAY),
        ("x-ray probe technique", XRAY),
        ("magnetism", ontology("1.3.0").resolve("magnetism technique")),
        ("https://w3id.org/PaN/ESRFET#BioSAXS", SAXS),
        ("https://w3id.org/PaN/ESRFET#TR‑SSX", "PaNET01312"),
        ("https://w3id.org/PaN/ESRFET#XRF", "PaNET01095"),
        ("PaNET09999", "PaNET09999"),
        ("alchemy", None),
        ("", None),
        ("https://w3id.org/PaN/ESRFET#alchemy", None),
        ("the technique PaNET01188 or another", None),
        ("PaNET2020072", None),
    ],
)
def test_resolve_others(text: str, name: str | None) -> None:
    assert [ontology(version).resolve(text) for version in VERSIONS] == [name, name]


@pytest.mark.parametrize("version", VERSIONS)
def test_every_term_is_below_the_root_and_found_by_its_label(version: str) -> None:
    release = ontology(version)
    assert release.descendants("PaNET00001") == set(release.terms)
    assert [name for name, term in release.terms.items() if release.resolve(term.label) != name] == []
    assert len(release.terms) == {"1.2.0": 374, "1.3.0": 377}[version]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("below", "above"),
    [
        ("SAXS", "small angle scattering"),
        ("SAXS", "x-ray probe"),
        ("SAXS", "photon probe"),
        ("GISAXS", "SAXS"),
        ("GISAXS", "grazing incidence small angle scattering"),
        ("anomalous solution x-ray scattering", "small angle scattering"),
        ("inelastic x-ray small angle scattering", "inelastic x-ray scattering"),
        ("EXAFS", "XAS"),
        ("x-ray emission spectroscopy", "x-ray spectroscopy"),
        ("magnetic x-ray tomography", "magnetism technique"),
        ("neutron powder diffraction", "diffraction"),
        ("fluorescence tomography", "imaging"),
    ],
)
def test_below(version: str, below: str, above: str) -> None:
    release = ontology(version)
    names = [release.resolve(text) for text in (below, above)]
    assert None not in names
    assert names[0] in release.descendants(str(names[1]))
    assert names[1] not in release.descendants(str(names[0]))


@pytest.mark.parametrize("version", VERSIONS)
def test_not_below(version: str) -> None:
    release = ontology(version)
    assert release.descendants(XES) == {XES}
    assert "PaNET01189" not in release.descendants(XRAY), "neutrons are no x-rays"


def test_equivalent_terms_are_below_each_other() -> None:
    release = ontology("1.3.0")
    both = {"PaNET01107", "PaNET01273"}
    assert all(both <= release.descendants(name) for name in both)
    assert both <= release.descendants(SAS)


def test_unknown_release() -> None:
    with pytest.raises(KeyError):
        ontology("0.9")
