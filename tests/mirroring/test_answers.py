"""What is recorded of a shadow's answers, and that the traffic does not know."""

import os
import threading
from pathlib import Path

import pytest
import trio

import spliceproxy.capture
from spliceproxy.capture import Data
from spliceproxy.sinks import answering_outlet, capture_answers, last_flush
from spliceproxy.sinks.capture_batch import Batch
from spliceproxy.sinks.capture_segment import SegmentFile
from tests.mirroring.answering import answering, dialogue, recorded
from tests.mirroring.test_full_disk import small_disk
from tests.proxy.payload import random_bytes
from tests.proxy.peer import Peer
from tests.proxy.relay import Mode, eventually, three_modes

__all__ = ["small_disk"]

LARGE = random_bytes(3_000_000)


async def send_until_reset(peer: Peer) -> None:
    """Go on as a server that does not see that nobody asks any more."""
    try:
        while True:
            await peer.send(b"more")
            await trio.sleep(0.01)
    except ConnectionError:
        return


@three_modes
@pytest.mark.parametrize("is_first", [False, True])
async def test_both_answers_are_in_one_log(mode: Mode, is_first: bool, tmp_path: Path) -> None:
    with trio.fail_after(30):
        async with answering(tmp_path, is_first=is_first, mode=mode) as it:
            connection = await it.proxied.connect()
            shadow = await it.shadow.accept()
            for turn in range(2):
                await connection.client.send(b"question %d" % turn)
                await connection.backend.receive_exactly(10)
                await shadow.receive_exactly(10)
                await shadow.send(b"another answer %d" % turn)
                await connection.backend.send(b"answer %d" % turn)
                await connection.client.receive_exactly(8)
                await it.answered(16 * (turn + 1))
            connection.client.finish()
            assert await shadow.receive_rest() == (b"", "eof")
            shadow.close()
            assert await connection.backend.receive_rest() == (b"", "eof")
            connection.backend.finish()
            assert await connection.client.receive_rest() == (b"", "eof")
            account = await it.account()
    assert (account["recorded_bytes"], account["lost_bytes"]) == (32, 0)
    own, answers = recorded(tmp_path)
    assert (answers.mirror, answers.facts["backend"]) == (it.mirror, it.mirror[6:])
    assert (answers.reason, answers.ends) == ("closed", {"response": "end"})
    assert answers.closed is not None
    assert (answers.closed["request_bytes"], answers.closed["response_bytes"]) == (20, 32)
    assert answers.is_whole
    assert own.is_whole
    first, second, *_ = spliceproxy.capture.open(tmp_path).events()
    assert (first.connection, second.connection) == (own.id, answers.id)
    assert dialogue(tmp_path, answers) == [
        entry
        for turn in range(2)
        for entry in (
            ("request", 10 * turn, b"question %d" % turn),
            ("response", 16 * turn, b"another answer %d" % turn),
        )
    ]


async def test_large_answers_and_requests_over_several_segments(tmp_path: Path) -> None:
    with trio.fail_after(60):
        async with answering(tmp_path, capture="?segment_bytes=1MiB") as it:
            connection = await it.proxied.connect()
            shadow = await it.shadow.accept()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(connection.client.send, LARGE)
                nursery.start_soon(connection.backend.receive_exactly, len(LARGE))
                nursery.start_soon(shadow.receive_exactly, len(LARGE))
                nursery.start_soon(shadow.send, LARGE[::-1])
            connection.client.finish()
            shadow.close()
            connection.backend.close()
            account = await it.account()
    assert account["offered_bytes"] == account["recorded_bytes"] == len(LARGE)
    _, answers = recorded(tmp_path)
    said = dialogue(tmp_path, answers)
    assert b"".join(data for direction, _, data in said if direction == "response") == LARGE[::-1]
    # What was not followed by an answer is told in numbers alone.
    request = b"".join(data for direction, _, data in said if direction == "request")
    assert LARGE.startswith(request)
    assert answers.closed is not None
    assert answers.closed["request_bytes"] == len(LARGE)
    assert len({path for path, _, _ in answers.parts}) > 1


async def test_a_shadow_that_is_not_there(tmp_path: Path) -> None:
    with trio.fail_after(30):
        async with answering(tmp_path) as it:
            it.shadow.close()
            connection = await it.proxied.connect()
            await connection.client.send(b"question")
            await connection.backend.receive_exactly(8)
            connection.client.close()
            connection.backend.close()
            await it.account()
    _, answers = recorded(tmp_path)
    assert (answers.reason, answers.ends, answers.response_bytes) == ("mirror_refused", {}, 0)


