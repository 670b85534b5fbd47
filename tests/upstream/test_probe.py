"""One check of a backend."""

import errno
import socket
from collections.abc import Iterator
from contextlib import suppress

import pytest
import trio

from spliceproxy.ipc.shared_table import SharedTable
from spliceproxy.kernel import syscalls
from spliceproxy.kernel.addresses import SocketAddress
from spliceproxy.settings.address import TcpAddress, UnixAddress
from spliceproxy.settings.backend import BackendSettings
from spliceproxy.settings.health import HealthCheckSettings
from spliceproxy.settings.pool import PoolSettings
from spliceproxy.upstream.backend import Backend
from spliceproxy.upstream.group import Member
from spliceproxy.upstream.health import judging
from spliceproxy.upstream.probe import probe
from spliceproxy.upstream.resolved import Resolved
from tests.backlog import full_tcp_backlog, full_unix_backlog
from tests.faults import FailAt
from tests.streams import reset

REFUSING = SocketAddress(socket.AF_INET, ("127.0.0.1", 1), "refusing")


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        yield listener


def at(*places: socket.socket | SocketAddress, **settings: str) -> Backend:
    """A backend at these addresses."""
    sockets = tuple(
        place
        if isinstance(place, SocketAddress)
        else SocketAddress(socket.AF_INET, place.getsockname(), "good")
        for place in places
    )
    address = TcpAddress("127.0.0.1", 1)
    backend = BackendSettings.model_validate({"address": address, **settings})
    table = SharedTable(1)
    try:
        judged = judging("r", PoolSettings())
        member = Member(backend, Resolved(address, "b", sockets), 1, 0)
        return Backend(member, "b", judged, table)
    finally:
        table.close()


async def answering(listener: socket.socket, answer: bytes | None) -> bytes:
    """Accept once, answer in two parts, or reset; what was received before the end."""
    await trio.lowlevel.wait_readable(listener)
    sock, _ = listener.accept()
    with trio.socket.from_stdlib_socket(sock) as peer:
        if answer is None:
            reset(sock)
            return b""
        received = b""
        with suppress(ConnectionError):  # whoever has seen enough resets
            await peer.send(answer[:2])
            await trio.sleep(0.01)
            await peer.send(answer[2:])
        with suppress(ConnectionError):
            while chunk := await peer.recv(100):
                received += chunk
        return received


async def test_a_connect_is_enough(listener: socket.socket) -> None:
    assert await probe(at(listener), HealthCheckSettings()) == ""


async def test_any_of_its_addresses(listener: socket.socket) -> None:
    assert await probe(at(REFUSING, listener), HealthCheckSettings()) == ""
    assert await probe(at(REFUSING), HealthCheckSettings()) == "backend_refused"
    assert await probe(at(), HealthCheckSettings()) == "no_backend_address"


async def test_no_answer_in_time(listener: socket.socket) -> None:
    check = HealthCheckSettings(expect=b"220", timeout_s=0.05)
    assert await probe(at(listener), check) == "check_timeout"
    with full_tcp_backlog() as (mute, _):
        place = SocketAddress(socket.AF_INET, ("127.0.0.1", mute.port), "mute")
        assert await probe(at(place), check) == "check_timeout"
    with full_unix_backlog() as (address, _):
        assert isinstance(address, UnixAddress)
        place = SocketAddress(socket.AF_UNIX, address.path, "full")
        assert await probe(at(place), check) == "check_timeout"


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"+PONG\r\n", ""),
        (b"+PONG and more", ""),
        (b"-ERR\r\n", "unexpected_answer '-E'"),
        (b"+PO", "check_timeout"),
        (None, "backend_reset"),
    ],
)
async def test_what_is_expected(listener: socket.socket, answer: bytes | None, error: str) -> None:
    check = HealthCheckSettings(send=b"PING\r\n", expect=b"+PONG", timeout_s=0.5)
    asked: list[bytes] = []

    async def answer_once() -> None:
        asked.append(await answering(listener, answer))

    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(answer_once)
            assert await probe(at(listener), check) == error
    if not error:
        assert asked == [b"PING\r\n"]


async def test_a_backend_that_closes_instead(listener: socket.socket) -> None:
    async def close_once() -> None:
        await trio.lowlevel.wait_readable(listener)
        listener.accept()[0].close()

    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(close_once)
            error = await probe(at(listener), HealthCheckSettings(expect=b"220"))
    assert error == "closed_before_answer"


@pytest.mark.parametrize(
    ("version", "header"),
    [("v1", b"PROXY UNKNOWN\r\n"), ("v2", b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0")],
)
async def test_a_connection_of_the_proxys_own_says_so(
    listener: socket.socket, version: str, header: bytes
) -> None:
    asked: list[bytes] = []

    async def answer_once() -> None:
        asked.append(await answering(listener, b"220 hello"))

    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(answer_once)
            check = HealthCheckSettings(expect=b"220")
            assert await probe(at(listener, send_proxy=version), check) == ""
    assert asked == [header]


async def test_out_of_descriptors(listener: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    failing = FailAt(syscalls.open_socket, 1, errno.EMFILE)
    monkeypatch.setattr(syscalls, "open_socket", failing)
    assert await probe(at(listener), HealthCheckSettings()) == "no_descriptors"


async def test_the_source(listener: socket.socket) -> None:
    assert await probe(at(listener, source="127.0.0.8"), HealthCheckSettings()) == ""
    accepted, peer = listener.accept()
    accepted.close()
    assert peer[0] == "127.0.0.8"
