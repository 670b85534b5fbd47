"""What peers try by TLS, and what it gets them: an end with a name, and nobody else is held up."""

import fcntl
import gc
import socket
import struct
import termios
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio

from spliceproxy.tls import handshake_turns
from spliceproxy.tls.handshake import Handshake
from spliceproxy.tls.handshake_turns import HandshakeTurns
from spliceproxy.tls.tls_socket import TlsSocket
from tests.descriptors import open_descriptors
from tests.faults import CrashAt
from tests.proxy.bookkeeping import live_links
from tests.proxy.peer import Peer
from tests.proxy.relay import TLS_MODES, eventually, relay
from tests.proxy.routed import Routed, routed
from tests.proxy.test_tls import hello, is_served, terminating
from tests.tls.certificates import authority
from tests.tls.key_updates import ask_for_keys, load, renegotiate
from tests.tls.played import PlayedTls

LIBRARY: Any = load()
needs_library = pytest.mark.skipif(
    LIBRARY is None, reason="OpenSSL's library is not there by its name"
)
RECORD_BYTES = 1 << 14
ORIGINATING = f"""
  - listen: 127.0.0.1:0
    timeouts: {{connect: TIMEOUT}}
    retries: 0
    backends: {{address: "${{one}}", tls: {{ca: {authority()}, name: localhost}}}}
"""


def records(kind: int, content: bytes) -> bytes:
    """In plain, as all are before the keys."""
    return b"".join(
        struct.pack("!BHH", kind, 0x0301, len(piece := content[at : at + RECORD_BYTES])) + piece
        for at in range(0, len(content), RECORD_BYTES)
    )


def padded_hello(length: int) -> bytes:
    """A hello that anybody understands, of so many bytes, most of them in an unknown extension."""
    body = hello()[9:]
    at = 34 + 1 + body[34]  # version and random; the session's id
    at += 2 + int.from_bytes(body[at : at + 2], "big")  # suites
    at += 1 + body[at]  # compression
    extensions = body[at + 2 :]
    padding = length - 4 - len(body) - 4
    extensions += struct.pack("!HH", 0xFF77, padding) + bytes(padding)
    body = body[:at] + len(extensions).to_bytes(2, "big") + extensions
    return records(22, b"\x01" + len(body).to_bytes(3, "big") + body)


async def test_a_hello_of_16_kib_is_a_hello() -> None:
    async with routed(terminating()) as it:
        client = await it.open_client()
        await client.send(padded_hello(RECORD_BYTES))
        kind, *_ = await client.receive_exactly(6)
        assert kind == 22
        client.close()
        await it.refused("client_left")


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (records(22, b"\x01\x01\xff\xff" + bytes(131_072)), "client_tls_failed"),
        (records(22, b"\x01\xff\xff\xff" + bytes(1000)), "client_tls_failed"),
        (b"\x16\x03\x01\x00\x00" * 1000, "client_tls_failed"),
        (b"\x15\x03\x01\x00\x02\x01\x5a" * 1000, "client_tls_failed"),
        (b"\x17\x03\x03\x00\x00" * 1000, "client_tls_failed"),
    ],
    ids=["131-KB", "16-MB", "empty-records", "alerts", "empty-data"],
)
async def test_no_hello_goes_on_for_ever(sent: bytes, reason: str) -> None:
    async with routed(terminating("20s")) as it:
        client = await it.open_client()
        await send_until_reset(client, sent)
        await it.refused(reason)
        await is_served(it)


