"""TLS that ends in the proxy, and begins there: who is let in, what is told, what is refused."""

import socket
import ssl
from functools import partial
from pathlib import Path

import pytest
import trio

from spliceproxy.formats.proxy_protocol import version2
from spliceproxy.tls import handshake_turns
from tests.proxy.payload import random_bytes
from tests.proxy.relay import TLS_MODES, eventually, relay
from tests.proxy.routed import Routed, routed
from tests.tls.certificates import authority, certificate, client_context
from tests.tls.played import PlayedTls

TERMINATING = f"""
  - listen: {{address: '127.0.0.1:0', tls: {certificate()}}}
    backends: ${{one}}
    timeouts: {{client_hello: TIMEOUT}}
"""


def terminating(timeout: str = "5s") -> str:
    return TERMINATING.replace("TIMEOUT", timeout)


async def is_served(it: Routed) -> None:
    client = await it.open_client()
    await client.speak_tls(server_side=False)
    backend = await it.accept()
    await client.send(b"question")
    assert await backend.receive_exactly(8) == b"question"
    await backend.send(b"answer")
    assert await client.receive_exactly(6) == b"answer"


async def test_the_log_tells_what_was_agreed_on() -> None:
    async with routed(terminating()) as it:
        client = await it.open_client()
        await client.speak_tls(server_side=False)
        backend = await it.accept()
        client.finish()
        backend.finish()
        await client.receive_rest()
        await eventually(lambda: bool(it.events("connection")))
        (line,) = it.events("connection")
        assert (line["reason"], line["server_name"]) == ("closed", "localhost")
        assert line["tls"] == {"version": "TLSv1.3", "cipher": "TLS_AES_256_GCM_SHA384"}
        assert line["spliced_bytes"] == 0


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", "client_not_tls"),
        (bytes(2000), "client_not_tls"),
        (b"\x16\x03\x01\x40\x00" + bytes(16 << 10), "client_tls_failed"),
        (b"\x16\x03\x01\x00\x05hello", "client_tls_failed"),
        (b"\x15\x03\x01\x00\x02\x02\x28", "client_tls_failed"),
    ],
    ids=["http", "zeros", "16-KiB", "no-hello", "alert"],
)
async def test_what_is_no_hello_is_refused(sent: bytes, reason: str) -> None:
    async with routed(terminating()) as it:
        client = await it.open_client()
        await client.send(sent)
        await it.turns_away(client)
        await it.refused(reason)
        await is_served(it)


@pytest.mark.parametrize("sent", [b"", b"\x16\x03\x01\x02", b"\x16\x03\x01\x02\x00\x01"])
async def test_a_client_that_stops_is_not_waited_for(sent: bytes) -> None:
    async with routed(terminating("100ms")) as it:
        client = await it.open_client()
        await client.send(sent)
        await it.turns_away(client)
        await it.refused("client_tls_timeout")


async def test_a_client_that_leaves_has_left() -> None:
    async with routed(terminating()) as it:
        client = await it.open_client()
        await client.send(b"\x16\x03\x01")
        client.close()
        await it.refused("client_left")


async def test_a_version_that_is_too_old() -> None:
    async with routed(terminating()) as it:
        client = await it.open_client()
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        old.minimum_version = ssl.TLSVersion.TLSv1_2
        old.set_ciphers("AES128-SHA256")  # without forward secrecy
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        with pytest.raises(Exception, match="tls_alert"):
            await client.speak_tls(server_side=False, context=old)
        await it.refused("client_tls_mismatch")


