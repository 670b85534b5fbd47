"""One check of a backend that speaks TLS."""

import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing

import pytest
import trio

from spliceproxy.errors import quote
from spliceproxy.ipc.shared_table import SharedTable
from spliceproxy.kernel.addresses import SocketAddress
from spliceproxy.loop.reactor import Reactor
from spliceproxy.settings.address import TcpAddress
from spliceproxy.settings.backend import BackendSettings
from spliceproxy.settings.health import HealthCheckSettings
from spliceproxy.settings.pool import PoolSettings
from spliceproxy.tls.client_context import ClientTls
from spliceproxy.tls.dialer import TlsDialer
from spliceproxy.tls.handshake_turns import HandshakeTurns
from spliceproxy.tls.start_tls import make_start_tls
from spliceproxy.tls.tls_errors import TlsError
from spliceproxy.upstream.backend import Backend
from spliceproxy.upstream.group import Member
from spliceproxy.upstream.health import judging
from spliceproxy.upstream.probe import probe
from spliceproxy.upstream.resolved import Resolved
from tests.proxy.peer import Peer
from tests.tls.certificates import client_context

CHECK = HealthCheckSettings(send=b"PING\r\n", expect=b"+PONG", timeout_s=5.0)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        yield listener


@pytest.fixture
def dialer() -> Iterator[TlsDialer]:
    reactor = Reactor()
    with closing(reactor):
        yield dialer_for(reactor)


def dialer_for(reactor: Reactor, starttls: str | None = None) -> TlsDialer:
    tls = ClientTls(client_context(), "localhost", make_start_tls(starttls))
    return TlsDialer(reactor, HandshakeTurns(reactor), tls)


def at(listener: socket.socket, dialer: TlsDialer) -> Backend:
    address = TcpAddress("127.0.0.1", 1)
    place = SocketAddress(socket.AF_INET, listener.getsockname(), "good")
    member = Member(BackendSettings(address=address), Resolved(address, "b", (place,)), 1, 0)
    with closing(SharedTable(1)) as table:
        return Backend(member, "b", judging("r", PoolSettings()), table, tls=dialer)


@asynccontextmanager
async def accepted(listener: socket.socket) -> AsyncIterator[Peer]:
    await trio.lowlevel.wait_readable(listener)
    sock, _ = listener.accept()
    peer = Peer(sock)
    yield peer
    peer.close()


async def answer(listener: socket.socket, answer: bytes, received: list[bytes]) -> None:
    async with accepted(listener) as peer:
        await peer.speak_tls(server_side=True)
        received.append(await peer.receive_exactly(6))
        await peer.send(answer)
        rest, end = await peer.receive_rest()
        received += [rest, end.encode()]


@pytest.mark.parametrize(
    ("said", "error"),
    [(b"+PONG and more", ""), (b"-ERR\r\n", "unexpected_answer '-ERR\\r'"), (b"", "check_timeout")],
)
async def test_question_and_answer_are_encrypted(
    listener: socket.socket, dialer: TlsDialer, said: bytes, error: str
) -> None:
    received: list[bytes] = []
    check = CHECK.model_copy(update={"timeout_s": 0.5 if error == "check_timeout" else 5.0})
    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(answer, listener, said, received)
            assert await probe(at(listener, dialer), check) == error
    assert received == [b"PING\r\n", b"", b"eof"]


async def test_a_backend_without_tls(listener: socket.socket, dialer: TlsDialer) -> None:
    async def speak_otherwise() -> None:
        async with accepted(listener) as peer:
            await peer.send(b"+PONG, and who are you?\r\n")
            await peer.receive_rest()

    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(speak_otherwise)
            found = await probe(at(listener, dialer), CHECK)
    assert found == "backend_not_tls 'wrong version number'"


@pytest.mark.parametrize("trusted", [True, False], ids=["name", "authority"])
async def test_a_backend_that_is_not_believed(listener: socket.socket, trusted: bool) -> None:
    """It is down, with what OpenSSL says of its certificate."""

    async def show_certificate() -> None:
        async with accepted(listener) as peer:
            with pytest.raises(TlsError, match="tls_alert"):
                await peer.speak_tls(server_side=True)

    context = client_context() if trusted else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    tls = ClientTls(context, "other.example" if trusted else "localhost")
    with trio.fail_after(10), closing(Reactor()) as reactor:
        dialer = TlsDialer(reactor, HandshakeTurns(reactor), tls)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(show_certificate)
            found = await probe(at(listener, dialer), CHECK)
    why = "Hostname mismatch, certificate is not valid for 'other.example'."
    told = why if trusted else "unable to get local issuer certificate"
    assert found == f"backend_bad_certificate {quote(told)}"


async def test_a_backend_that_says_nothing(listener: socket.socket, dialer: TlsDialer) -> None:
    check = CHECK.model_copy(update={"timeout_s": 0.1})
    assert await probe(at(listener, dialer), check) == "check_timeout"


@pytest.mark.parametrize("said", ["220 mx ESMTP\r\n", "554 no\r\n"])
async def test_a_mail_server_is_asked_for_tls(listener: socket.socket, said: str) -> None:
    """Its greeting, which came before, is what is expected; nothing else is said by TLS."""

    async def serve() -> None:
        async with accepted(listener) as peer:
            for byte in said.encode():
                await peer.send(bytes([byte]))
                await trio.lowlevel.checkpoint()
            if said.startswith("220"):
                assert (await peer.receive_some()).startswith(b"EHLO ")
                await peer.send(b"250-mx\r\n250 STARTTLS\r\n")
                assert await peer.receive_exactly(10) == b"STARTTLS\r\n"
                await peer.send(b"220 go\r\n")
                await peer.speak_tls(server_side=True)
            await peer.receive_rest()

    check = HealthCheckSettings(expect=b"220 ", timeout_s=5.0)
    with trio.fail_after(10), closing(Reactor()) as reactor:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve)
            found = await probe(at(listener, dialer_for(reactor, "smtp")), check)
    expected = "" if said.startswith("220") else "backend_unready 'greets with 554'"
    assert found == expected


async def test_a_backend_that_leaves_before_tls(listener: socket.socket) -> None:
    async def leave() -> None:
        async with accepted(listener) as peer:
            await peer.receive_exactly(8)

    with trio.fail_after(10), closing(Reactor()) as reactor:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(leave)
            found = await probe(at(listener, dialer_for(reactor, "postgres")), CHECK)
    assert found == "backend_reset"
