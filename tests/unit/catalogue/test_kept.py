"""Counts that may take long: fresh where that costs nothing, and never a reason to wait twice."""

import asyncio
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, ParamSpec

import pytest
from panosc_catalogue.ingest import kept
from panosc_catalogue.ingest.kept import Kept

_P = ParamSpec("_P")


def in_a_loop(test: Callable[_P, Coroutine[Any, Any, None]]) -> Callable[_P, None]:
    """The test run in a loop of its own."""

    @wraps(test)
    def run(*arguments: _P.args, **named: _P.kwargs) -> None:
        asyncio.run(test(*arguments, **named))

    return run


class Counting:
    """Counts how often it was asked; each time takes `seconds`."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.number = 0
        self.fails = False

    async def __call__(self) -> int:
        self.number += 1
        number = self.number
        await asyncio.sleep(self.seconds)
        if self.fails:
            raise ValueError("no database")
        return number


def slow(monkeypatch: pytest.MonkeyPatch, rest: int) -> tuple[Counting, Kept[int]]:
    """What counts for longer than is quick, and what keeps its counts."""
    monkeypatch.setattr(kept, "QUICK_SECONDS", 0.01)
    monkeypatch.setattr(kept, "REST", rest)
    counting = Counting(0.05)
    return counting, Kept(counting)


@in_a_loop
async def test_what_takes_no_time_is_fresh_each_time() -> None:
    counts: Kept[int] = Kept(Counting())
    assert [await counts.get() for _ in range(3)] == [1, 2, 3]


@in_a_loop
async def test_what_takes_long_is_waited_for_once_and_renewed_after_a_rest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    counting, counts = slow(monkeypatch, rest=2)
    assert list(await asyncio.gather(counts.get(), counts.get())) == [1, 1]
    assert (await counts.get(), counting.number) == (1, 1)
    await asyncio.sleep(0.15)
    assert await counts.get() == 1
    await asyncio.sleep(0.1)
    assert (await counts.get(), counting.number) == (2, 2)


@in_a_loop
async def test_the_last_counts_stay_while_they_cannot_be_renewed(monkeypatch: pytest.MonkeyPatch) -> None:
    counting, counts = slow(monkeypatch, rest=0)
    counting.fails = True
    with pytest.raises(ValueError, match="no database"):
        await counts.get()
    counting.fails = False
    assert await counts.get() == 2
    counting.fails = True
    for _ in range(4):
        assert await counts.get() == 2
        await asyncio.sleep(0.03)
    counting.fails = False
    await asyncio.sleep(0.06)
    await counts.get()
    await asyncio.sleep(0.1)
    assert await counts.get() > 3


@in_a_loop
async def test_a_failure_is_not_taken_for_a_quick_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    counting, counts = slow(monkeypatch, rest=0)
    assert await counts.get() == 1
    counting.fails, counting.seconds = True, 0.0
    for _ in range(3):
        assert await counts.get() == 1
        await asyncio.sleep(0.01)


@in_a_loop
async def test_who_goes_away_does_not_take_the_count_along() -> None:
    counting = Counting(0.05)
    counts = Kept(counting)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(counts.get(), 0.01)
    assert (await counts.get(), counting.number) == (1, 1)
