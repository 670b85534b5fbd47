"""A TLS client's hello leads to a route; every byte of it gets there."""

import socket
from pathlib import Path

import pytest
import trio

from spliceproxy.formats.client_hello import ClientHello, ClientHelloParser
from spliceproxy.formats.need_more import NeedMore
from tests.formats.hellos import alpn, in_records, made_hello, real_hello, sni
from tests.proxy.relay import eventually
from tests.proxy.routed import Routed, routed

ROUTES = """\
- name: tls
  listen: 127.0.0.1:0
  backends: ${one}
  sni:
    - {names: [a.example, "*.b.example"], route: two}
    - {names: "deep.b.example", alpn: [h2], route: three}
- {name: two, backends: "${two}", mirrors: ["null:"]}
- {name: three, backends: "${three}"}
"""
POST_QUANTUM = made_hello(sni(b"a.example"), (51, bytes(1600)))
"""The size of a hello with a key share of X25519MLKEM768: more than a segment."""


async def leads_to(it: Routed, hello: bytes, name: str, *, size: int = 1 << 20) -> None:
    """Check that the backend of that name gets the hello, and what follows, unchanged."""
    client = await it.open_client()
    for start in range(0, len(hello), size):
        await client.send(hello[start : start + size])
        await trio.sleep(0.001)
    backend = await it.accept(name)
    await client.send(b"more")
    assert await backend.receive_exactly(len(hello) + 4) == hello + b"more"
    await backend.send(b"answer")
    assert await client.receive_exactly(6) == b"answer"


@pytest.mark.parametrize(
    ("server_name", "protocols", "name"),
    [
        ("a.example", (), "two"),
        ("A.Example", (), "two"),
        ("x.b.example", (), "two"),
        ("x.y.b.example", ("h2",), "two"),
        ("deep.b.example", (), "three"),
        ("elsewhere.example", ("http/1.1", "h2"), "three"),
        (None, ("h2",), "three"),
        ("b.example", (), "one"),
        (None, (), "one"),
    ],
)
async def test_names_and_protocols(
    server_name: str | None, protocols: tuple[str, ...], name: str
) -> None:
    async with routed(ROUTES) as it:
        await leads_to(it, real_hello(server_name, protocols), name)


@pytest.mark.parametrize("size", [1, 700, 1460])
@pytest.mark.parametrize("hello", [POST_QUANTUM, in_records(POST_QUANTUM, [1, 3, 700])])
async def test_in_fragments(hello: bytes, size: int) -> None:
    async with routed(ROUTES) as it:
        if size == 1:
            hello = real_hello("a.example")
        await leads_to(it, hello, "two", size=size)


@pytest.mark.parametrize(
    "data", [b"GET / HTTP/1.0\r\n\r\n", b"\x80", b"\x16\x04", b"\x16\x03\x01\x40\x01", bytes(100)]
)
async def test_what_is_not_tls_goes_to_the_routes_own_backends(data: bytes) -> None:
    async with routed(ROUTES) as it:
        await leads_to(it, data, "one")


async def test_the_mirrors_of_the_route_get_the_hello_too() -> None:
    hello = real_hello("a.example")
    async with routed(ROUTES) as it:
        client = await it.open_client()
        await client.send(hello)
        backend = await it.accept("two")
        await backend.receive_exactly(len(hello))
        client.reset()
        await eventually(lambda: bool(it.events("connection")))
    (line,) = it.events("connection")
    assert line["route"] == "two"
    offered = {each["direction"]: each["offered_bytes"] for each in line["mirrors"]}
    assert offered["request"] == len(hello)


async def test_a_place_is_that_of_the_route_that_accepted() -> None:
    routes = ROUTES.replace("  backends: ${one}", "  backends: ${one}\n  max_connections: 1")
    async with routed(routes) as it:
        first = await it.open_client()
        await first.send(real_hello("a.example"))
        await it.accept("two")
        assert [route.active for route in it.proxy.status().routes] == [0, 1, 0]
        second = await it.open_client()
        await second.send(b"plain")
        await trio.sleep(0.05)
        assert it.taken == 1
        first.reset()
        await it.accept("one")


async def test_without_backends_what_matches_nothing_is_refused() -> None:
    async with routed(ROUTES.replace("  backends: ${one}\n", "")) as it:
        for data in (real_hello("elsewhere.example"), b"plain", real_hello()):
            client = await it.open_client()
            await client.send(data)
            await it.turns_away(client)
        await it.refused("no_route", 3)
        assert it.events("clients_refused")[0]["detail"] == "elsewhere.example"
        await leads_to(it, real_hello("a.example"), "two")


@pytest.mark.parametrize(
    "hello",
    [
        pytest.param(made_hello(sni(b"a.example", b"b.example")), id="two names"),
        pytest.param(made_hello(sni(b"")), id="empty name"),
        pytest.param(made_hello(alpn()), id="no protocol"),
        pytest.param(b"\x16\x03\x01\x40\x00\x01\xff\xff\xff" + bytes(16376), id="too long"),
        pytest.param(in_records(real_hello("a.example"), [1] * 65), id="too many records"),
    ],
)
async def test_a_bad_hello_is_refused(hello: bytes) -> None:
    async with routed(ROUTES) as it:
        client = await it.open_client()
        client.sock.send(hello)
        await it.turns_away(client)
        await it.refused("bad_client_hello")


async def test_the_log_says_what_was_too_much() -> None:
    async with routed(ROUTES) as it:
        client = await it.open_client()
        client.sock.send(made_hello(*((100 + number, b"") for number in range(4000)))[:16_384])
        await it.turns_away(client)
        await it.refused("bad_client_hello")
    assert it.events("clients_refused")[0]["detail"] == "extensions: more than 64"


@pytest.mark.parametrize("unix", [False, True])
async def test_a_hello_in_many_segments_is_read_a_few_times(
    unix: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[int] = []

    def read(self: ClientHelloParser, data: bytes) -> ClientHello | NeedMore:
        reads.append(len(data))
        return original(self, data)

    original = ClientHelloParser.read
    monkeypatch.setattr(ClientHelloParser, "read", read)
    hello = in_records(made_hello(sni(b"a.example"), (21, bytes(15_000))), [240] * 62)
    routes = ROUTES.replace("127.0.0.1:0", f"unix:{tmp_path}/listen") if unix else ROUTES
    async with routed(routes) as it:
        await leads_to(it, hello, "two", size=245)  # a record each
    assert 1 <= len(reads) <= 7


async def test_behind_a_proxy_header() -> None:
    routes = ROUTES.replace("  sni:", "  accept_proxy: required\n  trusted: 127.0.0.1\n  sni:")
    header = b"PROXY TCP4 192.0.2.1 192.0.2.2 1 443\r\n"
    hello = real_hello("a.example")
    async with routed(routes) as it:
        client = await it.open_client()
        for byte in header + hello:
            await client.send(bytes([byte]))
        backend = await it.accept("two")
        assert await backend.receive_exactly(len(hello)) == hello
        client.reset()
        await eventually(lambda: bool(it.events("connection")))
    assert it.events("connection")[0]["client"] == "192.0.2.1:1"


async def test_the_receive_threshold_is_as_before() -> None:
    async with routed(ROUTES) as it:
        client = await it.open_client()
        hello = real_hello("a.example")
        await client.send(hello[:10])
        await trio.sleep(0.02)
        await client.send(hello[10:])
        await it.accept("two")
        (session,) = it.proxy.worker.sessions
        assert session._client is not None
        assert session._client.getsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT) == 1
