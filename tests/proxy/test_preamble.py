"""Clients that leave, fall silent or misbehave before it is known what they want."""

import itertools
import tempfile

import pytest
import trio
import trio.lowlevel
from hypothesis import given, settings
from hypothesis import strategies as st

from spliceproxy import reasons
from spliceproxy.formats.proxy_protocol import version2
from spliceproxy.kernel import syscalls
from spliceproxy.proxy.preamble import Preamble
from tests.faults import CrashAt
from tests.formats.hellos import real_hello
from tests.formats.proxy_protocol.headers import damaged_headers
from tests.proxy.relay import eventually
from tests.proxy.routed import Routed, routed

LISTEN = "127.0.0.1:0"


def proxied(*lines: str, listen: str = LISTEN) -> str:
    start = f"- listen: {listen}", "backends: ${one}", "accept_proxy: required"
    return "\n  ".join([*start, "trusted: 127.0.0.1", *lines])


def by_name(*lines: str, listen: str = LISTEN) -> str:
    start = f"- listen: {listen}", "backends: ${one}", "sni: {names: a.example, route: b}"
    return "\n  ".join([*start, *lines]) + "\n- {name: b, backends: '${two}'}"


each_kind = pytest.mark.parametrize(
    ("make", "data", "kind"),
    [
        (proxied, version2.encode(("192.0.2.1", 1), ("192.0.2.2", 2)), "proxy_header"),
        (by_name, real_hello("a.example"), "client_hello"),
    ],
)


def preambles(it: Routed) -> list[Preamble]:
    entering = it.proxy.worker._frontends[0].entering
    return [each for each in entering if isinstance(each, Preamble)]


async def begun(it: Routed, data: bytes) -> None:
    """Wait until the proxy has met a client that has sent this, and waits for more."""
    await eventually(lambda: [each._needed_bytes > len(data) for each in preambles(it)] == [True])


@each_kind
@pytest.mark.parametrize("sent", [0, 1, 20])
async def test_an_end_before_it_is_complete(make, data, kind, sent) -> None:  # type: ignore[no-untyped-def]
    async with routed(make()) as it:
        client = await it.open_client()
        await client.send(data[:sent])
        client.finish()
        await it.turns_away(client)
        await it.refused(f"bad_{kind}" if sent else "client_left")
        assert len(it.events("clients_refused")) == bool(sent)


@each_kind
@pytest.mark.parametrize("sent", [0, 20])
async def test_a_reset_before_it_is_complete(make, data, kind, sent) -> None:  # type: ignore[no-untyped-def]
    async with routed(make()) as it:
        client = await it.open_client()
        await client.send(data[:sent])
        await begun(it, data[:sent])
        client.reset()
        await it.refused("client_left")


@each_kind
@pytest.mark.parametrize("sent", [0, 20])
async def test_silence(make, data, kind, sent) -> None:  # type: ignore[no-untyped-def]
    async with routed(make("timeouts: {client_hello: 100ms}")) as it:
        client = await it.open_client()
        await client.send(data[:sent])
        await it.turns_away(client)
        await it.refused(f"{kind}_timeout")


@each_kind
async def test_a_byte_now_and_then_wins_no_time(make, data, kind) -> None:  # type: ignore[no-untyped-def]
    async with routed(make("timeouts: {client_hello: 200ms}")) as it:
        client = await it.open_client()
        with pytest.raises(ConnectionError):  # noqa: PT012 - the reset comes at some byte
            for byte in data:
                await client.send(bytes([byte]))
                await trio.sleep(0.02)
        await it.refused(f"{kind}_timeout")


@each_kind
async def test_nothing_spins_while_bytes_are_missing(make, data, kind) -> None:  # type: ignore[no-untyped-def]
    with tempfile.TemporaryDirectory() as directory:
        for listen in (LISTEN, f"unix:{directory}/listen"):  # the latter know no threshold
            async with routed(make(listen=listen)) as it:
                client = await it.open_client()
                await client.send(data[:20])
                await begun(it, data[:20])
                before = sum(it.proxy.worker.reactor.batches)
                await trio.sleep(0.1)
                assert sum(it.proxy.worker.reactor.batches) - before <= 3
                await client.send(data[20:])
                await it.accept("one" if make is proxied else "two")


@each_kind
async def test_a_worker_that_stops(make, data, kind) -> None:  # type: ignore[no-untyped-def]
    async with routed(make()) as it:
        client = await it.open_client()
        await client.send(data[:20])
        await begun(it, data[:20])
        with trio.fail_after(5):
            assert await it.proxy.worker.drain_within(0.1) == 1
        await it.turns_away(client)
        await it.refused(reasons.DRAIN_DEADLINE)


@each_kind
async def test_a_drain_lets_it_finish(make, data, kind) -> None:  # type: ignore[no-untyped-def]
    async with routed(make()) as it:
        client = await it.open_client()
        await client.send(data[:20])
        await begun(it, data[:20])
        it.proxy.worker.drain()
        await client.send(data[20:])
        await it.accept("one" if make is proxied else "two")


@each_kind
async def test_what_nobody_foresaw(make, data, kind, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    async with routed(make()) as it:
        monkeypatch.setattr(syscalls, "peek", CrashAt(syscalls.peek, 1))
        await it.turns_away(await it.open_client())
        await it.refused("internal_error")
        it.expected_crashes = 1
        again = await it.open_client()
        await again.send(data)
        await it.accept("one" if make is proxied else "two")


@given(data=damaged_headers() | st.binary(max_size=60), cuts=st.lists(st.integers(0, 60)))
@settings(max_examples=40)
async def test_hostile_bytes(data: bytes, cuts: list[int]) -> None:
    routes = by_name("accept_proxy: required", "trusted: 127.0.0.1")
    async with routed(routes) as it:
        client = await it.open_client()
        edges = [0, *sorted(cut for cut in cuts if cut < len(data)), len(data)]
        try:
            for start, end in itertools.pairwise(edges):
                client.sock.send(data[start:end])
                await trio.lowlevel.checkpoint()
            client.finish()
        except (ConnectionError, OSError):
            pass  # it was refused meanwhile
        await eventually(lambda: not preambles(it))
