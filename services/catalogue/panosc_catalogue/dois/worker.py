"""Keeps the registrar's records true: one record after the other, each step written down when it is done.

Whatever interrupts it, the next round begins where the book says, and every request may be repeated: the name
is a function of the record, a draft that is there already is ours if it leads to our page, and what is
published or hidden twice is as if it were once. The record itself gets its DOI last.
"""

import asyncio
import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson
import psycopg
import structlog
from panosc_common.problem import Problem
from prometheus_client import Gauge

from panosc_catalogue.database import DatabaseUnavailable, QueryTimeout
from panosc_catalogue.datacite import kernel, reading
from panosc_catalogue.datacite.description import Description, Kind
from panosc_catalogue.dois.book import Book, Task
from panosc_catalogue.dois.registrar import Refused, Registrar, RegistrarError, Unavailable
from panosc_catalogue.oai.upkeep import Behind, Upkeep
from panosc_catalogue.settings import Dois
from panosc_catalogue.site import Site

log = structlog.stdlib.get_logger(__name__)

MAX_WAIT_SECONDS = 600.0
"""Time at most between two tries with a registrar that fails."""

LAST_SUCCESS = Gauge(
    "catalogue_dois_last_success_timestamp_seconds", "End of the last round without a failure"
)


class Worker:
    """The worker of one catalogue; `registrar` None: names are local."""

    def __init__(
        self,
        site: Site,
        dois: Dois,
        registrar: Registrar | None,
        *,
        interval_seconds: float,
    ) -> None:
        self._site = site
        self._dois = dois
        self._registrar = registrar
        self._interval = interval_seconds
        self._book = Book(site.database)
        self._upkeep = Upkeep(site, interval_seconds)
        self._settled: datetime | None = None

    async def run(self) -> None:
        """Work until cancelled; whatever fails is reported and tried again."""
        failures = 0
        while True:
            wait = self._interval
            try:
                await self.round()
                failures = 0
            except RegistrarError as error:
                asked = error.retry_after if isinstance(error, Unavailable) else None
                wait = min(MAX_WAIT_SECONDS, max(asked or 0.0, self._interval * 2.0 ** min(failures, 10)))
                failures += 1
                log.error("registrar failed", why=str(error), again_in_seconds=wait)
                await self._report(str(error))
            except (Problem, DatabaseUnavailable, QueryTimeout, psycopg.Error, Behind) as error:
                log.warning("DOIs wait for the database", why=str(error))
            except Exception as error:
                # A bug must not stop the worker for good; the log has what is needed to fix it.
                log.exception("DOIs failed unexpectedly")
                await self._report(f"{type(error).__name__}: {error}")
            await asyncio.sleep(wait)

    async def round(self) -> None:
        """Do all that is to be done now. Raises RegistrarError, and what Site and Upkeep raise."""
        looked = await self._upkeep.now()
        # Most rounds find nothing, and comparing a million records for that would keep the database busy.
        if self._settled is None or not await self._book.is_settled(self._settled):
            await self._catch_up()
        self._settled = looked
        await self._book.report(None)
        LAST_SUCCESS.set_to_current_time()

    async def _catch_up(self) -> None:
        kinds: dict[Kind, bool] = {
            "documents": self._dois.mint.documents,
            "datasets": self._dois.mint.datasets,
        }
        minted: list[Kind] = [kind for kind, is_minted in kinds.items() if is_minted]
        while await self._book.intend(self._dois.prefix, minted, local=self._registrar is None):
            pass
        if self._registrar is not None:
            await self._book.adopt_local()
            # Proposals first: their datasets name them by their DOIs.
            for kind in kinds:
                after = 0
                while tasks := await self._book.tasks(kind, after):
                    await self._do(self._registrar, kind, tasks)
                    after = tasks[-1].record

    async def _do(self, registrar: Registrar, kind: Kind, tasks: list[Task]) -> None:
        described = await reading.by_row(self._site, kind, [task.record for task in tasks if task.is_live])
        for task in tasks:
            try:
                if not task.is_live:
                    await registrar.hide(task.doi)
                    await self._book.hidden(task)
                elif task.record in described:
                    await self._publish(registrar, task, described[task.record])
                else:
                    # Withdrawn since the tasks were listed.
                    await self._book.compared(task)
            except Refused as error:
                log.warning("registrar refuses a record", doi=task.doi, why=str(error))
                await self._book.refused(task, str(error))

    async def _publish(self, registrar: Registrar, task: Task, description: Description) -> None:
        attributes = kernel.attributes(description)
        attributes.pop("doi", None)
        sent = hashlib.sha256(orjson.dumps(attributes, option=orjson.OPT_SORT_KEYS)).digest()
        if task.state == "findable" and task.sent == sent:
            await self._book.compared(task)
            return
        if task.state == "intended":
            await self._reserve(registrar, task, attributes)
            await self._book.reserved(task)
        await registrar.publish(task.doi, attributes)
        await self._book.published(task, sent)

    async def _reserve(self, registrar: Registrar, task: Task, attributes: Mapping[str, Any]) -> None:
        """Make the draft, unless an earlier try whose answer was lost has made it."""
        try:
            await registrar.reserve(task.doi, attributes)
        except Refused:
            there = await registrar.find(task.doi)
            if there is None:
                raise
            if there.url != attributes["url"]:
                raise Refused(
                    f"{task.doi} is there already and leads to {there.url}, not to {attributes['url']}: "
                    "another catalogue registers the same records, or this one had another address; let one "
                    "of them have another prefix, or give the DOI the new address at the registrar"
                ) from None

    async def _report(self, error: str) -> None:
        try:
            await self._book.report(error[:1000])
        except (DatabaseUnavailable, QueryTimeout) as unavailable:
            log.warning("the state of DOIs is not written down", why=str(unavailable))
