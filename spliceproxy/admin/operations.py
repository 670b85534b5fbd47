"""What can be asked of a running proxy, and done to it, by whatever way somebody asks."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

import trio

from spliceproxy.admin.backend_orders import BackendOrder, find_backend
from spliceproxy.admin.messages import RefusedError
from spliceproxy.admin.mirror_orders import MirrorOrder, find_mirror
from spliceproxy.admin.shared_answers import SharedAnswers
from spliceproxy.admin.worker_lines import WorkerLines
from spliceproxy.ipc.description import Description, MirrorDescription
from spliceproxy.ipc.master_line import DRAIN, LOG_LEVEL, RELOAD
from spliceproxy.ipc.packets import Question
from spliceproxy.observe.status import Gone, Status
from spliceproxy.observe.status_reader import StatusReader
from spliceproxy.policy.selection import Selection
from spliceproxy.settings.log import LEVELS

MAX_CONNECTIONS_TOLD = 10_000
_RELOAD_TIMEOUT_S = 120.0
_ORDER_TIMEOUT_S = 5.0


class TellMaster(Protocol):
    """Passes an order on to the master."""

    async def __call__(self, what: str, **details: str) -> None:
        """Pass it on, with what belongs to it."""


class Operations:
    """Reads the counters, asks the workers, passes orders on to the master."""

    def __init__(self, reader: StatusReader, tell_master: TellMaster, workers: WorkerLines) -> None:
        self._reader = reader
        self._tell_master = tell_master
        self._workers = workers
        self._answers: SharedAnswers[dict[str, Any]] = SharedAnswers()
        self._attached: Mapping[str, Sequence[MirrorDescription]] = {}
        self._description: Description | None = None
        self._described = trio.Event()

    def describe(self, description: Description) -> None:
        """Take over what the master says of itself."""
        self._description = description
        self._described.set()
        self._described = trio.Event()

    @property
    def description(self) -> Description:
        """What the master says of itself.

        Raises:
            RefusedError: it has not said anything yet.
        """
        if self._description is None:
            raise RefusedError(503, "the proxy is starting")
        return self._reader.current(self._description)

    def status(self) -> Status:
        """Return the state of everything."""
        return self._reader.status(self._with_attached())

    def gone(self) -> Gone:
        """Return what is still counted of what is no more."""
        return self._reader.gone(self._with_attached())

    def _with_attached(self) -> Description:
        """Return the description with the mirrors that are attached."""
        description = self.description
        if not self._attached:
            return description
        routes = (
            replace(route, mirrors=(*route.mirrors, *self._attached.get(route.name, ())))
            for route in description.routes
        )
        return replace(description, routes=tuple(routes))

    def tell_attached(self, mirrors: Mapping[str, Sequence[MirrorDescription]]) -> None:
        """Have the status tell of mirrors that are attached, by their routes."""
        self._attached = mirrors

    async def connections(self, selection: Selection, limit: int) -> dict[str, Any]:
        """Return open connections, and which workers did not answer.

        Those of up to a second ago: looking costs the workers time that traffic has to wait.

        Raises:
            RefusedError: too many ask too much.
        """
        limit = min(limit, MAX_CONNECTIONS_TOLD)
        return await self._answers.get(
            (selection, limit),
            lambda: self._workers.ask_all(
                Question.CONNECTIONS, selection=selection.as_texts(), limit=limit
            ),
        )

    async def close_connections(self, selection: Selection) -> dict[str, Any]:
        """Reset connections; returns how many."""
        try:
            answer = await self._workers.ask_all(Question.CLOSE, selection=selection.as_texts())
        finally:
            self._answers.forget()
        return {"closed": sum(answer.pop("found")), **answer}

    def set_backend(self, route: str, backend: str, order: BackendOrder) -> None:
        """Change what a backend gets; live connections go on.

        Only those of a disabled one are reset, where the route says `on_down: close`.

        Raises:
            RefusedError: there is no such backend.
        """
        order.give(self._reader.table, find_backend(self.description, route, backend))

    def set_backend_state(self, route: str, backend: str, state: str) -> None:
        """Let a backend have no new connections (`drain`, `disabled`), or have them again (`up`).

        Raises:
            RefusedError: there is no such backend or state.
        """
        self.set_backend(route, backend, BackendOrder(state=state))

    def set_backend_weight(self, route: str, backend: str, weight: int) -> None:
        """Give a backend another share of the connections.

        Raises:
            RefusedError: there is no such backend, or it is no weight.
        """
        self.set_backend(route, backend, BackendOrder(weight=weight))

    async def set_mirror(self, route: str, mirror: str, order: MirrorOrder) -> dict[str, Any]:
        """Change which connections a mirror gets from now on, or end its streams, too.

        Raises:
            RefusedError: there is no such mirror.
        """
        order.give(self._reader.table, find_mirror(self.description, route, mirror))
        if not order.now:
            return {}
        answer = await self._workers.ask_all(Question.STOP_MIRROR, route=route, mirror=mirror)
        return {"streams_ended": sum(answer.pop("found")), **answer}

    async def reload(self) -> dict[str, Any]:
        """Have the configuration read again, and wait for the outcome.

        Raises:
            RefusedError: the new one was refused, or it takes too long.
        """
        before = self.description
        await self._tell_master(RELOAD)
        with trio.move_on_after(_RELOAD_TIMEOUT_S):
            while True:
                now = self.description
                if now.reloads_succeeded > before.reloads_succeeded:
                    return {"generation": now.generation}
                if now.reloads_refused > before.reloads_refused:
                    raise RefusedError(422, now.last_reload)
                await self._described.wait()
        raise RefusedError(504, "the reload goes on; its outcome will be in the log")

    async def set_log_level(self, level: object) -> dict[str, Any]:
        """Have all processes log what is of this level or above.

        Raises:
            RefusedError: there is no such level, or nobody follows.
        """
        if not isinstance(level, str) or level not in LEVELS:
            raise RefusedError(400, f"{repr(level)[:60]} is no level: {', '.join(LEVELS)}")
        await self._tell_master(LOG_LEVEL, level=level)
        with trio.move_on_after(_ORDER_TIMEOUT_S):
            while self.description.log_level != level:
                await self._described.wait()
            return {"level": level}
        raise RefusedError(504, "the master does not follow")

    async def drain(self) -> dict[str, Any]:
        """Have the proxy end when its connections have, as SIGTERM does."""
        await self._tell_master(DRAIN)
        return {"draining": True}
