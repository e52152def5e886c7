"""Answers that may take long, kept while the next is being made."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

import structlog

log = structlog.stdlib.get_logger(__name__)

QUICK_SECONDS = 0.25
"""What takes no longer is made anew each time that it is asked for."""
REST = 20
"""What takes longer rests for so many times its duration: it uses a twentieth of the database at most."""

_T = TypeVar("_T")


class Kept(Generic[_T]):
    """What `make` gives. Whoever asks waits for the first, and then for quick ones only."""

    def __init__(self, make: Callable[[], Awaitable[_T]]) -> None:
        self._make = make
        self._kept: tuple[_T] | None = None
        self._took = 0.0
        self._ended = 0.0
        self._task: asyncio.Task[_T] | None = None

    async def get(self) -> _T:
        """The latest that there is. Raises what `make` raises while there is none, or none that is quick."""
        is_quick = self._took <= QUICK_SECONDS
        rested = time.monotonic() - self._ended >= (0 if is_quick else REST * self._took)
        if self._task is None and (self._kept is None or rested):
            self._task = asyncio.create_task(self._renew())
        if self._kept and not is_quick:
            return self._kept[0]
        assert self._task is not None  # noqa: S101 - a quick one has always rested
        # Whoever asks may go away: it is made for the next one, then.
        return await asyncio.shield(self._task)

    async def _renew(self) -> _T:
        started = time.monotonic()
        try:
            made = await self._make()
            self._kept, self._took = (made,), time.monotonic() - started
            return made
        except Exception as error:
            if self._kept is None or self._took <= QUICK_SECONDS:
                raise
            log.warning("not renewed", why=str(error))
            return self._kept[0]
        finally:
            self._ended = time.monotonic()
            self._task = None
