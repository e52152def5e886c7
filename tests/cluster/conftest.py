"""One cluster with the demonstration facility for all tests of a session."""

from collections.abc import Iterator

import pytest
from support.cluster import Demo, running_demo


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # The first test that needs the cluster also waits for it, and a cold machine builds it from nothing.
    for item in items:
        if "demo" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.timeout(2400))
            return


@pytest.fixture(scope="session")
def demo() -> Iterator[Demo]:
    with running_demo() as running:
        yield running
