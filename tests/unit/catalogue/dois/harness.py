"""A catalogue whose DOIs a strict double of DataCite registers, with a clock to move."""

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
from doubles.datacite import Repository, app
from doubles.server import Misbehaviour, serve
from panosc_catalogue.database import Database
from panosc_catalogue.dois.client import Client
from panosc_catalogue.dois.status import status
from panosc_catalogue.dois.worker import Worker
from panosc_catalogue.settings import CatalogueConfig, PolicyFile, load_config
from panosc_catalogue.site import Site
from unit.catalogue.visibility import Catalogue, catalogue_of

PUBLIC_URL = "https://data.example.org"
FACILITY = {"name": "esrf", "displayName": "European Synchrotron", "ror": "https://ror.org/02550n020"}


@dataclass
class Registry:
    """The catalogue, the double, and rounds of the worker between them."""

    catalogue: Catalogue
    database_url: str
    endpoint: str
    directory: Path
    repository: Repository = field(default_factory=Repository)
    how: Misbehaviour = field(default_factory=Misbehaviour)

    @property
    def credentials(self) -> Path:
        return self.directory / "registrar"

    def configure(self, *, registrar: dict[str, Any] | None = None, **doi: Any) -> CatalogueConfig:
        """Write the configuration file; returns what it says."""
        chosen = registrar or {"dataCite": {"endpoint": self.endpoint}}
        identifiers = {"doi": {"prefix": "10.5072", "registrar": chosen, **doi}}
        config = {"facility": FACILITY, "publicUrl": PUBLIC_URL, "identifiers": identifiers}
        path = self.directory / "catalogue.json"
        path.write_text(json.dumps(config))
        return load_config(path)

    def round(self, **doi: Any) -> None:
        """One round of a new worker, as after a restart; raises what the worker's round raises."""
        asyncio.run(self._rounds(self.configure(**doi), [lambda: None]))

    def rounds(self, *before: Callable[[], object]) -> None:
        """Rounds of one worker, each after a change."""
        asyncio.run(self._rounds(self.configure(), before))

    async def _rounds(self, config: CatalogueConfig, before: Sequence[Callable[[], object]]) -> None:
        database = Database(self.database_url, size=3, statement_timeout_seconds=20)
        site = Site(database, PolicyFile(self.catalogue.policy_file), config, lambda: self.catalogue.now)
        dois = config.identifiers.doi
        assert dois is not None
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(database.opened())
            client = None
            if dois.registrar.data_cite:
                endpoint = dois.registrar.data_cite.endpoint
                client = Client(endpoint, self.credentials, timeout_seconds=1, requests_per_second=1000)
                await stack.enter_async_context(client.opened())
            worker = Worker(site, dois, client, interval_seconds=1)
            for change in before:
                await asyncio.to_thread(change)
                await worker.round()

    def status(self) -> dict[str, Any]:
        """What the worker's status says."""

        async def ask() -> dict[str, Any] | None:
            database = Database(self.database_url, size=1, statement_timeout_seconds=20)
            async with database.opened():
                return await status(database.rows)

        said = asyncio.run(ask())
        assert said is not None
        return said

    def dois(self, kind: str) -> dict[str, str | None]:
        """The DOI of each document or dataset, by pid."""
        return dict(self.catalogue.connection.execute(f"SELECT pid, doi FROM {kind}").fetchall())

    def states(self) -> dict[str, str]:
        """The registrar's state of each DOI."""
        return {doi: entry["state"] for doi, entry in self.repository.dois.items()}

    def get(self, doi: str) -> httpx2.Response:
        """Where the catalogue leads this DOI."""
        return self.catalogue.client.get(f"/doi/{doi}", follow_redirects=False)


@contextmanager
def registry_of(database_url: str, directory: Path) -> Iterator[Registry]:
    """The catalogue of `visibility` with a DataCite of its own."""
    repository, how = Repository(), Misbehaviour()
    (directory / "registrar").mkdir()
    (directory / "registrar" / "username").write_text(f"{repository.username}\n")
    (directory / "registrar" / "password").write_text(f"{repository.password}\n")
    with serve(app(repository), how) as endpoint:
        registry = Registry(None, database_url, endpoint, directory, repository, how)  # type: ignore[arg-type]
        registry.configure()
        with catalogue_of(database_url, directory) as registry.catalogue:
            yield registry
