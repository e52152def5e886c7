"""One facility for all modules of this folder that a process runs."""

from collections.abc import Iterator

import pytest
from unit.catalogue_archive import world as worlds


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[worlds.World]:
    with worlds.world(tmp_path_factory.mktemp("world")) as running:
        yield running
