"""One operator for all tests of this folder; each test works with a facility of its own."""

import uuid
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


@pytest.fixture
def name(api: ApiServer) -> Iterator[str]:
    """Name of a facility of the test's own."""
    chosen = f"f{uuid.uuid4().hex[:8]}"
    yield chosen
    for kind in ("Catalogue", "DataArchive"):
        for obj in api.list(kind, chosen):
            api.delete(kind, obj["metadata"]["name"], chosen)
    api.delete("Facility", chosen)
    api.delete("Namespace", chosen)