async def test_a_shadow_that_resets(tmp_path: Path) -> None:
    with trio.fail_after(30):
        async with answering(tmp_path) as it:
            connection = await it.proxied.connect()
            shadow = await it.shadow.accept()
            await connection.client.send(b"question")
            await shadow.receive_exactly(8)
            await shadow.send(b"half")
            await connection.backend.receive_exactly(8)
            await it.answered(4)
            shadow.reset()
            await connection.backend.send(b"answer")
            assert await connection.client.receive_exactly(6) == b"answer"
            connection.client.close()
            connection.backend.close()
            await it.account()
    own, answers = recorded(tmp_path)
    assert (answers.reason, answers.ends) == ("mirror_reset", {"response": "reset"})
    assert dialogue(tmp_path, answers)[-1] == ("response", 0, b"half")
    assert own.is_whole


async def test_a_shadow_that_answers_nothing_and_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(last_flush, "FLUSH_TIMEOUT_S", 0.2)
    with trio.fail_after(30):
        async with answering(tmp_path) as it:
            connection = await it.proxied.connect()
            shadow = await it.shadow.accept()
            await connection.client.send(b"question")
            await connection.backend.receive_exactly(8)
            connection.client.close()
            connection.backend.close()
            await it.account()
            shadow.close()
    _, answers = recorded(tmp_path)
    assert (answers.reason, answers.ends, answers.response_bytes) == ("end_timeout", {}, 0)


async def test_a_shadow_that_answers_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answering_outlet, "MOST_GOODBYE_S", 0.5)
    monkeypatch.setattr(last_flush, "FLUSH_TIMEOUT_S", 0.2)
    with trio.fail_after(30):
        async with answering(tmp_path) as it:
            connection = await it.proxied.connect()
            shadow = await it.shadow.accept()
            connection.client.close()
            connection.backend.close()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(send_until_reset, shadow)
            account = await it.account()
            shadow.close()
    _, answers = recorded(tmp_path)
    assert answers.reason == "end_timeout"
    assert answers.response_bytes == account["recorded_bytes"] > 20 * len("more")


async def test_no_more_than_asked_for_is_recorded(tmp_path: Path) -> None:
    with trio.fail_after(30):
        async with answering(tmp_path, "&max_bytes=5") as it:
            connection = await it.proxied.connect()
            shadow = await it.shadow.accept()
            await connection.client.send(b"question")
            await shadow.receive_exactly(5)
            await shadow.send(b"long answer")
            await it.answered(5)
            shadow.close()
            connection.client.close()
            connection.backend.close()
            account = await it.account()
    assert (account["offered_bytes"], account["recorded_bytes"]) == (5, 5)
    _, answers = recorded(tmp_path)
    assert dialogue(tmp_path, answers) == [("request", 0, b"quest"), ("response", 0, b"long ")]


async def test_a_disk_that_stands_still_loses_answers_and_holds_up_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, goes_on = SegmentFile.write, threading.Event()

    def write(self: SegmentFile, batch: Batch) -> None:
        goes_on.wait()
        real(self, batch)

    monkeypatch.setattr(SegmentFile, "write", write)
    with trio.fail_after(60):
        async with answering(tmp_path, capture="?overflow=gap", mirror_budget_bytes=4 << 20) as it:
            connection = await it.proxied.connect()
            shadow = await it.shadow.accept()
            await shadow.send(LARGE * 2)
            for _ in range(50):
                await connection.client.send(b"question")
                await connection.backend.receive_exactly(8)
                await shadow.receive_exactly(8)
                await connection.backend.send(b"answer")
                await connection.client.receive_exactly(6)
            await it.answered(2 * len(LARGE))
            goes_on.set()
            await eventually(lambda: not it.proxied.mirrors.budget.used_bytes)
            await shadow.send(b"the last")
            shadow.close()
            connection.client.close()
            connection.backend.close()
            account = await it.account()
            own = await it.proxied.account(of="capture", direction="request")
            requests = await it.proxied.account(of="tcp")
    assert (own["state"], requests["state"]) == ("complete", "complete")
    assert account["reason"] == "budget_full"
    assert 0 < account["lost_bytes"] < account["offered_bytes"] == 2 * len(LARGE) + 8
    _, answers = recorded(tmp_path)
    assert answers.missing_bytes == account["lost_bytes"]
    assert dialogue(tmp_path, answers)[-1] == ("response", 2 * len(LARGE), b"the last")


