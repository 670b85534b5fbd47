"""Replays against a server that the test plays."""

import socket
import time
from pathlib import Path

import pytest
import trio

from spliceproxy.replay.connection_filter import ConnectionFilter
from spliceproxy.replay.replay_options import Pace
from spliceproxy.settings.address import TcpAddress, UnixAddress
from spliceproxy.settings.network import parse_network
from tests.capture.recorded import BEGAN_NS, Recorded
from tests.proxy.payload import random_bytes
from tests.replay.recordings import connections, moved, replayed, talk
from tests.replay.target import Met, Target, read_all, reset, target_of

each_pace = pytest.mark.parametrize("pace", list(Pace))


@each_pace
async def test_bytes_and_ends_are_those_recorded(tmp_path: Path, pace: Pace) -> None:
    recorded = Recorded(tmp_path)
    pieces = [random_bytes(size, size) for size in (1, 300_000, 7, 70_000)]
    sent = [talk(recorded, number, pieces[number:], number) for number in range(4)]
    recorded.seal()
    async with target_of() as target:
        end = await replayed(tmp_path, target.address, pace)
    assert sorted(target.requests) == sorted(sent)
    assert {met.end for met in target.met} == {"end"}
    assert end.is_complete
    assert connections(end)["replayed"] == 4
    total = sum(map(len, sent))
    assert moved(end) == {"sent": total, "answers": total, "recorded_answers": total}
    assert end.summary["answer_timeouts"] == end.summary["ends_missing"] == 0


@each_pace
async def test_a_reset_is_a_reset_behind_all_data(tmp_path: Path, pace: Pace) -> None:
    recorded = Recorded(tmp_path)
    data = random_bytes(200_000, 1)
    recorded.open(1)
    recorded.data(1, data, 1)
    recorded.end(1, len(data), 2, is_reset=True)
    recorded.end(1, 0, 2, direction="response", is_reset=True)
    recorded.close(1, 2)
    recorded.seal()
    async with target_of(read_all) as target:
        end = await replayed(tmp_path, target.address, pace)
    assert target.requests == [data]
    assert target.met[0].end == "reset"
    assert connections(end)["replayed"] == 1


async def test_a_reset_waits_until_the_target_has_all(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path)
    pieces = [random_bytes(1 << 20, number) for number in range(12)]
    recorded.open(1)
    for number, piece in enumerate(pieces):
        recorded.data(1, piece, 1, offset=number << 20)
    recorded.end(1, 12 << 20, 2, is_reset=True)
    recorded.close(1, 2)
    recorded.seal()

    async def read_late(stream: trio.SocketStream, met: Met) -> None:
        await trio.sleep(0.1)
        await read_all(stream, met)

    async with target_of(read_late) as target:
        await replayed(tmp_path, target.address, Pace.MAX)
    assert target.requests == [b"".join(pieces)]
    assert target.met[0].end == "reset"


@each_pace
async def test_half_close_lets_answers_come(tmp_path: Path, pace: Pace) -> None:
    recorded = Recorded(tmp_path)
    recorded.open(1)
    recorded.data(1, b"question", 1)
    recorded.end(1, 8, 2)
    recorded.data(1, b"answer", 3, direction="response")
    recorded.end(1, 6, 4, direction="response")
    recorded.close(1, 4)
    recorded.seal()

    async def serve(stream: trio.SocketStream, met: Met) -> None:
        await read_all(stream, met)
        await stream.send_all(b"answer")

    async with target_of(serve) as target:
        end = await replayed(tmp_path, target.address, pace)
    assert moved(end)["answers"] == 6
    assert end.summary["ends_missing"] == 0


async def test_a_client_whose_backend_ended_first_waits_for_that(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path)
    recorded.open(1)
    recorded.data(1, b"question", 1)
    recorded.end(1, 0, 2, direction="response")
    recorded.end(1, 8, 3)
    recorded.close(1, 3)
    recorded.seal()
    ends = []

    async def serve(stream: trio.SocketStream, met: Met) -> None:
        await stream.receive_some()
        with trio.move_on_after(0.2):
            ends.append(await stream.receive_some())
        await stream.send_eof()
        ends.append(await stream.receive_some())

    async with target_of(serve) as target:
        end = await replayed(tmp_path, target.address, Pace.MAX)
        assert ends == [b""]  # only after ours
        quick = await replayed(tmp_path, target.address, Pace.MAX, answer_timeout_s=0.001)
    assert end.summary["ends_missing"] == 0
    assert quick.summary["ends_missing"] == 1


