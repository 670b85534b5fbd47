"""Out-of-band data neither stops the stream, nor ends it early, nor makes the worker spin.

The urgent byte itself is not forwarded; no ordinary byte may be lost with it. To TLS it is no byte
at all: it may be in the middle of a record.
"""

import socket

import pytest
import trio

from tests.proxy.payload import random_bytes
from tests.proxy.peer import Peer
from tests.proxy.quiet import assert_quiet
from tests.proxy.relay import TLS_MODES, Mode, relay, three_modes
from tests.tls.played import PlayedTls

BEFORE, AFTER = random_bytes(70_000, seed=1), random_bytes(70_000, seed=2)

# What is sent around the urgent byte: nothing, one byte, or more than a segment.
pieces = pytest.mark.parametrize(
    ("before", "after"),
    [(b"", b""), (b"", AFTER), (BEFORE, AFTER), (BEFORE, b""), (b"b", b"a"), (b"", b"a")],
    ids=["alone", "first", "middle", "last", "between bytes", "before a byte"],
)
senders = pytest.mark.parametrize("sender", ["client", "backend"])


@three_modes
@senders
@pieces
async def test_no_ordinary_byte_is_lost(
    mode: Mode, sender: str, before: bytes, after: bytes
) -> None:
    with trio.fail_after(20):
        async with relay(mode=mode) as proxied:
            sends, receives = (await proxied.connect()).ends(sender)
            await sends.send(before)
            sends.send_urgent(b"!")
            await sends.send(after)
            sends.finish()
            assert await receives.receive_rest() == (before + after, "eof")
            receives.finish()
            assert await sends.receive_rest() == (b"", "eof")
            line = await proxied.line()
    assert line["reason"] == "closed"
    assert line["request_bytes"] + line["response_bytes"] == len(before + after)


@three_modes
@pieces
async def test_the_stream_goes_on_behind_the_mark_while_it_is_open(
    mode: Mode, before: bytes, after: bytes
) -> None:
    with trio.fail_after(20):
        async with relay(mode=mode) as proxied:
            connection = await proxied.connect()
            for _ in range(3):
                await connection.client.send(before)
                connection.client.send_urgent(b"!")
                await connection.client.send(after)
                received = await connection.backend.receive_exactly(len(before + after))
                assert received == before + after
            await connection.client.send(b"more")
            assert await connection.backend.receive_exactly(4) == b"more"


@three_modes
@pytest.mark.parametrize("marks", [1, 2, 5])
async def test_a_waiting_mark_costs_no_time(mode: Mode, marks: int) -> None:
    with trio.fail_after(20):
        async with relay(mode=mode) as proxied:
            connection = await proxied.connect()
            for _ in range(marks):
                connection.client.send_urgent(b"!")
            await trio.sleep(0.05)
            await assert_quiet()
            await connection.client.send(b"after")
            assert await connection.backend.receive_exactly(5) == b"after"


@three_modes
async def test_a_reset_behind_the_mark_is_a_reset(mode: Mode) -> None:
    with trio.fail_after(20):
        async with relay(mode=mode) as proxied:
            connection = await proxied.connect()
            await connection.client.send(b"before")
            connection.client.send_urgent(b"!")
            await connection.client.send(b"after")
            await trio.sleep(0.01)
            connection.client.reset()
            assert await connection.backend.receive_rest() == (b"beforeafter", "reset")
            assert (await proxied.line())["reason"] == "client_reset"


def encrypt(peer: Peer, data: bytes) -> bytes:
    """A record that is not sent yet."""
    assert isinstance(peer.sock, PlayedTls)
    peer.sock.tls.write(data)
    return peer.sock._outgoing.read()


def send_raw(peer: Peer, data: bytes) -> None:
    assert socket.SocketType.send(peer.sock, data) == len(data)


@pytest.mark.parametrize("at", [0, 1, 4, 5, 6, 100])
@senders
async def test_an_urgent_byte_within_a_record(sender: str, at: int) -> None:
    with trio.fail_after(20):
        async with relay(mode=TLS_MODES["tls-both"]) as proxied:
            sends, receives = (await proxied.connect()).ends(sender)
            for data in (BEFORE[:1000], AFTER[:1000]):
                record = encrypt(sends, data)
                send_raw(sends, record[:at])
                sends.send_urgent(b"!")
                await trio.sleep(0.01)  # so that it is met alone, or not
                send_raw(sends, record[at:])
                assert await receives.receive_exactly(1000) == data
            sends.finish()
            assert await receives.receive_rest() == (b"", "eof")


@senders
async def test_an_urgent_byte_that_another_one_overtakes_breaks_tls(sender: str) -> None:
    """A socket has one urgent mark (tcp(7)): what was urgent before is in the stream then."""
    with trio.fail_after(20):
        async with relay(mode=TLS_MODES["tls-both"]) as proxied:
            sends, receives = (await proxied.connect()).ends(sender)
            send_raw(sends, encrypt(sends, b"before"))
            sends.send_urgent(b"!")
            sends.send_urgent(b"!")
            send_raw(sends, encrypt(sends, b"after"))
            assert await receives.receive_rest() == (b"before", "reset")
            assert (await proxied.line())["reason"] == f"{sender}_tls_broken"


@pytest.mark.parametrize("at", [0, 3, 5, 50])
async def test_an_urgent_byte_within_a_hello(at: int) -> None:
    with trio.fail_after(20):
        async with relay(mode=TLS_MODES["tls"]) as proxied:
            client = await proxied.open_client_untouched()
            played = client.sock = InterruptedHello(client.sock, server_side=False)
            played.at = at
            await played.shake_hands()
            backend = await proxied.accept()
            await client.send(b"question")
            assert await backend.receive_exactly(8) == b"question"


class InterruptedHello(PlayedTls):
    """Sends an urgent byte within its first record."""

    at: int | None = None

    def flush(self, flags: int = socket.MSG_NOSIGNAL) -> bool:
        if self.at is not None and self._outgoing.pending:
            hello = self._outgoing.read()
            socket.SocketType.send(self, hello[: self.at])
            socket.SocketType.send(self, b"!", socket.MSG_OOB)
            socket.SocketType.send(self, hello[self.at :])
            self.at = None
        return super().flush(flags)
