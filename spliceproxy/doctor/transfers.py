"""One way to move bytes by each call, and the proof that those that were sent arrive."""

import mmap
from collections.abc import Callable

from spliceproxy.doctor.places import Place, memory_file, pipe, unix
from spliceproxy.kernel import page_syscalls, syscalls

CONTENT = bytes(range(251)) * 20
"""More than a page, so that a pipe holds it in two slots; less than the smallest buffer."""


class WrongBytes(Exception):  # noqa: N818 - an outcome of a trial, not an error of the program
    """A call reported success, and something else arrived."""


def splice_into(place: Place) -> None:
    """Move bytes from a pipe into the place."""
    with pipe() as source:
        source.put(CONTENT)
        _move_all(lambda left: _splice(source.output_fd, place.input_fd, left))
    _expect_content(place)


def splice_out_of(place: Place) -> None:
    """Move bytes from the place into a pipe."""
    place.put(CONTENT)

    def step(left: int) -> int:
        place.wait_readable()
        return _splice(place.output_fd, destination.input_fd, left)

    with pipe() as destination:
        _move_all(step)
        _expect_content(destination)


def splice_both_ways(place: Place) -> None:
    """Move bytes from a pipe into the place, and from the place into a pipe."""
    splice_into(place)
    splice_out_of(place)


def tee_into(place: Place) -> None:
    """Duplicate a pipe's bytes in the place; both must have them afterwards."""
    with pipe() as source:
        source.put(CONTENT)
        _move_all(lambda left: syscalls.tee(source.output_fd, place.input_fd, left))
        _expect_content(place)
        _expect_content(source)


def vmsplice_into(place: Place) -> None:
    """Give a pipe references to the pages of a buffer."""
    with mmap.mmap(-1, len(CONTENT)) as memory:
        memory.write(CONTENT)

        def step(left: int) -> int:
            return page_syscalls.vmsplice(place.input_fd, memory, len(CONTENT) - left, left)

        _move_all(step)
        _expect_content(place)


def sendfile_into(place: Place) -> None:
    """Move bytes from a file into the place."""
    with memory_file() as source:
        source.put(CONTENT)
        _send_file(source, place)
    _expect_content(place)


def sendfile_both_ways(place: Place) -> None:
    """Move bytes from a file into the place, and from the place into a socket."""
    sendfile_into(place)
    with unix() as destination:
        _send_file(place, destination)
        _expect_content(destination)


def _send_file(source: Place, destination: Place) -> None:
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


def _expect_content(place: Place) -> None:
    if place.swallows:
        return
    taken = place.take(len(CONTENT))
    if taken != CONTENT:
        raise WrongBytes(f"{len(taken)} bytes arrived, other ones than were sent")
