"""A header of the PROXY protocol: read to its last byte, and no further."""

from pathlib import Path

import pytest
import trio
import trio.lowlevel
from structlog.testing import capture_logs

from spliceproxy.formats.proxy_protocol import version1, version2
from spliceproxy.formats.proxy_protocol.decode import decode
from spliceproxy.formats.proxy_protocol.header import ProxyHeader
from spliceproxy.formats.proxy_protocol.tlvs import HOPS, hops_of, pack_hops
from spliceproxy.serving import serve
from spliceproxy.settings.proxy import Settings
from tests.formats.proxy_protocol.headers import ADDRESSES, header2
from tests.proxy.peer import open_peer
from tests.proxy.relay import eventually
from tests.proxy.routed import SETTLED, routed
from tests.routes_file.reading import settings_of
from tests.streams import KERNEL_CHOICE

FAR, HERE = ("192.0.2.7", 4711), ("198.51.100.1", 443)
FAR6, HERE6 = ("2001:db8::7", 4711), ("2001:db8::1", 443)
HEADERS = [
    version1.encode(FAR, HERE),
    version2.encode(FAR, HERE),
    version2.encode(FAR, HERE, [(2, b"example.org"), (5, b"x" * 100)]),
]
NAME = "192.0.2.7:4711"
LOCAL = version2.encode(None, None)
NAMELESS = [
    version1.encode(None, None),
    header2(0x21, 0x00, b""),  # AF_UNSPEC
    header2(0x21, 0x12, ADDRESSES),  # a datagram
]
RULES = [
    "allow: [127.0.0.0/8, 0.0.0.0/0, '::/0']",
    "deny: 192.0.2.0/24",
    "per_client: {max_connections: 5}",
    "per_client: {rate: 100/s}",
]


def route(*lines: str, backends: str = "${one}", trusted: str = "127.0.0.1") -> str:
    start = "- listen: 127.0.0.1:0", f"backends: {backends}", "accept_proxy: required"
    return "\n  ".join([*start, f"trusted: {trusted}", *lines])


whole_or_in_bytes = pytest.mark.parametrize("size", [10_000, 1], ids=["whole", "bytes"])


@whole_or_in_bytes
@pytest.mark.parametrize("header", HEADERS)
async def test_the_client_is_who_the_header_says(header: bytes, size: int) -> None:
    data = header + b"GET / HTTP/1.0\r\n\r\n"
    async with routed(route("mirrors: ['null:']")) as it:
        client = await it.open_client()
        for start in range(0, len(data), size):
            await client.send(data[start : start + size])
            await trio.lowlevel.checkpoint()
        backend = await it.accept()
        assert await backend.receive_exactly(18) == b"GET / HTTP/1.0\r\n\r\n"
        await backend.send(b"answer")
        assert await client.receive_exactly(6) == b"answer"
        client.reset()
        await eventually(lambda: bool(it.events("connection")))
    (line,) = it.events("connection")
    assert (line["client"], line["request_bytes"]) == (NAME, 18)
    offered = {each["direction"]: each["offered_bytes"] for each in line["mirrors"]}
    assert offered["request"] == 18


async def test_what_follows_may_come_much_later() -> None:
    async with routed(route("timeouts: {client_hello: 100ms}")) as it:
        client = await it.open_client()
        await client.send(HEADERS[0])
        backend = await it.accept()
        await trio.sleep(0.3)
        await client.send(b"late")
        assert await backend.receive_exactly(4) == b"late"


@pytest.mark.parametrize(
    ("header", "rules"),
    [
        (LOCAL, ["allow: 127.0.0.1", "per_client: {max_connections: 1}"]),
        *[(header, []) for header in NAMELESS],
        *[(header, ["rate: 100/s"]) for header in NAMELESS[:2]],
        *[(header, ["deny: 127.0.0.0/8", "unknown_clients: admit"]) for header in NAMELESS[:2]],
    ],
)
async def test_a_connection_without_another_address_speaks_for_itself(
    header: bytes, rules: list[str]
) -> None:
    async with routed(route(*rules)) as it:
        client = await it.open_client()
        await client.send(header + b"ping")
        assert await (await it.accept()).receive_exactly(4) == b"ping"
        client.reset()
        await eventually(lambda: bool(it.events("connection")))
    assert str(it.events("connection")[0]["client"]).startswith("127.0.0.1:")


@pytest.mark.parametrize("header", [*NAMELESS, version2.encode("/run/client", "/run/server")])
@pytest.mark.parametrize("rule", RULES)
async def test_who_is_not_named_is_not_let_in_past_a_rule(header: bytes, rule: str) -> None:
    async with routed(route(rule)) as it:
        client = await it.open_client()
        await client.send(header + b"ping")
        await it.turns_away(client)
        await it.refused("no_client_address")


async def test_the_proxys_own_connections_are_asked_for_its_address() -> None:
    async with routed(route("deny: 127.0.0.0/8")) as it:
        client = await it.open_client()
        await client.send(LOCAL)
        await it.turns_away(client)
        await it.refused("denied")


