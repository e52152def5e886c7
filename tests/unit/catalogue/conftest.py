"""A database with the catalogue's schema for every test that asks for one."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from panosc_catalogue.migrate import migrate
from support import postgres


@pytest.fixture(scope="session")
def server() -> Iterator[postgres.Server]:
    with postgres.server() as running:
        yield running


@pytest.fixture(scope="session")
def template(server: postgres.Server) -> str:
    """Name of a migrated, empty database: copying it is quicker than migrating again."""
    name = server.create()
    migrate(server.url(name))
    return name


@pytest.fixture
def database_url(server: postgres.Server, template: str) -> Iterator[str]:
    with ExitStack() as cleanup:
        name = server.create(template)
        cleanup.callback(server.drop, name)
        yield server.url(name)
