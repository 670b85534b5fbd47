"""Faults of single system calls, one after the other in every place that they may come at."""

import errno
import os
from typing import Any

import pytest
import trio

from spliceproxy.kernel import syscalls
from spliceproxy.pump.reactor import Reactor
from tests.faults import ENDLESS, CrashAt, FailAt
from tests.proxy.judge import exchange, judge
from tests.proxy.payload import random_bytes
from tests.proxy.relay import Relay, relay
from tests.proxy.small_sockets import shrink_proxy_sockets
from tests.streams import Buffers

PLACES = 50
REQUEST, RESPONSE = random_bytes(120_000, seed=1), random_bytes(120_000, seed=2)
SMALL = Buffers(send_bytes=16384, receive_bytes=16384, segment_bytes=536)
ROOMY = Buffers(
    send_bytes=65536, receive_bytes=65536
)  # so that little is left to deliver at the end

REFUSALS = [errno.ENOSYS, errno.EPERM, errno.EINVAL, errno.EOPNOTSUPP]
FAILURES = [errno.ENOMEM, errno.EIO, errno.ECONNRESET, errno.EPIPE]


@pytest.fixture(autouse=True)
def small_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    shrink_proxy_sockets(monkeypatch, SMALL)


class Seam:
    """Puts one fault after the other in the place of a system call."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
        self._monkeypatch = monkeypatch
        self._call = call
        self._real = getattr(syscalls, call)

    def put(self, fault: Any, *arguments: Any, **more: Any) -> None:
        self._monkeypatch.setattr(syscalls, self._call, fault(self._real, *arguments, **more))


async def one_connection(proxied: Relay, number: int) -> dict[str, Any]:
    """Exchange bytes on a connection and judge its outcome; its line in the log."""
    connection = await proxied.connect()
    with trio.fail_after(10):
        request, response = await exchange(connection, REQUEST, RESPONSE, seed=number)
    connection.client.close()
    connection.backend.close()
    line = dict(await proxied.line(number))
    judge(REQUEST, request, line)
    judge(RESPONSE, response, line)
    await proxied.settled()
    assert proxied.worker.pipes.statistics().in_use == 0
    return line


@pytest.mark.slow
@pytest.mark.parametrize("error", REFUSALS, ids=errno.errorcode.get)
@pytest.mark.parametrize("times", [1, ENDLESS], ids=["once", "from then on"])
async def test_where_splice_is_refused_bytes_are_copied(
    error: int, times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    seam = Seam(monkeypatch, "splice")
    with trio.fail_after(55):
        async with relay(buffers=SMALL) as proxied:
            for number in range(1, PLACES + 1):
                seam.put(FailAt, number, error, times=times)
                line = await one_connection(proxied, number)
                assert line["reason"] == "closed"
                assert line["copied_bytes"] > 0
                assert len(proxied.events("splice_refused")) >= number


@pytest.mark.slow
@pytest.mark.parametrize("call", ["splice", "receive", "send"])
@pytest.mark.parametrize("error", FAILURES, ids=errno.errorcode.get)
async def test_a_call_that_fails_ends_its_connection_alone(
    call: str, error: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    seam = Seam(monkeypatch, call)
    failed = 0
    shrink_proxy_sockets(monkeypatch, ROOMY)
    with trio.fail_after(55):
        async with relay(splice=call == "splice", buffers=ROOMY) as proxied:
            for number in range(1, PLACES + 1):
                seam.put(FailAt, number, error)
                line = await one_connection(proxied, number)
                failed += line["reason"] != "closed"
    assert failed > PLACES // 2


@pytest.mark.slow
@pytest.mark.parametrize("call", ["splice", "receive", "send"])
async def test_a_storm_of_eagain_delays_and_loses_nothing(
    call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seam = Seam(monkeypatch, call)
    with trio.fail_after(55):
        async with relay(splice=call == "splice", buffers=SMALL) as proxied:
            for number in range(1, PLACES + 1):
                seam.put(FailAt, number, errno.EAGAIN, times=20)
                assert (await one_connection(proxied, number))["reason"] == "closed"


@pytest.mark.parametrize("times", [1, ENDLESS], ids=["once", "from then on"])
@pytest.mark.parametrize("number", range(1, 9))
async def test_splice_is_refused_when_the_end_has_already_come(
    number: int, times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bytes and end are there together, more than the destination takes at once."""
    with trio.fail_after(20):
        async with relay(buffers=SMALL) as proxied:
            connection = await proxied.connect()
            Seam(monkeypatch, "splice").put(FailAt, number, errno.EINVAL, times=times)
            sent = connection.client.send_some(REQUEST)
            connection.client.finish()
            await trio.sleep(0.05)
            assert await connection.backend.receive_rest() == (REQUEST[:sent], "eof")
            connection.backend.finish()
            line = await proxied.line()
    assert (line["reason"], line["request_bytes"]) == ("closed", sent)
    assert len(proxied.events("splice_refused")) <= 2


