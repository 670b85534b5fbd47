"""What a writer published just before its death is found, however late it was seen to die."""

import subprocess
from collections.abc import Iterator

import pytest

from tests.tools.companions.ring.opened import each_wake
from tools.companions.ring import counters
from tools.companions.ring.counters import PolledCounter
from tools.companions.ring.errors import WriterDiedError
from tools.companions.ring.ring import Wake, created
from tools.companions.ring.ways import pidfd


@pytest.fixture
def ended_fd() -> Iterator[int]:
    """A pidfd of a process that has ended."""
    with subprocess.Popen(["true"]) as ended, pidfd(ended.pid) as fd:
        ended.wait()
        yield fd


@each_wake
def test_bytes_that_came_while_the_reader_stopped_waiting(
    wake: Wake, ended_fd: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        created(10, wake) as ring,
        ring.writer(ended_fd) as writer,
        ring.reader(ended_fd) as reader,
    ):
        kind = type(reader._incoming)
        wait = kind.wait

        def wait_too_short(self: object, peer_fd: int, timeout_s: float) -> bool:
            monkeypatch.setattr(kind, "wait", wait)
            writer.put(memoryview(b"last"))
            return False

        monkeypatch.setattr(kind, "wait", wait_too_short)
        buffer = bytearray(10)
        assert reader.read_into(memoryview(buffer), 10) == 4
        with pytest.raises(WriterDiedError) as caught:
            reader.read_into(memoryview(buffer), 10)
    assert caught.value.read_bytes == 4


def test_a_count_that_was_stored_while_the_writer_was_seen_to_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    word = memoryview(bytearray(8)).cast("Q")
    writing, reading = PolledCounter(word), PolledCounter(word)

    def store_and_end(_peer_fd: int) -> bool:
        writing.add(4)
        return True

    monkeypatch.setattr(counters, "has_ended", store_and_end)
    assert reading.wait(-1, 10)
    assert reading.take() == 4
