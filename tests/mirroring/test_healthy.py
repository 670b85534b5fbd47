"""Mirrors that work: what they get, and that the traffic is what it would be without them."""

from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import trio

from tests.mirroring.mirrored import mirrored
from tests.mirroring.records import record_in
from tests.proxy.judge import exchange, judge
from tests.proxy.payload import assert_same, random_bytes
from tests.proxy.relay import Mode, three_modes
from tests.sinks.places import KINDS, FilePlace, Kind, make_place

REQUEST, RESPONSE = random_bytes(3_000_000, seed=1), random_bytes(2_000_000, seed=2)
LARGEST = 300_000


@three_modes
@pytest.mark.parametrize("kind", KINDS)
async def test_one_mirror_of_each_kind(kind: Kind, mode: Mode, tmp_path: Path) -> None:
    place = make_place(kind, tmp_path)
    with trio.fail_after(30):
        async with place.open(), mirrored(place.text, mode=mode) as proxied:
            connection = await proxied.connect()
            request, response = await exchange(
                connection, REQUEST, RESPONSE, seed=3, largest=LARGEST
            )
            line = await proxied.line()
            judge(REQUEST, request, line)
            judge(RESPONSE, response, line)
            assert line["reason"] == "closed"
            received = await place.received()
            if received is not None:
                assert_same(received, REQUEST)
            assert {account["state"] for account in line["mirrors"]} == {"complete"}
            assert line["mirrors"][0]["delivered_bytes"] == len(REQUEST)


@three_modes
async def test_mirrors_of_all_kinds_do_not_see_one_another(mode: Mode, tmp_path: Path) -> None:
    directories = {kind: tmp_path / kind for kind in KINDS}
    for directory in directories.values():
        directory.mkdir()
    places = [make_place(kind, directory) for kind, directory in directories.items()]
    with trio.fail_after(30):
        async with AsyncExitStack() as stack:
            for place in places:
                await stack.enter_async_context(place.open())
            texts = (place.text for place in places)
            proxied = await stack.enter_async_context(mirrored(*texts, mode=mode))
            connection = await proxied.connect()
            request, response = await exchange(
                connection, REQUEST, RESPONSE, seed=4, largest=LARGEST
            )
            line = await proxied.line()
            judge(REQUEST, request, line)
            judge(RESPONSE, response, line)
            for place in places:
                received = await place.received()
                assert received is None or received == REQUEST
            assert len(line["mirrors"]) == 10  # three of them in both directions


@pytest.mark.parametrize("direction", ["request", "response", "both"])
async def test_only_the_direction_that_is_asked_for(direction: str, tmp_path: Path) -> None:
    place = FilePlace(tmp_path)
    async with mirrored(f"{place.text}?direction={direction}") as proxied:
        connection = await proxied.connect()
        await exchange(connection, b"question", b"answer", seed=1, largest=LARGEST)
        line = await proxied.line()
    wanted = {"request", "response"} if direction == "both" else {direction}
    assert {account["direction"] for account in line["mirrors"]} == wanted
    assert place.stream("request") == (b"question" if "request" in wanted else b"")
    assert place.stream("response") == (b"answer" if "response" in wanted else b"")


async def test_max_bytes_bounds_each_connection_and_direction(tmp_path: Path) -> None:
    place = FilePlace(tmp_path)
    async with mirrored(f"{place.text}?max_bytes=100000") as proxied:
        connection = await proxied.connect()
        outcomes = await exchange(connection, REQUEST, RESPONSE[:50_000], seed=1, largest=LARGEST)
        assert_same(outcomes[0].received, REQUEST)
        line = await proxied.line()
    assert place.stream("request") == REQUEST[:100_000]
    assert place.stream("response") == RESPONSE[:50_000]
    assert [account["offered_bytes"] for account in line["mirrors"]] == [100_000, 50_000]
    assert {account["state"] for account in line["mirrors"]} == {"complete"}


async def test_answers_of_a_mirror_reach_nobody() -> None:
    async with trio.open_nursery() as nursery:

        async def talkative(stream: trio.SocketStream) -> None:
            await stream.send_all(bytes(3_000_000))
            async for _ in stream:
                await stream.send_all(bytes(100_000))

        listeners = await nursery.start(trio.serve_tcp, talkative, 0)
        port = listeners[0].socket.getsockname()[1]
        with trio.fail_after(20):
            async with mirrored(f"tcp://127.0.0.1:{port}") as proxied:
                connection = await proxied.connect()
                request, response = await exchange(
                    connection, REQUEST, b"the answer", seed=1, largest=LARGEST
                )
                assert (response.received, response.end) == (b"the answer", "eof")
                assert request.received == REQUEST
                account = await proxied.account()
                assert account["state"] == "complete"
        nursery.cancel_scope.cancel()


async def test_the_record_tells_the_connection_and_its_mirrors(tmp_path: Path) -> None:
    async with mirrored(f"file:{tmp_path}", "null:") as proxied:
        connection = await proxied.connect()
        await exchange(connection, b"question", b"answer", seed=1, largest=LARGEST)
        line = await proxied.line()
    record = record_in(tmp_path)
    for key in ("client", "backend", "listener", "request_bytes", "response_bytes", "reason"):
        assert record[key] == line[key]
    assert record["gaps"] == {"request": [], "response": []}
    assert [account["to"] for account in record["mirrors"]].count("null:") == 2


@three_modes
@pytest.mark.parametrize("at", [0, 50_000, 100_000])
async def test_urgent_data_costs_neither_side_an_ordinary_byte(
    mode: Mode, at: int, tmp_path: Path
) -> None:
    data = REQUEST[:100_000]
    place = make_place("tcp", tmp_path)
    with trio.fail_after(20):
        async with place.open(), mirrored(place.text, mode=mode) as proxied:
            connection = await proxied.connect()
            await connection.client.send(data[:at])
            connection.client.send_urgent(b"!")
            await connection.client.send(data[at:])
            connection.client.finish()
            received, end = await connection.backend.receive_rest()
            connection.backend.finish()
            assert end == "eof"
            assert_same(received, data)
            copy = await place.received()
            assert copy == data
            assert (await proxied.account())["state"] == "complete"
