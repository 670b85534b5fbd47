import os
import re
import resource
import select
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

import spliceproxy
from spliceproxy.observe.line_buffer import LineBuffer, flush_task
from spliceproxy.observe.log_outlet import (
    CHUNK_BYTES,
    LogOutlet,
    PolledOutlet,
    PrivateOutlet,
    open_outlet,
)

PROJECT = Path(spliceproxy.__file__).parent.parent

Pipe = tuple[int, int]
OpenOutlet = Callable[[int], LogOutlet]


def read_all(reader: int) -> bytes:
    """Read what there is; the reader does not wait."""
    read = b""
    with suppress(BlockingIOError):
        while chunk := os.read(reader, 1 << 16):
            read += chunk
    return read


def drain(buffer: LineBuffer, reader: int) -> bytes:
    """Read until the buffer is empty."""
    read = b""
    while not buffer.flush():
        read += read_all(reader)
    return read + read_all(reader)


def numbered(number: int, length: int = 100) -> bytes:
    return b"%08d %s\n" % (number, b"x" * (length - 10))


@contextmanager
def line_buffer(
    fd: int, max_bytes: int = 1 << 20, outlet: OpenOutlet = open_outlet
) -> Iterator[LineBuffer]:
    buffer = LineBuffer(outlet(fd), max_bytes)
    try:
        yield buffer
    finally:
        buffer.close()


both_outlets = pytest.mark.parametrize("outlet", [PrivateOutlet, PolledOutlet])


@both_outlets
def test_lines_arrive_whole_and_in_order(pipe: Pipe, outlet: OpenOutlet) -> None:
    reader, writer = pipe
    written = [numbered(number) for number in range(100)]
    with line_buffer(writer, outlet=outlet) as buffer:
        for line in written:
            buffer.write(line)
        assert read_all(reader) == b""
        assert buffer.pending_bytes == 10_000
        assert buffer.flush()
        assert buffer.pending_bytes == 0
        assert read_all(reader) == b"".join(written)


@both_outlets
def test_a_stalled_reader_costs_counted_lines_and_no_waiting(
    pipe: Pipe, outlet: OpenOutlet
) -> None:
    reader, writer = pipe
    with line_buffer(writer, max_bytes=10_000, outlet=outlet) as buffer:
        for number in range(2000):
            buffer.write(numbered(number))
            buffer.flush()
        assert buffer.pending_bytes <= 10_000
        dropped = buffer.dropped_lines
        assert dropped > 0
        read = drain(buffer, reader)
        buffer.write(numbered(2000))
        read += drain(buffer, reader)
    kept = [numbered(number) for number in range(2000 - dropped)]
    report = b"log_lines_dropped count=%d\n" % dropped
    assert read == b"".join([*kept, report, numbered(2000)])


def test_others_can_read_how_many_lines_wait_and_were_dropped(pipe: Pipe) -> None:
    reader, writer = pipe
    with line_buffer(writer, max_bytes=10_000) as buffer:
        counts = buffer.counts = memoryview(bytearray(16)).cast("q")
        for number in range(2000):
            buffer.write(numbered(number))
            buffer.flush()
        waiting, dropped = counts
        assert waiting > 0
        assert dropped == buffer.dropped_lines
        drain(buffer, reader)
        assert list(counts) == [0, dropped]
        buffer.write(numbered(0))
        os.close(reader)
        buffer.flush()
        assert list(counts) == [0, dropped + 1]
        buffer.forget()  # as a child does
        buffer.write(numbered(1))
        assert list(counts) == [0, dropped + 1]


def test_the_shared_description_stays_blocking(pipe: Pipe) -> None:
    _, writer = pipe
    with line_buffer(writer) as buffer:
        assert os.get_blocking(writer)
        assert not os.get_blocking(buffer.wait_fd)