async def test_answers_are_waited_for(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path)
    talk(recorded, 1, [b"one", b"two", b"six"])
    recorded.seal()
    early = []

    async def serve(stream: trio.SocketStream, met: Met) -> None:
        for _ in range(3):
            data = await stream.receive_some()
            await stream.send_all(data[:1])
            with trio.move_on_after(0.05):
                early.append(await stream.receive_some())
            await stream.send_all(data[1:])

    async with target_of(serve) as target:
        end = await replayed(tmp_path, target.address, Pace.ANSWERS)
    assert early == []
    assert end.summary["answer_timeouts"] == 0
    assert moved(end)["answers"] == 9


async def test_answers_that_do_not_come_are_counted_once_each(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path)
    request = talk(recorded, 1, [b"one", b"two"])
    recorded.seal()
    async with target_of(read_all) as target:
        end = await replayed(tmp_path, target.address, Pace.ANSWERS, answer_timeout_s=0.01)
    assert target.requests == [request]
    assert end.summary["answer_timeouts"] == 2
    assert connections(end)["replayed"] == 1


async def test_what_was_missing_once_is_not_waited_for_again(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path)
    talk(recorded, 1, [b"one", b"two", b"six"])
    recorded.seal()

    async def skip_first(stream: trio.SocketStream, met: Met) -> None:
        await read_all(stream, met, lambda data: b"" if data == b"one" else data)

    async with target_of(skip_first) as target:
        end = await replayed(tmp_path, target.address, Pace.ANSWERS, answer_timeout_s=1)
    assert target.requests == [b"onetwosix"]
    assert end.summary["answer_timeouts"] == 1


async def test_timed_is_in_order_and_never_early(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path)
    talk(recorded, 1, [b"a", b"c"], 0, 100)
    talk(recorded, 2, [b"b"], 150, 10)
    recorded.seal()
    async with target_of() as target:
        start_s = trio.current_time()
        end = await replayed(tmp_path, target.address, Pace.TIMED, arrival=1.0, think=0.5)
    first, second = target.met
    assert [data for _, data in first.pieces] == [b"a", b"c"]
    assert first.pieces[0][0] - start_s >= 0.05
    assert first.pieces[1][0] - start_s >= 0.1
    assert second.began_s - start_s >= 0.15
    assert second.pieces[0][0] - start_s >= 0.155
    assert end.summary["lag_ms"]["max"] >= end.summary["lag_ms"]["p50"] > 0  # type: ignore[index]
    assert end.summary["connections_per_second"]["wanted"] == pytest.approx(1 / 0.15, 0.01)  # type: ignore[index]


async def test_max_joins_small_pieces(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path)
    request = talk(recorded, 1, [b"%04d" % number for number in range(2000)], 0, 10_000)
    recorded.seal()
    async with target_of() as target:
        await replayed(tmp_path, target.address, Pace.MAX)
    assert target.requests == [request]
    assert len(target.met[0].pieces) < 1000


async def test_start_at_is_waited_for(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path)
    talk(recorded, 1, [b"a"])
    recorded.seal()
    start_at_s = time.time() + 0.2
    async with target_of() as target:
        await replayed(tmp_path, target.address, Pace.MAX, start_at_s=start_at_s)
        assert time.time() >= start_at_s
        assert len(target.met) == 1


def with_gaps(directory: Path) -> None:
    recorded = Recorded(directory)
    recorded.open(1)
    recorded.data(1, b"abc", 1)
    recorded.gap(1, 3, 10, 2, reason="file_enospc")
    recorded.data(1, b"def", 3, offset=13)
    recorded.end(1, 16, 4)
    recorded.close(1, 5)
    recorded.open(2, 1, is_continued=True)
    recorded.data(2, b"late", 2, offset=100)
    recorded.end(2, 104, 3)
    recorded.close(2, 4)
    recorded.open(3, 1)
    recorded.data(3, b"attached", 2, offset=7)
    recorded.close(3, 4)
    recorded.open(4, 1)
    recorded.data(4, b"whole", 2)
    recorded.gap(4, 0, 10, 3, direction="response")
    recorded.end(4, 5, 4)
    recorded.end(4, 10, 4, direction="response")
    recorded.close(4, 5)
    recorded.seal()


async def test_incomplete_connections_are_skipped_and_counted(tmp_path: Path) -> None:
    with_gaps(tmp_path)
    async with target_of() as target:
        end = await replayed(tmp_path, target.address, Pace.ANSWERS, answer_timeout_s=0.05)
    assert b"whole" in target.requests
    assert not {b"abcdef", b"late", b"attached"} & set(target.requests)
    assert connections(end)["skipped"] == {"gap": 1, "mid_stream": 2}
    assert connections(end)["replayed"] == 1
    assert end.is_complete


