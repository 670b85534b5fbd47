"""One way to move bytes by each call, and the proof that those that were sent arrive."""

import mmap
from collections.abc import Callable

from spliceproxy.doctor.channels import Channel, memory_file, pipe, unix
from spliceproxy.kernel import page_syscalls, syscalls

CONTENT = bytes(range(251)) * 20
"""More than a page, so that a pipe holds it in two slots; less than the smallest buffer."""


class WrongBytes(Exception):  # noqa: N818 - an outcome of a trial, not an error of the program
    """A call reported success, and something else arrived."""


def splice_into(channel: Channel) -> None:
    """Move bytes from a pipe into the channel."""
    with pipe() as source:
        source.put(CONTENT)
        _move_all(lambda left: _splice(source.output_fd, channel.input_fd, left))
    _expect_content(channel)


def splice_out_of(channel: Channel) -> None:
    """Move bytes from the channel into a pipe."""
    channel.put(CONTENT)

    def step(left: int) -> int:
        channel.wait_readable()
        return _splice(channel.output_fd, destination.input_fd, left)

    with pipe() as destination:
        _move_all(step)
        _expect_content(destination)


def splice_both_ways(channel: Channel) -> None:
    """Move bytes from a pipe into the channel, and from the channel into a pipe."""
    splice_into(channel)
    splice_out_of(channel)


def tee_into(channel: Channel) -> None:
    """Duplicate a pipe's bytes in the channel; both must have them afterwards."""
    with pipe() as source:
        source.put(CONTENT)
        _move_all(lambda left: syscalls.tee(source.output_fd, channel.input_fd, left))
        _expect_content(channel)
        _expect_content(source)


def vmsplice_into(channel: Channel) -> None:
    """Give a pipe references to the pages of a buffer."""
    with mmap.mmap(-1, len(CONTENT)) as memory:
        memory.write(CONTENT)

        def step(left: int) -> int:
            return page_syscalls.vmsplice(channel.input_fd, memory, len(CONTENT) - left, left)

        _move_all(step)
        _expect_content(channel)


def sendfile_into(channel: Channel) -> None:
    """Move bytes from a file into the channel."""
    with memory_file() as source:
        source.put(CONTENT)
        _send_file(source, channel)
    _expect_content(channel)


def sendfile_both_ways(channel: Channel) -> None:
    """Move bytes from a file into the channel, and from the channel into a socket."""
    sendfile_into(channel)
    with unix() as destination:
        _send_file(channel, destination)
        _expect_content(destination)


def _send_file(source: Channel, destination: Channel) -> None:
    def step(left: int) -> int:
        offset = len(CONTENT) - left
        return page_syscalls.sendfile(destination.input_fd, source.output_fd, offset, left)

    _move_all(step)


def _splice(source_fd: int, destination_fd: int, count: int) -> int:
    return syscalls.splice(source_fd, destination_fd, count, None, None, syscalls.SPLICE_NONBLOCK)


def _move_all(step: Callable[[int], int]) -> None:
    """Call with how much is left, until nothing is."""
    left = len(CONTENT)
    while left > 0:
        count = step(left)
        if count <= 0 or count > left:
            raise WrongBytes(f"{count} of {left} bytes were moved")
        left -= count


def _expect_content(channel: Channel) -> None:
    if channel.swallows:
        return
    taken = channel.take(len(CONTENT))
    if taken != CONTENT:
        raise WrongBytes(f"{len(taken)} bytes arrived, other ones than were sent")