async def test_what_waits_for_the_disk_has_a_bound_for_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capture_answers, "MOST_WAITING_BYTES", 200_000)
    real, goes_on = SegmentFile.write, threading.Event()

    def write(self: SegmentFile, batch: Batch) -> None:
        goes_on.wait()
        real(self, batch)

    monkeypatch.setattr(SegmentFile, "write", write)
    with trio.fail_after(60):
        async with answering(tmp_path, capture="?overflow=gap") as it:
            connections = [await it.proxied.connect() for _ in range(2)]
            shadows = [await it.shadow.accept() for _ in range(2)]
            for shadow in shadows:
                await shadow.send(LARGE[:500_000])
            await it.answered(1_000_000)
            used = it.proxied.mirrors.budget.used_bytes
            goes_on.set()
            for shadow, connection in zip(shadows, connections, strict=True):
                shadow.close()
                connection.client.close()
                connection.backend.close()
            lines = [(await it.proxied.line(number))["mirrors"] for number in (1, 2)]
    answers = [one["answers"] for line in lines for one in line if "answers" in one]
    assert used < 300_000
    assert sum(one["recorded_bytes"] for one in answers) <= 200_000
    assert sum(one["recorded_bytes"] + one["lost_bytes"] for one in answers) == 1_000_000
    assert {one["reason"] for one in answers} == {"buffer_full"}


@pytest.mark.parametrize("overflow", ["detach", "gap"])
async def test_a_full_disk_loses_answers_and_harms_nobody(overflow: str, small_disk: Path) -> None:
    with trio.fail_after(60):
        async with answering(small_disk, capture=f"?overflow={overflow}") as it:
            connection = await it.proxied.connect()
            shadow = await it.shadow.accept()
            await connection.client.send(b"question")
            await connection.backend.receive_exactly(8)
            await shadow.receive_exactly(8)
            await shadow.send(LARGE)
            await it.answered(len(LARGE))
            await eventually(lambda: not it.proxied.mirrors.budget.used_bytes)
            await connection.backend.send(b"answer")
            assert await connection.client.receive_exactly(6) == b"answer"
            shadow.close()
            connection.client.finish()
            assert await connection.backend.receive_rest() == (b"", "eof")
            connection.backend.finish()
            assert await connection.client.receive_rest() == (b"", "eof")
            account = await it.account()
            line = await it.proxied.line()
            requests = await it.proxied.account(of="tcp")
    assert (line["reason"], requests["state"]) == ("closed", "complete")
    assert (account["offered_bytes"], account["reason"]) == (len(LARGE), "file_enospc")
    assert 0 < account["lost_bytes"] <= len(LARGE)
    capture = spliceproxy.capture.open(small_disk)
    data = [event for event in capture.events() if isinstance(event, Data)]
    assert capture.unreadable == []
    kept = sum(len(event.data) for event in data if event.connection.number == 2)
    assert kept == account["recorded_bytes"]


async def test_a_mirror_that_is_stopped_leaves_the_traffic(tmp_path: Path) -> None:
    with trio.fail_after(30):
        async with answering(tmp_path) as it:
            connection = await it.proxied.connect()
            shadow = await it.shadow.accept()
            await shadow.send(b"early")
            await it.answered(5)
            [session] = it.proxied.worker.sessions
            assert session.mirrors is not None
            [mirror] = [of for of, _ in session.mirrors.branches if of.settings.kind == "tcp"]
            session.mirrors.stop(mirror, "stopped_by_operator")
            assert (await shadow.receive_rest())[1] == "reset"
            await connection.client.send(b"question")
            assert await connection.backend.receive_exactly(8) == b"question"
            connection.client.close()
            connection.backend.close()
            await it.account()
            shadow.close()
    _, answers = recorded(tmp_path)
    assert (answers.reason, answers.response_bytes) == ("stopped_by_operator", 5)


async def test_connections_that_are_not_captured_have_no_answers(tmp_path: Path) -> None:
    with trio.fail_after(30):
        async with answering(tmp_path, capture="?sample=0%") as it:
            connection = await it.proxied.connect()
            shadow = await it.shadow.accept()
            await shadow.send(b"answer")
            connection.client.close()
            connection.backend.close()
            shadow.close()
            assert "answers" not in await it.proxied.account(of="tcp")
    assert not any(os.scandir(tmp_path))
