"""One control plane for all tests of a session; each test works in a namespace of its own."""

import uuid
from collections.abc import Iterator

import pytest
from support.apiserver import ApiServer, running


@pytest.fixture(scope="session")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    with running(tmp_path_factory.mktemp("control-plane")) as server:
        yield server


@pytest.fixture
def namespace(api: ApiServer) -> Iterator[str]:
    name = f"test-{uuid.uuid4().hex[:8]}"
    api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    yield name
    api.delete("Namespace", name)


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