@pytest.mark.parametrize(
    ("garbage", "reason"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", "client_not_tls"),
        (b"\x17\x03\x03\x00\x20" + bytes(32), "client_tls_failed"),
        (b"\x16\x03\x03\x00\x00", "client_tls_failed"),
        (b"\x15\x03\x03\x00\x02\x02\x28", "client_tls_alert"),
        (b"\x14\x03\x03\x00\x01\x01" * 1000, "client_tls_failed"),
        (b"\xff" * 40_000, "client_not_tls"),
    ],
    ids=["http", "data", "empty", "alert", "changes-of-cipher", "ff"],
)
async def test_garbage_after_the_hello(garbage: bytes, reason: str) -> None:
    async with routed(terminating("20s")) as it:
        client = await it.open_client()
        await send_until_reset(client, hello() + garbage)
        await it.refused(reason)
        await is_served(it)


async def send_until_reset(client: Peer, data: bytes) -> None:
    """Send, as far as somebody takes it; whoever has refused it resets."""
    try:
        await client.send(data)
    except ConnectionError:
        return
    _, end = await client.receive_rest()
    assert end == "reset"


@pytest.mark.parametrize("side", ["client", "backend"])
@pytest.mark.parametrize("count", [1, 5, 50])
async def test_a_record_that_is_cut_off_is_no_end(side: str, count: int) -> None:
    async with relay(mode=TLS_MODES["tls-both"]) as proxied:
        cuts, reads = (await proxied.connect()).ends(side)
        await cuts.send(b"half an answ")
        socket.SocketType.send(cuts.sock, (b"\x17\x03\x03\x00\x64" + bytes(100))[:count])
        socket.SocketType.shutdown(cuts.sock, socket.SHUT_WR)
        assert await reads.receive_rest() == (b"half an answ", "reset")
        line = await proxied.line()
        assert (line["reason"], line["closed_by"]) == (f"{side}_tls_truncated", side)


@pytest.mark.parametrize("side", ["client", "backend"])
@pytest.mark.parametrize("count", [1, 5, 50])
async def test_a_record_that_is_cut_off_answers_no_goodbye(side: str, count: int) -> None:
    async with relay(mode=TLS_MODES["tls-both"]) as proxied:
        cuts, reads = (await proxied.connect()).ends(side)
        socket.SocketType.send(cuts.sock, (b"\x17\x03\x03\x00\x64" + bytes(100))[:count])
        (link,) = live_links(proxied.worker)
        (theirs,) = [
            one.sock
            for one in (link.client, link.backend)
            if one.sock.getpeername() == cuts.sock.getsockname()
        ]
        await eventually(lambda: not open_bytes(theirs))
        reads.finish()
        assert await cuts.receive_rest() == (b"", "eof")
        socket.SocketType.shutdown(cuts.sock, socket.SHUT_WR)
        assert (await reads.receive_rest())[1] == "reset"
        assert (await proxied.line())["reason"] == f"{side}_tls_truncated"


def open_bytes(sock: socket.SocketType) -> int:
    """What nobody has read yet."""
    return struct.unpack("i", fcntl.ioctl(sock, termios.FIONREAD, bytes(4)))[0]  # type: ignore[no-any-return]


@pytest.mark.parametrize("side", ["client", "backend"])
@pytest.mark.parametrize(
    "sent",
    [b"\x17\x03\x03\x00\x00" * 100, b"\x15\x03\x03\x00\x02\x01\x5a" * 1000, b"\xff" * 50_000],
    ids=["empty-records", "alerts", "garbage"],
)
async def test_what_was_not_encrypted_ends_the_connection(side: str, sent: bytes) -> None:
    async with relay(mode=TLS_MODES["tls-both"]) as proxied:
        sends, reads = (await proxied.connect()).ends(side)
        await sends.send(b"good")
        socket.SocketType.send(sends.sock, sent)
        assert await reads.receive_rest() == (b"good", "reset")
        assert (await proxied.line())["reason"] == f"{side}_tls_broken"


async def test_a_time_is_for_the_whole_handshake() -> None:
    """Not for each byte of it."""
    async with routed(terminating("300ms")) as it:
        client = await it.open_client()
        with pytest.raises(ConnectionError):  # noqa: PT012 - at some byte
            for at in range(10_000):
                await client.send(hello()[at % 200 :][:1] if at else b"\x16")
                await trio.sleep(0.01)
        await it.refused("client_tls_timeout")


