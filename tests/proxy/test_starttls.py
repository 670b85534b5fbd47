"""Clients and backends that come to TLS in their protocol, and those that do not."""

import ssl
import struct

import pytest
import trio

from spliceproxy import reasons
from spliceproxy.formats.proxy_protocol.told import tell
from spliceproxy.formats.starttls.smtp import SmtpServerSide
from spliceproxy.proxy.starttls_client import StartTlsClient
from tests.faults import CrashAt
from tests.proxy.peer import Peer
from tests.proxy.relay import eventually
from tests.proxy.routed import Routed, routed
from tests.proxy.test_send_proxy import read_header
from tests.tls.certificates import authority, certificate

SSL_REQUEST = struct.pack("!II", 8, 80877103)
LOGIN = struct.pack("!II", 17, 196608) + b"user\0me\0\0"
CANCEL = struct.pack("!IIII", 16, 80877102, 77, 4444)
GREETING = b"220 backend.example ESMTP\r\n"


def route(listen: str | None, backend: str | None, *lines: str, backends: str = "one") -> str:
    """A route whose sides are without TLS (None), by TLS (empty), or by starttls of a protocol."""
    accepts = {"address": "127.0.0.1:0"}
    tls = f"certificate: {certificate()}, starttls: {listen or 'null'}"
    entries = []
    for name in backends.split():
        dials = f"ca: {authority()}, name: localhost, starttls: {backend or 'null'}"
        with_tls = "" if backend is None else f", tls: {{{dials}}}"
        entries.append(f"{{address: '${{{name}}}'{with_tls}}}")
    start = f"- listen: {{address: '{accepts['address']}'"
    start += "}" if listen is None else f", tls: {{{tls}}}}}"
    return "\n  ".join([start, f"backends: [{', '.join(entries)}]", *lines])


def asking(it: Routed) -> list[StartTlsClient]:
    entering = it.proxy.worker._frontends[0].entering
    return [each for each in entering if isinstance(each, StartTlsClient)]


async def ask_postgres(client: Peer) -> None:
    await client.send(SSL_REQUEST)
    assert await client.receive_exactly(1) == b"S"
    await client.speak_tls(server_side=False)


async def grant_postgres(backend: Peer) -> None:
    assert await backend.receive_exactly(8) == SSL_REQUEST
    await backend.send(b"S")
    await backend.speak_tls(server_side=True)


async def grant_smtp(backend: Peer) -> None:
    await backend.send(GREETING)
    assert (await backend.receive_some()).startswith(b"EHLO ")
    await backend.send(b"250-backend.example\r\n250 STARTTLS\r\n")
    assert await backend.receive_exactly(10) == b"STARTTLS\r\n"
    await backend.send(b"220 go ahead\r\n")
    await backend.speak_tls(server_side=True)


async def test_both_sides_ask() -> None:
    async with routed(route("postgres", "postgres")) as it:
        client = await it.open_client()
        await ask_postgres(client)
        backend = await it.accept()
        await grant_postgres(backend)
        await client.send(LOGIN)
        assert await backend.receive_exactly(17) == LOGIN
        await backend.send(b"R")
        assert await client.receive_exactly(1) == b"R"
        client.finish()
        assert await backend.receive_rest() == (b"", "eof")
        backend.finish()
        assert await client.receive_rest() == (b"", "eof")
        await eventually(lambda: bool(it.events("connection")))
        (line,) = it.events("connection")
        assert (line["reason"], line["request_bytes"], line["response_bytes"]) == ("closed", 17, 1)


@pytest.mark.parametrize("protocol", ["postgresql", "h2", None])
async def test_a_client_that_begins_with_tls_names_the_protocol(protocol: str | None) -> None:
    context = ssl.create_default_context(cafile=authority())
    if protocol is not None:
        context.set_alpn_protocols([protocol])
    async with routed(route("postgres", None)) as it:
        stream = await trio.open_tcp_stream(*it.proxy.addresses[0])
        async with stream:
            await trio.SSLStream(stream, context, server_hostname="localhost").do_handshake()
            if protocol == "postgresql":
                await it.accept()
            else:
                await it.refused("client_tls_mismatch")


