"""Bringing many files, some at a time; one that fails does not hold up the others."""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

import httpx2

from panosc_cli import transfer
from panosc_cli.failures import Failure
from panosc_cli.holdings import Remote
from panosc_cli.transfer import Progress, Result

AT_A_TIME = 4


async def download(
    client: httpx2.AsyncClient,
    places: Mapping[Path, Remote],
    done: Callable[[Result], None],
    progress: Progress,
) -> list[Failure]:
    """Have all files at their places; returns what failed.

    Raises OSError if this machine cannot keep them: nothing is asked for any more then.
    """
    failures: list[Failure] = []
    turn = asyncio.Semaphore(AT_A_TIME)

    async def one(place: Path, remote: Remote) -> None:
        async with turn:
            try:
                done(await transfer.fetch(client, remote, place, progress))
            except Failure as error:
                failures.append(error)

    try:
        async with asyncio.TaskGroup() as group:
            for place, remote in places.items():
                group.create_task(one(place, remote))
    except* OSError as errors:
        raise errors.exceptions[0] from errors
    return failures
