"""One inquiry for all who ask the same, and peace for the workers in between."""

import math
from contextlib import suppress

import pytest
import trio
import trio.testing

from spliceproxy.admin.messages import RefusedError
from spliceproxy.admin.shared_answers import FRESH_S, SharedAnswers


class Workers:
    """Take a while to answer."""

    def __init__(self, takes_s: float = 0.1) -> None:
        self.takes_s = takes_s
        self.asked = 0

    async def answer(self) -> int:
        self.asked += 1
        number = self.asked
        await trio.sleep(self.takes_s)
        return number


async def test_eight_who_ask_all_the_time_cost_one_inquiry_a_second(
    autojump_clock: trio.testing.MockClock,
) -> None:
    workers, shared = Workers(), SharedAnswers[int]()

    async def look() -> None:
        while True:
            await shared.get("all", workers.answer)
            await trio.sleep(0.01)

    with trio.move_on_after(10):
        async with trio.open_nursery() as nursery:
            for _ in range(8):
                nursery.start_soon(look)
    assert 5 <= workers.asked <= 10 / FRESH_S


async def test_different_questions_cost_a_fifth_of_the_time_at_most(
    autojump_clock: trio.testing.MockClock,
) -> None:
    workers, shared = Workers(), SharedAnswers[int]()

    async def look(own: int) -> None:
        number = 0
        while True:
            number += 1
            await shared.get((own, number), workers.answer)

    with trio.move_on_after(10):
        async with trio.open_nursery() as nursery:
            for own in range(8):
                nursery.start_soon(look, own)
    assert 15 <= workers.asked <= 21
    assert len(shared._answers) <= 8


async def test_after_a_change_the_answer_is_new(autojump_clock: trio.testing.MockClock) -> None:
    workers, shared = Workers(), SharedAnswers[int]()
    assert [await shared.get("all", workers.answer) for _ in range(3)] == [1, 1, 1]
    shared.forget()
    assert await shared.get("all", workers.answer) == 2
    await trio.sleep(FRESH_S)
    assert await shared.get("all", workers.answer) == 3


async def test_who_waits_for_too_many_others_is_told(
    autojump_clock: trio.testing.MockClock,
) -> None:
    workers, shared = Workers(takes_s=10), SharedAnswers[int]()
    autojump_clock.autojump_threshold = math.inf  # else it may jump before the third one asks

    async def ask(question: str) -> None:
        with suppress(RefusedError):  # it has to wait as long as the third one
            await shared.get(question, workers.answer)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask, "one")
        nursery.start_soon(ask, "two")
        await trio.testing.wait_all_tasks_blocked()
        autojump_clock.autojump_threshold = 0
        with pytest.raises(RefusedError) as refused:
            await shared.get("three", workers.answer)
        assert refused.value.status == 503
        nursery.cancel_scope.cancel()


async def test_an_asker_that_is_gone_leaves_the_turn_to_the_next(
    autojump_clock: trio.testing.MockClock,
) -> None:
    workers, shared = Workers(), SharedAnswers[int]()
    async with trio.open_nursery() as nursery:
        with trio.move_on_after(0.05):
            await shared.get("all", workers.answer)
        with trio.fail_after(5):
            assert await shared.get("all", workers.answer) == 2
        nursery.cancel_scope.cancel()
