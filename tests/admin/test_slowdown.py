"""Those who guess wait longer and longer; others don't."""

import trio
import trio.testing

from spliceproxy.admin import slowdown
from spliceproxy.admin.slowdown import FIRST_S, LONGEST_S, Slowdown


async def waited_s(it: Slowdown, key: str) -> float:
    began_s = trio.current_time()
    await it.wait(key)
    return trio.current_time() - began_s


async def test_each_failure_takes_longer_up_to_a_bound(
    autojump_clock: trio.testing.MockClock,
) -> None:
    it = Slowdown()
    times = [await waited_s(it, "a") for _ in range(40)]
    assert times[:3] == [FIRST_S, 2 * FIRST_S, 4 * FIRST_S]
    assert times[-1] == LONGEST_S
    assert await waited_s(it, "b") == FIRST_S
    await trio.sleep(61)
    assert await waited_s(it, "a") == FIRST_S


async def test_only_so_many_are_remembered(autojump_clock: trio.testing.MockClock) -> None:
    it = Slowdown()
    async with trio.open_nursery() as nursery:
        for number in range(3000):
            nursery.start_soon(it.wait, str(number))
    assert len(it._failures) == slowdown._MOST_REMEMBERED
