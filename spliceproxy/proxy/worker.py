"""A worker: accepts connections from shared listeners and relays them, all in one Trio task."""

import socket
from collections.abc import Sequence

import structlog
import trio

from spliceproxy.kernel.limits import file_limit, pipes_that_fit
from spliceproxy.kernel.pipes import FULL_CAPACITY_BYTES, PipePool
from spliceproxy.kernel.sockets import Socket
from spliceproxy.observe.connection import ConnectionRecord
from spliceproxy.proxy.listener import Listener
from spliceproxy.proxy.route import Route, plain_flow
from spliceproxy.proxy.session import Session
from spliceproxy.pump import reason
from spliceproxy.pump.reactor import Reactor
from spliceproxy.settings.options import Settings
from spliceproxy.sinks.mirrors import Mirrors
from spliceproxy.upstream.backends import Backend, Backends

_LOOK_AGAIN_S = 1.0


class Worker:
    """Serves until it is told to drain, then until its last connection has ended."""

    def __init__(
        self,
        settings: Settings,
        listening: Sequence[socket.socket],
        backends: list[Backend],
        *,
        max_connections: int,
        number: int = 0,
        mirror_backends: Sequence[Backends | None] = (),
    ) -> None:
        self.reactor = Reactor()
        self.sessions: set[Session] = set()
        self.mirroring: set[Session] = set()
        """Ended, but copies are still on their way to mirrors. They take no client's place."""
        self._number = number
        self._max_connections = max_connections
        self._backends = Backends(backends, first=number)
        self._lookups = [self._backends, *filter(None, mirror_backends)]
        self.mirrors = self._make_mirrors(settings, mirror_backends)
        self.pipes = PipePool(
            capacity_bytes=FULL_CAPACITY_BYTES if self.mirrors is None else self.mirrors.pipe_bytes,
            max_pipes=pipes_that_fit(file_limit()),
        )
        pipes = self.pipes if settings.splice else None
        self._route = Route(
            backends=self._backends,
            mirrors=self.mirrors,
            make_flow=plain_flow(pipes),
            pipes=pipes,
            connect_timeout_s=settings.connect_timeout_s,
            idle_timeout_s=settings.idle_timeout_s,
            tcp_user_timeout_s=settings.tcp_user_timeout_s,
        )
        self._log = structlog.get_logger().bind()
        self.tells_connections = settings.log_level in ("debug", "info")
        self._listeners = [
            Listener(self.reactor, sock, self._accepted, shared=settings.workers > 1)
            for sock in listening
        ]
        self._holding = True
        self._drained = False
        self._idle = trio.Event()

    def _make_mirrors(
        self, settings: Settings, backends: Sequence[Backends | None]
    ) -> Mirrors | None:
        if not settings.mirrors:
            return None
        mirrors = [
            (mirror, None if addresses is None else addresses.targets)
            for mirror, addresses in zip(settings.mirrors, backends, strict=True)
        ]
        return Mirrors(self.reactor, mirrors, settings.mirror_budget_bytes, self._max_connections)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until all is drained; on cancellation reset what is left."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self.reactor.run)
                for backends in self._lookups:
                    nursery.start_soon(backends.keep_resolved)
                nursery.start_soon(self._look_for_forgotten_clients)
                self._hold(held=False)
                task_status.started()
                await self._idle.wait()
                nursery.cancel_scope.cancel()
        finally:
            self._close()

    async def _look_for_forgotten_clients(self) -> None:
        """Accept what a sibling was woken for, and then could not take.

        A client wakes one of the workers (EPOLLEXCLUSIVE). If that one is at its limit by then,
        the others learn of the client only when the next one comes.
        """
        while True:
            await trio.sleep(_LOOK_AGAIN_S)
            for listener in self._listeners:
                listener.look_again()

    async def drain_within(self, timeout_s: float) -> int:
        """Stop accepting, let connections finish, reset what is left after the timeout.

        Returns how many connections were reset.
        """
        self.drain()
        with trio.move_on_after(timeout_s):
            await self._idle.wait()
        return self.reset_all(reason.DRAIN_DEADLINE)

    def drain(self, *, take_backlog: bool = True) -> None:
        """Stop accepting, and let connections finish.

        Clients in the backlog are served too, unless another worker is there to take them.
        """
        self.reactor.refresh_clock()
        listeners, self._listeners = self._listeners, []
        for listener in listeners:
            room = self._max_connections - len(self.sessions)
            listener.close(take_at_most=room if take_backlog else 0)
        self._drained = True
        self._note_if_idle()
        self.reactor.end_batch()

    def reset_all(self, why: str) -> int:
        """Reset what is left; how many connections that were."""
        left = [*self.sessions, *self.mirroring]
        for session in left:
            session.close(why)
        self.reactor.end_batch()
        return len(left)

    def _accepted(self, listener: Listener, client: Socket, address: object) -> None:
        session = Session(self.reactor, self, self._route, client, address, listener.name)
        self.sessions.add(session)
        if len(self.sessions) >= self._max_connections:
            self._hold(held=True)
        session.start()

    def session_ended(self, session: Session) -> None:
        """Accept again if the session was one too many."""
        self.sessions.discard(session)
        self.mirroring.add(session)
        if self._holding and len(self.sessions) < self._max_connections:
            self._hold(held=False)

    def session_over(self, session: Session) -> None:
        """Forget the session."""
        self.mirroring.discard(session)
        self._note_if_idle()

    def connection_ended(self, record: ConnectionRecord) -> None:
        """Log the connection."""
        self._log.info("connection", worker=self._number, **record.line())

    def _hold(self, *, held: bool) -> None:
        self._holding = held
        for listener in self._listeners:
            listener.update(held=held)

    def _note_if_idle(self) -> None:
        if self._drained and not self.sessions and not self.mirroring:
            self._idle.set()

    def _close(self) -> None:
        self.drain(take_backlog=False)
        self.reset_all(reason.STOPPED)
        if self.mirrors is not None:
            self.mirrors.close()
            for session in list(self.mirroring):  # a disk or command that hangs: say how far it got
                session.mirrors_ended()
        self.reactor.close()
        self.pipes.close()