async def test_those_who_stop_in_the_middle_end_by_their_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The oldest goes, and whoever goes on is served."""
    monkeypatch.setattr(handshake_turns, "MOST_UNDER_WAY", 20)
    async with routed(terminating("20s")) as it:
        stalled = []
        for _ in range(50):
            stalled.append(await it.open_client())
            await stalled[-1].send(hello()[:100])
        await eventually(lambda: it.route().refused == {"client_tls_crowded_out": 30})
        await is_served(it)
        assert it.route().refused == {"client_tls_crowded_out": 31}
        await it.turns_away(stalled[0])


async def test_handshakes_wait_for_their_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """One step in a batch of events, and all come to their end."""
    monkeypatch.setattr(handshake_turns, "TURN_S", 1e-9)
    async with routed(terminating()) as it:
        clients = [await it.open_client() for _ in range(30)]
        async with trio.open_nursery() as nursery:
            for client in clients:
                nursery.start_soon(partial(client.speak_tls, server_side=False))
        for client in clients:
            await it.accept()
            await client.send(b"question")


def hello() -> bytes:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = client_context().wrap_bio(incoming, outgoing, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    return outgoing.read()


async def test_records_cut_anywhere_arrive() -> None:
    """A hello, and all after it, byte by byte."""
    async with relay(mode=TLS_MODES["tls"]) as proxied:
        client = await proxied.open_client_untouched()
        played = client.sock = Trickling(client.sock, server_side=False)
        await played.shake_hands()
        backend = await proxied.accept()
        await client.send(b"a question")
        assert await backend.receive_exactly(10) == b"a question"
        client.finish()
        assert await backend.receive_rest() == (b"", "eof")


class Trickling(PlayedTls):
    """Sends one byte at a time."""

    def flush(self, flags: int = socket.MSG_NOSIGNAL) -> bool:
        self._unsent += self._outgoing.read()
        while self._unsent:
            socket.SocketType.send(self, self._unsent[:1])
            self._unsent = self._unsent[1:]
        return True


async def test_what_was_changed_on_its_way_ends_in_a_reset() -> None:
    async with relay(mode=TLS_MODES["tls"]) as proxied:
        connection = await proxied.connect()
        await connection.client.send(b"good")
        socket.SocketType.send(connection.client.sock, b"\x17\x03\x03\x00\x20" + bytes(32))
        assert await connection.backend.receive_rest() == (b"good", "reset")
        assert (await proxied.line())["reason"] == "client_tls_broken"


@pytest.mark.parametrize("side", ["client", "backend"])
async def test_an_end_without_a_goodbye_is_no_end(side: str) -> None:
    async with relay(mode=TLS_MODES["tls-both"]) as proxied:
        cuts, reads = (await proxied.connect()).ends(side)
        await cuts.send(b"half an answ")
        socket.SocketType.shutdown(cuts.sock, socket.SHUT_WR)
        assert await reads.receive_rest() == (b"half an answ", "reset")
        line = await proxied.line()
        assert (line["reason"], line["closed_by"]) == (f"{side}_tls_truncated", side)


@pytest.mark.parametrize("side", ["client", "backend"])
async def test_a_goodbye_may_be_answered_without_one(side: str) -> None:
    async with relay(mode=TLS_MODES["tls-both"]) as proxied:
        cuts, ends = (await proxied.connect()).ends(side)
        await cuts.send(b"all of it")
        assert await ends.receive_exactly(9) == b"all of it"
        ends.finish()
        assert await cuts.receive_rest() == (b"", "eof")
        socket.SocketType.shutdown(cuts.sock, socket.SHUT_WR)
        assert await ends.receive_rest() == (b"", "eof")
        assert (await proxied.line())["reason"] == "closed"


@pytest.mark.parametrize("side", ["client", "backend"])
async def test_what_comes_after_a_goodbye_has_to_have_an_end_of_its_own(side: str) -> None:
    async with relay(mode=TLS_MODES["tls-both"]) as proxied:
        cuts, ends = (await proxied.connect()).ends(side)
        ends.finish()
        assert await cuts.receive_rest() == (b"", "eof")
        await cuts.send(b"half an answ")
        socket.SocketType.shutdown(cuts.sock, socket.SHUT_WR)
        assert await ends.receive_rest() == (b"half an answ", "reset")
        assert (await proxied.line())["reason"] == f"{side}_tls_truncated"


@pytest.mark.parametrize("tickets", ["true", "false"])
async def test_a_client_that_only_sends_and_closes(tickets: str) -> None:
    """Tickets that it has not read make a reset of that, by its own kernel (RFC 2525, 2.17)."""
    routes = f"""
  - listen: {{address: '127.0.0.1:0', tls: {{certificate: {certificate()}, tickets: {tickets}}}}}
    backends: ${{one}}
"""
    data = random_bytes(30_000)  # the window has room for all of it: a reset leaves nothing behind
    async with routed(routes) as it:
        client = await it.open_client()
        await client.speak_tls(server_side=False)
        backend = await it.accept()
        await client.send(data)
        client.finish_tls()
        socket.SocketType.close(client.sock)
        received, end = await backend.receive_rest()
        assert received == data
        if tickets == "false":
            assert end == "eof"
        backend.finish()
        await eventually(lambda: bool(it.events("connection")))
        (line,) = it.events("connection")
        assert line["reason"] == ("client_reset" if tickets == "true" else "closed")
        assert (line["request_bytes"], line["undelivered_bytes"]) == (len(data), 0)


BEHIND_A_PROXY = f"""
  - listen: {{address: '127.0.0.1:0', tls: {certificate()}}}
    backends: ${{one}}
    accept_proxy: required
    trusted: 127.0.0.1