async def test_or_sent_as_far_as_they_are_there(tmp_path: Path) -> None:
    with_gaps(tmp_path)
    async with target_of() as target:
        end = await replayed(
            tmp_path, target.address, Pace.MAX, sends_incomplete=True, answer_timeout_s=0.05
        )
    assert sorted(target.requests) == [b"abcdef", b"attached", b"late", b"whole"]
    assert connections(end)["replayed"] == 4


async def test_copies(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path)
    sent = [talk(recorded, number, [b"piece %d" % number] * 3) for number in range(2)]
    recorded.seal()
    async with target_of() as target:
        end = await replayed(tmp_path, target.address, Pace.ANSWERS, copies=5)
    assert sorted(target.requests) == sorted(sent * 5)
    assert connections(end)["replayed"] == 10


async def test_connections_beyond_the_most_wait_and_are_late(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path)
    sent = [talk(recorded, number, [b"piece %d" % number]) for number in range(6)]
    recorded.seal()
    async with target_of() as target:
        end = await replayed(tmp_path, target.address, Pace.MAX, max_connections=2)
    assert sorted(target.requests) == sorted(sent)
    assert connections(end)["late"] == 4
    assert target.most_live <= 3  # one may still be ending here


async def test_what_waits_in_memory_is_bounded(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path)
    pieces = [random_bytes(20_000, number) for number in range(100)]
    sent = [talk(recorded, number, pieces, number) for number in range(3)]
    recorded.seal()
    limit = 200_000
    async with target_of() as target:
        end = await replayed(
            tmp_path, target.address, Pace.ANSWERS, read_ahead_bytes=limit, arrival=0.0
        )
    assert target.requests == sent
    held = end.summary["read_ahead_bytes"]
    assert isinstance(held, int)
    assert limit <= held < limit + 30_000


async def test_no_deadlock_when_those_that_wait_have_all_the_room(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path)
    recorded.open(1)
    recorded.data(1, b"first", 1)
    talk(recorded, 2, [bytes(50_000)] * 10, 300)
    recorded.end(1, 5, 400)
    recorded.end(1, 5, 400, direction="response")
    recorded.close(1, 400)
    recorded.seal()
    async with target_of() as target:
        with trio.fail_after(20):
            end = await replayed(
                tmp_path, target.address, Pace.ANSWERS, max_connections=1, read_ahead_bytes=100_000
            )
    assert target.requests == [b"first"]
    assert connections(end)["skipped"] == {"no_room": 1}
    assert connections(end)["replayed"] == 1


async def test_nor_when_they_have_nothing_to_do_yet(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path)
    recorded.open(1)
    recorded.data(1, b"first", 1)
    for number in range(2, 60):
        recorded.open(number, 300 + number)
    recorded.end(1, 5, 400)
    recorded.close(1, 400)
    for number in range(2, 60):
        recorded.data(number, b"next", 400 + number)
        recorded.close(number, 500)
    recorded.seal()
    async with target_of() as target:
        with trio.fail_after(20):
            end = await replayed(
                tmp_path,
                target.address,
                Pace.MAX,
                max_connections=1,
                read_ahead_bytes=100_000,
                answer_timeout_s=0.01,
            )
    skipped = connections(end)["skipped"]["no_room"]
    assert target.requests == [b"first", *[b"next"] * (58 - skipped)]
    assert 30 < skipped < 58


async def test_filters(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path)
    talk(recorded, 1, [b"wanted"], 1000, route="web", client="192.0.2.1:1")
    talk(recorded, 2, [b"route"], 1000, route="api", client="192.0.2.1:2")
    talk(recorded, 3, [b"client"], 1000, route="web", client="198.51.100.1:3")
    talk(recorded, 4, [b"unix"], 1000, route="web", client="unix")
    talk(recorded, 5, [b"early"], 0, route="web", client="192.0.2.1:5")
    talk(recorded, 6, [b"late"], 2000, route="web", client="192.0.2.1:6")
    recorded.seal()
    wanted = ConnectionFilter(
        BEGAN_NS + 10**9, BEGAN_NS + 2 * 10**9, ("web",), (parse_network("192.0.2.0/24"),)
    )
    async with target_of() as target:
        end = await replayed(tmp_path, target.address, Pace.MAX, wanted=wanted)
    assert target.requests == [b"wanted"]
    assert connections(end)["filtered"] == 5


def test_a_sample_has_whole_clients_and_is_in_each_larger_one() -> None:
    clients = [f"10.0.{number >> 8}.{number & 255}" for number in range(2000)]

    def sample(fraction: float, port: int) -> set[str]:
        chosen = ConnectionFilter(sample=fraction)
        return {client for client in clients if chosen.wants({"client": f"{client}:{port}"})}

    assert sample(0.1, 1) == sample(0.1, 2) < sample(0.3, 1) < sample(1, 1) == set(clients)
    assert 100 < len(sample(0.1, 1)) < 300


