"""What the pages say can be followed: links lead somewhere, targets exist, YAML is accepted by the models."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from _pytest.mark.structures import ParameterSet
from panosc_operator.api.catalogue import Catalogue
from panosc_operator.api.dataarchive import DataArchive
from panosc_operator.api.facility import Facility
from panosc_operator.api.federation import Federation

ROOT = Path(__file__).parents[3]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("services/*/README.md")])
MODELS = {
    "Federation": Federation,
    "Facility": Facility,
    "DataArchive": DataArchive,
    "Catalogue": Catalogue,
}


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_the_pages_are_found() -> None:
    assert {"README.md", "docs/architecture.md", "docs/tutorial.md"} <= {name(page) for page in PAGES}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_to_files(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text())
    broken = [
        link
        for link in links
        if not link.startswith(("http:", "https:", "mailto:")) and not (page.parent / link).exists()
    ]
    assert broken == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_make_targets_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.M))
    used = set(re.findall(r"(?:^|`)make ([a-z-]+)", page.read_text(), flags=re.M))
    assert used <= targets


def resources() -> Iterator[ParameterSet]:
    """Every resource of our group in the pages and the examples."""
    texts = [(name(path), path.read_text()) for path in sorted(ROOT.glob("examples/*.yaml"))]
    for page in PAGES:
        texts += [(name(page), block) for block in re.findall(r"```yaml\n(.*?)```", page.read_text(), re.S)]
    for origin, text in texts:
        for document in yaml.safe_load_all(text):
            if isinstance(document, dict) and document.get("apiVersion") == "panosc.eu/v1alpha1":
                yield pytest.param(document, id=f"{origin}:{document['kind']}/{document['metadata']['name']}")


@pytest.mark.parametrize("document", list(resources()))
def test_yaml_is_what_the_kinds_accept(document: dict[str, Any]) -> None:
    MODELS[document["kind"]].model_validate(document)