async def test_what_a_backend_is_told_of_a_client_by_tls() -> None:
    listen = f"{{address: '127.0.0.1:0', tls: {{certificate: {certificate()}, starttls: smtp}}}}"
    backends = "backends: {address: '${one}', send_proxy: v2}"
    async with routed(f"- listen: {listen}\n  {backends}") as it:
        client = await it.open_client()
        await client.receive_some()
        await client.send(b"STARTTLS\r\n")
        await client.receive_some()
        await client.speak_tls(server_side=False)
        header, _ = await read_header(await it.accept())
    said = tell(header.tlvs)
    assert (said["authority"], said["ssl_version"], said["ssl"]) == ("localhost", "TLSv1.3", True)
    assert "ssl_verified" not in said


async def test_a_request_to_cancel_goes_on_without_tls() -> None:
    async with routed(route("postgres", "postgres")) as it:
        client = await it.open_client()
        await client.send(CANCEL)
        backend = await it.accept()
        await grant_postgres(backend)
        assert await backend.receive_exactly(16) == CANCEL
        backend.finish()
        assert await client.receive_rest() == (b"", "eof")
        client.finish()


@pytest.mark.parametrize(
    ("said", "reason", "heard"),
    [
        (b"", "client_left", b""),
        (b"\0\0", "bad_starttls", b""),
        (SSL_REQUEST + LOGIN, "plaintext_before_tls", b""),
    ],
)
async def test_clients_that_are_turned_away(said: bytes, reason: str, heard: bytes) -> None:
    async with routed(route("postgres", None)) as it:
        client = await it.open_client()
        await client.send(said)
        client.finish()
        assert (await client.receive_rest())[0] == heard
        await it.refused(reason)
        assert it.taken == 0


async def test_a_login_without_tls_hears_why_to_the_end() -> None:
    async with routed(route("postgres", None)) as it:
        client = await it.open_client()
        await client.send(LOGIN)
        told, end = await client.receive_rest()
        assert (told[:1], end) == (b"E", "eof")
        await it.refused("no_starttls")


@pytest.mark.parametrize("said", [b"", b"\0\0"])
async def test_silence(said: bytes) -> None:
    async with routed(route("postgres", None, "timeouts: {client_hello: 100ms}")) as it:
        client = await it.open_client()
        await client.send(said)
        await it.turns_away(client)
        await it.refused("starttls_timeout")


async def test_a_reset_in_the_middle() -> None:
    async with routed(route("smtp", None)) as it:
        client = await it.open_client()
        await client.receive_some()
        client.reset()
        await it.refused("client_left")


async def test_whoever_asks_is_let_go_at_the_end() -> None:
    async with routed(route("smtp", None)) as it:
        client = await it.open_client()
        await client.receive_some()
        await eventually(lambda: len(asking(it)) == 1)
        assert it.proxy.worker.reset_all(reasons.STOPPED) == 1
        await it.turns_away(client)
        await it.refused("stopped")


async def test_what_nobody_foresaw(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SmtpServerSide, "read", CrashAt(SmtpServerSide.read, 1))
    async with routed(route("smtp", None)) as it:
        it.expected_crashes = 1
        client = await it.open_client()
        await client.receive_some()
        await client.send(b"EHLO me\r\n")
        await it.turns_away(client)
        await it.refused("internal_error")


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (b"N", "backend_without_tls"),
        (b"Sx", "backend_plaintext_before_tls"),
        (b"?", "backend_bad_starttls"),
        (None, "backend_bad_starttls"),
    ],
)
async def test_another_backend_is_tried(said: bytes | None, reason: str) -> None:
    lines = "balance: first", "timeouts: {connect: 10s}"
    async with routed(route(None, "postgres", *lines, backends="one two")) as it:
        client = await it.open_client()
        first = await it.accept("one")
        assert await first.receive_exactly(8) == SSL_REQUEST
        if said is None:
            first.finish()
        else:
            await first.send(said)
        second = await it.accept("two")
        await grant_postgres(second)
        await second.send(b"hello")
        assert await client.receive_exactly(5) == b"hello"
        (line,) = it.events("connect_failed")
        assert line["reason"] == reason


