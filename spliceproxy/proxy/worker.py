"""A worker: accepts connections from shared listeners and relays them, all in one Trio task."""

import heapq
import socket
from collections.abc import Sequence

import trio

from spliceproxy import reasons
from spliceproxy.ipc.rows import WorkerState
from spliceproxy.kernel.limits import file_limit, pipes_that_fit
from spliceproxy.kernel.pipes import FULL_CAPACITY_BYTES, PipePool
from spliceproxy.loop.reactor import Reactor
from spliceproxy.observe.access_log import AccessLog, Tell, follows_log, forget
from spliceproxy.observe.connection import ConnectionRecord
from spliceproxy.observe.haproxy_line import OpenConnections
from spliceproxy.observe.levels import set_level, tells_connections
from spliceproxy.observe.tally import Tally
from spliceproxy.policy.drain import may_stay, spread_from_s
from spliceproxy.proxy.admin_answers import AdminAnswers
from spliceproxy.proxy.attachments import WorkerAttachments
from spliceproxy.proxy.capacity import mirror_budget_bytes, spare_descriptors
from spliceproxy.proxy.frontend import Frontend
from spliceproxy.proxy.health_watch import HealthWatch
from spliceproxy.proxy.loop_guard import LoopGuard
from spliceproxy.proxy.prepared import PreparedRoute
from spliceproxy.proxy.publisher import Publisher
from spliceproxy.proxy.reception import Entering
from spliceproxy.proxy.route import Route
from spliceproxy.proxy.route_limits import accept_limits
from spliceproxy.proxy.route_opener import RouteOpener
from spliceproxy.proxy.row_keeper import RowKeeper
from spliceproxy.proxy.session import Session
from spliceproxy.proxy.session_counters import SessionCounters
from spliceproxy.proxy.worker_mirrors import WorkerMirrors
from spliceproxy.settings.log import LogLevel
from spliceproxy.settings.proxy import Settings
from spliceproxy.sinks.mirrors import Mirrors
from spliceproxy.tls.handshake_turns import HandshakeTurns
from spliceproxy.upstream.checker import Checker
from spliceproxy.upstream.resolved import LOOKUP_INTERVAL_S, keep_resolved

_LOOK_AGAIN_S = 1.0
_SPREAD_STEPS = 300  # of a drain's window: so fine are the steps in which connections end