@pytest.mark.parametrize("error", [errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EPERM])
async def test_where_no_pipe_is_made_bytes_are_copied(
    error: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    seam = Seam(monkeypatch, "make_pipe")
    with trio.fail_after(55):
        async with relay(buffers=SMALL) as proxied:
            seam.put(FailAt, 1, error, times=ENDLESS)
            line = await one_connection(proxied, 1)
            assert (line["reason"], line["spliced_bytes"]) == ("closed", 0)
            assert os.strerror(error) in proxied.events("splice_refused")[0]["error"]


@pytest.mark.parametrize("error", [errno.EPERM, errno.ENOMEM, errno.EBUSY, errno.ENOSYS])
async def test_pipes_that_cannot_grow_are_used_as_they_are(
    error: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    seam = Seam(monkeypatch, "set_pipe_capacity")
    seam.put(FailAt, 1, error, times=ENDLESS)
    with trio.fail_after(55):
        async with relay(buffers=SMALL) as proxied:
            line = await one_connection(proxied, 1)
            assert (line["reason"], line["copied_bytes"]) == ("closed", 0)


@pytest.mark.parametrize("call", ["splice", "receive", "send"])
async def test_what_nobody_foresaw_ends_one_connection_and_is_told(
    call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seam = Seam(monkeypatch, call)
    with trio.fail_after(55):
        async with relay(splice=call == "splice", buffers=SMALL) as proxied:
            bystander = await proxied.connect()
            for number in range(1, 13):
                seam.put(CrashAt, number)
                line = await one_connection_beside(proxied, number)
                assert line["reason"] == "internal_error"
                reports = proxied.events("internal_error")
                assert len(reports) == number
                assert isinstance(reports[-1]["exc_info"], RuntimeError)
                assert proxied.worker.pipes.statistics().in_use == 0
            await bystander.client.send(b"still here")
            assert await bystander.backend.receive_exactly(10) == b"still here"


async def one_connection_beside(proxied: Relay, number: int) -> dict[str, Any]:
    connection = await proxied.connect()
    request, response = await exchange(connection, REQUEST, RESPONSE, seed=number)
    line = dict(await proxied.line(number))
    judge(REQUEST, request, line)
    judge(RESPONSE, response, line)
    return line


@pytest.mark.parametrize("number", [1, 2])
async def test_an_epoll_set_that_takes_no_more(
    number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """fs.epoll.max_user_watches: ENOSPC."""
    with trio.fail_after(20):
        async with relay() as proxied:
            monkeypatch.setattr(Reactor, "register", _full(Reactor.register, number))
            unlucky = await proxied.connect()
            assert await unlucky.client.receive_rest() == (b"", "reset")
            assert await unlucky.backend.receive_rest() == (b"", "reset")
            assert (await proxied.line())["reason"] == "internal_error"
            monkeypatch.undo()
            connection = await proxied.connect()
            await connection.client.send(b"again")


def _full(real: Any, number: int) -> Any:
    calls = 0

    def register(reactor: Reactor, fd: int, events: int, watcher: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == number:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(reactor, fd, events, watcher)

    return register
