"""A negotiation on a socket: it answers what comes, and leaves what is of TLS where it is."""

import socket
import struct
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
import trio

from spliceproxy.formats.starttls.negotiation import Negotiation, Then, Turn
from spliceproxy.formats.starttls.postgres import PostgresClientSide, PostgresServerSide
from spliceproxy.formats.starttls.smtp import SmtpClientSide, SmtpServerSide
from spliceproxy.kernel import syscalls
from spliceproxy.loop.negotiator import Negotiator
from spliceproxy.loop.reactor import Reactor
from tests.faults import AnswerAt
from tests.loop.watching import eventually, running_reactor

SSL_REQUEST = struct.pack("!II", 8, 80877103)
HELLO = b"\x16\x03\x01\x00\x05hello"


class Owner:
    """Keeps what comes of it."""

    def __init__(self) -> None:
        self.turns: list[Turn] = []
        self.failures: list[tuple[str, str]] = []
        self.crashes: list[Exception] = []

    def negotiated(self, turn: Turn) -> None:
        self.turns.append(turn)

    def negotiation_failed(self, why: str, detail: str, *, was_told: bool) -> None:
        self.failures.append((why, detail))
        self.was_told = was_told

    def on_crash(self, error: Exception) -> None:
        self.crashes.append(error)

    async def over(self) -> None:
        await eventually(lambda: bool(self.turns or self.failures or self.crashes))


class Held:
    """A negotiation on one end of a connection, and the other end."""

    def __init__(self, reactor: Reactor, near: socket.socket, far: socket.socket) -> None:
        self.near = near
        self._far = far
        self._reactor = reactor
        self.far = trio.SocketStream(trio.socket.from_stdlib_socket(far))
        self.owner = Owner()

    def begin(self, negotiation: Negotiation, side: str = "client") -> Negotiator:
        held = Negotiator(self._reactor, self.owner, self.near, negotiation, side)
        held.start()
        return held

    async def hears(self, expected: bytes) -> None:
        heard = b""
        while len(heard) < len(expected):
            heard += await self.far.receive_some(len(expected) - len(heard))
        assert heard == expected

    def left(self) -> bytes:
        """What nobody has taken out."""
        return self.near.recv(1000)


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        far = socket.create_connection(listener.getsockname())
        near, _ = listener.accept()
    near.setblocking(False)
    with near, far:
        yield near, far


@asynccontextmanager
async def holding(ends: tuple[socket.socket, socket.socket]) -> AsyncIterator[Held]:
    async with running_reactor() as reactor:
        yield Held(reactor, *ends)
        assert reactor._watchers == {}
        assert ends[0].getsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT) == 1


async def test_tls_begins_behind_the_answer(ends: tuple[socket.socket, socket.socket]) -> None:
    async with holding(ends) as held:
        held.begin(PostgresServerSide())
        for at in range(8):
            assert not held.owner.turns
            await held.far.send_all(SSL_REQUEST[at : at + 1])
        await held.hears(b"S")
        await held.far.send_all(HELLO)
        await held.owner.over()
        assert [turn.then for turn in held.owner.turns] == [Then.TLS]
        await eventually(lambda: held.near.recv(1000, socket.MSG_PEEK) == HELLO)


async def test_several_turns(ends: tuple[socket.socket, socket.socket]) -> None:
    async with holding(ends) as held:
        held.begin(SmtpServerSide("mx"))
        await held.hears(b"220 mx ESMTP\r\n")
        await held.far.send_all(b"NOOP\r\nEHLO me\r\n")
        await held.hears(b"250 2.0.0 Ok\r\n250-mx\r\n250 STARTTLS\r\n")
        await held.far.send_all(b"STARTTLS\r\n")
        await held.hears(b"220 2.0.0 Ready to start TLS\r\n")
        await held.owner.over()
        assert [turn.then for turn in held.owner.turns] == [Then.TLS]


async def test_a_backend_is_asked(ends: tuple[socket.socket, socket.socket]) -> None:
    async with holding(ends) as held:
        held.begin(PostgresClientSide(), "backend")
        await held.hears(SSL_REQUEST)
        await held.far.send_all(b"S")
        await held.owner.over()
        assert held.owner.turns == [Turn(1, b"", Then.TLS)]


async def test_what_was_there_before_is_read(ends: tuple[socket.socket, socket.socket]) -> None:
    """Such as the hello of a client that has begun with TLS at once, which stays."""
    async with holding(ends) as held:
        await held.far.send_all(HELLO)
        held.begin(PostgresServerSide())
        await held.owner.over()
        assert held.owner.turns == [Turn(0, b"", Then.TLS, "postgresql")]
        assert held.left() == HELLO


@pytest.mark.parametrize(
    ("said", "why", "heard"),
    [
        (SSL_REQUEST + HELLO, "plaintext_before_tls", b""),
        (struct.pack("!II", 9, 196608) + b"\0", "no_starttls", b"E"),
        (b"GET / HTTP/1.0\r\n", "bad_starttls", b""),
    ],
)
async def test_what_is_refused(
    ends: tuple[socket.socket, socket.socket], said: bytes, why: str, heard: bytes
) -> None:
    async with holding(ends) as held:
        held.begin(PostgresServerSide())
        await held.far.send_all(said)
        await held.owner.over()
        assert [each[0] for each in held.owner.failures] == [why]
        await held.hears(heard)
        assert held.owner.was_told == bool(heard)
        if heard:
            with pytest.raises(BlockingIOError):
                held.left()


@pytest.mark.parametrize(
    ("negotiation", "side", "said", "why"),
    [
        (PostgresServerSide(), "client", b"", "client_left"),
        (PostgresServerSide(), "client", b"\0\0", "bad_starttls"),
        (SmtpServerSide("mx"), "client", b"QUIT\r\n", "client_left"),
        (PostgresClientSide(), "backend", b"", "backend_bad_starttls"),
        (SmtpClientSide("mx"), "backend", b"220 ", "backend_bad_starttls"),
    ],
)
async def test_an_end_before_tls(
    ends: tuple[socket.socket, socket.socket],
    negotiation: Negotiation,
    side: str,
    said: bytes,
    why: str,
) -> None:
    async with holding(ends) as held:
        held.begin(negotiation, side)
        await held.far.send_all(said)
        await held.far.send_eof()
        await held.owner.over()
        assert [each[0] for each in held.owner.failures] == [why]


async def test_a_reset(ends: tuple[socket.socket, socket.socket]) -> None:
    async with holding(ends) as held:
        held.begin(PostgresClientSide(), "backend")
        await held.hears(SSL_REQUEST)
        held.far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        await held.far.aclose()
        await held.owner.over()
        assert held.owner.failures == [("backend_reset", "")]


async def test_an_answer_that_is_not_taken(
    ends: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(syscalls, "send", AnswerAt(syscalls.send, 1, 3))
    async with holding(ends) as held:
        held.begin(PostgresClientSide(), "backend")
        assert held.owner.failures == [("backend_eagain", "")]


async def test_whoever_gives_up_hears_no_more(ends: tuple[socket.socket, socket.socket]) -> None:
    async with holding(ends) as held:
        held.begin(PostgresServerSide()).cancel()
        await held.far.send_all(SSL_REQUEST)
        await trio.sleep(0.02)
        assert (held.owner.turns, held.owner.failures) == ([], [])
        assert held.left() == SSL_REQUEST
