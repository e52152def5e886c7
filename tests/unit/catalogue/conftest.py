"""A database with the catalogue's schema for every test that asks for one."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from panosc_catalogue.migrate import migrate
from support import postgres
from unit.catalogue.visibility import Catalogue, catalogue_of


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


@pytest.fixture
def catalogue(database_url: str, tmp_path: Path) -> Iterator[Catalogue]:
    """A catalogue with one dataset under embargo, served, with a clock to move."""
    with catalogue_of(database_url, tmp_path) as catalogue:
        yield catalogue