async def test_a_target_that_refuses_ends_it_early(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path)
    for number in range(20):
        talk(recorded, number, [b"x"], number)
    talk(recorded, 20, [b"x"], 600_000)
    recorded.seal()
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = TcpAddress("127.0.0.1", unused.getsockname()[1])
        end = await replayed(tmp_path, address, Pace.TIMED)
        going = await replayed(tmp_path, address, Pace.MAX, keeps_going=True)
    assert connections(end)["failed"] == {"refused": 20}
    [complaint] = end.complaints
    assert "first 20 connections" in complaint
    assert "--keep-going" in complaint
    assert not end.is_complete
    assert connections(going)["failed"] == {"refused": 21}
    assert going.complaints == []


async def test_a_target_that_resets_or_does_not_read_is_a_failure(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path)
    talk(recorded, 1, [random_bytes(1 << 20, 1)] * 12)
    recorded.seal()

    async def stall(stream: trio.SocketStream, met: Met) -> None:
        await trio.sleep(0.5)

    async def break_off(stream: trio.SocketStream, met: Met) -> None:
        await stream.receive_some()
        reset(stream)

    async with target_of(stall) as target:
        end = await replayed(tmp_path, target.address, Pace.MAX, stall_timeout_s=0.1)
    assert connections(end)["failed"] == {"stalled": 1}
    async with target_of(break_off) as target:
        end = await replayed(tmp_path, target.address, Pace.MAX)
    assert connections(end)["failed"] == {"reset": 1}


async def test_a_unix_socket(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path)
    talk(recorded, 1, [b"hello"])
    recorded.seal()
    path = tmp_path / "target.sock"
    heard = []
    with trio.socket.socket(socket.AF_UNIX) as listener:
        await listener.bind(str(path))
        listener.listen()

        async def serve() -> None:
            sock, _ = await listener.accept()
            async with trio.SocketStream(sock) as stream:
                async for data in stream:
                    heard.append(bytes(data))
                    await stream.send_all(data)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve)
            end = await replayed(tmp_path, UnixAddress(str(path)), Pace.ANSWERS)
    assert heard == [b"hello"]
    assert connections(end)["replayed"] == 1


async def test_a_segment_that_vanishes_is_told(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path)
    request = talk(recorded, 1, [b"there"])
    recorded.next_segment()
    last = recorded.seal()
    last.write_bytes(b"garbage")
    async with target_of() as target:
        end = await replayed(tmp_path, target.address, Pace.MAX)
    assert target.requests == [request]
    [complaint] = end.complaints
    assert last.name in complaint
    assert not end.is_complete


async def test_a_connection_without_an_end_ends_with_the_capture(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path)
    recorded.open(1)
    recorded.data(1, b"cut", 1)
    recorded.seal()
    async with target_of() as target:
        end = await replayed(tmp_path, target.address, Pace.TIMED)
    assert target.requests == [b"cut"]
    assert connections(end)["without_end"] == 1


@pytest.mark.parametrize("jump_ms", [-3_600_000, 3_600_000])
async def test_a_clock_that_was_set_makes_nobody_wait(tmp_path: Path, jump_ms: int) -> None:
    recorded = Recorded(tmp_path)
    recorded.open(1)
    recorded.data(1, b"a", 1)
    recorded.next_segment(jump_ms)
    recorded.open(1, 20, is_continued=True)
    recorded.data(1, b"b", 30, offset=1)
    recorded.close(1, 40)
    talk(recorded, 2, [b"c"], 60)
    recorded.seal()
    async with target_of() as target:
        with trio.fail_after(60):
            end = await replayed(tmp_path, target.address, Pace.TIMED)
    assert target.requests == [b"ab", b"c"]
    assert [round(second - first, 2) >= 0.06 for first, second in [_begun(target)]] == [True]
    lags = end.summary["lag_ms"]
    assert isinstance(lags, dict)
    assert lags["max"] < 60_000
    [hint] = end.hints
    assert "the clock was set" in hint
    assert end.is_complete


def _begun(target: Target) -> tuple[float, float]:
    first, second = target.met
    return first.began_s, second.began_s


async def test_long_waits_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("spliceproxy.replay.start_line._LONG_WAIT_S", 0.2)
    first, second = Recorded(tmp_path), Recorded(tmp_path, writer=2, jump_ms=500)
    talk(first, 1, [b"a"])
    first.seal()
    talk(second, 1, [b"b"])
    second.seal()
    async with target_of() as target:
        await replayed(tmp_path, target.address, Pace.ANSWERS)
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("spliceproxy: the next connection, 0000000000000002-1, is due in 0.0 h")
