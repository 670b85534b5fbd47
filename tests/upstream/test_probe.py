"""One check of a backend."""

import errno
import socket
import time
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
from spliceproxy.upstream import probe as module
from spliceproxy.upstream.backend import Backend
from spliceproxy.upstream.group import Member
from spliceproxy.upstream.health import judging
from spliceproxy.upstream.probe import probe
from spliceproxy.upstream.resolved import Resolved
from tests.backlog import full_tcp_backlog, full_unix_backlog
from tests.faults import AnswerAt, FailAt
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


async def end_of(listener: socket.socket, check: HealthCheckSettings, answer: bytes = b"") -> str:
    """How a check that passes ends, as its backend sees it."""
    ends: list[str] = []

    async def see() -> None:
        await trio.lowlevel.wait_readable(listener)
        sock, _ = listener.accept()
        with trio.socket.from_stdlib_socket(sock) as peer:
            try:
                await peer.send(answer)
                while await peer.recv(100):
                    pass
                await peer.send(b"221 bye\r\n")
                await trio.sleep(0.05)
                await peer.send(b"in vain, if it is closed")
                ends.append("fin")
            except ConnectionError:
                ends.append("reset")

    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(see)
            assert await probe(at(listener), check) == ""
    return ends[0]


@pytest.mark.parametrize(
    ("settings", "answer"),
    [
        ({}, b""),
        ({}, b"220 a banner that nobody asked for\r\n"),
        ({"send": b"PING\r\n", "expect": b"+P"}, b"+PONG and what else there is" * 1000),
    ],
)
@pytest.mark.parametrize("close", ["fin", "reset"])
async def test_how_a_check_ends(
    listener: socket.socket, close: str, settings: dict[str, bytes], answer: bytes
) -> None:
    check = HealthCheckSettings.model_validate({"close": close, **settings})
    assert await end_of(listener, check, answer) == close


async def test_a_backend_that_goes_on_sending_holds_up_no_check(listener: socket.socket) -> None:
    async def send_on() -> None:
        await trio.lowlevel.wait_readable(listener)
        with (
            trio.socket.from_stdlib_socket(listener.accept()[0]) as peer,
            suppress(ConnectionError),
        ):
            while True:
                await peer.send(b"220 " * 100)

    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(send_on)
            assert await probe(at(listener), HealthCheckSettings(expect=b"220")) == ""


async def test_a_process_that_is_held_up_blames_nobody(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LATE_S", 0.1)
    check = HealthCheckSettings(expect=b"220", timeout_s=0.05)

    async def hold_up() -> None:
        time.sleep(0.5)  # noqa: ASYNC251 - as a debugger, a disk or SIGSTOP does

    async with trio.open_nursery() as nursery:
        nursery.start_soon(hold_up)
        assert await probe(at(listener), check) == "no_cpu_time"


async def test_an_address_that_could_not_be_tried_may_be_a_good_one(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in (1, 2):
        failing = AnswerAt(syscalls.connect, number, errno.EADDRNOTAVAIL)
        with monkeypatch.context() as patched:
            patched.setattr(syscalls, "connect", failing)
            backend = at(REFUSING, REFUSING)
            assert await probe(backend, HealthCheckSettings()) == "no_local_port"


async def test_a_source_that_has_gone(listener: socket.socket) -> None:
    error = await probe(at(listener, source="192.0.2.1"), HealthCheckSettings())
    assert error == "source_unavailable"


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
