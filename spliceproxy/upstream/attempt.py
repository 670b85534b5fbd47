"""Connecting a client to one of a route's backends: choice, dial, header, and others after it."""

from typing import Protocol

from spliceproxy import reasons
from spliceproxy.formats.proxy_protocol.header import ProxiedClient
from spliceproxy.kernel import syscalls
from spliceproxy.kernel.addresses import SocketAddress
from spliceproxy.kernel.sockets import Socket
from spliceproxy.loop.dial import Dial
from spliceproxy.loop.race import Race
from spliceproxy.loop.timers import Timer
from spliceproxy.policy.balance.pool import Shortage
from spliceproxy.policy.balance.state import BackendState
from spliceproxy.tls.dialer import BackendHandshake, TlsDialer
from spliceproxy.tls.start_tls import StartTls
from spliceproxy.upstream.backend import Backend
from spliceproxy.upstream.pool import BackendPool
from spliceproxy.upstream.starttls_dial import StartTlsDial, make_plan


class AttemptOwner(Protocol):
    """The session of the client that is to be connected: what it is asked, and what it is told."""

    @property
    def client_ip(self) -> bytes:
        """The client's address as its 4 or 16 bytes; empty if it has none."""

    @property
    def start_tls(self) -> StartTls | None:
        """What the client has asked this proxy for TLS with, and was greeted; None: it has not."""

    def proxied_client(self) -> ProxiedClient:
        """Return what a backend may be told of the client."""

    def connected(self, sock: Socket, target: SocketAddress, backend: Backend) -> None:
        """Take the connected socket, and give the backend back to the pool at the end."""

    def connect_failed(
        self, target: SocketAddress, backend: Backend, why: str, detail: str = ""
    ) -> None:
        """Take note of a backend's address that did not answer; the next one is tried."""

    def not_connected(self, why: str) -> None:
        """Turn the client away: no backend can be had; ``why`` is the last one's."""

    def on_crash(self, error: Exception) -> None:
        """Report what went wrong; the attempt is cancelled."""


