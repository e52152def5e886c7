"""The pool of database connections that the HTTP side reads through, and what can go wrong with it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import structlog
from panosc_common.problem import Problem
from psycopg_pool import AsyncConnectionPool, PoolTimeout
from pydantic import SecretStr

log = structlog.stdlib.get_logger(__name__)

CONNECT_SECONDS = 5
WAIT_SECONDS = 3.0
STATEMENT_SECONDS = 600
"""Time after which a statement about sources is given up: one that takes longer has gone wrong."""
RETRY_AFTER_SECONDS = 2


class Busy(Problem):
    """The database cannot answer now, but may in a moment: whoever asked is told to come back."""

    def __init__(self, why: str) -> None:
        super().__init__(503, why, headers={"Retry-After": str(RETRY_AFTER_SECONDS)})


class DatabaseUnavailable(Busy):
    """The database does not answer."""


class QueryRefused(ValueError):
    """PostgreSQL refuses what the query asks for; the message says why."""


class Locked(Busy):
    """Somebody else changes the same."""


class QueryTimeout(Busy):
    """The query took longer than a query may."""


def follower(url: SecretStr | None, name: str) -> psycopg.Connection[Any]:
    """A connection in autocommit mode for what follows a source, by the name that the server shows."""
    return psycopg.connect(
        url.get_secret_value() if url else "",
        autocommit=True,
        connect_timeout=10,
        application_name=f"panosc-catalogue {name}",
        options=f"-c statement_timeout={STATEMENT_SECONDS}s",
    )


def is_away(error: BaseException) -> bool:
    """Whether it is the database that is not there, or not yet migrated: no fault of what was being done."""
    away = (psycopg.OperationalError, psycopg.errors.UndefinedTable)
    return isinstance(error, away) and not isinstance(error, psycopg.errors.QueryCanceled)


class Database:
    """Reads through a pool: one statement a call, in its own transaction, within the statement timeout.

    Writing is said so, and done in one transaction.
    """

    def __init__(self, url: str, *, size: int, statement_timeout_seconds: float) -> None:
        self.timeout_seconds = statement_timeout_seconds
        options = {
            "statement_timeout": f"{int(statement_timeout_seconds * 1000)}",
            # The parameters decide which index is right; a generic plan knows none of them.
            "plan_cache_mode": "force_custom_plan",
            "default_transaction_read_only": "on",
            "jit": "off",
            # The cores belong to many requests, and workers read far beyond the end of a page.
            "max_parallel_workers_per_gather": "0",
        }
        self._pool = AsyncConnectionPool(
            url,
            min_size=min(2, size),
            max_size=size,
            timeout=WAIT_SECONDS,
            # After a failed attempt the next request starts another, so the pool need not insist for long.
            reconnect_timeout=CONNECT_SECONDS,
            open=False,
            kwargs={
                "autocommit": True,
                "connect_timeout": CONNECT_SECONDS,
                "application_name": "panosc-catalogue",
                "options": " ".join(f"-c {name}={value}" for name, value in options.items()),
            },
        )

    @asynccontextmanager
    async def opened(self) -> AsyncIterator["Database"]:
        """The pool at work; it connects in the background, so that a missing database delays no start."""
        await self._pool.open(wait=False)
        try:
            yield self
        finally:
            await self._pool.close()

    async def row(self, sql: str, parameters: dict[str, Any]) -> tuple[Any, ...] | None:
        """The statement's first row.

        A connection that broke since its last use is replaced and the statement repeated once: it only reads.
        Raises DatabaseUnavailable, QueryRefused, QueryTimeout.
        """
        return next(iter(await self.rows(sql, parameters)), None)

    async def rows(self, sql: str, parameters: dict[str, Any]) -> list[tuple[Any, ...]]:
        """All the statement's rows; as `row`."""
        try:
            try:
                return await self._execute(sql, parameters)
            except psycopg.OperationalError as error:
                if isinstance(error, PoolTimeout | psycopg.errors.QueryCanceled):
                    raise
                await self._pool.check()
                return await self._execute(sql, parameters)
        except psycopg.errors.QueryCanceled as error:
            raise QueryTimeout(f"The query took longer than {self.timeout_seconds:g} s") from error
        except (psycopg.errors.DataError, psycopg.errors.ProgramLimitExceeded) as error:
            message = error.diag.message_primary or str(error)
            raise QueryRefused(message[:1].upper() + message[1:]) from error
        except (TimeoutError, psycopg.OperationalError, psycopg.InterfaceError) as error:
            log.warning("database unavailable", why=str(error))
            raise DatabaseUnavailable("The database does not answer; try again in a moment") from error

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
        """A connection in a transaction that may write; it is committed unless the block raises.

        Nothing is repeated. Raises DatabaseUnavailable, QueryTimeout, and Locked where the block sets a
        `lock_timeout`.
        """
        try:
            async with self._pool.connection() as connection, connection.transaction():
                await connection.execute("SET TRANSACTION READ WRITE")
                yield connection
        except psycopg.errors.LockNotAvailable as error:
            raise Locked("Somebody else changes the same now; try again in a moment") from error
        except psycopg.errors.QueryCanceled as error:
            raise QueryTimeout(f"The change took longer than {self.timeout_seconds:g} s") from error
        except (TimeoutError, psycopg.OperationalError, psycopg.InterfaceError) as error:
            log.warning("database unavailable", why=str(error))
            raise DatabaseUnavailable("The database does not answer; try again in a moment") from error

    async def _execute(self, sql: str, parameters: dict[str, Any]) -> list[tuple[Any, ...]]:
        async with self._pool.connection() as connection:
            cursor = await connection.execute(sql, parameters)
            return await cursor.fetchall()