def test_another_users_pipe_is_polled(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError

    monkeypatch.setattr(os, "open", refuse)
    assert isinstance(open_outlet(pipe[1]), PolledOutlet)


@both_outlets
def test_a_reader_that_has_gone_is_survived(pipe: Pipe, outlet: OpenOutlet) -> None:
    reader, writer = pipe
    with line_buffer(writer, outlet=outlet) as buffer:
        os.close(reader)
        for number in range(10):
            buffer.write(numbered(number))
            assert buffer.flush()
        assert buffer.pending_bytes == 0
        assert buffer.dropped_lines == 10


def test_the_reader_had_gone_before_the_buffer_was_made(pipe: Pipe) -> None:
    reader, writer = pipe
    os.close(reader)
    with line_buffer(writer) as buffer:
        buffer.write(b"line\n")
        assert buffer.flush()
        assert buffer.dropped_lines == 1


def test_the_next_reader_of_a_fifo_learns_what_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    first = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    writer = os.open(path, os.O_WRONLY)
    with line_buffer(writer) as buffer:
        os.close(first)
        buffer.write(b"one\n")
        buffer.flush()
        second = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        buffer.write(b"two\n")
        buffer.flush()
        buffer.write(b"three\n")
        buffer.flush()
        assert read_all(second) == b"log_lines_dropped count=2\nthree\n"
    os.close(second)
    os.close(writer)


def test_a_line_that_can_never_fit_is_reported(pipe: Pipe) -> None:
    reader, writer = pipe
    with line_buffer(writer, max_bytes=1000) as buffer:
        buffer.write(numbered(0, length=1001))
        assert buffer.flush()
        assert buffer.dropped_lines == 0
    assert read_all(reader) == b"log_lines_dropped count=1\n"


def test_a_long_line_is_written_in_pieces(pipe: Pipe) -> None:
    reader, writer = pipe
    written = [numbered(0), numbered(1, length=300_000), numbered(2)]
    with line_buffer(writer) as buffer:
        for line in written:
            buffer.write(line)
        assert not buffer.flush()
        assert drain(buffer, reader) == b"".join(written)


def test_chunks_are_whole_lines_of_at_most_a_page() -> None:
    sent: list[bytes] = []

    def send(chunk: bytes) -> int:
        sent.append(chunk)
        return len(chunk)

    buffer = LineBuffer(ScriptedOutlet(send))
    for number in range(200):
        buffer.write(numbered(number))
    assert buffer.flush()
    assert all(len(chunk) == 4000 for chunk in sent)
    assert len(sent) == 5


class ScriptedOutlet:
    """A descriptor that does as the test says."""

    fd = 0
    chunk_bytes = CHUNK_BYTES

    def __init__(self, send: Callable[[bytes], int]) -> None:
        self.send = send

    def close(self) -> None:
        pass


def test_a_line_cut_short_by_a_full_disk_is_ended_before_the_report() -> None:
    disk = bytearray()
    room = [5]

    def send(chunk: bytes) -> int:
        if not room[0]:
            raise OSError(28, "No space left on device")
        written = chunk[: room[0]]
        disk.extend(written)
        room[0] -= len(written)
        return len(written)

    buffer = LineBuffer(ScriptedOutlet(send))
    buffer.write(b"first line\n")
    assert buffer.flush()
    assert buffer.dropped_lines == 1
    room[0] = 1000
    assert buffer.flush()
    assert disk == b"first\nlog_lines_dropped count=1\n"


def test_a_full_device_is_survived() -> None:
    with Path("/dev/full").open("wb") as device, line_buffer(device.fileno()) as buffer:
        buffer.write(b"line\n")
        assert buffer.flush()
        assert buffer.dropped_lines == 1


def test_a_file_is_appended_to_where_it_stands(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with path.open("wb", buffering=0) as file:
        file.write(b"before\n")
        with line_buffer(file.fileno()) as buffer:
            buffer.write(b"line\n")
            assert buffer.flush()
        file.write(b"after\n")
    assert path.read_bytes() == b"before\nline\nafter\n"


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_SEQPACKET])
def test_a_socket_is_written_to_without_waiting(kind: socket.SocketKind) -> None:
    theirs, ours = socket.socketpair(socket.AF_UNIX, kind)
    with theirs, ours:
        theirs.setblocking(False)
        with line_buffer(ours.fileno(), max_bytes=10_000_000) as buffer:
            for number in range(50_000):
                buffer.write(numbered(number))
            assert not buffer.flush()
            assert os.get_blocking(ours.fileno())
            read = drain(buffer, theirs.fileno())
            assert read == b"".join(numbered(number) for number in range(50_000))
            theirs.close()
            buffer.write(b"line\n")
            assert buffer.flush()
            assert buffer.dropped_lines == 1


