"""MSG_ZEROCOPY: send(2) refers to memory's pages, and a queue tells when it has let go of them.

What vmsplice lacks: there is a word for "you may write there again". It comes by the socket's
error queue, when the peer has acknowledged the bytes; and with the code COPIED when the kernel
copied them after all. It does so for every receiver on the same machine, since its receive queue
could refer to the pages for ever (Documentation/networking/msg_zerocopy.rst, "Loopback").
"""

import errno
import socket
import struct
from dataclasses import dataclass

from spliceproxy.kernel import page_syscalls, syscalls

_EXTENDED_ERROR = struct.Struct("=IBBBBII")  # struct sock_extended_err of linux/errqueue.h
_ORIGIN_ZERO_COPY, _CODE_COPIED = 5, 1  # SO_EE_ORIGIN_ZEROCOPY, SO_EE_CODE_ZEROCOPY_COPIED
_NUMBERS = 1 << 32  # calls are counted in 32 bits, which wrap


@dataclass(frozen=True, slots=True)
class Completion:
    """Calls `first` to `last`, both included, whose memory is free again."""

    first: int
    last: int
    was_copied: bool

    @property
    def count(self) -> int:
        return (self.last - self.first) % _NUMBERS + 1


class ZeroCopySends:
    """The sends of one non-blocking TCP socket, by number, from 0 on; one object for a socket."""

    def __init__(self, sock: socket.socket) -> None:
        """Switch it on.

        Raises:
            OSError: neither this kernel nor this kind of socket has it (setsockopt(2)).
        """
        sock.setsockopt(socket.SOL_SOCKET, page_syscalls.SO_ZEROCOPY, 1)
        self._sock = sock
        self.made = 0
        self.completed = 0
        self.copied = 0
        """How many of the completed ones the kernel copied after all."""
        self.refused = 0
        """How many were plain sends, because too many had no completion yet."""

    @property
    def pending(self) -> int:
        """How many have no completion; while it is 0, no memory is in use."""
        return self.made - self.completed

    def send(self, data: memoryview) -> int:
        """Hand over bytes; how many the socket took.

        Raises:
            BlockingIOError: the socket is full.
            OSError: as send(2).
        """
        try:
            taken = page_syscalls.send_zero_copy(self._sock, data)
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                raise
            self.refused += 1
            return syscalls.send(self._sock, data)
        self.made += 1
        return taken

    def collect(self) -> list[Completion]:
        """Take the completions that are there.

        A completion makes the socket ready for POLLERR, which cannot be masked: collect before
        each wait. They may come in another order than the sends.
        """
        found: list[Completion] = []
        while True:
            try:
                record = page_syscalls.read_error_queue(self._sock)
            except BlockingIOError:
                return found
            completion = parse(record)
            if completion is not None:
                found.append(completion)
                self.completed += completion.count
                self.copied += completion.count if completion.was_copied else 0


def parse(record: bytes) -> Completion | None:
    """Return what a record of the error queue says; None where it is about something else."""
    if len(record) < _EXTENDED_ERROR.size:
        return None
    _errno, origin, _type, code, _pad, first, last = _EXTENDED_ERROR.unpack_from(record)
    if origin != _ORIGIN_ZERO_COPY:
        return None
    return Completion(first, last, code == _CODE_COPIED)