async def test_a_backend_that_says_nothing() -> None:
    async with routed(route(None, "postgres", "timeouts: {connect: 100ms}")) as it:
        client = await it.open_client()
        await it.accept()
        await it.turns_away(client)
        assert [line["reason"] for line in it.events("connect_failed")] == ["connect_timeout"]


@pytest.mark.parametrize(("listen", "backend"), [(None, "smtp"), ("smtp", None), ("smtp", "")])
async def test_a_client_that_leaves_meanwhile(listen: str | None, backend: str | None) -> None:
    """While the backend is asked for TLS, or its greeting is waited for, with TLS and without."""
    async with routed(route(listen, backend)) as it:
        client = await it.open_client()
        if listen is not None:
            await client.receive_some()
            await client.send(b"STARTTLS\r\n")
            await client.receive_some()
            await client.speak_tls(server_side=False)
        far = await it.accept()
        if backend == "":
            await far.speak_tls(server_side=True)
        await eventually(lambda: len(it.proxy.worker.sessions) == 1)
        client.reset()
        assert (await far.receive_rest())[1] == "reset"
        await eventually(lambda: bool(it.events("connection")))
        assert it.events("connection")[0]["reason"] == "client_left"


@pytest.mark.parametrize("mode", ["plain", "tls"])
async def test_a_greeting_is_handed_to_a_client_that_has_heard_none(mode: str) -> None:
    async with routed(route(None if mode == "plain" else "", "smtp")) as it:
        client = await it.open_client()
        if mode == "tls":
            await client.speak_tls(server_side=False)
        await grant_smtp(await it.accept())
        assert await client.receive_exactly(len(GREETING)) == GREETING


async def test_a_greeting_comes_before_all_else() -> None:
    """Also before what the backend says at once by TLS, and before its end."""
    async with routed(route(None, "smtp", "mirrors: ['null:']")) as it:
        client = await it.open_client()
        backend = await it.accept()
        await grant_smtp(backend)
        await backend.send(b"421 closing\r\n")
        backend.finish()
        assert await client.receive_rest() == (GREETING + b"421 closing\r\n", "eof")
        client.finish()
        await eventually(lambda: bool(it.events("connection")))
        (line,) = it.events("connection")
        assert line["response_bytes"] == len(GREETING) + 13
        offered = {each["direction"]: each["offered_bytes"] for each in line["mirrors"]}
        assert offered["response"] == len(GREETING) + 13


@pytest.mark.parametrize("backend_tls", [None, ""])
@pytest.mark.parametrize(
    ("said", "reason"),
    [(b"554 no\r\n", "backend_unready"), (b"+OK POP3\r\n", "backend_bad_starttls")],
)
async def test_greetings_that_do_not_welcome(
    backend_tls: str | None, said: bytes, reason: str
) -> None:
    async with routed(route("smtp", backend_tls)) as it:
        client = await it.open_client()
        await client.receive_some()
        await client.send(b"STARTTLS\r\n")
        await client.receive_some()
        await client.speak_tls(server_side=False)
        backend = await it.accept()
        if backend_tls is not None:
            await backend.speak_tls(server_side=True)
        for at in range(len(said)):
            await backend.send(said[at : at + 1])
            await trio.lowlevel.checkpoint()
        await eventually(lambda: bool(it.events("connect_failed")))
        assert [line["reason"] for line in it.events("connect_failed")] == [reason]
