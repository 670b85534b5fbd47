"""What clients try, and what it gets them: nothing."""

import pytest
import trio

from spliceproxy.formats.proxy_protocol import version1, version2
from tests.formats.hellos import alpn, made_hello, real_hello, sni
from tests.formats.proxy_protocol.headers import SIGNATURE
from tests.proxy.relay import eventually
from tests.proxy.routed import routed

OWN, OTHER = "127.0.0.3", "127.0.0.2"
SPOOFED = [
    version1.encode((OTHER, 1), ("127.0.0.1", 443)),
    version2.encode((OTHER, 1), ("127.0.0.1", 443)),
    version2.encode(None, None),
]


@pytest.mark.parametrize("header", SPOOFED)
async def test_a_header_that_nobody_asked_for_is_data(header: bytes) -> None:
    route = (
        "- listen: 127.0.0.1:0\n  backends: [{address: '${one}', send_proxy: v1}]\n"
        f"  allow: [{OWN}]\n  per_client: {{max_connections: 1}}"
    )
    async with routed(route) as it:
        client, backend = await it.connect(OWN)
        await client.send(header)
        told = b"PROXY TCP4 127.0.0.3 "
        assert await backend.receive_exactly(len(told)) == told
        rest = await backend.receive_exactly(1)
        while not rest.endswith(b"\r\n"):
            rest += await backend.receive_exactly(1)
        assert await backend.receive_exactly(len(header)) == header
        again = await it.open_client(OWN)
        await it.turns_away(again)
        await it.refused("client_limit")


@pytest.mark.parametrize("header", SPOOFED)
async def test_a_header_of_somebody_else_is_not_read(header: bytes) -> None:
    route = (
        "- listen: 127.0.0.1:0\n  backends: ${one}\n  accept_proxy: required\n"
        f"  trusted: [{OTHER}, '::ffff:127.0.0.9']\n  allow: {OTHER}"
    )
    async with routed(route) as it:
        client = await it.open_client(OWN)
        with pytest.raises(ConnectionError):  # noqa: PT012 - the reset comes at some send
            while True:
                await client.send(header)
                await trio.sleep(0.01)
        await it.refused("untrusted")
        assert (it.route().accepted, it.taken) == (0, 0)


async def test_many_that_drip_bytes_are_gone_in_time_and_hold_up_nobody_else() -> None:
    count = 100
    routes = (
        "- listen: 127.0.0.1:0\n  backends: ${one}\n  sni: {names: a.example, route: b}\n"
        f"  max_connections: {count}\n"
        "  timeouts: {client_hello: 1s}\n"
        "- {name: b, listen: 127.0.0.1:0, backends: '${two}'}"
    )
    hello = real_hello("a.example")
    async with routed(routes) as it:
        clients = [await it.open_client() for _ in range(count)]
        await eventually(lambda: it.taken == count)
        waiting = await it.open_client()
        bytes_sent = 0

        async def drip() -> None:
            nonlocal bytes_sent
            while True:
                for client in clients:
                    client.sock.send(hello[bytes_sent : bytes_sent + 1])
                bytes_sent += 1
                await trio.sleep(0.1)

        with trio.CancelScope() as dripping:
            async with trio.open_nursery() as nursery:

                async def watch() -> None:
                    await eventually(lambda: sum(it.route().refused.values()) > 0)
                    dripping.cancel()

                nursery.start_soon(watch)
                other = await it.open_client(listener=1)
                await other.send(b"ping")
                assert await (await it.accept("two")).receive_exactly(4) == b"ping"
                try:
                    await drip()
                except ConnectionError:  # the first of them are gone
                    dripping.cancel()
        await it.refused("client_hello_timeout", count)
        assert 0 < bytes_sent < len(hello)
        assert len(it.events("clients_refused")) <= 2
        await waiting.send(hello)  # its place was taken so far
        await it.accept("two")


@pytest.mark.parametrize(
    "data",
    [
        real_hello("a.example").replace(b"a.example", b"a\n.xampl\x1b"),
        real_hello("a.example").replace(b"a.example", b"a\x7f\x85\xe2\x80\xa8xm"),
        b"PROXY TCP4 \x1b[2J 1 2 3\r\n",
        b'PROXY \n{"event": "forged"}\r\n',
        SIGNATURE + b"\x21\x31\0\xd8" + b"/run/\x1b[2J\nforged".ljust(216, b"\n"),
        SIGNATURE + b"\x0a\x1b",
    ],
)
async def test_what_clients_write_leads_to_no_line_of_theirs(data: bytes) -> None:
    is_hello = data.startswith(b"\x16")
    rules = (
        "sni: {names: b.example, route: b}"
        if is_hello
        else "accept_proxy: required\n  trusted: 127.0.0.1\n  deny: 192.0.2.1"
    )
    routes = f"- listen: 127.0.0.1:0\n  backends: ${{one}}\n  {rules}\n"
    if is_hello:
        routes += "- {name: b, backends: '${two}'}"
    async with routed(routes) as it:
        client = await it.open_client()
        await client.send(data)
        await it.turns_away(client)
        await eventually(lambda: bool(it.events("clients_refused")))
        (line,) = it.events("clients_refused")
        assert all(str(value).isprintable() for value in line.values())
        assert all(len(str(value)) < 200 for value in line.values())
        assert "forged" not in str(line)


@pytest.mark.parametrize("protocol", [b"h2\n\x1b[2J", bytes(range(1, 32)), b"\xff" * 255])
async def test_protocols_are_not_told(protocol: bytes) -> None:
    routes = "- listen: 127.0.0.1:0\n  sni: {alpn: h3, route: b}\n- {name: b, backends: '${two}'}"
    async with routed(routes) as it:
        client = await it.open_client()
        await client.send(made_hello(sni(b"a.example"), alpn(protocol)))
        await it.turns_away(client)
        await it.refused("no_route")
        (line,) = it.events("clients_refused")
        assert line["detail"] == "a.example"
        assert all(str(value).isprintable() for value in line.values())
