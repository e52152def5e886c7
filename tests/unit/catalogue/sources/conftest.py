"""Running a source's synchronisation, and looking at what the catalogue has of it."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from panosc_catalogue.settings import RemoteSource, Settings
from panosc_catalogue.sources.base import Adapter
from panosc_catalogue.sources.sync import Sync
from psycopg.rows import dict_row
from pydantic import SecretStr

Once = Callable[..., None]
Rows = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def once(database_url: str) -> Once:
    """Runs a source once: `once(adapter, name=…, listing=whether a listing is due, outranked_by=…)`."""

    def run(
        adapter: Adapter,
        *,
        name: str = "legacy",
        listing: bool = False,
        outranked_by: tuple[str, ...] = (),
        url: str = "http://source.example",
    ) -> None:
        settings = Settings(database_url=SecretStr(database_url))
        remote = RemoteSource(url=url, full_listing_seconds=1e-6 if listing else 3600)
        asyncio.run(Sync(settings, name, remote, lambda: adapter, outranked_by).once())

    return run


@pytest.fixture
def rows(database_url: str) -> Iterator[Rows]:
    """Rows of a query, as dicts."""
    with psycopg.connect(database_url, autocommit=True, row_factory=dict_row) as connection:
        yield lambda sql, *parameters: connection.execute(sql, parameters).fetchall()


@pytest.fixture
def shown(rows: Rows) -> Callable[[str], dict[str, str]]:
    """Titles (or names) of the records that are not withdrawn, by pid."""

    def titles(table: str) -> dict[str, str]:
        column = "name" if table == "instrument" else "title"
        found = rows(f"SELECT pid, {column} AS said FROM {table} WHERE deleted_at IS NULL ORDER BY pid")
        return {row["pid"]: row["said"] for row in found}

    return titles