def test_close_writes_what_is_left_and_counts_what_cannot_be(pipe: Pipe) -> None:
    reader, writer = pipe
    buffer = LineBuffer(open_outlet(writer))
    buffer.write(b"line\n")
    assert buffer.close(timeout_s=1) == 0
    assert read_all(reader) == b"line\n"
    buffer = LineBuffer(open_outlet(writer))
    for number in range(1000):
        buffer.write(numbered(number))
    assert buffer.close(timeout_s=0.01) > 0
    buffer.write(b"late\n")
    assert buffer.flush()
    assert b"late" not in read_all(reader)


def test_close_waits_for_the_reader(pipe: Pipe, tmp_path: Path) -> None:
    reader, writer = pipe
    written = [numbered(number) for number in range(5000)]
    os.set_blocking(reader, True)
    path = tmp_path / "copy"
    with path.open("wb") as copy, subprocess.Popen(["cat"], stdin=reader, stdout=copy):
        os.close(reader)
        buffer = LineBuffer(open_outlet(writer))
        for line in written:
            buffer.write(line)
        assert buffer.close(timeout_s=30) == 0
        os.close(writer)
    assert path.read_bytes() == b"".join(written)


def test_forgotten_lines_are_not_written(pipe: Pipe) -> None:
    reader, writer = pipe
    with line_buffer(writer) as buffer:
        buffer.write(b"the parent's\n")
        buffer.forget()
        buffer.write(b"the child's\n")
        buffer.flush()
        assert read_all(reader) == b"the child's\n"


WRITER = """
import sys
from spliceproxy.observe.line_buffer import LineBuffer
from spliceproxy.observe.log_outlet import open_outlet
buffer = LineBuffer(open_outlet(1), max_bytes=4 << 20)
name = sys.argv[1].encode()
for number in range(3000):
    buffer.write(b"%s %d %s\\n" % (name, number, name * (number * 37 % 900)))
    if number % 7 == 0:
        buffer.flush()
sys.exit(buffer.close(timeout_s=30))
"""


def test_lines_of_two_processes_on_one_pipe_stay_whole(pipe: Pipe) -> None:
    reader, writer = pipe
    os.set_blocking(reader, True)
    processes = [
        subprocess.Popen([sys.executable, "-c", WRITER, name], stdout=writer, cwd=PROJECT)
        for name in ("a", "b")
    ]
    os.close(writer)
    with os.fdopen(os.dup(reader), "rb") as file:
        read = file.read().splitlines()
    assert [process.wait() for process in processes] == [0, 0]
    for name in (b"a", b"b"):
        own = [line for line in read if line.startswith(name)]
        assert own == [
            b"%s %d %s" % (name, number, name * (number * 37 % 900)) for number in range(3000)
        ]
    assert len(read) == 6000


steps = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.integers(11, 3 * CHUNK_BYTES)),
        st.tuples(st.just("read"), st.integers(1, 1 << 17)),
        st.tuples(st.just("flush"), st.just(0)),
    ),
    max_size=150,
)