class Worker:
    """Serves until it is told to drain, then until its last connection has ended."""

    def __init__(
        self,
        settings: Settings,
        routes: Sequence[PreparedRoute],
        tally: Tally,
        access_log: AccessLog,
        sample_key: bytes,
        *,
        number: int = 0,
        generation: int = 0,
        admin_line: socket.socket | None = None,
    ) -> None:
        self.reactor = Reactor()
        self._settings = settings
        self._number = number
        self._tell = access_log.teller(number, generation, self._count_open)
        self._tally = tally
        self._admin_line = admin_line
        self._drained = False
        self._idle = trio.Event()
        self._mirrors = WorkerMirrors(self.reactor, mirror_budget_bytes(settings), sample_key)
        self.pipes = self._make_pipes(mirrored=any(route.settings.mirrors for route in routes))
        self._turns = HandshakeTurns(self.reactor)
        self.opener = RouteOpener(
            self.reactor, settings, tally, self.pipes, self._mirrors, self._turns, worker=number
        )
        self._frontends = self._make_frontends(routes)
        self._tls = [route.tls for route in routes if route.tls is not None]
        self.attachments = WorkerAttachments(
            self.reactor, self._mirrors, self.pipes, self._frontends, _spare_descriptors(routes)
        )
        self._checker = Checker(self.opener.pools, for_all=number == 0)
        self._rows = RowKeeper(tally, self._frontends)
        self._publisher = Publisher(
            tally,
            self.reactor,
            self.pipes,
            self._mirrors,
            self._frontends,
            number=number,
            generation=generation,
        )

    @property
    def mirrors(self) -> Mirrors | None:
        """What all mirrors share; None where there is no mirror."""
        return self._mirrors.shared

    def _make_pipes(self, *, mirrored: bool) -> PipePool:
        """Return pipes for all flows, none larger than what a tee copies at once."""
        capacity_bytes = self._mirrors.acquire().pipe_bytes if mirrored else FULL_CAPACITY_BYTES
        return PipePool(capacity_bytes=capacity_bytes, max_pipes=pipes_that_fit(file_limit()))

    def _make_frontends(self, routes: Sequence[PreparedRoute]) -> list[Frontend]:
        frontends = [self._make_frontend(route, self.opener.open(route)) for route in routes]
        by_name = {frontend.name: frontend for frontend in frontends}
        LoopGuard(
            routes, dict(zip(by_name, self.opener.pools, strict=True)), tells=self._number == 0
        )
        for route, frontend in zip(routes, frontends, strict=True):
            frontend.open_reception(route.settings, by_name, self._tally, self._turns)
        return frontends

    def _make_frontend(self, prepared: PreparedRoute, route: Route) -> Frontend:
        name, most = prepared.settings.name, prepared.max_sessions
        frontend = Frontend(
            self.reactor,
            route,
            prepared.max_connections,
            self._note_if_idle,
            limits=accept_limits(self.reactor, prepared.settings, self._tally),
            counters=SessionCounters(self._tally, name, most, route.mirrors),
            tell=self._tell_at(self._settings.log.level),
        )
        frontend.listen(prepared.listening, prepared.tls, shared=self._settings.workers > 1)
        return frontend

    def use_tickets(self, secret: bytes) -> None:
        """Give and take session tickets of TLS by a secret."""
        for tls in self._tls:
            tls.use_tickets(secret)

    def set_log_level(self, level: LogLevel) -> None:
        """Log what is of this level or above."""
        set_level(level)
        for frontend in self._frontends:
            frontend.tell = self._tell_at(level)

    def _tell_at(self, level: LogLevel) -> Tell:
        """Return what takes the records of connections when this is what is logged."""
        if follows_log(self._settings.access_log) and not tells_connections(level):
            return forget
        return self._tell

    def _count_open(self, record: ConnectionRecord) -> OpenConnections:
        """Return how many others are open when one is told of."""
        frontend = next(one for one in self._frontends if one.name == record.route)
        return OpenConnections(
            worker=sum(len(one.sessions) for one in self._frontends),
            route=len(frontend.sessions),
            backend=frontend.counters.open_at(record.backend_name),
        )

    @property
    def sessions(self) -> set[Session]:
        """Connections of all routes that take a client's place."""
        return set().union(*(frontend.sessions for frontend in self._frontends))

    @property
    def mirroring(self) -> set[Session]:
        """Ended connections of all routes, whose copies are still on their way to mirrors."""
        return set().union(*(frontend.mirroring for frontend in self._frontends))

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until all is drained; on cancellation reset what is left."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self.reactor.run)
                nursery.start_soon(self._publisher.run)
                if self._admin_line is not None:
                    nursery.start_soon(self._admin_answers(self._admin_line).run)
                nursery.start_soon(keep_resolved, self.opener.mirror_targets, LOOKUP_INTERVAL_S)
                for lookups in self.opener.lookups:
                    nursery.start_soon(lookups.run)
                nursery.start_soon(
                    HealthWatch(self.reactor, self.opener.pools, self._frontends).run
                )
                nursery.start_soon(self._checker.run)
                nursery.start_soon(self._rows.run)
                nursery.start_soon(self._look_for_forgotten_clients)
                for frontend in self._frontends:
                    frontend.hold(held=False)
                task_status.started()
                await self._idle.wait()
                nursery.cancel_scope.cancel()
        finally:
            self._close()

    def _admin_answers(self, line: socket.socket) -> AdminAnswers:
        return AdminAnswers(
            line,
            self._tally.slot,
            self._frontends,
            self.attachments,
            self.reactor.end_batch,
            self._settings.admin.attach,
        )

    async def _look_for_forgotten_clients(self) -> None:
        """Accept what a sibling was woken for, and then could not take.

        A client wakes one of the workers (EPOLLEXCLUSIVE), of this generation or an older one. If
        that one is at its limit by then, or does not run, the others learn of the client only
        when the next one comes.
        """
        while True:
            await trio.sleep(_LOOK_AGAIN_S)
            for frontend in self._frontends:
                for listener in frontend.listeners:
                    listener.look_again()

    async def drain_within(self, timeout_s: float) -> int:
        """Stop accepting, let connections finish, reset what is left bit by bit.

        Returns how many connections were reset.
        """
        self.drain()
        started_s = trio.current_time()
        with trio.move_on_after(spread_from_s(timeout_s)):
            await self._idle.wait()
        count, reset = len(self.sessions), 0
        while not self._idle.is_set():
            elapsed_s = trio.current_time() - started_s
            if elapsed_s >= timeout_s:
                return reset + self.reset_all(reasons.DRAIN_DEADLINE)
            reset += self._reset_all_but(may_stay(count, elapsed_s, timeout_s))
            with trio.move_on_after(min(timeout_s / _SPREAD_STEPS, timeout_s - elapsed_s)):
                await self._idle.wait()
        return reset

    def _reset_all_but(self, kept: int) -> int:
        """Reset the connections that have been silent for longest."""
        sessions = self.sessions
        longest_silent = heapq.nsmallest(
            len(sessions) - kept, sessions, key=lambda session: session.last_active_s
        )
        for session in longest_silent:
            session.close(reasons.DRAIN_DEADLINE)
        self.reactor.end_batch()
        return len(longest_silent)

    def drain(self, *, take_backlog: bool = True) -> None:
        """Stop accepting, and let connections finish.

        Clients in the backlog are served too, unless another worker is there to take them.
        """
        self.reactor.refresh_clock()
        for frontend in self._frontends:
            frontend.close(take_backlog=take_backlog)
        self._drained = True
        self._checker.stop()  # those who go on accepting check
        self._publisher.set_state(WorkerState.DRAINING)
        self._note_if_idle()
        self.reactor.end_batch()

    def reset_all(self, why: str) -> int:
        """Reset what is left; how many connections that were."""
        left: list[Entering | Session] = []
        for frontend in self._frontends:
            left += frontend.entering
        # First those who wait: else each would be connected to a backend for a moment.
        sessions = sorted(self.sessions, key=lambda session: session.backend is not None)
        left += [*sessions, *self.mirroring]
        for each in left:
            each.close(why)
        self.reactor.end_batch()
        return len(left)

    def _note_if_idle(self) -> None:
        if self._drained and all(frontend.is_idle for frontend in self._frontends):
            self._idle.set()

    def _close(self) -> None:
        self.drain(take_backlog=False)
        self.reset_all(reasons.STOPPED)
        if self.mirrors is not None:
            self.mirrors.close()
            for session in self.mirroring:  # a disk or command that hangs: say how far it got
                session.mirrors_settled()
        for frontend in self._frontends:
            frontend.sums.flush()
        self._publisher.close()
        self.reactor.close()
        self.pipes.close()


def _spare_descriptors(routes: Sequence[PreparedRoute]) -> int:
    """Return how many descriptors are left for attached mirrors when every route is full."""
    return spare_descriptors(
        [route.settings for route in routes],
        [route.max_connections for route in routes],
        sum(len(route.listening) for route in routes),
        file_limit(),
    )
