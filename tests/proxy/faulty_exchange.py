"""Exchanges of bytes during which a system call misbehaves."""

import errno
from typing import Any

import pytest
import trio

from spliceproxy.kernel import syscalls
from tests.proxy.judge import exchange, judge
from tests.proxy.payload import random_bytes
from tests.proxy.relay import Relay, eventually
from tests.streams import Buffers

PLACES = range(1, 51)
"""The calls of a connection that a fault is put at, one after the other."""

REQUEST, RESPONSE = random_bytes(120_000, seed=1), random_bytes(120_000, seed=2)

SMALL = Buffers(send_bytes=16384, receive_bytes=16384, segment_bytes=536)

REFUSALS = [errno.ENOSYS, errno.EPERM, errno.EINVAL, errno.EOPNOTSUPP]


class Seam:
    """Puts one fault after the other in the place of a system call."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
        self._monkeypatch = monkeypatch
        self._call = call
        self._real = getattr(syscalls, call)

    def put(self, fault: Any, *arguments: Any, **more: Any) -> None:
        self._monkeypatch.setattr(syscalls, self._call, fault(self._real, *arguments, **more))


async def one_exchange(proxied: Relay, number: int, *, live: int = 0) -> dict[str, Any]:
    """Exchange bytes on a connection and judge its outcome; its line, the nth, in the log.

    Afterwards so many other connections are live, and quiet.
    """
    connection = await proxied.connect()
    with trio.fail_after(10):
        request, response = await exchange(connection, REQUEST, RESPONSE, seed=number)
    connection.client.close()
    connection.backend.close()
    line = dict(await proxied.line(number))
    judge(REQUEST, request, line)
    judge(RESPONSE, response, line)
    await eventually(lambda: len(proxied.worker.sessions) == live)
    assert proxied.worker.pipes.statistics().in_use == 0
    return line
