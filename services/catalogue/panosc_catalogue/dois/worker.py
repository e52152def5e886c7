"""Keeps the registrar's records true: one record after the other, each step written down when it is done.

Whatever interrupts it, the next round begins where the book says, and every request may be repeated: the name
is a function of the record, a draft that is there already is ours if it leads to our page, and what is
published or hidden twice is as if it were once. The record itself gets its DOI last.
"""

import asyncio
import hashlib
from collections.abc import Mapping
from itertools import product
from typing import Any

import orjson
import psycopg
import structlog
from panosc_common.problem import Problem
from prometheus_client import Gauge

from panosc_catalogue.database import Busy
from panosc_catalogue.datacite import kernel, reading
from panosc_catalogue.datacite.description import Kind
from panosc_catalogue.dois.book import EVER, Book, Task
from panosc_catalogue.dois.registrar import NotAllowed, Refused, Registrar, RegistrarError, Unavailable
from panosc_catalogue.oai.upkeep import Behind, Upkeep
from panosc_catalogue.settings import Dois
from panosc_catalogue.site import Site

log = structlog.stdlib.get_logger(__name__)

MAX_WAIT_SECONDS = 600.0
"""Time at most between two tries with a registrar that fails."""
MAX_FAILING = 5
"""Records in a row that may fail before the round ends: then it is the registrar."""
_KINDS: tuple[Kind, ...] = ("documents", "datasets")
"""Proposals first: their datasets name them by their DOIs."""
_DATABASE = (Problem, psycopg.Error)

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
        data_cite = dois.registrar.data_cite
        self._book = Book(
            site.database, data_cite.endpoint.rstrip("/") if data_cite else None, site.config.public_url
        )
        self._upkeep = Upkeep(site, interval_seconds)
        self._since = EVER
        """What changed before that, the book knows."""
        # Of this round: whether the registrar did anything, how many records failed in a row, last failure.
        self._works = False
        self._failing = 0
        self._failure: Exception | None = None

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
                failures = 0 if self._works else failures
                wait = min(MAX_WAIT_SECONDS, max(asked or 0.0, self._interval * 2.0 ** min(failures, 10)))
                failures += 1
                log.error("registrar failed", why=str(error), again_in_seconds=wait)
                await self._report(str(error))
            except (*_DATABASE, Behind) as error:
                log.warning("DOIs wait for the database", why=str(error))
            except Exception as error:
                # A bug must not stop the worker for good; the log has what is needed to fix it.
                log.exception("DOIs failed unexpectedly")
                await self._report(f"{type(error).__name__}: {error}")
            await asyncio.sleep(wait)

    async def round(self) -> None:
        """Do all that is to be done now. Raises RegistrarError, and what Site and Upkeep raise."""
        self._works, self._failing, self._failure = False, 0, None
        due = await self._book.now()
        await self._follow()
        if self._registrar is not None:
            # What failed before comes last, so that it holds up no others.
            for failed, kind in product((False, True), _KINDS):
                async for tasks in self._book.waiting(kind, due, failed=failed):
                    await self._do(self._registrar, tasks)
                    # A round may take days: what is closed meanwhile is not found for as long.
                    await self._follow()
            if self._failure and not self._works:
                raise self._failure
        await self._book.report(None)
        LAST_SUCCESS.set_to_current_time()

    async def _follow(self) -> None:
        """Do what follows from the changes since the last time: names, and what is registered already."""
        await self._book.seen()
        looked = await self._upkeep.now()
        if self._registrar is not None and self._since == EVER:
            await self._book.adopt_local()
        is_minted = {"documents": self._dois.mint.documents, "datasets": self._dois.mint.datasets}
        for kind in _KINDS:
            await self._book.forget(self._dois.prefix, kind, self._since)
            if is_minted[kind]:
                local = self._registrar is None
                await self._book.intend(self._dois.prefix, kind, self._since, local=local)
        if self._registrar is not None:
            for kind in _KINDS:
                async for tasks in self._book.changed(kind, self._since):
                    await self._do(self._registrar, tasks)
        self._since = looked

    async def _do(self, registrar: Registrar, tasks: list[Task]) -> None:
        for task in tasks:
            await self._book.seen()
            try:
                if await self._step(registrar, task):
                    self._works, self._failing = True, 0
            except Refused as error:
                log.warning("registrar refuses a record", doi=task.doi, why=str(error))
                await self._book.refused(task, str(error))
                self._works, self._failing = True, 0
            except (NotAllowed, *_DATABASE):
                raise
            except Exception as error:
                await self._failed(task, error)

    async def _failed(self, task: Task, error: Exception) -> None:
        """Go on with the others, since it may be for this record only: raise it when it plainly isn't."""
        if isinstance(error, RegistrarError):
            log.warning("registrar fails for a record", doi=task.doi, why=str(error))
            why = str(error)
        else:
            log.exception("a record failed unexpectedly", doi=task.doi)
            why = f"{type(error).__name__}: {error}"
        await self._book.failed(task, why)
        self._failing += 1
        self._failure = error
        is_told_to_wait = isinstance(error, Unavailable) and error.retry_after is not None
        if is_told_to_wait or self._failing == MAX_FAILING:
            raise error

    async def _step(self, registrar: Registrar, task: Task) -> bool:
        """Do what there is to do for a record; whether the registrar was asked for it."""
        if not task.is_live:
            await registrar.hide(task.doi, self._site.config.landing_url(task.kind, task.pid))
            await self._book.hidden(task)
            return True
        return await self._publish(registrar, task)

    async def _publish(self, registrar: Registrar, task: Task) -> bool:
        attributes = await self._attributes(task)
        if attributes is None or (task.state == "findable" and task.sent == _digest(attributes)):
            await self._book.compared(task)
            return False
        if task.state == "intended":
            await self._reserve(registrar, task, attributes)
            await self._book.reserved(task)
            # That took a while, and what is published now cannot be taken back from who harvests it.
            attributes = await self._attributes(task)
            if attributes is None:
                return True
        await registrar.publish(task.doi, attributes)
        await self._book.published(task, _digest(attributes))
        return True

    async def _attributes(self, task: Task) -> dict[str, Any] | None:
        """What the public sees of a record right now; None: nothing, or it has got another DOI."""
        described = await reading.by_row(self._site, task.kind, [task.record])
        description = described.get(task.record)
        if description is None or (description.doi or task.doi).lower() != task.doi:
            return None
        attributes = kernel.attributes(description)
        attributes.pop("doi", None)
        return attributes

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
        except Busy as unavailable:
            log.warning("the state of DOIs is not written down", why=str(unavailable))


def _digest(attributes: Mapping[str, Any]) -> bytes:
    return hashlib.sha256(orjson.dumps(attributes, option=orjson.OPT_SORT_KEYS)).digest()
