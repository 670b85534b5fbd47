"""Calls that fail, fall short or say "not now", at any place: all bytes, or a visible end."""

import errno
from typing import Any

import pytest
import trio

from tests.faults import Counted, FailAt
from tests.proxy.faulty_exchange import PLACES, SMALL, Seam, one_exchange
from tests.proxy.relay import COPY, SPLICE, TLS_MODES, Mode, relay
from tests.proxy.small_sockets import shrink_proxy_sockets
from tests.streams import Buffers

# With these, little is left to deliver at the end, which may take a delayed acknowledgement.
ROOMY = Buffers(send_bytes=65536, receive_bytes=65536)

FAILURES = [errno.ENOMEM, errno.ECONNRESET, errno.EPIPE]

# The call, and a way to relay in which it is made.
calls = pytest.mark.parametrize(
    ("call", "mode"),
    [
        ("splice", SPLICE),
        ("receive", COPY),
        ("send", COPY),
        ("receive", TLS_MODES["tls-both"]),
        ("send", TLS_MODES["tls-both"]),
    ],
    ids=["splice", "receive", "send", "receive-tls", "send-tls"],
)


class ShortAt:
    """Moves one byte at a time at the nth call, and at some calls after it."""

    def __init__(self, real: Any, number: int, *, times: int) -> None:
        self._real = real
        self._short = range(number, number + times)
        self._calls = 0

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        self._calls += 1
        if self._calls in self._short:
            at = 2 if len(arguments) > 2 else 1
            wanted = arguments[at]
            less = 1 if isinstance(wanted, int) else wanted[:1]
            arguments = (*arguments[:at], less, *arguments[at + 1 :])
        return self._real(*arguments, **named)


@pytest.mark.slow
@calls
@pytest.mark.parametrize("error", FAILURES, ids=errno.errorcode.get)
async def test_a_call_that_fails_ends_its_connection_alone(
    call: str, mode: Mode, error: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    seam = Seam(monkeypatch, call)
    failed = 0
    shrink_proxy_sockets(monkeypatch, ROOMY)
    with trio.fail_after(55):
        async with relay(mode=mode, buffers=ROOMY) as proxied:
            bystander = await proxied.connect()
            for number in PLACES:
                seam.put(FailAt, number, error)
                line = await one_exchange(proxied, number, live=1)
                failed += line["reason"] != "closed"
            seam.put(Counted)  # the last exchange may have ended before its fault
            await bystander.client.send(b"still here")
            assert await bystander.backend.receive_exactly(10) == b"still here"
    assert failed > len(PLACES) // 2


@calls
async def test_a_storm_of_eagain_delays_and_loses_nothing(
    call: str, mode: Mode, monkeypatch: pytest.MonkeyPatch
) -> None:
    seam = Seam(monkeypatch, call)
    shrink_proxy_sockets(monkeypatch, SMALL)
    with trio.fail_after(55):
        async with relay(mode=mode, buffers=SMALL) as proxied:
            for number in PLACES:
                seam.put(FailAt, number, errno.EAGAIN, times=20)
                assert (await one_exchange(proxied, number))["reason"] == "closed"


@calls
async def test_short_counts_lose_nothing(
    call: str, mode: Mode, monkeypatch: pytest.MonkeyPatch
) -> None:
    seam = Seam(monkeypatch, call)
    shrink_proxy_sockets(monkeypatch, SMALL)
    with trio.fail_after(55):
        async with relay(mode=mode, buffers=SMALL) as proxied:
            for number in PLACES:
                seam.put(ShortAt, number, times=200)
                assert (await one_exchange(proxied, number))["reason"] == "closed"