@pytest.mark.parametrize("kind", ["private", "polled", "socket"])
@given(steps=steps)
def test_every_line_is_delivered_in_order_or_counted(
    kind: str, steps: list[tuple[str, int]]
) -> None:
    reader, writer = (
        os.pipe() if kind != "socket" else map(socket.socket.detach, socket.socketpair())
    )
    os.set_blocking(reader, False)
    outlets: dict[str, OpenOutlet] = {"private": PrivateOutlet, "polled": PolledOutlet}
    read, written = b"", 0
    try:
        with line_buffer(writer, max_bytes=30_000, outlet=outlets.get(kind, open_outlet)) as buffer:
            for step, size in steps:
                if step == "write":
                    buffer.write(numbered(written, length=size))
                    written += 1
                elif step == "flush":
                    buffer.flush()
                else:
                    with suppress(BlockingIOError):
                        read += os.read(reader, size)
                assert buffer.pending_bytes <= 30_000 + len(buffer.loss_line(written))
            read += drain(buffer, reader)
            assert buffer.dropped_lines == 0
    finally:
        os.close(reader)
        os.close(writer)
    expected = 0
    for line in read.splitlines():
        gap = re.fullmatch(rb"log_lines_dropped count=(\d+)", line)
        number = None if gap else re.fullmatch(rb"(\d{8}) x+", line + b"x")
        assert gap or number, line
        expected += int(gap[1]) if gap else 1
        assert gap or (number and int(number[1]) == expected - 1)
    assert expected == written


def test_memory_is_bounded_without_a_reader(pipe: Pipe) -> None:
    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with line_buffer(pipe[1]) as buffer:
        for number in range(200_000):
            buffer.write(numbered(number))
            if number % 100 == 0:
                buffer.flush()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib < 8192


async def test_the_task_writes_lines_and_otherwise_sleeps(pipe: Pipe) -> None:
    reader, writer = pipe
    with line_buffer(writer) as buffer:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(flush_task, buffer, 0.001)
            await trio.testing.wait_all_tasks_blocked()
            assert buffer.has_flush_task
            for number in range(3):
                buffer.write(numbered(number))
                await trio.lowlevel.wait_readable(reader)
                assert read_all(reader) == numbered(number)
            await trio.testing.wait_all_tasks_blocked(cushion=0.01)
            assert trio.lowlevel.current_statistics().seconds_to_next_deadline > 1
            nursery.cancel_scope.cancel()
        assert not buffer.has_flush_task


async def test_the_task_finds_lines_that_were_there_before_it(pipe: Pipe) -> None:
    reader, writer = pipe
    with line_buffer(writer) as buffer:
        buffer.write(b"early\n")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(flush_task, buffer, 0.001)
            await trio.lowlevel.wait_readable(reader)
            nursery.cancel_scope.cancel()
        assert read_all(reader) == b"early\n"


@both_outlets
async def test_the_task_waits_for_a_stalled_reader_and_goes_on(
    pipe: Pipe, outlet: OpenOutlet
) -> None:
    reader, writer = pipe
    written = [numbered(number) for number in range(5000)]
    read = b""
    with line_buffer(writer, outlet=outlet) as buffer:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(flush_task, buffer, 0.001)
            for line in written:
                buffer.write(line)
            while select.select([], [writer], [], 0)[1]:  # noqa: ASYNC110 - the kernel has no event
                await trio.sleep(0.001)
            await trio.testing.wait_all_tasks_blocked(cushion=0.01)
            assert buffer.pending_bytes > 0
            while len(read) < 500_000:
                await trio.lowlevel.wait_readable(reader)
                read += read_all(reader)
            nursery.cancel_scope.cancel()
    assert read == b"".join(written)


async def test_the_task_survives_a_reader_that_has_gone(pipe: Pipe) -> None:
    reader, writer = pipe
    os.close(reader)
    with line_buffer(writer) as buffer:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(flush_task, buffer, 0.001)
            for expected in (1, 2):
                buffer.write(b"line\n")
                await trio.testing.wait_all_tasks_blocked(cushion=0.05)
                assert (buffer.pending_bytes, buffer.dropped_lines) == (0, expected)
            nursery.cancel_scope.cancel()
