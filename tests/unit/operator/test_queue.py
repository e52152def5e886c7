"""The work queue keeps its promises under any order of events."""

import asyncio
import itertools
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from panosc_operator.engine import queue as queue_module
from panosc_operator.engine.queue import Closed, WorkQueue
from panosc_operator.engine.resources import Key


def key(name: str, kind: str = "A") -> Key:
    return Key("panosc.eu", kind, "ns", name)


async def drain(queue: WorkQueue, count: int) -> list[Key]:
    taken = []
    for _ in range(count):
        taken.append(await asyncio.wait_for(queue.get(), 1))
        queue.done(taken[-1])
    return taken


def test_a_waiting_key_is_kept_once() -> None:
    async def scenario() -> None:
        queue = WorkQueue()
        for _ in range(3):
            queue.add(key("a"))
        assert await drain(queue, 1) == [key("a")]
        assert len(queue) == 0

    asyncio.run(scenario())


def test_a_key_added_during_its_pass_comes_again_after_it() -> None:
    async def scenario() -> None:
        queue = WorkQueue()
        queue.add(key("a"))
        taken = await queue.get()
        queue.add(key("a"))
        queue.add(key("a"))
        assert len(queue) == 0, "never twice at once"
        queue.done(taken)
        assert await drain(queue, 1) == [key("a")]
        assert len(queue) == 0

    asyncio.run(scenario())


def test_a_kind_with_few_keys_does_not_wait_for_one_with_many() -> None:
    async def scenario() -> None:
        queue = WorkQueue()
        for number in range(100):
            queue.add(key(str(number), "Many"))
        queue.add(key("one", "Few"))
        assert key("one", "Few") in await drain(queue, 2)

    asyncio.run(scenario())


class Clock(WorkQueue):
    """A queue whose time passes when the test says so."""

    time = 1000.0

    def _now(self) -> float:  # type: ignore[override]
        return self.time

    def fail(self, name: str) -> float:
        """Fail as soon as the key is due again."""
        delay = self.retry(key(name))
        self.time += delay
        return delay


def test_failures_delay_a_key_more_and_more_until_it_succeeds() -> None:
    async def scenario() -> None:
        queue = Clock()
        delays = [queue.fail("a") for _ in range(6)]
        assert all(later > 1.1 * former for former, later in itertools.pairwise(delays))
        early = [queue.retry(key("a")) for _ in range(20)]
        assert max(early) < 4 * delays[-1], "a try before it is due doesn't count"
        queue.time += max(early)
        for _ in range(40):
            last = queue.fail("a")
        assert last <= 1.25 * queue_module.MAX_DELAY
        queue.forget(key("a"))
        assert queue.retry(key("a")) <= 1.25 * queue_module.FIRST_DELAY
        assert queue.retry(key("b"), at_least=7) >= 7, "what the server asks for is heeded"

    asyncio.run(scenario())


def test_news_are_not_held_back_by_a_delay() -> None:
    async def scenario() -> None:
        queue = WorkQueue()
        queue.add_after(key("a"), 60)
        queue.add(key("a"))
        assert await drain(queue, 1) == [key("a")]
        queue.add_after(key("b"), 0.05)
        queue.add_after(key("b"), 60)
        assert await drain(queue, 1) == [key("b")], "the earliest time counts"

    asyncio.run(scenario())


def test_closing_wakes_the_workers() -> None:
    async def scenario() -> None:
        queue = WorkQueue()
        waiting = asyncio.create_task(queue.get())
        await asyncio.sleep(0)
        queue.close()
        with pytest.raises(Closed):
            await asyncio.wait_for(waiting, 1)
        queue.add(key("a"))
        with pytest.raises(Closed):
            await queue.get()

    asyncio.run(scenario())


@settings(deadline=None, max_examples=50)
@given(
    adds=st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("AB"), st.integers(0, 3)), max_size=40),
    workers=st.integers(1, 4),
)
def test_no_change_is_missed_and_no_key_is_worked_on_twice_at_once(
    adds: list[tuple[str, str, int]], workers: int
) -> None:
    """A pass that starts after the last add of a key: that is what level-triggered means."""

    async def scenario() -> None:
        queue = WorkQueue()
        version: Counter[Key] = Counter()
        seen: Counter[Key] = Counter()
        active: set[Key] = set()

        async def work() -> None:
            while True:
                try:
                    taken = await queue.get()
                except Closed:
                    return
                assert taken not in active
                active.add(taken)
                seen[taken] = version[taken]
                await asyncio.sleep(0)
                active.discard(taken)
                queue.done(taken)

        tasks = [asyncio.create_task(work()) for _ in range(workers)]
        for name, kind, pause in adds:
            version[key(name, kind)] += 1
            queue.add(key(name, kind))
            for _ in range(pause):
                await asyncio.sleep(0)
        for _ in range(200):
            await asyncio.sleep(0)
        queue.close()
        await asyncio.wait_for(asyncio.gather(*tasks), 5)
        assert seen == version

    asyncio.run(scenario())
