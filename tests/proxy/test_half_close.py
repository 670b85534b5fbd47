"""A stream that ends in one direction goes on in the other, and every byte comes before an end."""

import errno

import pytest
import trio

from spliceproxy.kernel import syscalls
from tests.faults import FailAt
from tests.proxy.payload import assert_same, random_bytes
from tests.proxy.peer import Peer
from tests.proxy.relay import TLS_MODES, Mode, Transport, all_modes, both_transports, relay

each_side_first = pytest.mark.parametrize("first", ["client", "backend"])


@all_modes
@both_transports
@each_side_first
async def test_the_other_direction_goes_on_after_one_has_ended(
    mode: Mode, transport: Transport, first: str
) -> None:
    question, answer = random_bytes(1000), random_bytes(10 << 20, seed=1)
    with trio.fail_after(20):
        async with relay(mode=mode, transport=transport) as proxied:
            connection = await proxied.connect()
            early, late = connection.ends(first)
            await early.send(question)
            early.finish()
            received, end = await late.receive_rest()
            assert (received, end) == (question, "eof")
            async with trio.open_nursery() as nursery:
                nursery.start_soon(send_and_finish, late, answer)
                received, end = await early.receive_rest()
            assert end == "eof"
            assert_same(received, answer)
            line = await proxied.line()
    sizes = {first: len(question), "backend" if first == "client" else "client": len(answer)}
    assert (line["reason"], line["closed_by"]) == ("closed", first)
    assert line["request_bytes"] == sizes["client"]
    assert line["response_bytes"] == sizes["backend"]
    assert line["undelivered_bytes"] == 0
    assert line["spliced_bytes" if mode.splices else "copied_bytes"] == sum(sizes.values())


@all_modes
@both_transports
async def test_both_directions_end_at_once(mode: Mode, transport: Transport) -> None:
    data = {name: random_bytes(3 << 20, seed) for seed, name in enumerate(("client", "backend"))}
    received: dict[str, bytes] = {}

    async def receive(name: str, peer: Peer) -> None:
        received[name], end = await peer.receive_rest()
        assert end == "eof"

    with trio.fail_after(20):
        async with relay(mode=mode, transport=transport) as proxied:
            connection = await proxied.connect()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(send_and_finish, connection.client, data["client"])
                nursery.start_soon(send_and_finish, connection.backend, data["backend"])
                nursery.start_soon(receive, "client", connection.client)
                nursery.start_soon(receive, "backend", connection.backend)
            assert (await proxied.line())["reason"] == "closed"
    assert_same(received["client"], data["backend"])
    assert_same(received["backend"], data["client"])


@all_modes
@both_transports
@each_side_first
async def test_a_connection_without_a_byte(mode: Mode, transport: Transport, first: str) -> None:
    with trio.fail_after(20):
        async with relay(mode=mode, transport=transport) as proxied:
            early, late = (await proxied.connect()).ends(first)
            early.finish()
            assert await late.receive_rest() == (b"", "eof")
            late.close()
            assert await early.receive_rest() == (b"", "eof")
            line = await proxied.line()
    assert line["reason"] == "closed"
    assert line["request_bytes"] == line["response_bytes"] == 0


async def send_and_finish(peer: Peer, data: bytes) -> None:
    await peer.send(data)
    peer.finish()


@pytest.mark.parametrize("data", [b"", b"all of it"])
@pytest.mark.parametrize("has_room", [True, False])
@each_side_first
async def test_a_goodbye_by_tls_is_an_end_though_no_fin_comes(
    first: str, has_room: bool, data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No event tells of it where it was read together with bytes that had to wait for room."""
    with trio.fail_after(20):
        async with relay(mode=TLS_MODES["tls-both"]) as proxied:
            early, late = (await proxied.connect()).ends(first)
            if not has_room:
                monkeypatch.setattr(syscalls, "send", FailAt(syscalls.send, 1, errno.EAGAIN))
            await early.send(data)
            early.finish_tls()
            assert await late.receive_rest() == (data, "eof")
            await send_and_finish(late, b"answer")
            assert await early.receive_rest() == (b"answer", "eof")
            line = await proxied.line()
            await proxied.settled()
    assert (line["reason"], line["closed_by"]) == ("closed", first)
