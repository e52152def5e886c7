"""A catalogue whose DOIs a double of DataCite registers."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from unit.catalogue.dois.harness import Registry, registry_of


@pytest.fixture
def registry(database_url: str, tmp_path: Path) -> Iterator[Registry]:
    with registry_of(database_url, tmp_path) as registry:
        yield registry