class Attempt:
    """Dials one backend after the other until one has answered, and waits where all are full.

    Another backend is tried only before the client's first byte is read, so nothing is ever
    sent twice.
    """

    __slots__ = (
        "_backend",
        "_busy",
        "_dial",
        "_over",
        "_owner",
        "_pool",
        "_queued_s",
        "_timer",
        "_why",
        "is_queued",
        "queue_s",
        "tried",
    )

    def __init__(self, pool: BackendPool, owner: AttemptOwner) -> None:
        self._pool = pool
        self._owner = owner
        self._over = False
        self._backend: Backend | None = None
        self._dial: Dial | Race | StartTlsDial | BackendHandshake | None = None
        self._timer: Timer | None = None
        self.tried: tuple[BackendState, ...] = ()
        """Whom it has asked in vain."""
        self._why = reasons.BACKENDS_DOWN
        self._busy = False
        self._queued_s = 0.0
        self.is_queued = False
        """Whether it waits for room, or waited when it ended."""
        self.queue_s: float | None = None
        """How long it has waited for room, if it had to."""

    @property
    def is_dialling(self) -> bool:
        """Whether a connect is under way."""
        return self._dial is not None

    def start(self) -> None:
        """Dial, or wait for room."""
        queue = self._pool.queue
        if queue.waiting:  # nobody overtakes those who wait
            self._wait()
            queue.move_soon()
        else:
            self._advance()

    def cancel(self) -> None:
        """Give up, and close what is under way."""
        self._over = True
        self._stop_waiting()
        if self._dial is not None:
            self._dial.cancel()
            self._dial = None
        self._give_back()

    def retry(self) -> bool:
        """Dial if there is room by now."""
        try:
            self._advance()
        except Exception as error:
            self.on_crash(error)
        going_on = self._over or self._dial is not None
        if going_on:
            self._stop_waiting()
        return going_on

    def _advance(self) -> None:
        """Dial backend after backend until a dial is under way, or nobody is left to try."""
        self._busy = True
        while not self._over and self._dial is None:
            if len(self.tried) > self._pool.retries:
                self._fail(self._why)
                break
            client = self._owner.client_ip if self._pool.by_client else b""
            choice = self._pool.choose(client, self.tried)
            if isinstance(choice, Shortage):
                self._meet(choice)
                break
            self._start_dial(choice, client)
        self._busy = False

    def _start_dial(self, backend: Backend, client: bytes) -> None:
        self._backend = backend
        self.is_queued = False
        backend.state.active += 1
        pool = self._pool
        whole = (
            pool.reactor,
            self,
            iter(backend.targets(client)),
            pool.connect_timeout_s,
            pool.tcp_user_timeout_s,
            backend.settings.source,
        )
        if backend.addresses is None or not pool.next_address_s:
            self._dial = Dial(*whole, needs_keepalive=pool.needs_keepalive)
        else:
            self._dial = Race(
                *whole, next_after_s=pool.next_address_s, needs_keepalive=pool.needs_keepalive
            )
        self._dial.start()

    def _meet(self, shortage: Shortage) -> None:
        """Wait where that may help."""
        if shortage is Shortage.FULL:
            self._wait()
        else:
            self._fail(self._why)

    def _wait(self) -> None:
        if self._timer is not None:
            return
        self.is_queued = True
        queue = self._pool.queue
        if queue.full:
            self._fail(reasons.QUEUE_FULL)
        else:
            queue.join(self)
            self._queued_s = self._pool.reactor.now_s
            self._timer = self._pool.reactor.timers.after(queue.timeout_s, self)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._pool.queue.leave(self)
            self.queue_s = (self.queue_s or 0.0) + self._pool.reactor.now_s - self._queued_s

    def on_deadline(self) -> None:
        """Turn the client away: nobody has had room in time."""
        self._fail(reasons.QUEUE_TIMEOUT)

    def connected(self, sock: Socket, target: SocketAddress) -> None:
        """Write the header, agree on TLS, and hand the socket over."""
        assert self._backend is not None  # noqa: S101
        header = self._backend.header
        why = "" if header is None else _send(sock, header(self._owner.proxied_client()))
        if why:
            self._pool.reactor.close_later(sock)
            self.attempt_failed(target, why)
            self.dial_failed(why)
        elif self._backend.tls is not None or self._owner.start_tls is not None:
            self._secure(self._backend.tls, sock, target)
        else:
            self.secured(sock, target)

    def _secure(self, tls: TlsDialer | None, sock: Socket, target: SocketAddress) -> None:
        plan, timeout_s = make_plan(tls, self._owner.start_tls), self._pool.connect_timeout_s
        dial: StartTlsDial | BackendHandshake
        try:
            if plan is not None:
                whole = (self._pool.reactor, self, sock, target, timeout_s, tls, plan)
                dial = StartTlsDial(*whole)
            elif tls is not None:
                dial = BackendHandshake(tls, self, sock, target, timeout_s)
            else:
                self.secured(sock, target)
                return
        except BaseException:
            self._pool.reactor.close_later(sock)
            raise
        self._dial = dial
        dial.start()

    def secured(self, sock: Socket, target: SocketAddress) -> None:
        """Hand the socket over."""
        assert self._backend is not None  # noqa: S101
        self._over = True
        backend, self._backend = self._backend, None
        self._dial = None
        if backend.addresses is not None:
            backend.addresses.answered(target)
        if backend.health.suspect:
            backend.health.connect_succeeded()
        self._owner.connected(sock, target, backend)

    def attempt_failed(self, target: SocketAddress, why: str, detail: str = "") -> None:
        """Pass on that an address did not answer."""
        assert self._backend is not None  # noqa: S101
        self._backend.note(target, why)
        self._owner.connect_failed(target, self._backend, why, detail)

    def not_secured(self, target: SocketAddress, why: str, detail: str) -> None:
        """Go on with another backend: there is no agreeing with this one."""
        self.attempt_failed(target, why, detail)
        self.dial_failed(why)

    def dial_failed(self, why: str) -> None:
        """Go on with another backend."""
        assert self._backend is not None  # noqa: S101
        self._dial = None
        if why == reasons.NO_BACKEND_ADDRESS and self._backend.loops:
            why = reasons.LOOP
        self._why = why
        self.tried += (self._backend.state,)
        self._backend.health.connect_failed(why)
        self._give_back()
        if why in reasons.EXHAUSTED:
            self._fail(why)  # no other backend would fare better
        elif not self._busy:
            self._advance()

    def on_crash(self, error: Exception) -> None:
        """Give up after an exception that nobody foresaw."""
        self.cancel()
        self._owner.on_crash(error)

    dial_crashed = on_crash

    def _fail(self, why: str) -> None:
        self._over = True
        self._stop_waiting()
        self._owner.not_connected(why)

    def _give_back(self) -> None:
        if self._backend is not None:
            backend, self._backend = self._backend, None
            self._pool.give_back(backend)


def _send(sock: Socket, header: bytes) -> str:
    """Write a header; why that failed, or nothing.

    A new connection has room for it; if not, something is wrong with that connection.
    """
    try:
        sent = syscalls.send(sock, header)
    except OSError as error:
        return reasons.name_error("backend", error.errno or 0)
    return "" if sent == len(header) else reasons.HEADER_CUT_SHORT