async def test_a_client_that_reads_nothing_of_the_handshake() -> None:
    async with routed(terminating("200ms")) as it:
        client = await it.open_client()
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        await client.send(hello())
        await it.refused("client_tls_timeout")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"\x16\x03\x03", "backend_tls_timeout"),
        (records(22, b"\x02\x01\xff\xff" + bytes(131_072)), "backend_tls_failed"),
        (b"\x15\x03\x03\x00\x02\x02\x28", "backend_tls_alert"),
        (b"\x15\x03\x03\x00\x02\x01\x5a" * 1000, "backend_tls_alert"),
        (b"\x16\x03\x03\x00\x00" * 1000, "backend_tls_failed"),
        (b"SSH-2.0-OpenSSH\r\n", "backend_not_tls"),
        (None, "backend_reset"),
    ],
    ids=["stops", "131-KB", "alert", "alerts", "empty-records", "ssh", "closes"],
)
async def test_backends_that_are_no_better(answer: bytes | None, reason: str) -> None:
    patience = "200ms" if reason.endswith("timeout") else "20s"
    async with routed(ORIGINATING.replace("TIMEOUT", patience)) as it:
        client = await it.open_client()
        backend = await it.accept()
        if answer is None:
            backend.close()
        else:
            with suppress(ConnectionError):
                await backend.send(answer)
        await it.turns_away(client)
        await eventually(lambda: bool(it.events("connection")))
        assert it.events("connection")[0]["reason"] == reason
        assert it.events("connect_failed")[0]["reason"] == reason


async def test_those_who_stop_by_the_thousand_leave_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The oldest are crowded out. What a round leaves would be there again in each."""
    most, each_round = 30, 250
    monkeypatch.setattr(handshake_turns, "MOST_UNDER_WAY", most)
    async with routed(terminating("60s")) as it:
        descriptors, resident = len(open_descriptors()), []
        for number in range(1, 5):
            for _ in range(each_round):
                await (await it.open_client()).send(hello())
            crowded_out = number * each_round - most
            gone = partial(is_crowded_out, it, crowded_out)
            await eventually(gone)
            assert alive() == most
            for client in it.peers[:-most]:
                client.close()
            del it.peers[:-most], client
            gc.collect()
            assert len(open_descriptors()) - descriptors == 2 * most
            resident.append(resident_bytes())
        assert resident[-1] - resident[0] < 8 << 20  # of 250, each would have some 40 KB
        while it.peers:
            it.peers.pop().close()
        await eventually(lambda: alive() == 0)
        assert len(open_descriptors()) == descriptors
        await is_served(it)


def is_crowded_out(it: Routed, count: int) -> bool:
    return it.route().refused == {"client_tls_crowded_out": count}


def alive() -> int:
    """How many handshakes there are, whoever knows them."""
    return sum(isinstance(one, Handshake) for one in gc.get_objects())


def resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


async def test_a_flood_of_handshakes_leaves_others_their_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All that others have sent has moved on before the second step of any handshake."""
    monkeypatch.setattr(handshake_turns, "TURN_S", 1e-9)  # one step in a batch
    delivered: list[int] = []
    advance = TlsSocket.advance

    def counted(sock: TlsSocket) -> int:
        if not isinstance(sock, PlayedTls):
            delivered.append(sum(map(has_bytes, backends)))
        return advance(sock)

    async with routed(terminating()) as it:
        clients, backends = [], []
        for _ in range(10):
            clients.append(await it.open_client())
            await clients[-1].speak_tls(server_side=False)
            backends.append(await it.accept())
        flood = [await it.open_client() for _ in range(40)]
        entering = it.proxy.worker._frontends[0].entering
        await eventually(lambda: len(list(entering)) == len(flood))
        monkeypatch.setattr(TlsSocket, "advance", counted)
        for client in flood:  # nothing of the proxy runs until all of it is there
            client.send_some(hello())
        for client in clients:
            client.send_some(b"question")
        await eventually(lambda: len(delivered) >= len(flood))
        assert delivered[1:] == [len(backends)] * (len(delivered) - 1)


