"""What a backend is told of the client, and from where it is connected to."""

import errno
import socket
from collections.abc import Callable
from typing import Any

import pytest

from spliceproxy.formats.need_more import NeedMore
from spliceproxy.formats.proxy_protocol.decode import decode
from spliceproxy.formats.proxy_protocol.header import ProxyHeader
from spliceproxy.kernel import syscalls
from tests.faults import AnswerAt, FailAt
from tests.proxy.peer import Peer
from tests.proxy.pooled import pooled


async def read_header(far: Peer) -> tuple[ProxyHeader, bytes]:
    """The header, and the bytes that came with it."""
    received = b""
    while isinstance(header := decode(received), NeedMore):
        received += await far.receive_exactly(header.length - len(received))
    return header, received


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_the_client_and_where_it_connected_to(version: str) -> None:
    async with pooled({"send_proxy": version}) as proxied:
        client = await proxied.open_client("127.0.0.5")
        await client.send(b"hello")
        _, far = await proxied.arrival()
        header, raw = await read_header(far)
        assert header.source == client.sock.getsockname()
        assert header.destination == client.sock.getpeername()
        assert raw.startswith(b"PROXY TCP4" if version == "v1" else b"\r\n\r\n\0")
        assert await far.receive_exactly(5) == b"hello"
        await far.send(b"answer")
        assert await client.receive_exactly(6) == b"answer"
        client.finish()
        far.finish()
        assert (await proxied.ended())["request_bytes"] == 5


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (lambda real: FailAt(real, 1, errno.ECONNRESET), "backend_reset"),
        (lambda real: AnswerAt(real, 1, 3), "header_cut_short"),
    ],
)
async def test_a_header_that_is_not_taken_is_a_failed_attempt(
    fault: Callable[[Any], Any], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(syscalls, "send", fault(syscalls.send))
    async with pooled({"send_proxy": "v2"}, {"send_proxy": "v2"}) as proxied:
        client = await proxied.open_client()
        arrived = dict([await proxied.arrival(), await proxied.arrival()])
        assert await arrived[0].receive_rest() == (b"", "reset")
        header, _ = await read_header(arrived[1])
        assert header.source == client.sock.getsockname()
        (line,) = proxied.events("connect_failed")
        assert line["reason"] == reason


async def test_the_address_to_connect_from() -> None:
    async with pooled({"source": "127.0.0.9"}) as proxied:
        _, _, far = await proxied.connect()
        assert far.sock.getpeername()[0] == "127.0.0.9"


async def test_a_source_that_has_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    async with pooled({"source": "127.0.0.9"}, {}, balance="first") as proxied:
        gone = FailAt(socket.socket.bind, 1, errno.EADDRNOTAVAIL)
        monkeypatch.setattr("spliceproxy.loop.dial.bind_source", gone)
        assert (await proxied.connect())[0] == 1
        assert [line["reason"] for line in proxied.events("connect_failed")] == [
            "source_unavailable"
        ]
