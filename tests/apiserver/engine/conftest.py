"""One operator for all tests of this folder; each test works with a facility of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.apiserver import ApiServer
from support.operator import Operator, account, running_operator


@pytest.fixture(scope="package")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("operator")


@pytest.fixture(scope="package")
def operator(api: ApiServer, folder: Path) -> Iterator[Operator]:
    with running_operator(account(api, folder), folder) as running:
        yield running
