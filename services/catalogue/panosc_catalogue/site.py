"""What every interface of the catalogue answers from: database, data policy, configuration, clock."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import orjson
from panosc_common import audit
from panosc_common.access import Scope
from panosc_common.audit import Sight
from panosc_common.panet import Ontology, ontology
from panosc_common.problem import Problem
from panosc_common.signed import Link
from starlette.requests import Request

from panosc_catalogue.database import Database, QueryRefused
from panosc_catalogue.login import Login
from panosc_catalogue.query.compile import Statement
from panosc_catalogue.query.early import found
from panosc_catalogue.query.settled import PUBLIC, Viewer, settled
from panosc_catalogue.sealing import Sealing
from panosc_catalogue.settings import CatalogueConfig, PolicyFile
from panosc_catalogue.teams.book import Book, Rows

Clock = Callable[[], datetime | None]


@dataclass(frozen=True)
class Site:
    """One catalogue; `clock` gives the instant for which it answers, None means the database's now."""

    database: Database
    policy: PolicyFile
    config: CatalogueConfig
    clock: Clock
    sealing: Sealing | None = None
    login: Login | None = None
    """Who can tell by a token who asks; without it all are the public."""
    viewer: Viewer = PUBLIC
    """Who asks."""

    @property
    def panet(self) -> Ontology:
        """The release of PaNET that the catalogue goes by."""
        return ontology(self.config.ontology.version)

    def past_sealed(self) -> bool:
        """Whether lists may pass over sealed datasets."""
        return self.sealing is not None and self.sealing.hold()

    async def asked_by(self, request: Request, scope: Scope) -> "Site":
        """The catalogue as whoever sent the request may see it, with a token for `scope` if it is limited.

        Raises Problem: 401 for a token that is not taken, 403 for one that is for other things, 503 while it
        cannot be verified.
        """
        return (
            replace(self, viewer=await self.login.viewer(request, self.rows, scope)) if self.login else self
        )

    async def linked_by(self, link: Link) -> "Site":
        """The catalogue as a signed link shows it; without a login it grants nothing any more."""
        return replace(self, viewer=await self.login.signer(link, self.rows)) if self.login else self

    def book(self, rows: Rows) -> Book:
        """The facility's teams as whoever asks meets them; `rows` gives the rows of statements."""
        return Book(rows, self.config.facility.name, self.viewer, self.clock())

    async def record(self, request: Request, statements: Callable[[], Iterable[Statement]]) -> None:
        """Have written down what an answer shows that is not public; each record is named by a statement.

        How many there are of something is no delivery of it. What the public sees costs nothing: no statement
        is made.
        Raises Problem as `rows` does, and 503 if it cannot be written: nothing may be shown then.
        """
        if self.viewer.is_public:
            return
        answers = [await self.rows(one.sql, one.parameters) for one in statements()]
        shown = [one for rows in answers for (text,) in rows for one in found(orjson.loads(text))]
        reasons = frozenset(self.viewer.reason(grounds) for _, grounds in shown)
        datasets = frozenset(pid for pid, _ in shown if pid is not None)
        await audit.record(request, Sight(self.viewer.subject, reasons, datasets))

    async def rows(self, sql: str, parameters: dict[str, Any]) -> list[tuple[Any, ...]]:
        """The rows of a statement, which may use the parameters that `query.model` names.

        Raises Problem: 400 for values that PostgreSQL refuses, 503 while it does not answer.
        """
        if any(isinstance(value, str) and "\0" in value for value in parameters.values()):
            raise Problem(400, "the address holds a NUL character, as no path or pid does: leave it out")
        policy = self.policy.current()
        text = settled(sql, policy, self.clock(), past_sealed=self.past_sealed(), viewer=self.viewer)
        try:
            return await self.database.rows(text, parameters)
        except QueryRefused as error:
            raise Problem(400, f"the database refuses a value: {error}; correct or leave it out") from error