def has_bytes(peer: Peer) -> bool:
    try:
        return bool(peer.sock.recv(1, socket.MSG_PEEK))
    except BlockingIOError:
        return False


@needs_library
async def test_a_storm_of_other_keys_ends_the_connection() -> None:
    async with routed(terminating()) as it:
        client = await it.open_client()
        client.sock.setblocking(True)
        asking = partial(ask_for_keys, LIBRARY, client.sock, 100_000)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.to_thread.run_sync, asking)
            backend = await it.accept()
            assert await backend.receive_rest() == (b"", "reset")
        (line,) = it.events("connection")
        assert (line["reason"], line["closed_by"]) == ("client_tls_broken", "client")
        await is_served(it)


@needs_library
async def test_nobody_renegotiates() -> None:
    """With TLS 1.2, where a client could ask for a handshake again and again."""
    async with routed(terminating()) as it:
        client = await it.open_client()
        client.sock.setblocking(True)
        async with trio.open_nursery() as nursery:

            async def ask() -> None:
                assert not await trio.to_thread.run_sync(renegotiate, LIBRARY, client.sock)
                client.close()

            nursery.start_soon(ask)
            backend = await it.accept()
            assert await backend.receive_rest() == (b"", "reset")
        await eventually(lambda: bool(it.events("connection")))
        (line,) = it.events("connection")
        assert line["reason"] in {"client_tls_broken", "client_tls_truncated", "client_reset"}
        assert line["tls"]["version"] == "TLSv1.2"
        await is_served(it)


def crash_once(monkeypatch: pytest.MonkeyPatch, where: Any, name: str) -> None:
    monkeypatch.setattr(where, name, CrashAt(getattr(where, name), 1))


@pytest.mark.parametrize("name", ["enter", "_wait_for"])
@pytest.mark.parametrize("header", [b"", b"PROXY UNKNOWN\r\n"], ids=["at-accept", "later"])
async def test_what_nobody_foresaw_at_the_beginning(
    name: str, header: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That client is refused, with a traceback in the log; the worker serves the next."""
    more = "    accept_proxy: required\n    trusted: 127.0.0.1\n" if header else ""
    crash_once(monkeypatch, HandshakeTurns if name == "enter" else Handshake, name)
    async with routed(terminating() + more) as it:
        it.expected_crashes = 1
        client = await it.open_client()
        await client.send(header)
        await it.turns_away(client)
        await it.refused("internal_error")
        assert not it.taken
        monkeypatch.undo()
        client = await it.open_client()
        await client.send(header)
        await client.speak_tls(server_side=False)
        await it.accept()


async def test_what_nobody_foresaw_with_a_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    crash_once(monkeypatch, Handshake, "_wait_for")
    async with routed(ORIGINATING.replace("TIMEOUT", "20s")) as it:
        it.expected_crashes = 1
        client = await it.open_client()
        await it.turns_away(client)
        await eventually(lambda: bool(it.events("connection")))
        assert it.events("connection")[0]["reason"] == "internal_error"


async def test_each_worker_has_its_own_buffers() -> None:
    """What one thread decrypts would be in the hands of another one's client otherwise."""
    async with relay(mode=TLS_MODES["tls-both"]) as proxied:
        await proxied.connect()
        (session,) = proxied.worker.sessions
        assert session.link is not None
        own = proxied.worker._turns.buffers
        for end in (session.link.client, session.link.backend):
            assert isinstance(end.sock, TlsSocket)
            assert end.sock._decryption.room().obj is own.encrypted.obj
        assert HandshakeTurns(proxied.worker.reactor).buffers.encrypted.obj is not own.encrypted.obj
