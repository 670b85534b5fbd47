"""Asking workers once for all who want to know the same."""

from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

import trio

from spliceproxy.admin.messages import RefusedError

FRESH_S = 1.0
"""So old may an answer be."""
_REST = 4.0
"""So many times as long as an inquiry took, workers have peace from the next: a fifth of their time
is the most that questions cost, whoever asks what."""
_LONGEST_REST_S = 1.0
_PATIENCE_S = 15.0
_MOST_KEPT = 8

Answer = TypeVar("Answer")


class SharedAnswers(Generic[Answer]):
    """Answers of the last second; a single inquiry at a time makes others."""

    def __init__(self) -> None:
        self._answers: dict[Hashable, tuple[float, Answer]] = {}
        self._turn = trio.Lock()
        self._rests_until_s = 0.0

    def forget(self) -> None:
        """Ask anew from now on: something has been changed."""
        self._answers.clear()

    async def get(self, key: Hashable, inquire: Callable[[], Awaitable[Answer]]) -> Answer:
        """Return the answer to that question.

        Raises:
            RefusedError: too many others ask too much.
        """
        with trio.move_on_after(_PATIENCE_S):
            async with self._turn:
                asked_s, answer = self._answers.get(key, (0.0, None))
                if answer is not None and trio.current_time() - asked_s < FRESH_S:
                    return answer
                await trio.sleep_until(self._rests_until_s)
                return await self._inquire(key, inquire)
        raise RefusedError(503, "others are asking the workers: try again")

    async def _inquire(self, key: Hashable, inquire: Callable[[], Awaitable[Answer]]) -> Answer:
        begun_s = trio.current_time()
        answer = await inquire()
        now_s = trio.current_time()
        self._rests_until_s = now_s + min(_LONGEST_REST_S, _REST * (now_s - begun_s))
        self._answers = {
            known: each for known, each in self._answers.items() if now_s - each[0] < FRESH_S
        }
        if len(self._answers) < _MOST_KEPT:
            self._answers[key] = (begun_s, answer)
        return answer
