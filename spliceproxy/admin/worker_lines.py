"""The admin process's lines to all workers that there are."""

from typing import Any

import trio

from spliceproxy.admin.worker_line import NoAnswerError, WorkerLine
from spliceproxy.ipc.packets import Question


class WorkerLines:
    """Asks all workers at once; they come and go."""

    def __init__(self) -> None:
        self._lines: dict[int, WorkerLine] = {}
        self._joined = trio.Event()

    def add(self, line: WorkerLine) -> None:
        """Ask this worker too; it takes the slot of one that has ended."""
        self.remove(line.slot)
        self._lines[line.slot] = line
        self._joined.set()

    def remove(self, slot: int) -> None:
        """Ask a worker no more, since it has ended."""
        line = self._lines.pop(slot, None)
        if line is not None:
            line.close()

    @property
    def lines(self) -> list[WorkerLine]:
        """To those that there are now."""
        return list(self._lines.values())

    async def wait_for_more(self) -> None:
        """Wait until workers have joined since this was last called."""
        await self._joined.wait()
        self._joined = trio.Event()

    async def ask(self, slot: int, what: Question, **details: Any) -> dict[str, Any]:
        """Ask the one worker at that slot; returns what `ask_all` does."""
        return await self._ask([line for line in self.lines if line.slot == slot], what, details)

    async def ask_all(self, what: Question, **details: Any) -> dict[str, Any]:
        """Return what was `found` in all of them, and which of them did not answer (`silent`)."""
        return await self._ask(self.lines, what, details)

    async def _ask(
        self, lines: list[WorkerLine], what: Question, details: dict[str, Any]
    ) -> dict[str, Any]:
        found: list[Any] = []
        silent: list[str] = []

        async def ask(line: WorkerLine) -> None:
            try:
                found.extend(await line.ask(what, **details))
            except NoAnswerError as error:
                silent.append(str(error))

        async with trio.open_nursery() as nursery:
            for line in lines:
                nursery.start_soon(ask, line)
        return {"found": found, "silent": sorted(silent)}
