"""DOIs are the same however they are written, and what is none is none."""

import pytest
from panosc_common.doi import bare, key


@pytest.mark.parametrize(
    "written",
    [
        "10.15151/ESRF-DC-1",
        " 10.15151/ESRF-DC-1\n",
        "doi:10.15151/ESRF-DC-1",
        "DOI: 10.15151/ESRF-DC-1",
        "info:doi/10.15151/ESRF-DC-1",
        "https://doi.org/10.15151/ESRF-DC-1",
        "http://dx.doi.org/10.15151/ESRF-DC-1",
        "HTTPS://DOI.ORG/10.15151/ESRF-DC-1",
        "https://doi.org/10.15151%2FESRF-DC-1",
    ],
)
def test_whatever_is_written_around_it_goes(written: str) -> None:
    assert bare(written) == "10.15151/ESRF-DC-1"
    assert key(written) == key("10.15151/esrf-dc-1") == "10.15151/esrf-dc-1"


@pytest.mark.parametrize("written", ["10.1000.10/123", "10.5072/a/b(c)%25"])
def test_every_doi_is_one(written: str) -> None:
    assert bare(written) == written


@pytest.mark.parametrize(
    "written",
    [
        "",
        "unknown",
        "10.15151",
        "10.15151/",
        "20.500.11935/x",
        "10.5072/a b",
        "https://example.org/10.5072/x",
    ],
)
def test_what_is_none_is_none(written: str) -> None:
    assert bare(written) is None
    assert key(written) is None
