"""Who is let in where all would be, and who leaves."""

import errno
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import pytest
import trio
import trio.testing
from structlog.testing import capture_logs

from spliceproxy.admin import connection
from spliceproxy.admin.acceptor import Acceptor
from spliceproxy.admin.house import MAX_OF_PEER, MAX_SEATED, MAX_STANDING, Guest, House
from spliceproxy.admin.messages import Request, Response
from spliceproxy.admin.peer import Peer, find_peer
from tests.admin.serving import ask, serving


def peer(number: int) -> Peer:
    return Peer(f"10.0.{number}.1:1", f"10.0.{number}.1")


def fill(house: House, *, asking: bool) -> list[Guest]:
    guests = []
    for number in range(MAX_SEATED):
        guest = house.admit(peer(number // MAX_OF_PEER))
        assert guest is not None
        assert not guest.stands
        if asking:
            guest.asks()
        guests.append(guest)
    return guests


async def test_one_that_has_asked_for_nothing_leaves_for_one_that_comes() -> None:
    house = House()
    guests = fill(house, asking=False)
    guests[0].asks()
    for expected in guests[1:4]:
        new = house.admit(peer(99))
        assert new is not None
        assert not new.stands
        assert expected.scope.cancel_called
    assert not guests[0].scope.cancel_called
    assert not guests[4].scope.cancel_called


async def test_one_address_has_only_so_many_seats_and_others_stay() -> None:
    house = House()
    other = house.admit(peer(1))
    of_one = [house.admit(peer(0)) for _ in range(3 * MAX_OF_PEER)]
    assert other is not None
    assert not other.scope.cancel_called
    gone = [one for one in of_one if one is not None and one.scope.cancel_called]
    assert gone == of_one[: 2 * MAX_OF_PEER]


async def test_where_all_are_being_answered_there_is_standing_room() -> None:
    house = House()
    guests = fill(house, asking=True)
    standing = [house.admit(peer(200 + number)) for number in range(MAX_STANDING + 1)]
    assert all(one is not None and one.stands for one in standing)
    first, *others = standing
    assert first is not None
    assert first.scope.cancel_called
    assert not any(one is not None and one.scope.cancel_called for one in (*others, *guests))
    house.leave(guests[0])
    new = house.admit(peer(99))
    assert new is not None
    assert not new.stands


@pytest.mark.parametrize("sent", [b"", b"GET /x HT"])
async def test_a_full_house_of_silence_answers_at_once(tmp_path: Path, sent: bytes) -> None:
    async def answer(_request: Request) -> Response:
        return Response(200, b"ok\n")

    async with serving(tmp_path / "s", answer), trio.open_nursery() as nursery:
        for _ in range(2 * MAX_SEATED):
            stream = await trio.open_unix_socket(tmp_path / "s")
            await stream.send_all(sent)
            nursery.start_soon(hold, stream)
        with trio.fail_after(connection.REQUEST_TIMEOUT_S / 2):
            assert (await ask(tmp_path / "s", "/api/status"))[0] == 200
        nursery.cancel_scope.cancel()


async def hold(stream: trio.SocketStream) -> None:
    async with stream:
        await trio.sleep_forever()


async def test_health_is_answered_where_all_wait_for_answers(tmp_path: Path) -> None:
    async def answer(request: Request) -> Response:
        if request.path == "/slow":
            await trio.sleep_forever()
        return Response(200, b"ok\n")

    path = tmp_path / "s"
    async with serving(path, answer), trio.open_nursery() as nursery:
        for _ in range(2 * MAX_OF_PEER):
            stream = await trio.open_unix_socket(path)
            await stream.send_all(b"GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n")
            nursery.start_soon(hold, stream)
        with trio.fail_after(10):
            for health in ("/livez", "/readyz"):
                assert await ask(path, health) == (200, b"ok\n")
            status, body = await ask(path, "/api/status")
            assert status == 503
            assert b"too many connections" in body
        nursery.cancel_scope.cancel()


@contextmanager
def accepting_fails(error: OSError) -> Iterator[None]:
    async def accept(_listener: trio.SocketListener) -> NoReturn:
        await trio.lowlevel.checkpoint()
        raise error

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trio.SocketListener, "accept", accept)
        yield


async def serve_nobody(_stream: trio.SocketStream, _guest: Guest) -> None:
    pytest.fail("nobody comes")


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM])
async def test_accepting_goes_on_when_others_have_freed_something(
    number: int, autojump_clock: trio.testing.MockClock
) -> None:
    sock = socket.create_server(("127.0.0.1", 0))
    with sock, accepting_fails(OSError(number, "for now")), trio.move_on_after(5) as scope:
        await Acceptor().accept(sock, serve_nobody)
    assert scope.cancelled_caught


async def test_a_socket_that_cannot_be_accepted_from_is_an_error_that_is_seen() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as sock,
        accepting_fails(OSError(errno.EINVAL, "no")),
        capture_logs() as log,
        trio.fail_after(5),
        pytest.raises(BaseExceptionGroup) as raised,
    ):
        await Acceptor().accept(sock, serve_nobody)
    assert raised.group_contains(OSError, match="no")
    assert [line["event"] for line in log] == ["admin_accept_failed"]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("127.0.0.1", "127.9.8.7", True),
        ("127.0.0.1", "::1", True),
        ("::ffff:127.0.0.1", "127.0.0.1", True),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
    ],
)
def test_addresses_of_one_stranger_count_as_one(one: str, other: str, same: bool) -> None:
    class Connected:
        family = socket.AF_INET

        def __init__(self, host: str) -> None:
            self.host = host

        def getpeername(self) -> tuple[str, int]:
            return self.host, 5

    keys = {find_peer(Connected(host)).key for host in (one, other)}  # type: ignore[arg-type]
    assert (len(keys) == 1) is same


async def test_the_kernel_tells_who_has_connected_to_a_unix_socket() -> None:
    ours, theirs = trio.socket.socketpair()
    with ours, theirs:
        found = find_peer(ours)
    assert (found.uid, found.name) == (os.geteuid(), f"uid={os.geteuid()} pid={os.getpid()}")
    assert {os.getegid(), *os.getgroups()} <= found.gids
