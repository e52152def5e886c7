"""Citations: styles of CSL, BibTeX that TeX takes."""

from typing import Any

import pytest
from panosc_catalogue.pages import citation

ITEM: dict[str, Any] = {
    "id": "10.5072/x",
    "type": "dataset",
    "title": "Iron oxides",
    "author": [{"family": "Müller", "given": "Ada"}, {"literal": "The Oxide Team"}],
    "issued": {"date-parts": [(2024, 3, 1)]},
    "publisher": "Aurora",
    "DOI": "10.5072/x",
    "URL": "https://doi.org/10.5072/x",
}


@pytest.mark.parametrize(
    ("style", "expected"),
    [
        (
            "apa",
            "Müller, A., & The Oxide Team. (2024). Iron oxides [Dataset]. Aurora. https://doi.org/10.5072/x",
        ),
        ("ieee", "A. Müller and The Oxide Team, “Iron oxides”. Aurora, Mar. 01, 2024. doi: 10.5072/x."),
        (
            "vancouver",
            "Müller A, The Oxide Team. Iron oxides [Internet]. Aurora; 2024. "
            "Available from: https://doi.org/10.5072/x doi:10.5072/x",
        ),
    ],
)
def test_each_style(style: str, expected: str) -> None:
    assert citation.cite(ITEM, style) == expected


def test_many_authors_are_abbreviated() -> None:
    people = [{"family": f"Family{n}", "given": "Given"} for n in range(1000)]
    for style in citation.STYLES:
        assert len(citation.cite({**ITEM, "author": people}, style)) < 500


def test_only_the_year_may_be_known() -> None:
    item = {**ITEM, "issued": {"date-parts": [(2024,)]}}
    assert "2024" in citation.cite(item, "ieee")
    assert "month" not in citation.bibtex(item)


def test_bibtex_holds_what_tex_would_take_for_commands() -> None:
    entry = citation.bibtex({**ITEM, "title": "50% of {x}_1 & \\input{/etc/passwd}\n$y^2$ #~"})
    assert entry.startswith("@dataset{10-5072-x,\n  author = {Müller, Ada and {The Oxide Team}},\n")
    assert (
        r"title = {{50\% of \{x\}\_1 \& \textbackslash{}input\{/etc/passwd\} "
        r"\$y\textasciicircum{}2\$ \#\textasciitilde{}}}"
    ) in entry