"""


@pytest.mark.parametrize("pause_s", [0, 0.05])
async def test_who_another_proxy_speaks_for_begins_with_tls_behind_the_header(
    pause_s: float,
) -> None:
    header = version2.encode(("192.0.2.7", 40112), ("198.51.100.1", 443))
    async with routed(BEHIND_A_PROXY) as it:
        client = await it.open_client()
        await client.send(header)
        await trio.sleep(pause_s)
        await client.speak_tls(server_side=False)
        backend = await it.accept()
        await client.send(header)  # inside of TLS it is data
        assert await backend.receive_exactly(len(header)) == header
        client.finish()
        backend.finish()
        await client.receive_rest()
        await eventually(lambda: bool(it.events("connection")))
        (line,) = it.events("connection")
        assert (line["client"], line["server_name"]) == ("192.0.2.7:40112", "localhost")


async def test_a_header_inside_of_tls_is_none() -> None:
    async with routed(BEHIND_A_PROXY) as it:
        client = await it.open_client()
        await client.send(hello())
        await it.turns_away(client)
        await it.refused("bad_proxy_header")


async def test_names_that_lead_elsewhere_are_passed_on_untouched() -> None:
    """One listener: `localhost` ends here, and another name at the backend that has it."""
    both = f"""
  - listen: {{address: '127.0.0.1:0', tls: {certificate()}}}
    backends: ${{one}}
    sni: {{names: other.example, route: passed}}
  - name: passed
    backends: ${{two}}
"""
    async with routed(both) as it:
        await is_served(it)
        client = await it.open_client()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.load_verify_locations(authority())
        async with trio.open_nursery() as nursery:
            nursery.start_soon(play_backend, it)
            await client.speak_tls(server_side=False, context=context, name="other.example")
            await client.send(b"question")
            assert await client.receive_exactly(6) == b"answer"
        await eventually(lambda: it.route(1).accepted == 1)


async def play_backend(it: Routed) -> None:
    backend = await it.accept("two")
    await backend.speak_tls(server_side=True)
    assert await backend.receive_exactly(8) == b"question"
    await backend.send(b"answer")


async def test_a_backend_that_nobody_vouches_for_gets_nothing() -> None:
    """The system's authorities don't know it; the next backend is used."""
    routes = """
  - listen: 127.0.0.1:0
    balance: first
    backends:
      - {address: "${one}", tls: {name: localhost}}
      - {address: "${two}"}
"""
    async with routed(routes) as it:
        client = await it.open_client()
        refused = await it.accept("one")
        with pytest.raises(Exception, match="tls_alert"):
            await refused.speak_tls(server_side=True)
        backend = await it.accept("two")
        await client.send(b"question")
        assert await backend.receive_exactly(8) == b"question"
        (line,) = it.events("connect_failed")
        assert line["reason"] == "backend_bad_certificate"
        assert "unable to get" in line["detail"]


async def test_a_backend_that_does_not_answer_is_given_up() -> None:
    routes = f"""
  - listen: 127.0.0.1:0
    timeouts: {{connect: 100ms}}
    backends: {{address: "${{one}}", tls: {{ca: {authority()}, name: localhost}}}}
"""
    async with routed(routes) as it:
        client = await it.open_client()
        await it.accept("one")
        await it.turns_away(client)
        await eventually(lambda: bool(it.events("connection")))
        (line,) = it.events("connection")
        assert (line["reason"], line["attempts"]) == ("backend_tls_timeout", 1)


async def test_mirrors_get_what_was_inside(tmp_path: Path) -> None:
    data = random_bytes(300_000)
    routes = f"""
  - listen: {{address: '127.0.0.1:0', tls: {certificate()}}}
    backends: {{address: "${{one}}", tls: {{ca: {authority()}, name: localhost}}}}
    mirrors: file:{tmp_path}
"""
    async with routed(routes) as it:
        client = await it.open_client()
        await client.speak_tls(server_side=False)
        backend = await it.accept()
        await backend.speak_tls(server_side=True)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.send, data)
            assert await backend.receive_exactly(len(data)) == data
        client.finish()
        backend.finish()
        await eventually(lambda: bool(it.events("connection")))
        assert data in contents(tmp_path)


def contents(directory: Path) -> list[bytes]:
    return [path.read_bytes() for path in directory.rglob("*") if path.is_file()]


async def test_a_bandwidth_holds_for_what_was_inside() -> None:
    routes = f"""
  - listen: {{address: '127.0.0.1:0', tls: {certificate()}}}
    bandwidth: {{connection: 400KiB/s}}
    backends: ${{one}}
"""
    data = random_bytes(200_000)
    async with routed(routes) as it:
        client = await it.open_client()
        await client.speak_tls(server_side=False)
        backend = await it.accept()
        started_s = trio.current_time()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.send, data)
            assert await backend.receive_exactly(len(data)) == data
        assert trio.current_time() - started_s > 0.2
        client.finish()
        assert await backend.receive_rest() == (b"", "eof")


async def test_stopping_turns_away_who_is_not_in_yet() -> None:
    async with routed(terminating()) as it:
        client = await it.open_client()
        await client.send(hello()[:50])
        frontend = it.proxy.worker._frontends[0]
        await eventually(lambda: len(list(frontend.entering)) == 1)
        it.proxy.worker.reset_all("stopped")
        await it.turns_away(client)
        assert it.route().refused == {"stopped": 1}
