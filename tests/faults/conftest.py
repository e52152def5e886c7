"""One control plane for all tests of a session; between it and the operator a proxy that causes trouble."""

from collections.abc import Iterator

import pytest
from support.apiserver import ApiServer, running
from support.proxy import Proxy, running_proxy


@pytest.fixture(scope="session")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    with running(tmp_path_factory.mktemp("control-plane")) as server:
        yield server


@pytest.fixture
def proxy(api: ApiServer) -> Iterator[Proxy]:
    with running_proxy(api) as running_one:
        yield running_one
