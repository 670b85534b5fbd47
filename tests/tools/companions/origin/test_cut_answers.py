"""Answers that cannot be sent to their end: the client must see that."""

import errno
import os
from pathlib import Path

import pytest
import trio

from spliceproxy.kernel import syscalls
from spliceproxy.observe.line_buffer import LineBuffer
from spliceproxy.observe.log_outlet import open_outlet
from tools.companions.origin.limits import Limits

from .conftest import TEXT
from .serving import TIMEOUT_S, request, serving

LARGE_BYTES = 64 << 20  # more than the buffers of two sockets hold


async def read_to_end(stream: trio.SocketStream) -> tuple[int, bool]:
    """Return how many bytes came, and whether the end was a reset."""
    count = 0
    with trio.fail_after(TIMEOUT_S):
        try:
            async for chunk in stream:
                count += len(chunk)
        except trio.BrokenResourceError:
            return count, True
    return count, False


@pytest.mark.parametrize("method", ["auto", "sendfile", "mmap", "splice", "readwrite", "vmsplice"])
async def test_a_file_that_shrinks_ends_the_connection(root: Path, method: str) -> None:
    large = root / "large"
    with large.open("wb") as file:
        file.truncate(LARGE_BYTES)
    async with (
        serving(root, method=method) as port,
        await trio.open_tcp_stream("127.0.0.1", port) as stream,
    ):
        await stream.send_all(request("/large"))
        await stream.receive_some(1)
        os.truncate(large, 10_000)
        count, is_reset = await read_to_end(stream)
    assert is_reset
    assert count < LARGE_BYTES


@pytest.mark.parametrize("method", ["auto", "mmap"])
async def test_a_file_that_is_removed_is_still_sent(root: Path, method: str) -> None:
    large = root / "large"
    with large.open("wb") as file:
        file.truncate(LARGE_BYTES)
    async with (
        serving(root, method=method) as port,
        await trio.open_tcp_stream("127.0.0.1", port) as stream,
    ):
        await stream.send_all(request("/large", Connection="close"))
        await stream.receive_some(1)
        large.unlink()
        count, is_reset = await read_to_end(stream)
    assert not is_reset
    assert count > LARGE_BYTES


async def test_a_client_that_reads_nothing_is_cut_off(root: Path) -> None:
    with (root / "large").open("wb") as file:
        file.truncate(LARGE_BYTES)
    read_fd, write_fd = os.pipe()
    lines = LineBuffer(open_outlet(write_fd))
    async with (
        serving(root, limits=Limits(idle_timeout_s=0.2), log=lines) as port,
        await trio.open_tcp_stream("127.0.0.1", port) as stream,
    ):
        await stream.send_all(request("/large"))
        logged_line = trio.Event()
        lines.on_line_after_idle = logged_line.set
        with trio.fail_after(TIMEOUT_S):
            await logged_line.wait()
        _, is_reset = await read_to_end(stream)
    assert is_reset
    lines.close()
    logged = os.read(read_fd, 1000)
    os.close(read_fd)
    os.close(write_fd)
    assert logged.endswith(b" stalled\n")


async def test_a_client_that_goes_leaves_the_others_alone(root: Path) -> None:
    with (root / "large").open("wb") as file:
        file.truncate(LARGE_BYTES)
    async with serving(root) as port:
        stream = await trio.open_tcp_stream("127.0.0.1", port)
        await stream.send_all(request("/large"))
        await stream.receive_some(1)
        await trio.aclose_forcefully(stream)
        async with await trio.open_tcp_stream("127.0.0.1", port) as other:
            await other.send_all(request("/text.txt", Connection="close"))
            count, is_reset = await read_to_end(other)
    assert count > len(TEXT)
    assert not is_reset


async def test_what_has_no_pipe_is_cut_and_told(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse() -> tuple[int, int]:
        raise OSError(errno.EMFILE, "Too many open files")

    async with serving(root, method="splice") as port:
        monkeypatch.setattr(syscalls, "make_pipe", refuse)
        async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
            await stream.send_all(request("/text.txt"))
            assert await read_to_end(stream) == (0, True)
    assert "cut off: [Errno 24] Too many open files" in capsys.readouterr().err