async def test_a_trusted_proxy_at_a_unix_socket(tmp_path: Path) -> None:
    listen = f"- listen: unix:{tmp_path}/listen"
    text = route("allow: 192.0.2.0/24").replace("- listen: 127.0.0.1:0", listen)
    async with routed(text) as it:
        for header, end in ((HEADERS[0], ""), (LOCAL, ""), (NAMELESS[0], "no_client_address")):
            client = await it.open_client()
            await client.send(header + b"ping")
            if end:
                await client.receive_rest()
                await it.refused(end)
            else:
                assert await (await it.accept()).receive_exactly(4) == b"ping"


async def test_the_real_client_is_admitted_or_not() -> None:
    async with routed(route("deny: 192.0.2.0/24")) as it:
        client = await it.open_client()
        await client.send(HEADERS[1])
        await it.turns_away(client)
        await it.refused("denied")
        assert it.events("clients_refused")[0]["last_client"] == NAME


async def test_the_real_clients_are_limited_one_by_one() -> None:
    async with routed(route("per_client: {max_connections: 1}")) as it:
        first, again, other = [await it.open_client() for _ in range(3)]
        await first.send(version2.encode(FAR6, HERE6))
        await it.accept()
        await again.send(version2.encode(("2001:db8::8", 1), HERE6))
        await it.turns_away(again)
        await other.send(version2.encode(("2001:db8:1::8", 1), HERE6))
        await it.accept()
        await it.refused("client_limit")
        first.reset()
        await eventually(lambda: it.taken == 1)


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_backends_are_told_of_the_real_client(version: str) -> None:
    backends = f"[{{address: '${{one}}', send_proxy: {version}}}]"
    async with routed(route(backends=backends)) as it:
        client = await it.open_client()
        await client.send(HEADERS[0])
        backend = await it.accept()
        told = decode(await backend.receive_some())
        assert isinstance(told, ProxyHeader)
        assert (told.source, told.destination) == (FAR, HERE)


async def test_who_is_not_trusted_is_refused_before_a_byte() -> None:
    async with routed(route(trusted="127.0.0.2")) as it:
        await it.turns_away(await it.open_client("127.0.0.3"))
        await it.refused("untrusted")
        client = await it.open_client("127.0.0.2")
        await client.send(HEADERS[0])
        await it.accept()


@pytest.mark.parametrize(
    "data", [b"GET / HTTP/1.0\r\n\r\n", b"\x16\x03\x01\x02\x00", b"PROXY TCP4 1 2 3 4\r\n", b"\r\n"]
)
async def test_what_is_no_header_is_refused(data: bytes) -> None:
    async with routed(route()) as it:
        client = await it.open_client()
        await client.send(data)
        if len(data) == 2:  # the beginning of one
            client.finish()
        await it.turns_away(client)
        await it.refused("bad_proxy_header")
        assert it.route().accepted == 0


async def test_a_header_and_an_end_right_behind_it() -> None:
    async with routed(route()) as it:
        client = await it.open_client()
        await client.send(HEADERS[1] + b"all")
        client.finish()
        backend = await it.accept()
        assert await backend.receive_rest() == (b"all", "eof")


@pytest.mark.parametrize("hops", [0, 5, 15])
async def test_backends_are_told_how_many_proxies_there_were(hops: int) -> None:
    header = version2.encode(FAR, HERE, [pack_hops(hops)] if hops else [])
    async with routed(route(backends="[{address: '${one}', send_proxy: v2}]")) as it:
        client = await it.open_client()
        await client.send(header)
        backend = await it.accept()
        told = decode(await backend.receive_some())
        assert isinstance(told, ProxyHeader)
        assert hops_of(told.tlvs) == hops + 1


async def test_who_has_come_through_too_many_proxies_is_refused() -> None:
    async with routed(route()) as it:
        client = await it.open_client()
        await client.send(version2.encode(FAR, HERE, [pack_hops(16)]))
        await it.turns_away(client)
        await it.refused("too_many_hops")


@pytest.mark.parametrize("value", [b"", b"spliceproxy", b"another one\xff", b"spliceproxy\xff\xff"])
async def test_what_is_no_count_of_ours_counts_for_nothing(value: bytes) -> None:
    async with routed(route(backends="[{address: '${one}', send_proxy: v2}]")) as it:
        client = await it.open_client()
        await client.send(version2.encode(FAR, HERE, [(HOPS, value)]))
        backend = await it.accept()
        told = decode(await backend.receive_some())
        assert isinstance(told, ProxyHeader)
        assert hops_of(told.tlvs) == 1


async def test_a_ring_of_two_proxies_comes_to_an_end(tmp_path: Path) -> None:
    def half(own: str, other: str) -> Settings:
        backends = f"[{{address: 'unix:{tmp_path}/{other}', send_proxy: v2}}]"
        text = route(backends=backends).replace("127.0.0.1:0", f"unix:{tmp_path}/{own}", 1)
        return settings_of(SETTLED + text, {})

    with capture_logs() as log, trio.fail_after(30):
        async with serve(half("one", "two")) as one, serve(half("two", "one")) as two:
            client = await open_peer(str(tmp_path / "one"), KERNEL_CHOICE)
            await client.send(version2.encode(FAR, HERE))
            await client.receive_rest()
            client.close()
            await eventually(lambda: not (one.worker.sessions or two.worker.sessions))
    [refused] = [line for line in log if line["event"] == "clients_refused"]
    assert refused["reason"] == "too_many_hops"
    assert len([line for line in log if line["event"] == "connection"]) == 16
